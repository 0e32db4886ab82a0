//! Runs of a command: they are stored, screened and compared like those of benches.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::command::{perfgate_in, text_of};
use crate::repositories::Bed;

/// A command that prints samples around a number of nanoseconds, with some noise.
fn samples(ns: u32) -> String {
    format!(r#"echo "{{\"id\": \"work\", \"samples_ns\": [$(( {ns} + $$ % 7 )), {ns}]}}""#)
}

struct CommandBed(Bed);

impl CommandBed {
    fn new() -> Self {
        let bed = Bed::new();
        bed.commit("measured");
        Self(bed)
    }

    fn perfgate(&self, words: &[&str]) -> Output {
        perfgate_in(&self.0.path("work")).args(words).output().unwrap()
    }

    fn measure(&self, ns: u32) -> Value {
        let script = samples(ns);
        let words = ["measure", "command", "--launches", "5", "--output", "../run.json", "--"];
        let output = self.perfgate(&[&words[..], &[&script]].concat());
        assert!(output.status.success(), "{}", text_of(&output));
        serde_json::from_slice(&fs::read(self.0.path("run.json")).unwrap()).unwrap()
    }
}

#[test]
fn a_command_run_in_git_records_its_commit_and_is_stored_and_screened() {
    let bed = CommandBed::new();
    let run = bed.measure(100_000);
    assert_eq!(run["commit"]["id"], bed.0.head().as_str(), "{run}");
    assert_eq!(run["commit"]["dirty"], false, "{run}");
    let saved = bed.perfgate(&["baseline", "save", "../run.json"]);
    assert!(saved.status.success(), "{}", text_of(&saved));
    bed.0.commit("twice as slow");
    bed.measure(200_000);
    let check = ["check", "--run", "../run.json", "--out", "../out", "--format", "json"];
    let output = bed.perfgate(&check);
    let decision: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(decision["benchmarks"][0]["change"], "regressed", "{decision:#}");
    assert_eq!(decision["baseline"]["kind"], "stored");
    assert!(bed.perfgate(&["baseline", "save", "../run.json"]).status.success());
    let status = bed.perfgate(&["trend", "status", "--format", "json"]);
    assert!(text_of(&status).contains("\"work\""), "{}", text_of(&status));
}

// Issue 17
#[test]
fn a_regression_on_the_default_branch_names_the_commits_it_came_with() {
    let bed = CommandBed::new();
    let check = |words: &[&str]| {
        let check = ["check", "--run", "../run.json", "--out", "../out", "--format", "json"];
        let output = bed.perfgate(&[&check[..], words].concat());
        let decision: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", text_of(&output)));
        assert_eq!(decision["benchmarks"][0]["change"], "regressed", "{decision:#}");
        decision["benchmarks"][0]["origin"].clone()
    };
    let save = || {
        let saved = bed.perfgate(&["baseline", "save", "../run.json"]);
        assert!(saved.status.success(), "{}", text_of(&saved));
    };
    let fast: Vec<_> = (0..8)
        .map(|night| {
            let commit = bed.0.commit(&format!("fast {night}"));
            bed.measure(100_000);
            save();
            commit
        })
        .collect();
    let (first, good) = (&fast[0], &fast[7]);
    bed.0.commit("not measured");
    let bad = bed.0.commit("slow");
    bed.measure(200_000);
    let origin = check(&[]);
    let expected = serde_json::json!({
        "good": good.as_str(), "bad": bad.as_str(), "commits": 2, "evidence": "check",
    });
    assert_eq!(origin, expected);
    let report = fs::read_to_string(bed.0.path("out/report.md")).unwrap();
    let command = format!("perfgate bisect {} {}", &good.as_str()[..10], &bad.as_str()[..10]);
    assert!(report.contains("since one of 2 commits after"), "{report}");
    assert!(report.contains(&command), "{report}");
    // Compared with a commit far back, the change point of the stored runs is nearer.
    save();
    for slow in 0..8 {
        bed.0.commit(&format!("slow {slow}"));
        bed.measure(200_000);
        save();
    }
    let origin = check(&["--baseline", first.as_str()]);
    assert_eq!(origin["evidence"], "history", "{origin}");
    assert_eq!((&origin["good"], &origin["bad"]), (&expected["good"], &expected["bad"]));
    // A change that is not in the branch has no such range.
    bed.0.git("work", &["checkout", "--quiet", "-b", "change"]);
    bed.0.commit("slower again");
    bed.measure(400_000);
    assert_eq!(check(&["--baseline", "main"]), Value::Null);
}

#[test]
fn a_command_has_one_fingerprint_in_every_command() {
    let bed = CommandBed::new();
    let measured = bed.measure(100_000)["host"].clone();
    assert_eq!(measured["rustc"], Value::Null, "a command need not be built by rustc");
    let script = samples(100_000);
    let check = ["check", "--baseline-command", &script, "--candidate-command", &script];
    let output = bed.perfgate(&[&check[..], &["--out", "../out", "--save-baseline"]].concat());
    let run = fs::read(bed.0.path("out/run.json")).unwrap();
    let run: Value = serde_json::from_slice(&run).unwrap();
    assert_eq!(run["host"], measured, "{}", text_of(&output));
    assert_eq!(run["commit"]["id"], bed.0.head().as_str());
    assert!(text_of(&output).contains("saved as baseline"), "{}", text_of(&output));
    let calibrated = bed.perfgate(&["calibrate", "--rounds", "3", "--command", &script]);
    let name = format!("{}.json", measured["fingerprint"].as_str().unwrap());
    assert!(text_of(&calibrated).contains(&name), "{name}: {}", text_of(&calibrated));
}

#[test]
fn a_command_that_measures_nothing_does_not_end_with_zero() {
    let folder = tempfile::tempdir().unwrap();
    for (script, failure) in [("false", "exited with status 1"), ("true", "printed no samples")] {
        let words = ["measure", "command", "--", script];
        let output = perfgate_in(folder.path()).args(words).output().unwrap();
        let text = text_of(&output);
        assert_eq!(output.status.code(), Some(11), "{text}");
        assert!(text.contains(&format!("failed: command: {failure}")), "{text}");
        assert!(text.contains("nothing was measured"), "{text}");
    }
}

/// A command whose samples vary by tens of percent from launch to launch. `number` is the file that
/// counts its launches.
fn restless(number: &str) -> String {
    format!(
        r#"n=$(cat {number} 2>/dev/null || echo 0); echo $((n + 1)) > {number}
           echo "{{\"id\": \"work\", \"samples_ns\": [$(( 100000 * (10 + (n * 7 + 3) * 31 % 10) + n * 7919 % 50021 ))]}}""#
    )
}

#[test]
fn what_a_budget_leaves_open_states_the_time_that_would_decide_it() {
    let bed = CommandBed::new();
    let (old, new) = (restless("../old"), restless("../new"));
    fs::write(bed.0.path("new"), "5").unwrap();
    let check = ["check", "--baseline-command", &old, "--candidate-command", &new];
    let more = ["--budget", "5s", "--out", "../out", "--format", "json"];
    let output = bed.perfgate(&[&check[..], &more].concat());
    let decision: Value = serde_json::from_slice(&output.stdout).unwrap();
    let benchmark = &decision["benchmarks"][0];
    assert_eq!(benchmark["change"], "inconclusive", "{decision:#}");
    let note = &benchmark["notes"][0];
    assert!(note["more_time"].as_f64().is_some_and(|time| time > 0.0), "{note}");
    assert!(note["text"].as_str().unwrap().contains("it would take"), "{note}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("after 4 rounds: nothing new; 1 undecided, "), "{text}");
}

#[test]
fn the_look_that_the_clock_forces_is_shown() {
    let bed = CommandBed::new();
    let (old, new) = (restless("../old"), restless("../new"));
    let check = ["check", "--baseline-command", &old, "--candidate-command", &new];
    // The first round is measured even if no time is left for it.
    let output = bed.perfgate(&[&check[..], &["--budget", "1ms", "--out", "../out"]].concat());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("time is up after 1 round: nothing new; 1 stays undecided\n"), "{text}");
}

#[test]
fn a_command_learns_how_many_calls_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    let script = r#"echo "{\"id\": \"work\", \"samples_ns\": [${PERFGATE_CALLS:-1}]}""#;
    for (words, expected) in [(&["--calls", "300"][..], 300.0), (&[], 1.0)] {
        let mut command = perfgate_in(folder.path());
        command.args(["measure", "command", "--launches", "1", "--output"]).arg(&file).args(words);
        let output = command.args(["--", script]).output().unwrap();
        assert!(output.status.success(), "{}", text_of(&output));
        let run: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(run["benchmarks"][0]["launches"][0]["samples"][0], expected, "{run}");
    }
}
