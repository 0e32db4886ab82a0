//! Metrics from the bench to the decision, through the command.

use std::fs;

use serde_json::Value;

use crate::command::text_of;
use crate::rounds::{BENCH, Tiny, changes, warns};

const IDS: &str = r#"("a", 1e6), ("b", 2e6)"#;

/// Returns the source of a bench that reports `line` for each benchmark as `perfgate-alloc` does. `ID`
/// in it is the id.
fn bench_that_reports(line: &str) -> String {
    let report = format!(
        "if let Ok(path) = env::var(\"PERFGATE_METRICS\") {{\n\
             let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();\n\
             writeln!(file, \"{{}}\", r#\"{line}\"#.replace(\"ID\", id)).unwrap();\n\
         }}\n\
         println!(\"Benchmarking {{id}}: Analyzing\");"
    );
    BENCH.replace("/* ids */", IDS).replace("println!(\"Benchmarking {id}: Analyzing\");", &report)
}

fn allocating(count: u32) -> String {
    bench_that_reports(&format!("{{\"id\": \"ID\", \"metrics\": {{\"allocations\": {count}}}}}"))
}

fn with_rules(toml: &str, source: &str) -> Tiny {
    let tiny = Tiny::new(IDS);
    fs::write(tiny.folder().join("perfgate.toml"), toml).unwrap();
    tiny.source(source);
    tiny
}

#[test]
fn one_more_allocation_per_call_fails_a_check_that_judges_allocations() {
    let rule = "[[metric]]\nname = \"allocations\"\nthreshold = \"0%\"\n";
    let tiny = with_rules(rule, &allocating(12));
    tiny.source(&allocating(13));
    let (decision, output) = tiny.check(&["--baseline", "HEAD~1"]);
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(10), "{text}");
    assert_eq!(changes(&decision), [("a", "unchanged"), ("b", "unchanged")], "{text}");
    let metric = &decision["benchmarks"][0]["metrics"]["allocations"];
    assert_eq!(metric["change"], "regressed", "{decision:#}");
    assert_eq!((&metric["baseline"], &metric["candidate"]), (&12.0.into(), &13.0.into()));
    assert!(text.contains("2 metrics worse") && text.contains("12 → 13"), "{text}");
    // Nothing else changed since.
    tiny.source(&format!("{}// a comment\n", allocating(13)));
    let (decision, output) = tiny.check(&["--baseline", "HEAD~1"]);
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(decision["verdict"], "pass", "{text}");
}

#[test]
fn metrics_that_cannot_be_read_are_a_warning() {
    let tiny = with_rules("", &bench_that_reports("{\"id\": \"ID\", \"metrics\": {\"x\": -1}}"));
    let (decision, output) = tiny.check(&["--baseline", "none"]);
    assert!(warns(&decision, "line 1: `x` is -1, not zero or more"), "{}", text_of(&output));
    assert!(decision["benchmarks"][0].get("metrics").is_none_or(|it| it.get("x").is_none()));
}

#[test]
fn a_rule_about_memory_gives_each_benchmark_a_process_of_its_own() {
    let read_run = |tiny: &Tiny| -> Value {
        let path = tiny.folder().join("target/perfgate/run.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let tiny = Tiny::new(IDS);
    tiny.check(&["--baseline", "none"]);
    assert_eq!(read_run(&tiny)["settings"]["pilot"][0]["starts"], 1);
    let (_, output) = tiny.check(&["--baseline", "none", "--memory"]);
    let run = read_run(&tiny);
    assert_eq!(run["settings"]["pilot"][0]["starts"], 2, "{}", text_of(&output));
    let text = run.to_string();
    assert!(text.contains("\"process\":\"one per benchmark\""), "{text}");
    let target = "[[target]]\nbench = \"a\"\npeak-rss = \"512MiB\"\n";
    fs::write(tiny.folder().join("perfgate.toml"), target).unwrap();
    let (decision, output) = tiny.check(&["--baseline", "none"]);
    assert_eq!(read_run(&tiny)["settings"]["pilot"][0]["starts"], 2, "{}", text_of(&output));
    let target = &decision["benchmarks"][0]["targets"][0];
    assert_eq!(target["metric"], "peak_rss_bytes", "{decision:#}");
    // The stand-in may end before its memory is read.
    assert_ne!(target["status"], "missed", "{decision:#}");
}
