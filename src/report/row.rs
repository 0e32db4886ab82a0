//! One benchmark of a report.

use std::cmp::Ordering;

use serde::Serialize;

use crate::compare::{Estimate, Histogram, SideFigures};
use crate::policy::Metric;
use crate::run::{BenchmarkFailure, Sampling};
use crate::units::{Nanos, Percent};
use crate::verdict::{
    Change, CheckStage, Decision, Judgement, LaunchCounts, RatioInterval, TargetJudgement,
    TargetStatus, Waiver,
};

/// One benchmark with all that is shown of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReportRow<'a> {
    /// `group/function/parameter`.
    pub(crate) id: &'a str,
    /// The Cargo package.
    pub(crate) package: Option<&'a str>,
    /// The package once more, where the id alone would not tell which benchmark this is.
    pub(crate) told_apart_by: Option<&'a str>,
    /// What the data say.
    pub(crate) change: Change,
    /// Whether it is a reason for a verdict other than pass.
    pub(crate) is_reason: bool,
    /// Whether its change is, and not only a target.
    pub(crate) is_change_reason: bool,
    /// Candidate ÷ baseline.
    pub(crate) ratio: Option<RatioInterval>,
    /// Two-sided.
    pub(crate) p_value: Option<f64>,
    /// The false discovery rate at which it counts.
    pub(crate) q_value: Option<f64>,
    /// Launches per side.
    pub(crate) launches: LaunchCounts,
    /// The slowdown that would have been seen.
    pub(crate) minimum_detectable: Option<f64>,
    /// The change that unchanged code shows.
    pub(crate) noise_floor: Option<f64>,
    /// The slowdown that was tolerated.
    pub(crate) threshold: Option<Percent>,
    /// The slowdown that had to be found.
    pub(crate) detect: Option<Percent>,
    /// What one sample is.
    pub(crate) sampling: Option<Sampling>,
    /// The stage that gave the answer.
    pub(crate) stage: Option<CheckStage>,
    /// The baseline's figures.
    pub(crate) baseline: Option<ReportSide<'a>>,
    /// The candidate's figures.
    pub(crate) candidate: Option<ReportSide<'a>>,
    /// Amounts handled in a second, where it is known what one call handles.
    pub(crate) throughput: Vec<Throughput<'a>>,
    /// Why it could not be measured.
    pub(crate) failure: Option<&'a BenchmarkFailure>,
    /// Its targets, the worst first.
    pub(crate) targets: Vec<TargetLine<'a>>,
    /// Why and how far a regression was accepted.
    pub(crate) waiver: Option<WaiverLine<'a>>,
    /// In words.
    pub(crate) reasons: &'a [String],
}

/// The figures of one side; no percentiles where samples are batches.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReportSide<'a> {
    /// Samples in all launches.
    pub(crate) samples: u64,
    /// Median of a typical launch.
    pub(crate) median: ReportFigure,
    /// Mean of a typical launch.
    pub(crate) mean: ReportFigure,
    /// 95th percentile of single calls.
    pub(crate) p95: Option<ReportFigure>,
    /// 99th percentile of single calls.
    pub(crate) p99: Option<ReportFigure>,
    /// Where the samples lie.
    #[serde(skip)]
    pub(crate) histogram: Option<&'a Histogram>,
}

/// A figure with its interval over launches.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ReportFigure {
    /// Lower end.
    pub(crate) low: Option<Nanos>,
    /// Best guess.
    pub(crate) point: Nanos,
    /// Upper end.
    pub(crate) high: Option<Nanos>,
}

/// An amount handled in a second by the candidate.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Throughput<'a> {
    /// `elements`, `bytes`, `tokens`.
    pub(crate) unit: &'a str,
    /// How many.
    pub(crate) per_second: f64,
}

/// A target and what the data say about it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TargetLine<'a> {
    /// What is limited.
    pub(crate) metric: Metric,
    /// The limit.
    pub(crate) limit: Nanos,
    /// One-sided lower bound.
    pub(crate) low: Option<Nanos>,
    /// Best guess.
    pub(crate) point: Option<Nanos>,
    /// One-sided upper bound.
    pub(crate) high: Option<Nanos>,
    /// What the data say.
    pub(crate) status: TargetStatus,
    /// Whether it is a reason for a verdict other than pass.
    pub(crate) is_reason: bool,
    /// Why it is unproven, or what decided.
    pub(crate) reason: Option<&'a str>,
}

/// Why and how far a regression was accepted.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct WaiverLine<'a> {
    /// Why.
    pub(crate) reason: &'a str,
    /// Up to which slowdown; none for a benchmark that is gone on purpose.
    pub(crate) limit: Option<Percent>,
}

