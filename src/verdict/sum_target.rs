//! Judging limits on sums of calls: one call of each part after the other, all of it a number of times.
//!
//! Nothing is assumed about how the calls of a sum depend on each other. If each of N calls is above
//! its bound with probability at most p ÷ N, the sum is above the sum of the bounds with probability
//! at most p (Bonferroni). The confidence is shared among the parts in the same way.

use std::collections::BTreeMap;

use super::clock::{self, ClockStep};
use super::target_bound::{TARGET_CONFIDENCE, bound_typical_launch_at};
use crate::decision::{SumJudgement, TargetStatus};
use crate::note::{ClaimIssue, Note};
use crate::policy::{Metric, SumRule};
use crate::run::{Benchmark, Launch, LaunchData, Sampling};
use crate::stats::cluster_mean::{ClusterSummary, estimate_cluster_mean};
use crate::stats::order_statistics::{
    compute_quantile_lower_bound, compute_quantile_upper_bound, find_min_sample_count,
};
use crate::stats::quantile::compute_quantile;
use crate::units::Nanos;

/// Bounds and best estimate of a time in nanoseconds. `None` where the data do not give one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct SumBounds {
    low: Option<f64>,
    point: Option<f64>,
    high: Option<f64>,
}

/// A benchmark of a sum.
struct SumPart<'a> {
    benchmark: &'a Benchmark,
    /// Number of its calls in the sum.
    calls: u32,
    step: ClockStep,
}

/// Judges every limit of `rule`. `find` returns the measured benchmark with an id.
pub(super) fn judge_sum<'a>(
    rule: &SumRule,
    find: impl Fn(&str) -> Option<&'a Benchmark>,
) -> Vec<SumJudgement> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for part in &rule.parts {
        let count = counts.entry(part).or_default();
        *count = count.saturating_add(rule.times);
    }
    let mut parts = Vec::new();
    let mut unmeasured = None;
    for (id, calls) in counts {
        if let Some(benchmark) = find(id).filter(|benchmark| !benchmark.launches.is_empty()) {
            let step = clock::bound_step(benchmark).unwrap_or_default();
            parts.push(SumPart { benchmark, calls, step });
        } else {
            let issue = ClaimIssue::PartUnmeasured { benchmark: id.to_owned() };
            unmeasured = unmeasured.or(Some(Note::Claim { issue }));
        }
    }
    let judge = |(metric, limit): &(Metric, Nanos)| {
        let (bounds, doubt) = match (&unmeasured, metric.quantile()) {
            (Some(note), _) => (SumBounds::default(), Some(note.clone())),
            (None, None) => (bound_mean(&parts), None),
            (None, Some(q)) => bound_quantile(&parts, q.get()),
        };
        let (status, note) = conclude_limit(bounds, limit.get(), doubt);
        SumJudgement {
            name: rule.name.clone(),
            sum: rule.parts.clone(),
            times: rule.times,
            metric: *metric,
            limit: *limit,
            low: bounds.low.map(Nanos::saturate),
            point: bounds.point.map(Nanos::saturate),
            high: bounds.high.map(Nanos::saturate),
            status,
            note,
        }
    };
    rule.limits.iter().map(judge).collect()
}

fn conclude_limit(
    bounds: SumBounds,
    limit: f64,
    doubt: Option<Note>,
) -> (TargetStatus, Option<Note>) {
    match (bounds.low, bounds.high) {
        (Some(low), _) if low > limit => (TargetStatus::Missed, None),
        (_, Some(high)) if high <= limit => (TargetStatus::Met, None),
        _ => (TargetStatus::Unproven, doubt.or(Some(Note::MoreLaunchesDecide))),
    }
}

