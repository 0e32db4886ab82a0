//! Tests of a difference that follows Student's t: Welch's test for two independent sides, the
//! paired test for rounds.

use crate::stats::StatsError;
use crate::stats::distribution::t::{t_upper_quantile, t_upper_tail};
use crate::stats::summary::Moments;

/// Estimated difference `candidate − baseline` that is t-distributed around the true difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TTest {
    /// Candidate minus baseline, in the unit of the values (a log ratio for logarithms).
    pub(crate) difference: f64,
    /// Standard error of `difference`; zero if neither side varies.
    pub(crate) standard_error: f64,
    /// Degrees of freedom of `standard_error`; infinite if the standard error is known exactly.
    pub(crate) degrees_of_freedom: f64,
}

impl TTest {
    /// Returns `(difference − null) ÷ standard_error`.
    ///
    /// The value is infinite if a difference is certain. It is NaN if neither side varies and the
    /// difference is exactly `null`.
    pub(crate) fn t_statistic(&self, null: f64) -> f64 {
        (self.difference - null) / self.standard_error
    }

    /// Returns the p-value of "the difference is not `null`".
    ///
    /// The value is 1 if neither side varies and the difference equals `null`. It is 0 if neither
    /// side varies and the difference is another one; it should be shown as "less than" the
    /// smallest displayed number.
    pub(crate) fn p_two_sided(&self, null: f64) -> f64 {
        let t = self.t_statistic(null);
        if t.is_nan() { 1.0 } else { 2.0 * t_upper_tail(t.abs(), self.degrees_of_freedom) }
    }

    /// Returns the p-value of "the difference is greater than `null`"; 1 if it certainly equals
    /// `null`.
    pub(crate) fn p_greater(&self, null: f64) -> f64 {
        let t = self.t_statistic(null);
        if t.is_nan() { 1.0 } else { t_upper_tail(t, self.degrees_of_freedom) }
    }

    /// Returns the p-value of "the difference is less than `null`"; 1 if it certainly equals
    /// `null`.
    pub(crate) fn p_less(&self, null: f64) -> f64 {
        let t = self.t_statistic(null);
        if t.is_nan() { 1.0 } else { t_upper_tail(-t, self.degrees_of_freedom) }
    }

    /// Returns the one-sided lower bound: the true difference is below it with probability `alpha`.
    pub(crate) fn lower_bound(&self, alpha: f64) -> f64 {
        self.difference - self.margin_of_error(alpha)
    }

    /// Returns the one-sided upper bound: the true difference is above it with probability `alpha`.
    pub(crate) fn upper_bound(&self, alpha: f64) -> f64 {
        self.difference + self.margin_of_error(alpha)
    }

    /// Returns the two-sided interval `(low, high)` that holds the true difference with probability
    /// `confidence`.
    pub(crate) fn confidence_interval(&self, confidence: f64) -> (f64, f64) {
        let margin = self.margin_of_error(0.5 * (1.0 - confidence));
        (self.difference - margin, self.difference + margin)
    }

    fn margin_of_error(&self, alpha: f64) -> f64 {
        if self.standard_error == 0.0 {
            return 0.0;
        }
        t_upper_quantile(alpha, self.degrees_of_freedom) * self.standard_error
    }
}

/// Standard error and the precision with which it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StandardError {
    /// Standard error, in the unit of the values.
    pub(crate) value: f64,
    /// Degrees of freedom of the squared standard error; infinite if the standard error is known
    /// exactly.
    pub(crate) degrees_of_freedom: f64,
}

/// Computes Welch's test of two independent series (Welch 1947), which does not assume equal
/// variances.
///
/// Assumes independent, roughly normal values. For logarithms, the difference is a log ratio.
///
/// # Errors
///
/// Fails if a side has fewer than two values, or if a value is not finite.
pub(crate) fn compute_welch_test(baseline: &[f64], candidate: &[f64]) -> Result<TTest, StatsError> {
    compute_welch_test_from_moments(
        &Moments::from_values(baseline)?,
        &Moments::from_values(candidate)?,
    )
}

/// Computes [`compute_welch_test`] from the count, mean and standard deviation of each side.
///
/// # Errors
///
/// Fails if a side has fewer than two values.
pub(crate) fn compute_welch_test_from_moments(
    baseline: &Moments,
    candidate: &Moments,
) -> Result<TTest, StatsError> {
    Ok(combine_standard_errors(
        baseline.difference_to(candidate),
        compute_standard_error(baseline)?,
        compute_standard_error(candidate)?,
    ))
}

/// Returns the standard error of the mean of one side. Fails if the side has fewer than two values.
fn compute_standard_error(side: &Moments) -> Result<StandardError, StatsError> {
    match side.count() {
        got @ ..2 => Err(StatsError::TooFew { needed: 2, got }),
        count => Ok(StandardError {
            value: side.standard_error(),
            degrees_of_freedom: count as f64 - 1.0,
        }),
    }
}

