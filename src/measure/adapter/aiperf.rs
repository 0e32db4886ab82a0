//! AIPerf: the records of its requests, `profile_export.jsonl`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{SECOND, describe_failures, find_unit, list_lines, parse_json_line, read_text};
use crate::run::{LatencyOrigin, LoadShape};

/// One request.
#[derive(Deserialize)]
struct AiperfRecord<'a> {
    #[serde(borrow)]
    metadata: Option<AiperfMetadata<'a>>,
    #[serde(borrow)]
    metrics: BTreeMap<Cow<'a, str>, AiperfMetric<'a>>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct AiperfMetadata<'a> {
    /// `profiling`, or `warmup` for requests that are not measured.
    #[serde(borrow)]
    benchmark_phase: Option<Cow<'a, str>>,
    /// Nanoseconds since the Unix epoch.
    request_start_ns: Option<f64>,
}

impl AiperfMetadata<'_> {
    fn is_warmup(&self) -> bool {
        self.benchmark_phase.as_deref() == Some("warmup")
    }
}

/// The times of one figure, and the seconds at which the requests of those with one time began.
#[derive(Default)]
struct AiperfFigure {
    starts: Vec<f64>,
    times: Vec<f64>,
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
/// request fails all of them. Requests of the warm-up are left out.
///
/// # Errors
///
/// Fails if the file is not what AIPerf writes.
pub(super) fn parse_aiperf(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let mut run = RunCollector::new("aiperf");
    // The records do not state how requests were sent.
    run.add_load(LoadShape { origin: LatencyOrigin::Sent, ..LoadShape::default() });
    let mut figures: BTreeMap<String, AiperfFigure> = BTreeMap::new();
    let mut requests = 0.0;
    let mut failed = 0.0;
    for (number, line) in list_lines(text) {
        let AiperfRecord { metadata, metrics, error } = parse_json_line(number, line)?;
        if metadata.as_ref().is_some_and(AiperfMetadata::is_warmup) {
            continue;
        }
        requests += 1.0;
        if error.is_some() {
            failed += 1.0;
            continue;
        }
        let start = metadata.and_then(|metadata| metadata.request_start_ns);
        for (name, AiperfMetric { value, unit }) in metrics {
            let Some(factor) = find_unit(&unit) else { continue };
            let figure = figures.entry(name.into_owned()).or_default();
            match value {
                AiperfValue::One(time) => {
                    figure.times.push(time * factor);
                    figure.starts.extend(start.map(|start| start / SECOND));
                }
                AiperfValue::Several(several) => {
                    figure.times.extend(several.into_iter().map(|time| time * factor));
                }
                AiperfValue::Other(_) => {}
            }
        }
    }
    if failed > 0.0 && figures.is_empty() {
        figures.insert("request_latency".to_owned(), AiperfFigure::default());
    }
    for (name, AiperfFigure { starts, times }) in figures {
        if failed > 0.0 {
            run.add_failure(0, &name, &describe_failures(failed, requests))?;
        } else if !times.is_empty() {
            run.add(0, AdapterEntry::of_calls(name, times, 1.0).with_starts(starts))?;
        }
    }
    run.finish()
}
