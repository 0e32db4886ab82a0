//! Vitest bench, up to version 4: `vitest bench --outputJson FILE`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::{MILLISECOND, parse_json};

#[derive(Deserialize)]
struct VitestFile<'a> {
    #[serde(borrow)]
    files: Vec<VitestModule<'a>>,
}

#[derive(Deserialize)]
struct VitestModule<'a> {
    #[serde(borrow)]
    groups: Vec<VitestGroup<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VitestGroup<'a> {
    #[serde(borrow)]
    full_name: Cow<'a, str>,
    #[serde(borrow)]
    benchmarks: Vec<VitestBenchmark<'a>>,
}

/// The times are in milliseconds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VitestBenchmark<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default)]
    samples: Vec<f64>,
    mean: Option<f64>,
    median: Option<f64>,
    p99: Option<f64>,
    sample_count: Option<f64>,
}

/// Reads the mean. Vitest 1 to 4 leave the samples out of the file, also with
/// `benchmark.includeSamples`; if a file has them, they are times of calls.
///
/// # Errors
///
/// Fails if the file is not what Vitest writes.
pub(super) fn parse_vitest(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let file: VitestFile<'_> = parse_json(bytes)?;
    let mut run = RunCollector::new("vitest");
    for VitestGroup { full_name, benchmarks } in file.files.into_iter().flat_map(|file| file.groups)
    {
        for benchmark in benchmarks {
            let name = format!("{}/{}", full_name.replace(" > ", "/"), benchmark.name);
            let VitestBenchmark { samples, mean, median, p99, sample_count, .. } = benchmark;
            let entry = if samples.is_empty() {
                let field = "mean";
                let missing = || AdapterError::Missing { name: shorten_name(&name), field };
                let mean = mean.ok_or_else(missing)?;
                AdapterEntry::of_mean(name, mean, MILLISECOND, sample_count)
                    .with_metric("median_ns", median.map(|time| time * MILLISECOND))
                    .with_metric("p99_ns", p99.map(|time| time * MILLISECOND))
            } else {
                AdapterEntry::of_calls(name, samples, MILLISECOND)
            };
            run.add(0, entry)?;
        }
    }
    run.finish()
}
