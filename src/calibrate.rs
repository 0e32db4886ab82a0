//! The noise of this machine, from rounds with the same code on both sides.
//!
//! The input is the rounds of unchanged code. The output is a file of its own, with what later
//! decisions need to know about each benchmark.

mod launches;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

pub(crate) use launches::{EffortAdvice, LaunchCost, LaunchModes};

use crate::compare::{BenchmarkComparison, PartnerMedians, compare_benchmarks};
use crate::host::Host;
use crate::run::{BenchmarkId, FileError, Run, check_schema};
use crate::stats::distribution::normal;
use crate::stats::shrinkage::VariancePrior;
use crate::stats::test::t::TestForm;
use crate::stats::{power, summary, summary::Moments};
use crate::verdict::NoiseHistory;
use crate::verdict::look_plan::{MIN_HISTORY_ROUNDS, compute_benchmark_alpha};
use crate::verdict::test_form::{choose_test_form, compute_partner_correlation};

/// The schema of the calibration files that this version writes.
const CALIBRATION_SCHEMA: &str = "perfgate.calibration/1";

/// Numbers of rounds for which the detectable slowdown is listed: some of the planned looks.
pub(crate) const LISTED_ROUNDS: [usize; 6] = [3, 5, 7, 10, 14, 20];

/// Number of rounds of the comparison that the noise floor refers to.
const FLOOR_ROUNDS: f64 = 5.0;

/// The noise of a machine, measured with rounds of unchanged code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Calibration {
    schema: String,
    /// Time of the measurement, RFC 3339.
    pub(crate) created: String,
    /// Machine that was measured.
    pub(crate) host: Host,
    /// Noise per benchmark; each benchmark appears once.
    pub(crate) benchmarks: Vec<BenchmarkNoise>,
}

/// The noise of one benchmark. Variances and drift refer to the logarithms of launch medians.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BenchmarkNoise {
    /// Name of the benchmark: `group/function/parameter`.
    pub(crate) id: String,
    /// Cargo package of the benchmark. `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    /// Number of rounds that the figures were estimated from.
    pub(crate) rounds: usize,
    /// Half of all comparisons over five rounds without a change show at least this change, as a
    /// share.
    pub(crate) noise_floor: f64,
    /// Variance of the difference of partners.
    pub(crate) difference_variance: f64,
    /// Variance of the launches of one side.
    pub(crate) launch_variance: f64,
    /// Correlation of partners. It decides whether they are compared launch by launch.
    pub(crate) correlation: f64,
    /// Variance of the logarithms of samples within their launch. `None` if launches have one
    /// value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) within_variance: Option<f64>,
    /// Variance of launches beyond what their samples explain. `None` if launches have one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) between_variance: Option<f64>,
    /// Correlation of a launch with the previous launch. `None` if it cannot be computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) autocorrelation: Option<f64>,
    /// Slope over time, per launch.
    pub(crate) drift: f64,
    /// Two groups of launches that lie far apart. `None` if the launches form one group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) modes: Option<LaunchModes>,
    /// Slowdowns found with 80 % power, by number of rounds.
    pub(crate) minimum_detectable: Vec<DetectableSlowdown>,
    /// How to spend the time of a measurement. `None` if launches have one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<EffortAdvice>,
}

/// The slowdown found with 80 % power after a number of rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetectableSlowdown {
    /// Number of rounds.
    pub(crate) rounds: usize,
    /// Slowdown beyond the tolerated slowdown, as a share.
    pub(crate) slowdown: f64,
}

/// Estimates the noise of a benchmark from rounds of unchanged code.
///
/// Returns `None` if the sides differ in length, if there are fewer than two rounds, or if launches
/// do not vary at all.
pub(crate) fn estimate_noise(partners: &PartnerMedians) -> Option<NoiseHistory> {
    let PartnerMedians { baseline, candidate } = partners;
    if baseline.len() != candidate.len() || baseline.len() < 2 {
        return None;
    }
    let differences: Vec<f64> = baseline.iter().zip(candidate).map(|(a, b)| b - a).collect();
    let difference_variance = Moments::from_values(&differences).ok()?.variance();
    let launch_variance = 0.5
        * (Moments::from_values(baseline).ok()?.variance()
            + Moments::from_values(candidate).ok()?.variance());
    // Half of the differences of a normal distribution with mean zero exceed this many standard
    // deviations in absolute value.
    let median_of_normal = normal::normal_upper_quantile(0.25);
    let floor = median_of_normal * (difference_variance / FLOOR_ROUNDS).sqrt();
    (launch_variance > 0.0).then_some(NoiseHistory {
        rounds: baseline.len(),
        difference_variance,
        launch_variance,
        correlation: compute_partner_correlation(baseline, candidate).unwrap_or(0.0),
        noise_floor: floor.exp_m1(),
    })
}

impl Calibration {
    /// Estimates the noise of a machine from two runs of the same code, measured in rounds.
    ///
    /// `find_cost` returns what a launch and a call of a benchmark cost. The number of compared
    /// benchmarks counts as the number that a gate would judge together. Benchmarks with fewer than
    /// two rounds, or without any variation, are left out.
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

