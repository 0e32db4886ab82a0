//! Judging claims about the ratio of two benchmarks of one run, by launch.

use std::collections::HashMap;

use super::clock;
use super::target_bound::TARGET_CONFIDENCE;
use crate::decision::{ExpectationJudgement, TargetStatus};
use crate::note::{ClaimIssue, Note};
use crate::policy::{ExpectRule, LimitSide};
use crate::run::Benchmark;
use crate::stats::test::t::{TTest, compute_paired_test, compute_welch_test};
use crate::units::{Nanos, Ratio};

/// Number of launches that have both benchmarks from which the ratio is computed launch by launch.
const MIN_PAIRS: usize = 3;

/// What the launches of two benchmarks show about the ratio of their medians.
#[derive(Clone, Debug, Default)]
struct MedianRatio {
    /// One-sided bounds and best estimate of the log ratio.
    levels: Option<[f64; 3]>,
    pairs: u32,
    note: Option<Note>,
}

/// Judges the bounds of `rule`. `find` returns the benchmark of the candidate with an id.
pub(super) fn judge_expectation<'a>(
    rule: &ExpectRule,
    find: impl Fn(&str) -> Option<&'a Benchmark>,
) -> Vec<ExpectationJudgement> {
    let found = [&rule.numerator, &rule.denominator]
        .map(|id| find(id).filter(|one| !one.launches.is_empty()).ok_or(id));
    let measured = match found {
        [Ok(numerator), Ok(denominator)] => estimate_ratio(numerator, denominator),
        [Err(id), _] | [_, Err(id)] => {
            let issue = ClaimIssue::PartUnmeasured { benchmark: id.clone() };
            MedianRatio { note: Some(Note::Claim { issue }), ..MedianRatio::default() }
        }
    };
    let sides = [(LimitSide::AtLeast, rule.at_least), (LimitSide::AtMost, rule.at_most)];
    let bounds = sides.into_iter().filter_map(|(side, bound)| Some((side, bound?)));
    bounds.map(|(side, bound)| judge_bound(rule, &measured, side, bound)).collect()
}

fn judge_bound(
    rule: &ExpectRule,
    measured: &MedianRatio,
    side: LimitSide,
    bound: f64,
) -> ExpectationJudgement {
    let limit = bound.ln();
    let status = match (measured.levels, side) {
        (Some([low, ..]), LimitSide::AtLeast) if low >= limit => TargetStatus::Met,
        (Some([.., high]), LimitSide::AtLeast) if high < limit => TargetStatus::Missed,
        (Some([.., high]), LimitSide::AtMost) if high <= limit => TargetStatus::Met,
        (Some([low, ..]), LimitSide::AtMost) if low > limit => TargetStatus::Missed,
        _ => TargetStatus::Unproven,
    };
    let [low, point, high] = match measured.levels {
        Some(levels) => levels.map(|level| Some(Ratio::from_ln(level))),
        None => [None; 3],
    };
    let note = measured.note.clone().or(Some(Note::MoreLaunchesDecide));
    ExpectationJudgement {
        name: rule.name.clone(),
        ratio: [rule.numerator.clone(), rule.denominator.clone()],
        side,
        bound: Ratio::from_ln(limit),
        low,
        point,
        high,
        pairs: measured.pairs,
        status,
        note: note.filter(|_| status == TargetStatus::Unproven),
    }
}

/// Bounds the ratio of the medians of two benchmarks over launches.
///
/// Where enough launches have both, it is the ratio within each launch, because they share its
/// moment. Otherwise the two are independent groups of launches.
fn estimate_ratio(numerator: &Benchmark, denominator: &Benchmark) -> MedianRatio {
    if [numerator, denominator].into_iter().any(Benchmark::has_median_of_zero) {
        return MedianRatio { note: Some(Note::SamplesOfZero), ..MedianRatio::default() };
    }
    let below = index_levels(denominator);
    let shared = index_levels(numerator);
    let mut pairs: Vec<_> = shared
        .iter()
        .filter_map(|(place, level)| Some((*place, *level, *below.get(place)?)))
        .collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let is_paired = pairs.len() >= MIN_PAIRS;
    let test = if is_paired {
        let above: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
        let below: Vec<f64> = pairs.iter().map(|pair| pair.2).collect();
        compute_paired_test(&below, &above)
    } else {
        compute_welch_test(&denominator.ln_medians(), &numerator.ln_medians())
    };
    let pairs = if is_paired { u32::try_from(pairs.len()).unwrap_or(u32::MAX) } else { 0 };
    let rounding = [numerator, denominator].map(find_rounding).iter().sum::<f64>();
    let Ok(test) = test else {
        return MedianRatio { note: Some(Note::TooFewLaunches), ..MedianRatio::default() };
    };
    MedianRatio { levels: Some(bound_log_ratio(&test, rounding)), pairs, note: None }
}

/// Returns the lower bound, the estimate and the upper bound of a log ratio that the clock may have
/// moved by `rounding`.
fn bound_log_ratio(test: &TTest, rounding: f64) -> [f64; 3] {
    let tail = 1.0 - TARGET_CONFIDENCE;
    let (low, high) = (test.lower_bound(tail), test.upper_bound(tail));
    [low - rounding, test.difference, high + rounding]
}

/// Returns the largest shift of a log median that the clock's rounding causes: half a step.
fn find_rounding(benchmark: &Benchmark) -> f64 {
    let step = clock::bound_step(benchmark).map_or(0.0, |step| step.per_call);
    benchmark.compute_typical_median().map(Nanos::get).map_or(0.0, |median| 0.5 * step / median)
}

/// Returns the log median of each launch by session and round.
fn index_levels(benchmark: &Benchmark) -> HashMap<(Option<&str>, u32), f64> {
    let launches = benchmark.launches.iter();
    launches
        .map(|launch| ((launch.session.as_deref(), launch.round), launch.digest().ln_median()))
        .collect()
}
