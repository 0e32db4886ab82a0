//! `perfgate report`: what it refuses, and where it writes its output.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
}

fn perfgate(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perfgate"));
    command.args(args).env_remove("NO_COLOR").current_dir(fixtures());
    command.output().unwrap()
}

#[track_caller]
fn refused(file: &Path, why: &str) {
    let output = perfgate(&["report", file.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    let lines: Vec<_> = said.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("error: ") && lines[1].starts_with("help: "),
        "{said}"
    );
    assert!(said.contains(why), "{said}");
}

#[test]
fn what_is_not_a_decision_is_refused_in_one_line_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("decision.json");
    let good = fs::read_to_string(fixtures().join("decisions/fail.json")).unwrap();
    let deep = format!("{{\"schema\": {}", "[".repeat(200_000));
    for (content, why) in [
        ("", "EOF"),
        (&good[..good.len() / 2], "EOF"),
        (deep.as_str(), "at line 1 column 11"),
        (
            "{\"schema\": \"perfgate.decision/9\"}",
            "schema `perfgate.decision/9` was written by a newer perfgate",
        ),
        (&good.replacen("\"verdict\"", "\"extra\": 1, \"verdict\"", 1), "unknown field `extra`"),
        (
            &good.replacen("\"exit_status\": 10", "\"exit_status\": 0", 1),
            "the exit status is 0, but that of the verdict is 10",
        ),
    ] {
        fs::write(&file, content).unwrap();
        refused(&file, why);
    }
    refused(&fixtures().join("runs/quiet.json"), "this is a run");
    refused(&folder.path().join("none.json"), "No such file");
}

#[test]
fn an_answer_goes_to_the_file_that_was_named_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new/report.html");
    let output = perfgate(&[
        "report",
        "decisions/fail.json",
        "--format",
        "html",
        "--output",
        file.to_str().unwrap(),
    ]);
    assert_eq!((output.status.code(), output.stdout.len(), output.stderr.len()), (Some(0), 0, 0));
    let shown = perfgate(&["report", "decisions/fail.json", "--format", "html"]);
    assert_eq!(fs::read(file).unwrap(), shown.stdout);
}
