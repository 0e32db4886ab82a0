//! Absolute limits on single calls, judged by bounds: a target is met only when its upper bound is.

use std::collections::HashMap;

use super::{Target, TargetStatus};
use crate::policy::Metric;
use crate::run::{Benchmark, Digest, Observed, Sampling};
use crate::stats::summary::Summary;
use crate::stats::{order, quantile, student};
use crate::units::Nanos;

/// One-sided confidence of the bounds.
const CONFIDENCE: f64 = 0.95;

/// The samples of a benchmark, sorted once for all of its targets.
pub(super) struct Calls<'a> {
    benchmark: &'a Benchmark,
    launches: Vec<&'a [f64]>,
    pooled: Vec<f64>,
}

impl<'a> Calls<'a> {
    /// Empty where only digests are left.
    pub(super) fn of(benchmark: &'a Benchmark) -> Self {
        let launches: Vec<&[f64]> = benchmark
            .launches
            .iter()
            .filter_map(|launch| match &launch.observed {
                Observed::Samples(samples) => Some(samples.sorted()),
                Observed::Digest(_) => None,
            })
            .collect();
        let mut pooled = launches.concat();
        // The stable sort sees that each launch is sorted already, and merges them.
        pooled.sort_by(f64::total_cmp);
        Self { benchmark, launches, pooled }
    }

    /// What the data say about `limit`.
    pub(super) fn judge(&self, metric: Metric, limit: Nanos) -> Target {
        match metric.quantile() {
            None => self.judge_mean(limit),
            Some(q) => self.judge_quantile(metric, q.get(), limit),
        }
    }

    fn judge_mean(&self, limit: Nanos) -> Target {
        let lns = self.lns(|digest| digest.mean);
        let bounds = over_launches(&lns);
        let (low, high) = bounds.unzip();
        let point = Summary::of(&lns).ok().map(|lns| lns.mean().exp());
        let (status, reason) = match bounds {
            Some((_, high)) if high <= limit.get() => (TargetStatus::Met, None),
            Some((low, _)) if low > limit.get() => (TargetStatus::Missed, None),
            Some(_) => (TargetStatus::Unproven, Some("more launches would decide".to_owned())),
            None => (TargetStatus::Unproven, Some("a mean needs two launches".to_owned())),
        };
        target(Metric::Mean, limit, [low, point, high], status, reason)
    }

    fn judge_quantile(&self, metric: Metric, q: f64, limit: Nanos) -> Target {
        let unproven =
            |reason: String| target(metric, limit, [None; 3], TargetStatus::Unproven, Some(reason));
        if self.benchmark.sampling == Sampling::Batch {
            let name = metric.name();
            return unproven(format!("measured in batches, so it has no {name} of single calls"));
        }
        let count = self.pooled.len();
        if self.launches.len() < self.benchmark.launches.len() || count == 0 {
            return unproven("only digests are stored, and they bound no percentile".to_owned());
        }
        let least = order::least_count(q, CONFIDENCE);
        if count < least {
            return unproven(format!("{count} calls: {} needs at least {least}", metric.name()));
        }
        self.judge_bounded(metric, q, limit)
    }

    fn judge_bounded(&self, metric: Metric, q: f64, limit: Nanos) -> Target {
        let lns: Vec<f64> = self.launches.iter().map(|calls| ln_quantile(calls, q)).collect();
        let launches = over_launches(&lns);
        let high = order::upper_bound(&self.pooled, q, CONFIDENCE)
            .map(|pooled| launches.map_or(pooled, |(_, high)| high.max(pooled)));
        let low = order::lower_bound(&self.pooled, q, CONFIDENCE)
            .map(|pooled| launches.map_or(pooled, |(low, _)| low.min(pooled)));
        let point = Some(linear(&self.pooled, q));
        let slow = self.slow_launch(q, limit);
        let (status, reason) = match (low, high, slow) {
            (Some(low), _, _) if low > limit.get() => (TargetStatus::Missed, None),
            (_, Some(high), None) if high <= limit.get() => (TargetStatus::Met, None),
            (_, Some(high), Some(launch)) if high <= limit.get() => {
                let reason = format!("launch {launch} alone misses it: launches differ");
                (TargetStatus::Unproven, Some(reason))
            }
            _ => (TargetStatus::Unproven, Some(self.calls_to_decide(q, limit))),
        };
        target(metric, limit, [low, point, high], status, reason)
    }

    /// The slowest launch whose own lower bound is above the limit.
    fn slow_launch(&self, q: f64, limit: Nanos) -> Option<usize> {
        // The dear part of a bound is its place, and most launches have the same number of calls.
        let mut orders: HashMap<usize, Option<usize>> = HashMap::new();
        let mut order = |count| {
            *orders.entry(count).or_insert_with(|| order::lower_order(q, count, 1.0 - CONFIDENCE))
        };
        let bounds = self
            .launches
            .iter()
            .enumerate()
            .filter_map(|(launch, calls)| Some((launch, calls[order(calls.len())? - 1])));
        let above = bounds.filter(|(_, low)| *low > limit.get());
        above.max_by(|one, other| one.1.total_cmp(&other.1)).map(|(launch, _)| launch)
    }

    fn calls_to_decide(&self, q: f64, limit: Nanos) -> String {
        let above = self.pooled.iter().filter(|call| **call > limit.get()).count();
        let count = self.pooled.len();
        match order::count_to_decide(q, above, count, CONFIDENCE) {
            Some(needed) if needed > count => {
                format!("about {} more calls would decide", needed - count)
            }
            Some(_) => "its launches differ: more launches would decide".to_owned(),
            None => "too close to the limit to be decided by more calls".to_owned(),
        }
    }

    fn lns(&self, figure: fn(&Digest) -> Nanos) -> Vec<f64> {
        self.benchmark.digests().map(|digest| figure(&digest).ln()).collect()
    }
}

/// One-sided bounds on a figure of a typical launch, from its logarithm in each; needs two.
fn over_launches(lns: &[f64]) -> Option<(f64, f64)> {
    let summary = Summary::of(lns).ok().filter(|summary| summary.count() > 1)?;
    let t = student::upper_quantile(1.0 - CONFIDENCE, summary.count() as f64 - 1.0);
    let margin = t * summary.standard_error();
    Some(((summary.mean() - margin).exp(), (summary.mean() + margin).exp()))
}

fn linear(sorted: &[f64], q: f64) -> f64 {
    quantile::type7(sorted, q).expect("a launch has samples")
}

fn ln_quantile(sorted: &[f64], q: f64) -> f64 {
    nanos(linear(sorted, q)).ln()
}

fn target(
    metric: Metric,
    limit: Nanos,
    [low, point, high]: [Option<f64>; 3],
    status: TargetStatus,
    reason: Option<String>,
) -> Target {
    let [low, point, high] = [low, point, high].map(|bound| bound.map(nanos));
    Target { metric, limit, low, point, high, status, reason }
}

fn nanos(ns: f64) -> Nanos {
    Nanos::new(ns.min(f64::MAX)).expect("a bound on durations is a duration")
}
