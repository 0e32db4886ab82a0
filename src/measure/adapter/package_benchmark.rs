//! package-benchmark, for Swift: `swift package benchmark --format jmh`. The format is that of JMH in
//! its shape, with other figures and units.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::{find_unit, parse_json};

/// The start of the names of all benchmarks in a file.
const NAME_START: &str = "package.benchmark.";
/// The figure that is the time.
const WALL_CLOCK: &str = "Time (wall clock)";
/// The unit of figures that are counts.
const COUNT_UNIT: &str = "#";

/// Figures that become metrics, with the names and units of their metrics. Memory is in bytes.
const METRICS: [(&str, &str); 4] = [
    ("Memory (resident peak)", "peak_rss_bytes"),
    ("Malloc (total)", "allocations"),
    ("Instructions", "instructions"),
    ("Context switches", "context_switches"),
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SwiftResult<'a> {
    #[serde(borrow)]
    benchmark: Cow<'a, str>,
    #[serde(borrow, default)]
    secondary_metrics: BTreeMap<Cow<'a, str>, SwiftMetric<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SwiftMetric<'a> {
    score: f64,
    #[serde(borrow)]
    score_unit: Cow<'a, str>,
    #[serde(default)]
    raw_data: Vec<Vec<f64>>,
}

/// Reads the wall-clock time of each run of a benchmark's closure as that of a call. The harness
/// rounds it to three digits. A benchmark without that time is left out.
///
/// # Errors
///
/// Fails if the file is not what package-benchmark writes.
pub(super) fn parse_package_benchmark(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let results: Vec<SwiftResult<'_>> = parse_json(bytes)?;
    let mut run = RunCollector::new("package-benchmark");
    for SwiftResult { benchmark, secondary_metrics } in results {
        let name = benchmark.strip_prefix(NAME_START).unwrap_or(&benchmark);
        let Some(time) = secondary_metrics.get(WALL_CLOCK) else {
            run.leave_out(name);
            continue;
        };
        let unknown = || AdapterError::Unit {
            name: shorten_name(name),
            unit: shorten_name(&time.score_unit),
        };
        let unit = find_unit(&time.score_unit).ok_or_else(unknown)?;
        let times = time.raw_data.iter().flatten().copied().collect();
        let mut entry = AdapterEntry::of_calls(name, times, unit);
        for (figure, metric) in METRICS {
            let counted =
                secondary_metrics.get(figure).filter(|found| found.score_unit == COUNT_UNIT);
            entry = entry.with_metric(metric, counted.map(|figure| figure.score));
        }
        run.add(0, entry)?;
    }
    run.finish()
}
