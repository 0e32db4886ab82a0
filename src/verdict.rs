//! What the data say, what the gate decides, and the file that records both.

mod change;
mod decide;
mod file;
mod looks;
mod reason;
mod screen;
mod short_launches;
mod target;
mod waivers;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use decide::{BaselineEvidence, Evidence, RoundsEvidence, decide};
pub(crate) use looks::{NoiseHistory, find_next_look};
pub(crate) use screen::ScreenOutcome;

use crate::compare::SideFigures;
use crate::host::Host;
use crate::policy::{FailOn, Metric};
use crate::run::{
    BenchmarkFailure, BenchmarkId, FileError, MeasuredCommit, Sampling, check_schema,
    deserialize_or_default,
};
use crate::units::{Confidence, Nanos, Percent, Ratio};

/// The schema that this version writes.
pub(crate) const DECISION_SCHEMA: &str = "perfgate.decision/1";

/// What the gate decides; the worst of its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Nothing that was asked to fail does.
    Pass,
    /// Something could not be told that was asked to be known.
    Inconclusive,
    /// Something is worse than was tolerated.
    Fail,
}

impl Verdict {
    /// The status that `check` ends with.
    pub(crate) fn exit_status(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 10,
            Self::Inconclusive => 11,
        }
    }
}

/// What the data say about one benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Change {
    /// Slower than is tolerated.
    Regressed,
    /// In the baseline, not in the candidate.
    Missing,
    /// It could not be measured.
    Failed,
    /// The data do not tell.
    Inconclusive,
    /// Faster by more than is tolerated in the other direction.
    Improved,
    /// Not in the baseline.
    New,
    /// No slowdown of the size that must be found.
    Unchanged,
}

/// What the data say about one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TargetStatus {
    /// The lower bound is above the limit.
    Missed,
    /// The data do not tell.
    Unproven,
    /// The upper bound is at or below the limit.
    Met,
}

/// Verdict, changes, targets and reasons of one check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    schema: String,
    /// What the gate decides.
    pub(crate) verdict: Verdict,
    /// The status `check` ends with.
    pub(crate) exit_status: u8,
    /// What was compared with.
    pub(crate) baseline: BaselineSource,
    /// What was judged.
    pub(crate) candidate: CandidateSource,
    /// One judgement a benchmark.
    pub(crate) benchmarks: Vec<Judgement>,
    /// What keeps it from passing; where it is not said, anything that can.
    #[serde(default = "default_fail_on")]
    pub(crate) fail_on: Vec<FailOn>,
    /// What makes the answer weaker than it looks.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) warnings: Vec<String>,
}

fn default_fail_on() -> Vec<FailOn> {
    FailOn::ALL.to_vec()
}

/// Where the baseline came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BaselineSource {
    /// How it was had.
    pub(crate) kind: BaselineKind,
    /// Its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<MeasuredCommit>,
    /// Its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<Host>,
    /// Number of stored runs it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) runs: Option<u32>,
    /// Through which stages the answer came.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) stages: Vec<CheckStage>,
    /// What the screen settled, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) screen: Option<ScreenOutcome>,
}

/// How a baseline was had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BaselineKind {
    /// Runs of earlier commits, from the store.
    Stored,
    /// Measured in rounds, next to the candidate.
    #[serde(rename = "interleaved")]
    Rounds,
    /// A run file.
    File,
    /// There was none.
    None,
}

/// A stage of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckStage {
    /// Judged against stored runs.
    Screened,
    /// Judged in rounds against the base commit.
    Confirmed,
}

/// What was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CandidateSource {
    /// Its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<MeasuredCommit>,
    /// Its machine.
    pub(crate) host: Host,
}

/// What is said about one benchmark, with the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Judgement {
    /// `group/function/parameter`.
    pub(crate) id: String,
    /// The Cargo package it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    /// The bench target it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    /// What the data say.
    pub(crate) change: Change,
    /// Candidate ÷ baseline, with the plain two-sided interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<RatioInterval>,
    /// Two-sided, corrected for looking several times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p_value: Option<f64>,
    /// The false discovery rate at which this one counts (Benjamini–Hochberg).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) q_value: Option<f64>,
    /// Launches per side that the answer rests on.
    pub(crate) launches: LaunchCounts,
    /// The slowdown found with 80 % power at the noise that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) minimum_detectable: Option<f64>,
    /// The change that unchanged code shows on this machine, from calibration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) noise_floor: Option<f64>,
    /// The slowdown that was tolerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) threshold: Option<Percent>,
    /// The slowdown that had to be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detect: Option<Percent>,
    /// What one sample is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sampling: Option<Sampling>,
    /// The stage that gave the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stage: Option<CheckStage>,
    /// Amounts handled by one call, by unit: `elements`, `bytes`, `tokens`.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) per_call: BTreeMap<String, f64>,
    /// The baseline's figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) baseline: Option<SideFigures>,
    /// The candidate's figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) candidate: Option<SideFigures>,
    /// Why it could not be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<BenchmarkFailure>,
    /// Instructions of a call, where they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instructions: Option<InstructionCounts>,
    /// Its targets.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) targets: Vec<TargetJudgement>,
    /// An accepted regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) waiver: Option<Waiver>,
    /// In words: why this change, and what weakens the answer.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) reasons: Vec<String>,
}

/// A ratio with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RatioInterval {
    /// Lower end.
    pub(crate) low: Ratio,
    /// Best guess.
    pub(crate) point: Ratio,
    /// Upper end.
    pub(crate) high: Ratio,
    /// How often such intervals hold the truth.
    pub(crate) confidence: Confidence,
}

/// Launches per side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LaunchCounts {
    /// Of the baseline.
    pub(crate) baseline: u32,
    /// Of the candidate.
    pub(crate) candidate: u32,
}

/// Instructions of one call on both sides, as callgrind counts them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstructionCounts {
    /// Of the baseline.
    pub(crate) baseline: f64,
    /// Of the candidate.
    pub(crate) candidate: f64,
}

/// An absolute limit and what the data say about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetJudgement {
    /// What is limited.
    pub(crate) metric: Metric,
    /// The limit.
    pub(crate) limit: Nanos,
    /// One-sided lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) low: Option<Nanos>,
    /// Best guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<Nanos>,
    /// One-sided upper bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) high: Option<Nanos>,
    /// What the data say.
    pub(crate) status: TargetStatus,
    /// Why it is unproven, or what decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// A regression that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiver {
    /// Why it was accepted.
    pub(crate) reason: String,
    /// Up to which slowdown; none for a benchmark that is gone on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<Percent>,
}

impl Judgement {
    /// True where both sides have the same program, so that there was nothing to measure.
    pub(crate) fn is_same_program(&self) -> bool {
        self.change == Change::Unchanged
            && self.ratio.is_none()
            && self.reasons.iter().any(|reason| reason == decide::SAME_PROGRAM)
    }

    /// Which benchmark this is about.
    pub(crate) fn to_id(&self) -> BenchmarkId {
        BenchmarkId { name: self.id.clone(), package: self.package.clone() }
    }
}

impl Decision {
    /// Reads a decision.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, FileError> {
        check_schema(json, DECISION_SCHEMA)?;
        let decision: Self = serde_json::from_slice(json)?;
        decision.validate().map_err(FileError::Invalid)?;
        Ok(decision)
    }
}
