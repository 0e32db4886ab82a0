//! Summary of a screen: how many benchmarks it settled, and how many launches that saved.

use super::evidence::{BaselineEvidence, Evidence};
use super::find_next_look;
use crate::decision::{Change, CheckStage, Judgement, ScreenOutcome};
use crate::run::{Benchmark, Launch, Sampling};
use crate::stats::random_effects::MIN_BASELINE_RUNS;
use crate::units::Nanos;

/// Summarizes the screen in `evidence`. Returns `None` without a screen, or if it has fewer than
/// `MIN_BASELINE_RUNS` stored runs.
pub(super) fn summarize_screen(
    evidence: &Evidence<'_>,
    judgements: &[Judgement],
) -> Option<ScreenOutcome> {
    let BaselineEvidence::Screen(runs) = evidence.baseline else { return None };
    if runs.len() < MIN_BASELINE_RUNS {
        return None;
    }
    // The launches that were saved are those up to the first look, on both sides, of each benchmark
    // that the screen settled.
    let settled = judgements
        .iter()
        .filter(|one| one.stage == Some(CheckStage::Screened) && one.change == Change::Unchanged);
    let horizon = evidence.rounds.map(|rounds| rounds.horizon).unwrap_or_default();
    let (mut count, mut launches, mut nanos) = (0, 0, 0.0);
    for judgement in settled {
        let id = judgement.to_id();
        let launches_to_first_look =
            find_next_look(evidence.noise.get(&id), horizon, 0).unwrap_or_default() * 2;
        let benchmark = evidence.candidate.benchmarks.iter().find(|side| side.to_id() == id);
        count += 1;
        launches += launches_to_first_look;
        nanos +=
            launches_to_first_look as f64 * benchmark.map_or(0.0, compute_call_nanos_per_launch);
    }
    let judged = judgements
        .iter()
        .filter(|one| matches!(one.stage, Some(CheckStage::Confirmed | CheckStage::Screened)));
    let to_u32 = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Some(ScreenOutcome {
        judged: to_u32(judged.count()),
        settled: count,
        launches_saved: to_u32(launches),
        calls_saved: Nanos::new(nanos).ok()?,
    })
}

/// Returns the mean time of all calls of a launch, in nanoseconds. Returns zero if samples are
/// batches or if there are no launches.
fn compute_call_nanos_per_launch(benchmark: &Benchmark) -> f64 {
    if benchmark.sampling == Sampling::Batch || benchmark.launches.is_empty() {
        return 0.0;
    }
    let digests = benchmark.launches.iter().map(Launch::digest);
    let total: f64 = digests.map(|digest| digest.count as f64 * digest.mean.get()).sum();
    total / benchmark.launches.len() as f64
}
