//! GenAI-Perf and Perf Analyzer: the requests of a measurement, `profile_export.json`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{describe_failures, parse_json};

/// What a streaming service sends before the content of each response.
const DATA_START: &str = "data: ";
/// The last response of a stream. It has no content.
const STREAM_END: &str = "[DONE]";
/// The start of a response that is an error in a stream.
const ERROR_START: &str = "event: error";

#[derive(Deserialize)]
struct GenaiFile<'a> {
    #[serde(borrow)]
    experiments: Vec<GenaiMeasurement<'a>>,
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    endpoint: Option<Cow<'a, str>>,
}

/// The requests at one level of load.
#[derive(Deserialize)]
struct GenaiMeasurement<'a> {
    #[serde(borrow)]
    experiment: GenaiLoad<'a>,
    #[serde(borrow)]
    requests: Vec<GenaiRequest<'a>>,
}

#[derive(Deserialize)]
struct GenaiLoad<'a> {
    #[serde(borrow)]
    mode: Cow<'a, str>,
    value: f64,
}

/// One request. The moments are nanoseconds since 1970.
#[derive(Deserialize)]
struct GenaiRequest<'a> {
    timestamp: u64,
    response_timestamps: Vec<u64>,
    #[serde(borrow, default)]
    response_outputs: Vec<GenaiResponse<'a>>,
}

/// A response. Services other than OpenAI's have other fields, and none of them is read.
#[derive(Deserialize)]
struct GenaiResponse<'a> {
    #[serde(borrow)]
    response: Option<Cow<'a, str>>,
}

/// The part of a response that shows whether it has content.
#[derive(Deserialize)]
struct GenaiContent<'a> {
    #[serde(borrow)]
    choices: Option<Vec<GenaiChoice<'a>>>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct GenaiChoice<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    delta: Option<GenaiDelta<'a>>,
    message: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct GenaiDelta<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reasoning_content: Option<Cow<'a, str>>,
}

/// What one response is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ResponseKind {
    Content,
    /// A role, or the end of a stream.
    Empty,
    Error,
}

/// The times of all requests at one level of load, in nanoseconds.
#[derive(Default)]
struct GenaiTimes {
    latencies: Vec<f64>,
    first_tokens: Vec<f64>,
    gaps: Vec<f64>,
    failed: f64,
}

/// Reads the time of each request, the time to its first token, and the times between its responses.
/// Responses without content do not count, as in GenAI-Perf. A failed request fails all of them.
///
/// # Errors
///
/// Fails if the file is not what Perf Analyzer writes, or if a response comes before its request.
pub(super) fn parse_genai_perf(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let file: GenaiFile<'_> = parse_json(bytes)?;
    let mut run = RunCollector::new("genai-perf");
    run.add_condition("harness-version", file.version);
    run.add_condition("endpoint", file.endpoint);
    let has_levels = file.experiments.len() > 1;
    for GenaiMeasurement { experiment, requests } in file.experiments {
        let GenaiLoad { mode, value } = experiment;
        let start = if has_levels { format!("{mode}={value}/") } else { String::new() };
        let load = format!("{mode} {value}");
        let total = requests.len() as f64;
        let mut times = GenaiTimes::default();
        for request in &requests {
            times.add_request(request);
        }
        let GenaiTimes { latencies, first_tokens, gaps, failed } = times;
        let figures = [
            ("request_latency", latencies),
            ("time_to_first_token", first_tokens),
            ("inter_chunk_latency", gaps),
        ];
        for (figure, times) in figures {
            let name = format!("{start}{figure}");
            if failed > 0.0 {
                run.add_failure(0, &name, &describe_failures(failed, total))?;
            } else if !times.is_empty() {
                let entry = AdapterEntry::of_calls(name, times, 1.0);
                run.add(0, entry.with_condition("load", Some(&load)))?;
            }
        }
    }
    run.finish()
}

impl GenaiTimes {
    fn add_request(&mut self, request: &GenaiRequest<'_>) {
        let GenaiRequest { timestamp, response_timestamps, response_outputs } = request;
        let kind_of = |at: usize| {
            let text = response_outputs.get(at).and_then(|output| output.response.as_deref());
            text.map_or(ResponseKind::Content, classify_response)
        };
        let kinds: Vec<ResponseKind> = (0..response_timestamps.len()).map(kind_of).collect();
        if kinds.is_empty() || kinds.contains(&ResponseKind::Error) {
            self.failed += 1.0;
            return;
        }
        let with_content = response_timestamps.iter().zip(kinds);
        let moments: Vec<u64> = with_content
            .filter(|(_, kind)| *kind == ResponseKind::Content)
            .map(|(moment, _)| *moment)
            .collect();
        let [first, .., last] = moments[..] else {
            // Without a stream, a request has one response, and no first token.
            self.latencies
                .extend(moments.iter().map(|moment| subtract_moments(*moment, *timestamp)));
            return;
        };
        self.latencies.push(subtract_moments(last, *timestamp));
        self.first_tokens.push(subtract_moments(first, *timestamp));
        let pairs = moments.windows(2);
        self.gaps.extend(pairs.map(|pair| subtract_moments(pair[1], pair[0])));
    }
}

/// Returns the nanoseconds from one moment to a later one. They are negative if it is not later, and
/// then the benchmark is refused. A number of nanoseconds since 1970 is too large for an `f64`, their
/// difference is not.
fn subtract_moments(later: u64, earlier: u64) -> f64 {
    let distance = later.abs_diff(earlier) as f64;
    if later < earlier { -distance } else { distance }
}

fn classify_response(text: &str) -> ResponseKind {
    let text = text.trim();
    if text.starts_with(ERROR_START) {
        return ResponseKind::Error;
    }
    let content = text.strip_prefix(DATA_START).unwrap_or(text);
    if content.is_empty() || content == STREAM_END {
        return ResponseKind::Empty;
    }
    // Several chunks in one response, and services with other formats, have content.
    let Ok(GenaiContent { choices, error }) = serde_json::from_str(content) else {
        return ResponseKind::Content;
    };
    if error.is_some() {
        return ResponseKind::Error;
    }
    let has_content = choices.is_none_or(|choices| choices.iter().any(GenaiChoice::has_content));
    if has_content { ResponseKind::Content } else { ResponseKind::Empty }
}

impl GenaiChoice<'_> {
    fn has_content(&self) -> bool {
        let delta = self.delta.iter().flat_map(|delta| [&delta.content, &delta.reasoning_content]);
        let mut texts = delta.chain([&self.text]).flatten();
        self.message.is_some() || texts.any(|text| !text.is_empty())
    }
}
