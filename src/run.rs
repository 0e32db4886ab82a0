//! The measurement file: a run, its benchmarks, their launches.
//!
//! A file is checked completely when it is read, before anything is computed from it. So a `Run`
//! that was read is valid.

mod bounded;
mod file;
mod digest;
mod launch;
mod rounds_record;
mod pilot_record;
mod benchmark;
mod conditions;
mod load;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use benchmark::MAX_SHOWN_CHARS;
pub(crate) use benchmark::{Benchmark, BenchmarkFailure, BenchmarkId, Sampling};
pub(crate) use conditions::{
    ConditionDifference, ProviderRecord, borrow_conditions, list_condition_differences,
    list_runtime_conditions,
};
pub(crate) use digest::Digest;
pub(crate) use file::{FileError, check_schema, deserialize_or_default, explain_json_error};
pub(crate) use launch::{CallsPerSample, Launch, LaunchData, Samples};
pub(crate) use load::{
    DROPPED_METRIC, LatencyOrigin, LoadPacing, LoadShape, RATE_METRIC, fill_unknown_conditions,
};
pub(crate) use pilot_record::{PilotRecord, PilotedBenchmark};
pub(crate) use rounds_record::{LookHorizon, RoundsRecord};

use crate::files;
use crate::host::Host;
use crate::note::Note;
use crate::text::shorten;

/// Schema of the run files that this version writes.
pub(crate) const RUN_SCHEMA: &str = "perfgate.run/2";
/// Schemas of the run files that this version reads, in ascending order.
const READABLE_SCHEMAS: [&str; 2] = ["perfgate.run/1", RUN_SCHEMA];

/// Numbers of hexadecimal digits of a commit id: SHA-1 and SHA-256.
const COMMIT_ID_LENGTHS: [usize; 2] = [40, 64];

/// All launches of one measurement: one commit, one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    schema: String,
    /// Time at which the measurement began, in RFC 3339.
    pub(crate) created: String,
    /// What produced the samples.
    pub(crate) source: SampleSource,
    /// Version of perfgate that measured; `None` if the file does not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) perfgate: Option<String>,
    /// False if the measurement ended early; such a run cannot pass.
    #[serde(default = "assume_complete", deserialize_with = "deserialize_or_true")]
    pub(crate) complete: bool,
    /// Problems and surprises during the measurement, in the order they were noticed.
    #[serde(
        default,
        alias = "warnings",
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) notes: Vec<Note>,
    /// Settings of the measurement.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) settings: RunSettings,
    /// Conditions that must be alike for two runs to be comparable, by name: `provider`, `model`.
    /// Those of a benchmark add to them or replace them.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) conditions: BTreeMap<String, String>,
    /// The commit that was measured; `None` if there is no commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<MeasuredCommit>,
    /// The machine that it was measured on.
    pub(crate) host: Host,
    /// All benchmarks of the run. Each id appears once per package.
    pub(crate) benchmarks: Vec<Benchmark>,
}

/// What produces samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SampleSource {
    /// Bench targets of a Cargo workspace that use Criterion.
    Criterion,
    /// Any command that prints samples.
    Command,
}

/// Settings that a run was measured with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunSettings {
    /// Seed of every random choice; `None` if it was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
    /// Requested number of calls per launch; `None` if it was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) calls: Option<u32>,
    /// Number of threads as older files have it. [`Run::from_json`] moves it to the conditions, so
    /// that it is `None` in every run.
    #[serde(default, skip_serializing)]
    pub(crate) threads: Option<u32>,
    /// Execution provider as older files have it. [`Run::from_json`] moves it to the conditions, so
    /// that it is `None` in every run.
    #[serde(default, skip_serializing)]
    pub(crate) provider: Option<ProviderRecord>,
    /// What was fixed before the first round; `None` if the run was not measured in rounds, or by a
    /// version that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rounds: Option<RoundsRecord>,
    /// What the pilot launch found about each bench target. Empty for commands, and in files that do
    /// not record it.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) pilot: Vec<PilotRecord>,
    /// Command line that repeats the measurement; `None` if it was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<String>,
    /// What was asked for on the command line; `None` if it was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<RunRequest>,
}

