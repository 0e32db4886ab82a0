//! hyperfine: `--export-json FILE`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::{SECOND, parse_json};

#[derive(Deserialize)]
struct HyperfineFile<'a> {
    #[serde(borrow)]
    results: Vec<HyperfineResult<'a>>,
}

/// One command. The times are those of its runs, in seconds.
#[derive(Deserialize)]
struct HyperfineResult<'a> {
    #[serde(borrow)]
    command: Cow<'a, str>,
    times: Option<Vec<f64>>,
    #[serde(default)]
    exit_codes: Vec<Option<i64>>,
    memory_usage_byte: Option<Vec<f64>>,
}

/// Reads each run of a command as a launch of its own with one call.
///
/// # Errors
///
/// Fails if the file is not what hyperfine writes.
pub(super) fn parse_hyperfine(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let file: HyperfineFile<'_> = parse_json(bytes)?;
    let mut run = RunCollector::new("hyperfine");
    for HyperfineResult { command, times, exit_codes, memory_usage_byte } in file.results {
        // hyperfine goes on after such a run only with `--ignore-failure`.
        if let Some(code) = exit_codes.iter().find(|code| **code != Some(0)) {
            let status = code.map_or("a signal".to_owned(), |code| format!("status {code}"));
            run.add_failure(0, &command, &format!("a run of the command ended with {status}"))?;
            continue;
        }
        let times = times.filter(|times| !times.is_empty());
        let times = times.ok_or_else(|| AdapterError::NoSamples(shorten_name(&command)))?;
        for (launch, time) in times.into_iter().enumerate() {
            let memory = memory_usage_byte.as_ref().and_then(|bytes| bytes.get(launch).copied());
            let entry = AdapterEntry::of_calls(command.clone(), vec![time], SECOND)
                .with_metric("peak_rss_bytes", memory);
            run.add(launch, entry)?;
        }
    }
    run.finish()
}
