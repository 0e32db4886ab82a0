//! Judging absolute limits on single calls by bounds: a target is met only if its upper bound meets
//! it.

use std::collections::HashMap;

use super::batch_target::judge_batch_quantile;
use super::clock::{self, ClockStep};
use super::target_bound::{
    TARGET_CONFIDENCE, bound_typical_launch, build_target, build_unproven_target, judge_within_step,
};
use crate::decision::{TargetJudgement, TargetStatus};
use crate::note::Note;
use crate::policy::{Metric, Policy};
use crate::run::{Benchmark, Digest, Launch, LaunchData, Sampling};
use crate::stats::cluster_mean::{ClusterMean, ClusterSummary, estimate_cluster_mean};
use crate::stats::distribution::t::t_upper_quantile;
use crate::stats::{order_statistics, quantile};
use crate::units::Nanos;

/// Returns the number of samples, calls or batches, without which a target of the benchmark `id`
/// cannot be proven. Zero without such a target.
pub(crate) fn count_needed_samples(policy: &Policy, id: &str) -> usize {
    let targets = policy.resolve_rules(id, None).targets;
    let times = targets.iter().filter_map(|limit| limit.figure.time());
    let quantiles = times.filter_map(Metric::quantile);
    let counts =
        quantiles.map(|q| order_statistics::find_min_sample_count(q.get(), TARGET_CONFIDENCE));
    counts.max().unwrap_or(0)
}

