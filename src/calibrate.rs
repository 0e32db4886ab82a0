//! The same code on both sides: the noise floor of this machine.
//!
//! Rounds of unchanged code come in; what later decisions need to know of each benchmark goes out, as a
//! file of its own.

mod launches;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

pub(crate) use launches::{Advice, Modes, Pace};

use crate::compare::{Comparison, Partners, compare};
use crate::host::Host;
use crate::run::{BenchmarkId, FileError, Run, check_schema};
use crate::stats::sequential::{self, Form};
use crate::stats::shrinkage::Prior;
use crate::stats::{normal, power, summary, summary::Summary};
use crate::verdict::Noise;

/// The schema that this version writes.
pub(crate) const SCHEMA: &str = "perfgate.calibration/1";

/// Rounds for which the detectable slowdown is listed: the planned looks.
const LISTED_ROUNDS: [usize; 6] = [3, 5, 7, 10, 14, 20];

/// Rounds of the comparison that the noise floor speaks of.
const FLOOR_ROUNDS: f64 = 5.0;

/// What rounds of unchanged code told about a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Calibration {
    schema: String,
    /// When it was measured, RFC 3339.
    pub(crate) created: String,
    /// The machine.
    pub(crate) host: Host,
    /// Each benchmark once.
    pub(crate) benchmarks: Vec<BenchmarkNoise>,
}

/// The noise of one benchmark; variances and drift are of logarithms of launch medians.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BenchmarkNoise {
    /// `group/function/parameter`.
    pub(crate) id: String,
    /// The Cargo package it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    /// Rounds it was learnt from.
    pub(crate) rounds: usize,
    /// Half of all comparisons of five rounds without a change show at least this one.
    pub(crate) noise_floor: f64,
    /// Variance of the difference of partners.
    pub(crate) difference_variance: f64,
    /// Variance of launches of one side.
    pub(crate) launch_variance: f64,
    /// Correlation of partners, which decides whether they are compared as pairs.
    pub(crate) correlation: f64,
    /// Variance of the logarithms of samples around their launch; none where a launch has one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) within_variance: Option<f64>,
    /// Variance of launches beyond what their samples explain; none where a launch has one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) between_variance: Option<f64>,
    /// Correlation of a launch with the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) autocorrelation: Option<f64>,
    /// Slope over time, a launch.
    pub(crate) drift: f64,
    /// Two groups of launches that lie far apart, where there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) modes: Option<Modes>,
    /// The slowdown found with 80 % power, by rounds.
    pub(crate) minimum_detectable: Vec<Detectable>,
    /// How to spend the time; none where a launch has one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<Advice>,
}

/// The slowdown found with 80 % power after some rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Detectable {
    /// Rounds measured.
    pub(crate) rounds: usize,
    /// The slowdown, beyond what is tolerated.
    pub(crate) slowdown: f64,
}

/// What rounds of unchanged code say about the noise of a benchmark.
///
/// `None` with fewer than two rounds, or where launches do not vary at all.
pub(crate) fn noise(partners: &Partners) -> Option<Noise> {
    let Partners { baseline, candidate } = partners;
    if baseline.len() != candidate.len() || baseline.len() < 2 {
        return None;
    }
    let differences: Vec<f64> = baseline.iter().zip(candidate).map(|(a, b)| b - a).collect();
    let difference_variance = Summary::of(&differences).ok()?.variance();
    let of_side = |side: &[f64]| Summary::of(side).ok().map(|side| side.variance());
    let launch_variance = 0.5 * (of_side(baseline)? + of_side(candidate)?);
    let median_of_normal = normal::upper_quantile(0.25);
    let floor = median_of_normal * (difference_variance / FLOOR_ROUNDS).sqrt();
    (launch_variance > 0.0).then_some(Noise {
        rounds: baseline.len(),
        difference_variance,
        launch_variance,
        correlation: sequential::partner_correlation(baseline, candidate).unwrap_or(0.0),
        floor: floor.exp_m1(),
    })
}

impl Calibration {
    /// What two runs of the same code, measured in rounds, say about their machine.
    ///
    /// `pace` is what a launch and a call cost; `entered` the number of benchmarks that a gate would
    /// judge together. Benchmarks without two rounds, or without any variation, are left out.
    pub(crate) fn of(
        created: String,
        baseline: &Run,
        candidate: &Run,
        pace: &dyn Fn(&BenchmarkId) -> Pace,
    ) -> Self {
        let comparisons = compare(&baseline.benchmarks, &candidate.benchmarks);
        let entered = comparisons.len();
        let benchmarks = comparisons
            .iter()
            .filter_map(|comparison| BenchmarkNoise::of(comparison, entered, pace(&comparison.id)))
            .collect();
        Self { schema: SCHEMA.to_owned(), created, host: candidate.host.clone(), benchmarks }
    }

