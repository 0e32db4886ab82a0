//! The row of one benchmark in a report.

use std::cmp::Ordering;

use serde::Serialize;

use super::claim::{CallPrice, MetricLine};
use super::doubt::DoubtGrouping;
use super::explanation::ExplanationView;
use super::origin::OriginLine;
use crate::compare::{Estimate, Histogram, SideFigures};
use crate::decision::{
    Change, CheckStage, Decision, Judgement, LaunchCounts, RatioInterval, TargetJudgement,
    TargetStatus, Waiver,
};
use crate::note::Note;
use crate::policy::{LimitSide, TargetFigure};
use crate::run::{BenchmarkFailure, Sampling};
use crate::units::{Amount, Nanos, Percent};

/// Maximum number of targets, and of notes, that are shown of one benchmark. A decision may have more
/// if a stranger wrote it.
const MAX_ROW_LINES: usize = 10;

/// One benchmark with everything that is shown about it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReportRow<'a> {
    /// Benchmark id, `group/function/parameter`.
    pub(crate) id: &'a str,
    /// Address of the benchmark's page; `None` if it has none.
    pub(crate) page: Option<&'a str>,
    /// Cargo package of the benchmark; `None` if it has none.
    pub(crate) package: Option<&'a str>,
    /// The package, if another benchmark of the report has the same id; `None` otherwise.
    pub(crate) shown_package: Option<&'a str>,
    /// What the data show.
    pub(crate) change: Change,
    /// What the row is called.
    pub(crate) status: RowStatus,
    /// What a test reporter shows.
    pub(crate) outcome: CaseOutcome,
    /// What a sentence about the change claims.
    pub(crate) claim: RowClaim,
    /// What the claim is based on.
    pub(crate) evidence: RowEvidence,
    /// Why the answer is not certain; `None` unless the change is inconclusive.
    pub(crate) doubt: Option<RowDoubt<'a>>,
    /// Whether the change deserves a line: it is neither unchanged, nor new, nor one of a group of
    /// inconclusive ones, or it has a waiver, or its declared work changed.
    pub(crate) is_change_notable: bool,
    /// Whether the benchmark is a reason for a verdict other than pass.
    pub(crate) is_reason: bool,
    /// Whether its change is such a reason, and not only a target.
    pub(crate) is_change_reason: bool,
    /// Candidate ÷ baseline with its interval; `None` if there is no comparison.
    pub(crate) ratio: Option<RatioInterval>,
    /// Two-sided p-value of the comparison.
    pub(crate) p_value: Option<f64>,
    /// The false discovery rate at which the change counts.
    pub(crate) q_value: Option<f64>,
    /// Launches per side.
    pub(crate) launches: LaunchCounts,
    /// The slowdown that would have been detected, as a share.
    pub(crate) minimum_detectable: Option<f64>,
    /// The change that unchanged code shows, as a share.
    pub(crate) noise_floor: Option<f64>,
    /// The slowdown that was tolerated.
    pub(crate) threshold: Option<Percent>,
    /// The slowdown that had to be excluded for *unchanged*.
    pub(crate) detect: Option<Percent>,
    /// What one sample is.
    pub(crate) sampling: Option<Sampling>,
    /// The stage of the check that gave the answer.
    pub(crate) stage: Option<CheckStage>,
    /// Figures of the baseline; `None` if it was not measured.
    pub(crate) baseline: Option<ReportSide<'a>>,
    /// Figures of the candidate; `None` if it was not measured.
    pub(crate) candidate: Option<ReportSide<'a>>,
    /// Why the benchmark could not be measured; `None` if it was.
    pub(crate) failure: Option<&'a BenchmarkFailure>,
    /// Last line of the error message of a process that panicked or ended with an error; `None` if it
    /// printed none. After another failure, the output does not explain it.
    pub(crate) failure_message: Option<String>,
    /// The first targets of the benchmark, worst first.
    pub(crate) targets: Vec<TargetLine<'a>>,
    /// Number of targets that are not shown.
    pub(crate) more_targets: usize,
    /// The first metrics of the benchmark, those of interest first.
    pub(crate) metrics: Vec<MetricLine<'a>>,
    /// What a million calls cost; `None` if no price is known.
    pub(crate) cost: Option<CallPrice>,
    /// The waiver that accepts the regression; `None` if there is none.
    pub(crate) waiver: Option<WaiverLine<'a>>,
    /// Why the change was found, and what weakens the answer: the first notes.
    pub(crate) notes: &'a [Note],
    /// The first notes on what the sides differ in besides the code under test.
    pub(crate) remarks: Vec<&'a Note>,
    /// Where the added instructions are; `None` if this is unknown.
    pub(crate) explanation: Option<ExplanationView<'a>>,
    /// Since which commit of the default branch it is slower; `None` if this is unknown.
    pub(crate) origin: Option<OriginLine<'a>>,
}

