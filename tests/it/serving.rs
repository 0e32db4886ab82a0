//! Load on services: what adapters state about it, targets at a rate of requests, and soaks.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::command::{perfgate_in, text_of};

fn fixture(path: &str) -> String {
    format!("{}/fixtures/adapters/{path}", env!("CARGO_MANIFEST_DIR"))
}

fn run_in(folder: &Path, words: &[&str]) -> Output {
    perfgate_in(folder).args(words).output().unwrap()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Measures the one benchmark of a command, and returns it with the conditions of the run.
#[track_caller]
fn measure(folder: &Path, words: &[&str]) -> (Value, Value, String) {
    let output = run_in(folder, &[&["measure", "command", "--launches", "1"], words].concat());
    let text = text_of(&output);
    assert!(output.status.success(), "{text}");
    let run = read_json(&folder.join("run.json"));
    (run["benchmarks"][0].clone(), run["conditions"].clone(), text)
}

/// Judges the target of the one benchmark of a harness and returns its status and note.
#[track_caller]
fn judge_target(adapter: &str, flags: &[&str], script: &str) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let words = [
        &["check", "--adapter", adapter, "--launches", "2", "--baseline", "none", "--out", "out"],
        flags,
        &["--", script],
    ];
    let output = run_in(folder.path(), &words.concat());
    let decision = read_json(&folder.path().join("out/decision.json"));
    let target = &decision["benchmarks"][0]["targets"][0];
    let status = target["status"].as_str().unwrap_or_else(|| panic!("{}", text_of(&output)));
    (status.to_owned(), target["note"].clone())
}

/// A script that prints oha's fixture, about 50 requests per second, and states its load.
fn state_load(load: &str, from: &str, rate: &str) -> String {
    let line = format!(
        r#"{{"conditions": {{"load": "{load}", "latency-from": "{from}", "rate": "{rate}"}}}}"#
    );
    format!("cat '{}'; echo '{line}' >> \"$PERFGATE_LINES\"", fixture("oha/requests.csv"))
}

const AT_50: [&str; 4] = ["--target-p50", "1s", "--target-at", "50/s"];

#[test]
fn a_target_at_a_rate_is_met_under_an_open_loop_of_that_rate() {
    let script = state_load("open", "intended-start", "50/s");
    let (status, note) = judge_target("oha", &AT_50, &script);
    assert_eq!((&*status, &note["note"]), ("met", &"load-answers".into()), "{note}");
    let text = note["text"].as_str().unwrap();
    assert!(text.starts_with("asked at 50/s, reached 49."), "{text}");
}

#[test]
fn a_load_that_does_not_answer_leaves_a_target_unproven_with_the_reason() {
    let at_100 = ["--target-p50", "1s", "--target-at", "100/s"];
    for (flags, script, issue) in [
        (AT_50, state_load("closed", "sent", "50/s"), "closed-loop"),
        (AT_50, state_load("open", "intended-start", "40/s"), "other-rate"),
        (at_100, state_load("open", "intended-start", "100/s"), "rate-not-reached"),
        (AT_50, format!("cat '{}'", fixture("oha/requests.csv")), "unknown-load"),
    ] {
        let (status, note) = judge_target("oha", &flags, &script);
        assert_eq!((&*status, &note["issue"]["issue"]), ("unproven", &issue.into()), "{note}");
    }
    // What is missed under a kind load is missed.
    let missed = ["--target-p50", "1ms", "--target-at", "50/s"];
    let (status, note) = judge_target("oha", &missed, &state_load("closed", "sent", "50/s"));
    assert_eq!((&*status, &note["issue"]["issue"]), ("missed", &"closed-loop".into()));
}

#[test]
fn a_rate_without_a_limit_asks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["check", "--adapter", "oha", "--target-at", "50/s", "--", "true"];
    let output = run_in(folder.path(), &words);
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("--target-at sets no limit") && text.contains("help: "), "{text}");
}

#[test]
fn a_closed_loop_is_no_answer_to_a_question_at_a_rate() {
    let script = format!("cat '{}'", fixture("locust/good.json"));
    let (status, note) = judge_target("locust", &AT_50, &script);
    assert_eq!((&*status, &note["issue"]["issue"]), ("unproven", &"closed-loop".into()));
    let (status, note) = judge_target("locust", &AT_50[..2], &script);
    assert_eq!((&*status, &note), ("met", &Value::Null), "without a rate it is one");
}

