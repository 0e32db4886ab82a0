//! The launches of unchanged code as one series in time: how they depend on each other, and where
//! their variance arises.

use serde::{Deserialize, Serialize};

use super::compute_slowdown_after;
use crate::run::{Benchmark, Launch, LaunchData};
use crate::stats::components::VarianceComponents;
use crate::stats::summary::Moments;
use crate::units::Nanos;
use crate::verdict::NoiseHistory;

/// Least distance of two groups of launches, in their own standard deviations, from which they
/// count as two.
///
/// The best split of a normal sample lies about 2.7 apart, and up to 3.9 in samples of forty.
const MIN_MODE_DISTANCE: f64 = 4.5;

/// The smaller group holds at least one in this many launches, and at least three.
const LAUNCHES_PER_RARE_MODE: usize = 10;

/// Least number of calls advised per launch. With fewer calls the median of a launch means little.
const MIN_ADVISED_CALLS: f64 = 10.0;

/// Largest number of calls advised per launch.
const MAX_ADVISED_CALLS: f64 = 1000.0;

/// Largest number of rounds that a decision may take.
const MAX_ADVISED_ROUNDS: usize = 20;

/// Slowdown beyond the tolerated one that the advised launches must find, as a share.
const SLOWDOWN_TO_FIND: f64 = 0.04;

/// Two groups of launches that lie far apart, for example because memory is laid out in one of two
/// ways.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LaunchModes {
    /// Share of launches in the slower group.
    pub(crate) slower: f64,
    /// How much slower the slower group is, as a share.
    pub(crate) slowdown: f64,
}

/// Time that a launch costs before its first call, and time of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LaunchCost {
    /// Time for start and warm-up.
    pub(crate) start: Nanos,
    /// Time of one call.
    pub(crate) call: Nanos,
}

/// How to spend the time of a measurement on a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EffortAdvice {
    /// Launches per side that find a slowdown of 4 % beyond the tolerated one in 80 % of cases.
    pub(crate) launches: usize,
    /// Calls per launch that give the most precise level for the time (Kalibera & Jones 2013).
    pub(crate) calls: usize,
}

/// Launches of both sides, in the order of time.
pub(super) struct LaunchSeries<'a> {
    launches: Vec<&'a Launch>,
}

/// Collects the launches of both sides, ordered by session, round and place within the round.
pub(super) fn collect_in_time_order<'a>(
    baseline: &'a Benchmark,
    candidate: &'a Benchmark,
) -> LaunchSeries<'a> {
    let mut launches: Vec<&Launch> = baseline.launches.iter().chain(&candidate.launches).collect();
    launches.sort_by_key(|launch| (&launch.session, launch.round, launch.order));
    LaunchSeries { launches }
}

impl LaunchSeries<'_> {
    /// Returns the log medians of the launches.
    pub(super) fn levels(&self) -> Vec<f64> {
        self.launches.iter().map(|launch| launch.digest().ln_median()).collect()
    }

    /// Returns the variance of samples within and between launches. Returns `None` if launches have
    /// one value each.
    pub(super) fn variance_components(&self) -> Option<VarianceComponents> {
        let logarithms: Vec<Vec<f64>> = self
            .launches
            .iter()
            .filter_map(|launch| match &launch.data {
                LaunchData::Samples(samples) => {
                    Some(samples.iter().map(|sample| sample.ln()).collect())
                }
                LaunchData::Digest(_) => None,
            })
            .collect();
        let groups: Vec<&[f64]> = logarithms.iter().map(Vec::as_slice).collect();
        groups
            .iter()
            .all(|group| group.len() > 1)
            .then(|| VarianceComponents::from_groups(&groups).ok())?
    }
}

/// Returns the least-squares slope over the positions of `levels`. Returns zero for fewer than two.
pub(super) fn compute_slope(levels: &[f64]) -> f64 {
    let centre = 0.5 * (levels.len() as f64 - 1.0);
    let Ok(summary) = Moments::from_values(levels) else { return 0.0 };
    let (mut product, mut square) = (0.0, 0.0);
    for (index, level) in levels.iter().enumerate() {
        let distance = index as f64 - centre;
        product += distance * (level - summary.mean());
        square += distance * distance;
    }
    if square > 0.0 { product / square } else { 0.0 }
}

