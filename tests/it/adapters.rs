//! `perfgate import`, and `measure command` and `check` with `--adapter`.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::command::{perfgate_in, text_of};
use crate::repositories::Bed;

fn fixture(path: &str) -> String {
    format!("{}/fixtures/adapters/{path}", env!("CARGO_MANIFEST_DIR"))
}

fn run_in(folder: &Path, words: &[&str]) -> Output {
    perfgate_in(folder).args(words).output().unwrap()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn files_of_a_harness_become_a_run_that_other_commands_take() {
    let folder = tempfile::tempdir().unwrap();
    let [data, stats] =
        ["data", "stats"].map(|name| fixture(&format!("pytest-benchmark/{name}.json")));
    let output = run_in(folder.path(), &["import", &data, &stats]);
    assert!(output.status.success(), "{}", text_of(&output));
    let run = read_json(&folder.path().join("run.json"));
    assert_eq!(run["source"], "command");
    assert_eq!(run["conditions"]["harness"], "pytest-benchmark");
    let benchmark = &run["benchmarks"][1];
    assert_eq!(benchmark["id"], "test_sum.py::test_sum[1000]");
    let launches = benchmark["launches"].as_array().unwrap();
    let counts: Vec<usize> =
        launches.iter().map(|launch| launch["samples"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [30, 1]);
    for words in [
        &["report", "run.json"][..],
        &["compare", "run.json", "run.json", "--format", "text"],
        &["check", "--run", "run.json", "--baseline", "none", "--out", "out"],
    ] {
        let output = run_in(folder.path(), words);
        assert!(output.status.success(), "{words:?}: {}", text_of(&output));
    }
}

#[test]
fn launches_of_a_format_are_kept_and_the_folder_of_criterion_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let count_launches = |words: &[&str]| {
        let output = run_in(folder.path(), &[&["import"], words].concat());
        assert!(output.status.success(), "{}", text_of(&output));
        let run = read_json(&folder.path().join("run.json"));
        run["benchmarks"][0]["launches"].as_array().unwrap().len()
    };
    assert_eq!(count_launches(&[&fixture("go/bench.txt")]), 3);
    assert_eq!(count_launches(&["--adapter", "jmh", &fixture("jmh/jmh.json")]), 2);
    let home = format!("{}/fixtures/criterion/0.8/home", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(count_launches(&["--adapter", "criterion", &home]), 1);
}

#[test]
fn what_cannot_be_imported_is_one_clear_line_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("words.txt"), "words\n").unwrap();
    let report = |words: &[&str]| {
        let output = run_in(folder.path(), &[&["import"], words].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text_of(&output));
        assert!(!folder.path().join("run.json").exists());
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(
        report(&["words.txt"]),
        "error: failed to import `words.txt`: it is not a file of a harness that perfgate recognizes\n\
         help: name its harness with --adapter; --help lists the names\n"
    );
    assert_eq!(
        report(&["--adapter", "jmh", "words.txt"]),
        "error: failed to import `words.txt` as jmh: it is not JSON: expected value at line 1 column 1\n\
         help: docs/adapters.md shows how each harness writes a file that perfgate reads\n"
    );
    assert!(report(&["gone.json"]).contains("help: name files that the harness has written"));
    assert!(report(&["--adapter", "gone", "words.txt"]).contains("google-benchmark"));
}

#[test]
fn a_run_is_not_written_into_a_folder_that_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let file = fixture("go/bench.txt");
    let output = run_in(folder.path(), &["import", &file, "--output", "rusn/run.json"]);
    assert_eq!(output.status.code(), Some(2), "{}", text_of(&output));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: there is no folder `rusn` to write the run to\n\
         help: name a folder that exists with --output, or create it first\n"
    );
    assert!(!folder.path().join("rusn").exists());
}

