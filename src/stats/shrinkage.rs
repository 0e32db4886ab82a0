//! Stabilizes the standard errors of a few launches with the variance that earlier measurements
//! showed, and guards against a history that no longer holds.

use super::distribution::f::{f_median, f_upper_tail};
use super::summary;
use super::test::t::{StandardError, TTest};

/// Largest number of degrees of freedom that history contributes to one variance. Variances differ
/// between days by more than their sampling error.
const MAX_PRIOR_DEGREES: f64 = 15.0;

/// Smallest number of benchmarks from which a common change of the noise is estimated.
pub(crate) const MIN_SUITE_SIZE: usize = 10;

/// Smallest probability of a benchmark's variance under its prior. Below it, the prior no longer
/// applies to the benchmark.
const MIN_PRIOR_CHANCE: f64 = 0.05;

/// Variance that is known from history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct VariancePrior {
    /// Variance of one launch or of one difference, positive and finite.
    variance: f64,
    /// Degrees of freedom of `variance`, positive.
    degrees_of_freedom: f64,
}

impl VariancePrior {
    /// Builds a prior from a `variance` that was estimated with `degrees_of_freedom`.
    ///
    /// Returns `None` unless both are positive and the variance is finite.
    pub(crate) fn new(variance: f64, degrees_of_freedom: f64) -> Option<Self> {
        let is_usable = variance > 0.0 && variance.is_finite() && degrees_of_freedom > 0.0;
        is_usable.then_some(Self { variance, degrees_of_freedom })
    }

    /// Returns the standard error of the difference of two means, if this is the variance of one
    /// launch. `baseline` and `candidate` are numbers of launches.
    ///
    /// Each side's variance may use at most [`MAX_PRIOR_DEGREES`]. Both together use at most the
    /// degrees of freedom of the history.
    pub(crate) fn compute_error_of_two_means(
        &self,
        baseline: usize,
        candidate: usize,
    ) -> StandardError {
        self.compute_error(1.0 / baseline as f64 + 1.0 / candidate as f64, 2.0 * MAX_PRIOR_DEGREES)
    }

    /// Returns the standard error of the mean of `rounds` differences, if this is the variance of
    /// one difference.
    pub(crate) fn compute_error_of_differences(&self, rounds: usize) -> StandardError {
        self.compute_error(1.0 / rounds as f64, MAX_PRIOR_DEGREES)
    }

    fn compute_error(&self, factor: f64, max_degrees: f64) -> StandardError {
        StandardError {
            value: (self.variance * factor).sqrt(),
            degrees_of_freedom: self.degrees_of_freedom.min(max_degrees),
        }
    }
}

/// Returns `test` with its squared standard error averaged with that of the prior, weighted by
/// their degrees of freedom. The degrees of freedom add up.
///
/// This is the posterior of a normal variance under a scaled inverse-χ² prior (Smyth 2004, eq. 3).
/// The difference does not change.
pub(crate) fn shrink(test: TTest, prior: StandardError) -> TTest {
    let degrees_of_freedom = test.degrees_of_freedom + prior.degrees_of_freedom;
    let observed = test.standard_error * (test.degrees_of_freedom / degrees_of_freedom).sqrt();
    let expected = prior.value * (prior.degrees_of_freedom / degrees_of_freedom).sqrt();
    TTest { standard_error: observed.hypot(expected), degrees_of_freedom, ..test }
}

/// Returns the priors that may be used at one look, one per benchmark of the suite, in the same
/// order.
///
/// `looks` holds the observed standard error of each benchmark and its prior. If the suite has at
/// least [`MIN_SUITE_SIZE`] benchmarks, all prior variances are first widened together, by the
/// median of observed ÷ prior variance over its expectation. They are never narrowed. The result is
/// `None` for a benchmark whose observed variance is still beyond the 95 % quantile of F.
pub(crate) fn select_usable_priors(
    looks: &[(StandardError, StandardError)],
) -> Vec<Option<StandardError>> {
    let widening = if looks.len() < MIN_SUITE_SIZE { 1.0 } else { compute_common_widening(looks) };
    let usable = looks.iter().map(|(observed, prior)| {
        let value = prior.value * widening.sqrt();
        let ratio = (observed.value / value).powi(2);
        let chance = f_upper_tail(ratio, observed.degrees_of_freedom, prior.degrees_of_freedom);
        (chance >= MIN_PRIOR_CHANCE).then_some(StandardError { value, ..*prior })
    });
    usable.collect()
}

/// Returns the factor by which the variances of the whole suite exceed the history, at least 1.
fn compute_common_widening(looks: &[(StandardError, StandardError)]) -> f64 {
    // Most benchmarks of a suite have the same degrees of freedom, so the last median is cached.
    let mut last_median = (f64::NAN, f64::NAN, f64::NAN);
    let mut ratios: Vec<f64> = looks
        .iter()
        .map(|(observed, prior)| {
            let (a, b) = (observed.degrees_of_freedom, prior.degrees_of_freedom);
            if (last_median.0, last_median.1) != (a, b) {
                last_median = (a, b, f_median(a, b));
            }
            (observed.value / prior.value).powi(2) / last_median.2
        })
        .collect();
    summary::compute_median_in_place(&mut ratios).unwrap_or(1.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::{MIN_SUITE_SIZE, select_usable_priors};
    use crate::stats::test::t::StandardError;

    const PRIOR: StandardError = StandardError { value: 0.01, degrees_of_freedom: 15.0 };

    fn suite(count: usize, value: f64) -> Vec<(StandardError, StandardError)> {
        vec![(StandardError { value, degrees_of_freedom: 4.0 }, PRIOR); count]
    }

    #[test]
    fn a_suite_three_times_as_noisy_as_its_history_widens_every_prior() {
        let kept = select_usable_priors(&suite(MIN_SUITE_SIZE, 0.03));
        // 9 ÷ the median of F(4, 15), 0.8783 by mpmath, is the factor on the variance.
        let expected = 0.01 * (9.0_f64 / 0.878_304_944_367_851_7).sqrt();
        for prior in kept {
            assert!((prior.expect("kept").value / expected - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_small_suite_drops_the_priors_instead() {
        assert!(select_usable_priors(&suite(MIN_SUITE_SIZE - 1, 0.03)).iter().all(Option::is_none));
    }

    #[test]
    fn a_quieter_suite_keeps_its_priors_as_they_are() {
        assert!(
            select_usable_priors(&suite(MIN_SUITE_SIZE, 0.001))
                .iter()
                .all(|prior| *prior == Some(PRIOR))
        );
    }

    #[test]
    fn one_benchmark_beyond_f_95_loses_its_prior_and_the_others_keep_theirs() {
        // mpmath: the 95 % quantile of F(4, 15) is 3.0556
        let mut looks = suite(MIN_SUITE_SIZE, 0.008);
        looks[3].0.value = 0.01 * 3.06_f64.sqrt();
        looks[5].0.value = 0.01 * 3.05_f64.sqrt();
        let kept = select_usable_priors(&looks);
        assert_eq!(kept.iter().filter(|prior| prior.is_none()).count(), 1);
        assert!(kept[3].is_none());
    }
}
