//! What a screen settled, and what that saved.

use serde::{Deserialize, Serialize};

use super::decide::{BaselineEvidence, Evidence};
use super::{Change, CheckStage, Judgement, find_next_look};
use crate::run::{Benchmark, Digest, Launch, Sampling};
use crate::stats::random_effects::MIN_BASELINE_RUNS;
use crate::units::Nanos;

/// What a screen settled; what is saved is at least this, for rounds end at their first look only at best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScreenOutcome {
    /// Benchmarks that it judged.
    pub(crate) judged: u32,
    /// Benchmarks that needed no rounds after it.
    pub(crate) settled: u32,
    /// Launches of both sides that these would have taken until their first look.
    pub(crate) launches_saved: u32,
    /// Time that the calls in these launches would have taken; batches are not counted.
    pub(crate) calls_saved: Nanos,
}

/// What the screen in `evidence` settled; none where there was no screen.
pub(super) fn summarize_screen(
    evidence: &Evidence<'_>,
    judgements: &[Judgement],
) -> Option<ScreenOutcome> {
    let BaselineEvidence::Screen(runs) = evidence.baseline else { return None };
    if runs.len() < MIN_BASELINE_RUNS {
        return None;
    }
    let is_confirmed = |one: &Judgement| one.stage == Some(CheckStage::Confirmed);
    let is_screened = |one: &Judgement| one.stage == Some(CheckStage::Screened);
    let settled =
        judgements.iter().filter(|one| is_screened(one) && one.change == Change::Unchanged);
    let (mut count, mut launches, mut nanos) = (0, 0, 0.0);
    for judgement in settled {
        let id = judgement.to_id();
        let launches_to_first_look =
            find_next_look(evidence.noise.get(&id), 0).unwrap_or_default() * 2;
        let benchmark = evidence.candidate.benchmarks.iter().find(|one| one.to_id() == id);
        count += 1;
        launches += launches_to_first_look;
        nanos +=
            launches_to_first_look as f64 * benchmark.map_or(0.0, compute_call_nanos_per_launch);
    }
    let judged = judgements.iter().filter(|one| is_confirmed(one) || is_screened(one)).count();
    let to_u32 = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Some(ScreenOutcome {
        judged: to_u32(judged),
        settled: count,
        launches_saved: to_u32(launches),
        calls_saved: Nanos::new(nanos).ok()?,
    })
}

/// Nanoseconds of calls in a launch, on average; zero where samples are batches.
fn compute_call_nanos_per_launch(benchmark: &Benchmark) -> f64 {
    if benchmark.sampling == Sampling::Batch || benchmark.launches.is_empty() {
        return 0.0;
    }
    let sum_calls = |digest: Digest| digest.count as f64 * digest.mean.get();
    let total: f64 = benchmark.launches.iter().map(Launch::digest).map(sum_calls).sum();
    total / benchmark.launches.len() as f64
}
