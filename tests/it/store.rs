//! `perfgate baseline`: saving, listing, showing and pruning, and what it refuses.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::command::{perfgate_in, text_of};
use crate::formats::{CommitId, Note};
use crate::repositories::{Bed, git_in};

fn at(second: u32) -> String {
    format!("2026-11-22T00:00:{second:02}Z")
}

/// Writes a run of `commit` to the file `run.json` beside `work`.
fn run_file(bed: &Bed, commit: &CommitId, second: u32) {
    let run = Bed::run(commit, &at(second), f64::from(second));
    fs::write(bed.path("run.json"), serde_json::to_vec(&run).unwrap()).unwrap();
}

#[track_caller]
fn says(folder: &Path, arguments: &[&str], status: i32, words: &[&str]) -> String {
    let output = perfgate_in(folder).args(arguments).output().unwrap();
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(status), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn stored_runs_are_compared_by_their_keys() {
    let bed = Bed::new();
    let commits = [bed.commit("base"), bed.commit("head")];
    let work = bed.path("work");
    let store = ["--store", "dir:../runs"];
    let save = |commit: &CommitId, second: u32| {
        run_file(&bed, commit, second);
        let words = [&["baseline", "save", "../run.json"][..], &store].concat();
        let saved = says(&work, &words, 0, &["saved"]);
        saved.split_whitespace().nth(1).unwrap().to_owned()
    };
    let id = save(&commits[0], 1);
    save(&commits[1], 2);
    let compare = |keys: [&str; 2], status: i32, words: &[&str]| {
        let given = [&["compare"][..], &keys, &store, &["--format", "json"]].concat();
        says(&work, &given, status, words)
    };
    let decision = compare([&id, commits[1].short()], 0, &[]);
    let decision: serde_json::Value = serde_json::from_str(&decision).unwrap();
    assert_eq!(decision["baseline"]["commit"]["id"], commits[0].as_str());
    assert_eq!(decision["candidate"]["commit"]["id"], commits[1].as_str());
    fs::write(work.join("perfgate.toml"), "[store]\nurl = \"dir:../runs\"\n").unwrap();
    says(&work, &["compare", &id, commits[1].short()], 0, &["group/function"]);
    compare(["abcdef0", &id], 2, &["no stored run", "help: "]);
    compare(["absent.json", &id], 2, &["absent.json", "help: "]);
}

#[test]
fn a_run_that_is_read_is_judged_by_the_noise_of_its_own_machine() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    let work = bed.path("work");
    let kept = work.join("target/perfgate/calibration");
    fs::create_dir_all(&kept).unwrap();
    // perfgate warns about a calibration that it cannot read. The warning shows which file it
    // opened.
    fs::write(kept.join("0f1e2d3c.json"), "no calibration").unwrap();
    fs::write(kept.join("../secret.json"), "no calibration").unwrap();
    let check = |fingerprint: &str| {
        let mut run = Bed::run(&commit, &at(1), 1.0);
        run.host.fingerprint = fingerprint.to_owned();
        fs::write(bed.path("run.json"), serde_json::to_vec(&run).unwrap()).unwrap();
        let words = ["check", "--run", "../run.json", "--baseline", "none"];
        text_of(&perfgate_in(&work).args(words).output().unwrap()).contains("is not used")
    };
    assert!(check("0f1e2d3c"));
    assert!(!check("another"));
    assert!(!check("../secret"));
}

#[test]
fn a_check_that_waits_for_a_run_ends_by_a_signal() {
    let bed = Bed::new();
    let pipe = bed.path("run.json");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut check = perfgate_in(&bed.path("work"));
    let mut check = check.args(["check", "--run", "../run.json"]).spawn().unwrap();
    // Opening the pipe waits until the check reads.
    let _writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    kill_process(Pid::from_child(&check), Signal::TERM).unwrap();
    assert_eq!(check.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
}

#[test]
fn a_check_of_a_pruned_run_ends_with_its_verdict_and_reports_that_nothing_was_saved() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    let work = bed.path("work");
    for number in [2, 1] {
        run_file(&bed, &commit, number);
        says(&work, &["baseline", "save", "../run.json"], 0, &["saved"]);
    }
    says(&work, &["baseline", "prune", "--keep", "1"], 0, &[]);
    let check = ["check", "--run", "../run.json", "--baseline", "none", "--out", "../out"];
    let saved = ["--save-baseline"];
    says(
        &work,
        &[&check[..], &saved].concat(),
        0,
        &["not saved as a baseline: run ", "was pruned from this store"],
    );
}

#[test]
fn a_branch_of_code_is_not_called_an_empty_store() {
    let bed = Bed::new();
    bed.commit("code");
    let work = bed.path("work");
    let branch = bed.git("work", &["branch", "--show-current"]);
    let store = format!("git:{}", branch.trim());
    let words = ["baseline", "list", "--store", &store];
    says(&work, &words, 2, &["holds `code.txt`, so it is not a store of baselines", "help: "]);
}

