//! The grid of levels on which the posterior is computed: fine where the rounds are, coarse elsewhere.

/// Degrees of freedom of the noise of a round and of the offset of a build. Four have tails that
/// bursts need, and still a variance.
const TAIL_DEGREES: f64 = 4.0;
/// Scale of the offset that each build has from the level of its code, as a log ratio: functions move,
/// and with them caches and branches behave differently.
pub(super) const BUILD_OFFSET: f64 = 0.002;
/// Smallest difference between two levels that counts as a change, as a log ratio.
pub(super) const LEAST_CHANGE: f64 = 0.01;
/// Distances from the centre of a commit's rounds at which there are levels, in offsets of builds.
const OFFSET_STEPS: [f64; 8] = [0.5, 1.0, 1.5, 2.0, 3.0, 4.5, 7.0, 11.0];
/// Distances in standard errors of the commit's rounds.
const ERROR_STEPS: [f64; 6] = [0.5, 1.0, 1.6, 2.4, 3.5, 5.0];
/// Levels that are always there, as log ratios of both signs: changes of any size.
const COARSE_LEVELS: [f64; 14] =
    [0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.11, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0];
/// Standard error that is assumed of a single round.
const LONE_ERROR: f64 = 0.01;
/// Smallest standard error that the grid resolves, in offsets of builds.
const LEAST_ERROR: f64 = 0.2;
/// Two levels are at least this far apart, in offsets of builds.
const LEAST_DISTANCE: f64 = 0.1;
/// With at most this number of rounds, each round has a level of its own: they may be far apart.
const FEW_ROUNDS: usize = 4;
/// Number of factors of the likelihood whose product is far from overflowing.
const FACTORS_PER_LOGARITHM: usize = 8;
/// Scales the median distance from the median to the standard deviation of normal values.
const NORMAL_DEVIATION: f64 = 1.4826;

/// Levels in ascending order, as log ratios to the good commit.
pub(super) struct LevelGrid {
    /// The levels.
    pub(super) levels: Vec<f64>,
    /// Width of the cell around each level.
    widths: Vec<f64>,
    /// For each level, the first level that is not smaller by a change or more, and the first that is
    /// larger by a change or more.
    near: Vec<(usize, usize)>,
    /// For each level, the probability of each offset cell of a build.
    offsets: Vec<Vec<f64>>,
}

