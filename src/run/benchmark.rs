//! One benchmark of a run: what it is, its launches, or why it failed.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Digest, Launch, deserialize_or_default};
use crate::note::FailureReason;
use crate::stats::summary::Moments;
use crate::text::{cut_text, shorten};
use crate::units::Nanos;

/// Longest name of a benchmark in a message, in characters.
pub(super) const MAX_SHOWN_CHARS: usize = 80;

/// Longest error message of a process that a note repeats, in bytes.
const MAX_MESSAGE_BYTES: usize = 200;

/// Part of the line with which Rust announces a panic. The message follows in the next lines.
const PANIC_WORDS: &str = " panicked at ";

/// Beginnings of the lines that follow the message of a panic.
const PANIC_ENDS: [&str; 2] = ["note: run with `RUST_BACKTRACE", "stack backtrace:"];

/// Identifies a benchmark within a run, by its package and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BenchmarkId {
    /// Name of the form `group/function/parameter`.
    pub(crate) name: String,
    /// The Cargo package; `None` for a benchmark of a command.
    pub(crate) package: Option<String>,
}

impl fmt::Display for BenchmarkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.package {
            Some(package) => write!(f, "{} ({package})", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// One benchmark of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Benchmark {
    /// Benchmark id of the form `group/function/parameter`; never empty.
    pub(crate) id: String,
    /// The Cargo package that the benchmark belongs to; `None` for a benchmark of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    /// The bench target that the benchmark belongs to; `None` for a benchmark of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    /// Whether a sample is the time of one call or the mean of many.
    pub(crate) sampling: Sampling,
    /// Number of items that one call handles, not negative; `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) elements: Option<f64>,
    /// Other amounts that one call handles, not negative, by unit: `bytes`, `tokens`.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) per_call: BTreeMap<String, f64>,
    /// Conditions of this benchmark by name. They add to those of the run or replace them.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) conditions: BTreeMap<String, String>,
    /// Time that a round of this benchmark alone takes, with the starts of both sides; `None` if it
    /// was not measured in rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) round_time: Option<Nanos>,
    /// Launches of the benchmark; at least one unless it failed.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) launches: Vec<Launch>,
    /// Why the benchmark could not be measured; `None` if it did not fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<BenchmarkFailure>,
}

/// Whether a sample is the time of one call or the mean of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sampling {
    /// A sample is the time of one call, so percentiles of samples are percentiles of calls.
    Call,
    /// A sample is the mean of many calls, so percentiles of calls are not known.
    Batch,
}

/// Why a benchmark could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BenchmarkFailure {
    /// The reason.
    pub(crate) reason: FailureReason,
    /// The end of the output of the process; empty if there is none.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) output: String,
}

impl BenchmarkFailure {
    /// Returns the last line of the error message in the output: that of the last panic, or else the
    /// last line of all. Empty if there is no output.
    pub(crate) fn last_message(&self) -> String {
        // After its message, a panic may print how to get a backtrace, or the backtrace itself.
        let lines: Vec<&str> = self.output.lines().map(str::trim).collect();
        let panic = lines.iter().rposition(|line| line.contains(PANIC_WORDS));
        let message = panic.map_or(&lines[..], |at| {
            let after = &lines[at + 1..];
            let is_end = |line: &&str| PANIC_ENDS.iter().any(|end| line.starts_with(end));
            let end = after.iter().position(is_end).unwrap_or(after.len());
            if end == 0 { &lines[at..=at] } else { &after[..end] }
        });
        let last = message.iter().rev().find(|line| !line.is_empty());
        last.map(|line| cut_text(line, MAX_MESSAGE_BYTES)).unwrap_or_default()
    }
}

impl Benchmark {
    /// Creates a benchmark without launches, amounts and conditions, which the caller adds. `target`
    /// is the bench target that it belongs to.
    pub(crate) fn new(id: BenchmarkId, target: Option<String>, sampling: Sampling) -> Self {
        Self {
            id: id.name,
            package: id.package,
            target,
            sampling,
            elements: None,
            per_call: BTreeMap::new(),
            conditions: BTreeMap::new(),
            round_time: None,
            launches: Vec::new(),
            failure: None,
        }
    }

