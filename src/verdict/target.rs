//! Judging absolute limits on single calls by bounds: a target is met only if its upper bound meets
//! it.

use std::collections::HashMap;

use super::{TargetJudgement, TargetStatus};
use crate::policy::Metric;
use crate::run::{Benchmark, Digest, LaunchData, Sampling};
use crate::stats::distribution::t::t_upper_quantile;
use crate::stats::summary::Moments;
use crate::stats::{order_statistics, quantile};
use crate::units::Nanos;

/// One-sided confidence of the bounds on a figure.
const TARGET_CONFIDENCE: f64 = 0.95;

/// The samples of a benchmark, sorted once for all of its targets.
pub(super) struct SortedCalls<'a> {
    benchmark: &'a Benchmark,
    /// Sorted samples of each launch, in nanoseconds; launches with digests only are left out.
    launches: Vec<&'a [f64]>,
    /// Sorted samples of all launches, in nanoseconds.
    pooled: Vec<f64>,
}

impl<'a> SortedCalls<'a> {
    /// Collects the samples of a benchmark. Empty if only digests are stored.
    pub(super) fn from_benchmark(benchmark: &'a Benchmark) -> Self {
        let launches: Vec<&[f64]> = benchmark
            .launches
            .iter()
            .filter_map(|launch| match &launch.data {
                LaunchData::Samples(samples) => Some(samples.sorted_nanos()),
                LaunchData::Digest(_) => None,
            })
            .collect();
        let mut pooled = launches.concat();
        // The stable sort sees that each launch is sorted already, and merges them.
        pooled.sort_by(f64::total_cmp);
        Self { benchmark, launches, pooled }
    }

    /// Judges whether `metric` meets `limit`.
    pub(super) fn judge_target(&self, metric: Metric, limit: Nanos) -> TargetJudgement {
        match metric.quantile() {
            None => self.judge_mean(limit),
            Some(q) => self.judge_quantile(metric, q.get(), limit),
        }
    }

    /// Judges the mean by bounds over launches.
    fn judge_mean(&self, limit: Nanos) -> TargetJudgement {
        let logarithms = self.collect_logarithms(|digest| digest.mean);
        let bounds = bound_typical_launch(&logarithms);
        let (low, high) = bounds.unzip();
        let point = Moments::from_values(&logarithms).ok().map(|lns| lns.mean().exp());
        let (status, reason) = match bounds {
            Some((_, high)) if high <= limit.get() => (TargetStatus::Met, None),
            Some((low, _)) if low > limit.get() => (TargetStatus::Missed, None),
            Some(_) => (TargetStatus::Unproven, Some("more launches would decide".to_owned())),
            None => (TargetStatus::Unproven, Some("a mean needs two launches".to_owned())),
        };
        build_target(Metric::Mean, limit, [low, point, high], status, reason)
    }

    /// Judges a percentile, or reports why the samples do not allow a judgement.
    fn judge_quantile(&self, metric: Metric, q: f64, limit: Nanos) -> TargetJudgement {
        let build_unproven = |reason: String| {
            build_target(metric, limit, [None; 3], TargetStatus::Unproven, Some(reason))
        };
        if self.benchmark.sampling == Sampling::Batch {
            let name = metric.name();
            return build_unproven(format!(
                "measured in batches, so it has no {name} of single calls"
            ));
        }
        let count = self.pooled.len();
        if self.launches.len() < self.benchmark.launches.len() || count == 0 {
            return build_unproven(
                "only digests are stored, and they bound no percentile".to_owned(),
            );
        }
        let least_count = order_statistics::find_min_sample_count(q, TARGET_CONFIDENCE);
        if count < least_count {
            return build_unproven(format!(
                "{count} calls: {} needs at least {least_count}",
                metric.name()
            ));
        }
        self.judge_by_bounds(metric, q, limit)
    }

