//! Judging limits on percentiles of calls that were timed in batches: met or unproven, because a
//! batch bounds its slow calls from above only.

use super::clock::ClockStep;
use super::target_bound::{
    TARGET_CONFIDENCE, bound_typical_launch, build_target, build_unproven_target, floor_to_count,
};
use crate::decision::{TargetJudgement, TargetStatus};
use crate::note::Note;
use crate::policy::Metric;
use crate::run::{Benchmark, Launch, LaunchData};
use crate::stats::batch_bound::{
    BatchTotal, bound_all_calls_above, bound_measured_quantile, compute_batch_quantile_upper_bound,
};
use crate::stats::order_statistics::find_min_sample_count;
use crate::units::Nanos;

/// Judges whether `metric`, the `q`-quantile of single calls, meets `limit`.
///
/// A batch may have taken up to a `step` of the clock longer than measured.
pub(super) fn judge_batch_quantile(
    benchmark: &Benchmark,
    metric: Metric,
    q: f64,
    limit: Nanos,
    step: ClockStep,
) -> TargetJudgement {
    // Plan: collect the batches, bound the quantile over all batches and over launches, and compare
    // the larger bound with the limit.
    let launches = match list_launch_batches(benchmark, metric, step) {
        Ok(launches) => launches,
        Err(note) => return build_unproven_target(metric, limit, note),
    };
    let pooled = launches.concat();
    let Some(pooled_bound) = compute_batch_quantile_upper_bound(&pooled, q, TARGET_CONFIDENCE)
    else {
        let note = Note::TooFewBatches {
            metric: metric.name().to_owned(),
            batches: pooled.len() as u64,
            needed: find_min_sample_count(q, TARGET_CONFIDENCE) as u64,
        };
        return build_unproven_target(metric, limit, note);
    };
    let launch_bounds: Vec<f64> =
        launches.iter().map(|batches| bound_measured_quantile(batches, q)).collect();
    let high = bound_typical_launch(&launch_bounds)
        .map_or(pooled_bound, |(_, high)| high.max(pooled_bound));
    let (status, note) = if high <= limit.get() {
        (TargetStatus::Met, count_calls_above(&pooled, limit))
    } else if pooled_bound <= limit.get() {
        (TargetStatus::Unproven, Note::LaunchesDiffer)
    } else {
        (TargetStatus::Unproven, count_calls_above(&pooled, limit))
    };
    build_target(metric, limit, [None, None, Some(high)], status, Some(note))
}

/// Returns the batches of each launch, with the longest times that they can have taken. Fails with
/// the reason if a launch does not show them.
fn list_launch_batches(
    benchmark: &Benchmark,
    metric: Metric,
    step: ClockStep,
) -> Result<Vec<Vec<BatchTotal>>, Note> {
    let list = |launch: &Launch| match (&launch.data, launch.list_batches()) {
        (_, Some(batches)) => Ok(batches
            .into_iter()
            .map(|batch| BatchTotal { time: batch.time + step.per_time, ..batch })
            .collect()),
        (LaunchData::Digest(_), None) => Err(Note::OnlyDigests),
        (LaunchData::Samples(_), None) => {
            Err(Note::BatchesHaveNoPercentile { metric: metric.name().to_owned() })
        }
    };
    benchmark.launches.iter().map(list).collect()
}

/// Returns the note how many calls can have exceeded `limit`.
fn count_calls_above(batches: &[BatchTotal], limit: Nanos) -> Note {
    let longest = batches.iter().map(|batch| batch.time).fold(0.0, f64::max);
    if longest <= limit.get() {
        return Note::NoBatchLonger {
            batches: batches.len() as u64,
            longest: Nanos::new(longest).expect("the time of a batch is a duration"),
        };
    }
    Note::CallsBounded {
        exceeding: floor_to_count(bound_all_calls_above(batches, limit.get())),
        calls: floor_to_count(batches.iter().map(|batch| batch.calls).sum()),
    }
}