    /// Returns a copy of the benchmark without its launches.
    pub(super) fn copy_without_launches(&self) -> Self {
        Self {
            id: self.id.clone(),
            package: self.package.clone(),
            target: self.target.clone(),
            sampling: self.sampling,
            elements: self.elements,
            per_call: self.per_call.clone(),
            conditions: self.conditions.clone(),
            round_time: self.round_time,
            launches: Vec::new(),
            failure: self.failure.clone(),
        }
    }

    /// Returns the name and package that identify this benchmark.
    pub(crate) fn to_id(&self) -> BenchmarkId {
        BenchmarkId { name: self.id.clone(), package: self.package.clone() }
    }

    /// Returns the amounts that one call handles, by unit. Elements appear under `elements`.
    pub(crate) fn collect_amounts(&self) -> BTreeMap<String, f64> {
        let mut amounts = self.per_call.clone();
        amounts.extend(self.elements.map(|elements| ("elements".to_owned(), elements)));
        amounts
    }

    /// Returns the digest of each launch, in the order of the file.
    pub(crate) fn digests(&self) -> impl Iterator<Item = Digest> + use<'_> {
        self.launches.iter().map(Launch::digest)
    }

    /// Returns the natural logarithms of the launch medians, which are in nanoseconds, in the order
    /// of the file.
    pub(crate) fn ln_medians(&self) -> Vec<f64> {
        self.digests().map(|digest| digest.ln_median()).collect()
    }

    /// Returns whether the median of a launch is zero, because its clock is too coarse.
    pub(crate) fn has_median_of_zero(&self) -> bool {
        self.digests().any(|digest| digest.p50.get() == 0.0)
    }

    /// Returns the median of a typical launch: the geometric mean of the launch medians. Returns
    /// `None` without launches, or if the median of a launch is zero because its clock is too coarse.
    pub(crate) fn compute_typical_median(&self) -> Option<Nanos> {
        if self.has_median_of_zero() {
            return None;
        }
        let level_summary = Moments::from_values(&self.ln_medians()).ok()?;
        Nanos::new(level_summary.mean().exp()).ok()
    }

    /// Checks what the types of the fields do not. The error is a sentence that names the problem.
    pub(super) fn check(&self) -> Result<(), String> {
        let id = shorten(&self.id, MAX_SHOWN_CHARS);
        if self.id.is_empty() {
            return Err("a benchmark has an empty id".to_owned());
        }
        if self.launches.is_empty() && self.failure.is_none() {
            return Err(format!("benchmark `{id}` has neither launches nor a failure"));
        }
        let amounts = self.per_call.values().chain(&self.elements);
        let metrics = self.launches.iter().flat_map(|launch| launch.metrics.values());
        match amounts.chain(metrics).find(|amount| !amount.is_finite() || **amount < 0.0) {
            Some(amount) => Err(format!("benchmark `{id}` handles `{amount}` items per call")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_message(output: &str, message: &str) {
        let failure =
            BenchmarkFailure { reason: FailureReason::Panicked, output: output.to_owned() };
        assert_eq!(failure.last_message(), message);
    }

    #[test]
    fn a_long_message_is_cut_by_bytes() {
        let message = "ü".repeat(MAX_MESSAGE_BYTES);
        let failure = BenchmarkFailure { reason: FailureReason::Panicked, output: message };
        let cut = failure.last_message();
        assert!(cut.len() <= MAX_MESSAGE_BYTES && cut.ends_with("ü…"), "{cut}");
    }

    #[test]
    fn the_last_line_of_a_panic_is_its_message() {
        let hint = "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";
        let panic = "thread 'main' (7) panicked at benches/a.rs:3:5:";
        assert_message(
            &format!("Benchmarking a\n{panic}\none\nno such file\n{hint}\n"),
            "no such file",
        );
        assert_message(
            &format!("{panic}\nno file\nstack backtrace:\n   0: begin\n{hint}"),
            "no file",
        );
        assert_message(&format!("{panic}\n{hint}"), panic);
        assert_message("one\ntwo\n\n", "two");
        assert_message("", "");
    }
}
