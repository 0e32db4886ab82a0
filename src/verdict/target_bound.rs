//! What all judgements of targets share: their confidence, the bound over launches, and how a judgement
//! is built.

use super::clock::ClockStep;
use crate::decision::{TargetJudgement, TargetStatus};
use crate::note::Note;
use crate::policy::{LimitSide, Metric, TargetFigure};
use crate::stats::summary::Moments;
use crate::stats::test::t::compute_mean_interval;
use crate::units::{Amount, Nanos};

/// One-sided confidence of the bounds on a figure.
pub(super) const TARGET_CONFIDENCE: f64 = 0.95;

/// Returns one-sided lower and upper bounds on a figure of a typical launch, from the figure in each
/// launch. All are in nanoseconds. Returns `None` for fewer than two launches, and if a figure is
/// zero, which has no logarithm.
pub(super) fn bound_typical_launch(figures: &[f64]) -> Option<(f64, f64)> {
    bound_typical_launch_at(figures, 1.0 - TARGET_CONFIDENCE)
}

/// Returns such bounds, each of which is wrong with probability `tail`.
pub(super) fn bound_typical_launch_at(figures: &[f64], tail: f64) -> Option<(f64, f64)> {
    let logarithms: Vec<f64> = figures.iter().map(|figure| figure.ln()).collect();
    let level_summary = Moments::from_values(&logarithms).ok()?;
    let (low, high) = compute_mean_interval(&level_summary, tail)?;
    Some((low.exp(), high.exp()))
}

/// Judges a target by bounds that allow for the step of the clock. `judge` returns the judgement for
/// a step. If a clock without steps would decide the target, the step is the reason that it is
/// unproven.
pub(super) fn judge_within_step(
    step: ClockStep,
    judge: impl Fn(ClockStep) -> TargetJudgement,
) -> TargetJudgement {
    let target = judge(step);
    let is_undecided_by_step = step.per_time > 0.0
        && target.status == TargetStatus::Unproven
        && judge(ClockStep::default()).status != TargetStatus::Unproven;
    if !is_undecided_by_step {
        return target;
    }
    let note = Note::StepReachesLimit { step: Nanos::saturate(step.per_time) };
    TargetJudgement { note: Some(note), ..target }
}

/// Returns an unproven target without bounds.
pub(super) fn build_unproven_target(metric: Metric, limit: Nanos, note: Note) -> TargetJudgement {
    build_target(metric, limit, [None; 3], TargetStatus::Unproven, Some(note))
}

/// Returns a target with its lower bound, best estimate and upper bound, in nanoseconds.
pub(super) fn build_target(
    metric: Metric,
    limit: Nanos,
    [low, point, high]: [Option<f64>; 3],
    status: TargetStatus,
    note: Option<Note>,
) -> TargetJudgement {
    let [low, point, high] = [low, point, high].map(|bound| bound.map(Amount::saturate));
    TargetJudgement {
        metric: TargetFigure::Time(metric),
        name: None,
        side: LimitSide::AtMost,
        limit: limit.into(),
        low,
        point,
        high,
        status,
        note,
    }
}

/// Returns a number of calls as a whole number.
pub(super) fn floor_to_count(calls: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count, and the cast saturates"
    )]
    {
        calls as u64
    }
}
