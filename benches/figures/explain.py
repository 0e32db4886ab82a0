#!/usr/bin/env python3
"""Prints for changes whose cause is known what `check --explain` names first, and whether that is right.

    benches/figures/explain.py

It runs the tests of `tests/it/explain.rs`, which make the repositories and need valgrind.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = [
    "explain::the_function_that_a_known_change_made_slower_comes_first",
    "explain::a_decision_is_explained_afterwards_and_decides_the_same",
]

# The change, the decision and the benchmark that show it, and what is right: a function, or a cause without one.
CHANGES = [
    ("a function that does a third more", "known", "more", "known::third"),
    ("a callee that is called twice as often", "known", "twice", "known::mix"),
    ("an inlined function that is called now", "known", "outlined", "known::outlined"),
    ("an allocation added in a loop", "known", "allocates", "known::allocates"),
    ("another algorithm in a dependency", "known", "depends", "dep::order"),
    ("slower by memory layout only", "known", "layout", "not-instructions"),
    ("one of two instances of a generic function", "known", "generic", "known::total<u64>"),
    ("other compiler flags", "flags", "several", "everywhere"),
]


def explain_changes(folder):
    command = ["cargo", "test", "--quiet", "--test", "it", "--all-features", "--", "--exact", *TESTS]
    environment = {**os.environ, "PERFGATE_KEEP_EXPLAINED": str(folder)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=sys.stderr)
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in ("known", "flags")}


def main():
    with tempfile.TemporaryDirectory() as folder:
        decisions = explain_changes(Path(folder))
    right_count = 0
    print("| change | instructions per call | named first | right |")
    print("|---|--:|---|---|")
    for change, name, benchmark, expected in CHANGES:
        judgement = next(it for it in decisions[name]["benchmarks"] if it["id"] == benchmark)
        explanation = judgement["explanation"]
        counts = explanation["instructions"]
        growth = counts["candidate"] / counts["baseline"] - 1
        named = explanation["cause"]
        if named == "instructions":
            named = explanation["functions"][0]["function"]
        is_right = named == expected
        right_count += is_right
        print(f"| {change} | {100 * growth:+.1f} % | `{named}` | {'yes' if is_right else 'no'} |")
    print(f"\n{right_count} of {len(CHANGES)} are right.")


if __name__ == "__main__":
    main()