/// Bounds the mean of the sum, which is the sum of the means. The parts share the confidence.
fn bound_mean(parts: &[SumPart<'_>]) -> SumBounds {
    let tail = (1.0 - TARGET_CONFIDENCE) / parts.len() as f64;
    let mut sum = SumBounds { low: Some(0.0), point: Some(0.0), high: Some(0.0) };
    for part in parts {
        let clusters: Vec<ClusterSummary> =
            part.benchmark.launches.iter().map(Launch::summarize_calls).collect();
        let Ok(mean) = estimate_cluster_mean(&clusters, tail) else { return SumBounds::default() };
        let calls = f64::from(part.calls);
        let (low, high) = mean.bounds.unzip();
        let low = low.map(|low| (low - part.step.per_call).max(0.0) * calls);
        let high = high.map(|high| (high + part.step.per_call) * calls);
        sum.low = add_optional(sum.low, low);
        sum.point = add_optional(sum.point, Some(mean.mean * calls));
        sum.high = add_optional(sum.high, high);
    }
    sum
}

fn add_optional(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.zip(other).map(|(one, other)| one + other)
}

/// Bounds the `q`-quantile of the sum, and names what keeps it from having an upper bound.
///
/// A sum of many calls of one benchmark is also seen as it is: the calls of a launch follow each
/// other, so blocks of them are such sums. The tighter bound of both ways counts, at half of the error
/// each.
fn bound_quantile(parts: &[SumPart<'_>], q: f64) -> (SumBounds, Option<Note>) {
    if let Some(part) = parts.iter().find(|part| part.benchmark.sampling == Sampling::Batch) {
        let issue = ClaimIssue::PartInBatches { benchmark: part.benchmark.id.clone() };
        return (SumBounds::default(), Some(Note::Claim { issue }));
    }
    let blocks = match parts {
        [part] if part.calls > 1 => list_blocks(part),
        _ => Vec::new(),
    };
    let ways = if blocks.is_empty() { 1.0 } else { 2.0 };
    let tail = (1.0 - TARGET_CONFIDENCE) / ways;
    let (by_parts, doubt) = bound_by_parts(parts, q, tail);
    let step: f64 = parts.iter().map(|part| part.step.per_time * f64::from(part.calls)).sum();
    let by_blocks = bound_sorted_launches(&blocks, [q, q], tail, step);
    let tighter = |one: Option<f64>, other: Option<f64>, choose: fn(f64, f64) -> f64| {
        one.zip(other).map(|(one, other)| choose(one, other)).or(one).or(other)
    };
    let bounds = SumBounds {
        low: tighter(by_parts.low, by_blocks.low, f64::max),
        point: by_blocks.point,
        high: tighter(by_parts.high, by_blocks.high, f64::min),
    };
    let doubt = doubt.filter(|_| bounds.high.is_none());
    (bounds, doubt)
}

/// Adds up bounds of the parts, so that all calls together are beyond theirs with probability `1 − q`.
fn bound_by_parts(parts: &[SumPart<'_>], q: f64, tail: f64) -> (SumBounds, Option<Note>) {
    let calls: f64 = parts.iter().map(|part| f64::from(part.calls)).sum();
    let (low_q, high_q) = (q / calls, 1.0 - (1.0 - q) / calls);
    let tail = tail / parts.len() as f64;
    let mut sum = SumBounds { low: Some(0.0), point: None, high: Some(0.0) };
    let mut doubt = None;
    for part in parts {
        let launches = list_sorted_calls(part.benchmark);
        let bounds = bound_sorted_launches(&launches, [low_q, high_q], tail, part.step.per_time);
        let times = f64::from(part.calls);
        sum.low = add_optional(sum.low, bounds.low.map(|low| low * times));
        sum.high = add_optional(sum.high, bounds.high.map(|high| high * times));
        if bounds.high.is_none() && doubt.is_none() {
            let issue = ClaimIssue::PartNeedsCalls {
                benchmark: part.benchmark.id.clone(),
                calls: launches.iter().map(Vec::len).sum::<usize>() as u64,
                needed: find_min_sample_count(high_q, 1.0 - tail) as u64,
            };
            doubt = Some(Note::Claim { issue });
        }
    }
    (sum, doubt)
}

/// Bounds quantiles of times: the lower one from below and the upper one from above, each wrong with
/// probability `tail`. `launches` are sorted times of each launch. Each bound is the wider one of that
/// over all times and that over launches.
fn bound_sorted_launches(
    launches: &[Vec<f64>],
    [low_q, high_q]: [f64; 2],
    tail: f64,
    step: f64,
) -> SumBounds {
    let mut pooled = launches.concat();
    pooled.sort_by(f64::total_cmp);
    let of_launches = |q: f64| -> Option<(f64, f64)> {
        let quantiles: Option<Vec<f64>> =
            launches.iter().map(|times| compute_quantile(times, q)).collect();
        bound_typical_launch_at(&quantiles?, tail)
    };
    let low = compute_quantile_lower_bound(&pooled, low_q, 1.0 - tail)
        .map(|pooled| of_launches(low_q).map_or(pooled, |(low, _)| low.min(pooled)));
    let high = compute_quantile_upper_bound(&pooled, high_q, 1.0 - tail)
        .map(|pooled| of_launches(high_q).map_or(pooled, |(_, high)| high.max(pooled)));
    let point = compute_quantile(&pooled, 0.5 * (low_q + high_q)).filter(|_| low_q >= high_q);
    SumBounds {
        low: low.map(|low| (low - step).max(0.0)),
        point,
        high: high.map(|high| high + step),
    }
}

/// Returns the sorted times of single calls of each launch. Empty if a launch has only a digest.
fn list_sorted_calls(benchmark: &Benchmark) -> Vec<Vec<f64>> {
    let launches = benchmark.launches.iter().map(|launch| match &launch.data {
        LaunchData::Samples(samples) => Some(samples.sorted_nanos().to_vec()),
        LaunchData::Digest(_) => None,
    });
    launches.collect::<Option<_>>().unwrap_or_default()
}

/// Returns the sorted times of blocks of as many calls as the sum has, of each launch. Empty if a
/// launch has no block, or only a digest.
fn list_blocks(part: &SumPart<'_>) -> Vec<Vec<f64>> {
    let size = usize::try_from(part.calls).unwrap_or(usize::MAX);
    let launches = part.benchmark.launches.iter().map(|launch| match &launch.data {
        LaunchData::Samples(samples) if samples.len() >= size => {
            let blocks = samples.chunks_exact(size);
            let mut sums: Vec<f64> =
                blocks.map(|block| block.iter().map(|call| call.get()).sum()).collect();
            sums.sort_by(f64::total_cmp);
            Some(sums)
        }
        LaunchData::Samples(_) | LaunchData::Digest(_) => None,
    });
    launches.collect::<Option<_>>().unwrap_or_default()
}
