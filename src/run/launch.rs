//! One launch: its samples or, in the store, a digest of them.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::{Digest, deserialize_or_default};
use crate::stats::batch_bound::BatchTotal;
use crate::stats::cluster_mean::ClusterSummary;
use crate::units::Nanos;

/// One start of the benchmark process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "LaunchFile", into = "LaunchFile")]
pub(crate) struct Launch {
    /// Number of the round, from 0.
    pub(crate) round: u32,
    /// Name of the session. Launches of two runs with the same session and round were measured next
    /// to each other. `None` if the run was measured alone.
    pub(crate) session: Option<String>,
    /// Position within the round, from 0; `None` if the run was measured alone.
    pub(crate) order: Option<u32>,
    /// The samples, or a digest of them.
    pub(crate) data: LaunchData,
    /// Number of calls whose mean time a sample is; `None` if it is not known or a sample is one
    /// call.
    pub(crate) calls_per_sample: Option<CallsPerSample>,
    /// Further figures of the whole process, not negative, by name with unit: `peak_rss_bytes`.
    pub(crate) metrics: BTreeMap<String, f64>,
}

/// The data of a launch: its samples or, in the store, a digest of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LaunchData {
    /// All samples of the launch.
    Samples(Samples),
    /// A summary of the samples.
    Digest(Digest),
}

/// Numbers of calls whose mean times are the samples of a launch. Each is finite and above zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum CallsPerSample {
    /// Every sample has this number of calls.
    Same(f64),
    /// Number of calls of each sample, in the order of the samples.
    Each(Vec<f64>),
}

impl CallsPerSample {
    /// Returns the shortest form of `counts`, which has one number of calls per sample. Returns
    /// `None` if `counts` is empty or a number is not finite and above zero.
    pub(crate) fn new(counts: Vec<f64>) -> Option<Self> {
        if !counts.iter().copied().all(is_call_count) {
            return None;
        }
        let first = *counts.first()?;
        #[expect(clippy::float_cmp, reason = "counts are compared as they were written")]
        let are_same = counts.iter().all(|count| *count == first);
        Some(if are_same { Self::Same(first) } else { Self::Each(counts) })
    }

    /// Checks the numbers of calls of `sample_count` samples and returns them in their shortest form.
    ///
    /// # Errors
    ///
    /// Fails with the reason if a number is not finite and above zero, or if there is neither one
    /// number nor one per sample.
    pub(crate) fn check(self, sample_count: usize) -> Result<Self, String> {
        let invalid = || "a number of calls is not above zero".to_owned();
        match self {
            Self::Same(count) if is_call_count(count) => Ok(self),
            Self::Same(_) => Err(invalid()),
            Self::Each(counts) if counts.len() != sample_count => {
                Err(format!("{} numbers of calls and {sample_count} samples", counts.len()))
            }
            Self::Each(counts) => Self::new(counts).ok_or_else(invalid),
        }
    }

    /// Returns the number of calls of all `sample_count` samples.
    pub(crate) fn total(&self, sample_count: usize) -> f64 {
        match self {
            Self::Same(count) => count * sample_count as f64,
            Self::Each(counts) => counts.iter().sum(),
        }
    }

    /// Returns the part that a digest can keep: the number of calls if it is the same for every
    /// sample, and otherwise `None`.
    pub(crate) fn keep_same(&self) -> Option<Self> {
        matches!(self, Self::Same(_)).then(|| self.clone())
    }
}

/// Checks the `calls` of a launch in a file, as [`CallsPerSample::check`] does. Fails if the launch
/// has a digest and more than one number.
fn check_calls(
    calls: CallsPerSample,
    round: u32,
    data: &LaunchData,
) -> Result<CallsPerSample, String> {
    if let (CallsPerSample::Each(counts), LaunchData::Digest(_)) = (&calls, data) {
        let count = counts.len();
        return Err(format!("launch {round} has {count} numbers of calls and no samples"));
    }
    let sample_count = match data {
        LaunchData::Samples(samples) => samples.len(),
        LaunchData::Digest(_) => 1,
    };
    calls.check(sample_count).map_err(|why| format!("launch {round}: {why}"))
}