#[test]
fn the_configuration_asks_a_target_at_a_rate() {
    let folder = tempfile::tempdir().unwrap();
    let target = "[[target]]\nbench = \"request\"\np50 = \"1s\"\nat = \"50/s\"\n";
    fs::write(folder.path().join("perfgate.toml"), target).unwrap();
    let words = ["check", "--adapter", "oha", "--baseline", "none", "--out", "out", "--"];
    let script = state_load("closed", "sent", "50/s");
    let output = run_in(folder.path(), &[&words[..], &[&script]].concat());
    let text = text_of(&output);
    assert!(text.contains("each request was sent only after an answer (closed loop)"), "{text}");
    fs::write(folder.path().join("perfgate.toml"), target.replace("50/s", "50")).unwrap();
    let output = run_in(folder.path(), &[&words[..], &[&script]].concat());
    assert_eq!(output.status.code(), Some(2), "{}", text_of(&output));
    assert!(text_of(&output).contains("`50` is not a rate"), "{}", text_of(&output));
}

/// Puts a program into the folder that prints the fixture of a harness, whatever its words are.
#[cfg(unix)]
fn put_program(folder: &Path, name: &str, fixture_path: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\ncat '{}'\n", fixture(fixture_path))).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(unix)]
#[test]
fn the_words_of_a_load_generator_state_what_its_output_does_not() {
    let folder = tempfile::tempdir().unwrap();
    put_program(folder.path(), "oha", "oha/requests.csv");
    let words = ["--adapter", "oha", "--", "./oha", "-q", "50", "--latency-correction"];
    let (benchmark, conditions, _) = measure(folder.path(), &words);
    let expected = serde_json::json!({
        "concurrency": "50", "harness": "oha", "latency-from": "intended-start", "load": "open",
        "rate": "50/s",
    });
    assert_eq!(conditions, expected);
    let rate = benchmark["launches"][0]["metrics"]["requests_per_second"].as_f64().unwrap();
    assert!((49.0..50.0).contains(&rate), "{rate}");
}

#[test]
fn the_load_is_unknown_where_the_format_does_not_state_it() {
    let folder = tempfile::tempdir().unwrap();
    for (path, load, from) in [
        ("oha/requests.csv", "unknown", "unknown"),
        ("oha/summary.json", "unknown", "unknown"),
        ("k6/documented.jsonl", "unknown", "sent"),
        ("k6/documented_summary.json", "unknown", "sent"),
        ("k6/documented_dropped.jsonl", "open", "sent"),
        ("vegeta/documented.jsonl", "open", "sent"),
        ("vegeta/documented_report.json", "open", "sent"),
        ("wrk/wrk.txt", "closed", "sent"),
        ("wrk/documented_wrk2.txt", "open", "intended-start"),
        ("locust/good.json", "closed", "sent"),
        ("locust/good_stats.csv", "closed", "sent"),
        ("vllm/documented.json", "closed", "sent"),
        ("aiperf/documented.jsonl", "unknown", "sent"),
        ("guidellm/report.json", "closed", "sent"),
        ("mlperf-loadgen/valid.txt", "closed", "sent"),
    ] {
        let script = format!("cat '{}'", fixture(path));
        let (_, conditions, _) = measure(folder.path(), &["--adapter", "auto", "--", &script]);
        assert_eq!(
            (&conditions["load"], &conditions["latency-from"]),
            (&load.into(), &from.into()),
            "{path}"
        );
    }
}

#[test]
fn requests_that_were_not_sent_are_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("cat '{}'", fixture("k6/documented_dropped.jsonl"));
    let (benchmark, _, text) = measure(folder.path(), &["--adapter", "k6", "--", &script]);
    assert_eq!(benchmark["launches"][0]["metrics"]["dropped_requests"], 7.0);
    assert!(text.contains("the load generator dropped 7 requests"), "{text}");
}

#[test]
fn the_uncorrected_percentiles_of_wrk2_do_not_replace_the_corrected_ones() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("cat '{}'", fixture("wrk/documented_wrk2.txt"));
    let (benchmark, ..) = measure(folder.path(), &["--adapter", "wrk", "--", &script]);
    assert_eq!(benchmark["launches"][0]["metrics"]["p99_ns"], 28_270_000.0);
}