/// What a row is called: its change, unless something about the benchmark is more important.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RowStatus {
    /// A waiver accepts the change.
    Accepted,
    /// The change is harmless, but a judged metric is worse or gone.
    #[serde(rename = "metric worse")]
    MetricWorse,
    /// The change is harmless, but a target is missed.
    Missed,
    /// The change is harmless, but the change of a judged metric is not known.
    #[serde(rename = "metric inconclusive")]
    MetricInconclusive,
    /// The change is harmless, but a target is unproven.
    Unproven,
    /// Nothing is more important than the change.
    #[serde(untagged)]
    Changed(Change),
}

impl RowStatus {
    /// Chooses the status of a benchmark. `worst` is the status of its worst target, or `None`
    /// without targets.
    fn choose(judgement: &Judgement, worst: Option<TargetStatus>) -> Self {
        match (&judgement.waiver, worst) {
            (Some(_), _) => Self::Accepted,
            _ if !is_notable(judgement.change) && judgement.worse_metrics().next().is_some() => {
                Self::MetricWorse
            }
            (None, Some(TargetStatus::Missed)) if !is_notable(judgement.change) => Self::Missed,
            (None, Some(TargetStatus::Unproven)) if !is_notable(judgement.change) => Self::Unproven,
            _ if !is_notable(judgement.change) && judgement.has_open_metric() => {
                Self::MetricInconclusive
            }
            _ => Self::Changed(judgement.change),
        }
    }
}

/// What a test reporter shows of a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CaseOutcome {
    /// The benchmark could not be measured.
    Error,
    /// The benchmark is a reason for a verdict other than pass.
    Failure,
    /// There was nothing to compare with.
    New,
    /// The data do not decide.
    Undecided,
    /// Nothing is wrong.
    Passed,
}

impl CaseOutcome {
    fn choose(change: Change, is_reason: bool) -> Self {
        match change {
            Change::Failed => Self::Error,
            _ if is_reason => Self::Failure,
            Change::New => Self::New,
            Change::Inconclusive => Self::Undecided,
            Change::Regressed | Change::Missing | Change::Improved | Change::Unchanged => {
                Self::Passed
            }
        }
    }
}

/// What a sentence about a change claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RowClaim {
    /// The benchmark is missing from the candidate.
    Missing,
    /// The benchmark could not be measured.
    Failed,
    /// The candidate is slower by the ratio of the row.
    Slower,
    /// The candidate is faster by the ratio of the row.
    Faster,
    /// The change without a size.
    Unsized,
}

impl RowClaim {
    fn from_judgement(judgement: &Judgement) -> Self {
        match (judgement.change, judgement.ratio) {
            (Change::Missing, _) => Self::Missing,
            (Change::Failed, _) => Self::Failed,
            (Change::Regressed, Some(_)) => Self::Slower,
            (Change::Improved, Some(_)) => Self::Faster,
            _ => Self::Unsized,
        }
    }
}

/// What a claim about a change is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RowEvidence {
    /// The baseline has the benchmark and the candidate does not.
    NotInCandidate,
    /// The failure of the row.
    Failure,
    /// The ratio of the row.
    Comparison,
    /// There is no failure and no ratio.
    Nothing,
}

impl RowEvidence {
    fn from_judgement(judgement: &Judgement) -> Self {
        match judgement {
            Judgement { change: Change::Missing, .. } => Self::NotInCandidate,
            Judgement { failure: Some(_), .. } => Self::Failure,
            Judgement { ratio: Some(_), .. } => Self::Comparison,
            _ => Self::Nothing,
        }
    }
}

/// Returns whether the note names something besides the code under test in which the sides differ.
fn is_side_difference(note: &Note) -> bool {
    is_always_shown(note)
        || matches!(note, Note::ConditionChanged { .. } | Note::BenchEdited { .. })
}

/// Returns whether the note makes its benchmark notable: without it, a row would say something else
/// than it seems to.
fn is_always_shown(note: &Note) -> bool {
    matches!(note, Note::WorkChanged { .. } | Note::FailedBefore { .. })
}

/// Why an answer is not certain.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct RowDoubt<'a> {
    /// The notes about the benchmark.
    pub(crate) notes: &'a [Note],
    /// The slowdown that would have been detected, as a share; `None` if there are notes, which
    /// explain more, or if it is unknown.
    pub(crate) detectable: Option<f64>,
}

impl<'a> RowDoubt<'a> {
    /// Returns `None` unless the change is inconclusive.
    fn from_judgement(judgement: &'a Judgement) -> Option<Self> {
        let notes = take_first_notes(judgement);
        let detectable = judgement.minimum_detectable.filter(|_| notes.is_empty());
        (judgement.change == Change::Inconclusive).then_some(Self { notes, detectable })
    }
}

