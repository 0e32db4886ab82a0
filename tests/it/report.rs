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

#[test]
fn a_run_is_shown_as_a_table_of_its_figures() {
    let show = |format: &str| {
        let output = perfgate(&["report", "runs/quiet.json", "--format", format]);
        let (answer, messages) = (output.stdout, String::from_utf8(output.stderr).unwrap());
        assert_eq!((output.status.code(), messages.as_str()), (Some(0), ""), "{format}");
        String::from_utf8(answer).unwrap()
    };
    let text = show("text");
    let head: Vec<_> = text.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["benchmark", "mean", "p50", "p95", "p99", "min", "max", "throughput"]);
    assert!(text.contains("  tokenization/gpt2/batch/32"), "{text}");
    assert!(show("markdown").contains("| <code>tokenization/gpt2/batch/32</code> |"));
    assert!(show("html").contains("<td><code>tokenization/gpt2/batch/32</code></td>"));
    assert_eq!(show("csv").lines().count(), 4);
    let json: serde_json::Value = serde_json::from_str(&show("json")).unwrap();
    let figures = &json["benchmarks"][1]["figures"];
    for name in ["samples", "mean", "median", "p90", "p95", "p99", "min", "max", "throughput"] {
        assert!(!figures[name].is_null(), "{name} is not in {figures}");
    }
    let output = perfgate(&["report", "runs/quiet.json", "--format", "junit"]);
    assert_eq!(output.status.code(), Some(2));
    let kinds = perfgate(&["report", "runs/noted.json"]);
    let text = String::from_utf8(kinds.stdout).unwrap();
    assert!(text.contains("failed: panics/here: panicked"), "{text}");
}
