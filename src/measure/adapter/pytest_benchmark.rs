//! pytest-benchmark: `--benchmark-json=FILE` and the files of `--benchmark-save`, with or without
//! `--benchmark-save-data`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{SECOND, parse_json, quote_non_numbers};

#[derive(Deserialize)]
struct PytestFile<'a> {
    #[serde(borrow, default)]
    machine_info: PytestMachine<'a>,
    #[serde(borrow)]
    benchmarks: Vec<PytestBenchmark<'a>>,
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct PytestMachine<'a> {
    #[serde(borrow)]
    python_implementation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    python_version: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct PytestBenchmark<'a> {
    #[serde(borrow)]
    fullname: Cow<'a, str>,
    stats: PytestStats,
}

/// The times are in seconds per call. Each is the mean of `iterations` calls.
#[derive(Deserialize)]
struct PytestStats {
    mean: f64,
    median: Option<f64>,
    rounds: f64,
    iterations: f64,
    #[serde(default)]
    data: Vec<f64>,
}

/// Reads the times of each round; without them, the mean of all calls.
///
/// # Errors
///
/// Fails if the file is not what pytest-benchmark writes.
pub(super) fn parse_pytest_benchmark(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let json = quote_non_numbers(bytes);
    let file: PytestFile<'_> = parse_json(&json)?;
    let mut run = RunCollector::new("pytest-benchmark");
    run.add_condition("harness-version", file.version);
    let PytestMachine { python_implementation, python_version } = file.machine_info;
    let runtime = python_implementation.zip(python_version);
    run.add_condition("runtime", runtime.map(|(name, version)| format!("{name} {version}")));
    for PytestBenchmark { fullname, stats } in file.benchmarks {
        let PytestStats { mean, median, rounds, iterations, data } = stats;
        let entry = if data.is_empty() {
            AdapterEntry::of_mean(fullname, mean, SECOND, Some(rounds * iterations))
                .with_metric("median_ns", median.map(|median| median * SECOND))
        } else {
            let calls = vec![iterations; data.len()];
            AdapterEntry::of_batches(fullname, data, SECOND, Some(calls))
        };
        run.add(0, entry)?;
    }
    run.finish()
}