/// What a command line asks for, as far as it takes to ask for the same again. Patterns and packages
/// are left out: they follow from the benchmarks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunRequest {
    /// Path of the workspace's manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) manifest_path: Option<String>,
    /// Cargo features, one entry per flag.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) features: Vec<String>,
    /// Cargo profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    /// Number of launches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) launches: Option<u32>,
}

/// The commit that was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeasuredCommit {
    /// Full object id: 40 or 64 hexadecimal digits in lower case.
    #[serde(deserialize_with = "deserialize_commit_id")]
    pub(crate) id: String,
    /// Branch that was checked out; `None` on a detached head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) branch: Option<String>,
    /// Commit time in RFC 3339; `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<String>,
    /// True if the working tree differed from the commit.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) dirty: bool,
}

/// Reads a full object id. Reports show it outside of code, where other text could be a link.
fn deserialize_commit_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    let is_hex = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex && COMMIT_ID_LENGTHS.contains(&id.len()) {
        return Ok(id);
    }
    let shown = shorten(&id, MAX_SHOWN_CHARS);
    Err(D::Error::custom(format!(
        "`{shown}` is not a full commit id of 40 or 64 hexadecimal digits"
    )))
}

fn assume_complete() -> bool {
    true
}

fn deserialize_or_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(true))
}

impl Run {
    /// Creates a run without benchmarks, which the caller adds. `created` is the time at which the
    /// measurement began, in RFC 3339.
    pub(crate) fn new(created: String, source: SampleSource, host: Host) -> Self {
        Self {
            schema: RUN_SCHEMA.to_owned(),
            created,
            source,
            perfgate: Some(env!("CARGO_PKG_VERSION").to_owned()),
            complete: true,
            notes: Vec::new(),
            settings: RunSettings::default(),
            conditions: BTreeMap::new(),
            commit: None,
            host,
            benchmarks: Vec::new(),
        }
    }

