"""GitHub's API as far as a read-only or a writing token needs it: tests/act/run starts it.

    github.py PORT_FILE LOG [--read-only]
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT_FILE, LOG = sys.argv[1:3]
READ_ONLY = "--read-only" in sys.argv
COMMENTS = []
REPOSITORY = "octo/consumer"
HEAD = "0123456789abcdef0123456789abcdef01234567"


class GitHub(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.endswith("/comments"):
            return self.answer(200, COMMENTS)
        if path == f"/repos/{REPOSITORY}/pulls/7":
            side = {"sha": HEAD, "repo": {"full_name": REPOSITORY}}
            return self.answer(200, {"number": 7, "head": side, "base": side})
        return self.answer(404, {"message": "Not Found"})

    def do_POST(self):
        body = self.body()
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(json.dumps({"path": self.path, "body": body}) + "\n")
        if READ_ONLY:
            return self.answer(403, {"message": "Resource not accessible by integration"})
        if self.path.endswith("/comments"):
            COMMENTS.append({"id": len(COMMENTS) + 1, "body": body["body"], "user": {"login": "bot", "type": "Bot"}})
            return self.answer(201, COMMENTS[-1])
        return self.answer(201, {"id": 1})


server = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
with open(PORT_FILE, "w", encoding="utf-8") as file:
    file.write(str(server.server_address[1]))
server.serve_forever()
