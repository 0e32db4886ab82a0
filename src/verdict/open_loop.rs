//! Whether the load on a service answers the question that a target asks at a rate of requests.
//!
//! "p99 below 50 ms at 100/s" is a question about users who do not wait for each other. A load
//! generator that waits for answers, or that counts from when it found the time to send, gives a
//! latency that is too good.

use crate::decision::{TargetJudgement, TargetStatus};
use crate::note::{LoadIssue, Note};
use crate::run::{Benchmark, LatencyOrigin, LoadPacing, LoadShape, RATE_METRIC};
use crate::units::RequestRate;

/// Largest relative difference of two rates that count as the same.
const SAME_RATE: f64 = 0.005;
/// Smallest part of a rate that counts as reached.
const REACHED_SHARE: f64 = 0.95;

/// Judges again what was judged of `target`, which must hold at the rate `asked`. A target that is met
/// under a load that does not answer the question is unproven. One that is missed stays missed,
/// because the load was kinder than the question.
pub(super) fn question_target(
    target: TargetJudgement,
    asked: RequestRate,
    shape: &LoadShape,
    benchmark: &Benchmark,
) -> TargetJudgement {
    let reached = compute_reached_rate(benchmark);
    let Some(issue) = find_issue(asked, shape, reached) else {
        let note = target.note.or(Some(Note::LoadAnswers { asked, reached }));
        return TargetJudgement { note, ..target };
    };
    let doubt = Some(Note::LoadDoubted { asked, issue });
    match target.status {
        TargetStatus::Met => {
            TargetJudgement { status: TargetStatus::Unproven, note: doubt, ..target }
        }
        TargetStatus::Missed | TargetStatus::Unproven => {
            TargetJudgement { note: target.note.or(doubt), ..target }
        }
    }
}

/// Returns why the load does not answer the question, or `None` if it does.
fn find_issue(
    asked: RequestRate,
    shape: &LoadShape,
    reached: Option<RequestRate>,
) -> Option<LoadIssue> {
    match (shape.pacing, shape.origin, shape.concurrency) {
        (LoadPacing::Closed, ..) => return Some(LoadIssue::ClosedLoop),
        (LoadPacing::Open, LatencyOrigin::IntendedStart, _)
        | (LoadPacing::Open, LatencyOrigin::Sent, None) => {}
        (LoadPacing::Open, LatencyOrigin::Sent, Some(concurrency)) => {
            return Some(LoadIssue::WaitNotCounted { concurrency });
        }
        (LoadPacing::Unknown, ..) | (_, LatencyOrigin::Unknown, _) => {
            return Some(LoadIssue::UnknownLoad);
        }
    }
    let Some(rate) = shape.rate else { return Some(LoadIssue::UnknownRate) };
    if (rate.get() / asked.get() - 1.0).abs() > SAME_RATE {
        return Some(LoadIssue::OtherRate { measured: rate });
    }
    let short = reached.filter(|reached| reached.get() < REACHED_SHARE * asked.get());
    short.map(|reached| LoadIssue::RateNotReached { reached })
}

/// Returns the mean over launches of the rate that was reached. Returns `None` if a launch does not
/// state it.
fn compute_reached_rate(benchmark: &Benchmark) -> Option<RequestRate> {
    let rates: Option<Vec<f64>> =
        benchmark.launches.iter().map(|launch| launch.metrics.get(RATE_METRIC).copied()).collect();
    let rates = rates?;
    RequestRate::new(rates.iter().sum::<f64>() / rates.len() as f64).ok()
}
