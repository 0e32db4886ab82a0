//! Google Benchmark: `--benchmark_format=json` and `--benchmark_out`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::{find_unit, make_metric_name, parse_json};

#[derive(Deserialize)]
struct GoogleFile<'a> {
    #[serde(borrow)]
    context: GoogleContext<'a>,
    #[serde(borrow)]
    benchmarks: Vec<GoogleResult<'a>>,
}

#[derive(Deserialize)]
struct GoogleContext<'a> {
    #[serde(borrow)]
    library_version: Option<Cow<'a, str>>,
}

/// The result of one repetition, or an aggregate of several. Counters of the user stand among the
/// other fields.
#[derive(Deserialize)]
struct GoogleResult<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    run_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    run_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    aggregate_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    skip_message: Option<Cow<'a, str>>,
    threads: Option<f64>,
    iterations: Option<f64>,
    real_time: Option<f64>,
    cpu_time: Option<f64>,
    #[serde(borrow)]
    time_unit: Option<Cow<'a, str>>,
    items_per_second: Option<f64>,
    bytes_per_second: Option<f64>,
    #[serde(flatten)]
    counters: BTreeMap<String, GoogleField>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum GoogleField {
    Number(f64),
    Other(serde::de::IgnoredAny),
}

/// Numbers that describe how a benchmark was run, and are no counters.
const RUN_FIELDS: [&str; 6] = [
    "family_index",
    "per_family_instance_index",
    "repetitions",
    "repetition_index",
    "bytes_per_iter",
    "complexity_n",
];

/// The repetitions of one benchmark.
#[derive(Default)]
struct GoogleRepetitions {
    times: Vec<f64>,
    calls: Vec<f64>,
    cpu_times: Vec<f64>,
    items: Option<f64>,
    bytes: Option<f64>,
    counters: Vec<(String, f64)>,
    failure: Option<String>,
}

/// Reads the real time of each repetition. They are samples of one launch. Aggregates are read only
/// if the file has nothing else: then the mean.
///
/// # Errors
///
/// Fails if the file is not what Google Benchmark writes.
pub(super) fn parse_google_benchmark(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let file: GoogleFile<'_> = parse_json(bytes)?;
    let mut run = RunCollector::new("google-benchmark");
    run.add_condition("harness-version", file.context.library_version);
    let mut order: Vec<String> = Vec::new();
    let mut found: HashMap<String, GoogleRepetitions> = HashMap::new();
    let is_aggregate = |result: &GoogleResult<'_>| result.run_type.as_deref() == Some("aggregate");
    let only_aggregates = file.benchmarks.iter().all(is_aggregate);
    for result in file.benchmarks {
        let is_mean = result.aggregate_name.as_deref() == Some("mean");
        if is_aggregate(&result) && !(only_aggregates && is_mean) {
            continue;
        }
        let name = result.run_name.as_ref().unwrap_or(&result.name).clone().into_owned();
        let repetitions = found.entry(name.clone()).or_insert_with(|| {
            order.push(name.clone());
            GoogleRepetitions::default()
        });
        repetitions.add_result(&name, result, only_aggregates)?;
    }
    for name in order {
        let Some(repetitions) = found.remove(&name) else { continue };
        if let Some(failure) = repetitions.failure {
            run.add_failure(0, &name, &failure)?;
            continue;
        }
        let GoogleRepetitions { times, calls, cpu_times, items, bytes, counters, .. } = repetitions;
        let cpu_mean = cpu_times.iter().sum::<f64>() / cpu_times.len() as f64;
        // Calls are not known of an aggregate: its iterations are its repetitions.
        let calls = (calls.len() == times.len()).then_some(calls);
        let entry = AdapterEntry::of_batches(name, times, 1.0, calls)
            .with_metric("cpu_ns", (!cpu_times.is_empty()).then_some(cpu_mean))
            .with_elements(items)
            .with_amount("bytes", bytes)
            .with_counters(counters);
        run.add(0, entry)?;
    }
    run.finish()
}

impl GoogleRepetitions {
    /// Adds one repetition. Fails if it has no time or an unknown unit.
    fn add_result(
        &mut self,
        name: &str,
        result: GoogleResult<'_>,
        is_aggregate: bool,
    ) -> Result<(), AdapterError> {
        if let Some(message) = result.error_message.or(result.skip_message) {
            self.failure = Some(message.into_owned());
            return Ok(());
        }
        let missing = |field| AdapterError::Missing { name: shorten_name(name), field };
        // Complexity results have a coefficient in place of times.
        let time = result.real_time.ok_or_else(|| missing("real_time"))?;
        let unit = result.time_unit.ok_or_else(|| missing("time_unit"))?;
        let factor = find_unit(&unit).ok_or_else(|| AdapterError::Unit {
            name: shorten_name(name),
            unit: shorten_name(&unit),
        })?;
        self.times.push(time * factor);
        if !is_aggregate {
            self.calls.push(result.iterations.ok_or_else(|| missing("iterations"))?);
        }
        let cpu_time = result.cpu_time.map(|time| time * factor);
        self.cpu_times.extend(cpu_time);
        // Rates are per second of the clock that the benchmark uses, and summed over its threads.
        let uses_real_time = name.contains("/real_time") || name.contains("/manual_time");
        let clock = if uses_real_time { Some(time * factor) } else { cpu_time };
        let clock = clock.filter(|_| result.threads.is_none_or(|threads| threads <= 1.0));
        let per_call =
            |rate: Option<f64>| Some(round_amount(rate? * clock? / super::parse::SECOND));
        self.items = per_call(result.items_per_second);
        self.bytes = per_call(result.bytes_per_second);
        let counters = result.counters.into_iter().filter_map(|(key, field)| match field {
            GoogleField::Number(value) if !RUN_FIELDS.contains(&key.as_str()) => {
                Some((make_metric_name(&key), value))
            }
            _ => None,
        });
        if self.counters.is_empty() {
            self.counters = counters.collect();
        }
        Ok(())
    }
}

/// Returns an amount that was computed from a rate and a time, without the error of the computation.
fn round_amount(amount: f64) -> f64 {
    const RELATIVE_ERROR: f64 = 1e-9;
    let whole = amount.round();
    if (amount - whole).abs() <= RELATIVE_ERROR * whole.abs() { whole } else { amount }
}
