//! swift-benchmark, of Google: `--format json`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::parse_json;

#[derive(Deserialize)]
struct SwiftFile<'a> {
    #[serde(borrow)]
    benchmarks: Vec<SwiftRow<'a>>,
}

/// A row of the table. Users choose its columns.
#[derive(Deserialize)]
struct SwiftRow<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    /// The median, in nanoseconds.
    time: Option<f64>,
}

/// Reads the median, which is all that the harness prints of the times.
///
/// # Errors
///
/// Fails if the file is not what swift-benchmark prints, or if its columns do not have the median.
pub(super) fn parse_swift_benchmark(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let file: SwiftFile<'_> = parse_json(bytes)?;
    let mut run = RunCollector::new("swift-benchmark");
    for SwiftRow { name, time } in file.benchmarks {
        let missing = || AdapterError::Missing { name: shorten_name(&name), field: "time" };
        let time = time.ok_or_else(missing)?;
        run.add(0, AdapterEntry::of_mean(name, time, 1.0, None))?;
    }
    run.finish()
}
