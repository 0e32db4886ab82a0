//! Waivers in commit messages, in real repositories. A waiver ends with the next baseline.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

use crate::command::{perfgate_in, text_of};
use crate::formats::CommitId;
use crate::repositories::{Bed, git_in, run_of};

const ACCEPT: &str = "Perfgate-Accept: suite/* +12% because it is exact now";

/// A repository with a stored baseline of its second commit.
struct Story {
    bed: Bed,
    clock: u32,
}

impl Story {
    fn new() -> Self {
        let mut story = Self { bed: Bed::new(), clock: 0 };
        story.bed.git("work", &["config", "commit.cleanup", "verbatim"]);
        let base = story.bed.commit("base");
        let file = story.run(&base, 100.0);
        story.save(&file);
        story
    }

    fn run(&mut self, commit: &CommitId, ns: f64) -> PathBuf {
        self.clock += 1;
        let path = self.bed.path(&format!("run-{}.json", self.clock));
        let created = format!("2026-11-22T00:00:{:02}Z", self.clock);
        let run = run_of(commit, &created, &[("suite/a", ns), ("suite/b", 100.0)]);
        fs::write(&path, serde_json::to_vec(&run).unwrap()).unwrap();
        path
    }

    fn save(&self, file: &PathBuf) {
        let mut save = perfgate_in(&self.bed.path("work"));
        let output = save.args(["baseline", "save"]).arg(file).output().unwrap();
        assert!(output.status.success(), "{}", text_of(&output));
    }

    fn check(&self, file: &PathBuf) -> (Output, Value) {
        check(&self.bed.path("work"), file)
    }
}

fn check(folder: &std::path::Path, file: &PathBuf) -> (Output, Value) {
    let mut check = perfgate_in(folder);
    let output = check
        .args(["check", "--format", "json", "--baseline", "stored", "--out", "../out", "--run"])
        .arg(file)
        .output()
        .unwrap();
    let decision = serde_json::from_slice(&output.stdout);
    let decision = decision.unwrap_or_else(|error| panic!("{error}: {}", text_of(&output)));
    (output, decision)
}

#[test]
fn a_commit_between_the_baseline_and_the_head_accepts() {
    let mut story = Story::new();
    story.bed.commit(&format!("slower\n\n{ACCEPT}"));
    let head = story.bed.commit("and something after it");
    let file = story.run(&head, 110.0);
    let (output, decision) = story.check(&file);
    assert_eq!(output.status.code(), Some(0), "{decision:#}");
    assert_eq!(decision["benchmarks"][0]["waiver"]["reason"], "it is exact now");
    for report in ["report.md", "report.html"] {
        let report = fs::read_to_string(story.bed.path("out").join(report)).unwrap();
        assert!(report.contains("it is exact now") && report.contains("12 %"), "{report}");
    }
}

#[test]
fn an_accepted_regression_is_gone_with_the_next_baseline() {
    let mut story = Story::new();
    let slower = story.bed.commit(&format!("slower\n\n{ACCEPT}"));
    let file = story.run(&slower, 110.0);
    assert_eq!(story.check(&file).0.status.code(), Some(0));
    story.save(&file);
    let next = story.bed.commit("slower again");
    let file = story.run(&next, 121.0);
    let (output, decision) = story.check(&file);
    assert_eq!(output.status.code(), Some(10), "{decision:#}");
    assert!(decision["benchmarks"][0]["waiver"].is_null());
    let file = story.run(&next, 110.0);
    let (output, decision) = story.check(&file);
    assert_eq!(output.status.code(), Some(0), "{decision:#}");
    assert_eq!(decision["notes"], serde_json::json!([]), "the old trailer is not told again");
}

#[test]
fn a_trailer_that_cannot_be_read_is_a_warning_and_accepts_nothing() {
    let mut story = Story::new();
    let head = story.bed.commit("slower\n\nPerfgate-Accept: suite/a +12%");
    let file = story.run(&head, 110.0);
    let (output, decision) = story.check(&file);
    assert_eq!(output.status.code(), Some(10));
    let warning = decision["notes"][0]["text"].as_str().unwrap();
    assert!(
        warning.contains("`suite/a +12%` gives no reason: end it with `because …`"),
        "{warning}"
    );
}

#[test]
fn a_thousand_trailers_are_not_a_thousand_lines() {
    let mut story = Story::new();
    let trailers: Vec<_> =
        (0..1000).map(|n| format!("Perfgate-Accept: none/{n} +1% because x")).collect();
    let head = story.bed.commit(&format!("many\n\n{}", trailers.join("\n")));
    let file = story.run(&head, 100.0);
    let (_, decision) = story.check(&file);
    let notes = decision["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 101);
    assert!(notes.iter().any(|one| one["note"] == "trailers-not-read" && one["count"] == 900));
}

/// Creates `main` with its baseline, and the merge of a pull request of two commits, like GitHub.
fn pull_request() -> (Story, CommitId) {
    let mut story = Story::new();
    story.bed.git("work", &["checkout", "--quiet", "-b", "change"]);
    story.bed.commit(&format!("slower\n\n{ACCEPT}"));
    story.bed.commit("more");
    story.bed.git("work", &["checkout", "--quiet", "main"]);
    story.bed.git("work", &["commit", "--quiet", "--allow-empty", "--message", "meanwhile"]);
    story.bed.git("work", &["merge", "--quiet", "--no-ff", "--message", "Merge", "change"]);
    let merge = story.bed.head();
    story.run(&merge, 110.0);
    (story, merge)
}

#[test]
fn the_commits_of_a_pull_request_count_in_its_merge() {
    let (story, _) = pull_request();
    let (output, decision) = story.check(&story.bed.path("run-2.json"));
    assert_eq!(output.status.code(), Some(0), "{decision:#}");
}

#[test]
fn a_merge_without_its_commits_says_that_messages_are_missing() {
    let (story, _) = pull_request();
    let checkout = story.bed.path("checkout");
    let source = format!("file://{}", story.bed.path("work").display());
    git_in(&story.bed.path(""), &["clone", "--quiet", "--depth=1", &source, "checkout"]);
    git_in(&checkout, &["remote", "remove", "origin"]);
    let baseline = story.bed.path("run-1.json");
    let mut check = perfgate_in(&checkout);
    check.args(["check", "--format", "json", "--out", "../out", "--baseline"]).arg(&baseline);
    let output = check.arg("--run").arg(story.bed.path("run-2.json")).output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", text_of(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("only some of the commit messages") && said.contains("fetch-depth: 0"));
}

#[test]
fn a_run_of_a_commit_that_is_not_here_is_not_waived_by_one_that_is() {
    let mut story = Story::new();
    story.bed.commit(&format!("slower\n\n{ACCEPT}"));
    let elsewhere = CommitId::parse(&"b".repeat(40)).unwrap();
    let file = story.run(&elsewhere, 110.0);
    let mut check = perfgate_in(&story.bed.path("work"));
    check.args(["check", "--out", "../out", "--baseline"]).arg(story.bed.path("run-1.json"));
    let output = check.arg("--run").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", text_of(&output));
    assert!(!text_of(&output).contains("commit messages"), "{}", text_of(&output));
}
