//! benchmark-ips: `x.json! 'FILE'`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{MICROSECOND, parse_json};

/// A report: the time of all its calls in microseconds, and their number.
#[derive(Deserialize)]
struct IpsReport<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    microseconds: f64,
    iterations: f64,
}

/// Reads the mean time of a call.
///
/// # Errors
///
/// Fails if the file is not what benchmark-ips writes.
pub(super) fn parse_benchmark_ips(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let reports: Vec<IpsReport<'_>> = parse_json(bytes)?;
    let mut run = RunCollector::new("benchmark-ips");
    for IpsReport { name, microseconds, iterations } in reports {
        let mean = microseconds / iterations;
        run.add(0, AdapterEntry::of_mean(name, mean, MICROSECOND, Some(iterations)))?;
    }
    run.finish()
}