#[test]
fn failed_requests_fail_the_launch_with_their_number() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "cat '{}'; echo 0.3,0,0,0.01,0.01,2,503; echo 0.4,0,0,0.01,0.01,2,500",
        fixture("oha/requests.csv")
    );
    let words = ["check", "--adapter", "oha", "--baseline", "none", "--", &script];
    let output = run_in(folder.path(), &words);
    assert_eq!(output.status.code(), Some(10), "{}", text_of(&output));
    assert!(text_of(&output).contains("2 of 22 requests failed"), "{}", text_of(&output));
}

#[test]
fn a_line_beside_the_output_that_is_none_fails_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "cat '{}'; echo '{{\"at_s\": 1, \"rss_bytes\": -1}}' >> \"$PERFGATE_LINES\"",
        fixture("oha/requests.csv")
    );
    let words = ["measure", "command", "--adapter", "oha", "--", &script];
    let text = text_of(&run_in(folder.path(), &words));
    assert!(text.contains("line 1"), "{text}");
    assert!(text.contains("neither conditions nor `at_s` with `rss_bytes`"), "{text}");
}

/// A minute of 1,200 calls whose time and memory grow by these shares, as awk prints it.
fn print_course(slow_down: f64, leak: f64) -> String {
    format!(
        r#"awk 'BEGIN {{
  n = 1200; seed = 1
  for (i = 0; i < n; i++) {{
    seed = (seed * 16807) % 2147483647
    starts = starts (i ? ", " : "") sprintf("%.3f", i * 60 / n)
    calls = calls (i ? ", " : "") sprintf("%.0f", 1e6 * (1 + {slow_down} * i / n) * (1 + 0.2 * seed / 2147483647))
  }}
  printf "{{\"id\": \"answer\", \"samples_ns\": [%s], \"starts_s\": [%s]}}\n", calls, starts
  for (i = 0; i < 120; i++)
    printf "{{\"at_s\": %.1f, \"rss_bytes\": %.0f}}\n", i / 2, 1e8 * (1 + {leak} * i / 120) + 4096 * (i > 40)
}}'"#
    )
}

#[test]
fn a_soak_finds_the_defect_that_a_service_has_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let soak = |slow_down, leak| {
        let script = print_course(slow_down, leak);
        let (benchmark, _, text) = measure(folder.path(), &["--", &script]);
        let metrics = &benchmark["launches"][0]["metrics"];
        let find = |name: &str| metrics[name].as_f64().unwrap_or_else(|| panic!("{metrics}"));
        let figures = [find("latency_slope_ratio"), find("rss_slope_bytes") / 1e6];
        let is_warned = |what: &str| text.contains(&format!("{what} grew during a launch"));
        (figures, [is_warned("the latency of `answer`"), is_warned("the memory of the service")])
    };
    let (figures, warned) = soak(0.0, 0.0);
    assert!((figures[0] - 1.0).abs() < 0.02 && figures[1] < 0.02, "clean: {figures:?}");
    assert_eq!(warned, [false, false]);
    let (figures, warned) = soak(0.5, 0.0);
    assert!((figures[0] - 1.48).abs() < 0.06 && figures[1] < 0.02, "slower: {figures:?}");
    assert_eq!(warned, [true, false]);
    let (figures, warned) = soak(0.0, 0.3);
    assert!(
        (figures[0] - 1.0).abs() < 0.02 && (figures[1] - 30.0).abs() < 1.0,
        "leak: {figures:?}"
    );
    assert_eq!(warned, [false, true]);
}

#[test]
fn a_duration_reaches_the_command_and_is_measured_once() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"echo "BenchmarkFor${PERFGATE_DURATION}and{duration} 1 5 ns/op""#;
    let words = ["measure", "command", "--adapter", "go", "--duration", "90s", "--", script];
    let output = run_in(folder.path(), &words);
    assert!(output.status.success(), "{}", text_of(&output));
    let run = read_json(&folder.path().join("run.json"));
    let benchmark = &run["benchmarks"][0];
    assert_eq!(benchmark["id"], "BenchmarkFor90and90");
    assert_eq!(benchmark["launches"].as_array().unwrap().len(), 1);
    assert_eq!(run["conditions"]["duration"], "90s");
}
