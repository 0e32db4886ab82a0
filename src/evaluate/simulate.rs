//! Scenarios through the decision: suites are drawn, judged and counted, on all processors.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rand::SeedableRng as _;
use rand_pcg::Pcg64;

use super::judge::{self, Known};
use super::peers::{Peer, Seen};
use super::scenario::Scenario;
use super::tally::{Answer, Cell, PeerCell, Tally};
use crate::calibrate;
use crate::compare::Partners;
use crate::policy::Policy;
use crate::run::{Benchmark, BenchmarkId, Digest, Run};

/// Benchmarks of a suite.
const SUITE: usize = 50;

/// Rounds until the last look.
const ROUNDS: usize = 20;

/// Rounds of unchanged code that a history holds.
const HISTORY: usize = 20;

/// Suites that the simple rules are shown: resampling is dear, and their rates are large.
const PEER_SUITES: u64 = 200;

/// How much is simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent<'a> {
    /// Suites a cell.
    pub(crate) suites: u64,
    /// Seed of everything.
    pub(crate) seed: u64,
    /// Slowdowns put into the candidate.
    pub(crate) effects: &'a [f64],
    /// Policies with their names.
    pub(crate) policies: &'a [(String, Policy)],
    /// Threads; the answers do not depend on them.
    pub(crate) threads: usize,
}

