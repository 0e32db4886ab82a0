//! The measurement file: a run, its benchmarks, their launches.
//!
//! What is read is checked whole before anything is computed from it: a `Run` that exists is valid.

mod digest;
mod launch;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

pub(crate) use digest::Digest;
pub(crate) use launch::{Launch, LaunchData, Samples};

use crate::host::Host;

/// The schema that this version writes.
pub(crate) const RUN_SCHEMA: &str = "perfgate.run/1";

/// Why a run or a decision cannot be read.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    /// The file cannot be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not JSON, cut short, or of another shape.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A schema this version does not know.
    #[error("schema `{found}` is not known to this version, which reads `{known}`")]
    Schema {
        /// The schema the file names.
        found: String,
        /// The schema that can be read.
        known: &'static str,
    },
    /// Well formed, but contradicting itself.
    #[error("{0}")]
    Invalid(String),
}

/// All launches of one measurement: one commit, one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    schema: String,
    /// When the measurement began, RFC 3339.
    pub(crate) created: String,
    /// What produced the samples.
    pub(crate) source: SampleSource,
    /// Version of perfgate that measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) perfgate: Option<String>,
    /// False when the measurement ended early; such a run cannot pass.
    #[serde(default = "assume_complete", deserialize_with = "deserialize_or_true")]
    pub(crate) complete: bool,
    /// What was unfit or surprising while measuring.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) warnings: Vec<String>,
    /// How it was measured.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) settings: RunSettings,
    /// What was measured, where it is a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<MeasuredCommit>,
    /// Where it was measured.
    pub(crate) host: Host,
    /// What was measured: each benchmark once.
    pub(crate) benchmarks: Vec<Benchmark>,
}

/// What produces samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SampleSource {
    /// Criterion bench targets of a Cargo workspace.
    Criterion,
    /// Any command that prints samples.
    Command,
}

/// How a run was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunSettings {
    /// Seed of every random choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
    /// Calls asked for per launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) calls: Option<u32>,
    /// Threads a model ran with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) threads: Option<u32>,
    /// Execution provider asked for, and the one that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<ProviderRecord>,
    /// The command that measures the same again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<String>,
}

impl RunSettings {
    /// Takes threads and provider from what the measured processes said, where they said it.
    pub(crate) fn take_runtime(&mut self, reported: Option<Self>) {
        if let Some(Self { threads, provider, .. }) = reported {
            self.threads = threads;
            self.provider = provider;
        }
    }
}

/// An execution provider: never silently another than the one asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderRecord {
    /// The one asked for.
    pub(crate) requested: String,
    /// The one that ran.
    pub(crate) actual: String,
}

/// The commit that was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeasuredCommit {
    /// Full object id.
    pub(crate) id: String,
    /// Branch it was measured on; none on a detached head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) branch: Option<String>,
    /// Commit time, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<String>,
    /// True when the working tree differed from the commit.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) dirty: bool,
}

/// Which benchmark: its package and its id together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BenchmarkId {
    /// `group/function/parameter`.
    pub(crate) name: String,
    /// The Cargo package, where there is one.
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
    /// `group/function/parameter`.
    pub(crate) id: String,
    /// The Cargo package it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    /// The bench target it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    /// What one sample is.
    pub(crate) sampling: Sampling,
    /// Items handled by one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) elements: Option<f64>,
    /// Other amounts handled by one call, by unit: `bytes`, `tokens`.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) per_call: BTreeMap<String, f64>,
    /// Its launches; at least one unless it failed.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) launches: Vec<Launch>,
    /// Why it could not be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<BenchmarkFailure>,
}

/// What one sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sampling {
    /// The time of one call: percentiles mean what they say.
    Call,
    /// The mean of many calls: there are no percentiles of calls.
    Batch,
}

/// Why a benchmark could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BenchmarkFailure {
    /// One word or sentence: `panicked`, `timed out after 60 s`.
    pub(crate) reason: String,
    /// The end of what it printed.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) output: String,
}

fn assume_complete() -> bool {
    true
}

fn deserialize_or_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(true))
}

/// Reads an optional field whose absence and whose `null` mean the same.
pub(crate) fn deserialize_or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Refuses a document whose `schema` field is not `known`, before the rest of it is believed.
pub(crate) fn check_schema(json: &[u8], known: &'static str) -> Result<(), FileError> {
    #[derive(Deserialize)]
    struct SchemaField {
        schema: String,
    }
    let SchemaField { schema: found } = serde_json::from_slice(json)?;
    if found == known { Ok(()) } else { Err(FileError::Schema { found, known }) }
}

impl Run {
    /// An empty run, to be filled with benchmarks.
    pub(crate) fn new(created: String, source: SampleSource, host: Host) -> Self {
        Self {
            schema: RUN_SCHEMA.to_owned(),
            created,
            source,
            perfgate: Some(env!("CARGO_PKG_VERSION").to_owned()),
            complete: true,
            warnings: Vec::new(),
            settings: RunSettings::default(),
            commit: None,
            host,
            benchmarks: Vec::new(),
        }
    }

    /// Reads and checks a run.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, FileError> {
        check_schema(json, RUN_SCHEMA)?;
        let run: Self = serde_json::from_slice(json)?;
        run.check()?;
        Ok(run)
    }

    /// Reads and checks the run in the file at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        Self::from_json(&fs::read(path)?)
    }

    fn check(&self) -> Result<(), FileError> {
        let mut seen = HashSet::with_capacity(self.benchmarks.len());
        for benchmark in &self.benchmarks {
            benchmark.check().map_err(FileError::Invalid)?;
            if !seen.insert((&benchmark.package, &benchmark.id)) {
                let message =
                    format!("benchmark `{}` stands there twice", shorten_name(&benchmark.id));
                return Err(FileError::Invalid(message));
            }
        }
        Ok(())
    }
}