/// Returns the test of a `difference` between two sides that have their own standard errors, such
/// as shrunken ones.
///
/// Standard errors add in squares. Degrees of freedom follow [`combine_degrees_of_freedom`].
pub(crate) fn combine_standard_errors(
    difference: f64,
    baseline: StandardError,
    candidate: StandardError,
) -> TTest {
    TTest {
        difference,
        standard_error: baseline.value.hypot(candidate.value),
        degrees_of_freedom: combine_degrees_of_freedom(baseline, candidate),
    }
}

/// Returns the degrees of freedom of the sum of two squared standard errors (Satterthwaite 1946).
///
/// If both standard errors are zero, nothing is estimated, and the function returns the sum of both
/// degrees of freedom.
pub(crate) fn combine_degrees_of_freedom(a: StandardError, b: StandardError) -> f64 {
    let larger = a.value.max(b.value);
    if larger == 0.0 {
        return a.degrees_of_freedom + b.degrees_of_freedom;
    }
    let (va, vb) = ((a.value / larger).powi(2), (b.value / larger).powi(2));
    let parts = va * va / a.degrees_of_freedom + vb * vb / b.degrees_of_freedom;
    (va + vb) * (va + vb) / parts
}

/// Computes Student's test of the differences within pairs: `baseline[i]` and `candidate[i]` belong
/// together.
///
/// Assumes independent, roughly normal differences (Student 1908).
///
/// # Errors
///
/// Fails if the sides differ in length or have fewer than two values, or if a value is not finite.
pub(crate) fn compute_paired_test(
    baseline: &[f64],
    candidate: &[f64],
) -> Result<TTest, StatsError> {
    if baseline.len() != candidate.len() {
        return Err(StatsError::UnequalLengths {
            baseline: baseline.len(),
            candidate: candidate.len(),
        });
    }
    let differences: Vec<f64> = baseline.iter().zip(candidate).map(|(a, b)| b - a).collect();
    compute_one_sample_test(&differences)
}

/// Computes Student's one-sample test of `differences`, each `candidate − baseline` of one pair.
///
/// # Errors
///
/// Fails if there are fewer than two differences, or if one is not finite.
pub(crate) fn compute_one_sample_test(differences: &[f64]) -> Result<TTest, StatsError> {
    if differences.len() < 2 {
        return Err(StatsError::TooFew { needed: 2, got: differences.len() });
    }
    let summary = Moments::from_values(differences)?;
    Ok(TTest {
        difference: summary.mean(),
        standard_error: summary.standard_error(),
        degrees_of_freedom: differences.len() as f64 - 1.0,
    })
}

/// Returns the two-sided interval of the mean of normal values (Student 1908), which leaves out
/// `tail` on each side.
///
/// On logarithms, `exp` of its ends is the interval of the geometric mean. Returns `None` for fewer
/// than two values.
pub(crate) fn compute_mean_interval(values: &Moments, tail: f64) -> Option<(f64, f64)> {
    (values.count() > 1).then(|| {
        let margin = t_upper_quantile(tail, values.count() as f64 - 1.0) * values.standard_error();
        (values.mean() - margin, values.mean() + margin)
    })
}

/// Computes Welch's test, with the standard error of the mean difference of pairs where that is
/// larger.
///
/// It is for pairs whose correlation is not known: Welch's standard error is too small if partners
/// repel each other. The degrees of freedom are those of Welch's test.
///
/// # Errors
///
/// Fails as [`compute_welch_test`] or [`compute_paired_test`] does.
pub(crate) fn compute_cautious_test(
    baseline: &[f64],
    candidate: &[f64],
) -> Result<TTest, StatsError> {
    let paired = compute_paired_test(baseline, candidate)?;
    let welch = compute_welch_test(baseline, candidate)?;
    Ok(TTest { standard_error: welch.standard_error.max(paired.standard_error), ..welch })
}

/// Which launches of the two sides a test compares with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestForm {
    /// All launches of one side with all launches of the other.
    Welch,
    /// Each launch with its partner of the same round.
    Paired,
}