/// The rates of one scenario, and those of the simple rules; `progress` is told of every suite.
pub(crate) fn simulate(
    scenario: &Scenario,
    extent: &Extent<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> (Vec<Cell>, Vec<PeerCell>) {
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        let mut counts = Counts::new(extent);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= extent.suites {
                return counts;
            }
            counts.add(scenario, extent, number);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    let counts = thread::scope(|scope| {
        let workers: Vec<_> = (0..extent.threads.max(1)).map(|_| scope.spawn(work)).collect();
        let counts =
            workers.into_iter().map(|worker| worker.join().expect("a worker does not panic"));
        counts.reduce(Counts::merge).expect("there is at least one worker")
    });
    counts.into_cells(scenario, extent)
}

/// What is known beforehand, by column.
const GIVEN: [&str; 2] = ["without history", "with history"];

/// Counts of all cells of a scenario.
struct Counts {
    /// By effect, policy and history.
    decided: Vec<Tally>,
    /// By effect and rule.
    peers: Vec<Tally>,
}

impl Counts {
    fn new(extent: &Extent<'_>) -> Self {
        let cells = extent.effects.len() * extent.policies.len() * GIVEN.len();
        let peers = extent.effects.len() * Peer::ALL.len();
        Self { decided: vec![Tally::default(); cells], peers: vec![Tally::default(); peers] }
    }

    fn add(&mut self, scenario: &Scenario, extent: &Extent<'_>, number: u64) {
        let suite = Suite::draw(scenario, extent.seed, number);
        let mut decided = self.decided.iter_mut();
        for effect in extent.effects {
            let candidate = suite.candidate(*effect);
            for (_, policy) in extent.policies {
                for noise in [&Known::new(), &suite.noise] {
                    let answers = judge::in_rounds(&suite.baseline, &candidate, noise, policy);
                    decided.next().expect("a tally for each cell").add(&answers);
                }
            }
        }
        if number < PEER_SUITES {
            let mut peers = self.peers.iter_mut();
            for effect in extent.effects {
                for peer in Peer::ALL {
                    let answers = suite.answers(peer, *effect, extent.seed ^ number);
                    peers.next().expect("a tally for each rule").add(&answers);
                }
            }
        }
    }

    fn merge(mut self, other: Self) -> Self {
        let both = |one: &mut Vec<Tally>, other: Vec<Tally>| {
            one.iter_mut().zip(&other).for_each(|(one, other)| one.merge(other));
        };
        both(&mut self.decided, other.decided);
        both(&mut self.peers, other.peers);
        self
    }

    fn into_cells(self, scenario: &Scenario, extent: &Extent<'_>) -> (Vec<Cell>, Vec<PeerCell>) {
        let mut decided = self.decided.into_iter();
        let mut peers = self.peers.into_iter();
        let (mut cells, mut peer_cells) = (Vec::new(), Vec::new());
        let data = || scenario.name.to_owned();
        for effect in extent.effects.iter().copied() {
            for (policy, _) in extent.policies {
                cells.extend(GIVEN.iter().zip(decided.by_ref()).map(|(given, tally)| Cell {
                    data: data(),
                    effect,
                    policy: policy.clone(),
                    given: (*given).to_owned(),
                    tally,
                }));
            }
            peer_cells.extend(Peer::ALL.iter().zip(peers.by_ref()).map(|(peer, tally)| PeerCell {
                data: data(),
                effect,
                rule: peer.name().to_owned(),
                tally,
            }));
        }
        (cells, peer_cells)
    }
}

/// One suite of unchanged code, with what its history told.
struct Suite {
    scenario: Scenario,
    baseline: Run,
    /// Of the candidate, before it is slowed down.
    candidate: Vec<Vec<Digest>>,
    noise: Known,
    peers: Vec<PeerData>,
}

/// What the simple rules are shown of one benchmark, as durations.
struct PeerData {
    baseline: Vec<f64>,
    candidate: Vec<f64>,
    baseline_launches: Vec<f64>,
    candidate_launches: Vec<f64>,
}

impl Suite {
    fn draw(scenario: &Scenario, seed: u64, number: u64) -> Self {
        // A stream of its own for each suite: threads can take them in any order.
        let mut random = Pcg64::new(u128::from(seed), u128::from(number));
        random = Pcg64::from_rng(&mut random);
        let rounds = scenario.budget.unwrap_or(ROUNDS);
        let (mut noise, mut peers) = (Known::new(), Vec::new());
        let (mut baseline, mut candidate) = (Vec::new(), Vec::new());
        for index in 0..SUITE {
            let id = id(index);
            let history = scenario.before().rounds(HISTORY, &mut random);
            let known = calibrate::noise(&Partners {
                baseline: levels(&history.0),
                candidate: levels(&history.1),
            });
            noise.extend(known.map(|known| (BenchmarkId { id: id.clone(), package: None }, known)));
            let sides = scenario.rounds(rounds, &mut random);
            let digests: Vec<Digest> = sides.0.iter().map(|launch| judge::digest(launch)).collect();
            candidate.push(sides.1.iter().map(|launch| judge::digest(launch)).collect());
            baseline.push(simulated(id, scenario, digests));
            if number < PEER_SUITES {
                let elsewhere = scenario.between_machines(&mut random);
                peers.push(PeerData::new(&sides.0, &sides.1, elsewhere));
            }
        }
        Self {
            scenario: *scenario,
            baseline: judge::run("simulated", baseline),
            candidate,
            noise,
            peers,
        }
    }

    /// The candidate's run with this slowdown in every benchmark.
    fn candidate(&self, effect: f64) -> Run {
        let benchmarks = self.candidate.iter().enumerate().map(|(index, launches)| {
            let slowed = launches.iter().map(|digest| judge::slower(digest, 1.0 + effect));
            simulated(id(index), &self.scenario, slowed)
        });
        judge::run("simulated", benchmarks.collect())
    }

    fn answers(&self, peer: Peer, effect: f64, seed: u64) -> Vec<Answer> {
        let slowed = |side: &[f64]| side.iter().map(|ns| ns * (1.0 + effect)).collect::<Vec<f64>>();
        let answer = |(index, data): (usize, &PeerData)| {
            let seen = Seen {
                baseline: &data.baseline,
                candidate: &slowed(&data.candidate),
                baseline_launches: &data.baseline_launches,
                candidate_launches: &slowed(&data.candidate_launches),
            };
            peer.answer(&seen, seed.wrapping_mul(SUITE as u64).wrapping_add(index as u64))
        };
        self.peers.iter().enumerate().map(answer).collect()
    }
}

impl PeerData {
    /// `elsewhere` is how much slower the machine was on which the baseline of the simple rules was stored.
    fn new(baseline: &[Vec<f64>], candidate: &[Vec<f64>], elsewhere: f64) -> Self {
        let durations = |logarithms: &[f64], shift: f64| {
            logarithms.iter().map(|ln| (ln + shift).exp()).collect::<Vec<f64>>()
        };
        Self {
            baseline: durations(&baseline[0], elsewhere),
            candidate: durations(&candidate[0], 0.0),
            baseline_launches: durations(&levels(baseline), 0.0),
            candidate_launches: durations(&levels(candidate), 0.0),
        }
    }
}

fn id(index: usize) -> String {
    format!("simulated/{index}")
}

fn simulated(
    id: String,
    scenario: &Scenario,
    digests: impl IntoIterator<Item = Digest>,
) -> Benchmark {
    judge::benchmark(id, scenario.sampling, Some("simulated"), digests)
}

/// The median of each launch, as a logarithm.
fn levels(launches: &[Vec<f64>]) -> Vec<f64> {
    launches.iter().map(|launch| judge::digest(launch).ln_median()).collect()
}
