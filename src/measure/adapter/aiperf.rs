//! AIPerf: the records of its requests, `profile_export.jsonl`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{describe_failures, find_unit, list_lines, parse_json_line, read_text};

/// One request.
#[derive(Deserialize)]
struct AiperfRecord<'a> {
    #[serde(borrow)]
    metrics: BTreeMap<Cow<'a, str>, AiperfMetric<'a>>,
    error: Option<serde::de::IgnoredAny>,
}

/// A figure of a request: one number, or one per token.
#[derive(Deserialize)]
struct AiperfMetric<'a> {
    value: AiperfValue,
    #[serde(borrow)]
    unit: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AiperfValue {
    One(f64),
    Several(Vec<f64>),
    Other(serde::de::IgnoredAny),
}

/// Reads each figure that is a time, such as `request_latency` and `time_to_first_token`. A failed
/// request fails all of them.
///
/// # Errors
///
/// Fails if the file is not what AIPerf writes.
pub(super) fn parse_aiperf(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let mut run = RunCollector::new("aiperf");
    let mut figures: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut requests = 0.0;
    let mut failed = 0.0;
    for (number, line) in list_lines(text) {
        let AiperfRecord { metrics, error } = parse_json_line(number, line)?;
        requests += 1.0;
        if error.is_some() {
            failed += 1.0;
            continue;
        }
        for (name, AiperfMetric { value, unit }) in metrics {
            let Some(factor) = find_unit(&unit) else { continue };
            let times = figures.entry(name.into_owned()).or_default();
            match value {
                AiperfValue::One(time) => times.push(time * factor),
                AiperfValue::Several(several) => {
                    times.extend(several.into_iter().map(|time| time * factor));
                }
                AiperfValue::Other(_) => {}
            }
        }
    }
    if failed > 0.0 && figures.is_empty() {
        figures.insert("request_latency".to_owned(), Vec::new());
    }
    for (name, times) in figures {
        if failed > 0.0 {
            run.add_failure(0, &name, &describe_failures(failed, requests))?;
        } else if !times.is_empty() {
            run.add(0, AdapterEntry::of_calls(name, times, 1.0))?;
        }
    }
    run.finish()
}
