"""GitHub's API as far as a read-only or a writing token needs it: tests/act/run starts it.

    github.py PORT_FILE LOG [--read-only] [--head SHA] [--artifacts DIR]

The folder DIR has a folder for each artifact of every workflow run. The pull request 7 is that of a fork
if there are artifacts.
"""

import io
import json
import pathlib
import sys
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT_FILE, LOG = sys.argv[1:3]
READ_ONLY = "--read-only" in sys.argv
COMMENTS = []
REPOSITORY = "octo/consumer"
HEAD = "0123456789abcdef0123456789abcdef01234567"
if "--head" in sys.argv:
    HEAD = sys.argv[sys.argv.index("--head") + 1]
ARTIFACTS = None
if "--artifacts" in sys.argv:
    ARTIFACTS = pathlib.Path(sys.argv[sys.argv.index("--artifacts") + 1])
BASE_SIDE = {"sha": "b" * 40, "repo": {"full_name": REPOSITORY}}
HEAD_SIDE = {"sha": HEAD, "repo": {"full_name": "evil/consumer" if ARTIFACTS else REPOSITORY}}
PULL = {"number": 7, "head": HEAD_SIDE, "base": BASE_SIDE}


def list_artifacts():
    folders = sorted(ARTIFACTS.iterdir()) if ARTIFACTS else []
    return [
        {"id": number, "name": folder.name, "size_in_bytes": 1000, "expired": False, "workflow_run": {"head_sha": HEAD}}
        for number, folder in enumerate(folders, 1)
    ]


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

    def answer_archive(self, number):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(sorted(ARTIFACTS.iterdir())[number - 1].iterdir()):
                archive.write(file, file.name)
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(len(packed.getvalue())))
        self.end_headers()
        self.wfile.write(packed.getvalue())

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.endswith("/comments"):
            return self.answer(200, COMMENTS)
        if path == f"/repos/{REPOSITORY}/pulls/7":
            return self.answer(200, PULL)
        if path == f"/repos/{REPOSITORY}/pulls":
            return self.answer(200, [PULL])
        if path.endswith("/artifacts"):
            return self.answer(200, {"artifacts": list_artifacts()})
        if path.endswith("/zip"):
            return self.answer_archive(int(path.split("/")[-2]))
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
