//! The metrics that a bench reports beside Criterion, whose output has no place for them: one JSON
//! object per line and benchmark, in a file that perfgate names.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::files;
use crate::text::shorten;

/// Variable that names the file for metrics. Without it, a bench is not measured by perfgate.
pub(super) const METRICS_VARIABLE: &str = "PERFGATE_METRICS";

/// Longest name of a metric in bytes.
const MAX_NAME_BYTES: usize = 100;

/// Longest text of a bench that a message repeats, in characters.
const MAX_SHOWN_CHARS: usize = 80;

/// Maximum number of lines.
const MAX_LINES: usize = 20_000;

/// One line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportedMetrics {
    id: String,
    metrics: BTreeMap<String, f64>,
}

/// Reads the metrics by benchmark. Empty if the bench wrote none.
///
/// # Errors
///
/// Fails with the reason if the file cannot be read, or if a line is not what it should be.
pub(super) fn read_reported_metrics(
    path: &Path,
) -> Result<BTreeMap<String, BTreeMap<String, f64>>, String> {
    match files::read_plain_text(path) {
        Ok(text) => parse_metrics(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error.to_string()),
    }
}

/// Parses the lines. Later lines of a benchmark add to earlier ones or replace them.
///
/// Fails with the reason if a line is not a JSON object with an id and metrics, or if a value is not a
/// number, zero or more.
fn parse_metrics(text: &str) -> Result<BTreeMap<String, BTreeMap<String, f64>>, String> {
    let mut found: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = place + 1;
        if number > MAX_LINES {
            return Err(format!("it has more than {MAX_LINES} lines"));
        }
        let line: ReportedMetrics =
            serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))?;
        for (name, value) in &line.metrics {
            let shown = shorten(name, MAX_SHOWN_CHARS);
            if name.is_empty() || name.len() > MAX_NAME_BYTES {
                return Err(format!("line {number}: `{shown}` is not a name of a metric"));
            }
            if !value.is_finite() || *value < 0.0 {
                return Err(format!("line {number}: `{shown}` is {value}, not zero or more"));
            }
        }
        found.entry(line.id).or_default().extend(line.metrics);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::parse_metrics;

    #[test]
    fn each_line_has_the_metrics_of_one_benchmark() {
        let text = "{\"id\": \"a/b\", \"metrics\": {\"allocations\": 3}}\n\n\
                    {\"id\": \"a/b\", \"metrics\": {\"allocated_bytes\": 64}}\n";
        let found = parse_metrics(text).unwrap();
        let metrics: Vec<_> =
            found["a/b"].iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(metrics, [("allocated_bytes", 64.0), ("allocations", 3.0)]);
    }

    #[test]
    fn a_line_that_is_no_metric_is_refused_with_its_number() {
        for (line, why) in [
            ("junk", "line 1: expected value"),
            (r#"{"id": "a", "metrics": {"x": -1}}"#, "line 1: `x` is -1, not zero or more"),
            (r#"{"id": "a", "metrics": {"": 1}}"#, "is not a name of a metric"),
            (r#"{"id": "a", "metrics": {}, "more": 1}"#, "unknown field `more`"),
            (r#"{"id": "a", "metrics": {"x": 1e999}}"#, "line 1"),
        ] {
            let error = parse_metrics(line).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
