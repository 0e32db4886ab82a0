#!/usr/bin/env python3
"""Counts how often whole checks in rounds find that code does more work, and how often they fail without a change.

    cargo build --release && benches/figures/trials.py suite && benches/figures/trials.py command

Checks run at the defaults, beside a seeded neighbour that keeps all processors busy now and then (`--neighbour none`: without
it). `suite` gates a clone of this repository. Its candidate decodes a percentage of the tokens again, which it reads from an
environment variable, so that all trials share two builds. `command` gates a loop in Python. The kinds take turns.
`target/trials` keeps the decisions, and a trial with a decision is not repeated. `--more 10` runs the kinds with 10 % only,
and `--checks 2` at most two checks of each kind.
"""

import argparse
import json
import math
import os
import random
import shlex
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PERFGATE = ROOT / "target/release/perfgate"
FOLDER = ROOT / "target/trials"
ONLY = ["tokenization/gpt2/decode", "tokenization/gpt2/short"]
SLOWED = "/decode"
DECODE = "self.inner.decode(tokens, true)"
AGAIN = """static AGAIN: std::sync::LazyLock<usize> =
            std::sync::LazyLock::new(|| std::env::var("TRIAL_AGAIN").map_or(0, |n| n.parse().expect("a number")));
        let again = tokens.len() * *AGAIN / 100;
        if again > 0 {
            std::hint::black_box(self.inner.decode(&tokens[..again], true)).map_err(InferenceError::Tokenize)?;
        }
        """
LOOP = """import json, sys, time
work = int(sys.argv[1])
def call():
    start = time.perf_counter_ns()
    for _ in range(work):
        pass
    return time.perf_counter_ns() - start
for _ in range(5):
    call()
print(json.dumps({"id": "loop", "samples_ns": [call() for _ in range(int(sys.argv[2]))]}))
"""
STEPS = 20_000
LOOP_CALLS = 200
# Mean seconds that the neighbour works, and that it is away: it is there a quarter of the time, for a few launches.
NEIGHBOUR_SECONDS = (0.9, 2.7)
NEIGHBOUR_BYTES = 8 << 20


def run_git(folder, *words):
    who = ["-c", "user.name=trials", "-c", "user.email=trials@localhost"]
    subprocess.run(["git", "-C", folder, *who, *words], check=True, stdout=subprocess.DEVNULL)


def clone_repository():
    """A clone whose last commit makes `decode` repeat itself on demand."""
    folder = FOLDER / "clone"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        run_git(ROOT, "clone", "--quiet", ROOT, folder)
        source = folder / "benches/src/tokenization.rs"
        text = source.read_text()
        assert text.count(DECODE) == 1, "`decode` has changed"
        source.write_text(text.replace(DECODE, AGAIN + DECODE))
        run_git(folder, "commit", "--quiet", "--all", "--message", "decode: repeat on demand")
        # Worktrees take the models from here.
        subprocess.run([sys.executable, folder / "benches/setup.py"], check=True, stdout=subprocess.DEVNULL)
    return folder


def disturb(seed):
    """Keeps all processors busy for a while, now and then, until it is killed."""
    draw = random.Random(seed)
    block = bytearray(NEIGHBOUR_BYTES)
    busy, away = NEIGHBOUR_SECONDS
    while True:
        time.sleep(draw.expovariate(1 / away))
        end = time.monotonic() + draw.expovariate(1 / busy)
        workers = []
        for _ in range(os.cpu_count()):
            worker = os.fork()
            if worker == 0:
                while time.monotonic() < end and os.getppid() > 1:
                    bytes(block)
                os._exit(0)
            workers.append(worker)
        for worker in workers:
            os.waitpid(worker, 0)


def start_neighbour(kind, seed):
    if kind == "none":
        return None
    return subprocess.Popen([sys.executable, __file__, "neighbour", "--seed", str(seed)])


def make_suite_check(percent):
    """Returns arguments, folder and environment of one check; without a percentage, of a commit against itself."""
    only = [word for glob in ONLY for word in ("--bench", glob)]
    base = "HEAD" if percent is None else "HEAD~1"
    return ["check", "--package", "perfgate-suites", "--baseline", base, *only], clone_repository(), {"TRIAL_AGAIN": str(percent or 0)}


def make_command_check(percent):
    FOLDER.mkdir(parents=True, exist_ok=True)
    script = FOLDER / "loop.py"
    script.write_text(LOOP)
    run = lambda steps: shlex.join([sys.executable, str(script), str(steps), str(LOOP_CALLS)])
    slower = STEPS * (100 + percent) // 100
    return ["check", "--baseline-command", run(STEPS), "--candidate-command", run(slower)], FOLDER, {}


# Name: the function that makes a check, groups of (percent more work, largest number of checks), and the benchmarks with
# more work. The kinds of a group take turns. A commit against itself is a group, because it has another base to build.
KINDS = {
    "suite": (make_suite_check, [[(None, 20)], [(2, 10), (5, 10), (10, 10)]], SLOWED),
    "command": (make_command_check, [[(0, 20), (2, 10), (5, 10), (10, 10)]], "loop"),
}


