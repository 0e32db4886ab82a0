//! Standard output and standard error that somebody closes early, as `| head` does.

use std::fs;
use std::io;
use std::process::{Command, Stdio};

use crate::command::perfgate_in;
use crate::repositories::{Bed, run_of};

/// Returns the writing end of a pipe that nobody reads.
fn closed_pipe() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_reader_that_closes_the_pipe_is_not_an_error_of_any_command() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    let run = run_of(&commit, "2026-11-22T00:00:01Z", &[("suite/a", 100.0)]);
    fs::write(bed.path("run.json"), serde_json::to_vec(&run).unwrap()).unwrap();
    let work = bed.path("work");
    let perfgate = |words: &str| {
        let mut command = perfgate_in(&work);
        command.args(words.split(' '));
        command
    };
    let saved = perfgate("baseline save ../run.json").output().unwrap();
    assert!(saved.status.success());
    let check = "check --run ../run.json --out ../out --baseline none";
    assert!(perfgate(check).output().unwrap().status.success());
    for words in [
        "baseline save ../run.json",
        "baseline list",
        "baseline list --format json",
        "baseline show main",
        "baseline show main --format json",
        "baseline prune --dry-run",
        check,
        "compare ../run.json ../run.json",
        "report ../out/decision.json",
        "doctor",
        "doctor --format json",
        "evaluate --scenario iid --suites 1",
        "evaluate --scenario iid --suites 1 --format json",
        "trend status",
        "--help",
    ] {
        let output = perfgate(words).stdout(closed_pipe()).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{words}: {printed}");
        assert!(!printed.contains("roken pipe"), "{words}: {printed}");
    }
}

#[test]
fn a_closed_standard_error_does_not_end_a_measurement() {
    let folder = tempfile::tempdir().unwrap();
    let mut measure: Command = perfgate_in(folder.path());
    measure.args(["measure", "command", "--launches", "2", "--"]);
    measure.arg(r#"echo "{\"id\": \"a\", \"samples_ns\": [1, 2]}""#);
    let status = measure.stderr(closed_pipe()).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(folder.path().join("run.json").exists());
}