/// Returns the test of `form` on two sides.
///
/// # Errors
///
/// Fails as [`compute_welch_test`] or [`compute_paired_test`] does.
pub(crate) fn compute_t_test(
    form: TestForm,
    baseline: &[f64],
    candidate: &[f64],
) -> Result<TTest, StatsError> {
    match form {
        TestForm::Welch => compute_welch_test(baseline, candidate),
        TestForm::Paired => compute_paired_test(baseline, candidate),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::{TTest, compute_paired_test, compute_welch_test};
    use crate::stats::{StatsError, summary::compute_log_ratios};

    #[track_caller]
    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs())), "{a} is not {b}");
    }

    /// Returns the test of candidate ÷ baseline, on logarithms.
    fn of_ratio(baseline: &[f64], candidate: &[f64]) -> TTest {
        let logs = |side| compute_log_ratios(side, baseline[0]).expect("positive values");
        compute_welch_test(&logs(baseline), &logs(candidate)).expect("two sides")
    }

    fn side() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(1.0..1000.0_f64, 2..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn swapping_the_sides_inverts_the_ratio(a in side(), b in side()) {
            let forth = of_ratio(&a, &b);
            let back = of_ratio(&b, &a);
            close(forth.difference, -back.difference);
            close(forth.lower_bound(0.01), -back.upper_bound(0.01));
            close(forth.p_greater(0.0), back.p_less(0.0));
        }

        #[test]
        fn scaling_all_samples_leaves_the_ratio(a in side(), b in side(), factor in 1e-9..1e9_f64) {
            let scaled = |side: &[f64]| side.iter().map(|x| x * factor).collect::<Vec<_>>();
            let plain = of_ratio(&a, &b);
            let other = of_ratio(&scaled(&a), &scaled(&b));
            close(plain.difference, other.difference);
            close(plain.standard_error, other.standard_error);
        }

        #[test]
        fn the_order_of_the_samples_does_not_matter(a in side(), b in side()) {
            let reversed = |side: &[f64]| side.iter().rev().copied().collect::<Vec<_>>();
            let plain = compute_welch_test(&a, &b).expect("two sides");
            let other = compute_welch_test(&reversed(&a), &reversed(&b)).expect("two sides");
            close(plain.difference, other.difference);
            close(plain.p_two_sided(0.0), other.p_two_sided(0.0));
        }

        #[test]
        fn a_one_sided_bound_is_where_its_p_value_is_alpha(a in side(), b in side()) {
            let test = compute_welch_test(&a, &b).expect("two sides");
            prop_assume!(test.standard_error > 1e-6);
            close(test.p_greater(test.lower_bound(0.01)), 0.01);
            close(test.p_less(test.upper_bound(0.001)), 0.001);
        }
    }

    #[test]
    fn welch_agrees_with_r() {
        // R: t.test(extra ~ group, data = sleep):
        // t = -1.8608, df = 17.776, p = 0.07939, -3.3654832 0.2054832
        let one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let two = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let test = compute_welch_test(&one, &two).expect("two sides");
        assert!((test.t_statistic(0.0) - 1.860_813).abs() < 1e-6);
        assert!((test.degrees_of_freedom - 17.776_474).abs() < 1e-6);
        assert!((test.p_two_sided(0.0) - 0.079_394).abs() < 1e-6);
        let (low, high) = test.confidence_interval(0.95);
        assert!((low + 0.205_483_2).abs() < 1e-6 && (high - 3.365_483_2).abs() < 1e-6);
        // R: t.test(one, two, paired = TRUE): t = -4.0621, p-value = 0.002833
        let together = compute_paired_test(&one, &two).expect("pairs");
        assert!((together.p_two_sided(0.0) - 0.002_832_89).abs() < 1e-8);
    }

    #[test]
    fn without_variance_equal_sides_are_unchanged_and_others_certainly_differ() {
        let equal = compute_welch_test(&[5.0, 5.0], &[5.0, 5.0]).expect("two sides");
        close(equal.p_two_sided(0.0), 1.0);
        assert_eq!(equal.confidence_interval(0.95), (0.0, 0.0));
        let differing = compute_welch_test(&[5.0, 5.0], &[6.0, 6.0]).expect("two sides");
        close(differing.p_two_sided(0.0), 0.0);
        close(differing.p_less(0.0), 1.0);
        assert_eq!(differing.confidence_interval(0.999), (1.0, 1.0));
    }

    #[test]
    fn too_little_or_nonsense_is_not_a_test() {
        assert_eq!(
            compute_welch_test(&[1.0], &[1.0, 2.0]),
            Err(StatsError::TooFew { needed: 2, got: 1 })
        );
        assert_eq!(
            compute_welch_test(&[], &[1.0, 2.0]),
            Err(StatsError::TooFew { needed: 1, got: 0 })
        );
        assert_eq!(compute_welch_test(&[1.0, f64::NAN], &[1.0, 2.0]), Err(StatsError::OutOfRange));
        assert!(compute_paired_test(&[1.0, 2.0], &[1.0]).is_err());
    }

    #[test]
    fn one_value_against_many_is_not_a_test_and_two_are() {
        let many: Vec<f64> = (0..100_000).map(|i| f64::from(i % 17)).collect();
        assert!(compute_welch_test(&[8.0], &many).is_err());
        let TTest { degrees_of_freedom, .. } =
            compute_welch_test(&[8.0, 9.0], &many).expect("two sides");
        assert!((1.0..1.01).contains(&degrees_of_freedom));
    }
}
