#!/usr/bin/env python3
"""Prints what perfgate's own commands cost: CPU seconds and peak memory, the least of several runs, on one core.

    cargo build --release && benches/figures/commands.py
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

PERFGATE = Path(__file__).resolve().parents[2] / "target/release/perfgate"
HOST = {"fingerprint": "f", "cpu_model": "c", "cores": 1, "memory_bytes": 1, "os": "o", "kernel": "k"}


def write_run(path, benchmarks, launches, samples, seed):
    draw = random.Random(seed)
    made = [
        {
            "id": f"group/{number}",
            "sampling": "call",
            "launches": [
                {"round": launch, "samples": [round(1e5 * draw.lognormvariate(0, 0.02), 1) for _ in range(samples)]}
                for launch in range(launches)
            ],
        }
        for number in range(benchmarks)
    ]
    run = {"schema": "perfgate.run/2", "created": "2026-11-22T00:00:00Z", "source": "command", "host": HOST, "benchmarks": made}
    path.write_text(json.dumps(run))
    return path.stat().st_size


def measure_least(words, times):
    """Returns CPU seconds and bytes of the cheapest of several runs on one core. CPU time excludes other load."""
    core = min(os.sched_getaffinity(0))
    best = None
    for _ in range(times):
        process = subprocess.Popen(
            [PERFGATE, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = usage.ru_utime + usage.ru_stime
        assert os.waitstatus_to_exitcode(status) in (0, 10, 11), words
        measured = (seconds, usage.ru_maxrss * 1024)
        best = min(best or measured, measured)
    return best


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        size = write_run(folder / "a.json", 2500, 10, 100, 1) + write_run(folder / "b.json", 2500, 10, 100, 2)
        write_run(folder / "suites.json", 56, 5, 100, 3)
        seconds, memory = measure_least(["compare", folder / "a.json", folder / "b.json"], 5)
        print(f"compare, 2,500 benchmarks × 10 × 100 per side: {seconds:.2f} s, {memory / size:.1f} times the input")
        check = ["check", "--run", folder / "suites.json", "--baseline", "none", "--out", folder / "out"]
        print(f"check --run, 56 benchmarks × 5 × 100: {measure_least(check, 10)[0] * 1e3:.0f} ms")
        print(f"--version: {measure_least(['--version'], 20)[0] * 1e3:.1f} ms")
    print(f"release binary: {PERFGATE.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    sys.exit(main())
