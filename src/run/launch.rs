//! One launch: its samples, or in the store what they sum up to.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::{Digest, deserialize_or_default};
use crate::units::Nanos;

/// One start of the benchmark process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "LaunchFile", into = "LaunchFile")]
pub(crate) struct Launch {
    /// Position of the launch in its run, from 0.
    pub(crate) round: u32,
    /// Launches of two runs with the same session and round were measured next to each other.
    pub(crate) session: Option<String>,
    /// Place within the round, from 0.
    pub(crate) order: Option<u32>,
    /// What was observed.
    pub(crate) data: LaunchData,
    /// Further figures of the whole process, by name with unit: `peak_rss_bytes`.
    pub(crate) metrics: BTreeMap<String, f64>,
}

/// What a launch observed: the samples, or in the store a digest of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LaunchData {
    /// Every sample.
    Samples(Samples),
    /// Their summary.
    Digest(Digest),
}

/// Every sample of a launch in the order it was taken; at least one.
///
/// What they sum up to is kept once it was asked for: between two looks only the launches of the last
/// round are new.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    values: Vec<Nanos>,
    sorted: OnceLock<Vec<f64>>,
    digest: OnceLock<Digest>,
}

impl Samples {
    /// The samples `taken`; nothing where there are none.
    pub(crate) fn new(values: Vec<Nanos>) -> Option<Self> {
        (!values.is_empty()).then(|| Self {
            values,
            sorted: OnceLock::new(),
            digest: OnceLock::new(),
        })
    }

    /// What they sum up to.
    pub(crate) fn digest(&self) -> Digest {
        // Not from what is kept sorted: that takes as much memory as the samples, and few ask for it.
        *self.digest.get_or_init(|| Digest::from_sorted(&sort_samples(&self.values)))
    }

    /// From the shortest to the longest, in nanoseconds.
    pub(crate) fn sorted_nanos(&self) -> &[f64] {
        self.sorted.get_or_init(|| sort_samples(&self.values))
    }
}

fn sort_samples(samples: &[Nanos]) -> Vec<f64> {
    let mut sorted: Vec<f64> = samples.iter().map(|sample| sample.get()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

impl Deref for Samples {
    type Target = [Nanos];

    fn deref(&self) -> &[Nanos] {
        &self.values
    }
}

impl From<Samples> for Vec<Nanos> {
    fn from(samples: Samples) -> Self {
        samples.values
    }
}

/// What was asked for before makes no difference.
impl PartialEq for Samples {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl Launch {
    /// Its samples summed up; a digest is its own.
    pub(crate) fn digest(&self) -> Digest {
        match &self.data {
            LaunchData::Samples(samples) => samples.digest(),
            LaunchData::Digest(digest) => *digest,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaunchFile {
    round: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    samples: Option<Vec<Nanos>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    metrics: BTreeMap<String, f64>,
}

impl TryFrom<LaunchFile> for Launch {
    type Error = String;

    fn try_from(file: LaunchFile) -> Result<Self, String> {
        let LaunchFile { round, session, order, samples, digest, metrics } = file;
        let data = match (samples, digest) {
            (Some(samples), None) => {
                let samples = Samples::new(samples);
                LaunchData::Samples(
                    samples.ok_or_else(|| format!("launch {round} has no samples"))?,
                )
            }
            (None, Some(digest)) if digest.count == 0 => {
                return Err(format!("launch {round} is a digest of no samples"));
            }
            (None, Some(digest)) => LaunchData::Digest(digest),
            (Some(_), Some(_)) => {
                return Err(format!("launch {round} has both samples and a digest"));
            }
            (None, None) => return Err(format!("launch {round} has neither samples nor a digest")),
        };
        Ok(Self { round, session, order, data, metrics })
    }
}

impl From<Launch> for LaunchFile {
    fn from(launch: Launch) -> Self {
        let Launch { round, session, order, data, metrics } = launch;
        let (samples, digest) = match data {
            LaunchData::Samples(samples) => (Some(samples.into()), None),
            LaunchData::Digest(digest) => (None, Some(digest)),
        };
        Self { round, session, order, samples, digest, metrics }
    }
}
