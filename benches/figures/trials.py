#!/usr/bin/env python3
"""Counts how often whole checks in rounds find that code does more work, and how often they fail without a change.

    cargo build --release && benches/figures/trials.py suite --calls 1000 && benches/figures/trials.py command

`suite` gates a clone of this repository. Its candidate decodes a percentage of the tokens again, which it reads from an
environment variable, so that all trials share two builds. `command` gates a loop in Python. The kinds take turns.
`target/trials` keeps the decisions, and a trial with a decision is not repeated. `--more 10` runs the kinds with 10 % only.
"""

import argparse
import json
import os
import shlex
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


def make_suite_check(percent, calls):
    """Returns arguments, folder and environment of one check; without a percentage, of a commit against itself."""
    only = [word for glob in ONLY for word in ("--bench", glob)]
    base = "HEAD" if percent is None else "HEAD~1"
    return ["check", "--baseline", base, "--calls", str(calls), *only], clone_repository(), {"TRIAL_AGAIN": str(percent or 0)}


def make_command_check(percent, calls):
    FOLDER.mkdir(parents=True, exist_ok=True)
    script = FOLDER / "loop.py"
    script.write_text(LOOP)
    run = lambda steps: shlex.join([sys.executable, str(script), str(steps), str(calls)])
    slower = STEPS * (100 + percent) // 100
    return ["check", "--baseline-command", run(STEPS), "--candidate-command", run(slower)], FOLDER, {}


# Name: the function that makes a check, groups of (percent more work, largest number of checks), and the benchmarks with
# more work. The kinds of a group take turns. A commit against itself is a group, because it has another base to build.
KINDS = {
    "suite": (make_suite_check, [[(None, 20)], [(10, 10)], [(0, 10), (2, 10), (5, 10)]], SLOWED),
    "command": (make_command_check, [[(0, 20), (2, 10), (5, 10), (10, 10)]], "loop"),
}


def run_trial(make, name, percent, number, calls):
    decision = FOLDER / f"{name}-{calls}-{percent}-{number}.json"
    if decision.exists():
        return
    words, folder, more = make(percent, calls)
    out = FOLDER / "out"
    start = time.monotonic()
    done = subprocess.run(
        [PERFGATE, *words, "--out", out, "--store", f"dir:{FOLDER / 'store'}"],
        cwd=folder, env={**os.environ, **more}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    assert done.returncode in (0, 10, 11), done.stderr
    made = json.loads((out / "decision.json").read_text())
    made["seconds"] = time.monotonic() - start
    partial = decision.with_suffix(".part")
    partial.write_text(json.dumps(made))
    partial.rename(decision)
    print(f"{decision.stem}: {made['verdict']}, {made['seconds']:.0f} s", file=sys.stderr)


def make_row(name, percent, calls, slowed):
    trials = [json.loads(path.read_text()) for path in sorted(FOLDER.glob(f"{name}-{calls}-{percent}-*.json"))]
    if not trials:
        return None
    does_more = lambda one: slowed in one["id"] and percent
    judged = [one for made in trials for one in made["benchmarks"]]
    called = lambda which, change: sum(one["change"] == change for one in which)
    touched, rest = [one for one in judged if does_more(one)], [one for one in judged if not does_more(one)]
    ratios = [one["ratio"]["point"] for one in touched if one.get("ratio")]
    measured = f"{100 * statistics.median(ratios) - 100:+.1f} %" if ratios else "–"
    rounds = statistics.mean(one["launches"]["candidate"] for one in judged)
    return [
        {None: "the same commit", 0: "nothing"}.get(percent, f"+{percent} %"), f"{calls:,}", measured, len(trials),
        sum(made["exit_status"] == 10 for made in trials),
        f"{called(touched, 'regressed')} of {len(touched)}" if touched else "–",
        called(touched, "unchanged") if touched else "–",
        f"{called(rest, 'regressed')} of {len(rest)}" if rest else "–",
        called(judged, "inconclusive"),
        f"{rounds:.1f}", f"{statistics.median(made['seconds'] for made in trials):.0f}",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=KINDS)
    parser.add_argument("--calls", type=int, default=1000, help="calls per launch")
    parser.add_argument("--more", type=int, nargs="+", metavar="PERCENT", help="only checks with this much more work")
    args = parser.parse_args()
    make, groups, slowed = KINDS[args.name]
    known = {percent for kinds in groups for percent, _ in kinds}
    if unknown := set(args.more or []) - known:
        parser.error(f"no check of {args.name} does {min(unknown)} % more work: {sorted(known - {None})}")
    wanted = [[kind for kind in kinds if not args.more or kind[0] in args.more] for kinds in groups]
    for kinds in filter(None, wanted):
        for number in range(max(times for _, times in kinds)):
            for percent, times in kinds:
                if number < times:
                    run_trial(make, args.name, percent, number, args.calls)
    rows = [make_row(args.name, percent, args.calls, slowed) for kinds in groups for percent, _ in kinds]
    heads = ["more work", "calls", "ratio seen (median)", "checks", "failed", "slower ones found", "called unchanged",
             "others called slower", "inconclusive", "rounds", "seconds (median)"]
    for cells in [heads, ["---"] * len(heads), *filter(None, rows)]:
        print("|", " | ".join(map(str, cells)), "|")


if __name__ == "__main__":
    sys.exit(main())
