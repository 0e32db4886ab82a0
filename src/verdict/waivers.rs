//! What commit messages accept of what was found: a regression up to a limit, a benchmark that is gone.

use super::{Change, Judgement, Waiver};
use crate::policy::trailer::{AcceptTrailer as Trailer, WaiverLimit};
use crate::units::{Percent, Ratio};

/// Marks what the trailers accept.
///
/// A regression is accepted while the data do not show that it is larger than the limit: while the
/// lower end of its interval is not above it. So a change that is as large as what was accepted
/// passes whatever the noise, and one that is certainly larger fails. Of several trailers that
/// accept it the one with the lowest limit counts.
pub(super) fn apply_trailers(judgements: &mut [Judgement], trailers: &[Trailer]) {
    for judgement in judgements {
        let accepting_trailers = trailers.iter().filter(|trailer| accepts(trailer, judgement));
        let lowest = accepting_trailers.min_by_key(|trailer| find_limit(trailer));
        judgement.waiver = lowest
            .map(|trailer| Waiver { reason: trailer.reason.clone(), limit: find_limit(trailer) });
    }
}

/// One sentence for every trailer that does not do what its author meant.
///
/// Without a baseline nothing can be missing, and a trailer about that is left alone.
pub(super) fn list_ineffective_trailers(
    judgements: &[Judgement],
    trailers: &[Trailer],
    has_baseline: bool,
) -> Vec<String> {
    trailers
        .iter()
        .filter_map(|trailer| describe_ineffective_trailer(judgements, trailer, has_baseline))
        .collect()
}

fn describe_ineffective_trailer(
    judgements: &[Judgement],
    trailer: &Trailer,
    has_baseline: bool,
) -> Option<String> {
    let covered: Vec<_> =
        judgements.iter().filter(|judgement| trailer.covers(&judgement.id)).collect();
    let is_missing = |judgement: &&Judgement| judgement.change == Change::Missing;
    match trailer.limit {
        WaiverLimit::Missing if !has_baseline => None,
        _ if covered.is_empty() => {
            Some(format!("`Perfgate-Accept: {trailer}` covers no benchmark of this check"))
        }
        WaiverLimit::Missing if !covered.iter().any(is_missing) => {
            Some(format!("`Perfgate-Accept: {trailer}` covers no benchmark that is missing"))
        }
        WaiverLimit::Missing => None,
        WaiverLimit::UpTo(limit) => {
            let exceeding: Vec<_> = covered
                .into_iter()
                .filter(|one| one.change == Change::Regressed && !is_within_limit(one, limit))
                .filter(|one| one.waiver.is_none())
                .collect();
            let first = exceeding.first()?;
            let more = match exceeding.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Some(format!("`Perfgate-Accept: {trailer}` is exceeded by `{}`{more}", first.id))
        }
    }
}

fn accepts(trailer: &Trailer, judgement: &Judgement) -> bool {
    let is_accepted = match (trailer.limit, judgement.change) {
        (WaiverLimit::UpTo(limit), Change::Regressed) => is_within_limit(judgement, limit),
        (WaiverLimit::Missing, Change::Missing) => true,
        _ => false,
    };
    is_accepted && trailer.covers(&judgement.id)
}

/// Without a ratio nothing is known of how large the change is.
fn is_within_limit(judgement: &Judgement, limit: Percent) -> bool {
    let limit = Ratio::from_ln(limit.get().ln_1p());
    judgement.ratio.is_some_and(|ratio| ratio.low <= limit)
}

fn find_limit(trailer: &Trailer) -> Option<Percent> {
    match trailer.limit {
        WaiverLimit::UpTo(limit) => Some(limit),
        WaiverLimit::Missing => None,
    }
}
