//! Judging absolute limits on single calls by bounds: a target is met only if its upper bound meets
//! it.

use std::collections::HashMap;

use crate::decision::{TargetJudgement, TargetStatus};
use crate::note::Note;
use crate::policy::Metric;
use crate::run::{Benchmark, Digest, LaunchData, Sampling};
use crate::stats::summary::Moments;
use crate::stats::test::t::compute_mean_interval;
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
        let (status, note) = match bounds {
            Some((_, high)) if high <= limit.get() => (TargetStatus::Met, None),
            Some((low, _)) if low > limit.get() => (TargetStatus::Missed, None),
            Some(_) => (TargetStatus::Unproven, Some(Note::MoreLaunchesDecide)),
            None => (TargetStatus::Unproven, Some(Note::MeanNeedsTwoLaunches)),
        };
        build_target(Metric::Mean, limit, [low, point, high], status, note)
    }

    /// Judges a percentile, or reports why the samples do not allow a judgement.
    fn judge_quantile(&self, metric: Metric, q: f64, limit: Nanos) -> TargetJudgement {
        let build_unproven =
            |note| build_target(metric, limit, [None; 3], TargetStatus::Unproven, Some(note));
        let name = || metric.name().to_owned();
        if self.benchmark.sampling == Sampling::Batch {
            return build_unproven(Note::BatchesHaveNoPercentile { metric: name() });
        }
        let count = self.pooled.len();
        if self.launches.len() < self.benchmark.launches.len() || count == 0 {
            return build_unproven(Note::OnlyDigests);
        }
        let least_count = order_statistics::find_min_sample_count(q, TARGET_CONFIDENCE);
        if count < least_count {
            return build_unproven(Note::TooFewCalls {
                metric: name(),
                calls: count as u64,
                needed: least_count as u64,
            });
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
        let (status, note) = match (low, high, slow_launch) {
            (Some(low), _, _) if low > limit.get() => (TargetStatus::Missed, None),
            (_, Some(high), None) if high <= limit.get() => (TargetStatus::Met, None),
            (_, Some(high), Some(launch)) if high <= limit.get() => {
                let launch = u32::try_from(launch).unwrap_or(u32::MAX);
                (TargetStatus::Unproven, Some(Note::SlowLaunch { launch }))
            }
            _ => (TargetStatus::Unproven, Some(self.find_calls_to_decide(q, limit))),
        };
        build_target(metric, limit, [low, point, high], status, note)
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

    /// Returns the note which further measurement would decide the target.
    fn find_calls_to_decide(&self, q: f64, limit: Nanos) -> Note {
        let above = self.pooled.iter().filter(|call| **call > limit.get()).count();
        let count = self.pooled.len();
        match order_statistics::find_sample_count_to_decide(q, above, count, TARGET_CONFIDENCE) {
            Some(needed) if needed > count => {
                Note::MoreCallsDecide { calls: (needed - count) as u64 }
            }
            Some(_) => Note::LaunchesDiffer,
            None => Note::TooCloseToLimit,
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
    let level_summary = Moments::from_values(logarithms).ok()?;
    let (low, high) = compute_mean_interval(&level_summary, 1.0 - TARGET_CONFIDENCE)?;
    Some((low.exp(), high.exp()))
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
    note: Option<Note>,
) -> TargetJudgement {
    let [low, point, high] = [low, point, high].map(|bound| bound.map(to_nanos));
    TargetJudgement { metric, limit, low, point, high, status, note }
}

fn to_nanos(ns: f64) -> Nanos {
    Nanos::new(ns.min(f64::MAX)).expect("a bound on durations is a duration")
}
