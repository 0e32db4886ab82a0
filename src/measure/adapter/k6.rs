//! k6: `--out json=FILE`, which has every request, or the summary of `--summary-export FILE` and
//! `handleSummary`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{
    MILLISECOND, describe_failures, list_lines, parse_json, parse_json_line, parse_timestamp,
    read_text,
};
use crate::run::{DROPPED_METRIC, LatencyOrigin, LoadPacing, LoadShape, RATE_METRIC};

/// The metric with the time of a request, in milliseconds.
const DURATION: &str = "http_req_duration";
/// The metric with whether a request failed.
const FAILED: &str = "http_req_failed";

/// The metric with the iterations that were due and not started. Only executors with a rate of
/// arrivals have it, and only if there are some.
const DROPPED: &str = "dropped_iterations";

/// A line of `--out json`.
#[derive(Deserialize)]
struct K6Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    metric: Cow<'a, str>,
    #[serde(borrow)]
    data: K6Point<'a>,
}

#[derive(Deserialize)]
struct K6Point<'a> {
    value: Option<f64>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tags: Option<K6Tags<'a>>,
}

#[derive(Deserialize)]
struct K6Tags<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct K6Summary<'a> {
    #[serde(borrow)]
    metrics: BTreeMap<Cow<'a, str>, K6Metric>,
}

/// A metric. `handleSummary` has the values in an object of their own.
#[derive(Deserialize)]
struct K6Metric {
    values: Option<K6Values>,
    #[serde(flatten)]
    own: K6Values,
}

/// Values of a trend, a counter or a rate. The times are in milliseconds.
#[derive(Clone, Default, Deserialize)]
struct K6Values {
    avg: Option<f64>,
    med: Option<f64>,
    #[serde(rename = "p(90)")]
    p90: Option<f64>,
    #[serde(rename = "p(95)")]
    p95: Option<f64>,
    #[serde(rename = "p(99)")]
    p99: Option<f64>,
    count: Option<f64>,
    rate: Option<f64>,
    passes: Option<f64>,
    fails: Option<f64>,
}

/// The requests of one name.
#[derive(Default)]
struct K6Requests {
    starts: Vec<f64>,
    times: Vec<f64>,
    failed: f64,
}

/// Reads the duration of each request by its name, or the mean of all. A failed request fails the
/// benchmark.
///
/// # Errors
///
/// Fails if the file is not what k6 writes.
pub(super) fn parse_k6(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let mut run = RunCollector::new("k6");
    let is_summary = text.lines().next().is_none_or(|line| !line.contains("\"type\":"));
    if is_summary || text.lines().nth(1).is_none() {
        add_summary(&mut run, &parse_json(bytes)?)?;
    } else {
        add_points(&mut run, text)?;
    }
    run.finish()
}

/// Returns the load of a test with this number of dropped iterations; `None` if it states none. The
/// executor is not in the output. Latency counts from sending.
fn describe_load(dropped: Option<f64>) -> LoadShape {
    let pacing = if dropped.is_some() { LoadPacing::Open } else { LoadPacing::Unknown };
    LoadShape { pacing, origin: LatencyOrigin::Sent, ..LoadShape::default() }
}

fn add_summary(run: &mut RunCollector, summary: &K6Summary<'_>) -> Result<(), AdapterError> {
    let values = |name: &str| {
        let metric = summary.metrics.get(name)?;
        Some(metric.values.as_ref().unwrap_or(&metric.own))
    };
    let missing = |field| AdapterError::Missing { name: DURATION.to_owned(), field };
    let times = values(DURATION).ok_or_else(|| missing("http_req_duration"))?;
    let mean = times.avg.ok_or_else(|| missing("avg"))?;
    // The metric counts failed requests as those that "pass" its question.
    if let Some(K6Values { passes: Some(failed), fails: Some(good), .. }) = values(FAILED)
        && *failed > 0.0
    {
        return run.add_failure(0, DURATION, &describe_failures(*failed, failed + good));
    }
    let requests = values("http_reqs");
    let count = requests.and_then(|requests| requests.count);
    let dropped = values(DROPPED).and_then(|dropped| dropped.count);
    run.add_load(describe_load(dropped));
    let nanos = |time: Option<f64>| time.map(|time| time * MILLISECOND);
    let entry = AdapterEntry::of_mean(DURATION, mean, MILLISECOND, count)
        .with_metric("p50_ns", nanos(times.med))
        .with_metric("p90_ns", nanos(times.p90))
        .with_metric("p95_ns", nanos(times.p95))
        .with_metric("p99_ns", nanos(times.p99))
        .with_metric(DROPPED_METRIC, dropped)
        .with_metric(RATE_METRIC, requests.and_then(|requests| requests.rate));
    run.add(0, entry)
}

fn add_points(run: &mut RunCollector, text: &str) -> Result<(), AdapterError> {
    let mut order: Vec<String> = Vec::new();
    let mut found: HashMap<String, K6Requests> = HashMap::new();
    let mut dropped: Option<f64> = None;
    for (number, line) in list_lines(text) {
        let K6Line { kind, metric, data } = parse_json_line(number, line)?;
        let is_wanted = metric == DURATION || metric == FAILED || metric == DROPPED;
        let Some(value) = data.value.filter(|_| kind == "Point" && is_wanted) else { continue };
        if metric == DROPPED {
            *dropped.get_or_insert_default() += value;
            continue;
        }
        let tags =
            data.tags.map(|tags| (tags.method.unwrap_or_default(), tags.name.unwrap_or_default()));
        let (method, name) = tags.unwrap_or_default();
        let name = format!("{method} {name}").trim().to_owned();
        let name = if name.is_empty() { DURATION.to_owned() } else { name };
        let requests = found.entry(name).or_insert_with_key(|name| {
            order.push(name.clone());
            K6Requests::default()
        });
        if metric == DURATION {
            requests.times.push(value);
            if let Some(time) = data.time {
                let refuse = |cause: String| AdapterError::Line { line: number, cause };
                requests.starts.push(parse_timestamp(&time).map_err(refuse)?);
            }
        } else {
            requests.failed += value;
        }
    }
    run.add_load(describe_load(dropped));
    for name in order {
        let Some(K6Requests { starts, times, failed }) = found.remove(&name) else { continue };
        if failed > 0.0 {
            run.add_failure(0, &name, &describe_failures(failed, times.len() as f64))?;
        } else {
            let entry = AdapterEntry::of_calls(name, times, MILLISECOND).with_starts(starts);
            run.add(0, entry.with_metric(DROPPED_METRIC, dropped))?;
        }
    }
    Ok(())
}
