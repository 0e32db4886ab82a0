//! Repositories without Cargo: a harness that `perfgate.toml` names, on a machine without Rust.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::base_of_change::Change;
use crate::command::{perfgate_in, run_to_decision, text_of};
use crate::repositories::Bed;
use crate::rounds::{changes, warns};

/// A harness that prints the time in `built.txt`, with some noise, as Go does.
const HARNESS: &str = r#"echo "BenchmarkWork 10 $(( $(cat built.txt) + $$ % 97 )) ns/op""#;

/// Its configuration. What is measured is what the preparation built.
const CONFIG: &str = "[measure]\nsource = { adapter = \"go\", command = \"sh harness.sh\" }\n\
                      prepare = \"cp code.txt built.txt\"\n";

/// Words that nobody expects to read where there is no Rust.
const RUST_WORDS: [&str; 5] = ["criterion", "cargo", "rustc", "bench target", "benches"];

/// A repository with a harness and without Cargo.
fn repository(code: &str) -> Bed {
    let bed = Bed::new();
    let work = bed.path("work");
    fs::write(work.join("harness.sh"), HARNESS).unwrap();
    fs::write(work.join("perfgate.toml"), CONFIG).unwrap();
    fs::write(work.join(".gitignore"), "built.txt\n").unwrap();
    bed.commit(code);
    bed
}

/// Returns a folder with the programs of a machine without Rust.
fn programs(bed: &Bed) -> PathBuf {
    let folder = bed.path("programs");
    if folder.exists() {
        return folder;
    }
    fs::create_dir(&folder).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for name in ["sh", "git", "cat", "cp"] {
        let program = std::env::split_paths(&path).map(|part| part.join(name));
        let program = program.into_iter().find(|program| program.is_file()).unwrap();
        std::os::unix::fs::symlink(program, folder.join(name)).unwrap();
    }
    folder
}

fn perfgate_without_rust(bed: &Bed, folder: &Path, words: &[&str]) -> Command {
    let mut command = perfgate_in(folder);
    command.env("PATH", programs(bed)).env("PERFGATE_CACHE_DIR", bed.path("cache"));
    command.env_remove("CARGO").env_remove("RUSTC").args(words);
    command
}

fn run(bed: &Bed, words: &[&str]) -> Output {
    perfgate_without_rust(bed, &bed.path("work"), words).output().unwrap()
}

/// Runs `perfgate check` without Rust. Returns the decision, the exit status, and all that readers
/// see.
fn check(bed: &Bed, words: &[&str]) -> (Value, Option<i32>, String) {
    let words = [&["check"], words].concat();
    let mut command = perfgate_without_rust(bed, &bed.path("work"), &words);
    let out = bed.path("work/target/perfgate");
    let (decision, output) = run_to_decision(&mut command, &out.join("decision.json"));
    let report = fs::read_to_string(out.join("report.md")).unwrap();
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    (decision, output.status.code(), text_of(&output) + &report + &page)
}

#[track_caller]
fn assert_without_rust(text: &str) {
    let lower = text.to_lowercase();
    for word in RUST_WORDS {
        assert!(!lower.contains(word), "`{word}` is in: {text}");
    }
}

#[test]
fn a_repository_without_cargo_is_checked_by_its_configuration_alone() {
    let bed = repository("100000");
    // The first check has nothing to compare with. What is measured was built from this commit.
    fs::write(bed.path("work/built.txt"), "900000").unwrap();
    let (decision, status, text) = check(&bed, &["--baseline", "none", "--save-baseline"]);
    assert_eq!(status, Some(0), "{text}");
    let p50 = &decision["benchmarks"][0]["candidate"]["median"]["point"];
    assert!(p50.as_f64().is_some_and(|ns| ns < 200_000.0), "a stale build: {decision:#}");
    assert!(text.contains("saved as baseline"), "the working tree is dirty: {text}");
    assert_without_rust(&text);
    // A commit that only differs elsewhere passes by its screen.
    bed.commit("100001");
    let (decision, status, text) = check(&bed, &[]);
    assert_eq!((status, changes(&decision)[0].1), (Some(0), "unchanged"), "{text}");
    // A slower one is confirmed in rounds, in checkouts that are built by `prepare`.
    bed.commit("200000");
    let (decision, status, text) = check(&bed, &[]);
    assert_eq!(status, Some(10), "{text}");
    assert_eq!(changes(&decision), [("BenchmarkWork", "regressed")], "{text}");
    assert!(text.contains("confirming 1 of 1 benchmarks in rounds"), "{text}");
    assert_without_rust(&text);
    // Without a stored run, both sides are measured in rounds.
    let (decision, status, text) = check(&bed, &["--baseline", "HEAD~2"]);
    assert_eq!((status, changes(&decision)[0].1), (Some(10), "regressed"), "{text}");
    assert_without_rust(&text);
}

#[test]
fn every_command_measures_what_the_configuration_names() {
    let bed = repository("100000");
    let output = run(&bed, &["measure", "--list"]);
    assert_eq!(text_of(&output).lines().next(), Some("BenchmarkWork"), "{}", text_of(&output));
    assert!(!bed.path("work/run.json").exists());
    let output = run(&bed, &["measure", "--launches", "2", "--output", "../run.json"]);
    assert!(output.status.success(), "{}", text_of(&output));
    let measured: Value = serde_json::from_slice(&fs::read(bed.path("run.json")).unwrap()).unwrap();
    assert_eq!(measured["source"], "command");
    assert_eq!(measured["benchmarks"][0]["launches"].as_array().unwrap().len(), 2);
    let output = run(&bed, &["calibrate", "--rounds", "3"]);
    assert!(text_of(&output).contains("BenchmarkWork"), "{}", text_of(&output));
    assert_without_rust(&text_of(&output));
    let work = bed.path("work");
    let mut doctor = perfgate_without_rust(&bed, &work, &["doctor"]);
    let output = doctor.env_remove("ORT_DYLIB_PATH").output().unwrap();
    assert!(text_of(&output).contains("git history"), "{}", text_of(&output));
    assert_without_rust(&text_of(&output));
    // Nothing of that is a change of the working tree.
    assert_eq!(bed.git("work", &["status", "--porcelain"]), "");
}

