//! tango: what `cargo bench -- solo` prints.

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{list_lines, parse_duration, read_text};

/// Reads the mean of each benchmark. tango prints neither samples nor their number.
///
/// # Errors
///
/// Fails if a line has brackets like a result and is not one.
pub(super) fn parse_tango(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let mut run = RunCollector::new("tango");
    for (line, content) in list_lines(text) {
        let refuse = |cause: &str| AdapterError::Line { line, cause: cause.to_owned() };
        let Some((head, tail)) = content.rsplit_once(']') else { continue };
        let Some((name, times)) = head.rsplit_once('[') else { continue };
        if !times.contains("...") {
            continue;
        }
        // A comparison of two programs has two times, and no `stddev`.
        let times: Vec<&str> = times.split("...").collect();
        if times.len() != 3 || !tail.trim_start().starts_with("stddev:") {
            return Err(refuse("a comparison has no times of its own: print them with `solo`"));
        }
        let mean = parse_duration(times[1]).map_err(|cause| AdapterError::Line { line, cause })?;
        run.add(0, AdapterEntry::of_mean(name.trim(), mean, 1.0, None))?;
    }
    run.finish()
}
