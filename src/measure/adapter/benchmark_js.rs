//! Benchmark.js: a suite as JSON (`JSON.stringify(suite)`), or the lines that it prints.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{SECOND, list_lines, parse_json, parse_number, read_text};

/// What follows the name of a benchmark in a printed line.
const RATE_UNIT: &str = " ops/sec ";

/// One entry of a suite. A suite also has entries that are not benchmarks.
#[derive(Deserialize)]
#[serde(untagged)]
enum SuiteField<'a> {
    #[serde(borrow)]
    Benchmark(BenchmarkJsResult<'a>),
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct BenchmarkJsResult<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    stats: BenchmarkJsStats,
    error: Option<serde::de::IgnoredAny>,
}

/// The sample is in seconds per call.
#[derive(Deserialize)]
struct BenchmarkJsStats {
    sample: Vec<f64>,
}

/// Reads each sample, which is the mean of a batch; of printed lines, the mean of all calls.
///
/// # Errors
///
/// Fails if the file has no benchmarks with samples, and if a printed line has no rate.
pub(super) fn parse_benchmark_js(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let mut run = RunCollector::new("benchmark.js");
    if !text.trim_start().starts_with('{') {
        parse_lines(text, &mut run)?;
        return run.finish();
    }
    let suite: BTreeMap<Cow<'_, str>, SuiteField<'_>> = parse_json(bytes)?;
    let mut fields: Vec<_> = suite.into_iter().collect();
    fields.sort_by_key(|(key, _)| key.parse::<u64>().unwrap_or(u64::MAX));
    for (_, field) in fields {
        let SuiteField::Benchmark(BenchmarkJsResult { name, stats, error }) = field else {
            continue;
        };
        if error.is_some() {
            run.add_failure(0, &name, "the benchmark threw an error")?;
            continue;
        }
        run.add(0, AdapterEntry::of_batches(name, stats.sample, SECOND, None))?;
    }
    run.finish()
}

/// Adds printed lines such as `a x 1,234 ops/sec ±2.89% (5 runs sampled)`.
fn parse_lines(text: &str, run: &mut RunCollector) -> Result<(), AdapterError> {
    for (line, content) in list_lines(text) {
        let Some((begin, _)) = content.split_once(RATE_UNIT) else { continue };
        let refuse = |cause: String| AdapterError::Line { line, cause };
        let (name, rate) = begin.rsplit_once(" x ").ok_or_else(|| refuse("no name".to_owned()))?;
        let rate = parse_number(rate.trim()).map_err(refuse)?;
        // Benchmark.js prints the reciprocal of the mean.
        run.add(0, AdapterEntry::of_mean(name.trim(), rate.recip(), SECOND, None))?;
    }
    Ok(())
}
