//! Simulates suites from scenarios, judges them with the real decision code and counts the answers,
//! on all processors.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rand::SeedableRng as _;
use rand_pcg::Pcg64;

use super::judge::{self, NoiseHistories};
use super::peers::{PeerInput, PeerRule};
use super::scenario::{RoundStream, Scenario};
use super::tally::{AnswerTally, BenchmarkAnswer, PeerCell, RateCell};
use crate::calibrate;
use crate::compare::PartnerMedians;
use crate::policy::Policy;
use crate::run::{Benchmark, BenchmarkId, Digest, LookHorizon, Run};
use crate::verdict::RoundsEvidence;

/// Number of rounds that the simple rules see.
const PEER_ROUNDS: usize = 20;

/// Number of rounds of unchanged code in a history.
const HISTORY_ROUNDS: usize = 20;

/// Number of suites that the simple rules judge. It is small because resampling is slow and their
/// error rates are large.
const PEER_SUITES: u64 = 200;

/// Settings of a simulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimulationPlan<'a> {
    /// Number of suites per cell.
    pub(crate) suites: u64,
    /// Seed of all random numbers.
    pub(crate) seed: u64,
    /// Slowdowns that are put into the candidate: 0.03 is 3 %.
    pub(crate) effects: &'a [f64],
    /// Policies and their names.
    pub(crate) policies: &'a [(String, Policy)],
    /// Number of benchmarks in a suite.
    pub(crate) suite_size: usize,
    /// Largest number of rounds of a benchmark. A scenario with a budget ends earlier.
    pub(crate) horizon: LookHorizon,
    /// Number of threads. The answers do not depend on it.
    pub(crate) threads: usize,
}

/// Returns the rates of one scenario, for the decision and for the simple rules.
///
/// Each thread takes the next suite number until all suites are done. The counts of the threads are
/// then merged. `progress` is called after every suite with the number of finished suites.
pub(crate) fn simulate_scenario(
    scenario: &Scenario,
    plan: &SimulationPlan<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> (Vec<RateCell>, Vec<PeerCell>) {
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let count_suites = || {
        let mut counts = ScenarioTallies::new(plan);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= plan.suites {
                return counts;
            }
            counts.add_suite(scenario, plan, number);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    // A suite is seeded by its number, so the result does not depend on the thread that makes it.
    let counts = thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.threads.max(1)).map(|_| scope.spawn(count_suites)).collect();
        let counts =
            workers.into_iter().map(|worker| worker.join().expect("a worker does not panic"));
        counts.reduce(ScenarioTallies::merge).expect("there is at least one worker")
    });
    counts.into_cells(scenario, plan)
}

/// What the decision knows beforehand; one entry per kind of cell.
const GIVEN_NAMES: [&str; 2] = ["without history", "with history"];

/// Counts for all cells of a scenario.
struct ScenarioTallies {
    /// Counts of the decision, in the order effect, policy, history.
    decision_tallies: Vec<AnswerTally>,
    /// Counts of the simple rules, in the order effect, rule.
    peer_tallies: Vec<AnswerTally>,
}

impl ScenarioTallies {
    fn new(plan: &SimulationPlan<'_>) -> Self {
        let cells = plan.effects.len() * plan.policies.len() * GIVEN_NAMES.len();
        let peers = plan.effects.len() * PeerRule::ALL.len();
        Self {
            decision_tallies: vec![AnswerTally::default(); cells],
            peer_tallies: vec![AnswerTally::default(); peers],
        }
    }

    fn add_suite(&mut self, scenario: &Scenario, plan: &SimulationPlan<'_>, number: u64) {
        let mut suite = SimulatedSuite::draw(scenario, plan, number);
        let histories = [NoiseHistories::new(), std::mem::take(&mut suite.noise)];
        let mut decided = self.decision_tallies.iter_mut();
        for effect in plan.effects {
            for (_, policy) in plan.policies {
                for noise in &histories {
                    let answers = suite.decide(*effect, plan.horizon, noise, policy);
                    decided.next().expect("a tally for each cell").add_suite(&answers);
                }
            }
        }
        if number < PEER_SUITES {
            let mut peers = self.peer_tallies.iter_mut();
            for effect in plan.effects {
                for peer in PeerRule::ALL {
                    let answers = suite.collect_peer_answers(peer, *effect, plan.seed ^ number);
                    peers.next().expect("a tally for each rule").add_suite(&answers);
                }
            }
        }
    }

