//! Evaluates recordings of a user: launches of the same code, or pairs of runs whose truth is
//! known.

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::ReplayPlan;
use crate::calibrate;
use crate::compare::PartnerMedians;
use crate::decision::Change;
use crate::evaluate::judge::{self, NoiseHistories};
use crate::evaluate::tally::{AnswerTally, RateCell};
use crate::policy::Policy;
use crate::run::{Benchmark, BenchmarkId, Digest, Launch, Run};
use crate::verdict::BaselineEvidence;

/// Number of rounds at the last look.
const LAST_LOOK_ROUNDS: usize = 20;

/// Smallest number of rounds with which a benchmark can be replayed: the first look needs them.
const MIN_REPLAYED_ROUNDS: usize = 5;

/// Known change of a labelled pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpectedChange {
    /// The candidate is as fast as the baseline.
    Unchanged,
    /// The candidate is slower than the baseline.
    Regressed,
    /// The candidate is faster than the baseline.
    Improved,
}

/// Answers on a labelled pair, counted by whether they match the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct LabelledCounts {
    /// Number of benchmarks whose answer is the known change.
    pub(crate) right: u64,
    /// Number of benchmarks with a definite but different answer.
    pub(crate) wrong: u64,
    /// Number of benchmarks without a definite answer.
    pub(crate) inconclusive: u64,
}

/// Returns the rates on launches of one code.
///
/// Launches that follow each other in time become partners. Which of them is the candidate is
/// random, and slowdowns are multiplied in.
///
/// Each deal is a stretch of consecutive rounds with a random start. If there are enough rounds,
/// the first ones are the history and the deals come from the rest. Returns an empty list if no
/// benchmark has enough launches.
pub(crate) fn evaluate_unchanged_launches(run: &Run, replay: &ReplayPlan<'_>) -> Vec<RateCell> {
    let recordings: Vec<LaunchRecording<'_>> =
        run.benchmarks.iter().filter_map(LaunchRecording::from_benchmark).collect();
    if recordings.is_empty() {
        return Vec::new();
    }
    // Learn the history first; without it there are only cells without history.
    let noise: NoiseHistories =
        recordings.iter().filter_map(LaunchRecording::learn_history).collect();
    let empty = NoiseHistories::new();
    let mut given = vec![("in rounds, without history", &empty)];
    if !noise.is_empty() {
        given.push(("in rounds, with history", &noise));
    }
    let mut cells = Vec::new();
    for effect in replay.effects.iter().copied() {
        for (name, policy) in replay.policies {
            for (given, noise) in &given {
                cells.push(RateCell {
                    data: "launches of one code".to_owned(),
                    effect,
                    policy: name.clone(),
                    given: (*given).to_owned(),
                    tally: replay_deals(&recordings, noise, effect, policy, replay),
                });
            }
        }
    }
    cells
}

fn replay_deals(
    recordings: &[LaunchRecording<'_>],
    noise: &NoiseHistories,
    effect: f64,
    policy: &Policy,
    replay: &ReplayPlan<'_>,
) -> AnswerTally {
    let mut tally = AnswerTally::default();
    for deal in 0..replay.deals {
        let mut random = Pcg64::seed_from_u64(replay.seed.wrapping_add(deal));
        let (mut baseline, mut candidate) = (Vec::new(), Vec::new());
        for recording in recordings {
            let (baseline_benchmark, candidate_benchmark) = recording.deal(effect, &mut random);
            baseline.push(baseline_benchmark);
            candidate.push(candidate_benchmark);
        }
        let [baseline, candidate] =
            [baseline, candidate].map(|side| judge::build_run("one machine", side));
        tally.add_suite(&judge::decide_in_rounds(
            judge::end_rounds(&baseline, &candidate),
            noise,
            policy,
        ));
    }
    tally
}

/// Launches of one benchmark in the order of time, two per round.
struct LaunchRecording<'a> {
    benchmark: &'a Benchmark,
    launches: Vec<Digest>,
}

impl<'a> LaunchRecording<'a> {
    fn from_benchmark(benchmark: &'a Benchmark) -> Option<Self> {
        let mut launches: Vec<&Launch> = benchmark.launches.iter().collect();
        launches.sort_by_key(|launch| (&launch.session, launch.round, launch.order));
        let launches: Vec<Digest> = launches.into_iter().map(Launch::digest).collect();
        (launches.len() >= 2 * MIN_REPLAYED_ROUNDS).then_some(Self { benchmark, launches })
    }

    fn round_count(&self) -> usize {
        self.launches.len() / 2
    }

    /// Returns the number of rounds at the beginning that are reserved for the history. It is zero
    /// if too few rounds would remain for the deals.
    fn history_rounds(&self) -> usize {
        if self.round_count() >= 2 * LAST_LOOK_ROUNDS { LAST_LOOK_ROUNDS } else { 0 }
    }

    fn learn_history(&self) -> Option<(BenchmarkId, crate::verdict::NoiseHistory)> {
        let history = self.launches[..2 * self.history_rounds()].iter();
        let lns = history.map(Digest::ln_median);
        let partners = PartnerMedians {
            baseline: lns.clone().step_by(2).collect(),
            candidate: lns.skip(1).step_by(2).collect(),
        };
        Some((self.benchmark.to_id(), calibrate::estimate_noise(&partners)?))
    }

    fn deal(&self, effect: f64, random: &mut Pcg64) -> (Benchmark, Benchmark) {
        let length = (self.round_count() - self.history_rounds()).min(LAST_LOOK_ROUNDS);
        let start = random.random_range(self.history_rounds()..=self.round_count() - length);
        let (mut baseline, mut candidate) = (Vec::new(), Vec::new());
        for round in start..start + length {
            let first = usize::from(random.random_bool(0.5));
            baseline.push(self.launches[2 * round + first]);
            candidate.push(judge::slow_down(&self.launches[2 * round + 1 - first], 1.0 + effect));
        }
        (self.build_side(baseline), self.build_side(candidate))
    }

    fn build_side(&self, digests: Vec<Digest>) -> Benchmark {
        let Benchmark { id, package, sampling, .. } = self.benchmark;
        let mut side = judge::build_benchmark(id.clone(), *sampling, Some("dealt"), digests);
        side.package.clone_from(package);
        side
    }
}

/// Compares the decision on a pair of runs with the known truth and returns the counts by policy.
pub(crate) fn evaluate_labelled(
    baseline: &Run,
    candidate: &Run,
    expected: ExpectedChange,
    policies: &[(String, Policy)],
) -> BTreeMap<String, LabelledCounts> {
    let counted = policies.iter().map(|(name, policy)| {
        let mut counts = LabelledCounts::default();
        for answer in
            judge::decide_without_rounds(BaselineEvidence::File(baseline), candidate, policy)
        {
            match (answer.change, expected) {
                (Change::Unchanged, ExpectedChange::Unchanged)
                | (Change::Regressed, ExpectedChange::Regressed)
                | (Change::Improved, ExpectedChange::Improved) => counts.right += 1,
                (Change::Unchanged | Change::Regressed | Change::Improved, _) => counts.wrong += 1,
                _ => counts.inconclusive += 1,
            }
        }
        (name.clone(), counts)
    });
    counted.collect()
}
