//! What a user recorded: launches of the same code, or pairs of runs with the truth known.

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::ReplayPlan;
use crate::calibrate;
use crate::compare::PartnerMedians;
use crate::evaluate::judge::{self, NoiseHistories};
use crate::evaluate::tally::{AnswerTally, RateCell};
use crate::policy::Policy;
use crate::run::{Benchmark, BenchmarkId, Digest, Launch, Run};
use crate::verdict::{BaselineEvidence, Change};

/// Rounds until the last look.
const LAST_LOOK_ROUNDS: usize = 20;

/// Rounds from which a benchmark can be replayed: what the first look needs.
const LEAST_REPLAYED_ROUNDS: usize = 5;

/// What is known to be true of a labelled pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpectedChange {
    /// The candidate is as fast.
    Unchanged,
    /// The candidate is slower.
    Regressed,
    /// The candidate is faster.
    Improved,
}

/// What was said of a labelled pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct LabelledCounts {
    /// Benchmarks of which the truth was said.
    pub(crate) right: u64,
    /// Of which something else was said.
    pub(crate) wrong: u64,
    /// Of which nothing could be told.
    pub(crate) inconclusive: u64,
}

/// The rates on launches of one code: neighbours in time become partners, which of them is the
/// candidate is drawn, and slowdowns are put in by multiplication.
///
/// Each deal is a stretch of consecutive rounds that begins at random. Where there are enough rounds, the
/// first ones are the history and the deals come from the rest. Empty when no benchmark has enough launches.
pub(crate) fn evaluate_unchanged_launches(run: &Run, replay: &ReplayPlan<'_>) -> Vec<RateCell> {
    let recordings: Vec<LaunchRecording<'_>> =
        run.benchmarks.iter().filter_map(LaunchRecording::from_benchmark).collect();
    if recordings.is_empty() {
        return Vec::new();
    }
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
        tally.add_suite(&judge::decide_in_rounds(&baseline, &candidate, noise, policy));
    }
    tally
}

/// The launches of one benchmark in the order of time, two a round.
struct LaunchRecording<'a> {
    benchmark: &'a Benchmark,
    launches: Vec<Digest>,
}

impl<'a> LaunchRecording<'a> {
    fn from_benchmark(benchmark: &'a Benchmark) -> Option<Self> {
        let mut launches: Vec<&Launch> = benchmark.launches.iter().collect();
        launches.sort_by_key(|launch| (&launch.session, launch.round, launch.order));
        let launches: Vec<Digest> = launches.into_iter().map(Launch::digest).collect();
        (launches.len() >= 2 * LEAST_REPLAYED_ROUNDS).then_some(Self { benchmark, launches })
    }

    fn round_count(&self) -> usize {
        self.launches.len() / 2
    }

    /// Rounds at the beginning that are kept for the history: none where too few would be left.
    fn history_rounds(&self) -> usize {
        if self.round_count() >= 2 * LAST_LOOK_ROUNDS { LAST_LOOK_ROUNDS } else { 0 }
    }

    fn learn_history(&self) -> Option<(BenchmarkId, crate::verdict::NoiseHistory)> {
        let ln_median_at = |place: usize| self.launches[place].ln_median();
        let partners = PartnerMedians {
            baseline: (0..self.history_rounds()).map(|round| ln_median_at(2 * round)).collect(),
            candidate: (0..self.history_rounds())
                .map(|round| ln_median_at(2 * round + 1))
                .collect(),
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

/// What the decision says of a pair of runs with the truth known, by policy.
pub(crate) fn evaluate_labelled(
    baseline: &Run,
    candidate: &Run,
    expected: ExpectedChange,
    policies: &[(String, Policy)],
) -> BTreeMap<String, LabelledCounts> {
    let count_answers = |policy: &Policy| {
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
        counts
    };
    policies.iter().map(|(name, policy)| (name.clone(), count_answers(policy))).collect()
}
