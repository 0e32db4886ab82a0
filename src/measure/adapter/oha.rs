//! oha: `--output-format csv`, which has every request, or `--output-format json`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{SECOND, describe_failures, list_lines, parse_json, parse_number, read_text};
use crate::run::{DROPPED_METRIC, LoadShape, RATE_METRIC};

/// The name of the one benchmark: oha's output does not have the address.
const NAME: &str = "request";
/// The first line of the CSV format.
const CSV_HEADER: &str =
    "request-start,DNS,DNS+dialup,Response-delay,request-duration,bytes,status";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OhaFile<'a> {
    summary: OhaSummary,
    #[serde(default)]
    latency_percentiles: BTreeMap<String, Option<f64>>,
    #[serde(borrow)]
    status_code_distribution: BTreeMap<Cow<'a, str>, f64>,
    #[serde(borrow, default)]
    error_distribution: BTreeMap<Cow<'a, str>, f64>,
}

/// The times are in seconds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OhaSummary {
    average: f64,
    requests_per_sec: Option<f64>,
}

/// Reads the duration of each request, or the mean of all. A failed request fails the benchmark. In
/// CSV, oha leaves out requests without an answer.
///
/// The output does not state how requests were sent and from when their duration counts.
///
/// # Errors
///
/// Fails if the file is not what oha prints.
pub(super) fn parse_oha(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let mut run = RunCollector::new("oha");
    run.add_load(LoadShape::default());
    let text = read_text(bytes)?;
    if text.trim_start().starts_with('{') {
        add_summary(&mut run, parse_json(bytes)?)?;
    } else {
        add_requests(&mut run, text)?;
    }
    run.finish()
}

fn is_success(status: &str) -> bool {
    status.starts_with(['2', '3'])
}

fn add_summary(run: &mut RunCollector, file: OhaFile<'_>) -> Result<(), AdapterError> {
    let OhaFile { summary, latency_percentiles, status_code_distribution, error_distribution } =
        file;
    let statuses = status_code_distribution.iter();
    let bad: f64 = statuses.filter(|(status, _)| !is_success(status)).map(|(_, count)| count).sum();
    let answered: f64 = status_code_distribution.values().sum();
    // Requests that the end of the test cuts off are not failures of the service.
    let (cut_off, broken) =
        error_distribution.iter().partition::<Vec<_>, _>(|(why, _)| why.contains("deadline"));
    let [cut_off, broken] =
        [cut_off, broken].map(|errors| errors.iter().map(|(_, count)| **count).sum::<f64>());
    if bad + broken > 0.0 {
        return run.add_failure(0, NAME, &describe_failures(bad + broken, answered + broken));
    }
    let percentile = |key: &str| Some(latency_percentiles.get(key).copied()?? * SECOND);
    let entry = AdapterEntry::of_mean(NAME, summary.average, SECOND, Some(answered))
        .with_metric("p50_ns", percentile("p50"))
        .with_metric("p90_ns", percentile("p90"))
        .with_metric("p95_ns", percentile("p95"))
        .with_metric("p99_ns", percentile("p99"))
        .with_metric(DROPPED_METRIC, (cut_off > 0.0).then_some(cut_off))
        .with_metric(RATE_METRIC, summary.requests_per_sec);
    run.add(0, entry)
}

fn add_requests(run: &mut RunCollector, text: &str) -> Result<(), AdapterError> {
    let (mut starts, mut times) = (Vec::new(), Vec::new());
    let mut failed = 0.0;
    let mut is_begun = false;
    for (line, content) in list_lines(text) {
        let refuse = |cause: String| AdapterError::Line { line, cause };
        if !is_begun {
            if content != CSV_HEADER {
                return Err(refuse("not the header of oha's CSV format".to_owned()));
            }
            is_begun = true;
            continue;
        }
        let fields: Vec<&str> = content.split(',').collect();
        let [start, .., duration, _, status] = fields[..] else {
            return Err(refuse(format!("{} fields", fields.len())));
        };
        let is_complete = fields.len() == CSV_HEADER.split(',').count();
        if !is_complete {
            return Err(refuse(format!("{} fields", fields.len())));
        }
        if is_success(status) {
            starts.push(parse_number(start).map_err(refuse)?);
            times.push(parse_number(duration).map_err(refuse)?);
        } else {
            failed += 1.0;
        }
    }
    if failed > 0.0 {
        let total = failed + times.len() as f64;
        return run.add_failure(0, NAME, &describe_failures(failed, total));
    }
    if is_begun {
        run.add(0, AdapterEntry::of_calls(NAME, times, SECOND).with_starts(starts))?;
    }
    Ok(())
}