fn is_call_count(count: f64) -> bool {
    count.is_finite() && count > 0.0
}

/// All samples of a launch in the order in which they were taken; at least one.
///
/// The digest is kept once it has been computed: from one look at the data to the next, only the
/// launches of the last round are new.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    values: Vec<Nanos>,
    sorted: OnceLock<Box<[f64]>>,
    /// In a box, so that it takes no room before it is needed: a run may have a million launches.
    digest: OnceLock<Box<Digest>>,
}

impl Samples {
    /// Returns `None` if `values` is empty.
    pub(crate) fn new(values: Vec<Nanos>) -> Option<Self> {
        (!values.is_empty()).then(|| Self {
            values,
            sorted: OnceLock::new(),
            digest: OnceLock::new(),
        })
    }

    /// Returns the digest of the samples.
    pub(crate) fn digest(&self) -> Digest {
        // This does not use `sorted`: it takes as much memory as the samples, and few callers need
        // it.
        **self.digest.get_or_init(|| Box::new(Digest::from_sorted(&sort_samples(&self.values))))
    }

    /// Returns the samples in nanoseconds, in ascending order.
    pub(crate) fn sorted_nanos(&self) -> &[f64] {
        self.sorted.get_or_init(|| sort_samples(&self.values).into_boxed_slice())
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

/// Compares the samples only; whether the digest is already computed makes no difference.
impl PartialEq for Samples {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl Launch {
    /// Returns the digest of the launch: the stored one, or that of the samples.
    pub(crate) fn digest(&self) -> Digest {
        match &self.data {
            LaunchData::Samples(samples) => samples.digest(),
            LaunchData::Digest(digest) => *digest,
        }
    }

    /// Returns each sample as a batch, with its number of calls and their time in nanoseconds.
    /// Returns `None` if only a digest is stored or the numbers of calls are not known.
    pub(crate) fn list_batches(&self) -> Option<Vec<BatchTotal>> {
        let LaunchData::Samples(samples) = &self.data else { return None };
        let build = |(sample, calls): (&Nanos, f64)| BatchTotal {
            calls,
            // A product that is too large for a double is longer than any limit.
            time: (sample.get() * calls).min(f64::MAX),
        };
        Some(match self.calls_per_sample.as_ref()? {
            CallsPerSample::Same(calls) => {
                samples.iter().map(|sample| build((sample, *calls))).collect()
            }
            CallsPerSample::Each(counts) => {
                samples.iter().zip(counts.iter().copied()).map(build).collect()
            }
        })
    }

    /// Returns the arithmetic mean of its calls in nanoseconds, and their number. A sample counts as
    /// one call if its number of calls is not known.
    pub(crate) fn summarize_calls(&self) -> ClusterSummary {
        if let (Some(CallsPerSample::Each(_)), Some(batches)) =
            (&self.calls_per_sample, self.list_batches())
        {
            let size: f64 = batches.iter().map(|batch| batch.calls).sum();
            let mean = batches.iter().map(|batch| batch.time / size).sum();
            return ClusterSummary { mean, size };
        }
        let calls_per_sample = match self.calls_per_sample {
            Some(CallsPerSample::Same(calls)) => calls,
            _ => 1.0,
        };
        let digest = self.digest();
        ClusterSummary { mean: digest.mean.get(), size: digest.count as f64 * calls_per_sample }
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calls_per_sample: Option<CallsPerSample>,
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
        let LaunchFile { round, session, order, samples, digest, calls_per_sample, metrics } = file;
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
        let calls_per_sample =
            calls_per_sample.map(|calls| check_calls(calls, round, &data)).transpose()?;
        Ok(Self { round, session, order, data, calls_per_sample, metrics })
    }
}

impl From<Launch> for LaunchFile {
    fn from(launch: Launch) -> Self {
        let Launch { round, session, order, data, calls_per_sample, metrics } = launch;
        let (samples, digest) = match data {
            LaunchData::Samples(samples) => (Some(samples.into()), None),
            LaunchData::Digest(digest) => (None, Some(digest)),
        };
        Self { round, session, order, samples, digest, calls_per_sample, metrics }
    }
}
