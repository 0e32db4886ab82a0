//! The posterior over histories: in which gaps between measured commits the level of the benchmark
//! changes, given the rounds of each commit beside the good one.
//!
//! A history is a piecewise constant level of log ratios over positions. Position 0 is the good
//! commit. The posterior is computed exactly on a grid of levels, by the forward–backward recursion
//! of a change-point model (Barry & Hartigan 1992, *Product partition models for change point
//! problems*). The noise of a round is Student's t with a scale that is integrated out, so a burst
//! moves nothing far.

use super::grid::{LEAST_CHANGE, LevelGrid, multiply_weights};

/// Typical size of a change, as a log ratio. Its prior has the tails of a t distribution with two
/// degrees of freedom, because some changes double the time.
const CHANGE_SCALE: f64 = 0.08;
/// Degrees of freedom of the prior of a level after a change.
const CHANGE_DEGREES: f64 = 2.0;
/// Prior probabilities of 0, 1, 2, … changes between the good and the bad commit. Somebody has seen a
/// change, and most often it is one.
const CHANGE_COUNTS: [f64; 5] = [0.25, 0.5, 0.15, 0.07, 0.03];
/// Scales of the noise of a round on the log scale that are considered, from a machine at rest to
/// one that is hardly usable.
const NOISE_SCALES: [f64; 13] =
    [0.0005, 0.001, 0.0017, 0.003, 0.005, 0.008, 0.013, 0.02, 0.032, 0.05, 0.08, 0.13, 0.25];
/// Median of the prior of the noise of a round, as a log ratio.
const TYPICAL_NOISE: f64 = 0.012;
/// Standard deviation of the logarithm of the noise in its prior: a factor of three.
const NOISE_SPREAD: f64 = 1.1;
/// Part of a change's distribution that its interval leaves out on each side.
const INTERVAL_TAIL: f64 = 0.025;

/// What was measured at one position of the history.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PositionRounds {
    /// Number of places at which a change between the measured position before and this one can be.
    pub(super) candidates: usize,
    /// Logarithms of the commit's median ÷ the good commit's median, one per round. Empty if its
    /// program is that of the good commit.
    pub(super) differences: Vec<f64>,
}

/// Size of a change as a log ratio, with its central interval of 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LevelChange {
    /// Median of the posterior.
    pub(crate) point: f64,
    /// Lower end of the interval.
    pub(crate) low: f64,
    /// Upper end of the interval.
    pub(crate) high: f64,
}

/// The posterior of a history.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HistoryPosterior {
    /// For each measured position, in ascending order: the probability that the level changes between
    /// the measured position before and this one.
    pub(super) changes: Vec<f64>,
    /// Probability that no level changes.
    pub(super) unchanged: f64,
}

/// The prior weights and the recursions for one set of measured positions.
pub(super) struct HistoryModel<'a> {
    rounds: &'a [PositionRounds],
    grid: LevelGrid,
    /// Prior weight of one history with the given number of changes, by that number.
    weights: Vec<f64>,
    /// Per scale of the noise: its recursions and its posterior share.
    passes: Vec<(f64, NoisePass)>,
}

/// The recursions for one scale of the noise. Rows are numbers of changes, columns levels. Each is
/// scaled, so that nothing underflows.
struct NoisePass {
    /// Logarithm of the likelihood of everything.
    log_likelihood: f64,
    /// Share of histories without a change.
    unchanged: f64,
    /// Before each measured position: weights of the histories up to the position before.
    forward: Vec<Vec<Vec<f64>>>,
    /// At each measured position: weights of what follows, with its own likelihood.
    backward: Vec<Vec<Vec<f64>>>,
    /// For each measured position: probability of a change before it.
    changes: Vec<f64>,
}

impl<'a> HistoryModel<'a> {
    /// Computes the recursions for `rounds`, in ascending order of position.
    pub(super) fn new(rounds: &'a [PositionRounds]) -> Self {
        // Plan: place the grid where the data are, and weigh histories so that every number of
        // changes has its prior and all places are alike. Then run the recursions for each scale of
        // the noise, and weigh these by their likelihood.
        let grid = LevelGrid::new(rounds.iter().map(|rounds| rounds.differences.as_slice()));
        let places = rounds.iter().map(|rounds| rounds.candidates).sum();
        let weights = weigh_counts(places);
        let prior = grid.weigh_levels(CHANGE_SCALE, CHANGE_DEGREES);
        let passes: Vec<NoisePass> = NOISE_SCALES
            .iter()
            .map(|noise| NoisePass::run(rounds, &grid, &prior, &weights, *noise))
            .collect();
        let log_weight = |noise: f64, pass: &NoisePass| {
            let distance = (noise / TYPICAL_NOISE).ln() / NOISE_SPREAD;
            pass.log_likelihood - 0.5 * distance * distance
        };
        let logs: Vec<f64> = NOISE_SCALES
            .iter()
            .zip(&passes)
            .map(|(noise, pass)| log_weight(*noise, pass))
            .collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logs.iter().map(|log| (log - largest).exp()).sum();
        let shares = logs.iter().map(|log| (log - largest).exp() / total);
        let passes = shares.zip(passes).collect();
        Self { rounds, grid, weights, passes }
    }

    /// Returns the probabilities of changes.
    pub(super) fn summarize(&self) -> HistoryPosterior {
        let mix = |of: &dyn Fn(&NoisePass) -> f64| -> f64 {
            self.passes.iter().map(|(share, pass)| share * of(pass)).sum()
        };
        HistoryPosterior {
            changes: (0..self.rounds.len()).map(|at| mix(&|pass| pass.changes[at])).collect(),
            unchanged: mix(&|pass| pass.unchanged),
        }
    }

