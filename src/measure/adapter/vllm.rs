//! vLLM: `vllm bench serve --save-result --save-detailed`, or without the details.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{MILLISECOND, SECOND, describe_failures, parse_json, quote_non_numbers};
use crate::run::{LatencyOrigin, LoadPacing, LoadShape, RATE_METRIC};
use crate::units::RequestRate;

/// Time from a request to its first token.
const FIRST_TOKEN: &str = "time_to_first_token";
/// Time from one token of an answer to the next.
const BETWEEN_TOKENS: &str = "time_between_tokens";

#[derive(Deserialize)]
struct VllmFile<'a> {
    #[serde(borrow)]
    backend: Option<Cow<'a, str>>,
    #[serde(borrow)]
    model_id: Option<Cow<'a, str>>,
    request_rate: Option<VllmRate<'a>>,
    max_concurrency: Option<u64>,
    request_throughput: Option<f64>,
    completed: f64,
    #[serde(default)]
    failed: f64,
    /// Seconds until the first token, by request.
    #[serde(default)]
    ttfts: Vec<f64>,
    /// Seconds between tokens, by request.
    #[serde(default)]
    itls: Vec<Vec<f64>>,
    #[serde(borrow, default)]
    errors: Vec<Option<Cow<'a, str>>>,
    mean_ttft_ms: f64,
    median_ttft_ms: Option<f64>,
    p99_ttft_ms: Option<f64>,
    mean_itl_ms: Option<f64>,
    median_itl_ms: Option<f64>,
    p99_itl_ms: Option<f64>,
}

/// Requests per second, or `inf`.
#[derive(Deserialize)]
#[serde(untagged)]
enum VllmRate<'a> {
    Number(f64),
    Text(#[serde(borrow)] Cow<'a, str>),
}

impl VllmFile<'_> {
    /// Returns the load. Requests follow a schedule, and wait for a free place if there is a limit on
    /// their number at a time. Without a rate, the limit alone decides when a request is sent.
    fn describe_load(&self) -> LoadShape {
        let rate = match &self.request_rate {
            Some(VllmRate::Number(rate)) => Some(*rate),
            Some(VllmRate::Text(word)) => word.parse().ok(),
            None => None,
        };
        let pacing = match (rate, self.max_concurrency) {
            (Some(f64::INFINITY), Some(_)) => LoadPacing::Closed,
            (Some(_), _) => LoadPacing::Open,
            (None, _) => LoadPacing::Unknown,
        };
        LoadShape {
            pacing,
            origin: LatencyOrigin::Sent,
            rate: rate.and_then(|rate| RequestRate::new(rate).ok()),
            concurrency: self.max_concurrency.map(|count| count as f64),
        }
    }
}

/// Reads the times until the first token and between tokens: each of them, or their means. A failed
/// request fails both.
///
/// # Errors
///
/// Fails if the file is not what vLLM writes.
pub(super) fn parse_vllm(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let json = quote_non_numbers(bytes);
    let file: VllmFile<'_> = parse_json(&json)?;
    let mut run = RunCollector::new("vllm");
    run.add_condition("backend", file.backend.as_deref());
    run.add_condition("model", file.model_id.as_deref());
    run.add_load(file.describe_load());
    let is_error =
        |error: &&Option<Cow<'_, str>>| error.as_ref().is_some_and(|message| !message.is_empty());
    let failed = file.failed.max(file.errors.iter().filter(is_error).count() as f64);
    if failed > 0.0 {
        let sentence = describe_failures(failed, failed + file.completed);
        run.add_failure(0, FIRST_TOKEN, &sentence)?;
        run.add_failure(0, BETWEEN_TOKENS, &sentence)?;
        return run.finish();
    }
    let nanos = |time: Option<f64>| time.map(|time| time * MILLISECOND);
    let first = if file.ttfts.is_empty() {
        AdapterEntry::of_mean(FIRST_TOKEN, file.mean_ttft_ms, MILLISECOND, Some(file.completed))
            .with_metric("median_ns", nanos(file.median_ttft_ms))
            .with_metric("p99_ns", nanos(file.p99_ttft_ms))
    } else {
        AdapterEntry::of_calls(FIRST_TOKEN, file.ttfts, SECOND)
    };
    run.add(0, first.with_metric(RATE_METRIC, file.request_throughput))?;
    let between: Vec<f64> = file.itls.into_iter().flatten().collect();
    if !between.is_empty() {
        run.add(0, AdapterEntry::of_calls(BETWEEN_TOKENS, between, SECOND))?;
    } else if let Some(mean) = file.mean_itl_ms.filter(|mean| *mean > 0.0) {
        let entry = AdapterEntry::of_mean(BETWEEN_TOKENS, mean, MILLISECOND, None)
            .with_metric("median_ns", nanos(file.median_itl_ms))
            .with_metric("p99_ns", nanos(file.p99_itl_ms));
        run.add(0, entry)?;
    }
    run.finish()
}
