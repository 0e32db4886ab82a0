//! What a user recorded: launches of the same code, or pairs of runs with the truth known.

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::Replay;
use crate::calibrate;
use crate::compare::Partners;
use crate::evaluate::judge::{self, Known};
use crate::evaluate::tally::{Cell, Tally};
use crate::policy::Policy;
use crate::run::{Benchmark, BenchmarkId, Digest, Launch, Run};
use crate::verdict::{Baseline, Change};

/// Rounds until the last look.
const ROUNDS: usize = 20;

/// Rounds from which a benchmark can be replayed: what the first look needs.
const LEAST_ROUNDS: usize = 5;

/// What is known to be true of a labelled pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The candidate is as fast.
    Unchanged,
    /// The candidate is slower.
    Regressed,
    /// The candidate is faster.
    Improved,
}

/// What was said of a labelled pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Labelled {
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
pub(crate) fn launches_of_one_code(run: &Run, replay: &Replay<'_>) -> Vec<Cell> {
    let recordings: Vec<Recording<'_>> = run.benchmarks.iter().filter_map(Recording::of).collect();
    if recordings.is_empty() {
        return Vec::new();
    }
    let noise: Known = recordings.iter().filter_map(Recording::history).collect();
    let empty = Known::new();
    let mut given = vec![("in rounds, without history", &empty)];
    if !noise.is_empty() {
        given.push(("in rounds, with history", &noise));
    }
    let mut cells = Vec::new();
    for effect in replay.effects.iter().copied() {
        for (name, policy) in replay.policies {
            for (given, noise) in &given {
                cells.push(Cell {
                    data: "launches of one code".to_owned(),
                    effect,
                    policy: name.clone(),
                    given: (*given).to_owned(),
                    tally: deals(&recordings, noise, effect, policy, replay),
                });
            }
        }
    }
    cells
}

fn deals(
    recordings: &[Recording<'_>],
    noise: &Known,
    effect: f64,
    policy: &Policy,
    replay: &Replay<'_>,
) -> Tally {
    let mut tally = Tally::default();
    for deal in 0..replay.deals {
        let mut random = Pcg64::seed_from_u64(replay.seed.wrapping_add(deal));
        let (mut baseline, mut candidate) = (Vec::new(), Vec::new());
        for recording in recordings {
            let (one, other) = recording.deal(effect, &mut random);
            baseline.push(one);
            candidate.push(other);
        }
        let [baseline, candidate] =
            [baseline, candidate].map(|side| judge::run("one machine", side));
        tally.add(&judge::in_rounds(&baseline, &candidate, noise, policy));
    }
    tally
}

/// The launches of one benchmark in the order of time, two a round.
struct Recording<'a> {
    benchmark: &'a Benchmark,
    launches: Vec<Digest>,
}

impl<'a> Recording<'a> {
    fn of(benchmark: &'a Benchmark) -> Option<Self> {
        let mut launches: Vec<&Launch> = benchmark.launches.iter().collect();
        launches.sort_by_key(|launch| (&launch.session, launch.round, launch.order));
        let launches: Vec<Digest> = launches.into_iter().map(Launch::digest).collect();
        (launches.len() >= 2 * LEAST_ROUNDS).then_some(Self { benchmark, launches })
    }

    fn rounds(&self) -> usize {
        self.launches.len() / 2
    }

    /// Rounds at the beginning that are kept for the history: none where too few would be left.
    fn kept(&self) -> usize {
        if self.rounds() >= 2 * ROUNDS { ROUNDS } else { 0 }
    }

    fn history(&self) -> Option<(BenchmarkId, crate::verdict::Noise)> {
        let level = |place: usize| self.launches[place].ln_median();
        let partners = Partners {
            baseline: (0..self.kept()).map(|round| level(2 * round)).collect(),
            candidate: (0..self.kept()).map(|round| level(2 * round + 1)).collect(),
        };
        Some((self.benchmark.identity(), calibrate::noise(&partners)?))
    }

    fn deal(&self, effect: f64, random: &mut Pcg64) -> (Benchmark, Benchmark) {
        let length = (self.rounds() - self.kept()).min(ROUNDS);
        let start = random.random_range(self.kept()..=self.rounds() - length);
        let (mut baseline, mut candidate) = (Vec::new(), Vec::new());
        for round in start..start + length {
            let first = usize::from(random.random_bool(0.5));
            baseline.push(self.launches[2 * round + first]);
            candidate.push(judge::slower(&self.launches[2 * round + 1 - first], 1.0 + effect));
        }
        (self.side(baseline), self.side(candidate))
    }

    fn side(&self, digests: Vec<Digest>) -> Benchmark {
        let Benchmark { id, package, sampling, .. } = self.benchmark;
        let mut side = judge::benchmark(id.clone(), *sampling, Some("dealt"), digests);
        side.package.clone_from(package);
        side
    }
}

/// What the decision says of a pair of runs with the truth known, by policy.
pub(crate) fn labelled(
    baseline: &Run,
    candidate: &Run,
    expected: Expected,
    policies: &[(String, Policy)],
) -> BTreeMap<String, Labelled> {
    let count = |policy: &Policy| {
        let mut counts = Labelled::default();
        for answer in judge::as_it_is(Baseline::File(baseline), candidate, policy) {
            match (answer.change, expected) {
                (Change::Unchanged, Expected::Unchanged)
                | (Change::Regressed, Expected::Regressed)
                | (Change::Improved, Expected::Improved) => counts.right += 1,
                (Change::Unchanged | Change::Regressed | Change::Improved, _) => counts.wrong += 1,
                _ => counts.inconclusive += 1,
            }
        }
        counts
    };
    policies.iter().map(|(name, policy)| (name.clone(), count(policy))).collect()
}