    /// Reads a calibration.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, FileError> {
        check_schema(json, SCHEMA)?;
        Ok(serde_json::from_slice(json)?)
    }

    /// With what an earlier calibration of this machine knows of other benchmarks.
    #[must_use]
    pub(crate) fn with_the_rest_of(mut self, earlier: Option<Self>) -> Self {
        let known: HashSet<BenchmarkId> =
            self.benchmarks.iter().map(BenchmarkNoise::identity).collect();
        let earlier = earlier.into_iter().flat_map(|earlier| earlier.benchmarks);
        self.benchmarks.extend(earlier.filter(|one| !known.contains(&one.identity())));
        self
    }

    /// What decisions need of it.
    pub(crate) fn noise(&self) -> BTreeMap<BenchmarkId, Noise> {
        self.benchmarks.iter().map(|one| (one.identity(), one.noise())).collect()
    }
}

impl BenchmarkNoise {
    fn of(comparison: &Comparison<'_>, entered: usize, pace: Pace) -> Option<Self> {
        let noise = noise(&comparison.partners())?;
        let (baseline, candidate) = (comparison.baseline?, comparison.candidate?);
        let series = launches::in_time_order(baseline, candidate);
        let levels = series.levels();
        let variances = series.components();
        Some(Self {
            id: comparison.id.id.clone(),
            package: comparison.id.package.clone(),
            rounds: noise.rounds,
            noise_floor: noise.floor,
            difference_variance: noise.difference_variance,
            launch_variance: noise.launch_variance,
            correlation: noise.correlation,
            within_variance: variances.map(|parts| parts.within),
            between_variance: variances.map(|parts| parts.group_variance()),
            autocorrelation: summary::autocorrelation(&levels, 1),
            drift: launches::slope(&levels),
            modes: Modes::of(&levels),
            minimum_detectable: detectable(&noise, entered),
            advice: variances.map(|parts| Advice::of(&parts, pace, &noise, entered)),
        })
    }

    /// Which benchmark this is about.
    pub(crate) fn identity(&self) -> BenchmarkId {
        BenchmarkId { id: self.id.clone(), package: self.package.clone() }
    }

    /// What decisions need of it.
    pub(crate) fn noise(&self) -> Noise {
        Noise {
            rounds: self.rounds,
            difference_variance: self.difference_variance,
            launch_variance: self.launch_variance,
            correlation: self.correlation,
            floor: self.noise_floor,
        }
    }
}

/// The detectable slowdown after each listed number of rounds, in a suite of `entered` benchmarks.
fn detectable(noise: &Noise, entered: usize) -> Vec<Detectable> {
    let at =
        |rounds| Some(Detectable { rounds, slowdown: slowdown_after(rounds, noise, entered)? });
    LISTED_ROUNDS.into_iter().filter_map(at).collect()
}

/// The slowdown that one look after `rounds` rounds finds with 80 % power.
fn slowdown_after(rounds: usize, noise: &Noise, entered: usize) -> Option<f64> {
    let correlation = (noise.rounds >= sequential::LEAST_HISTORY).then_some(noise.correlation);
    let form = sequential::form(rounds, correlation, None);
    let degrees = noise.rounds as f64 - 1.0;
    let (variance, prior) = match form {
        Form::Paired => {
            let variance = noise.difference_variance;
            (variance, Prior::new(variance, degrees)?.of_differences(rounds))
        }
        Form::Welch => {
            let variance = noise.launch_variance;
            (variance, Prior::new(variance, 2.0 * degrees)?.of_two_means(rounds, rounds))
        }
    };
    let prior = correlation.map_or(0.0, |_| prior.degrees_of_freedom);
    let alpha = sequential::benchmark_alpha(entered);
    power::detectable_after(rounds, form, variance.sqrt(), prior, alpha).map(f64::exp_m1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partners(baseline: &[f64], candidate: &[f64]) -> Partners {
        Partners { baseline: baseline.to_vec(), candidate: candidate.to_vec() }
    }

    #[test]
    fn noise_is_what_other_software_finds() {
        // Python 3.11: statistics.variance of the differences, and the mean of that of both sides
        let noise = noise(&partners(&[0.01, 0.03, 0.02, 0.05], &[0.02, 0.02, 0.04, 0.04])).unwrap();
        assert!((noise.difference_variance - 2.25e-4).abs() < 1e-15);
        assert!((noise.launch_variance - 2.125e-4).abs() < 1e-15);
        assert_eq!((noise.rounds, noise.correlation), (4, 0.0));
        // expm1(statistics.NormalDist().inv_cdf(.75) * sqrt(2.25e-4 / 5))
        assert!((noise.floor - 0.004_534_866_3).abs() < 1e-9, "{}", noise.floor);
    }

    #[test]
    fn rounds_that_show_no_noise_are_no_history() {
        assert_eq!(noise(&partners(&[0.1; 20], &[0.1; 20])), None);
        assert_eq!(noise(&partners(&[0.1], &[0.2])), None);
        assert_eq!(noise(&partners(&[0.1, 0.2], &[0.2])), None);
    }

    #[test]
    fn more_rounds_detect_smaller_slowdowns() {
        let noise = Noise {
            rounds: 20,
            difference_variance: 4e-4,
            launch_variance: 2e-4,
            correlation: 0.0,
            floor: 0.006,
        };
        let detectable = detectable(&noise, 50);
        assert_eq!(detectable.len(), LISTED_ROUNDS.len());
        assert!(detectable.windows(2).all(|pair| pair[1].slowdown < pair[0].slowdown));
    }
}
