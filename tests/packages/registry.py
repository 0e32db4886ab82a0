"""A registry for npm with the packages of a folder: registry.py FOLDER PORT_FILE"""

import base64
import functools
import hashlib
import http.server
import json
import os
import sys
import tarfile
from pathlib import Path
from urllib.parse import unquote

folder, port_file = Path(sys.argv[1]), sys.argv[2]


@functools.cache
def read_manifest(path):
    with tarfile.open(path) as package:
        return json.load(package.extractfile("package/package.json"))


class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = unquote(self.path).lstrip("/")
        for path in folder.glob("*.tgz"):
            if wanted == f"tarballs/{path.name}":
                return self.answer(200, path.read_bytes())
            manifest = read_manifest(path)
            if manifest["name"] == wanted:
                integrity = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
                host = f"http://127.0.0.1:{self.server.server_address[1]}"
                dist = {"tarball": f"{host}/tarballs/{path.name}", "integrity": f"sha512-{integrity}"}
                version = manifest["version"]
                document = {"name": wanted, "dist-tags": {"latest": version},
                            "versions": {version: {**manifest, "dist": dist}}}
                return self.answer(200, json.dumps(document).encode())
        return self.answer(404, b"{}")

    def answer(self, status, content):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
with open(f"{port_file}.part", "w", encoding="utf-8") as file:
    file.write(str(server.server_address[1]))
os.rename(f"{port_file}.part", port_file)
server.serve_forever()