impl LevelGrid {
    /// Places levels around the rounds of each position.
    pub(super) fn new<'a>(positions: impl Iterator<Item = &'a [f64]>) -> Self {
        let mut levels = vec![0.0];
        levels.extend(COARSE_LEVELS.iter().flat_map(|level| [-level, *level]));
        let mut add_around = |centre: f64, step: f64, steps: &[f64]| {
            levels.extend(
                steps.iter().flat_map(|count| [centre - count * step, centre + count * step]),
            );
            levels.push(centre);
        };
        add_around(0.0, BUILD_OFFSET, &OFFSET_STEPS);
        for differences in positions.filter(|differences| !differences.is_empty()) {
            let (centre, error) = locate_centre(differences);
            add_around(centre, BUILD_OFFSET, &OFFSET_STEPS);
            add_around(centre, error.max(LEAST_ERROR * BUILD_OFFSET), &ERROR_STEPS);
            if differences.len() <= FEW_ROUNDS {
                for difference in differences {
                    add_around(*difference, BUILD_OFFSET, &[1.0, 2.0]);
                }
            }
        }
        levels.sort_by(f64::total_cmp);
        levels.dedup_by(|next, kept| *next - *kept < LEAST_DISTANCE * BUILD_OFFSET);
        Self::from_levels(levels)
    }

    fn from_levels(levels: Vec<f64>) -> Self {
        let last = levels.len() - 1;
        let widths: Vec<f64> = (0..=last)
            .map(|at| 0.5 * (levels[(at + 1).min(last)] - levels[at.saturating_sub(1)]))
            .collect();
        let near = levels
            .iter()
            .map(|level| {
                let first = levels.partition_point(|other| *other <= level - LEAST_CHANGE);
                let end = levels.partition_point(|other| *other < level + LEAST_CHANGE);
                (first, end)
            })
            .collect();
        let offsets = levels
            .iter()
            .map(|level| {
                let cells = levels
                    .iter()
                    .zip(&widths)
                    .map(|(build, width)| weigh_build_offset(build - level) * width);
                normalize(cells.collect())
            })
            .collect();
        Self { levels, widths, near, offsets }
    }

    /// Returns the prior probability of each level: t-distributed around zero.
    pub(super) fn weigh_levels(&self, scale: f64, degrees: f64) -> Vec<f64> {
        let cells = self.levels.iter().zip(&self.widths).map(|(level, width)| {
            let distance = level / scale;
            (1.0 + distance * distance / degrees).powf(-0.5 * (degrees + 1.0)) * width
        });
        normalize(cells.collect())
    }

    /// Returns the probability of each level of the good commit, whose build is at zero.
    pub(super) fn weigh_start(&self) -> Vec<f64> {
        let cells = self.levels.iter().zip(&self.widths);
        normalize(cells.map(|(level, width)| weigh_build_offset(*level) * width).collect())
    }

    /// Returns the likelihood of rounds with these differences for each level, divided by the largest
    /// one, and the logarithm of that one. The offset of the build is integrated out.
    pub(super) fn weigh_rounds(&self, differences: &[f64], noise: f64) -> (Vec<f64>, f64) {
        if differences.is_empty() {
            // The program of the good commit is at zero by definition.
            return (self.weigh_start(), 0.0);
        }
        let logs: Vec<f64> = self
            .levels
            .iter()
            .map(|build| {
                // One logarithm of a product of several factors is cheaper than one of each.
                let kernel: f64 = differences
                    .chunks(FACTORS_PER_LOGARITHM)
                    .map(|chunk| {
                        let factors = chunk.iter().map(|difference| {
                            let distance = (difference - build) / noise;
                            1.0 + distance * distance / TAIL_DEGREES
                        });
                        factors.product::<f64>().ln()
                    })
                    .sum();
                -0.5 * (TAIL_DEGREES + 1.0) * kernel - differences.len() as f64 * noise.ln()
            })
            .collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let builds: Vec<f64> = logs.iter().map(|log| (log - largest).exp()).collect();
        let mut weights: Vec<f64> =
            self.offsets.iter().map(|cells| multiply_weights(cells, &builds)).collect();
        let most = weights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        for weight in &mut weights {
            *weight /= most;
        }
        (weights, largest + most.ln())
    }

    /// Returns for each level the sum of `weights` over all levels that differ by a change or more.
    pub(super) fn sum_distant(&self, weights: &[f64]) -> Vec<f64> {
        let mut sums = Vec::with_capacity(weights.len() + 1);
        sums.push(0.0);
        for weight in weights {
            sums.push(sums[sums.len() - 1] + weight);
        }
        let total = sums[weights.len()];
        self.near.iter().map(|(first, end)| sums[*first] + (total - sums[*end])).collect()
    }
}

/// Returns the median of `differences` and its robust standard error, which a lone round does not
/// show.
pub(super) fn locate_centre(differences: &[f64]) -> (f64, f64) {
    let mut sorted = differences.to_vec();
    let centre = find_middle(&mut sorted);
    if differences.len() < 2 {
        return (centre, LONE_ERROR);
    }
    let mut distances: Vec<f64> =
        differences.iter().map(|difference| (difference - centre).abs()).collect();
    let spread = NORMAL_DEVIATION * find_middle(&mut distances);
    (centre, spread / (differences.len() as f64).sqrt())
}

/// Returns the median of `values`, or zero if there are none.
fn find_middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[half],
        _ => 0.5 * (values[half - 1] + values[half]),
    }
}

/// Returns the density of a build's offset from the level of its code, without its constant factor:
/// Student's t with [`TAIL_DEGREES`], by a square root in place of a power.
fn weigh_build_offset(offset: f64) -> f64 {
    let distance = offset / BUILD_OFFSET;
    let factor = 1.0 + distance * distance / TAIL_DEGREES;
    1.0 / (factor * factor * factor.sqrt())
}

/// Returns the sum of the products of two rows. Four sums at once take a quarter of the time, because
/// none waits for another.
pub(super) fn multiply_weights(one: &[f64], other: &[f64]) -> f64 {
    let (fours, rest) = one.as_chunks::<4>();
    let (other_fours, other_rest) = other.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (four, other) in fours.iter().zip(other_fours) {
        for (sum, (one, other)) in sums.iter_mut().zip(four.iter().zip(other)) {
            *sum += one * other;
        }
    }
    let rest: f64 = rest.iter().zip(other_rest).map(|(one, other)| one * other).sum();
    sums.iter().sum::<f64>() + rest
}

fn normalize(mut weights: Vec<f64>) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    for weight in &mut weights {
        *weight /= total;
    }
    weights
}
