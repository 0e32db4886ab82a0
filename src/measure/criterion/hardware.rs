//! Counts what the processor and the system of this machine do during a call, with `perf stat`.
//!
//! Virtual machines often count no events of the processor. What is not counted is left out.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use super::{BenchTarget, CountRequest};
use crate::host::detect_program_version;
use crate::process::ProcessError;
use crate::units::Nanos;

/// The program that counts.
const PERF: &str = "perf";
/// The events that are asked for, by the names of `perf`. `:u` leaves out the kernel, which an ordinary
/// user may not count.
const EVENTS: &str =
    "cycles:u,instructions:u,cache-misses:u,branch-misses:u,page-faults,context-switches";
/// Number of samples of the shorter start: the fewest that Criterion accepts.
const FEW_SAMPLES: u32 = 10;
/// Time of the additional calls of the longer start.
const ADDED_TIME: Duration = Duration::from_millis(500);
/// Fewest and most additional calls.
const ADDED_CALLS: (f64, f64) = (20.0, 5000.0);
/// Number of starts, of which the smallest count is taken. Other work on the machine adds events.
const STARTS: usize = 3;

/// Returns the number of events of one call by the names of `perf`, without those that this machine
/// does not count. Returns none if `perf` is not installed or if there is no time left. `call_time`
/// is about how long a call takes.
///
/// # Errors
///
/// Fails if a process cannot be started, its files cannot be read, or perfgate was asked to end.
pub(crate) fn count_hardware_events(
    request: &CountRequest<'_>,
    call_time: Nanos,
) -> Result<BTreeMap<String, f64>, ProcessError> {
    let target = request.find_target().filter(|target| target.runner.is_none());
    let Some(target) = target.filter(|_| detect_program_version(PERF).is_some()) else {
        return Ok(BTreeMap::new());
    };
    let (least, most) = ADDED_CALLS;
    let calls = ADDED_TIME.as_secs_f64() * 1e9 / call_time.get().max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number is between two small ones"
    )]
    let added = calls.clamp(least, most) as u32;
    let Some(fewer) = target.count_least_events(request, FEW_SAMPLES)? else {
        return Ok(BTreeMap::new());
    };
    let more = target.count_least_events(request, FEW_SAMPLES + added)?.unwrap_or_default();
    let both = more.into_iter().filter_map(|(event, more)| {
        let fewer = fewer.get(&event)?;
        Some((event, ((more - fewer) / f64::from(added)).max(0.0)))
    });
    Ok(both.collect())
}

impl BenchTarget {
    /// Returns the smallest counts of several starts with `samples` samples each; `None` if a start
    /// does not succeed or counts nothing.
    fn count_least_events(
        &self,
        request: &CountRequest<'_>,
        samples: u32,
    ) -> Result<Option<BTreeMap<String, f64>>, ProcessError> {
        let mut least: BTreeMap<String, f64> = BTreeMap::new();
        for _ in 0..STARTS {
            let folder = request.interrupt.create_temporary_folder()?;
            let out = folder.path().join("events");
            let mut command = Command::new(PERF);
            command.args(["stat", "-x", ",", "-e", EVENTS, "-o"]).arg(&out).arg("--");
            if self.run_samples(request, &mut command, samples)?.is_err() {
                return Ok(None);
            }
            for (event, count) in parse_events(&fs::read_to_string(&out).unwrap_or_default()) {
                let smallest = least.entry(event).or_insert(count);
                *smallest = smallest.min(count);
            }
        }
        Ok((!least.is_empty()).then_some(least))
    }
}

/// Returns the counts in what `perf stat -x ,` writes: the count, its unit and the event in each line.
/// An event that is not supported has no number.
fn parse_events(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter_map(|line| {
        let mut cells = line.split(',');
        let count: f64 = cells.next()?.parse().ok()?;
        let event = cells.nth(1)?.trim_end_matches(":u");
        (count.is_finite() && !event.is_empty()).then(|| (event.to_owned(), count))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_the_machine_does_not_count_is_left_out() {
        // What perf 6.1 wrote on a virtual machine, with one event of another one.
        let written = "# started on Sat Nov 28 14:51:15 2026\n\n\
                       <not supported>,,cycles:u,0,100.00,,\n\
                       81234,,branch-misses:u,610780,100.00,,\n\
                       49,,page-faults,610780,100.00,,\n";
        let expected = [("branch-misses".to_owned(), 81234.0), ("page-faults".to_owned(), 49.0)];
        assert_eq!(parse_events(written), BTreeMap::from(expected));
        assert_eq!(parse_events("error: no access\n"), BTreeMap::new());
    }
}
