//! The decision of a check as a file: verdict, changes of benchmarks, targets, and notes on what
//! weakens them.
//!
//! This module knows what a decision can hold and checks what it reads, because a decision file may
//! come from a stranger. It does not know how a decision is made, or by whom.

mod claim;
mod explanation;
mod file;
mod origin;
mod reason;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use self::claim::{ExpectationJudgement, MetricJudgement, SumJudgement};
pub(crate) use self::explanation::{
    ExplainedCause, ExplainedScope, Explanation, FunctionChange, FunctionPresence, InliningChange,
    LineChange, SideCounts, StackNode,
};
pub(crate) use self::origin::{OriginEvidence, SlowdownOrigin};
use crate::compare::SideFigures;
use crate::host::Host;
use crate::note::Note;
use crate::policy::{FailOn, HourPrice, LimitSide, TargetFigure};
use crate::run::{
    BenchmarkFailure, BenchmarkId, MeasuredCommit, RunRequest, Sampling, deserialize_or_default,
};
use crate::units::{Amount, Confidence, Nanos, Percent, Ratio};

/// The schema of the decision files that this version writes.
pub(crate) const DECISION_SCHEMA: &str = "perfgate.decision/2";

/// Exit status of a check that does not block: it passes, or it is inconclusive and the policy does
/// not fail on that.
pub(crate) const PASS_STATUS: u8 = 0;
/// Exit status of a check that fails.
pub(crate) const FAIL_STATUS: u8 = 10;
/// Exit status of a check that is inconclusive and blocks.
pub(crate) const INCONCLUSIVE_STATUS: u8 = 11;

/// The outcome of the gate: what is known. Whether it blocks is a question of its own, which the
/// exit status answers. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Nothing is worse than tolerated, and the check could tell.
    Pass,
    /// The check could not tell enough.
    Inconclusive,
    /// Something is worse than the policy tolerates.
    Fail,
}

impl Verdict {
    /// Returns the name that files and outputs use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        }
    }

    /// Returns the exit status of `check`. Only an inconclusive check asks whether it
    /// `blocks_undecided`.
    pub(crate) fn exit_status(self, blocks_undecided: bool) -> u8 {
        match self {
            Self::Fail => FAIL_STATUS,
            Self::Inconclusive if blocks_undecided => INCONCLUSIVE_STATUS,
            Self::Pass | Self::Inconclusive => PASS_STATUS,
        }
    }
}

/// What a check found out, and whether it blocks although that is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckOutcome {
    /// What is known.
    pub(crate) verdict: Verdict,
    /// Whether an inconclusive check blocks.
    pub(crate) blocks_undecided: bool,
}

/// What the data say about one benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Change {
    /// Slower than tolerated.
    Regressed,
    /// In the baseline, but not in the candidate.
    Missing,
    /// The candidate could not be measured.
    Failed,
    /// The data do not show whether it changed.
    Inconclusive,
    /// Faster by more than the threshold.
    Improved,
    /// Not in the baseline, or without measurements in it.
    New,
    /// No slowdown of the size that must be found.
    Unchanged,
}

impl Change {
    /// Returns the name that files and outputs use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Missing => "missing",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
            Self::Improved => "improved",
            Self::New => "new",
            Self::Unchanged => "unchanged",
        }
    }

    /// Returns whether both sides were measured, so that the change answers a comparison.
    pub(crate) fn is_compared(self) -> bool {
        match self {
            Self::Regressed | Self::Inconclusive | Self::Improved | Self::Unchanged => true,
            Self::Missing | Self::Failed | Self::New => false,
        }
    }
}

/// What the data say about one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TargetStatus {
    /// The lower bound is above the limit.
    Missed,
    /// The data do not show whether the limit is met.
    Unproven,
    /// The upper bound is at or below the limit.
    Met,
}

/// Verdict, changes, targets and reasons of one check, as they are stored in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    schema: String,
    /// Outcome of the gate.
    pub(crate) verdict: Verdict,
    /// Exit status of `check`. It depends on the verdict and, for an inconclusive check, on whether
    /// the policy fails on what is not known.
    pub(crate) exit_status: u8,
    /// Origin of the baseline.
    pub(crate) baseline: BaselineSource,
    /// Origin of the candidate.
    pub(crate) candidate: CandidateSource,
    /// Judgements, one per benchmark.
    pub(crate) benchmarks: Vec<Judgement>,
    /// Judgements of the targets on sums of benchmarks.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) sums: Vec<SumJudgement>,
    /// Judgements of the claims about ratios of benchmarks.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) expectations: Vec<ExpectationJudgement>,
    /// What an hour of the machine costs. `None` if the policy does not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<HourPrice>,
    /// Reasons that keep the check from passing. All reasons if the file does not name them.
    #[serde(default = "default_fail_on")]
    pub(crate) fail_on: Vec<FailOn>,
    /// Circumstances that weaken the answer as a whole.
    #[serde(default, alias = "warnings", deserialize_with = "deserialize_or_default")]
    pub(crate) notes: Vec<Note>,
}

