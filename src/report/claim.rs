//! Metrics, sums of benchmarks, ratios of benchmarks and costs in a report.

use serde::Serialize;

use crate::compare::Estimate;
use crate::decision::{
    Change, Decision, ExpectationJudgement, MetricJudgement, RatioInterval, SumJudgement,
    TargetStatus,
};
use crate::note::Note;
use crate::policy::{HourPrice, LimitSide, Metric};
use crate::run::Benchmark;
use crate::stats::summary::compute_median_in_place;
use crate::units::{Amount, Nanos, Percent, Ratio};

/// Maximum number of metrics that are shown of one benchmark.
const MAX_METRIC_LINES: usize = 20;

/// Maximum number of sums, and of ratios, that are shown. A decision may have more if a stranger wrote
/// it.
const MAX_CLAIM_LINES: usize = 50;

/// Number of calls that a cost is for.
const COST_CALLS: f64 = 1e6;

const NANOS_PER_HOUR: f64 = 3.6e12;

/// A metric of one benchmark.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MetricLine<'a> {
    /// Name of the metric, whose end is its unit.
    pub(crate) name: &'a str,
    /// Value of a typical launch of the baseline; `None` if it does not report it.
    pub(crate) baseline: Option<Amount>,
    /// Value of a typical launch of the candidate; `None` if it does not report it.
    pub(crate) candidate: Option<Amount>,
    /// Candidate ÷ baseline; `None` if it is not known.
    pub(crate) ratio: Option<RatioInterval>,
    /// What the data say; `None` if the metric is not judged.
    pub(crate) change: Option<Change>,
    /// Worsening up to which a change was tolerated; `None` if the metric is not judged.
    pub(crate) threshold: Option<Percent>,
    /// Whether the metric deserves a line: its change is judged and neither unchanged nor new.
    pub(crate) is_notable: bool,
    /// Whether the metric is a reason for a verdict other than pass.
    pub(crate) is_reason: bool,
    /// Why a worse metric is accepted; `None` if it is not.
    pub(crate) accepted: Option<&'a str>,
    /// What weakens the answer.
    pub(crate) notes: &'a [Note],
}

/// A target on a sum of benchmarks.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SumLine<'a> {
    /// Name of the target.
    pub(crate) name: &'a str,
    /// Ids of the benchmarks that are added up.
    pub(crate) sum: &'a [String],
    /// How many times the parts follow each other.
    pub(crate) times: u32,
    /// What is limited.
    pub(crate) metric: Metric,
    /// The limit.
    pub(crate) limit: Nanos,
    /// One-sided lower bound.
    pub(crate) low: Option<Nanos>,
    /// Best estimate.
    pub(crate) point: Option<Nanos>,
    /// One-sided upper bound.
    pub(crate) high: Option<Nanos>,
    /// Met, missed or unproven.
    pub(crate) status: TargetStatus,
    /// Whether it is a reason for a verdict other than pass.
    pub(crate) is_reason: bool,
    /// How far the sum is below the limit, as a share of the limit. Without an estimate, it is that of
    /// the bound that decides; `None` without one.
    pub(crate) margin: Option<f64>,
    /// Why it is unproven; `None` if it is decided.
    pub(crate) note: Option<&'a Note>,
}

/// A claim about the ratio of two benchmarks.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ExpectationLine<'a> {
    /// Name of the claim.
    pub(crate) name: &'a str,
    /// Ids of the two benchmarks: the first is divided by the second.
    pub(crate) ids: &'a [String; 2],
    /// On which side of the bound the ratio must be.
    pub(crate) side: LimitSide,
    /// The bound.
    pub(crate) bound: Ratio,
    /// One-sided lower bound of the ratio.
    pub(crate) low: Option<Ratio>,
    /// Best estimate of the ratio.
    pub(crate) point: Option<Ratio>,
    /// One-sided upper bound of the ratio.
    pub(crate) high: Option<Ratio>,
    /// Met, missed or unproven.
    pub(crate) status: TargetStatus,
    /// Whether it is a reason for a verdict other than pass.
    pub(crate) is_reason: bool,
    /// Why it is unproven; `None` if it is decided.
    pub(crate) note: Option<&'a Note>,
}

