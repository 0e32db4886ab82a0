//! GuideLLM: the report as JSON.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{MILLISECOND, SECOND, describe_failures, parse_json, quote_non_numbers};
use crate::run::{DROPPED_METRIC, LatencyOrigin, LoadPacing, LoadShape};
use crate::units::RequestRate;

#[derive(Deserialize)]
struct GuidellmReport<'a> {
    #[serde(borrow)]
    metadata: Option<GuidellmMetadata<'a>>,
    #[serde(borrow)]
    benchmarks: Vec<GuidellmBenchmark<'a>>,
}

#[derive(Deserialize)]
struct GuidellmMetadata<'a> {
    #[serde(borrow)]
    guidellm_version: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct GuidellmBenchmark<'a> {
    #[serde(borrow)]
    config: GuidellmConfig<'a>,
    requests: GuidellmRequests,
}

#[derive(Deserialize)]
struct GuidellmConfig<'a> {
    #[serde(borrow)]
    strategy: GuidellmStrategy<'a>,
}

/// How the load was made.
#[derive(Deserialize)]
struct GuidellmStrategy<'a> {
    #[serde(borrow)]
    type_: Cow<'a, str>,
    streams: Option<f64>,
    rate: Option<f64>,
    max_concurrency: Option<f64>,
}

impl GuidellmStrategy<'_> {
    /// Returns the load. GuideLLM has strategies with a rate, and others that keep a number of
    /// requests on their way.
    fn describe_load(&self) -> LoadShape {
        let pacing = match &*self.type_ {
            "constant" | "poisson" | "async" => LoadPacing::Open,
            "synchronous" | "concurrent" | "throughput" => LoadPacing::Closed,
            _ => LoadPacing::Unknown,
        };
        LoadShape {
            pacing,
            origin: LatencyOrigin::Sent,
            rate: self.rate.and_then(|rate| RequestRate::new(rate).ok()),
            concurrency: self.max_concurrency.or(self.streams),
        }
    }
}

#[derive(Deserialize)]
struct GuidellmRequests {
    successful: Vec<GuidellmRequest>,
    #[serde(default)]
    errored: Vec<serde::de::IgnoredAny>,
    /// Requests that the end of the test cut off.
    #[serde(default)]
    incomplete: Vec<serde::de::IgnoredAny>,
}

/// The figures of a request. Only an answer that streams has times of tokens.
#[derive(Deserialize)]
struct GuidellmRequest {
    /// Seconds since the Unix epoch.
    request_start_time: Option<f64>,
    request_latency: Option<f64>,
    time_to_first_token_ms: Option<f64>,
    inter_token_latency_ms: Option<f64>,
    output_tokens: Option<f64>,
}

/// Reads the latency of each request, the time until its first token, and its mean time between
/// tokens, for each load. A failed request fails them.
///
/// # Errors
///
/// Fails if the file is not what GuideLLM writes.
pub(super) fn parse_guidellm(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let json = quote_non_numbers(bytes);
    let report: GuidellmReport<'_> = parse_json(&json)?;
    let mut run = RunCollector::new("guidellm");
    let version = report.metadata.and_then(|metadata| metadata.guidellm_version);
    run.add_condition("harness-version", version);
    for GuidellmBenchmark { config, requests } in report.benchmarks {
        let shape = config.strategy.describe_load();
        let GuidellmStrategy { type_, streams, rate, .. } = config.strategy;
        let load = streams.or(rate).map(|load| format!("@{load}")).unwrap_or_default();
        let name = |figure: &str| format!("{type_}{load}/{figure}");
        let GuidellmRequests { successful, errored, incomplete } = requests;
        let cut_off = Some(incomplete.len() as f64).filter(|count| *count > 0.0);
        if !errored.is_empty() {
            let failed = errored.len() as f64;
            let sentence = describe_failures(failed, failed + successful.len() as f64);
            run.add_failure(0, &name("request_latency"), &sentence)?;
            continue;
        }
        let collect = |field: fn(&GuidellmRequest) -> Option<f64>| {
            successful.iter().filter_map(field).collect::<Vec<f64>>()
        };
        let starts = collect(|request| request.request_start_time);
        let latency = collect(|request| request.request_latency);
        let entry = AdapterEntry::of_calls(name("request_latency"), latency, SECOND);
        let entry = entry.with_load(shape).with_starts(starts.clone());
        run.add(0, entry.with_metric(DROPPED_METRIC, cut_off))?;
        let first = collect(|request| request.time_to_first_token_ms);
        if !first.is_empty() {
            let entry = AdapterEntry::of_calls(name("time_to_first_token"), first, MILLISECOND);
            run.add(0, entry.with_load(shape).with_starts(starts))?;
        }
        // The mean of the gaps of an answer: one fewer than its tokens.
        let gaps = successful.iter().filter_map(|request| {
            let tokens = request.output_tokens.filter(|tokens| *tokens > 1.0)?;
            Some((request.inter_token_latency_ms?, tokens - 1.0))
        });
        let (between, counts): (Vec<f64>, Vec<f64>) = gaps.unzip();
        if !between.is_empty() {
            let name = name("time_between_tokens");
            let entry = AdapterEntry::of_batches(name, between, MILLISECOND, Some(counts));
            run.add(0, entry.with_load(shape))?;
        }
    }
    run.finish()
}