    fn merge(mut self, other: Self) -> Self {
        for (tally, other) in self.decision_tallies.iter_mut().zip(other.decision_tallies) {
            tally.merge(&other);
        }
        for (tally, other) in self.peer_tallies.iter_mut().zip(other.peer_tallies) {
            tally.merge(&other);
        }
        self
    }

    fn into_cells(
        self,
        scenario: &Scenario,
        plan: &SimulationPlan<'_>,
    ) -> (Vec<RateCell>, Vec<PeerCell>) {
        // The tallies have no names of their own. Their order determines the cell of each.
        let mut decided = self.decision_tallies.into_iter();
        let mut peers = self.peer_tallies.into_iter();
        let (mut cells, mut peer_cells) = (Vec::new(), Vec::new());
        for effect in plan.effects.iter().copied() {
            for (policy, _) in plan.policies {
                cells.extend(GIVEN_NAMES.iter().zip(decided.by_ref()).map(|(given, tally)| {
                    RateCell {
                        data: scenario.name.to_owned(),
                        effect,
                        policy: policy.clone(),
                        given: (*given).to_owned(),
                        tally,
                    }
                }));
            }
            peer_cells.extend(PeerRule::ALL.iter().zip(peers.by_ref()).map(|(peer, tally)| {
                let (data, rule) = (scenario.name.to_owned(), peer.name().to_owned());
                PeerCell { data, effect, rule, tally }
            }));
        }
        (cells, peer_cells)
    }
}

/// One suite of unchanged code, with the noise that its history showed.
struct SimulatedSuite {
    scenario: Scenario,
    benchmarks: Vec<SimulatedBenchmark>,
    noise: NoiseHistories,
    peers: Vec<PeerData>,
}

/// The launches of one benchmark, drawn as far as they are needed.
struct SimulatedBenchmark {
    stream: RoundStream,
    baseline: Vec<Digest>,
    /// Digests of the candidate's launches, before the slowdown is put in.
    candidate: Vec<Digest>,
}

/// Data of one benchmark that the simple rules judge, as durations.
struct PeerData {
    baseline: Vec<f64>,
    candidate: Vec<f64>,
    baseline_launches: Vec<f64>,
    candidate_launches: Vec<f64>,
}

impl SimulatedBenchmark {
    /// Draws launches until there are `rounds` rounds.
    fn extend_to(&mut self, rounds: usize) {
        let missing = rounds.saturating_sub(self.baseline.len());
        let (baseline, candidate) = self.stream.draw_rounds(missing);
        self.baseline.extend(baseline.iter().map(|launch| judge::compute_digest(launch)));
        self.candidate.extend(candidate.iter().map(|launch| judge::compute_digest(launch)));
    }
}

impl SimulatedSuite {
    fn draw(scenario: &Scenario, plan: &SimulationPlan<'_>, number: u64) -> Self {
        // Each suite has its own random stream, so that threads can take the suites in any order.
        // Each benchmark has one of its own, so that launches that nobody looks at need not be drawn.
        let mut random = Pcg64::new(u128::from(plan.seed), u128::from(number));
        random = Pcg64::from_rng(&mut random);
        let (mut noise, mut peers, mut benchmarks) =
            (NoiseHistories::new(), Vec::new(), Vec::new());
        for index in 0..plan.suite_size {
            let id = BenchmarkId { name: build_id(index), package: None };
            let earlier = Pcg64::from_rng(&mut random);
            let (old, new) = RoundStream::new(scenario.with_history_noise(), earlier)
                .draw_rounds(HISTORY_ROUNDS);
            let noise_history = calibrate::estimate_noise(&PartnerMedians {
                baseline: compute_levels(&old),
                candidate: compute_levels(&new),
            });
            noise.extend(noise_history.map(|known| (id, known)));
            let stream = RoundStream::new(*scenario, Pcg64::from_rng(&mut random));
            if number < PEER_SUITES {
                let (baseline, candidate) = stream.clone().draw_rounds(PEER_ROUNDS);
                let machine_difference = scenario.draw_machine_difference(&mut random);
                peers.push(PeerData::new(&baseline, &candidate, machine_difference));
            }
            benchmarks.push(SimulatedBenchmark {
                stream,
                baseline: Vec::new(),
                candidate: Vec::new(),
            });
        }
        Self { scenario: *scenario, benchmarks, noise, peers }
    }