#[test]
fn the_commands_save_list_show_and_prune() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    let work = bed.path("work");
    says(&work, &["baseline", "list"], 0, &["nothing is stored yet"]);
    let mut run = Bed::run(&commit, &at(1), 1.0);
    run.notes.push(Note { note: "dirty-tree".to_owned(), text: "not stored".to_owned() });
    fs::write(bed.path("run.json"), serde_json::to_vec(&run).unwrap()).unwrap();
    let saved = says(&work, &["baseline", "save", "../run.json"], 0, &["saved", commit.short()]);
    let id = saved.split_whitespace().nth(1).unwrap();
    run_file(&bed, &commit, 2);
    says(&work, &["baseline", "save", "../run.json"], 0, &["saved"]);
    says(&work, &["baseline", "list"], 0, &[id, commit.short(), "2026-11-22 00:00", "0f1e2d3c"]);
    says(
        &work,
        &["baseline", "show", id],
        0,
        &["group/function", "Some Processor", commit.as_str()],
    );
    says(&work, &["baseline", "show", "main"], 0, &["median 1.0 ns", "median 2.0 ns"]);
    let json = says(&work, &["baseline", "list", "--format", "json"], 0, &[]);
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rows[1]["id"], id);
    let json = says(&work, &["baseline", "show", id, "--format", "json"], 0, &[]);
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rows[0]["run"]["schema"], "perfgate.run/2");
    assert_eq!(rows[0]["run"]["benchmarks"][0]["launches"][0]["round"], 0);
    assert_eq!(rows[0]["run"]["notes"][0]["text"], "the working tree had uncommitted changes");
    says(
        &work,
        &["baseline", "prune", "--keep", "1", "--dry-run"],
        0,
        &["would remove 1 run, kept 1"],
    );
    says(&work, &["baseline", "prune", "--keep", "1"], 0, &["removed 1 run, kept 1"]);
    says(&work, &["baseline", "show", id], 2, &["no stored run", "help: "]);
    says(&work, &["baseline", "show", "../../etc/passwd"], 2, &["no stored run"]);
    git_in(&work, &["fsck", "--strict"]);
}

#[test]
fn a_run_that_cannot_be_a_baseline_is_refused_with_a_remedy() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    let mut run = Bed::run(&commit, &at(1), 1.0);
    run.commit.as_mut().unwrap().dirty = true;
    fs::write(bed.path("run.json"), serde_json::to_vec(&run).unwrap()).unwrap();
    let work = bed.path("work");
    says(
        &work,
        &["baseline", "save", "../run.json"],
        2,
        &["not in its commit", "help: commit or stash"],
    );
    says(&work, &["baseline", "save", "absent.json"], 2, &["absent.json", "help: "]);
    says(
        bed.path("").as_path(),
        &["baseline", "list"],
        2,
        &["needs a git repository", "--store dir:PATH"],
    );
    says(&work, &["baseline", "list", "--fetch", "--store", "dir:x"], 0, &["no remote"]);
}

#[test]
fn a_device_that_never_ends_is_refused_where_a_file_is_named() {
    let bed = Bed::new();
    let work = bed.path("work");
    run_file(&bed, &bed.head(), 1);
    std::os::unix::fs::symlink("/dev/zero", work.join("zero.json")).unwrap();
    for arguments in [
        &["check", "--run", "zero.json"][..],
        &["check", "--config", "zero.json", "--run", "../run.json"],
        &["compare", "zero.json", "../run.json"],
        &["report", "zero.json"],
        &["baseline", "save", "zero.json"],
        &["trend", "changes", "zero.json"],
        &["publish", "--dry-run", "--event", "zero.json", "../run.json"],
    ] {
        says(&work, arguments, 2, &["zero.json", "not a regular file"]);
    }
    // Nobody ever writes to this pipe.
    let event = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/github/events/pull_request.json");
    assert!(
        std::process::Command::new("mkfifo").arg(work.join("pipe")).status().unwrap().success()
    );
    for arguments in [
        &["check", "--config", "pipe", "--run", "../run.json"][..],
        &["publish", "--dry-run", "--event", "pipe", "../run.json"],
        &["publish", "--dry-run", "--event", event, "--issues", "pipe"],
    ] {
        says(&work, arguments, 2, &["pipe", "not a regular file"]);
    }
    fs::create_dir(work.join("site")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", work.join("site/.perfgate-trend.jsonl")).unwrap();
    says(&work, &["baseline", "save", "../run.json", "--store", "dir:../runs"], 0, &["saved"]);
    says(&work, &["trend", "--out", "site", "--store", "dir:../runs"], 0, &[]);
}
