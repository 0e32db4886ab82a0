//! A change that edits the bench itself, or what it declares to do.

use std::fs;

use serde_json::{Value, json};

use crate::command::{perfgate_in, text_of};
use crate::repositories::{Bed, run_of};
use crate::rounds::{BENCH, Tiny};

/// Returns the files that the notes of the only benchmark name as edited.
fn edited_files(decision: &Value) -> Option<Value> {
    let notes = decision["benchmarks"][0]["notes"].as_array().unwrap();
    notes.iter().find(|note| note["note"] == "bench-edited").map(|note| note["files"].clone())
}

#[test]
fn a_change_that_edits_the_bench_itself_is_named_next_to_the_row() {
    let tiny = Tiny::new("");
    fs::create_dir(tiny.folder().join("src")).unwrap();
    fs::create_dir(tiny.folder().join("benches/common")).unwrap();
    let write = |file: &str, text: &str| fs::write(tiny.folder().join(file), text).unwrap();
    // The time of a call is the product of what the library and the bench's own module say.
    write("src/lib.rs", "pub const NS: f64 = 1e6;");
    write("benches/common/mod.rs", "pub const TIMES: f64 = 1.0;");
    let source = BENCH.replace("/* ids */", r#"("a", tiny::NS * common::TIMES)"#);
    let source = format!("mod common;\n{source}");
    tiny.source(&source);
    tiny.keep(&tiny.0.path("counter"));

    write("src/lib.rs", "pub const NS: f64 = 2e6;");
    tiny.source(&source);
    let (decision, output) = tiny.check(&["--baseline", "HEAD~1"]);
    assert_eq!(decision["benchmarks"][0]["change"], "regressed", "{}", text_of(&output));
    assert_eq!(edited_files(&decision), None, "only the library changed");

    write("benches/common/mod.rs", "pub const TIMES: f64 = 2.0;");
    tiny.source(&source);
    let (decision, output) = tiny.check(&["--baseline", "HEAD~1"]);
    assert_eq!(decision["benchmarks"][0]["change"], "regressed");
    let edited = Some(json!(["benches/common/mod.rs"]));
    assert_eq!(edited_files(&decision), edited);
    let said = "the bench itself changed: benches/common/mod.rs";
    let row = text_of(&output);
    let row = row.lines().find(|line| line.contains("regressed") && line.contains("+100"));
    assert!(row.is_some_and(|row| row.contains(said)), "{}", text_of(&output));
    for report in ["report.md", "report.html"] {
        let report =
            fs::read_to_string(tiny.folder().join("target/perfgate").join(report)).unwrap();
        // Markdown shows the colon as an entity.
        let report = report.replace("&#58;", ":");
        assert!(report.contains(said), "{report}");
    }

    // Against stored runs, and with a change that is not committed.
    write("benches/standin.rs", &format!("{source}\n// edited"));
    let (decision, _) = tiny.check(&["--baseline", "stored"]);
    let edited = Some(json!(["benches/common/mod.rs", "benches/standin.rs"]));
    assert_eq!(edited_files(&decision), edited, "{decision:#}");
}

#[test]
fn a_change_of_the_declared_work_is_named_next_to_the_row() {
    let bed = Bed::new();
    let run = |ns: f64, elements: f64| {
        let mut run = run_of(&bed.head(), "2026-11-22T00:00:01Z", &[("a", ns)]);
        run.benchmarks[0].elements = Some(elements);
        run.benchmarks[0].per_call.insert("bytes".to_owned(), 64.0);
        serde_json::to_vec(&run).unwrap()
    };
    let compare = |ns: f64, elements: f64, format: &str| {
        fs::write(bed.path("old.json"), run(100.0, 16.0)).unwrap();
        fs::write(bed.path("new.json"), run(ns, elements)).unwrap();
        let mut command = perfgate_in(&bed.path("work"));
        command.args(["compare", "../old.json", "../new.json", "--format", format]);
        text_of(&command.output().unwrap())
    };
    let decision: Value = serde_json::from_str(&compare(200.0, 32.0, "json")).unwrap();
    let notes = &decision["benchmarks"][0]["notes"];
    let said = "its declared work changed: 16 → 32 elements per call";
    let note = json!({ "note": "work-changed", "text": said, "unit": "elements", "baseline": 16.0, "candidate": 32.0 });
    assert_eq!(*notes, json!([note]));
    for (ns, change) in [(200.0, "regressed"), (100.0, "unchanged")] {
        let text = compare(ns, 32.0, "text");
        let row = text.lines().find(|line| line.contains(said));
        assert!(row.is_some_and(|row| row.contains(change)), "{text}");
        let markdown = compare(ns, 32.0, "markdown").replace("&#58;", ":");
        assert!(markdown.contains(said), "{markdown}");
    }
    assert!(!compare(200.0, 16.0, "text").contains("declared work"));
}
