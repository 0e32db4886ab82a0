//! What commit messages accept of what was found: a regression up to a limit, a benchmark that is gone.

use super::{Change, Judgement, Waiver};
use crate::policy::waiver::{Accepted, Waiver as Trailer};
use crate::units::{Ratio, Share};

/// Marks what the trailers accept.
///
/// A regression is accepted while the data do not show that it is larger than the limit: while the
/// lower end of its interval is not above it. So a change that is as large as what was accepted
/// passes whatever the noise, and one that is certainly larger fails. Of several trailers that
/// accept it the one with the lowest limit counts.
pub(super) fn apply(judgements: &mut [Judgement], trailers: &[Trailer]) {
    for judgement in judgements {
        let accepting = trailers.iter().filter(|trailer| accepts(trailer, judgement));
        let lowest = accepting.min_by_key(|trailer| limit_of(trailer));
        judgement.waiver = lowest
            .map(|trailer| Waiver { reason: trailer.reason.clone(), limit: limit_of(trailer) });
    }
}

/// One sentence for every trailer that does not do what its author meant.
///
/// Without a baseline nothing can be missing, and a trailer about that is left alone.
pub(super) fn complaints(
    judgements: &[Judgement],
    trailers: &[Trailer],
    has_baseline: bool,
) -> Vec<String> {
    trailers.iter().filter_map(|trailer| complaint(judgements, trailer, has_baseline)).collect()
}

fn complaint(judgements: &[Judgement], trailer: &Trailer, has_baseline: bool) -> Option<String> {
    let covered: Vec<_> =
        judgements.iter().filter(|judgement| trailer.covers(&judgement.id)).collect();
    let is_missing = |judgement: &&Judgement| judgement.change == Change::Missing;
    match trailer.accepted {
        Accepted::Missing if !has_baseline => None,
        _ if covered.is_empty() => {
            Some(format!("`Perfgate-Accept: {trailer}` covers no benchmark of this check"))
        }
        Accepted::Missing if !covered.iter().any(is_missing) => {
            Some(format!("`Perfgate-Accept: {trailer}` covers no benchmark that is missing"))
        }
        Accepted::Missing => None,
        Accepted::UpTo(limit) => {
            let exceeding: Vec<_> = covered
                .into_iter()
                .filter(|one| one.change == Change::Regressed && !is_within(one, limit))
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
    let is_accepted = match (trailer.accepted, judgement.change) {
        (Accepted::UpTo(limit), Change::Regressed) => is_within(judgement, limit),
        (Accepted::Missing, Change::Missing) => true,
        _ => false,
    };
    is_accepted && trailer.covers(&judgement.id)
}

/// Without a ratio nothing is known of how large the change is.
fn is_within(judgement: &Judgement, limit: Share) -> bool {
    let limit = Ratio::from_ln(limit.get().ln_1p());
    judgement.ratio.is_some_and(|ratio| ratio.low <= limit)
}

fn limit_of(trailer: &Trailer) -> Option<Share> {
    match trailer.accepted {
        Accepted::UpTo(limit) => Some(limit),
        Accepted::Missing => None,
    }
}