    /// Returns the size of the change before the measured position with index `at`, if there is one.
    pub(super) fn estimate_change(&self, at: usize) -> LevelChange {
        // Weigh every pair of levels, and take quantiles of their differences.
        let prior = self.grid.weigh_levels(CHANGE_SCALE, CHANGE_DEGREES);
        let levels = &self.grid.levels;
        let mut pairs = Vec::new();
        for (from, before) in levels.iter().enumerate() {
            for (to, after) in levels.iter().enumerate() {
                if (after - before).abs() < LEAST_CHANGE {
                    continue;
                }
                let weight: f64 = self
                    .passes
                    .iter()
                    .map(|(share, pass)| {
                        let (forward, backward) = (&pass.forward[at], &pass.backward[at]);
                        let counts = 1..self.weights.len();
                        let joint: f64 = counts
                            .map(|count| forward[count - 1][from] * backward[count][to])
                            .sum();
                        share * joint * prior[to]
                    })
                    .sum();
                pairs.push((after - before, weight));
            }
        }
        pairs.sort_by(|one, other| one.0.total_cmp(&other.0));
        let total: f64 = pairs.iter().map(|(_, weight)| weight).sum();
        let quantile = |share: f64| {
            let mut sum = 0.0;
            let found = pairs.iter().find(|(_, weight)| {
                sum += weight;
                sum >= share * total
            });
            found.map_or(0.0, |(difference, _)| *difference)
        };
        LevelChange {
            point: quantile(0.5),
            low: quantile(INTERVAL_TAIL),
            high: quantile(1.0 - INTERVAL_TAIL),
        }
    }
}

/// Returns the prior weight of one history with 0, 1, 2, … changes at `places` places.
fn weigh_counts(places: usize) -> Vec<f64> {
    let mut arrangements = 1.0;
    CHANGE_COUNTS
        .iter()
        .enumerate()
        .map(|(count, share)| {
            if count > 0 {
                arrangements *= (places + 1).saturating_sub(count) as f64 / count as f64;
            }
            if arrangements > 0.0 { share / arrangements } else { 0.0 }
        })
        .collect()
}

impl NoisePass {
    fn run(
        rounds: &[PositionRounds],
        grid: &LevelGrid,
        prior: &[f64],
        weights: &[f64],
        noise: f64,
    ) -> Self {
        let counts = weights.len();
        let emissions: Vec<(Vec<f64>, f64)> =
            rounds.iter().map(|rounds| grid.weigh_rounds(&rounds.differences, noise)).collect();
        let mut log_likelihood: f64 = emissions.iter().map(|(_, log)| log).sum();
        // Forward: the level of the good commit is zero up to the offset of its build.
        let mut state = vec![vec![0.0; grid.levels.len()]; counts];
        state[0] = grid.weigh_start();
        let mut forward = Vec::new();
        for (measured, (emission, _)) in rounds.iter().zip(&emissions) {
            forward.push(state.clone());
            let mut next = state.clone();
            let places = measured.candidates as f64;
            for (row, fewer) in next.iter_mut().skip(1).zip(&state) {
                let arriving = grid.sum_distant(fewer);
                for (weight, (arriving, prior)) in row.iter_mut().zip(arriving.iter().zip(prior)) {
                    *weight += places * arriving * prior;
                }
            }
            for row in &mut next {
                row.iter_mut().zip(emission).for_each(|(weight, factor)| *weight *= factor);
            }
            log_likelihood += rescale(&mut next);
            state = next;
        }
        let ends = state.iter().zip(weights).map(|(row, weight)| row.iter().sum::<f64>() * weight);
        let ends: Vec<f64> = ends.collect();
        let total: f64 = ends.iter().sum();
        log_likelihood += total.ln();
        let mut pass = Self {
            log_likelihood,
            unchanged: ends[0] / total,
            forward,
            backward: Vec::new(),
            changes: Vec::new(),
        };
        pass.run_backward(rounds, grid, prior, weights, &emissions);
        pass
    }

    /// Runs the recursion from the last position to the first, and finds the probability of a change
    /// in each gap.
    fn run_backward(
        &mut self,
        rounds: &[PositionRounds],
        grid: &LevelGrid,
        prior: &[f64],
        weights: &[f64],
        emissions: &[(Vec<f64>, f64)],
    ) {
        let mut state: Vec<Vec<f64>> =
            weights.iter().map(|weight| vec![*weight; grid.levels.len()]).collect();
        for (at, (emission, _)) in emissions.iter().enumerate().rev() {
            for row in &mut state {
                row.iter_mut().zip(emission).for_each(|(weight, factor)| *weight *= factor);
            }
            let places = rounds[at].candidates as f64;
            let mut before = state.clone();
            let (mut stays, mut moves) = (0.0, 0.0);
            for (count, row) in before.iter_mut().enumerate() {
                let forward = &self.forward[at][count];
                stays += multiply_weights(forward, &state[count]);
                let Some(after) = state.get(count + 1) else { continue };
                let after: Vec<f64> =
                    after.iter().zip(prior).map(|(weight, prior)| weight * prior).collect();
                let leaving = grid.sum_distant(&after);
                moves += places * multiply_weights(forward, &leaving);
                for (weight, leaving) in row.iter_mut().zip(&leaving) {
                    *weight += places * leaving;
                }
            }
            self.changes.push(moves / (stays + moves));
            self.backward.push(state);
            rescale(&mut before);
            state = before;
        }
        self.changes.reverse();
        self.backward.reverse();
    }
}

/// Divides all weights by the largest one, and returns its logarithm.
fn rescale(rows: &mut [Vec<f64>]) -> f64 {
    let largest = rows.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
    for weight in rows.iter_mut().flatten() {
        *weight /= largest;
    }
    largest.ln()
}
