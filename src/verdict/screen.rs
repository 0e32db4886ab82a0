//! What a screen settled, and what that saved.

use serde::{Deserialize, Serialize};

use super::decide::{Baseline, Evidence};
use super::{Change, Judgement, Stage, next_look};
use crate::run::{Benchmark, Digest, Launch, Sampling};
use crate::stats::random_effects::LEAST_RUNS;
use crate::units::Nanos;

/// What a screen settled; what is saved is at least this, for rounds end at their first look only at best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Screen {
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
pub(super) fn screen(evidence: &Evidence<'_>, judgements: &[Judgement]) -> Option<Screen> {
    let Baseline::Screen(runs) = evidence.baseline else { return None };
    if runs.len() < LEAST_RUNS {
        return None;
    }
    let in_rounds = |one: &Judgement| one.stage == Some(Stage::Confirmed);
    let screened = |one: &Judgement| one.stage == Some(Stage::Screened);
    let settled = judgements.iter().filter(|one| screened(one) && one.change == Change::Unchanged);
    let (mut count, mut launches, mut nanos) = (0, 0, 0.0);
    for judgement in settled {
        let id = judgement.identity();
        let first = next_look(evidence.noise.get(&id), 0).unwrap_or_default() * 2;
        let measured = evidence.candidate.benchmarks.iter().find(|one| one.identity() == id);
        count += 1;
        launches += first;
        nanos += first as f64 * measured.map_or(0.0, calls_of_a_launch);
    }
    let judged = judgements.iter().filter(|one| in_rounds(one) || screened(one)).count();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Some(Screen {
        judged: number(judged),
        settled: count,
        launches_saved: number(launches),
        calls_saved: Nanos::new(nanos).ok()?,
    })
}

/// Nanoseconds of calls in a launch, on average; zero where samples are batches.
fn calls_of_a_launch(benchmark: &Benchmark) -> f64 {
    if benchmark.sampling == Sampling::Batch || benchmark.launches.is_empty() {
        return 0.0;
    }
    let of_launch = |digest: Digest| digest.count as f64 * digest.mean.get();
    let all: f64 = benchmark.launches.iter().map(Launch::digest).map(of_launch).sum();
    all / benchmark.launches.len() as f64
}