/// The figures of one side. There are no percentiles if samples are batches.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReportSide<'a> {
    /// Number of samples in all launches.
    pub(crate) samples: u64,
    /// Median of a typical launch.
    pub(crate) median: ReportFigure,
    /// Mean of all calls.
    pub(crate) mean: ReportFigure,
    /// 90th percentile of single calls; `None` if samples are batches.
    pub(crate) p90: Option<ReportFigure>,
    /// 95th percentile of single calls; `None` if samples are batches.
    pub(crate) p95: Option<ReportFigure>,
    /// 99th percentile of single calls; `None` if samples are batches.
    pub(crate) p99: Option<ReportFigure>,
    /// Shortest call; `None` if samples are batches.
    pub(crate) min: Option<Nanos>,
    /// Longest call; `None` if samples are batches.
    pub(crate) max: Option<Nanos>,
    /// Whether samples are batches of calls, so that the median is one of batches.
    pub(crate) is_batch: bool,
    /// Amounts processed per second; empty if the amount per call is unknown.
    pub(crate) throughput: Vec<Throughput<'a>>,
    /// Distribution of the samples.
    #[serde(skip)]
    pub(crate) histogram: Option<&'a Histogram>,
}

/// A duration with its interval over launches.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ReportFigure {
    /// Lower end of the interval.
    pub(crate) low: Option<Nanos>,
    /// Point estimate.
    pub(crate) point: Nanos,
    /// Upper end of the interval.
    pub(crate) high: Option<Nanos>,
}

/// An amount that is processed per second.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Throughput<'a> {
    /// Unit of the amount: `elements`, `bytes`, `tokens`.
    pub(crate) unit: &'a str,
    /// The amount per second.
    pub(crate) per_second: f64,
}

/// A target and what the data show about it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TargetLine<'a> {
    /// The limited figure.
    pub(crate) metric: TargetFigure,
    /// Name of the target; `None` if it has none.
    pub(crate) name: Option<&'a str>,
    /// On which side of the limit the figure must be.
    pub(crate) side: LimitSide,
    /// The limit, in the unit of the figure.
    pub(crate) limit: Amount,
    /// One-sided lower bound of the figure.
    pub(crate) low: Option<Amount>,
    /// Point estimate of the figure.
    pub(crate) point: Option<Amount>,
    /// One-sided upper bound of the figure.
    pub(crate) high: Option<Amount>,
    /// Met, missed or unproven.
    pub(crate) status: TargetStatus,
    /// Whether the target deserves a line: it is missed, or unproven and not one of a group.
    pub(crate) is_notable: bool,
    /// Whether the target is a reason for a verdict other than pass.
    pub(crate) is_reason: bool,
    /// How far the figure is on the right side of the limit, as a share of the limit; negative on the
    /// wrong one. Without an estimate, it is the margin of the upper bound; `None` if there is no bound
    /// either.
    pub(crate) margin: Option<f64>,
    /// Why the target is unproven, or what proves it if calls were not timed one by one. `None` if
    /// single calls decide it.
    pub(crate) note: Option<&'a Note>,
}

/// An accepted regression: why, and up to which slowdown.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct WaiverLine<'a> {
    /// Why the regression is accepted.
    pub(crate) reason: &'a str,
    /// The largest accepted slowdown; `None` for a benchmark that was removed on purpose.
    pub(crate) limit: Option<Percent>,
}

