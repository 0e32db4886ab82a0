//! wrk and wrk2: what they print with `--latency`.

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{describe_failures, list_lines, parse_duration, parse_number, read_text};
use crate::run::{LatencyOrigin, LoadPacing, LoadShape, RATE_METRIC};

/// What is read of the output of one run.
#[derive(Default)]
struct WrkOutput {
    name: String,
    mean: Option<f64>,
    requests: Option<f64>,
    percentiles: Vec<(&'static str, f64)>,
    failed: f64,
    rate: Option<f64>,
    connections: Option<f64>,
    /// Whether wrk2 wrote it: wrk has no rate and no corrected latency.
    is_wrk2: bool,
    /// Whether the percentiles that follow are not the corrected ones.
    is_uncorrected: bool,
}

/// Beginning of the line before the percentiles that wrk2 corrects.
const CORRECTED_TITLE: &str = "Latency Distribution (HdrHistogram - Recorded";
/// Beginning of the line before the percentiles that wrk2 does not correct.
const UNCORRECTED_TITLE: &str = "Latency Distribution (HdrHistogram - Uncorrected";

/// The percentiles of the output and the metrics that they become.
const PERCENTILES: [(&str, &str); 4] =
    [("50", "p50_ns"), ("75", "p75_ns"), ("90", "p90_ns"), ("99", "p99_ns")];

/// Reads the mean latency of all requests. A failed request fails the benchmark.
///
/// wrk sends a request when an answer has come. wrk2 sends on schedule and counts from it; its output
/// does not have the rate.
///
/// # Errors
///
/// Fails if the output is not that of wrk.
pub(super) fn parse_wrk(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let mut output = WrkOutput::default();
    for (line, content) in list_lines(text) {
        output.take_line(content.trim()).map_err(|cause| AdapterError::Line { line, cause })?;
    }
    let WrkOutput { name, mean, requests, percentiles, failed, rate, connections, is_wrk2, .. } =
        output;
    let mut run = RunCollector::new("wrk");
    let (pacing, origin) = if is_wrk2 {
        (LoadPacing::Open, LatencyOrigin::IntendedStart)
    } else {
        (LoadPacing::Closed, LatencyOrigin::Sent)
    };
    run.add_load(LoadShape { pacing, origin, rate: None, concurrency: connections });
    if failed > 0.0 {
        run.add_failure(0, &name, &describe_failures(failed, requests.unwrap_or(failed)))?;
        return run.finish();
    }
    let Some(mean) = mean else { return run.finish() };
    let missing = AdapterError::Missing { name: name.clone(), field: "number of requests" };
    let mut entry = AdapterEntry::of_mean(name, mean, 1.0, Some(requests.ok_or(missing)?));
    for (metric, time) in percentiles {
        entry = entry.with_metric(metric, Some(time));
    }
    entry = entry.with_metric(RATE_METRIC, rate);
    run.add(0, entry)?;
    run.finish()
}

impl WrkOutput {
    /// Reads one line. Fails with the reason if it begins like a known one and is not one.
    fn take_line(&mut self, line: &str) -> Result<(), String> {
        if let Some((_, address)) =
            line.strip_prefix("Running ").and_then(|rest| rest.split_once(" @ "))
        {
            address.clone_into(&mut self.name);
        } else if line.starts_with(CORRECTED_TITLE) {
            self.is_wrk2 = true;
        } else if line.starts_with(UNCORRECTED_TITLE) {
            self.is_uncorrected = true;
        } else if let Some(rate) = line.strip_prefix("Requests/sec:") {
            self.rate = Some(parse_number(rate.trim())?);
        } else if let Some(count) =
            line.split_once(" threads and ").and_then(|(_, rest)| rest.strip_suffix(" connections"))
        {
            self.connections = Some(parse_number(count)?);
        } else if let Some(columns) = line.strip_prefix("Latency  ") {
            // Mean, standard deviation, largest, share within a deviation.
            let mean = columns.split_whitespace().next().unwrap_or_default();
            self.mean = Some(parse_duration(mean)?);
        } else if let Some((count, rest)) = line.split_once(" requests in ")
            && !rest.is_empty()
        {
            self.requests = Some(parse_number(count.trim())?);
        } else if let Some(count) = line.strip_prefix("Non-2xx or 3xx responses: ") {
            self.failed += parse_number(count)?;
        } else if let Some(counts) = line.strip_prefix("Socket errors: ") {
            for count in counts.split(", ") {
                let number = count.rsplit(' ').next().unwrap_or_default();
                self.failed += parse_number(number)?;
            }
        } else if let Some((percentile, time)) = line.split_once('%') {
            // wrk2 prints three decimals.
            let percentile = percentile.trim_end_matches(".000");
            let known = PERCENTILES.iter().find(|(text, _)| *text == percentile);
            if let Some((_, metric)) = known.filter(|_| !self.is_uncorrected) {
                self.percentiles.push((*metric, parse_duration(time)?));
            }
        }
        Ok(())
    }
}