def measure_noise(run):
    """Returns the standard deviation of the logarithmic medians of launches times the root of two, over the benchmarks."""
    noises = []
    for benchmark in run["benchmarks"]:
        levels = [math.log(statistics.median(launch["samples"])) for launch in benchmark.get("launches") or []]
        if len(levels) > 2:
            noises.append(math.sqrt(2) * statistics.stdev(levels))
    return statistics.median(noises) if noises else None


def name_decision(name, neighbour, percent, number):
    return FOLDER / f"{name}-{neighbour}-{percent}-{number}.json"


def build_sides(make, percent):
    """One check that is not counted, so that no trial counts the time of a build."""
    words, folder, more = make(percent)
    done = subprocess.run(
        [PERFGATE, *words, "--budget", "10s", "--out", FOLDER / "out", "--store", f"dir:{FOLDER / 'store'}"],
        cwd=folder, env={**os.environ, **more}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    assert done.returncode in (0, 10, 11), done.stderr


def run_trial(make, name, percent, number, neighbour):
    decision = name_decision(name, neighbour, percent, number)
    words, folder, more = make(percent)
    out = FOLDER / "out"
    beside = start_neighbour(neighbour, number)
    start = time.monotonic()
    try:
        done = subprocess.run(
            [PERFGATE, *words, "--out", out, "--store", f"dir:{FOLDER / 'store'}"],
            cwd=folder, env={**os.environ, **more}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
    finally:
        if beside:
            beside.send_signal(signal.SIGKILL)
            beside.wait()
    assert done.returncode in (0, 10, 11), done.stderr
    made = json.loads((out / "decision.json").read_text())
    made["seconds"] = time.monotonic() - start
    made["noise"] = measure_noise(json.loads((out / "run.json").read_text()))
    partial = decision.with_suffix(".part")
    partial.write_text(json.dumps(made))
    partial.rename(decision)
    print(f"{decision.stem}: {made['verdict']}, {made['seconds']:.0f} s", file=sys.stderr)


def make_row(name, percent, neighbour, slowed):
    trials = [json.loads(path.read_text()) for path in sorted(FOLDER.glob(f"{name}-{neighbour}-{percent}-*.json"))]
    if not trials:
        return None
    does_more = lambda one: slowed in one["id"] and percent
    judged = [one for made in trials for one in made["benchmarks"]]
    called = lambda which, change: sum(one["change"] == change for one in which)
    touched, rest = [one for one in judged if does_more(one)], [one for one in judged if not does_more(one)]
    ratios = [one["ratio"]["point"] for one in touched if one.get("ratio")]
    measured = f"{100 * statistics.median(ratios) - 100:+.1f} %" if ratios else "–"
    rounds = statistics.mean(one["launches"]["candidate"] for one in judged)
    noises = [made["noise"] for made in trials if made["noise"] is not None]
    return [
        {None: "the same commit", 0: "nothing"}.get(percent, f"+{percent} %"), neighbour, measured, len(trials),
        sum(made["exit_status"] == 10 for made in trials),
        f"{called(touched, 'regressed')} of {len(touched)}" if touched else "–",
        called(touched, "unchanged") if touched else "–",
        f"{called(rest, 'regressed')} of {len(rest)}" if rest else "–",
        f"{called(judged, 'inconclusive')} of {len(judged)}",
        f"{rounds:.1f}", f"{statistics.median(made['seconds'] for made in trials):.0f}",
        f"{max(made['seconds'] for made in trials):.0f}",
        f"{100 * statistics.median(noises):.1f} %" if noises else "–",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=[*KINDS, "neighbour"])
    parser.add_argument("--neighbour", choices=["bursty", "none"], default="bursty", help="what else uses the machine")
    parser.add_argument("--more", type=int, nargs="+", metavar="PERCENT", help="only checks with this much more work")
    parser.add_argument("--checks", type=int, default=1000, help="largest number of checks of each kind")
    parser.add_argument("--seed", type=int, default=1, help="of the neighbour, if this is all that runs")
    args = parser.parse_args()
    if args.name == "neighbour":
        disturb(args.seed)
    make, groups, slowed = KINDS[args.name]
    known = {percent for kinds in groups for percent, _ in kinds}
    if unknown := set(args.more or []) - known:
        parser.error(f"no check of {args.name} does {min(unknown)} % more work: {sorted(known - {None})}")
    wanted = [[kind for kind in kinds if not args.more or kind[0] in args.more] for kinds in groups]
    for kinds in wanted:
        most = range(min(args.checks, max((times for _, times in kinds), default=0)))
        trials = [(percent, number) for number in most for percent, times in kinds if number < times]
        missing = [trial for trial in trials if not name_decision(args.name, args.neighbour, *trial).exists()]
        if missing:
            build_sides(make, missing[0][0])
        for percent, number in missing:
            run_trial(make, args.name, percent, number, args.neighbour)
    rows = [make_row(args.name, percent, args.neighbour, slowed) for kinds in groups for percent, _ in kinds]
    heads = ["more work", "neighbour", "ratio seen (median)", "checks", "failed", "slower ones found", "called unchanged",
             "others called slower", "inconclusive", "rounds", "seconds (median)", "seconds (longest)", "noise"]
    for cells in [heads, ["---"] * len(heads), *filter(None, rows)]:
        print("|", " | ".join(map(str, cells)), "|")


if __name__ == "__main__":
    sys.exit(main())