fn default_fail_on() -> Vec<FailOn> {
    FailOn::ALL.to_vec()
}

/// Origin of the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BaselineSource {
    /// How the baseline was obtained.
    pub(crate) kind: BaselineKind,
    /// Commit of the baseline. `None` if it is not known or if there is no baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<MeasuredCommit>,
    /// Machine of the baseline. `None` if there is no baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<Host>,
    /// Conditions of the baseline's measurement, by name. Empty if none were recorded.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) conditions: BTreeMap<String, String>,
    /// Number of stored runs that the answer is based on. `None` if no stored runs were used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) runs: Option<u32>,
    /// Stages that the check went through, in order.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) stages: Vec<CheckStage>,
    /// What the screen settled. `None` without a screen, or if it had too few stored runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) screen: Option<ScreenOutcome>,
}

/// How a baseline was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BaselineKind {
    /// Runs of earlier commits, from the store.
    Stored,
    /// Measured in rounds, next to the candidate.
    #[serde(alias = "interleaved")]
    Rounds,
    /// A run file.
    File,
    /// No baseline.
    None,
}

/// Stage of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckStage {
    /// Judged against stored runs.
    Screened,
    /// Judged in rounds against the base commit.
    Confirmed,
}

/// How many benchmarks a screen settled, and what that saved. The savings are a lower limit:
/// they assume that the rounds would have ended at their first look.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScreenOutcome {
    /// Number of benchmarks that the screen judged.
    pub(crate) judged: u32,
    /// Number of benchmarks that needed no rounds after the screen.
    pub(crate) settled: u32,
    /// Number of launches, of both sides, that the settled benchmarks would have taken until their
    /// first look.
    pub(crate) launches_saved: u32,
    /// Time of the calls in these launches. Batches are not counted.
    pub(crate) calls_saved: Nanos,
}

/// Origin of the candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CandidateSource {
    /// Commit of the candidate. `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<MeasuredCommit>,
    /// Machine of the candidate.
    pub(crate) host: Host,
    /// Conditions of the candidate's measurement, by name. Empty if none were recorded.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) conditions: BTreeMap<String, String>,
    /// What was asked for on the command line. `None` if it was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<RunRequest>,
}

/// The judgement of one benchmark, with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Judgement {
    /// Name of the benchmark: `group/function/parameter`.
    pub(crate) id: String,
    /// Cargo package of the benchmark. `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    /// Cargo bench target of the benchmark. `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    /// What the data say.
    pub(crate) change: Change,
    /// Candidate ÷ baseline, with the plain two-sided interval. `None` without a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<RatioInterval>,
    /// Two-sided p-value, corrected for looking several times. `None` without a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p_value: Option<f64>,
    /// False discovery rate at which this benchmark counts as changed (Benjamini–Hochberg). `None`
    /// without a p-value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) q_value: Option<f64>,
    /// Launches per side that the answer is based on.
    pub(crate) launches: LaunchCounts,
    /// Slowdown found with 80 % power at the noise of this measurement, as a share. `None` without
    /// a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) minimum_detectable: Option<f64>,
    /// Change that unchanged code shows on this machine, as a share, from calibration. `None`
    /// without calibration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) noise_floor: Option<f64>,
    /// Slowdown up to which a change was tolerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) threshold: Option<Percent>,
    /// Slowdown that had to be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detect: Option<Percent>,
    /// Meaning of one sample. `None` if the benchmark was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sampling: Option<Sampling>,
    /// Stage that gave the answer. `None` if no stage judged the benchmark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stage: Option<CheckStage>,
    /// Amounts handled by one call, by unit: `elements`, `bytes`, `tokens`.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) per_call: BTreeMap<String, f64>,
    /// Figures of the baseline. `None` without launches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) baseline: Option<SideFigures>,
    /// Figures of the candidate. `None` without launches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) candidate: Option<SideFigures>,
    /// Why the candidate could not be measured. `None` if it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<BenchmarkFailure>,
    /// Instructions of one call. `None` if they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instructions: Option<InstructionCounts>,
    /// Where the added instructions are. `None` if nobody asked, or if they could not be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) explanation: Option<Box<Explanation>>,
    /// Between which commits of the default branch it regressed. `None` outside of that branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<SlowdownOrigin>,
    /// Judgements of its targets.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) targets: Vec<TargetJudgement>,
    /// The metrics that its launches report, by name.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) metrics: BTreeMap<String, MetricJudgement>,
    /// The waiver that accepts the change. `None` if it is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) waiver: Option<Waiver>,
    /// Why this change was found, and what weakens the answer.
    #[serde(default, alias = "reasons", deserialize_with = "deserialize_or_default")]
    pub(crate) notes: Vec<Note>,
}

