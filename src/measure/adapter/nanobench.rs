//! nanobench: the template `ankerl::nanobench::templates::json()`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{SECOND, parse_json};

#[derive(Deserialize)]
struct NanobenchFile<'a> {
    #[serde(borrow)]
    results: Vec<NanobenchResult<'a>>,
}

#[derive(Deserialize)]
struct NanobenchResult<'a> {
    #[serde(borrow, default)]
    title: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    unit: Cow<'a, str>,
    batch: Option<f64>,
    measurements: Vec<NanobenchEpoch>,
}

/// One epoch: the number of calls, and the mean time of one in seconds.
#[derive(Deserialize)]
struct NanobenchEpoch {
    iterations: f64,
    elapsed: f64,
}

/// Reads each epoch.
///
/// # Errors
///
/// Fails if the file is not what nanobench writes.
pub(super) fn parse_nanobench(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let file: NanobenchFile<'_> = parse_json(bytes)?;
    let mut run = RunCollector::new("nanobench");
    for NanobenchResult { title, name, unit, batch, measurements } in file.results {
        let name = if title.is_empty() { name.into_owned() } else { format!("{title}/{name}") };
        let times = measurements.iter().map(|epoch| epoch.elapsed).collect();
        let calls = measurements.iter().map(|epoch| epoch.iterations).collect();
        let entry = AdapterEntry::of_batches(name, times, SECOND, Some(calls));
        let batch = batch.filter(|batch| *batch > 1.0);
        let entry = if unit == "byte" {
            entry.with_amount("bytes", batch)
        } else {
            entry.with_elements(batch)
        };
        run.add(0, entry)?;
    }
    run.finish()
}