/// The samples of a benchmark, sorted once for all of its targets.
pub(super) struct SortedCalls<'a> {
    benchmark: &'a Benchmark,
    /// Sorted samples of each launch, in nanoseconds; launches with digests only are left out.
    launches: Vec<&'a [f64]>,
    /// Sorted samples of all launches, in nanoseconds.
    pooled: Vec<f64>,
    /// Step of the clock: a call may have taken up to a step more or less than its sample.
    clock_step: ClockStep,
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
        let clock_step = clock::bound_step(benchmark).unwrap_or_default();
        Self { benchmark, launches, pooled, clock_step }
    }

    /// Judges whether `metric` meets `limit`.
    pub(super) fn judge_target(&self, metric: Metric, limit: Nanos) -> TargetJudgement {
        // A call of no time took less than a step of the clock, and nobody knows how long that is.
        if self.benchmark.digests().all(|digest| digest.max.get() == 0.0) {
            return build_unproven_target(metric, limit, Note::SamplesOfZero);
        }
        judge_within_step(self.clock_step, |step| match metric.quantile() {
            None => self.judge_mean(limit, step),
            Some(q) if self.benchmark.sampling == Sampling::Batch => {
                judge_batch_quantile(self.benchmark, metric, q.get(), limit, step)
            }
            Some(q) => self.judge_quantile(metric, q.get(), limit, step),
        })
    }

    /// Judges the arithmetic mean of calls by bounds over launches.
    fn judge_mean(&self, limit: Nanos, step: ClockStep) -> TargetJudgement {
        // The bounds are on the plain scale, where one slow launch widens them. A launch that misses
        // the target alone keeps it from being met.
        let clusters: Vec<ClusterSummary> =
            self.benchmark.launches.iter().map(Launch::summarize_calls).collect();
        let Ok(ClusterMean { mean, bounds }) =
            estimate_cluster_mean(&clusters, 1.0 - TARGET_CONFIDENCE)
        else {
            return build_unproven_target(Metric::Mean, limit, Note::NotMeasured);
        };
        let step = step.per_call;
        let (low, high) = bounds.map(|(low, high)| ((low - step).max(0.0), high + step)).unzip();
        let slow_launch = self.find_launch_with_slow_mean(limit);
        let (status, note) = match (low, high, slow_launch) {
            (Some(low), _, _) if low > limit.get() => (TargetStatus::Missed, None),
            (_, _, Some(launch)) => (TargetStatus::Unproven, Some(note_slow_launch(launch))),
            (_, Some(high), None) if high <= limit.get() => (TargetStatus::Met, None),
            (_, Some(_), None) => (TargetStatus::Unproven, Some(Note::MoreLaunchesDecide)),
            (_, None, None) => (TargetStatus::Unproven, Some(Note::MeanNeedsTwoLaunches)),
        };
        build_target(Metric::Mean, limit, [low, Some(mean), high], status, note)
    }

    /// Returns the launch with the highest mean of those whose own lower bound on the mean is above
    /// the limit, or `None` if there is none among two or more launches.
    fn find_launch_with_slow_mean(&self, limit: Nanos) -> Option<usize> {
        let is_above = |digest: &Digest| {
            if digest.count < 2 {
                return false;
            }
            let count = digest.count as f64;
            let error = digest.sd.get() / count.sqrt();
            let quantile = t_upper_quantile(1.0 - TARGET_CONFIDENCE, count - 1.0);
            digest.mean.get() - quantile * error > limit.get()
        };
        let digests = self.benchmark.digests().enumerate();
        let slow = digests.filter(|(_, digest)| is_above(digest));
        let slowest = slow.max_by(|a, b| a.1.mean.cmp(&b.1.mean)).map(|(launch, _)| launch);
        slowest.filter(|_| self.benchmark.launches.len() > 1)
    }

    /// Judges a percentile, or reports why the samples do not allow a judgement.
    fn judge_quantile(
        &self,
        metric: Metric,
        q: f64,
        limit: Nanos,
        step: ClockStep,
    ) -> TargetJudgement {
        let count = self.pooled.len();
        if self.launches.len() < self.benchmark.launches.len() || count == 0 {
            return build_unproven_target(metric, limit, Note::OnlyDigests);
        }
        let least_count = order_statistics::find_min_sample_count(q, TARGET_CONFIDENCE);
        if count < least_count {
            let note = Note::TooFewCalls {
                metric: metric.name().to_owned(),
                calls: count as u64,
                needed: least_count as u64,
            };
            return build_unproven_target(metric, limit, note);
        }
        self.judge_by_bounds(metric, q, limit, step.per_time)
    }

    /// Judges a percentile by the wider of two bounds: over the pooled samples and over launches.
    /// `step` is the step of the clock in nanoseconds.
    fn judge_by_bounds(&self, metric: Metric, q: f64, limit: Nanos, step: f64) -> TargetJudgement {
        // Plan: compute both kinds of bounds, and compare the wider ones with the limit. Pooled
        // samples do not see how launches differ, so a launch that misses the target alone keeps it
        // from being met.
        let (low, high) = self.bound_quantile(q, step);
        let point = Some(interpolate_quantile(&self.pooled, q));
        let slow_launch = self.find_slow_launch(q, limit);
        let (status, note) = match (low, high, slow_launch) {
            (Some(low), _, _) if low > limit.get() => (TargetStatus::Missed, None),
            (_, Some(high), None) if high <= limit.get() => (TargetStatus::Met, None),
            (_, Some(high), Some(launch)) if high <= limit.get() => {
                (TargetStatus::Unproven, Some(note_slow_launch(launch)))
            }
            _ => (TargetStatus::Unproven, Some(self.find_calls_to_decide(q, limit))),
        };
        build_target(metric, limit, [low, point, high], status, note)
    }

    /// Returns one-sided lower and upper bounds on the `q`-quantile of calls in nanoseconds, if there
    /// are enough of them. Each call may have taken up to a `step` more or less than its sample.
    fn bound_quantile(&self, q: f64, step: f64) -> (Option<f64>, Option<f64>) {
        let quantiles: Vec<f64> =
            self.launches.iter().map(|calls| interpolate_quantile(calls, q)).collect();
        let bound_shifted = |shift: f64| {
            let shifted: Vec<f64> = quantiles.iter().map(|ns| (ns + shift).max(0.0)).collect();
            // A launch whose calls may have taken no time has no logarithm, and bounds nothing from
            // below.
            let is_zero = shifted.contains(&0.0);
            bound_typical_launch(&shifted).or(is_zero.then_some((0.0, 0.0)))
        };
        let low =
            order_statistics::compute_quantile_lower_bound(&self.pooled, q, TARGET_CONFIDENCE)
                .map(|pooled| (pooled - step).max(0.0))
                .map(|pooled| bound_shifted(-step).map_or(pooled, |(low, _)| low.min(pooled)));
        let high =
            order_statistics::compute_quantile_upper_bound(&self.pooled, q, TARGET_CONFIDENCE)
                .map(|pooled| pooled + step)
                .map(|pooled| bound_shifted(step).map_or(pooled, |(_, high)| high.max(pooled)));
        (low, high)
    }

    /// Returns the launch with the highest lower bound above the limit, or `None` if no
    /// launch has one.
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
            // More calls per launch would be something else than one call per launch.
            Some(needed) if needed > count && self.has_single_calls() => Note::MoreLaunchesDecide,
            Some(needed) if needed > count => {
                Note::MoreCallsDecide { calls: (needed - count) as u64 }
            }
            Some(_) => Note::LaunchesDiffer,
            None => Note::TooCloseToLimit,
        }
    }

    /// Returns whether every launch makes one call only, like a cold start.
    fn has_single_calls(&self) -> bool {
        self.launches.iter().all(|calls| calls.len() == 1)
    }
}

/// Returns the interpolated quantile of `sorted`, which must not be empty.
fn interpolate_quantile(sorted: &[f64], q: f64) -> f64 {
    quantile::compute_quantile(sorted, q).expect("a launch has samples")
}

/// Returns the note that this launch, counted from 0, alone misses the target.
fn note_slow_launch(launch: usize) -> Note {
    Note::SlowLaunch { launch: u32::try_from(launch).unwrap_or(u32::MAX) }
}