impl<'a> ReportRow<'a> {
    /// Builds the row of `judgement`. `is_ambiguous` means that another benchmark has the same id.
    /// `source` is the address of the candidate's files; `None` if it is unknown.
    pub(super) fn new(
        judgement: &'a Judgement,
        decision: &Decision,
        grouping: DoubtGrouping,
        is_ambiguous: bool,
        source: Option<&str>,
    ) -> Self {
        let is_batch = judgement.sampling == Some(Sampling::Batch);
        let targets = judgement.targets.iter();
        let mut targets: Vec<_> =
            targets.map(|target| TargetLine::new(target, decision, grouping)).collect();
        targets.sort_by(|a, b| (a.status, &a.metric).cmp(&(b.status, &b.metric)));
        let metrics = MetricLine::list_judged(&judgement.metrics, decision);
        let is_change_reason = decision.rests_on(judgement.change_reason());
        let is_grouped = grouping.groups_changes && judgement.change == Change::Inconclusive;
        let is_change_notable = (is_notable(judgement.change) && !is_grouped)
            || judgement.waiver.is_some()
            || judgement.notes.iter().any(is_always_shown);
        let status = RowStatus::choose(judgement, targets.first().map(|target| target.status));
        let is_reason = is_change_reason
            || targets.iter().any(|target| target.is_reason)
            || metrics.iter().any(|metric| metric.is_reason);
        let more_targets = targets.len().saturating_sub(MAX_ROW_LINES);
        targets.truncate(MAX_ROW_LINES);
        let candidate =
            judgement.candidate.as_ref().map(|summary| ReportSide::new(summary, is_batch));
        let price = decision.cost.as_ref();
        let cost = judgement.candidate.as_ref().zip(price);
        let cost = cost.map(|(side, price)| CallPrice::from_mean(side.mean, price));
        Self {
            id: &judgement.id,
            page: None,
            package: judgement.package.as_deref(),
            shown_package: judgement.package.as_deref().filter(|_| is_ambiguous),
            change: judgement.change,
            status,
            outcome: CaseOutcome::choose(judgement.change, is_reason),
            claim: RowClaim::from_judgement(judgement),
            evidence: RowEvidence::from_judgement(judgement),
            doubt: RowDoubt::from_judgement(judgement),
            is_change_notable,
            is_reason,
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
            candidate,
            failure: judgement.failure.as_ref(),
            failure_message: judgement
                .failure
                .as_ref()
                .filter(|failure| failure.reason.is_end_of_process())
                .map(BenchmarkFailure::last_message)
                .filter(|message| !message.is_empty()),
            targets,
            more_targets,
            metrics,
            cost,
            waiver: judgement.waiver.as_ref().map(WaiverLine::new),
            notes: take_first_notes(judgement),
            remarks: judgement
                .notes
                .iter()
                .filter(|note| is_side_difference(note))
                .take(MAX_ROW_LINES)
                .collect(),
            explanation: judgement
                .explanation
                .as_ref()
                .map(|explanation| ExplanationView::new(explanation, source)),
            origin: OriginLine::from_judgement(judgement),
        }
    }

    /// Returns whether a reader should look at the benchmark: its change or a target deserves a line.
    pub(crate) fn is_notable(&self) -> bool {
        self.is_change_notable
            || self.targets.iter().any(|target| target.is_notable)
            || self.metrics.iter().any(|metric| metric.is_notable)
    }

    /// Orders rows by importance: reasons for the verdict first, then by change and target, then
    /// the largest slowdown first.
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

/// Returns the notes about the benchmark that are shown.
fn take_first_notes(judgement: &Judgement) -> &[Note] {
    &judgement.notes[..judgement.notes.len().min(MAX_ROW_LINES)]
}

/// Returns whether a reader should look at a benchmark with this change.
fn is_notable(change: Change) -> bool {
    !matches!(change, Change::Unchanged | Change::New)
}

/// Returns the change that is as severe as a target's status.
fn map_to_change(status: TargetStatus) -> Change {
    match status {
        TargetStatus::Missed => Change::Failed,
        TargetStatus::Unproven => Change::Inconclusive,
        TargetStatus::Met => Change::Unchanged,
    }
}

impl<'a> ReportSide<'a> {
    /// Builds the figures of one side. `is_batch` means that its samples are batches of calls.
    pub(super) fn new(summary: &'a SideFigures, is_batch: bool) -> Self {
        let of_calls =
            |figure: Option<Estimate>| figure.filter(|_| !is_batch).map(ReportFigure::from);
        let throughput = summary.throughput.iter();
        Self {
            samples: summary.samples,
            median: summary.median.into(),
            mean: summary.mean.into(),
            p90: of_calls(summary.p90),
            p95: of_calls(summary.p95),
            p99: of_calls(summary.p99),
            min: summary.min.filter(|_| !is_batch),
            max: summary.max.filter(|_| !is_batch),
            is_batch,
            throughput: throughput
                .map(|(unit, per_second)| Throughput { unit, per_second: *per_second })
                .collect(),
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
    fn new(target: &'a TargetJudgement, decision: &Decision, grouping: DoubtGrouping) -> Self {
        let TargetJudgement { side, limit, low, point, high, status, .. } = *target;
        let is_grouped = grouping.groups_targets && status == TargetStatus::Unproven;
        let margin = point.or(high).map(|amount| match side {
            LimitSide::AtMost => 1.0 - amount.get() / limit.get(),
            LimitSide::AtLeast => amount.get() / limit.get() - 1.0,
        });
        Self {
            metric: target.metric.clone(),
            name: target.name.as_deref(),
            side,
            limit,
            low,
            point,
            high,
            status,
            is_notable: status != TargetStatus::Met && !is_grouped,
            is_reason: decision.rests_on(target.verdict_reason()),
            margin: margin.filter(|margin| margin.is_finite()),
            note: target.note.as_ref(),
        }
    }
}

impl<'a> WaiverLine<'a> {
    fn new(waiver: &'a Waiver) -> Self {
        Self { reason: &waiver.reason, limit: waiver.limit }
    }
}
