#!/usr/bin/env python3
"""Compares GraphSAGE at batch 1 between ONNX Runtime from Rust and from Python, in rounds on one machine.

    cargo build --release -p perfgate-suites --example figures
    benches/figures/graphsage.py [ROUNDS] [PROGRAM]

Prints the p50 of both and their ratio, and the time to read the weights once, below which no call can be. Python uses the
same version of ONNX Runtime as the suites; pip installs it below .tools. PERFGATE_THREADS sets the threads of both.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

SUITES = Path(__file__).resolve().parents[1]
ROOT = SUITES.parent
PACKAGES = ROOT / ".tools" / "onnxruntime-1.28.0"
MODEL = SUITES / ".runtime" / "models" / "graphsage.onnx"
FEATURES, CALLS, WARM_UP = 978, 300, 50
WEIGHT_BYTES = 2_452_647 * 4
THREADS = int(os.environ.get("PERFGATE_THREADS", "1"))


def time_python_calls():
    sys.path.insert(0, str(PACKAGES))
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
    inputs = {"features": ((numpy.arange(FEATURES) % 7) / 7).astype(numpy.float32).reshape(1, FEATURES)}
    taken = []
    for call in range(WARM_UP + CALLS):
        started = time.perf_counter_ns()
        session.run(None, inputs)
        if call >= WARM_UP:
            taken.append(time.perf_counter_ns() - started)
    return taken


def time_reading_weights():
    """Times how long one thread takes to read as many bytes as the weights have. They stay in the cache between readings."""
    sys.path.insert(0, str(PACKAGES))
    import numpy

    weights = numpy.ones(WEIGHT_BYTES // 8, numpy.float64)
    taken = []
    for _ in range(CALLS):
        started = time.perf_counter_ns()
        weights.max()
        taken.append(time.perf_counter_ns() - started)
    return taken


def read_output(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=SUITES)
    return json.loads(done.stdout)


def main(rounds, program):
    if not PACKAGES.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", PACKAGES, "onnxruntime==1.28.0"]
        subprocess.run(pip, check=True)
    rust, python, bound = [], [], []
    for turn in range(rounds):
        sides = [(rust, [program, "graphsage", str(CALLS)]), (python, [sys.executable, __file__, "--calls"])]
        for samples, command in sides if turn % 2 == 0 else sides[::-1]:
            samples.append(statistics.median(read_output(command)))
        bound.append(min(read_output([sys.executable, __file__, "--floor"])))
    ratios = [r / p for r, p in zip(rust, python)]
    rust_p50, python_p50, lowest = statistics.median(rust), statistics.median(python), min(bound)
    print(f"{rounds} rounds of {CALLS} calls, {THREADS} thread(s), onnxruntime 1.28.0 on both sides")
    print(f"p50 rust {rust_p50 / 1e6:.4f} ms, python {python_p50 / 1e6:.4f} ms")
    print(f"rust / python {statistics.median(ratios):.3f} (rounds {min(ratios):.3f} to {max(ratios):.3f})")
    print(f"floor {lowest / 1e6:.4f} ms: {WEIGHT_BYTES / 1e6:.2f} MB of weights at {WEIGHT_BYTES / lowest:.1f} GB/s")
    print(f"rust is at {rust_p50 / lowest:.2f} times the floor, python at {python_p50 / lowest:.2f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--calls"]:
        print(json.dumps(time_python_calls()))
    elif sys.argv[1:] == ["--floor"]:
        print(json.dumps(time_reading_weights()))
    else:
        rest = sys.argv[1:]
        main(int(rest[0]) if rest else 10, Path(rest[1]).resolve() if rest[1:] else (ROOT / "target" / "release" / "examples" / "figures"))
