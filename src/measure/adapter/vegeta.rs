//! vegeta: `vegeta encode`, which has every request, or `vegeta report -type=json`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{
    describe_failures, list_lines, parse_json, parse_json_line, parse_timestamp, read_text,
};
use crate::run::{LatencyOrigin, LoadPacing, LoadShape, RATE_METRIC};

/// The name of the benchmark if the attack has none.
const NAME: &str = "attack";

/// One request. The time is in nanoseconds.
#[derive(Deserialize)]
struct VegetaHit<'a> {
    #[serde(borrow, default)]
    attack: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
    latency: f64,
    #[serde(borrow)]
    error: Cow<'a, str>,
}

/// The times are in nanoseconds.
#[derive(Deserialize)]
struct VegetaReport {
    latencies: VegetaLatencies,
    requests: f64,
    throughput: Option<f64>,
    success: f64,
}

/// The requests of one attack.
#[derive(Default)]
struct VegetaAttack {
    starts: Vec<f64>,
    times: Vec<f64>,
    failed: f64,
}

#[derive(Deserialize)]
struct VegetaLatencies {
    mean: f64,
    #[serde(rename = "50th")]
    p50: Option<f64>,
    #[serde(rename = "90th")]
    p90: Option<f64>,
    #[serde(rename = "95th")]
    p95: Option<f64>,
    #[serde(rename = "99th")]
    p99: Option<f64>,
}

/// Reads the latency of each request by the name of its attack, or the mean of all. A failed request
/// fails the benchmark.
///
/// # Errors
///
/// Fails if the file is not what vegeta prints.
pub(super) fn parse_vegeta(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let mut run = RunCollector::new("vegeta");
    // It adds workers where the answers are slow. The output has neither the rate nor the limit on
    // workers.
    run.add_load(LoadShape {
        pacing: LoadPacing::Open,
        origin: LatencyOrigin::Sent,
        ..LoadShape::default()
    });
    if text.contains("\"latencies\"") && !text.contains("\"latency\"") {
        let VegetaReport { latencies, requests, throughput, success } = parse_json(bytes)?;
        let failed = (requests * (1.0 - success)).round();
        if failed > 0.0 {
            run.add_failure(0, NAME, &describe_failures(failed, requests))?;
            return run.finish();
        }
        let entry = AdapterEntry::of_mean(NAME, latencies.mean, 1.0, Some(requests))
            .with_metric("p50_ns", latencies.p50)
            .with_metric("p90_ns", latencies.p90)
            .with_metric("p95_ns", latencies.p95)
            .with_metric("p99_ns", latencies.p99)
            .with_metric(RATE_METRIC, throughput);
        run.add(0, entry)?;
        return run.finish();
    }
    let mut attacks: BTreeMap<String, VegetaAttack> = BTreeMap::new();
    for (number, line) in list_lines(text) {
        let VegetaHit { attack, timestamp, latency, error } = parse_json_line(number, line)?;
        let name = if attack.is_empty() { NAME } else { &attack };
        if !attacks.contains_key(name) {
            attacks.insert(name.to_owned(), VegetaAttack::default());
        }
        let Some(attack) = attacks.get_mut(name) else { continue };
        attack.times.push(latency);
        attack.failed += if error.is_empty() { 0.0 } else { 1.0 };
        if let Some(time) = timestamp {
            let refuse = |cause: String| AdapterError::Line { line: number, cause };
            attack.starts.push(parse_timestamp(&time).map_err(refuse)?);
        }
    }
    for (name, VegetaAttack { starts, times, failed }) in attacks {
        if failed > 0.0 {
            run.add_failure(0, &name, &describe_failures(failed, times.len() as f64))?;
        } else {
            run.add(0, AdapterEntry::of_calls(name, times, 1.0).with_starts(starts))?;
        }
    }
    run.finish()
}
