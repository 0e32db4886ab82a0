//! MLPerf LoadGen: `mlperf_log_detail.txt`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{list_lines, parse_json_line, read_text};
use crate::run::{LatencyOrigin, LoadPacing, LoadShape, RATE_METRIC};
use crate::units::RequestRate;

/// Beginning of each line of the log.
const LINE_PREFIX: &str = ":::MLLOG ";

#[derive(Deserialize)]
struct LoadgenEvent<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    value: &'a RawValue,
}

/// The percentiles of the log, and the metrics that they become.
const PERCENTILES: [(&str, &str); 5] = [
    ("result_50.00_percentile_latency_ns", "p50_ns"),
    ("result_90.00_percentile_latency_ns", "p90_ns"),
    ("result_95.00_percentile_latency_ns", "p95_ns"),
    ("result_99.00_percentile_latency_ns", "p99_ns"),
    ("result_99.90_percentile_latency_ns", "p99_9_ns"),
];

/// What is read of a log.
#[derive(Default)]
struct LoadgenLog {
    scenario: String,
    version: Option<String>,
    validity: Option<String>,
    invalid_reason: Option<String>,
    mean: Option<f64>,
    queries: Option<f64>,
    asked_rate: Option<f64>,
    reached_rate: Option<f64>,
    percentiles: Vec<(&'static str, f64)>,
}

/// Reads the mean latency of the queries, under the name of the scenario. A result that LoadGen
/// calls invalid fails.
///
/// # Errors
///
/// Fails if the file is not what LoadGen writes, or has no result.
pub(super) fn parse_mlperf_loadgen(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let mut log = LoadgenLog::default();
    for (number, line) in list_lines(text) {
        let Some(json) = line.strip_prefix(LINE_PREFIX) else {
            let cause = format!("it does not begin with `{}`", LINE_PREFIX.trim());
            return Err(AdapterError::Line { line: number, cause });
        };
        let LoadgenEvent { key, value } = parse_json_line(number, json)?;
        log.take_value(number, &key, value.get())?;
    }
    let mut run = RunCollector::new("mlperf-loadgen");
    run.add_load(log.describe_load());
    run.add_condition("harness-version", log.version);
    let name = if log.scenario.is_empty() { "latency" } else { &log.scenario };
    if log.validity.as_deref() == Some("INVALID") {
        let why = log.invalid_reason.unwrap_or_default();
        let sentence = format!("LoadGen calls the result invalid: {why}");
        run.add_failure(0, name, sentence.trim().trim_end_matches(':'))?;
        return run.finish();
    }
    let missing = |field| AdapterError::Missing { name: name.to_owned(), field };
    let mean = log.mean.ok_or_else(|| missing("result_mean_latency_ns"))?;
    let mut entry = AdapterEntry::of_mean(name, mean, 1.0, log.queries)
        .with_metric(RATE_METRIC, log.reached_rate);
    for (metric, time) in log.percentiles {
        entry = entry.with_metric(metric, Some(time));
    }
    run.add(0, entry)?;
    run.finish()
}

impl LoadgenLog {
    /// Returns the load. In the scenario Server, queries follow a schedule and count from it. In the
    /// scenarios with streams, a query follows the answer to the one before.
    fn describe_load(&self) -> LoadShape {
        let (pacing, origin) = match &*self.scenario {
            "Server" => (LoadPacing::Open, LatencyOrigin::IntendedStart),
            "SingleStream" | "MultiStream" => (LoadPacing::Closed, LatencyOrigin::Sent),
            _ => (LoadPacing::Unknown, LatencyOrigin::Unknown),
        };
        let asked = self.asked_rate.filter(|_| pacing == LoadPacing::Open);
        let rate = asked.and_then(|rate| RequestRate::new(rate).ok());
        LoadShape { pacing, origin, rate, concurrency: None }
    }

    fn take_value(&mut self, line: usize, key: &str, json: &str) -> Result<(), AdapterError> {
        match key {
            "loadgen_version" => self.version = Some(parse_json_line(line, json)?),
            "effective_scenario" => self.scenario = parse_json_line(line, json)?,
            "result_validity" => self.validity = Some(parse_json_line(line, json)?),
            "result_invalid_reason" => self.invalid_reason = Some(parse_json_line(line, json)?),
            "result_mean_latency_ns" => self.mean = Some(parse_json_line(line, json)?),
            "effective_target_qps" => self.asked_rate = Some(parse_json_line(line, json)?),
            "result_completed_samples_per_sec" => {
                self.reached_rate = Some(parse_json_line(line, json)?);
            }
            "result_query_count" => self.queries = Some(parse_json_line(line, json)?),
            key => {
                if let Some((_, metric)) = PERCENTILES.iter().find(|(name, _)| *name == key) {
                    self.percentiles.push((*metric, parse_json_line(line, json)?));
                }
            }
        }
        Ok(())
    }
}
