//! Conditions: what must be alike for two measurements to be comparable, such as threads.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::command::{perfgate_in, text_of};
use crate::formats::Run;
use crate::repositories::{Bed, run_of};

const ID: &str = "suite/encode";

fn with_threads(mut run: Run, threads: &str) -> Run {
    run.conditions.insert("threads".to_owned(), threads.to_owned());
    run
}

fn write_run(path: &Path, run: &Run) {
    fs::write(path, serde_json::to_vec(run).unwrap()).unwrap();
}

/// Runs perfgate in the work folder and returns the decision that it prints.
#[track_caller]
fn decide(bed: &Bed, arguments: &[&str]) -> Value {
    let mut command = perfgate_in(&bed.path("work"));
    let output = command.args(arguments).args(["--format", "json"]).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text_of(&output)))
}

/// Returns the notes of the only benchmark, without their texts.
fn notes_of(decision: &Value) -> Value {
    let mut notes = decision["benchmarks"][0]["notes"].clone();
    for note in notes.as_array_mut().unwrap() {
        note.as_object_mut().unwrap().remove("text");
    }
    notes
}

#[test]
fn two_runs_with_other_threads_are_not_compared_without_a_word() {
    let bed = Bed::new();
    let commit = bed.head();
    let run = |threads: &str, ns: f64| {
        with_threads(run_of(&commit, "2026-11-22T00:00:01Z", &[(ID, ns)]), threads)
    };
    write_run(&bed.path("old.json"), &run("1", 100.0));
    write_run(&bed.path("new.json"), &run("4", 150.0));
    let files = ["compare", "../old.json", "../new.json"];
    let decision = decide(&bed, &files);
    assert_eq!(decision["benchmarks"][0]["change"], "inconclusive");
    let differs =
        |note: &str| json!([{ "note": note, "key": "threads", "baseline": "1", "candidate": "4" }]);
    assert_eq!(notes_of(&decision), differs("other-condition"));
    let text = decision["benchmarks"][0]["notes"][0]["text"].as_str().unwrap();
    assert!(text.contains("was `1` in the baseline and is `4` now"), "{text}");
    assert_eq!(decision["baseline"]["conditions"], json!({ "threads": "1" }));

    let decision =
        decide(&bed, &[&files[..], &["--vary", "provider", "--vary", "threads"]].concat());
    assert_eq!(decision["benchmarks"][0]["change"], "regressed");
    assert_eq!(notes_of(&decision), differs("condition-changed"));

    // A benchmark's own condition replaces that of its run.
    let mut same = run("4", 150.0);
    same.benchmarks[0].conditions.insert("threads".to_owned(), "1".to_owned());
    write_run(&bed.path("new.json"), &same);
    let decision = decide(&bed, &files);
    assert_eq!(decision["benchmarks"][0]["change"], "regressed");
    assert_eq!(notes_of(&decision), json!([]));
}

#[test]
fn threads_in_the_settings_of_an_older_run_are_conditions() {
    let bed = Bed::new();
    let run = |threads: u32| {
        let run = run_of(&bed.head(), "2026-11-22T00:00:01Z", &[(ID, 100.0)]);
        let mut run = serde_json::to_value(run).unwrap();
        run["schema"] = json!("perfgate.run/1");
        run.as_object_mut().unwrap().remove("conditions");
        let provider = json!({ "requested": "cpu", "actual": "cpu" });
        run["settings"] = json!({ "threads": threads, "provider": provider });
        run.to_string()
    };
    fs::write(bed.path("old.json"), run(1)).unwrap();
    fs::write(bed.path("new.json"), run(4)).unwrap();
    let decision = decide(&bed, &["compare", "../old.json", "../new.json"]);
    assert_eq!(decision["benchmarks"][0]["change"], "inconclusive");
    assert_eq!(decision["candidate"]["conditions"], json!({ "provider": "cpu", "threads": "4" }));
}

#[test]
fn stored_runs_under_other_conditions_are_no_baseline() {
    let bed = Bed::new();
    let commits = [bed.head(), bed.commit("second"), bed.commit("third")];
    let save = |at: usize, threads: &str, ns: f64| {
        let created = format!("2026-11-22T00:00:0{at}Z");
        write_run(
            &bed.path("stored.json"),
            &with_threads(run_of(&commits[at], &created, &[(ID, ns)]), threads),
        );
        let words = ["baseline", "save", "../stored.json", "--store", "dir:../runs"];
        let output = perfgate_in(&bed.path("work")).args(words).output().unwrap();
        assert!(output.status.success(), "{}", text_of(&output));
    };
    let check = |ns: f64| {
        let candidate = run_of(&commits[2], "2026-11-22T00:00:09Z", &[(ID, ns)]);
        write_run(&bed.path("candidate.json"), &with_threads(candidate, "1"));
        let words = ["check", "--run", "../candidate.json", "--baseline", "stored"];
        decide(&bed, &[&words[..], &["--store", "dir:../runs", "--out", "../out"]].concat())
    };
    // The nearest commit was measured with four threads only, at half the time.
    save(1, "4", 50.0);
    let decision = check(100.0);
    assert_eq!(decision["benchmarks"][0]["change"], "inconclusive");
    assert_eq!(notes_of(&decision)[0]["note"], "other-condition");
    save(0, "1", 100.0);
    let decision = check(100.0);
    assert_eq!(decision["baseline"]["commit"]["id"], commits[0].as_str(), "{decision:#}");
    let median = decision["benchmarks"][0]["baseline"]["median"]["point"].as_f64().unwrap();
    assert!((median - 100.0).abs() < 0.1, "{median}");
    assert_eq!(decision["baseline"]["runs"], 1);
    assert!(!notes_of(&decision).to_string().contains("condition"));
}

#[test]
fn a_change_of_the_threads_is_compared_in_rounds_and_noted() {
    let bed = Bed::new();
    let command = |threads: u32, ns: u32| {
        format!(
            r#"echo '{{"conditions": {{"threads": "{threads}"}}}}'
               echo '{{"id": "{ID}", "samples_ns": [{ns}, {ns}.5, {ns}.25]}}'"#
        )
    };
    let (old, new) = (command(1, 1000), command(4, 1500));
    let commands = ["check", "--baseline-command", &old, "--candidate-command", &new];
    let decision = decide(&bed, &[&commands[..], &["--out", "../out"]].concat());
    assert_eq!(decision["benchmarks"][0]["change"], "regressed", "{decision:#}");
    let noted =
        json!({ "note": "condition-changed", "key": "threads", "baseline": "1", "candidate": "4" });
    assert_eq!(notes_of(&decision), json!([noted]));
    assert_eq!(decision["candidate"]["conditions"], json!({ "threads": "4" }));
    let run = Run::read(&bed.path("out/run.json")).unwrap();
    assert_eq!(run.conditions["threads"], "4");
}
