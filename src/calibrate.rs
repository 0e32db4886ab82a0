//! The same code on both sides: the noise floor of this machine.
//!
//! Rounds of unchanged code come in; what later decisions need to know of each benchmark goes out, as a
//! file of its own.

mod launches;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

pub(crate) use launches::{EffortAdvice, LaunchCost, LaunchModes};

use crate::compare::{BenchmarkComparison, PartnerMedians, compare_benchmarks};
use crate::host::Host;
use crate::run::{BenchmarkId, FileError, Run, check_schema};
use crate::stats::sequential::{self, TestForm};
use crate::stats::shrinkage::VariancePrior;
use crate::stats::{normal, power, summary, summary::Moments};
use crate::verdict::NoiseHistory;

/// The schema that this version writes.
pub(crate) const CALIBRATION_SCHEMA: &str = "perfgate.calibration/1";

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
    pub(crate) modes: Option<LaunchModes>,
    /// The slowdown found with 80 % power, by rounds.
    pub(crate) minimum_detectable: Vec<DetectableSlowdown>,
    /// How to spend the time; none where a launch has one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<EffortAdvice>,
}

/// The slowdown found with 80 % power after some rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetectableSlowdown {
    /// Rounds measured.
    pub(crate) rounds: usize,
    /// The slowdown, beyond what is tolerated.
    pub(crate) slowdown: f64,
}

/// What rounds of unchanged code say about the noise of a benchmark.
///
/// `None` with fewer than two rounds, or where launches do not vary at all.
pub(crate) fn estimate_noise(partners: &PartnerMedians) -> Option<NoiseHistory> {
    let PartnerMedians { baseline, candidate } = partners;
    if baseline.len() != candidate.len() || baseline.len() < 2 {
        return None;
    }
    let differences: Vec<f64> = baseline.iter().zip(candidate).map(|(a, b)| b - a).collect();
    let difference_variance = Moments::from_values(&differences).ok()?.variance();
    let compute_variance =
        |side: &[f64]| Moments::from_values(side).ok().map(|side| side.variance());
    let launch_variance = 0.5 * (compute_variance(baseline)? + compute_variance(candidate)?);
    let median_of_normal = normal::normal_upper_quantile(0.25);
    let floor = median_of_normal * (difference_variance / FLOOR_ROUNDS).sqrt();
    (launch_variance > 0.0).then_some(NoiseHistory {
        rounds: baseline.len(),
        difference_variance,
        launch_variance,
        correlation: sequential::compute_partner_correlation(baseline, candidate).unwrap_or(0.0),
        noise_floor: floor.exp_m1(),
    })
}

impl Calibration {
    /// What two runs of the same code, measured in rounds, say about their machine.
    ///
    /// `pace` is what a launch and a call cost; `entered` the number of benchmarks that a gate would
    /// judge together. Benchmarks without two rounds, or without any variation, are left out.
    pub(crate) fn from_rounds(
        created: String,
        baseline: &Run,
        candidate: &Run,
        find_cost: &dyn Fn(&BenchmarkId) -> LaunchCost,
    ) -> Self {
        let comparisons = compare_benchmarks(&baseline.benchmarks, &candidate.benchmarks);
        let entered = comparisons.len();
        let benchmarks = comparisons
            .iter()
            .filter_map(|comparison| {
                BenchmarkNoise::from_comparison(comparison, entered, find_cost(&comparison.id))
            })
            .collect();
        Self {
            schema: CALIBRATION_SCHEMA.to_owned(),
            created,
            host: candidate.host.clone(),
            benchmarks,
        }
    }

    /// Reads a calibration.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, FileError> {
        check_schema(json, CALIBRATION_SCHEMA)?;
        Ok(serde_json::from_slice(json)?)
    }

    /// With what an earlier calibration of this machine knows of other benchmarks.
    #[must_use]
    pub(crate) fn with_earlier(mut self, earlier: Option<Self>) -> Self {
        let measured_ids: HashSet<BenchmarkId> =
            self.benchmarks.iter().map(BenchmarkNoise::to_id).collect();
        let earlier = earlier.into_iter().flat_map(|earlier| earlier.benchmarks);
        self.benchmarks
            .extend(earlier.filter(|benchmark| !measured_ids.contains(&benchmark.to_id())));
        self
    }

    /// What decisions need of it.
    pub(crate) fn noise_histories(&self) -> BTreeMap<BenchmarkId, NoiseHistory> {
        self.benchmarks
            .iter()
            .map(|benchmark| (benchmark.to_id(), benchmark.to_noise_history()))
            .collect()
    }
}

