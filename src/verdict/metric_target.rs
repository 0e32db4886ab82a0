//! Judging limits on what is not the time of a call: metrics that launches report, and throughput.

use super::target::SortedCalls;
use super::target_bound::TARGET_CONFIDENCE;
use crate::decision::{TargetJudgement, TargetStatus};
use crate::note::{ClaimIssue, Note};
use crate::policy::{LimitSide, Metric, TargetFigure, TargetLimit};
use crate::run::Benchmark;
use crate::stats::summary::Moments;
use crate::stats::test::t::compute_mean_interval;
use crate::units::{Amount, Nanos};

/// Number of launches with the same value that bound the value of a typical launch: a value that at
/// least half of all launches exceed is missed by five of them with a chance of 1 in 32, which is
/// below 5 %.
const MIN_ALIKE_LAUNCHES: u32 = 5;

const NANOS_PER_SECOND: f64 = 1e9;

/// Judges one limit on a benchmark with launches.
pub(super) fn judge_limit(
    calls: &SortedCalls<'_>,
    benchmark: &Benchmark,
    limit: &TargetLimit,
) -> TargetJudgement {
    let judged = match &limit.figure {
        TargetFigure::Time(metric) => {
            calls.judge_target(*metric, Nanos::saturate(limit.value.get()))
        }
        TargetFigure::Throughput(unit) => judge_throughput(calls, benchmark, unit, limit),
        TargetFigure::Reported(name) => judge_reported(benchmark, name, limit),
    };
    TargetJudgement { name: limit.name.clone(), ..judged }
}

/// Returns an unproven judgement of a limit, without bounds.
pub(super) fn build_unproven_limit(limit: &TargetLimit, note: Note) -> TargetJudgement {
    TargetJudgement {
        metric: limit.figure.clone(),
        name: limit.name.clone(),
        side: limit.side,
        limit: limit.value,
        low: None,
        point: None,
        high: None,
        status: TargetStatus::Unproven,
        note: Some(note),
    }
}

/// Judges a throughput by the bounds of the mean, because it is the amount per call ÷ the mean.
fn judge_throughput(
    calls: &SortedCalls<'_>,
    benchmark: &Benchmark,
    unit: &str,
    limit: &TargetLimit,
) -> TargetJudgement {
    let amount = benchmark.collect_amounts().get(unit).copied().filter(|amount| *amount > 0.0);
    let Some(amount) = amount else {
        let issue = ClaimIssue::AmountUnknown { unit: unit.to_owned() };
        return build_unproven_limit(limit, Note::Claim { issue });
    };
    let longest = Nanos::saturate(amount / limit.value.get() * NANOS_PER_SECOND);
    let mean = calls.judge_target(Metric::Mean, longest);
    let to_rate = |ns: Amount| {
        let rate = amount / ns.get() * NANOS_PER_SECOND;
        rate.is_finite().then(|| Amount::saturate(rate))
    };
    TargetJudgement {
        low: mean.high.and_then(to_rate),
        point: mean.point.and_then(to_rate),
        high: mean.low.and_then(to_rate),
        status: mean.status,
        note: mean.note,
        ..build_unproven_limit(limit, Note::NotMeasured)
    }
}

/// Judges a metric by bounds over launches. A launch that alone is beyond the limit keeps it from
/// being met.
fn judge_reported(benchmark: &Benchmark, name: &str, limit: &TargetLimit) -> TargetJudgement {
    let launches = benchmark.launches.iter();
    let values: Vec<f64> =
        launches.filter_map(|launch| launch.metrics.get(name).copied()).collect();
    let Ok(moments) = Moments::from_values(&values) else {
        let issue = ClaimIssue::MetricAbsent { metric: name.to_owned() };
        return build_unproven_limit(limit, Note::Claim { issue });
    };
    let value = limit.value.get();
    let is_beyond = |amount: f64| match limit.side {
        LimitSide::AtMost => amount > value,
        LimitSide::AtLeast => amount < value,
    };
    let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
    // Launches that report the same value show no variance, which is no proof that there is none.
    let is_alike = values.iter().all(|one| Some(one) == values.first());
    let bounds = if is_alike {
        (count >= MIN_ALIKE_LAUNCHES).then_some((moments.mean(), moments.mean()))
    } else {
        compute_mean_interval(&moments, 1.0 - TARGET_CONFIDENCE)
    };
    let worst = values.iter().position(|one| is_beyond(*one));
    let (status, note) = match bounds {
        None => {
            let issue = ClaimIssue::FewLaunches { launches: count, needed: MIN_ALIKE_LAUNCHES };
            (TargetStatus::Unproven, Some(Note::Claim { issue }))
        }
        Some((low, high)) => match (is_beyond(low), is_beyond(high), worst) {
            (true, true, _) => (TargetStatus::Missed, None),
            (false, false, None) => (TargetStatus::Met, None),
            (false, false, Some(launch)) => {
                let launch = u32::try_from(launch).unwrap_or(u32::MAX);
                (TargetStatus::Unproven, Some(Note::SlowLaunch { launch }))
            }
            _ => (TargetStatus::Unproven, Some(Note::MoreLaunchesDecide)),
        },
    };
    TargetJudgement {
        low: bounds.map(|(low, _)| Amount::saturate(low)),
        point: Some(Amount::saturate(moments.mean())),
        high: bounds.map(|(_, high)| Amount::saturate(high)),
        status,
        note,
        ..build_unproven_limit(limit, Note::NotMeasured)
    }
}
