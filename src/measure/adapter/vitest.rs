//! Vitest bench: `vitest bench --outputJson FILE` up to version 4, and from version 5 on
//! `vitest bench --reporter=json --outputFile=FILE`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::{MILLISECOND, parse_json};

/// What Vitest writes between the names of a file, of suites and of a test.
const NAME_SEPARATOR: &str = " > ";

/// A file of either form. The form of version 4 has `files`, the form of version 5 `testResults`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VitestFile<'a> {
    #[serde(borrow)]
    files: Option<Vec<VitestModule<'a>>>,
    #[serde(borrow)]
    test_results: Option<Vec<VitestTests<'a>>>,
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

/// The tests of one file. Its name is a path.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VitestTests<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    assertion_results: Vec<VitestTest<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VitestTest<'a> {
    #[serde(borrow, default)]
    ancestor_titles: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    title: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    failure_messages: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    benchmarks: Vec<VitestComparison<'a>>,
}

/// The benchmarks that one test runs or compares.
#[derive(Deserialize)]
struct VitestComparison<'a> {
    #[serde(borrow)]
    tasks: Vec<VitestTask<'a>>,
}

#[derive(Deserialize)]
struct VitestTask<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    latency: VitestLatency,
}

/// The times are in milliseconds. The samples are sorted by time.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VitestLatency {
    #[serde(default)]
    samples: Vec<f64>,
    mean: Option<f64>,
    p50: Option<f64>,
    p99: Option<f64>,
    samples_count: Option<f64>,
}

/// Reads the samples, which are times of calls, or else the mean. Vitest 1 to 4 leave the samples
/// out of the file, also with `benchmark.includeSamples`. Vitest 5 has them with
/// `benchmark.retainSamples`. A test that failed is a failed benchmark.
///
/// # Errors
///
/// Fails if the file is not what Vitest writes.
pub(super) fn parse_vitest(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let file: VitestFile<'_> = parse_json(bytes)?;
    let mut run = RunCollector::new("vitest");
    for VitestGroup { full_name, benchmarks } in
        file.files.into_iter().flatten().flat_map(|file| file.groups)
    {
        for benchmark in benchmarks {
            let name = format!("{}/{}", full_name.replace(NAME_SEPARATOR, "/"), benchmark.name);
            let VitestBenchmark { samples, mean, median, p99, sample_count, .. } = benchmark;
            let latency =
                VitestLatency { samples, mean, p50: median, p99, samples_count: sample_count };
            add_latency(&mut run, name, latency)?;
        }
    }
    for tests in file.test_results.into_iter().flatten() {
        let file = find_file_name(&tests.name);
        for test in tests.assertion_results {
            add_test(&mut run, file, test)?;
        }
    }
    run.finish()
}

/// Returns the last part of a path, in the notation of any system. The folders before it differ
/// between machines.
fn find_file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn add_test(run: &mut RunCollector, file: &str, test: VitestTest<'_>) -> Result<(), AdapterError> {
    let VitestTest { ancestor_titles, title, status, failure_messages, benchmarks } = test;
    let parts = [file].into_iter().chain(ancestor_titles.iter().map(|title| &**title));
    let name = parts.chain([&*title]).collect::<Vec<_>>().join("/");
    for task in benchmarks.into_iter().flat_map(|comparison| comparison.tasks) {
        add_latency(run, format!("{name}/{}", task.name), task.latency)?;
    }
    if status == "failed" {
        let message = failure_messages.first().and_then(|message| message.lines().next());
        run.add_failure(0, &name, message.unwrap_or("the test failed without a message"))?;
    }
    Ok(())
}

fn add_latency(
    run: &mut RunCollector,
    name: String,
    latency: VitestLatency,
) -> Result<(), AdapterError> {
    let VitestLatency { samples, mean, p50, p99, samples_count } = latency;
    let entry = if samples.is_empty() {
        let missing = || AdapterError::Missing { name: shorten_name(&name), field: "mean" };
        let mean = mean.ok_or_else(missing)?;
        AdapterEntry::of_mean(name, mean, MILLISECOND, samples_count)
            .with_metric("median_ns", p50.map(|time| time * MILLISECOND))
            .with_metric("p99_ns", p99.map(|time| time * MILLISECOND))
    } else {
        AdapterEntry::of_calls(name, samples, MILLISECOND)
    };
    run.add(0, entry)
}