impl<'a> ReportRow<'a> {
    pub(super) fn new(judgement: &'a Judgement, decision: &Decision, is_ambiguous: bool) -> Self {
        let is_batch = judgement.sampling == Some(Sampling::Batch);
        let mut targets: Vec<_> =
            judgement.targets.iter().map(|target| TargetLine::new(target, decision)).collect();
        targets.sort_by_key(|target| (target.status, target.metric));
        let is_change_reason = decision.rests_on(judgement.change_reason());
        Self {
            id: &judgement.id,
            package: judgement.package.as_deref(),
            told_apart_by: judgement.package.as_deref().filter(|_| is_ambiguous),
            change: judgement.change,
            is_reason: is_change_reason || targets.iter().any(|target| target.is_reason),
            is_change_reason,
            ratio: judgement.ratio,
            p_value: judgement.p_value,
            q_value: judgement.q_value,
            launches: judgement.launches,
            minimum_detectable: judgement.minimum_detectable,
            noise_floor: judgement.noise_floor,
            threshold: judgement.threshold,
            detect: judgement.detect,
            sampling: judgement.sampling,
            stage: judgement.stage,
            baseline: judgement.baseline.as_ref().map(|summary| ReportSide::new(summary, is_batch)),
            candidate: judgement
                .candidate
                .as_ref()
                .map(|summary| ReportSide::new(summary, is_batch)),
            throughput: compute_throughput(judgement),
            failure: judgement.failure.as_ref(),
            targets,
            waiver: judgement.waiver.as_ref().map(WaiverLine::new),
            reasons: &judgement.reasons,
        }
    }

    /// Whether a reader should look at it.
    pub(crate) fn is_notable(&self) -> bool {
        let quiet = matches!(self.change, Change::Unchanged | Change::New);
        let all_met = self.targets.iter().all(|target| target.status == TargetStatus::Met);
        !quiet || !all_met || self.waiver.is_some()
    }

    /// What decides first, then by how much.
    pub(super) fn compare_severity(&self, other: &Self) -> Ordering {
        let rank = |row: &Self| {
            let worst = row.targets.first().map_or(TargetStatus::Met, |target| target.status);
            (
                !row.is_reason,
                row.waiver.is_some(),
                row.change.min(map_to_change(worst)),
                row.change,
                worst,
            )
        };
        let slowdown = |row: &Self| row.ratio.map(|ratio| ratio.point);
        rank(self).cmp(&rank(other)).then_with(|| slowdown(other).cmp(&slowdown(self)))
    }
}

/// The change that weighs as much as a target's status.
fn map_to_change(status: TargetStatus) -> Change {
    match status {
        TargetStatus::Missed => Change::Failed,
        TargetStatus::Unproven => Change::Inconclusive,
        TargetStatus::Met => Change::Unchanged,
    }
}

fn compute_throughput(judgement: &Judgement) -> Vec<Throughput<'_>> {
    const NANOS_PER_SECOND: f64 = 1e9;
    let median = judgement.candidate.as_ref().map(|summary| summary.median.point.get());
    let Some(median) = median.filter(|median| *median > 0.0) else {
        return Vec::new();
    };
    let amounts = judgement.per_call.iter();
    let rates = amounts.map(|(unit, amount)| (unit, amount / median * NANOS_PER_SECOND));
    let finite = rates.filter(|(_, per_second)| per_second.is_finite());
    finite.map(|(unit, per_second)| Throughput { unit, per_second }).collect()
}

impl<'a> ReportSide<'a> {
    fn new(summary: &'a SideFigures, batch: bool) -> Self {
        Self {
            samples: summary.samples,
            median: summary.median.into(),
            mean: summary.mean.into(),
            p95: summary.p95.filter(|_| !batch).map(ReportFigure::from),
            p99: summary.p99.filter(|_| !batch).map(ReportFigure::from),
            histogram: summary.histogram.as_ref(),
        }
    }
}

impl From<Estimate> for ReportFigure {
    fn from(Estimate { low, point, high }: Estimate) -> Self {
        Self { low, point, high }
    }
}

impl<'a> TargetLine<'a> {
    fn new(target: &'a TargetJudgement, decision: &Decision) -> Self {
        let TargetJudgement { metric, limit, low, point, high, status, ref reason } = *target;
        let is_reason = decision.rests_on(target.verdict_reason());
        Self { metric, limit, low, point, high, status, is_reason, reason: reason.as_deref() }
    }
}

impl<'a> WaiverLine<'a> {
    fn new(waiver: &'a Waiver) -> Self {
        Self { reason: &waiver.reason, limit: waiver.limit }
    }
}