    /// Judges a percentile by the wider of two bounds: over the pooled samples and over launches.
    fn judge_by_bounds(&self, metric: Metric, q: f64, limit: Nanos) -> TargetJudgement {
        // Plan: compute both kinds of bounds, and compare the wider ones with the limit. Pooled
        // samples do not see how launches differ, so a launch that misses the target alone keeps it
        // from being met.
        let logarithms: Vec<f64> =
            self.launches.iter().map(|calls| compute_ln_quantile(calls, q)).collect();
        let launch_bounds = bound_typical_launch(&logarithms);
        let high =
            order_statistics::compute_quantile_upper_bound(&self.pooled, q, TARGET_CONFIDENCE)
                .map(|pooled| launch_bounds.map_or(pooled, |(_, high)| high.max(pooled)));
        let low =
            order_statistics::compute_quantile_lower_bound(&self.pooled, q, TARGET_CONFIDENCE)
                .map(|pooled| launch_bounds.map_or(pooled, |(low, _)| low.min(pooled)));
        let point = Some(interpolate_quantile(&self.pooled, q));
        let slow_launch = self.find_slow_launch(q, limit);
        let (status, reason) = match (low, high, slow_launch) {
            (Some(low), _, _) if low > limit.get() => (TargetStatus::Missed, None),
            (_, Some(high), None) if high <= limit.get() => (TargetStatus::Met, None),
            (_, Some(high), Some(launch)) if high <= limit.get() => {
                let reason = format!("launch {launch} alone misses it: launches differ");
                (TargetStatus::Unproven, Some(reason))
            }
            _ => (TargetStatus::Unproven, Some(self.describe_calls_to_decide(q, limit))),
        };
        build_target(metric, limit, [low, point, high], status, reason)
    }

    /// Returns the launch with the highest lower bound above the limit, or `None` if no launch has
    /// one.
    fn find_slow_launch(&self, q: f64, limit: Nanos) -> Option<usize> {
        // The expensive part of a bound is its order, and most launches have the same number of
        // calls.
        let mut order_by_count: HashMap<usize, Option<usize>> = HashMap::new();
        let mut find_order = |count| {
            *order_by_count.entry(count).or_insert_with(|| {
                order_statistics::find_lower_order(q, count, 1.0 - TARGET_CONFIDENCE)
            })
        };
        let bounds = self
            .launches
            .iter()
            .enumerate()
            .filter_map(|(launch, calls)| Some((launch, calls[find_order(calls.len())? - 1])));
        let above = bounds.filter(|(_, low)| *low > limit.get());
        above.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(launch, _)| launch)
    }

    /// Describes which further measurement would decide the target.
    fn describe_calls_to_decide(&self, q: f64, limit: Nanos) -> String {
        let above = self.pooled.iter().filter(|call| **call > limit.get()).count();
        let count = self.pooled.len();
        match order_statistics::find_sample_count_to_decide(q, above, count, TARGET_CONFIDENCE) {
            Some(needed) if needed > count => {
                format!("about {} more calls would decide", needed - count)
            }
            Some(_) => "its launches differ: more launches would decide".to_owned(),
            None => "too close to the limit to be decided by more calls".to_owned(),
        }
    }

    /// Returns the logarithms of a figure of each launch.
    fn collect_logarithms(&self, figure: fn(&Digest) -> Nanos) -> Vec<f64> {
        self.benchmark.digests().map(|digest| figure(&digest).ln()).collect()
    }
}

/// Returns one-sided lower and upper bounds, in nanoseconds, on a figure of a typical launch, from
/// its logarithm in each launch. Returns `None` for fewer than two launches.
fn bound_typical_launch(logarithms: &[f64]) -> Option<(f64, f64)> {
    let level_summary =
        Moments::from_values(logarithms).ok().filter(|summary| summary.count() > 1)?;
    let t = t_upper_quantile(1.0 - TARGET_CONFIDENCE, level_summary.count() as f64 - 1.0);
    let margin = t * level_summary.standard_error();
    Some(((level_summary.mean() - margin).exp(), (level_summary.mean() + margin).exp()))
}

/// Returns the interpolated quantile of `sorted`, which must not be empty.
fn interpolate_quantile(sorted: &[f64], q: f64) -> f64 {
    quantile::compute_quantile(sorted, q).expect("a launch has samples")
}

/// Returns the logarithm of the interpolated quantile.
fn compute_ln_quantile(sorted: &[f64], q: f64) -> f64 {
    to_nanos(interpolate_quantile(sorted, q)).ln()
}

fn build_target(
    metric: Metric,
    limit: Nanos,
    [low, point, high]: [Option<f64>; 3],
    status: TargetStatus,
    reason: Option<String>,
) -> TargetJudgement {
    let [low, point, high] = [low, point, high].map(|bound| bound.map(to_nanos));
    TargetJudgement { metric, limit, low, point, high, status, reason }
}

fn to_nanos(ns: f64) -> Nanos {
    Nanos::new(ns.min(f64::MAX)).expect("a bound on durations is a duration")
}