impl LaunchModes {
    /// Finds the two groups of `levels` that explain most of their variance, if they are far apart
    /// (distance in standard deviations within groups, Ashman, Bird & Zepf 1994).
    ///
    /// Returns `None` if the groups are not far apart, or if there are too few launches.
    pub(super) fn find(levels: &[f64]) -> Option<Self> {
        // Plan: try every split of the sorted levels that leaves both groups large enough, and take
        // the split with the least variance within groups.
        let mut sorted = levels.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len();
        let least = n.div_ceil(LAUNCHES_PER_RARE_MODE).max(3);
        let splits = (least..=n.checked_sub(least)?).filter_map(|at| {
            let (fast, slow) = sorted.split_at(at);
            let (fast, slow) = (Moments::from_values(fast).ok()?, Moments::from_values(slow).ok()?);
            let within = (sum_squares(&fast) + sum_squares(&slow)) / (n as f64 - 2.0);
            Some((fast.difference_to(&slow), within.sqrt(), slow.count()))
        });
        let best = splits.min_by(|a, b| a.1.total_cmp(&b.1))?;
        let (distance, deviation, slower) = best;
        (distance >= MIN_MODE_DISTANCE * deviation && distance > 0.0)
            .then(|| Self { slower: slower as f64 / n as f64, slowdown: distance.exp_m1() })
    }
}

/// Returns the sum of the squared distances of the values from their mean.
fn sum_squares(side: &Moments) -> f64 {
    side.variance() * (side.count() as f64 - 1.0)
}

impl EffortAdvice {
    /// Chooses most repetitions where the variance arises.
    pub(super) fn compute(
        parts: &VarianceComponents,
        cost: LaunchCost,
        noise: &NoiseHistory,
        entered: usize,
    ) -> Self {
        let start_in_calls = cost.start.get() / cost.call.get().max(1.0);
        let calls = parts.compute_optimal_group_size(start_in_calls);
        // Without variance between launches the optimum is infinite; without any variance it is
        // NaN.
        let calls = if calls.is_nan() {
            MIN_ADVISED_CALLS
        } else {
            calls.clamp(MIN_ADVISED_CALLS, MAX_ADVISED_CALLS)
        };
        let launches = (3..MAX_ADVISED_ROUNDS).find(|rounds| {
            compute_slowdown_after(*rounds, noise, entered)
                .is_some_and(|slowdown| slowdown <= SLOWDOWN_TO_FIND)
        });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let calls = calls.round() as usize;
        Self { launches: launches.unwrap_or(MAX_ADVISED_ROUNDS), calls }
    }
}

#[cfg(test)]
mod tests {
    use super::{LaunchModes, compute_slope};

    #[test]
    fn a_straight_line_has_its_slope() {
        assert!((compute_slope(&[1.0, 1.5, 2.0, 2.5]) - 0.5).abs() < 1e-15);
        assert_eq!((compute_slope(&[]), compute_slope(&[3.0])), (0.0, 0.0));
    }

    #[test]
    fn two_groups_are_told_from_one() {
        // The quantiles of a normal distribution with a deviation of 1 %: whole, and with a third
        // of them 10 % later.
        let normal = |i: u32| {
            0.01 * crate::stats::distribution::normal::normal_upper_quantile(
                (f64::from(i) + 0.5) / 30.0,
            )
        };
        let one: Vec<f64> = (0..30).map(normal).collect();
        assert_eq!(LaunchModes::find(&one), None);
        let two: Vec<f64> =
            (0..30).map(|i| normal(i) + if i % 3 == 0 { 0.1 } else { 0.0 }).collect();
        let modes = LaunchModes::find(&two).unwrap();
        assert!((modes.slower - 1.0 / 3.0).abs() < 1e-12 && (modes.slowdown - 0.105).abs() < 0.01);
        assert_eq!(LaunchModes::find(&[0.0, 0.0, 0.1]), None);
        assert_eq!(LaunchModes::find(&[0.2; 30]), None);
    }
}
