#!/usr/bin/env python3
"""Counts how often `perfgate bisect` names the commit that really made a program slower, beside plain halving.

    cargo build --release && benches/figures/bisect.py [--trials 10]

Each trial makes a history of 32 commits of a small C program. At a seeded place a commit makes the program do more work.
`perfgate bisect` searches it with the command source. Plain halving makes one `perfgate check` of two commands per step, with
the programs of the good and of the middle commit. It needs git and a C compiler. `target/bisect-trials` keeps the results, and
a trial with a result is not repeated.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "target/bisect-trials"
COMMITS = 32
STEPS = 40_000
CALLS = 60
PROGRAM = """#include <stdio.h>
#include <time.h>
#include "work.h"
static volatile const int number = NUMBER;
static volatile unsigned long sink;
static double call(void) {
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    unsigned long x = number;
    for (long i = 0; i < WORK; i++) x = x * 6364136223846793005UL + 1442695040888963407UL;
    sink = x;
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec);
}
int main(void) {
    for (int i = 0; i < 20; i++) call();
    printf("{\\"id\\": \\"loop\\", \\"samples_ns\\": [");
    for (int i = 0; i < CALLS; i++) printf(i ? ", %.0f" : "%.0f", call());
    printf("]}\\n");
}
"""
PREPARE = "cc -O2 -o loop loop.c"
# Name: the ratio of the work per commit from a drawn place on; the second place takes it back.
KINDS = {"+10 %": [1.10], "+5 %": [1.05], "nothing": [], "+10 %, repaired": [1.10, 1 / 1.10]}


def run(words, folder, **more):
    return subprocess.run([str(word) for word in words], cwd=folder, check=True, capture_output=True, text=True, **more).stdout


def git(folder, *words):
    who = ["-c", "user.name=trials", "-c", "user.email=trials@localhost"]
    return run(["git", *who, *words], folder).strip()


def draw_places(kind, seed):
    draw = random.Random(f"{kind} {seed}")
    steps = KINDS[kind]
    if len(steps) < 2:
        return [draw.randint(1, COMMITS) for _ in steps]
    distance = draw.randint(9, 20)
    first = draw.randint(1, COMMITS - distance)
    return [first, first + distance]


def make_history(folder, kind, places):
    """Creates the repository, and returns its commits, the good one first."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    (folder / "loop.c").write_text(PROGRAM)
    (folder / "perfgate.toml").write_text(f'[measure]\nprepare = "{PREPARE}"\n')
    (folder / ".gitignore").write_text("target\nloop\n")
    work, commits = STEPS, []
    for number in range(COMMITS + 1):
        for place, ratio in zip(places, KINDS[kind]):
            work = work * ratio if number == place else work
        header = f"#define NUMBER {number}\n#define WORK {round(work)}L\n#define CALLS {CALLS}\n"
        (folder / "work.h").write_text(header)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", f"commit {number}")
        commits.append(git(folder, "rev-parse", "HEAD"))
    return commits


def pool_deviation(groups):
    """Standard deviation within groups, the noise of a round."""
    squares = [statistics.variance(group) * (len(group) - 1) for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in groups if len(group) > 1)
    return (sum(squares) / freedom) ** 0.5 if freedom else None


def bisect(perfgate, folder, commits):
    words = [perfgate, "bisect", commits[0], commits[-1], "--bench", "loop", "--format", "json", "--", "./loop"]
    environment = os.environ | {"PERFGATE_CACHE_DIR": str(folder.parent / "cache")}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode in (0, 11), done.stderr
    search = json.loads(done.stdout)["searches"][0]
    log = json.loads((folder / "target/perfgate/bisect.json").read_text())
    rounds = [one["result"].get("measured", []) for one in log["searches"][0]["commits"]]
    found = [[commits.index(commit["id"]) for commit in change["commits"]] for change in search["changes"]]
    return {
        "found": found, "launches": 2 * search["rounds"], "builds": search["measured"] + 1,
        "noise": pool_deviation(rounds),
        "probabilities": [change["probability"] for change in search["changes"]],
    }


def halve(perfgate, folder, commits):
    """One check of two commands per step, each with the good and another program."""
    spent = {"launches": 0, "builds": 0}

    def build(number):
        place = folder.parent / f"built-{number}"
        if not place.exists():
            git(folder, "worktree", "add", "--quiet", "--detach", place, commits[number])
            run(["sh", "-c", PREPARE], place)
            spent["builds"] += 1
        return place / "loop"

    def regressed(number):
        out = folder.parent / "out"
        words = [perfgate, "check", "--baseline-command", build(0), "--candidate-command", build(number), "--out", out]
        done = subprocess.run([str(word) for word in words], cwd=folder.parent, capture_output=True, text=True)
        assert done.returncode in (0, 10, 11), done.stderr
        one = json.loads((out / "decision.json").read_text())["benchmarks"][0]
        spent["launches"] += one["launches"]["baseline"] + one["launches"]["candidate"]
        return one["change"] == "regressed"

    found = []
    if regressed(COMMITS):
        good, bad = 0, COMMITS
        while bad - good > 1:
            middle = (good + bad) // 2
            good, bad = (good, middle) if regressed(middle) else (middle, bad)
        found = [[bad]]
    return {"found": found, **spent}


def run_trial(perfgate, kind, seed):
    path = FOLDER / f"{''.join(c for c in kind if c.isalnum())}-{seed}.json"
    if path.exists():
        return json.loads(path.read_text())
    scratch = FOLDER / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    places = draw_places(kind, seed)
    commits = make_history(scratch / "work", kind, places)
    result = {"places": places}
    result["bisect"] = bisect(perfgate, scratch / "work", commits)
    result["halving"] = halve(perfgate, scratch / "work", commits)
    path.write_text(json.dumps(result))
    print(f"{kind}, seed {seed}: {json.dumps(result)}", file=sys.stderr)
    return result


def make_row(kind, trials):
    def cells(method):
        right = sum(one[method]["found"] == [[place] for place in one["places"]] for one in trials)
        mean = lambda what: statistics.mean(one[method][what] for one in trials)
        return [f"{right} of {len(trials)}", f"{mean('launches'):.1f}", f"{mean('builds'):.1f}"]

    noises = [one["bisect"]["noise"] for one in trials if one["bisect"]["noise"]]
    noise = f"{100 * statistics.median(noises):.1f} %" if noises else "–"
    return [kind, *cells("bisect"), *cells("halving"), noise]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10, help="trials with a change of each size")
    parser.add_argument("--others", type=int, default=5, help="trials without a change, and with a repair")
    parser.add_argument("--perfgate", type=Path, default=ROOT / "target/release/perfgate")
    args = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    heads = ["change", "bisect: right", "launches", "builds", "halving: right", "launches", "builds", "noise of a round"]
    # The kinds take turns, so that all of them meet the machine as it is at that time.
    trials = {kind: [] for kind in KINDS}
    for seed in range(max(args.trials, args.others)):
        for kind, steps in KINDS.items():
            if seed < (args.trials if len(steps) == 1 else args.others):
                trials[kind].append(run_trial(args.perfgate.resolve(), kind, seed))
    rows = [make_row(kind, made) for kind, made in trials.items() if made]
    for cells in [heads, ["---"] * len(heads), *rows]:
        print("|", " | ".join(map(str, cells)), "|")


if __name__ == "__main__":
    sys.exit(main())
