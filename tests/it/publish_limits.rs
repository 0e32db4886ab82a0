//! `perfgate publish` with more of everything than GitHub takes: too many, too long, or both.

use serde_json::{Value, json};

use crate::github::{GitHub, decision};
use crate::publish::{MARKER, github};

/// GitHub's limit on a comment, in bytes.
const COMMENT_LIMIT: usize = 65_535;
/// GitHub's limit on a step summary, in bytes.
const SUMMARY_LIMIT: usize = 1 << 20;

fn fixture(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(decision(name)).unwrap()).unwrap()
}

/// Publishes `decision` and returns the log, the only comment and the summary, which are within
/// GitHub's limits.
#[track_caller]
fn publish(github: &GitHub, decision: &Value, arguments: &[&str]) -> [String; 3] {
    let path = github.file("decision.json");
    std::fs::write(&path, decision.to_string()).unwrap();
    let output = github.publish("pull_request", &[arguments, &[path.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{output:?}");
    let [(_, comment)] = github.comments().try_into().unwrap();
    assert!(comment.starts_with(MARKER) && comment.len() <= COMMENT_LIMIT, "{}", comment.len());
    let summary = github.summary();
    assert!(!summary.is_empty() && summary.len() <= SUMMARY_LIMIT, "{}", summary.len());
    assert_eq!(github.statuses().len(), 1);
    [String::from_utf8(output.stdout).unwrap(), comment, summary]
}

/// Returns the annotations of each request about the check run.
fn sent_annotations(github: &GitHub) -> Vec<Vec<Value>> {
    let requests = github.requests().into_iter().filter(|request| {
        request.url.path().contains("/check-runs") && request.method.as_str() != "GET"
    });
    let bodies = requests.map(|request| request.body_json::<Value>().unwrap());
    bodies.map(|body| body["output"]["annotations"].as_array().unwrap().clone()).collect()
}

#[test]
fn a_check_run_with_five_thousand_places_is_four_requests_with_the_errors_first() {
    let mut whole = fixture("fail");
    let benchmarks = whole["benchmarks"].as_array().unwrap();
    let slow = benchmarks.iter().find(|one| one["change"] == "regressed").unwrap();
    let numbered = |number: usize| {
        let mut one = slow.clone();
        one["id"] = json!(format!("group/{number}"));
        if number < 4900 {
            one["change"] = json!("inconclusive");
        }
        one
    };
    // Up to five inconclusive benchmarks have an annotation each.
    whole["benchmarks"] = (4895..10_000).map(numbered).collect();
    let github = github();
    std::fs::create_dir_all(github.file("benches")).unwrap();
    let lines = (0..10_000).map(|number| format!("bench(\"group/{number}\");\n"));
    std::fs::write(github.file("benches/t.rs"), lines.collect::<String>()).unwrap();
    let [log, ..] = publish(&github, &whole, &["--check-run"]);
    let sent = sent_annotations(&github);
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [50; 4]);
    for annotation in sent.iter().flatten() {
        assert_eq!(annotation["annotation_level"], "failure");
        let line = annotation["start_line"].as_u64().unwrap() - 1;
        assert!(annotation["message"].as_str().unwrap().starts_with(&format!("group/{line} ")));
    }
    let created = github.requests();
    let created = created.iter().find(|request| request.url.path().ends_with("/check-runs"));
    let summary = created.unwrap().body_json::<Value>().unwrap()["output"]["summary"].clone();
    assert!(summary.as_str().unwrap().starts_with("4905 more annotations are left out."));
    assert_eq!(log.lines().count(), 15, "{log}");
}

#[test]
fn six_hundred_suites_share_one_comment_with_the_worst_in_full() {
    let github = github();
    let suites = (0..600).map(|number| format!("suite-{number}={}", decision("pass")));
    let suites: Vec<_> = suites.chain([format!("last={}", decision("fail"))]).collect();
    let arguments: Vec<_> = suites.iter().map(String::as_str).collect();
    let output = github.publish("pull_request", &arguments);
    assert!(output.status.success(), "{output:?}");
    let [(_, comment)] = github.comments().try_into().unwrap();
    assert!(comment.len() <= COMMENT_LIMIT, "{}", comment.len());
    let at = |text: &str| comment.find(text).unwrap_or_else(|| panic!("{text}: {comment}"));
    assert!(at("## last") < at("## suite-0"), "the worst suite comes first");
    at("tokenization/gpt2/batch/32");
    at("- <code>suite-200</code> pass: ");
    at(" more suites are not shown here.");
    let summary = github.summary();
    assert!(summary.len() <= SUMMARY_LIMIT, "{}", summary.len());
}

#[test]
fn ten_thousand_targets_of_one_benchmark_leave_the_comment_whole() {
    let mut whole = fixture("missed");
    let benchmarks = whole["benchmarks"].as_array_mut().unwrap();
    let missed = benchmarks.iter_mut().find(|one| one["targets"][0]["status"] == "missed").unwrap();
    let target = missed["targets"][0].clone();
    missed["targets"] = json!(vec![target; 10_000]);
    let id = missed["id"].as_str().unwrap().to_owned();
    let github = github();
    let [_, comment, _] = publish(&github, &whole, &["--check-run"]);
    assert!(comment.contains(&id) && comment.contains(", and 9,990 more"), "{comment}");
    assert!(comment.trim_end().ends_with("</sub>"), "the comment was cut: {comment}");
}

/// Changes one field of a decision to the text.
type Spoil = fn(&mut Value, &str);

/// Each kind of text in a decision.
const TEXT_FIELDS: [(&str, Spoil); 15] = [
    ("id", |whole, text| whole["benchmarks"][0]["id"] = json!(text)),
    ("package", |whole, text| whole["benchmarks"][0]["package"] = json!(text)),
    ("target", |whole, text| whole["benchmarks"][0]["target"] = json!(text)),
    ("unit", |whole, text| whole["benchmarks"][0]["per_call"] = json!({ text: 1.0 })),
    ("rate", |whole, text| {
        whole["benchmarks"][0]["candidate"]["throughput"] = json!({ text: 1.0 });
    }),
    ("reason", |whole, text| whole["benchmarks"][0]["reasons"] = json!([text])),
    ("failure", |whole, text| {
        whole["benchmarks"][0]["change"] = json!("failed");
        whole["benchmarks"][0]["failure"] = json!({ "reason": text, "output": text });
    }),
    ("waiver", |whole, text| {
        whole["benchmarks"][0]["waiver"] = json!({ "reason": text, "limit": 0.5 });
    }),
    ("warning", |whole, text| whole["warnings"] = json!([text])),
    ("branch", |whole, text| {
        whole["candidate"]["commit"] =
            json!({ "id": "a".repeat(40), "branch": text, "dirty": false });
    }),
    ("processor", |whole, text| whole["candidate"]["host"]["cpu_model"] = json!(text)),
    ("system", |whole, text| whole["candidate"]["host"]["os"] = json!(text)),
    ("fingerprint", |whole, text| whole["candidate"]["host"]["fingerprint"] = json!(text)),
    ("condition", |whole, text| whole["candidate"]["conditions"] = json!({ text: "1" })),
    ("value", |whole, text| whole["candidate"]["conditions"] = json!({ "a": text })),
];

#[test]
fn no_text_of_any_kind_makes_a_comment_or_an_annotation_too_long() {
    let long = "|@ü<".repeat(10_000);
    for (kind, spoil) in TEXT_FIELDS {
        let mut whole = fixture("fail");
        spoil(&mut whole, &long);
        let github = github();
        let [log, comment, _] = publish(&github, &whole, &["--check-run"]);
        assert!(comment.trim_end().ends_with("</sub>"), "{kind}: the comment was cut");
        assert!(log.lines().all(|line| line.len() < 10_000), "{kind}");
    }
}

#[test]
fn a_text_of_any_kind_that_is_longer_than_any_real_one_is_refused_with_a_remedy() {
    let long = "x".repeat(70_000);
    for (kind, spoil) in TEXT_FIELDS {
        let mut whole = fixture("fail");
        spoil(&mut whole, &long);
        let github = github();
        let path = github.file("decision.json");
        std::fs::write(&path, whole.to_string()).unwrap();
        let output = github.command("pull_request", &[path.to_str().unwrap()]).output().unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{kind}: {printed}");
        assert!(printed.contains("a text is longer than 65536 bytes"), "{kind}: {printed}");
        assert!(printed.contains("help: ") && printed.len() < 1000, "{kind}: {printed}");
        assert!(github.requests().is_empty() && github.summary().is_empty());
    }
}

#[test]
fn thousands_of_different_reasons_warnings_and_thresholds_are_a_few_lines_each() {
    let mut whole = fixture("undecided");
    let benchmarks = whole["benchmarks"].as_array().unwrap();
    let undecided = benchmarks.iter().find(|one| one["change"] == "inconclusive").unwrap();
    let numbered = |number: usize| {
        let mut one = undecided.clone();
        one["id"] = json!(format!("group/{number}"));
        one.as_object_mut().unwrap().remove("notes");
        one["reasons"] = json!([format!("sentence {number}")]);
        if number >= 4000 {
            one["change"] = json!("unchanged");
            one["detect"] = json!(number as f64 / 100_000.0);
        }
        one
    };
    whole["benchmarks"] = (0..5000).map(numbered).collect();
    whole.as_object_mut().unwrap().remove("notes");
    whole["warnings"] = (0..5000).map(|number| json!(format!("warning {number}"))).collect();
    let [log, comment, _] = publish(&github(), &whole, &[]);
    assert!(
        comment.contains("**3,991 benchmarks inconclusive**: the first: sentence 9"),
        "{comment}"
    );
    assert!(comment.contains("and 4990 more"), "{comment}");
    assert!(comment.trim_end().ends_with("</sub>"), "the comment was cut: {comment}");
    assert_eq!(log.lines().count(), 10, "{log}");
}

#[test]
fn outputs_that_cannot_be_written_stop_neither_comment_nor_status_nor_summary() {
    let github = github();
    std::fs::create_dir(github.file("output")).unwrap();
    let output = github.publish("pull_request", &["--check-run", &decision("fail")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("outputs in `"));
    assert_eq!((github.comments().len(), github.statuses().len()), (1, 1));
    assert!(!github.summary().is_empty() && !sent_annotations(&github).is_empty());
}
