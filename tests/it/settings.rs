//! What `perfgate.toml` may contain, and the remedies for what it may not.

use std::fs;

use crate::command::{perfgate_in, text_of};
use crate::repositories::{Bed, run_of};

#[track_caller]
fn refuses(toml: &str, words: &[&str]) {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    let run = run_of(&commit, "2026-11-22T00:00:01Z", &[("suite/a", 100.0)]);
    fs::write(bed.path("run.json"), serde_json::to_vec(&run).unwrap()).unwrap();
    let work = bed.path("work");
    fs::write(work.join("perfgate.toml"), toml).unwrap();
    // A check of a given run neither measures nor, without a baseline, opens a store.
    let check = ["check", "--run", "../run.json", "--out", "../out", "--baseline", "none"];
    let output = perfgate_in(&work).args(check).output().unwrap();
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(2), "{toml}: {text}");
    for word in words {
        assert!(text.contains(word), "{toml}: `{word}` is not in: {text}");
    }
}

#[test]
fn a_setting_that_is_not_used_is_checked_too() {
    refuses("[measure]\nlaunches = 0", &["line 2", "`launches = 0` is not between 1 and 1000"]);
    refuses("[measure]\ncalls = 5", &["`calls = 5` is less than 10"]);
    refuses("[store]\nurl = \"perfgate-data\"", &["`perfgate-data` is not a store", "git:BRANCH"]);
    refuses("[store]\nurl = \"git:\"", &["`git:` is not a store"]);
}

#[test]
fn a_wrong_type_or_word_has_a_remedy() {
    refuses("[gate]\nthreshold = 1", &["line 2", "help: write it in quotes, with a unit"]);
    refuses("[measure]\nlaunches = \"5\"", &["help: write a whole number, without quotes"]);
    refuses("[gate]\nfail-on = \"regressed\"", &["help: write a list"]);
    refuses("[gate]\nfail-on = [\"regresed\"]", &["help: did you mean `regressed`?"]);
    let source = |table: &str| format!("[measure]\nsource = {table}");
    refuses(
        &source("{ adapter = \"pytest-benchmrk\", command = \"x\" }"),
        &["line 2", "did you mean `pytest-benchmark`?"],
    );
    refuses(&source("{ adapter = \"jest\", command = \"x\" }"), &["can be here: auto, criterion"]);
    refuses(&source("{ adapter = \"go\" }"), &["`source` has no `command`"]);
    refuses(&source("{ command = \"x\" }"), &["`source` has no `adapter`"]);
    refuses(&source("{ adapter = \"go\", command = \" \" }"), &["`source` is empty"]);
    refuses(&source("{ adapter = \"go\", comand = \"x\" }"), &["did you mean `command`?"]);
    refuses("[gate]\ntreshold = \"1%\"", &["help: did you mean `threshold`?"]);
}

#[test]
fn an_unknown_key_is_not_explained_by_a_key_that_is_not_similar() {
    refuses(
        "foo = 1",
        &["help: what can be here: measure, gate, target, bench, metric, expect, cost, store"],
    );
}

#[test]
fn a_typo_in_a_reason_to_fail_has_a_remedy_on_the_command_line() {
    let bed = Bed::new();
    let check = ["check", "--baseline", "none", "--fail-on", "regresed"];
    let output = perfgate_in(&bed.path("work")).args(check).output().unwrap();
    assert!(text_of(&output).contains("help: did you mean `regressed`?"), "{}", text_of(&output));
}

#[test]
fn the_store_of_the_configuration_is_the_store_of_every_command() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    let work = bed.path("work");
    let run = run_of(&commit, "2026-11-22T00:00:01Z", &[("suite/a", 100.0)]);
    fs::write(bed.path("run.json"), serde_json::to_vec(&run).unwrap()).unwrap();
    fs::write(work.join("perfgate.toml"), "[store]\nurl = \"dir:../runs\"\n").unwrap();
    let perfgate = |words: &str| {
        let output = perfgate_in(&work).args(words.split(' ')).output().unwrap();
        assert!(output.status.success(), "{words}: {}", text_of(&output));
        text_of(&output)
    };
    assert!(perfgate("baseline save ../run.json").contains("saved "));
    assert!(bed.path("runs/runs").exists(), "it is in the folder");
    let list = perfgate("baseline list --format json");
    let rows: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    let id = rows[0]["id"].as_str().unwrap();
    assert!(perfgate(&format!("baseline show {id}")).contains("suite/a"));
    assert!(perfgate(&format!("compare {id} {id}")).contains("suite/a"));
    let check = "check --run ../run.json --out ../out --baseline stored";
    assert!(!perfgate(check).contains("no baseline"));
    assert!(perfgate("doctor").contains("of others: 0f1e2d3c (1)"));
    assert!(perfgate("baseline prune --dry-run").contains("would remove 0 runs, kept 1"));
    assert!(perfgate("baseline list --store git:perfgate-data").contains("nothing is stored yet"));
}