impl BenchmarkNoise {
    fn from_comparison(
        comparison: &BenchmarkComparison<'_>,
        entered: usize,
        pace: LaunchCost,
    ) -> Option<Self> {
        let noise = estimate_noise(&comparison.match_partners())?;
        let (baseline, candidate) = (comparison.baseline?, comparison.candidate?);
        let series = launches::collect_in_time_order(baseline, candidate);
        let levels = series.levels();
        let variances = series.variance_components();
        Some(Self {
            id: comparison.id.name.clone(),
            package: comparison.id.package.clone(),
            rounds: noise.rounds,
            noise_floor: noise.noise_floor,
            difference_variance: noise.difference_variance,
            launch_variance: noise.launch_variance,
            correlation: noise.correlation,
            within_variance: variances.map(|parts| parts.within_mean_square),
            between_variance: variances.map(|parts| parts.group_variance()),
            autocorrelation: summary::compute_autocorrelation(&levels, 1),
            drift: launches::compute_slope(&levels),
            modes: LaunchModes::find(&levels),
            minimum_detectable: list_detectable_slowdowns(&noise, entered),
            advice: variances.map(|parts| EffortAdvice::compute(&parts, pace, &noise, entered)),
        })
    }

    /// Which benchmark this is about.
    pub(crate) fn to_id(&self) -> BenchmarkId {
        BenchmarkId { name: self.id.clone(), package: self.package.clone() }
    }

    /// What decisions need of it.
    pub(crate) fn to_noise_history(&self) -> NoiseHistory {
        NoiseHistory {
            rounds: self.rounds,
            difference_variance: self.difference_variance,
            launch_variance: self.launch_variance,
            correlation: self.correlation,
            noise_floor: self.noise_floor,
        }
    }
}

/// The detectable slowdown after each listed number of rounds, in a suite of `entered` benchmarks.
fn list_detectable_slowdowns(noise: &NoiseHistory, entered: usize) -> Vec<DetectableSlowdown> {
    let build_entry = |rounds| {
        Some(DetectableSlowdown {
            rounds,
            slowdown: compute_slowdown_after(rounds, noise, entered)?,
        })
    };
    LISTED_ROUNDS.into_iter().filter_map(build_entry).collect()
}

/// The slowdown that one look after `rounds` rounds finds with 80 % power.
fn compute_slowdown_after(rounds: usize, noise: &NoiseHistory, entered: usize) -> Option<f64> {
    let correlation = (noise.rounds >= sequential::MIN_HISTORY_ROUNDS).then_some(noise.correlation);
    let form = sequential::choose_test_form(rounds, correlation, None);
    let degrees = noise.rounds as f64 - 1.0;
    let (variance, prior) = match form {
        TestForm::Paired => {
            let variance = noise.difference_variance;
            (variance, VariancePrior::new(variance, degrees)?.compute_error_of_differences(rounds))
        }
        TestForm::Welch => {
            let variance = noise.launch_variance;
            (
                variance,
                VariancePrior::new(variance, 2.0 * degrees)?
                    .compute_error_of_two_means(rounds, rounds),
            )
        }
    };
    let prior = correlation.map_or(0.0, |_| prior.degrees_of_freedom);
    let alpha = sequential::compute_benchmark_alpha(entered);
    power::find_detectable_effect_after(rounds, form, variance.sqrt(), prior, alpha)
        .map(f64::exp_m1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partners(baseline: &[f64], candidate: &[f64]) -> PartnerMedians {
        PartnerMedians { baseline: baseline.to_vec(), candidate: candidate.to_vec() }
    }

    #[test]
    fn noise_is_what_other_software_finds() {
        // Python 3.11: statistics.variance of the differences, and the mean of that of both sides
        let noise = estimate_noise(&partners(&[0.01, 0.03, 0.02, 0.05], &[0.02, 0.02, 0.04, 0.04]))
            .unwrap();
        assert!((noise.difference_variance - 2.25e-4).abs() < 1e-15);
        assert!((noise.launch_variance - 2.125e-4).abs() < 1e-15);
        assert_eq!((noise.rounds, noise.correlation), (4, 0.0));
        // expm1(statistics.NormalDist().inv_cdf(.75) * sqrt(2.25e-4 / 5))
        assert!((noise.noise_floor - 0.004_534_866_3).abs() < 1e-9, "{}", noise.noise_floor);
    }

    #[test]
    fn rounds_that_show_no_noise_are_no_history() {
        assert_eq!(estimate_noise(&partners(&[0.1; 20], &[0.1; 20])), None);
        assert_eq!(estimate_noise(&partners(&[0.1], &[0.2])), None);
        assert_eq!(estimate_noise(&partners(&[0.1, 0.2], &[0.2])), None);
    }

    #[test]
    fn more_rounds_detect_smaller_slowdowns() {
        let noise = NoiseHistory {
            rounds: 20,
            difference_variance: 4e-4,
            launch_variance: 2e-4,
            correlation: 0.0,
            noise_floor: 0.006,
        };
        let detectable = list_detectable_slowdowns(&noise, 50);
        assert_eq!(detectable.len(), LISTED_ROUNDS.len());
        assert!(detectable.windows(2).all(|pair| pair[1].slowdown < pair[0].slowdown));
    }
}
