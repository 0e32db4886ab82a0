//! What a command states beside its samples, one JSON object per line: conditions of the launch, and
//! the memory of a service over time.
//!
//! A command without an adapter prints these lines among those of its samples. One with an adapter
//! appends them to the file whose path is in `PERFGATE_LINES`, because its output belongs to the
//! harness.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::ObservedBenchmarks;
use super::soak::add_memory_growth;
use crate::note::FailureReason;
use crate::run::fill_unknown_conditions;

/// Environment variable with the path of the file that lines are appended to.
pub(super) const LINES_VARIABLE: &str = "PERFGATE_LINES";

/// A line with conditions that hold for the whole launch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionsLine {
    conditions: BTreeMap<String, String>,
}

/// A line with the memory of the service at a moment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemoryLine {
    /// Seconds on any clock.
    at_s: f64,
    rss_bytes: f64,
}

/// What a command states beside its samples.
#[derive(Debug, Default)]
pub(super) struct SideLines {
    /// Conditions of the launch.
    pub(super) conditions: BTreeMap<String, String>,
    /// Seconds and bytes of resident memory.
    memory: Vec<(f64, f64)>,
}

impl SideLines {
    /// Reads the file at `path`. Empty if it does not exist.
    ///
    /// Fails with the reason if a line is not one of these.
    pub(super) fn read_file(path: &Path) -> Result<Self, FailureReason> {
        let refuse = |line: u64, cause: String| FailureReason::InvalidLine { line, cause };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(refuse(1, error.to_string())),
        };
        let mut read = Self::default();
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let is_taken = line.trim_ascii().is_empty() || read.take_line(line);
            if !is_taken {
                let cause = "neither conditions nor `at_s` with `rss_bytes`".to_owned();
                return Err(refuse(number, cause));
            }
        }
        Ok(read)
    }

    /// Takes a line. Returns false if it is not one of these.
    pub(super) fn take_line(&mut self, line: &[u8]) -> bool {
        if let Ok(ConditionsLine { conditions }) = serde_json::from_slice(line) {
            self.conditions.extend(conditions);
            return true;
        }
        let Ok(MemoryLine { at_s, rss_bytes }) = serde_json::from_slice(line) else { return false };
        let is_valid = rss_bytes >= 0.0;
        if is_valid {
            self.memory.push((at_s, rss_bytes));
        }
        is_valid
    }

    /// Adds the conditions and the growth of memory to the benchmarks of the launch. A condition that
    /// a benchmark has itself is kept.
    pub(super) fn add_to(&self, observed: &mut ObservedBenchmarks) {
        for observation in observed.iter_mut().filter_map(|(_, observed)| observed.as_mut().ok()) {
            let own = Arc::make_mut(&mut observation.conditions);
            fill_unknown_conditions(own, &self.conditions);
        }
        add_memory_growth(observed, &self.memory);
    }
}