    /// Reads a calibration from JSON.
    ///
    /// # Errors
    ///
    /// Fails if `json` is not a calibration of a known schema.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, FileError> {
        check_schema(json, &[CALIBRATION_SCHEMA], None)?;
        Ok(serde_json::from_slice(json)?)
    }

    /// Returns this calibration with the benchmarks of an earlier one that were not measured again.
    #[must_use]
    pub(crate) fn with_earlier(mut self, earlier: Option<Self>) -> Self {
        let measured_ids: HashSet<BenchmarkId> =
            self.benchmarks.iter().map(BenchmarkNoise::to_id).collect();
        let earlier = earlier.into_iter().flat_map(|earlier| earlier.benchmarks);
        self.benchmarks
            .extend(earlier.filter(|benchmark| !measured_ids.contains(&benchmark.to_id())));
        self
    }

    /// Returns the part that decisions need, by benchmark.
    pub(crate) fn noise_histories(&self) -> BTreeMap<BenchmarkId, NoiseHistory> {
        self.benchmarks
            .iter()
            .map(|benchmark| (benchmark.to_id(), benchmark.to_noise_history()))
            .collect()
    }
}

impl BenchmarkNoise {
    /// Estimates the noise of one benchmark in a suite of `entered` benchmarks. Returns `None` if
    /// its noise cannot be estimated.
    fn from_comparison(
        comparison: &BenchmarkComparison<'_>,
        entered: usize,
        pace: LaunchCost,
    ) -> Option<Self> {
        // The noise comes from the partners of each round. Drift, modes and parts of the variance
        // come from all launches in the order of time.
        let noise = estimate_noise(&comparison.match_partners())?;
        let (baseline, candidate) = (comparison.baseline?, comparison.candidate?);
        // Launches of no time have no noise that means anything.
        let _ = (baseline.compute_typical_median()?, candidate.compute_typical_median()?);
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

    /// Returns the id of the benchmark.
    pub(crate) fn to_id(&self) -> BenchmarkId {
        BenchmarkId { name: self.id.clone(), package: self.package.clone() }
    }

    /// Returns the part that decisions need.
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

/// Returns the detectable slowdown after each listed number of rounds, in a suite of `entered`
/// benchmarks. Numbers of rounds without a result are left out.
fn list_detectable_slowdowns(noise: &NoiseHistory, entered: usize) -> Vec<DetectableSlowdown> {
    let entries = LISTED_ROUNDS.into_iter().filter_map(|rounds| {
        let slowdown = compute_slowdown_after(rounds, noise, entered)?;
        Some(DetectableSlowdown { rounds, slowdown })
    });
    entries.collect()
}

/// Returns the slowdown, as a share, that a single look after `rounds` rounds finds with 80 %
/// power. Returns `None` if no test is possible.
fn compute_slowdown_after(rounds: usize, noise: &NoiseHistory, entered: usize) -> Option<f64> {
    // A history that is too short decides neither the form of the test nor the degrees of freedom.
    let correlation = (noise.rounds >= MIN_HISTORY_ROUNDS).then_some(noise.correlation);
    let form = choose_test_form(rounds, correlation, None);
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
    let alpha = compute_benchmark_alpha(entered);
    power::find_detectable_effect_after(rounds, form, variance.sqrt(), prior, alpha)
        .map(f64::exp_m1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::LookHorizon;
    use crate::verdict::look_plan::choose_look_plan;

    fn partners(baseline: &[f64], candidate: &[f64]) -> PartnerMedians {
        PartnerMedians { baseline: baseline.to_vec(), candidate: candidate.to_vec() }
    }

    #[test]
    fn noise_is_what_other_software_finds() {
        // Python 3.11: `statistics.variance` of the differences, and the mean of both sides'
        // variances.
        let noise = estimate_noise(&partners(&[0.01, 0.03, 0.02, 0.05], &[0.02, 0.02, 0.04, 0.04]))
            .unwrap();
        assert!((noise.difference_variance - 2.25e-4).abs() < 1e-15);
        assert!((noise.launch_variance - 2.125e-4).abs() < 1e-15);
        assert_eq!((noise.rounds, noise.correlation), (4, 0.0));
        // expm1(statistics.NormalDist().inv_cdf(.75) * sqrt(2.25e-4 / 5))
        assert!((noise.noise_floor - 0.004_534_866_3).abs() < 1e-9, "{}", noise.noise_floor);
    }

    #[test]
    fn rounds_that_show_no_noise_are_not_a_history() {
        assert_eq!(estimate_noise(&partners(&[0.1; 20], &[0.1; 20])), None);
        assert_eq!(estimate_noise(&partners(&[0.1], &[0.2])), None);
        assert_eq!(estimate_noise(&partners(&[0.1, 0.2], &[0.2])), None);
    }

    #[test]
    fn a_slowdown_is_listed_only_where_a_look_is_planned() {
        let plan = choose_look_plan(1.0, 0.0, LookHorizon::default());
        for rounds in LISTED_ROUNDS {
            assert_eq!(plan.find_next_look(rounds - 1), Some(rounds));
        }
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
