//! The file format of a run as its schema describes it, read and written without perfgate's types.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    schema: String,
    pub(crate) created: String,
    source: SampleSource,
    pub(crate) complete: bool,
    #[serde(default)]
    pub(crate) notes: Vec<Note>,
    #[serde(default)]
    pub(crate) settings: Settings,
    #[serde(default)]
    pub(crate) conditions: BTreeMap<String, String>,
    pub(crate) commit: Option<MeasuredCommit>,
    pub(crate) host: Host,
    pub(crate) benchmarks: Vec<Benchmark>,
}

impl Run {
    pub(crate) fn new(created: String, source: SampleSource, host: Host) -> Self {
        Self {
            schema: "perfgate.run/2".to_owned(),
            created,
            source,
            complete: true,
            notes: Vec::new(),
            settings: Settings::default(),
            conditions: BTreeMap::new(),
            commit: None,
            host,
            benchmarks: Vec::new(),
        }
    }

    pub(crate) fn read(path: &Path) -> serde_json::Result<Self> {
        serde_json::from_slice(&fs::read(path).expect("a run was written"))
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SampleSource {
    Criterion,
    Command,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) command: Option<String>,
    #[serde(default)]
    pub(crate) pilot: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MeasuredCommit {
    pub(crate) id: String,
    pub(crate) branch: Option<String>,
    pub(crate) time: Option<String>,
    pub(crate) dirty: bool,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) fingerprint: String,
    pub(crate) cpu_model: String,
    pub(crate) cores: u32,
    pub(crate) memory_bytes: u64,
    pub(crate) os: String,
    pub(crate) kernel: String,
    pub(crate) image: Option<String>,
    pub(crate) rustc: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Benchmark {
    pub(crate) id: String,
    pub(crate) package: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) sampling: Sampling,
    pub(crate) elements: Option<f64>,
    #[serde(default)]
    pub(crate) per_call: BTreeMap<String, f64>,
    #[serde(default)]
    pub(crate) conditions: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) round_time: Option<f64>,
    #[serde(default)]
    pub(crate) launches: Vec<Launch>,
    pub(crate) failure: Option<BenchmarkFailure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sampling {
    Call,
    Batch,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) round: u32,
    pub(crate) session: Option<String>,
    pub(crate) order: Option<u32>,
    #[serde(flatten)]
    pub(crate) data: LaunchData,
    pub(crate) calls_per_sample: Option<serde_json::Value>,
    #[serde(default)]
    pub(crate) metrics: BTreeMap<String, f64>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LaunchData {
    Samples(Samples),
    Digest(Digest),
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Samples(Vec<Nanos>);

impl Samples {
    pub(crate) fn new(values: Vec<Nanos>) -> Option<Self> {
        (!values.is_empty()).then_some(Self(values))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Digest {
    pub(crate) count: u64,
    pub(crate) mean: Nanos,
    pub(crate) sd: Nanos,
    pub(crate) min: Nanos,
    pub(crate) p50: Nanos,
    pub(crate) p90: Nanos,
    pub(crate) p95: Nanos,
    pub(crate) p99: Nanos,
    pub(crate) max: Nanos,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Nanos(f64);

impl Nanos {
    pub(crate) fn new(ns: f64) -> Option<Self> {
        (ns.is_finite() && ns >= 0.0).then_some(Self(ns))
    }
}

/// A note in a file for people. Its other fields are not read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) note: String,
    pub(crate) text: String,
}

/// A failure reason in a file for people. Its other fields are not read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FailureReason {
    pub(crate) reason: String,
    pub(crate) text: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct BenchmarkFailure {
    pub(crate) reason: FailureReason,
    #[serde(default)]
    pub(crate) output: String,
}

/// The full id of a commit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CommitId(String);

impl CommitId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hex && text.len() == 40).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
