//! tinybench: its tasks as JSON, which the script prints itself:
//! `JSON.stringify(bench.tasks.map(({ name, result }) => ({ name, result })))`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::{MILLISECOND, parse_json};

#[derive(Deserialize)]
struct TinybenchTask<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    result: Option<TinybenchResult<'a>>,
}

/// The times are in milliseconds. Version 3 and later have them in `latency`, older ones beside it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TinybenchResult<'a> {
    #[serde(borrow)]
    state: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<TinybenchProblem<'a>>,
    #[serde(borrow)]
    runtime: Option<Cow<'a, str>>,
    #[serde(borrow)]
    runtime_version: Option<Cow<'a, str>>,
    latency: Option<TinybenchTimes>,
    #[serde(flatten)]
    older: TinybenchTimes,
}

/// An error of a script is an object without fields once it is JSON, unless the script writes more.
#[derive(Deserialize)]
struct TinybenchProblem<'a> {
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TinybenchTimes {
    samples: Option<Vec<f64>>,
    samples_count: Option<f64>,
    mean: Option<f64>,
    p50: Option<f64>,
    p99: Option<f64>,
}

/// Reads the time of each call if the script kept them (`retainSamples`); else the mean.
///
/// # Errors
///
/// Fails if the file has no tasks with results.
pub(super) fn parse_tinybench(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let tasks: Vec<TinybenchTask<'_>> = parse_json(bytes)?;
    let mut run = RunCollector::new("tinybench");
    for TinybenchTask { name, result } in tasks {
        let Some(result) = result else {
            run.add_failure(0, &name, "the task has no result")?;
            continue;
        };
        let is_failed = matches!(result.state.as_deref(), Some("errored" | "aborted"));
        if is_failed || result.error.is_some() {
            let message = result.error.and_then(|error| error.message);
            run.add_failure(0, &name, message.as_deref().unwrap_or("the task threw an error"))?;
            continue;
        }
        let TinybenchTimes { samples, samples_count, mean, p50, p99 } =
            result.latency.unwrap_or(result.older);
        let entry = if let Some(samples) = samples.filter(|samples| !samples.is_empty()) {
            AdapterEntry::of_calls(name, samples, MILLISECOND)
        } else {
            let field = "latency.mean";
            let mean =
                mean.ok_or_else(|| AdapterError::Missing { name: shorten_name(&name), field })?;
            AdapterEntry::of_mean(name, mean, MILLISECOND, samples_count)
                .with_metric("median_ns", p50.map(|time| time * MILLISECOND))
                .with_metric("p99_ns", p99.map(|time| time * MILLISECOND))
        };
        let runtime = result.runtime.zip(result.runtime_version);
        let runtime = runtime.map(|(name, version)| format!("{name} {version}"));
        run.add(0, entry.with_condition("runtime", runtime))?;
    }
    run.finish()
}
