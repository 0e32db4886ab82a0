"""Prints what trend pages cost: a generated history of 2,000 runs of 50 benchmarks, one core, release build.

    cargo build --release && python3 benches/figures/trend.py [PERFGATE] [FOLDER]

It prints time and peak memory of a first build, of a build one night later, and of change points over 50 series of 2,000 values, and
the size of the largest page of a benchmark. `node tests/browser/trend.mjs FOLDER/site` prints how fast Chromium loads that page.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS, BENCHMARKS, SEED = 2000, 50, 1
root = Path(__file__).resolve().parents[2]
perfgate = str(Path(sys.argv[1] if len(sys.argv) > 1 else root / "target/release/perfgate").resolve())
folder = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()).resolve()
site, store = folder / "site", folder / "store"


def pin_to_one_core():
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def print_cost(name, *arguments):
    """Runs perfgate, prints CPU seconds and peak memory, and returns its output."""
    process = subprocess.Popen([perfgate, *arguments], cwd=folder, stdout=subprocess.PIPE, preexec_fn=pin_to_one_core)
    output = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, (name, status)
    seconds = used.ru_utime + used.ru_stime
    print(f"{name}: {seconds:.2f} s of one core, {used.ru_maxrss / 1024:.0f} MB at most")
    return output


folder.mkdir(parents=True, exist_ok=True)
if not store.exists():
    environment = os.environ | {"TREND_STORE": str(store), "TREND_NIGHTS": str(RUNS), "TREND_BENCHMARKS": str(BENCHMARKS)}
    command = ["cargo", "run", "--quiet", "--example", "history"]
    subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
shutil.rmtree(site, ignore_errors=True)
newest = max(store.rglob("*.json"), key=lambda path: path.name.split("-criterion-")[1])
trend = ["trend", "--store", f"dir:{store}", "--out", str(site), "--title", "demo"]

print(print_cost(f"site of {RUNS} runs × {BENCHMARKS} benchmarks", *trend), end="")
kept = newest.rename(folder / "newest.json")
print_cost("without the newest run", *trend)
kept.rename(newest)
print(print_cost("a night later", *trend), end="")

values = random.Random(SEED)
series = folder / "series.jsonl"
with series.open("w") as file:
    for number in range(BENCHMARKS):
        row = [100 + values.uniform(-1, 1) for _ in range(RUNS)]
        file.write(json.dumps({"id": f"series {number}", "values": row}) + "\n")
print_cost(f"change points of {BENCHMARKS} series × {RUNS} values", "trend", "changes", str(series), "--format", "json")
largest = max((site / "bench").glob("*.html"), key=lambda path: path.stat().st_size)
print(f"largest page of a benchmark: {largest.stat().st_size / 1000:.0f} kB")
print(f"pages in {site}")
