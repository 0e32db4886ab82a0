//! How much longer rounds would take to decide what they left open.

use std::collections::HashMap;

use super::evidence::RoundsEvidence;
use super::rounds_need::estimate_rounds_needs;
use crate::decision::{Change, CheckStage, Judgement};
use crate::note::Note;
use crate::policy::Policy;
use crate::run::BenchmarkId;
use crate::units::Nanos;

/// Longest time that is stated, in nanoseconds: a day. Nobody waits longer for a check.
const MAX_STATED_NANOS: f64 = 86_400e9;

/// Adds to each inconclusive benchmark of the rounds how much more time would probably decide it, if
/// it had the rounds for itself.
///
/// Does nothing while the rounds go on, because the time of a round is recorded at their end.
pub(super) fn add_missing_time(
    judgements: &mut [Judgement],
    rounds: RoundsEvidence<'_>,
    policy: &Policy,
) {
    let benchmarks = rounds.candidate.benchmarks.iter();
    let round_times: HashMap<BenchmarkId, Nanos> =
        benchmarks.filter_map(|one| Some((one.to_id(), one.round_time?))).collect();
    if round_times.is_empty() {
        return;
    }
    let needs = estimate_rounds_needs(rounds, policy);
    let open = judgements.iter_mut().filter(|judgement| {
        judgement.change == Change::Inconclusive && judgement.stage == Some(CheckStage::Confirmed)
    });
    for judgement in open {
        let id = judgement.to_id();
        let Some((need, round_time)) = needs.get(&id).zip(round_times.get(&id)) else { continue };
        let nanos = need.count_missing() as f64 * round_time.get();
        let missing = Nanos::new(nanos).ok().filter(|_| nanos > 0.0 && nanos <= MAX_STATED_NANOS);
        for note in &mut judgement.notes {
            if let Note::Undecided { more_time, .. } = note {
                *more_time = missing;
            }
        }
    }
}