    /// Reads and checks a run. A run of an older schema becomes one of the current schema.
    ///
    /// # Errors
    ///
    /// Fails if `json` is not a run of a known schema or its content is invalid.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, FileError> {
        check_schema(json, &READABLE_SCHEMAS, None)?;
        let mut run: Self = serde_json::from_slice(json)?;
        RUN_SCHEMA.clone_into(&mut run.schema);
        let RunSettings { threads, provider, .. } = &mut run.settings;
        for (key, value) in list_runtime_conditions(threads.take(), provider.take()) {
            run.conditions.entry(key).or_insert(value);
        }
        run.check()?;
        Ok(run)
    }

    /// Returns a copy of the run in which benchmarks have no launches: everything but the samples.
    #[must_use]
    pub(crate) fn copy_without_launches(&self) -> Self {
        Self {
            schema: self.schema.clone(),
            created: self.created.clone(),
            source: self.source,
            perfgate: self.perfgate.clone(),
            complete: self.complete,
            notes: self.notes.clone(),
            settings: self.settings.clone(),
            conditions: self.conditions.clone(),
            commit: self.commit.clone(),
            host: self.host.clone(),
            benchmarks: self.benchmarks.iter().map(Benchmark::copy_without_launches).collect(),
        }
    }

    /// Reads and checks the run in the file at `path`.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or for the reasons of [`Run::from_json`].
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        Self::from_json(&files::read_given_file(path)?)
    }

    fn check(&self) -> Result<(), FileError> {
        let mut seen = HashSet::with_capacity(self.benchmarks.len());
        for benchmark in &self.benchmarks {
            benchmark.check().map_err(FileError::Invalid)?;
            if !seen.insert((&benchmark.package, &benchmark.id)) {
                let message = format!(
                    "benchmark `{}` appears twice",
                    shorten(&benchmark.id, MAX_SHOWN_CHARS)
                );
                return Err(FileError::Invalid(message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::FailureReason;

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
            "`a` appears twice",
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
            Run::from_json(b"{\"schema\": \"perfgate.decision/1\"}"),
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
    fn a_run_of_schema_1_becomes_one_of_schema_2() {
        let old = r#"{"schema": "perfgate.run/1", "created": "2026-11-22T00:00:00Z", "source": "command",
            "warnings": ["it was hot"],
            "host": {"fingerprint": "f", "cpu_model": "c", "cores": 2, "memory_bytes": 1,
                     "os": "o", "kernel": "k"},
            "benchmarks": [{"id": "a", "sampling": "call", "failure": {"reason": "panicked"}}]}"#;
        let run = Run::from_json(old.as_bytes()).unwrap();
        assert_eq!(run.notes, [Note::Recorded { sentence: "it was hot".to_owned() }]);
        let reason = &run.benchmarks[0].failure.as_ref().unwrap().reason;
        assert_eq!(*reason, FailureReason::Reported { sentence: "panicked".to_owned() });
        let written = serde_json::to_string(&run).unwrap();
        assert!(written.starts_with(r#"{"schema":"perfgate.run/2""#), "{written}");
        assert_eq!(Run::from_json(written.as_bytes()).unwrap(), run);
    }

    #[test]
    fn calls_per_sample_are_one_number_or_one_per_sample() {
        let read = |calls: &str| {
            one_benchmark(&format!(
                r#"{{"id": "a", "sampling": "batch", "launches": [
                     {{"round": 0, "samples": [1, 2], "calls_per_sample": {calls}}}]}}"#
            ))
        };
        let calls = |run: Result<Run, FileError>| {
            run.unwrap().benchmarks[0].launches[0].calls_per_sample.clone()
        };
        assert_eq!(calls(read("null")), None);
        assert_eq!(calls(read("1200")), CallsPerSample::new(vec![1200.0, 1200.0]));
        assert_eq!(calls(read("[10, 20]")), CallsPerSample::new(vec![10.0, 20.0]));
        for bad in ["0", "-1", "[10]", "[10, 0]", "[]", "1e999", "\"10\""] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let digest = r#"{"id": "a", "sampling": "batch", "launches": [{"round": 0, "calls_per_sample": [1, 2],
            "digest": {"count": 2, "mean": 1, "sd": 0, "min": 1, "p50": 1, "p90": 1, "p95": 1,
                       "p99": 1, "max": 1}}]}"#;
        refuses(digest, "2 numbers of calls and no samples");
        one_benchmark(&digest.replace("[1, 2]", "7")).unwrap();
    }

    #[test]
    fn a_commit_id_that_is_a_link_or_a_mention_is_refused() {
        let read = |id: &str| {
            serde_json::from_str::<MeasuredCommit>(&serde_json::json!({ "id": id }).to_string())
        };
        for id in ["@dhh", "#123456", "abc1234", "", "www.evil.example", &"F".repeat(40)] {
            let message = read(id).unwrap_err().to_string();
            assert!(message.contains("is not a full commit id of 40 or 64"), "{message}");
        }
        assert_eq!(read(&"0f".repeat(20)).unwrap().id, "0f".repeat(20));
        read(&"0f".repeat(32)).unwrap();
    }

    #[test]
    fn null_and_absence_mean_the_same() {
        let absent = one_benchmark(
            r#"{"id": "a", "sampling": "call", "launches": [{"round": 0, "samples": [1]}]}"#,
        );
        let null = one_benchmark(
            r#"{"id": "a", "package": null, "target": null, "sampling": "call", "elements": null, "per_call": null,
               "conditions": null, "failure": null, "launches": [{"round": 0, "session": null, "order": null, "samples": [1],
               "digest": null, "calls_per_sample": null, "metrics": null}]}"#,
        );
        assert_eq!(absent.unwrap(), null.unwrap());
    }
}