/// What a million calls of a benchmark cost, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct CallPrice {
    /// Lower end of the interval; `None` with a single launch.
    pub(crate) low: Option<f64>,
    /// Best estimate.
    pub(crate) point: f64,
    /// Upper end of the interval; `None` with a single launch.
    pub(crate) high: Option<f64>,
}

impl CallPrice {
    /// Computes the cost from the mean of a call, which is the inverse of the calls per hour.
    pub(super) fn from_mean(mean: Estimate, price: &HourPrice) -> Self {
        let to_cost = |mean: Nanos| mean.get() * COST_CALLS / NANOS_PER_HOUR * price.per_hour.get();
        Self {
            low: mean.low.map(to_cost),
            point: to_cost(mean.point),
            high: mean.high.map(to_cost),
        }
    }
}

impl<'a> MetricLine<'a> {
    /// Builds the lines of a benchmark's metrics: the first ones by name, those of interest first.
    pub(super) fn list_judged(
        metrics: impl IntoIterator<Item = (&'a String, &'a MetricJudgement)>,
        decision: &Decision,
    ) -> Vec<Self> {
        let lines = metrics.into_iter().map(|(name, metric)| Self {
            name,
            baseline: metric.baseline,
            candidate: metric.candidate,
            ratio: metric.ratio,
            change: metric.change,
            threshold: metric.threshold,
            is_notable: metric
                .change
                .is_some_and(|change| !matches!(change, Change::Unchanged | Change::New)),
            is_reason: decision.rests_on(metric.change_reason()),
            accepted: metric.waiver.as_ref().map(|waiver| waiver.reason.as_str()),
            notes: &metric.notes,
        });
        let mut lines: Vec<Self> = lines.collect();
        lines.sort_by_key(|line| !line.is_notable);
        lines.truncate(MAX_METRIC_LINES);
        lines
    }

    /// Builds the lines of the metrics of a run: the median over launches of each.
    pub(super) fn list_measured(benchmark: &'a Benchmark) -> Vec<Self> {
        let launches = benchmark.launches.iter();
        let mut names: Vec<&str> =
            launches.flat_map(|launch| launch.metrics.keys().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        let build_line = |name: &'a str| {
            let launches = benchmark.launches.iter();
            let mut values: Vec<f64> =
                launches.filter_map(|launch| launch.metrics.get(name).copied()).collect();
            Self {
                name,
                baseline: None,
                candidate: compute_median_in_place(&mut values).map(Amount::saturate),
                ratio: None,
                change: None,
                threshold: None,
                is_notable: false,
                is_reason: false,
                accepted: None,
                notes: &[],
            }
        };
        names.into_iter().take(MAX_METRIC_LINES).map(build_line).collect()
    }
}

/// Builds the lines of the targets on sums.
pub(super) fn list_sums(decision: &Decision) -> Vec<SumLine<'_>> {
    let shown = decision.sums.iter().take(MAX_CLAIM_LINES);
    let find_margin = |sum: &SumJudgement| -> Option<f64> {
        let bound = if sum.status == TargetStatus::Missed { sum.low } else { sum.high };
        let time = sum.point.or(bound)?;
        Some(1.0 - time.get() / sum.limit.get()).filter(|margin| margin.is_finite())
    };
    shown
        .map(|sum| SumLine {
            name: &sum.name,
            sum: &sum.sum,
            times: sum.times,
            metric: sum.metric,
            limit: sum.limit,
            low: sum.low,
            point: sum.point,
            high: sum.high,
            status: sum.status,
            is_reason: decision.rests_on(sum.status.verdict_reason()),
            margin: find_margin(sum),
            note: sum.note.as_ref(),
        })
        .collect()
}

/// Builds the lines of the claims about ratios.
pub(super) fn list_expectations(decision: &Decision) -> Vec<ExpectationLine<'_>> {
    let shown = decision.expectations.iter().take(MAX_CLAIM_LINES);
    shown
        .map(|claim: &ExpectationJudgement| ExpectationLine {
            name: &claim.name,
            ids: &claim.ratio,
            side: claim.side,
            bound: claim.bound,
            low: claim.low,
            point: claim.point,
            high: claim.high,
            status: claim.status,
            is_reason: decision.rests_on(claim.status.verdict_reason()),
            note: claim.note.as_ref(),
        })
        .collect()
}
