//! Benchmarks that a decision leaves open, which more rounds may settle.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::evidence::RoundsEvidence;
use super::{NoiseHistory, find_next_look};
use crate::decision::{Change, Decision, Judgement};
use crate::note::{ClaimIssue, Note};
use crate::run::BenchmarkId;
use crate::stats::random_effects::MIN_BASELINE_RUNS;

/// Largest number of rounds that a benchmark takes only because a target needs samples.
const MAX_TARGET_ROUNDS: usize = 20;

/// Returns the benchmarks that rounds must confirm, because a decision on stored runs as a screen
/// does not pass them.
///
/// Unchanged benchmarks count too if there are fewer than [`MIN_BASELINE_RUNS`] stored runs,
/// because those are too few for a screen. New benchmarks count if no run is stored.
pub(crate) fn find_unconfirmed(screen: &Decision) -> HashSet<BenchmarkId> {
    let stored = screen.baseline.runs.unwrap_or(0);
    let is_screen = stored as usize >= MIN_BASELINE_RUNS;
    let open = screen.benchmarks.iter().filter(|judgement| match judgement.change {
        // The base may fail in the same way, which is then no fault of the change.
        Change::Inconclusive | Change::Failed => true,
        _ if judgement.has_open_metric() => true,
        Change::Unchanged => !is_screen,
        Change::New => stored == 0,
        // A screen reports no benchmark as regressed or improved.
        Change::Regressed | Change::Improved | Change::Missing => false,
    });
    open.map(Judgement::to_id).collect()
}

/// Returns the benchmarks that need another round after a look that led to `decision`.
///
/// These are the inconclusive ones that have another look ahead, the new ones with fewer than
/// `launches` launches, and those whose targets need more samples, for at most
/// [`MAX_TARGET_ROUNDS`] rounds. Only
/// benchmarks that were measured in `rounds` count.
pub(crate) fn find_undecided(
    decision: &Decision,
    rounds: RoundsEvidence<'_>,
    noise: &BTreeMap<BenchmarkId, NoiseHistory>,
    launches: u32,
) -> HashSet<BenchmarkId> {
    let benchmarks = rounds.candidate.benchmarks.iter();
    let launch_counts: HashMap<BenchmarkId, usize> = benchmarks
        .filter(|benchmark| benchmark.failure.is_none())
        .map(|benchmark| (benchmark.to_id(), benchmark.launches.len()))
        .collect();
    let open = decision.benchmarks.iter().filter(|judgement| {
        let id = judgement.to_id();
        let noise = noise.get(&id);
        launch_counts.get(&id).is_some_and(|&count| {
            let has_look_ahead = find_next_look(noise, rounds.horizon, count).is_some();
            let is_open = match judgement.change {
                Change::Inconclusive => {
                    let first_look = find_next_look(noise, rounds.horizon, 0);
                    let has_looked = first_look.is_some_and(|first| count >= first);
                    has_look_ahead && !(has_looked && lacks_clock(judgement))
                }
                Change::New => count < launches as usize,
                _ => false,
            };
            let is_open = is_open || has_look_ahead && judgement.has_open_metric();
            is_open || has_look_ahead && count < MAX_TARGET_ROUNDS && lacks_samples(judgement)
        })
    });
    open.map(Judgement::to_id).collect()
}

/// Returns whether the clock allows no conclusion, which more rounds do not change.
fn lacks_clock(judgement: &Judgement) -> bool {
    judgement.notes.iter().any(|note| {
        matches!(
            note,
            Note::ClockTooCoarse { .. } | Note::SamplesAlike { .. } | Note::SamplesOfZero
        )
    })
}

/// Returns whether a target is unproven because it needs more samples.
fn lacks_samples(judgement: &Judgement) -> bool {
    judgement.targets.iter().any(|target| {
        matches!(
            target.note,
            Some(
                Note::TooFewCalls { .. }
                    | Note::TooFewBatches { .. }
                    | Note::Claim { issue: ClaimIssue::FewLaunches { .. } }
            )
        )
    })
}
