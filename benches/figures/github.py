#!/usr/bin/env python3
"""Prints what perfgate costs on GitHub: publishing, a store of 1,000 runs, and the action around a check.

    cargo build --release && benches/figures/github.py [PROGRAM]

The figures are wall time, the least of several runs. They contain no network: GitHub is a server in this process, whose
own time is subtracted, and `git daemon` on this machine serves the store.
"""

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNS, BENCHMARKS, LAUNCHES, SAMPLES = 1000, 50, 5, 20
HEAD = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"
REPOSITORY = "Codertocat/Hello-World"


class GitHub(BaseHTTPRequestHandler):
    """The part of GitHub that one publication needs. `spent` is the time from request to the end of the answer."""

    protocol_version = "HTTP/1.1"
    spent = 0.0
    requests = 0

    def log_message(self, *_):
        pass

    def respond(self):
        began = time.perf_counter()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        side = {"sha": HEAD, "repo": {"full_name": REPOSITORY}}
        body = {"id": 1}
        if self.command == "GET":
            body = [] if "/comments" in self.path else {"number": 2, "head": side, "base": side}
        text = json.dumps(body).encode()
        self.send_response(200 if self.command == "GET" else 201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        GitHub.spent += time.perf_counter() - began
        GitHub.requests += 1

    do_GET = do_POST = do_PATCH = respond


def run_git(folder, *words, stdin=None):
    done = subprocess.run(["git", "-C", folder, *words], input=stdin, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def time_command(words, folder, variables, statuses=(0,)):
    began = time.perf_counter()
    done = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True)
    taken = time.perf_counter() - began
    assert done.returncode in statuses, (words, done.returncode, done.stdout, done.stderr)
    return taken, done.stdout


def make_environment(folder, api):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "RUNNER_", "PERFGATE_"))}
    files = {name: str(folder / name.lower()) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    event = ROOT / "fixtures/github/events/pull_request.json"
    return kept | files | {
        "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event), "GITHUB_API_URL": api, "GITHUB_TOKEN": "t",
        "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_WORKSPACE": str(folder), "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    }


def time_publish(program, folder, api):
    best = None
    for _ in range(20):
        GitHub.spent, GitHub.requests = 0.0, 0
        words = [program, "publish", ROOT / "fixtures/decisions/fail.json"]
        taken, _ = time_command(words, folder, make_environment(folder, api))
        best = min(best or (9e9, 0, 0), (taken - GitHub.spent, GitHub.spent, GitHub.requests))
    rest, server, requests = best
    print(f"publish, {requests} requests: {rest * 1e3:.0f} ms, and {server * 1e3:.0f} ms of the server")


def make_run(commit, number, draw):
    def launch(round):
        return {"round": round, "samples": [round_to(1e5 * draw.lognormvariate(0, 0.01)) for _ in range(SAMPLES)]}

    def round_to(value):
        return round(value, 1)

    benchmarks = [
        {"id": f"group/function/{place}", "sampling": "call", "launches": [launch(one) for one in range(LAUNCHES)]}
        for place in range(BENCHMARKS)
    ]
    host = {"fingerprint": "f", "cpu_model": "c", "cores": 1, "memory_bytes": 1, "os": "o", "kernel": "k"}
    created = f"2026-11-22T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
    commit = {"id": commit, "dirty": False}
    return {"schema": "perfgate.run/2", "created": created, "source": "criterion", "host": host, "commit": commit,
            "benchmarks": benchmarks}


def fill_server(program, folder):
    """Makes a bare repository with one more commit than runs. Its branch of the store has a run of each but the last."""
    work, served = folder / "work", folder / "served"
    served.mkdir()
    for path, words in ((work, []), (served / "code.git", ["--bare"])):
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", *words, path], check=True)
    stream = "".join(
        f"commit refs/heads/main\ncommitter C <c@d> {1_790_000_000 + one} +0000\ndata 1\nx\n" for one in range(RUNS + 1)
    )
    run_git(work, "fast-import", "--quiet", stdin=stream)
    commits = run_git(work, "rev-list", "--reverse", "main").split()
    draw = random.Random(1)
    for number in range(RUNS):
        (folder / "run.json").write_text(json.dumps(make_run(commits[number], number, draw)))
        subprocess.run([program, "baseline", "save", folder / "run.json"], cwd=work, check=True, capture_output=True)
    run_git(work, "push", "--quiet", served / "code.git", "main", "perfgate-data")
    run_git(served / "code.git", "repack", "-adq")
    run_git(served / "code.git", "config", "uploadpack.allowFilter", "true")
    (folder / "candidate.json").write_text(json.dumps(make_run(commits[RUNS], RUNS, draw)))
    return served


def start_daemon(served):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", f"--base-path={served}", served]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, f"git://127.0.0.1:{port}/code.git"
        time.sleep(0.05)
    raise SystemExit("git daemon did not start")


def clone_code(folder, address, options):
    """Clones the code without the store, as a workflow does."""
    subprocess.run(["rm", "-rf", folder], check=True)
    subprocess.run(["git", "clone", "--quiet", "--single-branch", *options, address, folder], check=True)


def time_check(program, folder, address, variables):
    for options in (["--depth=1"], []):
        best = 9e9
        for _ in range(5):
            clone = folder / "clone"
            clone_code(clone, address, options)
            words = [program, "check", "--run", folder / "candidate.json", "--baseline", "stored", "--format", "json"]
            taken, decision = time_command(words, clone, variables, (0, 10, 11))
            decision = json.loads(decision)
            assert decision["baseline"]["runs"] == 20, decision["notes"]
            best = min(best, taken)
        kind = "depth-1" if options else "full"
        print(f"check in a {kind} clone: {RUNS:,} runs of {BENCHMARKS} benchmarks fetched, 20 of them compared with: {best:.2f} s")


def time_action(program, folder, address, variables):
    inputs = "TARGET_MEAN TARGET_P50 TARGET_P90 TARGET_P95 TARGET_P99 THRESHOLD DETECT BENCH PACKAGE FEATURES BUDGET FAIL_ON STORE"
    variables = variables | dict.fromkeys(inputs.split(), "") | {
        "RUNNER_TEMP": str(folder), "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64", "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REF_NAME": "2/merge", "GITHUB_REF_TYPE": "branch",
        "ACTION_REPOSITORY": "", "METHOD": "path", "VERSION": "", "BINARY_PATH": str(program), "PERFGATE": str(program),
        "RUN": str(folder / "candidate.json"), "BASELINE": "stored", "REQUIRE_BASELINE": "false", "RECORD": "auto",
        "DATA_REPOSITORY": "origin", "DEFAULT_BRANCH": "main", "HEAD_REPOSITORY": REPOSITORY, "COMMENT": "auto", "CHECK_RUN": "false", "ID": "gate",
        "DECISION": "target/perfgate/decision.json", "ARTIFACT": "",
    }
    best = 9e9
    for _ in range(5):
        clone = folder / "clone"
        clone_code(clone, address, [])
        GitHub.spent = 0.0
        steps = ["install", "check", "publish"]
        taken = sum(time_command([ROOT / "scripts/action" / step], clone, variables)[0] for step in steps)
        best = min(best, taken - GitHub.spent)
    print(f"the action around a measured run, binary installed, store of {RUNS:,} runs fetched: {best:.2f} s")


def main(program):
    server = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api = f"http://127.0.0.1:{server.server_address[1]}"
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        time_publish(program, folder, api)
        process, address = start_daemon(fill_server(program, folder))
        try:
            time_check(program, folder, address, make_environment(folder, api))
            time_action(program, folder, address, make_environment(folder, api))
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT / "target/release/perfgate")
