//! The launches of unchanged code as one series in time: how they depend on each other, and where
//! their variance arises.

use serde::{Deserialize, Serialize};

use super::slowdown_after;
use crate::run::{Benchmark, Launch, Observed};
use crate::stats::components::Components;
use crate::stats::summary::Summary;
use crate::units::Nanos;
use crate::verdict::Noise;

/// Distance of two groups of launches, in their own standard deviations, from which they are two.
///
/// The best split of a normal sample lies about 2.7 apart, and up to 3.9 in samples of forty.
const MODES_APART: f64 = 4.5;

/// The smaller group has at least one of so many launches, and three.
const MODE_SHARE: usize = 10;

/// A launch has at least so many calls, below which its median means little.
const LEAST_CALLS: f64 = 10.0;

/// And at most so many.
const MOST_CALLS: f64 = 1000.0;

/// The most rounds that a decision may take.
const MOST_ROUNDS: usize = 20;

/// The slowdown that the advised launches must find.
const WANTED: f64 = 0.04;

/// Two groups of launches that lie far apart, as where memory is laid out in one of two ways.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Modes {
    /// Share of the slower launches.
    pub(crate) slower: f64,
    /// How much slower they are.
    pub(crate) slowdown: f64,
}

/// What a launch costs before its first call, and a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// Start and warm-up.
    pub(crate) start: Nanos,
    /// One call.
    pub(crate) call: Nanos,
}

/// How to spend the time on a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Advice {
    /// Launches per side with which a slowdown of 4 % beyond the tolerated one is found in 80 % of cases.
    pub(crate) launches: usize,
    /// Calls per launch that give the most precise level for the time (Kalibera & Jones 2013).
    pub(crate) calls: usize,
}

/// Launches of both sides in the order of time.
pub(super) struct Series<'a> {
    launches: Vec<&'a Launch>,
}

/// The launches of both sides by session, round and place within the round.
pub(super) fn in_time_order<'a>(baseline: &'a Benchmark, candidate: &'a Benchmark) -> Series<'a> {
    let mut launches: Vec<&Launch> = baseline.launches.iter().chain(&candidate.launches).collect();
    launches.sort_by_key(|launch| (&launch.session, launch.round, launch.order));
    Series { launches }
}

impl Series<'_> {
    /// Logarithms of the launch medians.
    pub(super) fn levels(&self) -> Vec<f64> {
        self.launches.iter().map(|launch| launch.digest().ln_median()).collect()
    }

    /// The variance of samples within and between launches; none where launches have one value each.
    pub(super) fn components(&self) -> Option<Components> {
        let logarithms: Vec<Vec<f64>> = self
            .launches
            .iter()
            .filter_map(|launch| match &launch.observed {
                Observed::Samples(samples) => Some(samples.iter().map(|one| one.ln()).collect()),
                Observed::Digest(_) => None,
            })
            .collect();
        let groups: Vec<&[f64]> = logarithms.iter().map(Vec::as_slice).collect();
        groups.iter().all(|group| group.len() > 1).then(|| Components::of(&groups).ok())?
    }
}

/// Least-squares slope over the positions of `levels`; zero for fewer than two.
pub(super) fn slope(levels: &[f64]) -> f64 {
    let centre = 0.5 * (levels.len() as f64 - 1.0);
    let Ok(summary) = Summary::of(levels) else { return 0.0 };
    let (mut product, mut square) = (0.0, 0.0);
    for (place, level) in levels.iter().enumerate() {
        let distance = place as f64 - centre;
        product += distance * (level - summary.mean());
        square += distance * distance;
    }
    if square > 0.0 { product / square } else { 0.0 }
}

impl Modes {
    /// The two groups of `levels` that explain most of their variance, if they are far apart (distance in
    /// standard deviations within groups, Ashman, Bird & Zepf 1994).
    pub(super) fn of(levels: &[f64]) -> Option<Self> {
        let mut sorted = levels.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len();
        let least = n.div_ceil(MODE_SHARE).max(3);
        let split = |at: usize| {
            let (fast, slow) = sorted.split_at(at);
            let (fast, slow) = (Summary::of(fast).ok()?, Summary::of(slow).ok()?);
            let spread = |side: &Summary| side.variance() * (side.count() as f64 - 1.0);
            let within = (spread(&fast) + spread(&slow)) / (n as f64 - 2.0);
            Some((fast.difference(&slow), within.sqrt(), slow.count()))
        };
        let splits = (least..=n.checked_sub(least)?).filter_map(split);
        let best = splits.min_by(|one, other| one.1.total_cmp(&other.1))?;
        let (distance, deviation, slower) = best;
        (distance >= MODES_APART * deviation && distance > 0.0)
            .then(|| Self { slower: slower as f64 / n as f64, slowdown: distance.exp_m1() })
    }
}

impl Advice {
    /// Most repetitions where the variance arises.
    pub(super) fn of(parts: &Components, pace: Pace, noise: &Noise, entered: usize) -> Self {
        let cost = pace.start.get() / pace.call.get().max(1.0);
        let calls = parts.optimal_group_size(cost);
        // Without any variance between launches the optimum is infinite, without any at all NaN.
        let calls = if calls.is_nan() { LEAST_CALLS } else { calls.clamp(LEAST_CALLS, MOST_CALLS) };
        let finds = |rounds: &usize| {
            slowdown_after(*rounds, noise, entered).is_some_and(|slowdown| slowdown <= WANTED)
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let calls = calls.round() as usize;
        Self { launches: (3..MOST_ROUNDS).find(finds).unwrap_or(MOST_ROUNDS), calls }
    }
}

#[cfg(test)]
mod tests {
    use super::{Modes, slope};

    #[test]
    fn a_straight_line_has_its_slope() {
        assert!((slope(&[1.0, 1.5, 2.0, 2.5]) - 0.5).abs() < 1e-15);
        assert_eq!((slope(&[]), slope(&[3.0])), (0.0, 0.0));
    }

    #[test]
    fn two_groups_are_told_from_one() {
        // The quantiles of a normal distribution with 1 %, whole and with a third of them 10 % later.
        let normal =
            |i: u32| 0.01 * crate::stats::normal::upper_quantile((f64::from(i) + 0.5) / 30.0);
        let one: Vec<f64> = (0..30).map(normal).collect();
        assert_eq!(Modes::of(&one), None);
        let two: Vec<f64> =
            (0..30).map(|i| normal(i) + if i % 3 == 0 { 0.1 } else { 0.0 }).collect();
        let modes = Modes::of(&two).unwrap();
        assert!((modes.slower - 1.0 / 3.0).abs() < 1e-12 && (modes.slowdown - 0.105).abs() < 0.01);
        assert_eq!(Modes::of(&[0.0, 0.0, 0.1]), None);
        assert_eq!(Modes::of(&[0.2; 30]), None);
    }
}
