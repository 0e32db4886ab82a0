//! BenchmarkDotNet: the full JSON exporter, `--exporters fulljson`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::{parse_json, quote_non_numbers};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DotnetFile<'a> {
    #[serde(borrow)]
    host_environment_info: DotnetHost<'a>,
    #[serde(borrow)]
    benchmarks: Vec<DotnetBenchmark<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DotnetHost<'a> {
    #[serde(borrow)]
    benchmark_dot_net_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    runtime_version: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DotnetBenchmark<'a> {
    #[serde(borrow)]
    full_name: Cow<'a, str>,
    memory: Option<DotnetMemory>,
    #[serde(borrow)]
    measurements: Option<Vec<DotnetMeasurement<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DotnetMemory {
    bytes_allocated_per_operation: Option<f64>,
}

/// One iteration: how many calls, and the time of all of them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DotnetMeasurement<'a> {
    #[serde(borrow)]
    iteration_mode: Cow<'a, str>,
    #[serde(borrow)]
    iteration_stage: Option<Cow<'a, str>>,
    launch_index: i64,
    operations: f64,
    nanoseconds: f64,
}

impl DotnetMeasurement<'_> {
    /// True if it is a result: warm-up, overhead and pilot are not. Older versions have no stage.
    fn is_result(&self) -> bool {
        match self.iteration_stage.as_deref() {
            Some(stage) => stage == "Result" && self.iteration_mode == "Workload",
            None => self.iteration_mode == "Result",
        }
    }
}

/// Reads each process as a launch, and each of its iterations as a sample.
///
/// # Errors
///
/// Fails if the file is not what BenchmarkDotNet writes, or has no measurements.
pub(super) fn parse_benchmark_dotnet(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let json = quote_non_numbers(bytes);
    let file: DotnetFile<'_> = parse_json(&json)?;
    let mut run = RunCollector::new("benchmarkdotnet");
    run.add_condition("harness-version", file.host_environment_info.benchmark_dot_net_version);
    run.add_condition("runtime", file.host_environment_info.runtime_version);
    for DotnetBenchmark { full_name, memory, measurements } in file.benchmarks {
        let field = "Measurements";
        let missing = || AdapterError::Missing { name: shorten_name(&full_name), field };
        let measurements = measurements.ok_or_else(missing)?;
        let mut launches: BTreeMap<i64, Vec<DotnetMeasurement<'_>>> = BTreeMap::new();
        for measurement in measurements.into_iter().filter(DotnetMeasurement::is_result) {
            launches.entry(measurement.launch_index).or_default().push(measurement);
        }
        if launches.is_empty() {
            run.add_failure(0, &full_name, "BenchmarkDotNet has no result of it")?;
            continue;
        }
        let allocated = memory.and_then(|memory| memory.bytes_allocated_per_operation);
        for (launch, measured) in launches.into_values().enumerate() {
            let calls: Vec<f64> = measured.iter().map(|one| one.operations).collect();
            let times = measured.iter().map(|one| one.nanoseconds / one.operations).collect();
            let entry = AdapterEntry::of_batches(full_name.clone(), times, 1.0, Some(calls))
                .with_metric("allocated_bytes", allocated);
            run.add(launch, entry)?;
        }
    }
    run.finish()
}