/// A ratio of candidate to baseline with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RatioInterval {
    /// Lower end of the interval.
    pub(crate) low: Ratio,
    /// Best estimate.
    pub(crate) point: Ratio,
    /// Upper end of the interval.
    pub(crate) high: Ratio,
    /// Share of such intervals that contain the true ratio.
    pub(crate) confidence: Confidence,
}

/// Numbers of launches per side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LaunchCounts {
    /// Launches of the baseline.
    pub(crate) baseline: u32,
    /// Launches of the candidate.
    pub(crate) candidate: u32,
}

/// Instructions of one call on both sides, as callgrind counts them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstructionCounts {
    /// Instructions of the baseline.
    pub(crate) baseline: f64,
    /// Instructions of the candidate.
    pub(crate) candidate: f64,
}

/// An absolute limit and what the data say about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetJudgement {
    /// Limited figure.
    pub(crate) metric: TargetFigure,
    /// Name of the target. `None` if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// On which side of the limit the figure meets the target.
    #[serde(default, skip_serializing_if = "LimitSide::is_at_most")]
    pub(crate) side: LimitSide,
    /// The limit, in the unit of the figure.
    pub(crate) limit: Amount,
    /// One-sided lower bound. `None` if the data do not bound the figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) low: Option<Amount>,
    /// Best estimate. `None` if the data do not give one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<Amount>,
    /// One-sided upper bound. `None` if the data do not bound the figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) high: Option<Amount>,
    /// What the data say.
    pub(crate) status: TargetStatus,
    /// Why the target is unproven, or what proves it if calls were not timed one by one. `None` if
    /// single calls decide it.
    #[serde(default, alias = "reason", skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<Note>,
}

/// A waiver: the acceptance of a regression or of a missing benchmark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiver {
    /// Why it was accepted, as the trailer states it.
    pub(crate) reason: String,
    /// Largest accepted slowdown. `None` for a benchmark that is gone on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<Percent>,
}

impl Judgement {
    /// Returns the metrics that changed for the worse, or are gone, without a waiver, by name.
    pub(crate) fn worse_metrics(&self) -> impl Iterator<Item = (&str, &MetricJudgement)> {
        let metrics = self.metrics.iter().map(|(name, metric)| (name.as_str(), metric));
        metrics.filter(|(_, metric)| {
            matches!(metric.change, Some(Change::Regressed | Change::Missing))
                && metric.waiver.is_none()
        })
    }

    /// Returns the number of judged metrics whose change is not known.
    pub(crate) fn count_open_metrics(&self) -> usize {
        let changes = self.metrics.values().map(|metric| metric.change);
        changes.filter(|change| *change == Some(Change::Inconclusive)).count()
    }

    /// Returns whether the change of a judged metric is not known.
    pub(crate) fn has_open_metric(&self) -> bool {
        self.count_open_metrics() > 0
    }

    /// Returns whether both sides have the same program, so that there was nothing to measure.
    pub(crate) fn is_same_program(&self) -> bool {
        self.change == Change::Unchanged
            && self.ratio.is_none()
            && self.notes.iter().any(Note::is_same_program)
    }

    /// Returns the id of the benchmark.
    pub(crate) fn to_id(&self) -> BenchmarkId {
        BenchmarkId { name: self.id.clone(), package: self.package.clone() }
    }
}

impl Decision {
    /// Builds a decision in the schema that this version writes.
    pub(crate) fn new(
        outcome: CheckOutcome,
        baseline: BaselineSource,
        candidate: CandidateSource,
        benchmarks: Vec<Judgement>,
        fail_on: Vec<FailOn>,
        notes: Vec<Note>,
    ) -> Self {
        Self {
            schema: DECISION_SCHEMA.to_owned(),
            verdict: outcome.verdict,
            exit_status: outcome.verdict.exit_status(outcome.blocks_undecided),
            baseline,
            candidate,
            benchmarks,
            sums: Vec::new(),
            expectations: Vec::new(),
            cost: None,
            fail_on,
            notes,
        }
    }

    /// Returns the statuses of all targets and claims.
    pub(crate) fn target_statuses(&self) -> impl Iterator<Item = TargetStatus> {
        let targets = self.benchmarks.iter().flat_map(|judgement| &judgement.targets);
        let sums = self.sums.iter().map(|sum| sum.status);
        let claims = self.expectations.iter().map(|claim| claim.status);
        targets.map(|target| target.status).chain(sums).chain(claims)
    }

    /// Returns whether the check blocks: its exit status is not zero.
    pub(crate) fn is_blocking(&self) -> bool {
        self.exit_status != PASS_STATUS
    }
}