#[test]
fn the_command_line_names_another_harness_than_the_configuration() {
    let bed = repository("100000");
    let script = r#"echo "BenchmarkOther 10 $(( 5000 + $$ % 97 )) ns/op""#;
    let words = ["--baseline", "none", "--adapter", "go", "--", script];
    let (decision, _, text) = check(&bed, &words);
    assert_eq!(changes(&decision)[0].0, "BenchmarkOther", "{text}");
    assert!(!bed.path("work/built.txt").exists(), "the user's own command needs no preparation");
    let words = ["calibrate", "--rounds", "3", "--adapter", "go", "--", script];
    let output = run(&bed, &words);
    assert!(text_of(&output).contains("BenchmarkOther"), "{}", text_of(&output));
    let words = ["measure", "command", "--list", "--adapter", "go", "--", script];
    assert!(text_of(&run(&bed, &words)).starts_with("BenchmarkOther\n"));
}

#[test]
fn what_cannot_be_prepared_or_started_is_named_without_rust() {
    let bed = repository("100000");
    fs::write(bed.path("work/perfgate.toml"), CONFIG.replace("cp code.txt", "cp gone.txt"))
        .unwrap();
    let output = run(&bed, &["check", "--baseline", "none"]);
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("`cp gone.txt built.txt`") && text.contains("help: see measure.prepare"));
    assert_without_rust(&text);
    fs::write(bed.path("work/perfgate.toml"), CONFIG.replace("sh harness", "sh gone")).unwrap();
    let (_, status, text) = check(&bed, &["--baseline", "none"]);
    assert_eq!(status, Some(10), "{text}");
    assert_without_rust(&text);
    let output = run(&bed, &["check", "--features", "fast"]);
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("`--features` is for Criterion benches, and go is measured"), "{text}");
}

/// A harness whose benchmark has this name, and the time in `code.txt`.
fn source(name: &str) -> String {
    format!(
        "[measure]\nsource = {{ adapter = \"go\", command = '''echo \"Benchmark{name} 10 $(( $(cat code.txt) + $$ % 97 )) ns/op\"''' }}\n"
    )
}

#[test]
fn a_change_that_brings_the_gate_is_measured_against_its_base() {
    let change = Change::new(
        &[("code.txt", "100000")],
        &[("code.txt", "200000"), ("perfgate.toml", &source("A"))],
    );
    let change = change.merged();
    for event in ["pull_request", "merge_group"] {
        let (decision, output) = change.check_under(event, &[]);
        assert_eq!(changes(&decision), [("BenchmarkA", "regressed")], "{}", text_of(&output));
        assert!(warns(&decision, "the change adds `measure.source`"), "{decision:#}");
    }
}

#[test]
fn a_change_of_the_source_measures_each_side_by_its_own() {
    let change = Change::new(
        &[("code.txt", "100000"), ("perfgate.toml", &source("A"))],
        &[("code.txt", "200000"), ("perfgate.toml", &source("B"))],
    );
    let (decision, output) = change.merged().check_under("pull_request", &[]);
    let found = changes(&decision);
    assert!(found.contains(&("BenchmarkA", "missing")), "{}", text_of(&output));
    assert!(found.contains(&("BenchmarkB", "new")), "{}", text_of(&output));
    assert!(warns(&decision, "the change edits `measure.source`"), "{decision:#}");
}

#[test]
fn a_folder_below_the_configuration_is_measured_by_it() {
    let bed = repository("100000");
    let below = bed.path("work/sub/deeper");
    fs::create_dir_all(&below).unwrap();
    fs::write(below.join("file"), "").unwrap();
    bed.commit("100000 again");
    fs::write(bed.path("work/code.txt"), "100000").unwrap();
    let words = ["check", "--baseline", "HEAD~1", "--out", "../../../out"];
    let mut command = perfgate_without_rust(&bed, &below, &words);
    let (decision, output) = run_to_decision(&mut command, &bed.path("out/decision.json"));
    assert_eq!(changes(&decision), [("BenchmarkWork", "unchanged")], "{}", text_of(&output));
    // The nearest file holds, and what is above the repository does not.
    fs::write(below.join("perfgate.toml"), "[gate]\nthreshold = \"wrong\"\n").unwrap();
    let output = perfgate_without_rust(&bed, &below, &["check"]).output().unwrap();
    assert!(text_of(&output).contains("line 2"), "{}", text_of(&output));
    fs::remove_file(bed.path("work/perfgate.toml")).unwrap();
    fs::remove_file(below.join("perfgate.toml")).unwrap();
    fs::write(bed.path("perfgate.toml"), "[gate]\nthreshold = \"wrong\"\n").unwrap();
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/runs/quiet.json");
    let words = ["check", "--run", run, "--baseline", "none", "--out", "../../../out"];
    let output = perfgate_without_rust(&bed, &below, &words).output().unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
}
