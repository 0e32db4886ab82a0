//! libtest: what `#[bench]` functions print, as text or with `--format json`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{list_lines, parse_json_line, parse_number, read_text};

/// An event of `--format json`.
#[derive(Deserialize)]
struct LibtestEvent<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    median: Option<f64>,
}

/// Reads the median time of each benchmark. Their numbers of calls are not printed.
///
/// # Errors
///
/// Fails if a line of a benchmark is not what libtest prints.
pub(super) fn parse_libtest(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let mut run = RunCollector::new("libtest");
    for (line, content) in list_lines(text) {
        let refuse = |cause: String| AdapterError::Line { line, cause };
        if content.starts_with('{') {
            add_event(&mut run, parse_json_line(line, content)?)?;
            continue;
        }
        let Some((name, rest)) =
            content.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
        else {
            continue;
        };
        if rest.trim() == "FAILED" {
            run.add_failure(0, name.trim(), "the benchmark failed")?;
        }
        let Some(result) = rest.trim().strip_prefix("bench:") else { continue };
        let (median, _) = result
            .split_once(" ns/iter")
            .ok_or_else(|| refuse("the result of a benchmark is not in `ns/iter`".to_owned()))?;
        let median = parse_number(median.trim()).map_err(refuse)?;
        run.add(0, AdapterEntry::of_mean(name.trim(), median, 1.0, None))?;
    }
    run.finish()
}

fn add_event(run: &mut RunCollector, event: LibtestEvent<'_>) -> Result<(), AdapterError> {
    let LibtestEvent { kind, name, event, median } = event;
    let Some(name) = name else { return Ok(()) };
    match (&*kind, event.as_deref()) {
        ("bench", _) => {
            let field = "median";
            let missing = || AdapterError::Missing { name: name.to_string(), field };
            run.add(0, AdapterEntry::of_mean(name.clone(), median.ok_or_else(missing)?, 1.0, None))
        }
        ("test", Some("failed")) => run.add_failure(0, &name, "the benchmark failed"),
        _ => Ok(()),
    }
}