impl Benchmark {
    /// Which benchmark this is.
    pub(crate) fn to_id(&self) -> BenchmarkId {
        BenchmarkId { name: self.id.clone(), package: self.package.clone() }
    }

    /// The digest of each launch, in the order of the file.
    pub(crate) fn digests(&self) -> impl Iterator<Item = Digest> + use<'_> {
        self.launches.iter().map(Launch::digest)
    }

    /// The logarithms of the launch medians, in the order of the file.
    pub(crate) fn ln_medians(&self) -> Vec<f64> {
        self.digests().map(|digest| digest.ln_median()).collect()
    }

    fn check(&self) -> Result<(), String> {
        let id = shorten_name(&self.id);
        if self.id.is_empty() {
            return Err("a benchmark has an empty id".to_owned());
        }
        if self.launches.is_empty() && self.failure.is_none() {
            return Err(format!("benchmark `{id}` has neither launches nor a failure"));
        }
        let amounts = self.per_call.values().chain(&self.elements);
        let metrics = self.launches.iter().flat_map(|launch| launch.metrics.values());
        match amounts.chain(metrics).find(|amount| !amount.is_finite() || **amount < 0.0) {
            Some(amount) => Err(format!("benchmark `{id}` handles `{amount}` items a call")),
            None => Ok(()),
        }
    }
}

/// The name, cut in the middle where it is too long for one line of a message.
fn shorten_name(name: &str) -> String {
    const MAX_CHARS: usize = 80;
    let shown: Vec<char> = name.escape_debug().collect();
    if shown.len() <= MAX_CHARS {
        return shown.into_iter().collect();
    }
    let half = MAX_CHARS / 2;
    shown[..half].iter().chain(&['…']).chain(&shown[shown.len() - half..]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_benchmark(benchmark: &str) -> Result<Run, FileError> {
        Run::from_json(
            format!(
                r#"{{"schema": "perfgate.run/1", "created": "2026-11-22T00:00:00Z", "source": "command",
                "host": {{"fingerprint": "f", "cpu_model": "c", "cores": 2, "memory_bytes": 1,
                          "os": "o", "kernel": "k"}},
                "benchmarks": [{benchmark}]}}"#
            )
            .as_bytes(),
        )
    }

    #[track_caller]
    fn refuses(benchmark: &str, why: &str) {
        let error = one_benchmark(benchmark).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let launch = r#"{"round": 0, "samples": [1.0]}"#;
        refuses(
            r#"{"id": "a", "sampling": "call", "launches": []}"#,
            "neither launches nor a failure",
        );
        refuses(r#"{"id": "", "sampling": "call"}"#, "empty id");
        refuses(
            &format!(
                r#"{{"id": "a", "sampling": "call", "launches": [{launch}]}},
                   {{"id": "a", "sampling": "call", "launches": [{launch}]}}"#
            ),
            "`a` stands there twice",
        );
        refuses(
            r#"{"id": "a", "sampling": "call", "launches": [{"round": 0}]}"#,
            "neither samples",
        );
        refuses(
            r#"{"id": "a", "sampling": "call", "launches": [{"round": 0, "samples": []}]}"#,
            "no samples",
        );
        refuses(r#"{"id": "a", "sampling": "call", "extra": 1}"#, "unknown field `extra`");
        refuses(
            r#"{"id": "a", "sampling": "call", "launches": [{"round": 0, "samples": [-1]}]}"#,
            "-1",
        );
        refuses(
            r#"{"id": "a", "sampling": "call", "launches": [{"round": 0, "samples": [NaN]}]}"#,
            "expected value",
        );
        refuses(
            r#"{"id": "a", "sampling": "call", "launches": [{"round": 0, "samples": [1e999]}]}"#,
            "out of range",
        );
        refuses(
            r#"{"id": "a", "sampling": "call", "elements": -1, "launches": [{"round": 0, "samples": [1]}]}"#,
            "`-1` items",
        );
    }

    #[test]
    fn documents_of_other_kinds_are_refused() {
        assert!(matches!(Run::from_json(b""), Err(FileError::Json(_))));
        assert!(matches!(
            Run::from_json(b"{\"schema\": \"perfgate.run/2\"}"),
            Err(FileError::Schema { .. })
        ));
        assert!(matches!(
            Run::from_json(b"{\"schema\": \"perfgate.run/1\"}"),
            Err(FileError::Json(_))
        ));
        let deep = format!("{{\"schema\": {}", "[".repeat(100_000));
        assert!(matches!(Run::from_json(deep.as_bytes()), Err(FileError::Json(_))));
    }

    #[test]
    fn null_and_absence_mean_the_same() {
        let absent = one_benchmark(
            r#"{"id": "a", "sampling": "call", "launches": [{"round": 0, "samples": [1]}]}"#,
        );
        let null = one_benchmark(
            r#"{"id": "a", "package": null, "target": null, "sampling": "call", "elements": null, "per_call": null,
               "failure": null, "launches": [{"round": 0, "session": null, "order": null, "samples": [1],
               "digest": null, "metrics": null}]}"#,
        );
        assert_eq!(absent.unwrap(), null.unwrap());
    }
}
