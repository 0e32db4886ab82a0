//! Applies the waivers of commit messages: a regression up to a limit, or a missing benchmark.

use super::evidence::TrailerEvidence;
use crate::decision::{Change, Judgement, MetricJudgement, Waiver};
use crate::note::Note;
use crate::policy::BetterDirection;
use crate::policy::trailer::{AcceptTrailer as Trailer, WaiverLimit};
use crate::units::{Percent, Ratio};

/// Sets the waiver of each judgement that the trailers accept.
///
/// A regression is accepted unless the data show that it is larger than the limit, that is, unless
/// the lower end of its interval is above the limit. A change as large as the limit therefore
/// passes at any noise, and a change that is certainly larger fails. If several trailers accept it,
/// the trailer with the lowest limit counts.
pub(super) fn apply_trailers(judgements: &mut [Judgement], trailers: &[Trailer]) {
    for judgement in judgements {
        let accepting_trailers = trailers.iter().filter(|trailer| accepts(trailer, judgement));
        let lowest = accepting_trailers.min_by_key(|trailer| find_limit(trailer));
        judgement.waiver = lowest.map(build_waiver);
        let covering: Vec<&Trailer> =
            trailers.iter().filter(|trailer| trailer.covers(&judgement.id)).collect();
        for metric in judgement.metrics.values_mut() {
            let accepting = covering.iter().filter(|trailer| accepts_metric(trailer, metric));
            metric.waiver =
                accepting.min_by_key(|trailer| find_limit(trailer)).map(|one| build_waiver(one));
        }
    }
}

fn build_waiver(trailer: &Trailer) -> Waiver {
    Waiver { reason: trailer.reason.clone(), limit: find_limit(trailer) }
}

/// Returns whether `trailer`, which covers the benchmark, accepts the change of one of its metrics.
fn accepts_metric(trailer: &Trailer, metric: &MetricJudgement) -> bool {
    match (trailer.limit, metric.change) {
        (WaiverLimit::Missing, Some(Change::Missing)) => true,
        (WaiverLimit::UpTo(limit), Some(Change::Regressed)) => {
            // The worsening of a metric that should be high is the inverse of its ratio.
            let worsening = metric.ratio.map(|ratio| match metric.better {
                BetterDirection::Lower => ratio.low.get(),
                BetterDirection::Higher => 1.0 / ratio.high.get(),
            });
            worsening.is_some_and(|worsening| worsening <= 1.0 + limit.get())
        }
        _ => false,
    }
}

/// Returns one note per trailer that does not do what its author intended.
///
/// Without a baseline no benchmark can be missing, so trailers about missing benchmarks are not
/// reported.
pub(super) fn list_ineffective_trailers(
    judgements: &[Judgement],
    trailers: &[Trailer],
    has_baseline: bool,
) -> Vec<Note> {
    trailers
        .iter()
        .filter_map(|trailer| find_trailer_problem(judgements, trailer, has_baseline))
        .collect()
}

/// Returns why `trailer` does not do what its author intended, or `None` if it does.
fn find_trailer_problem(
    judgements: &[Judgement],
    trailer: &Trailer,
    has_baseline: bool,
) -> Option<Note> {
    // A trailer has a problem if it matches nothing, accepts a missing benchmark where none is
    // missing, or names a limit that a benchmark exceeds.
    let covered: Vec<_> =
        judgements.iter().filter(|judgement| trailer.covers(&judgement.id)).collect();
    match trailer.limit {
        WaiverLimit::Missing if !has_baseline => None,
        _ if covered.is_empty() => {
            Some(Note::TrailerMatchesNothing { trailer: trailer.to_string() })
        }
        WaiverLimit::Missing if covered.iter().all(|one| one.change != Change::Missing) => {
            Some(Note::TrailerWithoutMissing { trailer: trailer.to_string() })
        }
        WaiverLimit::Missing => None,
        WaiverLimit::UpTo(limit) => {
            let exceeding: Vec<_> = covered
                .into_iter()
                .filter(|judgement| judgement.change == Change::Regressed)
                .filter(|judgement| !is_within_limit(judgement, limit))
                .filter(|judgement| judgement.waiver.is_none())
                .collect();
            let first = exceeding.first()?;
            Some(Note::TrailerExceeded {
                trailer: trailer.to_string(),
                benchmark: first.id.clone(),
                more: u32::try_from(exceeding.len() - 1).unwrap_or(u32::MAX),
            })
        }
    }
}

/// Returns the notes about trailers that could not be read.
///
/// Unread messages count only if a waiver in them could have helped: if a benchmark is regressed or
/// missing and has no waiver.
pub(super) fn list_unread_trailers(
    judgements: &[Judgement],
    trailers: &TrailerEvidence,
) -> Vec<Note> {
    let is_open = judgements.iter().any(|judgement| {
        let is_worse = matches!(judgement.change, Change::Regressed | Change::Missing)
            && judgement.waiver.is_none();
        is_worse || judgement.worse_metrics().next().is_some()
    });
    let unread = (is_open && !trailers.is_complete).then_some(Note::MessagesIncomplete);
    trailers.notes.iter().cloned().chain(unread).collect()
}

/// Returns whether `trailer` accepts the change of `judgement`.
fn accepts(trailer: &Trailer, judgement: &Judgement) -> bool {
    let is_accepted = match (trailer.limit, judgement.change) {
        (WaiverLimit::UpTo(limit), Change::Regressed) => is_within_limit(judgement, limit),
        (WaiverLimit::Missing, Change::Missing) => true,
        _ => false,
    };
    is_accepted && trailer.covers(&judgement.id)
}

/// Returns whether a regression is within `limit`. Without a ratio its size is not known, so it is
/// not.
fn is_within_limit(judgement: &Judgement, limit: Percent) -> bool {
    let limit = Ratio::from_ln(limit.get().ln_1p());
    judgement.ratio.is_some_and(|ratio| ratio.low <= limit)
}

/// Returns the largest slowdown that the trailer accepts, or `None` if it accepts a missing
/// benchmark.
fn find_limit(trailer: &Trailer) -> Option<Percent> {
    match trailer.limit {
        WaiverLimit::UpTo(limit) => Some(limit),
        WaiverLimit::Missing => None,
    }
}
