//! pyperf: `-o FILE`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::{SECOND, parse_json, quote_non_numbers};

/// Version of the format that the adapter reads.
const KNOWN_VERSION: &str = "1.0";

#[derive(Deserialize)]
struct PyperfSuite<'a> {
    #[serde(borrow)]
    benchmarks: Vec<PyperfBenchmark<'a>>,
    #[serde(borrow, default)]
    metadata: PyperfMetadata<'a>,
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct PyperfBenchmark<'a> {
    #[serde(borrow, default)]
    metadata: PyperfMetadata<'a>,
    #[serde(borrow)]
    runs: Vec<PyperfProcess<'a>>,
}

/// One process. The values are in seconds per call; a process that only calibrates has none.
#[derive(Deserialize)]
struct PyperfProcess<'a> {
    #[serde(borrow, default)]
    metadata: PyperfMetadata<'a>,
    #[serde(default)]
    values: Vec<f64>,
}

/// What holds for a process. What is the same for all processes is written once, further out.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PyperfMetadata<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    unit: Option<Cow<'a, str>>,
    loops: Option<f64>,
    inner_loops: Option<f64>,
    mem_max_rss: Option<f64>,
    #[serde(borrow)]
    perf_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    python_implementation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    python_version: Option<Cow<'a, str>>,
}

/// Reads each process as a launch.
///
/// # Errors
///
/// Fails if the file is not what pyperf writes.
pub(super) fn parse_pyperf(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let json = quote_non_numbers(bytes);
    let suite: PyperfSuite<'_> = parse_json(&json)?;
    if let Some(found) = suite.version.filter(|version| version != KNOWN_VERSION) {
        return Err(AdapterError::Version { found: shorten_name(&found), known: KNOWN_VERSION });
    }
    let mut run = RunCollector::new("pyperf");
    let shared = suite.metadata;
    for PyperfBenchmark { metadata, runs } in suite.benchmarks {
        let name = metadata.name.as_ref().or(shared.name.as_ref()).ok_or(AdapterError::NoName)?;
        let unit = metadata.unit.as_deref().or(shared.unit.as_deref()).unwrap_or("second");
        if unit != "second" {
            run.leave_out(name);
            continue;
        }
        let measured = runs.into_iter().filter(|process| !process.values.is_empty());
        for (launch, process) in measured.enumerate() {
            let levels = [&process.metadata, &metadata, &shared];
            let find_number =
                |field: fn(&PyperfMetadata<'_>) -> Option<f64>| levels.into_iter().find_map(field);
            let find_text = |field: for<'b> fn(&'b PyperfMetadata<'_>) -> Option<&'b str>| {
                levels.into_iter().find_map(field)
            };
            let loops = find_number(|level| level.loops).unwrap_or(1.0);
            let calls = loops * find_number(|level| level.inner_loops).unwrap_or(1.0);
            let runtime = find_text(|level| level.python_implementation.as_deref())
                .zip(find_text(|level| level.python_version.as_deref()))
                .map(|(name, version)| format!("{name} {version}"));
            let version = find_text(|level| level.perf_version.as_deref());
            let memory = find_number(|level| level.mem_max_rss);
            let calls = vec![calls; process.values.len()];
            let values = process.values;
            let entry = AdapterEntry::of_batches(name.clone(), values, SECOND, Some(calls))
                .with_metric("peak_rss_bytes", memory)
                .with_condition("harness-version", version)
                .with_condition("runtime", runtime);
            run.add(launch, entry)?;
        }
    }
    run.finish()
}
