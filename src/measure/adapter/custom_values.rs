//! The two formats of github-action-benchmark for own tools: `customSmallerIsBetter` and
//! `customBiggerIsBetter`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{find_unit, parse_json};

/// What a rate counts if its reciprocal is the time of a call.
const CALL_WORDS: [&str; 6] = ["op", "ops", "iter", "iters", "iterations", "calls"];

#[derive(Deserialize)]
struct CustomValue<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    unit: Cow<'a, str>,
    value: f64,
}

/// Reads each value in a unit of time. Others are left out.
///
/// # Errors
///
/// Fails if the file has another format or no time.
pub(super) fn parse_smaller_is_better(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    parse_values("smaller-is-better", bytes, |value| {
        let unit = value.unit.trim();
        Some((
            value.value,
            find_unit(unit.strip_suffix("/op").or(unit.strip_suffix("/iter")).unwrap_or(unit))?,
        ))
    })
}

/// Reads each value that is a number of calls per time: its reciprocal is the time of a call.
/// Others, such as requests per second of several clients, are left out.
///
/// # Errors
///
/// Fails if the file has another format or no rate of calls.
pub(super) fn parse_bigger_is_better(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    parse_values("bigger-is-better", bytes, |value| {
        let (what, unit) = value.unit.split_once('/')?;
        let is_call = CALL_WORDS.contains(&what.trim().to_ascii_lowercase().as_str());
        Some((value.value.recip(), find_unit(unit).filter(|_| is_call)?))
    })
}

fn parse_values(
    harness: &str,
    bytes: &[u8],
    convert: impl Fn(&CustomValue<'_>) -> Option<(f64, f64)>,
) -> Result<AdapterRun, AdapterError> {
    let values: Vec<CustomValue<'_>> = parse_json(bytes)?;
    let mut run = RunCollector::new(harness);
    for value in values {
        match convert(&value) {
            Some((time, unit)) => {
                run.add(0, AdapterEntry::of_mean(value.name, time, unit, None))?;
            }
            None => run.leave_out(&format!("{} ({})", value.name, value.unit)),
        }
    }
    run.finish()
}