    /// Returns the answers of the decision if every benchmark is slower by `effect`.
    fn decide(
        &mut self,
        effect: f64,
        horizon: LookHorizon,
        noise: &NoiseHistories,
        policy: &Policy,
    ) -> Vec<BenchmarkAnswer> {
        // As in a check, only undecided benchmarks get more rounds. They get them in few stages: what
        // is measured after the look that decides does not change the answer.
        let last = self.scenario.budget.unwrap_or(horizon.rounds());
        let horizon = horizon.min(LookHorizon::choose(last));
        let mut round_counts: Vec<usize> = vec![0; self.benchmarks.len()];
        let mut is_open = vec![true; self.benchmarks.len()];
        let mut answers = Vec::new();
        let stages = LookHorizon::ALL.map(LookHorizon::rounds).into_iter();
        for stage in stages.filter(|rounds| *rounds < last).chain([last]) {
            let measured = self.benchmarks.iter_mut().zip(&mut round_counts).zip(&is_open);
            for ((benchmark, round_count), _) in measured.filter(|(_, is_open)| **is_open) {
                benchmark.extend_to(stage);
                *round_count = stage;
            }
            let [baseline, candidate] = self.build_sides(&round_counts, effect);
            let rounds = RoundsEvidence {
                horizon,
                has_ended: stage == last,
                ..judge::end_rounds(&baseline, &candidate)
            };
            answers = judge::decide_in_rounds(rounds, noise, policy);
            is_open = answers.iter().map(|answer| answer.is_undecided()).collect();
            if !is_open.contains(&true) {
                break;
            }
        }
        answers
    }

    /// Returns the runs of both sides, with `rounds` launches of each benchmark.
    fn build_sides(&self, rounds: &[usize], effect: f64) -> [Run; 2] {
        let build_side = |pick: &dyn Fn(&SimulatedBenchmark, usize) -> Vec<Digest>| {
            let benchmarks = self.benchmarks.iter().zip(rounds).enumerate();
            let benchmarks = benchmarks.map(|(index, (benchmark, rounds))| {
                let digests = pick(benchmark, *rounds);
                build_simulated_benchmark(build_id(index), &self.scenario, digests)
            });
            judge::build_run("simulated", benchmarks.collect())
        };
        let slow_down = |digest: &Digest| judge::slow_down(digest, 1.0 + effect);
        [
            build_side(&|benchmark, rounds| benchmark.baseline[..rounds].to_vec()),
            build_side(&|benchmark, rounds| {
                benchmark.candidate[..rounds].iter().map(slow_down).collect()
            }),
        ]
    }

    fn collect_peer_answers(&self, peer: PeerRule, effect: f64, seed: u64) -> Vec<BenchmarkAnswer> {
        let answers = self.peers.iter().enumerate().map(|(index, data)| {
            let input = PeerInput {
                baseline: &data.baseline,
                candidate: &scale_durations(&data.candidate, 1.0 + effect),
                baseline_launches: &data.baseline_launches,
                candidate_launches: &scale_durations(&data.candidate_launches, 1.0 + effect),
            };
            peer.judge(
                &input,
                seed.wrapping_mul(self.peers.len() as u64).wrapping_add(index as u64),
            )
        });
        answers.collect()
    }
}

impl PeerData {
    /// Converts logarithms to durations.
    ///
    /// `machine_difference` is how much slower the machine was on which the baseline of the simple
    /// rules was stored, on the log scale.
    fn new(baseline: &[Vec<f64>], candidate: &[Vec<f64>], machine_difference: f64) -> Self {
        Self {
            baseline: to_durations(&baseline[0], machine_difference),
            candidate: to_durations(&candidate[0], 0.0),
            baseline_launches: to_durations(&compute_levels(baseline), 0.0),
            candidate_launches: to_durations(&compute_levels(candidate), 0.0),
        }
    }
}

fn build_id(index: usize) -> String {
    format!("simulated/{index}")
}

fn build_simulated_benchmark(
    id: String,
    scenario: &Scenario,
    digests: impl IntoIterator<Item = Digest>,
) -> Benchmark {
    judge::build_benchmark(id, scenario.sampling, Some("simulated"), digests)
}

/// Returns `durations` multiplied by `factor`.
fn scale_durations(durations: &[f64], factor: f64) -> Vec<f64> {
    durations.iter().map(|ns| ns * factor).collect()
}

/// Returns the durations in nanoseconds whose logarithms are `logarithms` plus `shift`.
fn to_durations(logarithms: &[f64], shift: f64) -> Vec<f64> {
    logarithms.iter().map(|ln| (ln + shift).exp()).collect()
}

/// Returns the median of each launch, as a logarithm.
fn compute_levels(launches: &[Vec<f64>]) -> Vec<f64> {
    launches.iter().map(|launch| judge::compute_digest(launch).ln_median()).collect()
}
