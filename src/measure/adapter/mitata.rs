//! mitata: `run({ format: 'json' })`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::parse_json;

#[derive(Deserialize)]
struct MitataFile<'a> {
    #[serde(borrow, default)]
    layout: Vec<MitataLayout<'a>>,
    #[serde(borrow)]
    benchmarks: Vec<MitataBenchmark<'a>>,
    #[serde(borrow)]
    context: MitataContext<'a>,
}

#[derive(Deserialize)]
struct MitataLayout<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct MitataContext<'a> {
    #[serde(borrow)]
    runtime: Option<Cow<'a, str>>,
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct MitataBenchmark<'a> {
    group: Option<usize>,
    #[serde(borrow)]
    runs: Vec<MitataRun<'a>>,
}

#[derive(Deserialize)]
struct MitataRun<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    stats: Option<MitataStats>,
    #[serde(borrow)]
    error: Option<MitataProblem<'a>>,
}

#[derive(Deserialize)]
struct MitataProblem<'a> {
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

/// The times are in nanoseconds per call, and `ticks` is the number of calls.
#[derive(Deserialize)]
struct MitataStats {
    samples: Option<Vec<f64>>,
    avg: f64,
    p50: Option<f64>,
    p99: Option<f64>,
    ticks: Option<f64>,
    heap: Option<MitataHeap>,
}

/// What a call allocated, in bytes.
#[derive(Deserialize)]
struct MitataHeap {
    avg: Option<f64>,
}

/// Reads each sample: a call, or a batch if the benchmark is fast. mitata drops the two fastest and
/// the two slowest samples itself.
///
/// # Errors
///
/// Fails if the file is not what mitata writes.
pub(super) fn parse_mitata(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let file: MitataFile<'_> = parse_json(bytes)?;
    let mut run = RunCollector::new("mitata");
    let runtime = file.context.runtime.zip(file.context.version);
    run.add_condition("runtime", runtime.map(|(name, version)| format!("{name} {version}")));
    for MitataBenchmark { group, runs } in file.benchmarks {
        let group = group.and_then(|group| file.layout.get(group)?.name.as_deref());
        for MitataRun { name, stats, error } in runs {
            let name = group.map_or(name.clone(), |group| format!("{group}/{name}").into());
            let Some(stats) = stats.filter(|_| error.is_none()) else {
                let message = error.and_then(|error| error.message);
                let message = message.as_deref().unwrap_or("the benchmark threw an error");
                run.add_failure(0, &name, message)?;
                continue;
            };
            run.add(0, make_entry(name, stats)?)?;
        }
    }
    run.finish()
}

fn make_entry(name: Cow<'_, str>, stats: MitataStats) -> Result<AdapterEntry, AdapterError> {
    let MitataStats { samples, avg, p50, p99, ticks, heap } = stats;
    let samples = samples.filter(|samples| !samples.is_empty());
    let entry = if let Some(samples) = samples {
        let field = "ticks";
        let missing = || AdapterError::Missing { name: shorten_name(&name), field };
        let calls = ticks.ok_or_else(missing)? / samples.len() as f64;
        let calls = vec![calls; samples.len()];
        AdapterEntry::of_batches(name, samples, 1.0, Some(calls))
    } else {
        AdapterEntry::of_mean(name, avg, 1.0, ticks)
            .with_metric("median_ns", p50)
            .with_metric("p99_ns", p99)
    };
    Ok(entry.with_metric("allocated_bytes", heap.and_then(|heap| heap.avg)))
}
