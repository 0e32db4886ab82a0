//! The schemas and the readers agree: real output is valid, and both reject the same documents.

use std::fs;
use std::path::{Path, PathBuf};

use crate::decision::Decision;
use crate::render::{render_json, render_run_json};
use crate::run::Run;
use jsonschema::Validator;
use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema(name: &str) -> Validator {
    let path = root().join(format!("schemas/{name}.schema.json"));
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn fixtures(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(root().join("fixtures").join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert!(files.len() >= 5, "{folder} has only {} files", files.len());
    files
}

fn fixture(path: &str) -> Value {
    serde_json::from_slice(&fs::read(root().join("fixtures").join(path)).unwrap()).unwrap()
}

#[track_caller]
fn holds(schema: &Validator, document: &Value, what: &Path) {
    let errors: Vec<_> =
        schema.iter_errors(document).map(|error| error.to_string()).take(3).collect();
    assert!(errors.is_empty(), "{}: {errors:#?}", what.display());
}

#[test]
fn every_run_that_is_read_and_written_holds_to_the_schema() {
    let (old, current) = (schema("run-1"), schema("run"));
    let mut counts = (0, 0);
    for (path, json) in fixtures("runs") {
        let document: Value = serde_json::from_slice(&json).unwrap();
        if document["schema"] == "perfgate.run/1" {
            counts.0 += 1;
            holds(&old, &document, &path);
        } else {
            counts.1 += 1;
            holds(&current, &document, &path);
        }
        let run = Run::from_json(&json).unwrap();
        let plain = serde_json::to_string(&run).unwrap();
        for written in [plain, render_run_json(&run).unwrap()] {
            holds(&current, &serde_json::from_str(&written).unwrap(), &path);
            assert_eq!(Run::from_json(written.as_bytes()).unwrap(), run, "{}", path.display());
        }
    }
    assert!(counts.0 > 0 && counts.1 > 0, "both schemas have fixtures: {counts:?}");
}

#[test]
fn a_run_for_people_differs_from_a_stored_one_by_its_texts_only() {
    let run = Run::from_json(&fs::read(root().join("fixtures/runs/noted.json")).unwrap()).unwrap();
    let mut shown: Value = serde_json::from_str(&render_run_json(&run).unwrap()).unwrap();
    let remove_text = |object: &mut Value| {
        let text = object.as_object_mut().unwrap().remove("text");
        assert!(text.is_some_and(|text| text.is_string()), "{object} has no text");
    };
    let notes = shown["notes"].as_array_mut().unwrap();
    assert!(notes.len() >= 3);
    notes.iter_mut().for_each(remove_text);
    let reasons = shown["benchmarks"].as_array_mut().unwrap().iter_mut();
    reasons.filter_map(|benchmark| benchmark.pointer_mut("/failure/reason")).for_each(remove_text);
    // The order of the fields is the same, too.
    assert_eq!(shown.to_string(), serde_json::to_string(&run).unwrap());
}

#[test]
fn every_decision_that_is_read_and_written_holds_to_the_schema() {
    let [old, new] = ["decision-1", "decision"].map(schema);
    let mut schemas = Vec::new();
    for (path, json) in fixtures("decisions") {
        let document: Value = serde_json::from_slice(&json).unwrap();
        let is_old = document["schema"] == "perfgate.decision/1";
        schemas.push(is_old);
        holds(if is_old { &old } else { &new }, &document, &path);
        let decision = Decision::from_json(&json).unwrap();
        let shown = render_json(&decision).unwrap();
        for written in [serde_json::to_string(&decision).unwrap(), shown] {
            holds(&new, &serde_json::from_str(&written).unwrap(), &path);
            let again = Decision::from_json(written.as_bytes()).unwrap();
            assert_eq!(again, decision, "{}", path.display());
        }
    }
    assert!(schemas.contains(&true) && schemas.contains(&false), "a schema has no fixture");
}

/// Sets the value at `pointer`. The last part of the pointer is created if it does not exist.
fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    match parent {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        _ => parent[key] = value,
    }
    document
}

fn without(mut document: Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.remove(key).unwrap_or_else(|| panic!("no {pointer}"));
    document
}

#[test]
fn what_the_schema_of_runs_refuses_the_reader_refuses() {
    let digest = json!({"count": 1, "mean": 1, "sd": 0, "min": 1, "p50": 1, "p90": 1, "p95": 1, "p99": 1, "max": 1});
    let cases = [
        ("/extra", json!(1)),
        ("/schema", json!("perfgate.run/3")),
        ("/notes", json!([1])),
        ("/notes", json!([{"text": "a note without its kind"}])),
        ("/notes", json!([{"note": "dirty-tree", "text": 1}])),
        ("/conditions", json!({"threads": 1})),
        ("/source", json!("guess")),
        ("/created", json!(7)),
        ("/host/cores", json!(-1)),
        ("/host/extra", json!("x")),
        ("/settings/extra", json!(1)),
        ("/settings/seed", json!(-1)),
        ("/settings/rounds", json!({"horizon": 30, "entered": 1})),
        ("/settings/rounds", json!({"horizon": 40})),
        ("/settings/rounds", json!({"horizon": 40, "entered": -1})),
        ("/commit/dirty", json!("no")),
        ("/benchmarks", json!(null)),
        ("/benchmarks/0/id", json!("")),
        ("/benchmarks/0/extra", json!(1)),
        ("/benchmarks/0/sampling", json!("some")),
        ("/benchmarks/0/elements", json!(-1)),
        ("/benchmarks/0/per_call", json!({"tokens": -1})),
        ("/benchmarks/0/conditions", json!(["cpu"])),
        ("/benchmarks/0/launches", json!([])),
        ("/benchmarks/0/launches", json!(null)),
        ("/benchmarks/0/launches/0/calls_per_sample", json!(0)),
        ("/benchmarks/0/launches/0/calls_per_sample", json!([])),
        ("/benchmarks/0/launches/0/calls_per_sample", json!([1, -1])),
        ("/benchmarks/0/launches/0/calls_per_sample", json!("many")),
        ("/benchmarks/0/launches/0", json!({"round": 0})),
        ("/benchmarks/0/launches/0/extra", json!(1)),
        ("/benchmarks/0/launches/0/round", json!(1.5)),
        ("/benchmarks/0/launches/0/samples", json!([])),
        ("/benchmarks/0/launches/0/samples", json!(null)),
        ("/benchmarks/0/launches/0/samples", json!([-1.0])),
        ("/benchmarks/0/launches/0/samples", json!(["NaN"])),
        ("/benchmarks/0/launches/0/samples", json!([null])),
        ("/benchmarks/0/launches/0/digest", digest.clone()),
        (
            "/benchmarks/0/launches/0",
            json!({"round": 0, "digest": with(json!({"d": digest}), "/d/count", json!(0))["d"]}),
        ),
        ("/benchmarks/0/launches/0/metrics", json!({"peak_rss_bytes": -1})),
        ("/benchmarks/0/failure", json!({"output": "no reason"})),
        ("/benchmarks/0/failure", json!({"reason": {"text": "a reason without its kind"}})),
        ("/benchmarks/0/failure", json!({"reason": {"reason": "panicked", "text": 1}})),
    ];
    let schema = schema("run");
    let old = Run::from_json(&fs::read(root().join("fixtures/runs/quiet.json")).unwrap()).unwrap();
    let good = serde_json::to_value(&old).unwrap();
    let set = cases
        .into_iter()
        .map(|(at, value)| (format!("{at}: {value}"), with(good.clone(), at, value)));
    let removed = [
        "/schema",
        "/created",
        "/source",
        "/host",
        "/benchmarks",
        "/host/kernel",
        "/benchmarks/0/id",
        "/benchmarks/0/sampling",
        "/benchmarks/0/launches",
        "/benchmarks/0/launches/0/round",
    ];
    let gone = removed.into_iter().map(|at| (format!("without {at}"), without(good.clone(), at)));
    for (what, document) in set.chain(gone) {
        assert!(!schema.is_valid(&document), "the schema takes {what}");
        let read = Run::from_json(document.to_string().as_bytes());
        assert!(read.is_err(), "the reader takes {what}");
    }
}

#[test]
fn what_the_schema_of_decisions_refuses_the_reader_refuses() {
    let cases = [
        ("/extra", json!(1)),
        ("/schema", json!("perfgate.decision/3")),
        ("/verdict", json!("maybe")),
        ("/exit_status", json!(0)),
        ("/exit_status", json!(7)),
        ("/baseline/kind", json!("guessed")),
        ("/baseline/stages", json!(["thought about"])),
        ("/candidate/extra", json!(1)),
        ("/candidate/host", json!(null)),
        ("/notes", json!([1])),
        ("/notes", json!([{"text": "no kind"}])),
        ("/notes", json!([{"note": 1}])),
        ("/baseline/conditions", json!({"provider": 1})),
        ("/benchmarks/0/id", json!("")),
        ("/benchmarks/0/extra", json!(1)),
        ("/benchmarks/0/change", json!("worse")),
        ("/benchmarks/0/p_value", json!(-0.1)),
        ("/benchmarks/0/q_value", json!(1.1)),
        ("/benchmarks/0/minimum_detectable", json!(-1)),
        ("/benchmarks/0/noise_floor", json!(-1)),
        ("/benchmarks/0/threshold", json!(-0.01)),
        ("/benchmarks/0/ratio/low", json!(0)),
        ("/benchmarks/0/ratio/confidence", json!(1)),
        ("/benchmarks/0/ratio/point", json!("NaN")),
        ("/benchmarks/0/launches", json!({"baseline": -1, "candidate": 1})),
        ("/benchmarks/0/launches", json!(null)),
        ("/benchmarks/0/per_call", json!({"tokens": -1})),
        ("/benchmarks/0/candidate/median", json!(null)),
        ("/benchmarks/0/candidate/median/point", json!(-1)),
        ("/benchmarks/0/candidate/min", json!(-1)),
        ("/benchmarks/0/candidate/throughput", json!({"tokens": -1})),
        ("/benchmarks/0/candidate/histogram/counts", json!([])),
        ("/benchmarks/0/candidate/histogram/counts/0", json!(0.5)),
        ("/benchmarks/0/targets", json!([{"metric": "p42", "limit": 1, "status": "met"}])),
        ("/benchmarks/0/targets", json!([{"metric": "p95", "limit": -1, "status": "met"}])),
        ("/benchmarks/0/targets", json!([{"metric": "p95", "status": "met"}])),
        ("/benchmarks/0/targets", json!([{"metric": "", "limit": 1, "status": "met"}])),
        ("/benchmarks/0/metrics", json!({"allocations": {"candidate": -1}})),
        ("/benchmarks/0/metrics", json!({"allocations": {"change": "worse"}})),
        ("/benchmarks/0/metrics", json!({"allocations": {"extra": 1}})),
        (
            "/expectations",
            json!([{"name": "a", "ratio": ["a"], "side": "at-least", "bound": 3, "status": "met"}]),
        ),
        (
            "/expectations",
            json!([{"name": "a", "ratio": ["a", "b"], "side": "at-least", "bound": 0, "status": "met"}]),
        ),
        (
            "/sums",
            json!([{"name": "a", "sum": ["a"], "times": -1, "metric": "p95", "limit": 1, "status": "met"}]),
        ),
        ("/cost", json!({"per_hour": -1})),
        ("/benchmarks/0/waiver", json!({"limit": 0.1})),
        ("/benchmarks/0/failure", json!({"reason": null})),
    ];
    let schema = schema("decision");
    let old = fixture("decisions/fail.json").to_string();
    let good = serde_json::to_value(Decision::from_json(old.as_bytes()).unwrap()).unwrap();
    let set = cases
        .into_iter()
        .map(|(at, value)| (format!("{at}: {value}"), with(good.clone(), at, value)));
    let removed = [
        "/schema",
        "/verdict",
        "/exit_status",
        "/baseline",
        "/candidate",
        "/benchmarks",
        "/baseline/kind",
        "/benchmarks/0/id",
        "/benchmarks/0/change",
        "/benchmarks/0/launches",
        "/benchmarks/0/ratio/confidence",
    ];
    let gone = removed.into_iter().map(|at| (format!("without {at}"), without(good.clone(), at)));
    for (what, document) in set.chain(gone) {
        assert!(!schema.is_valid(&document), "the schema takes {what}");
        let read = Decision::from_json(document.to_string().as_bytes());
        assert!(read.is_err(), "the reader takes {what}");
    }
}

#[test]
fn schema_and_reader_agree_on_what_an_exit_status_may_be() {
    let good = fixture("decisions/latencies.json");
    let new = schema("decision");
    let cases = [
        ("pass", 0, json!(["regressed"]), true),
        ("pass", 11, json!(["regressed"]), false),
        ("fail", 10, json!(["regressed"]), true),
        ("fail", 0, json!(["regressed"]), false),
        ("inconclusive", 0, json!(["regressed"]), true),
        ("inconclusive", 11, json!(["regressed"]), true),
        ("inconclusive", 0, json!(["inconclusive"]), false),
        ("inconclusive", 11, json!(["inconclusive"]), true),
        ("inconclusive", 10, json!(["regressed"]), false),
    ];
    for (verdict, status, fail_on, is_valid) in cases {
        let document = with(good.clone(), "/verdict", json!(verdict));
        let document = with(document, "/exit_status", json!(status));
        let document = with(document, "/fail_on", fail_on);
        assert_eq!(new.is_valid(&document), is_valid, "the schema: {verdict} {status}");
        let read = Decision::from_json(document.to_string().as_bytes());
        assert_eq!(read.is_ok(), is_valid, "the reader: {verdict} {status}");
    }
    // In schema 1, every inconclusive check blocked.
    let old = with(fixture("decisions/inconclusive.json"), "/exit_status", json!(0));
    let old = with(old, "/fail_on", json!(["regressed"]));
    assert!(!schema("decision-1").is_valid(&old));
    assert!(Decision::from_json(old.to_string().as_bytes()).is_err());
}

#[test]
fn numbers_that_json_does_not_have_are_refused() {
    for number in ["NaN", "Infinity", "-Infinity", "1e999"] {
        let run = fixture("runs/quiet.json").to_string().replacen(
            "\"samples\":[",
            &format!("\"samples\":[{number},"),
            1,
        );
        assert!(Run::from_json(run.as_bytes()).is_err(), "{number}");
        let decision = fixture("decisions/fail.json").to_string().replacen(
            "\"p_value\":",
            &format!("\"p_value\":{number},\"x\":"),
            1,
        );
        assert!(Decision::from_json(decision.as_bytes()).is_err(), "{number}");
    }
}