#[test]
fn an_import_neither_replaces_its_source_nor_takes_a_file_twice() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("run.json");
    fs::copy(fixture("mitata/run.json"), &source).unwrap();
    let refuses = |words: &[&str], expected: &str| {
        let output = run_in(folder.path(), &[&["import"], words].concat());
        let said = text_of(&output);
        assert!(output.status.code() == Some(2) && said.contains(expected), "{said}");
    };
    refuses(&["run.json"], "error: the run would replace `run.json`, which is imported\n");
    assert!(fs::read_to_string(&source).unwrap().contains("layout"), "the source is kept");
    refuses(
        &["run.json", "./run.json", "--output", "other.json"],
        "error: `./run.json` is named twice, and each file is a launch\n",
    );
    // Two files may have the same benchmarks: they are two launches.
    fs::copy(&source, folder.path().join("second.json")).unwrap();
    let words = ["import", "run.json", "second.json", "--output", "other.json"];
    assert!(run_in(folder.path(), &words).status.success());
    let run = read_json(&folder.path().join("other.json"));
    assert_eq!(run["benchmarks"][0]["launches"].as_array().unwrap().len(), 2);
}

#[test]
fn another_version_of_a_harness_is_compared_only_if_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(fixture("jmh/jmh.json")).unwrap();
    fs::write(folder.path().join("new.json"), text.replace("1.38-SNAPSHOT", "1.99")).unwrap();
    for (file, run) in [(fixture("jmh/jmh.json"), "a.json"), ("new.json".to_owned(), "b.json")] {
        let output = run_in(folder.path(), &["import", &file, "--output", run]);
        assert!(output.status.success(), "{}", text_of(&output));
    }
    let refuses = |words: &[&str]| {
        let words = [&["compare", "a.json", "b.json", "--format", "text"], words].concat();
        text_of(&run_in(folder.path(), &words)).contains("not comparable (`--vary harness-version`")
    };
    assert!(refuses(&[]));
    assert!(!refuses(&["--vary", "harness-version"]));
}

/// A Go benchmark whose time is that in `code.txt`, with some noise.
const GO_SCRIPT: &str = r#"echo "BenchmarkWork 10 $(( $(cat code.txt) + $$ % 7 )) ns/op""#;

#[test]
fn a_harness_is_measured_once_per_launch() {
    let bed = Bed::new();
    bed.commit("100000");
    let words = ["measure", "command", "--adapter", "go", "--launches", "3", "--", GO_SCRIPT];
    let output = run_in(&bed.path("work"), &words);
    assert!(output.status.success(), "{}", text_of(&output));
    let run = read_json(&bed.path("work").join("run.json"));
    assert_eq!(run["commit"]["id"], bed.head().as_str());
    assert_eq!(run["benchmarks"][0]["launches"].as_array().unwrap().len(), 3);
}

#[test]
fn check_with_an_adapter_measures_both_commits_in_rounds() {
    let bed = Bed::new();
    let base = bed.commit("100000");
    bed.commit("200000");
    let check = |words: &[&str]| {
        let words = [&["check", "--adapter", "go", "--out", "../out"], words].concat();
        let mut command = perfgate_in(&bed.path("work"));
        let output = command.env("PERFGATE_CACHE_DIR", bed.path("cache")).args(words).output();
        let output = output.unwrap();
        (output.status.code(), read_json(&bed.path("out").join("decision.json")), text_of(&output))
    };
    let (status, decision, text) = check(&["--baseline", base.as_str(), "--", GO_SCRIPT]);
    assert_eq!(status, Some(10), "{text}");
    assert_eq!(decision["benchmarks"][0]["change"], "regressed", "{decision:#}");
    let (status, decision, text) =
        check(&["--baseline", "none", "--save-baseline", "--", GO_SCRIPT]);
    assert_eq!(status, Some(0), "{text}");
    assert_eq!(decision["benchmarks"][0]["id"], "BenchmarkWork", "{decision:#}");
    // The stored run screens, and rounds confirm what it does not pass.
    bed.commit("400000");
    let (status, decision, text) = check(&["--", GO_SCRIPT]);
    assert_eq!(status, Some(10), "{text}");
    assert!(text.contains("confirming 1 of 1 benchmarks in rounds"), "{text}");
    assert_eq!(decision["benchmarks"][0]["change"], "regressed", "{decision:#}");
}
