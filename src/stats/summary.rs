//! Mean and spread of a series of values, the dependence between its values, and that between two
//! series.

use super::StatsError;

/// Count, mean and standard deviation of a series of values.
///
/// The mean is stored as a reference value plus the mean distance from it, so that differences
/// between means stay exact at offsets of 1e15. The variance is stored on a power-of-two scale, so
/// that the standard deviation survives where a variance would underflow or overflow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moments {
    count: usize,
    /// The first value, which is subtracted from all values.
    reference: f64,
    /// Mean distance of the values from `reference`.
    offset: f64,
    /// Unit in which the spread is stored; a power of two.
    scale: f64,
    /// Variance of the values divided by `scale`.
    scaled_variance: f64,
}

impl Moments {
    /// Summarizes `values` in two passes, after subtracting the first value (Chan, Golub &
    /// `LeVeque` 1983).
    ///
    /// A single value has a standard deviation of zero. Callers that need a spread must check for
    /// two values themselves.
    ///
    /// # Errors
    ///
    /// Fails if there are no values, if a value is not finite, or if their range overflows.
    pub(crate) fn from_values(values: &[f64]) -> Result<Self, StatsError> {
        let Some(&reference) = values.first() else {
            return Err(StatsError::TooFew { needed: 1, got: 0 });
        };
        let count = values.len();
        let largest = values.iter().map(|x| (x - reference).abs()).fold(0.0, f64::max);
        if values.iter().any(|x| !x.is_finite()) || !largest.is_finite() {
            return Err(StatsError::OutOfRange);
        }
        if largest == 0.0 || count == 1 {
            return Ok(Self { count, reference, offset: 0.0, scale: 1.0, scaled_variance: 0.0 });
        }
        let scale = round_to_power_of_two(largest);
        let n = count as f64;
        let mean = values.iter().map(|x| (x - reference) / scale).sum::<f64>() / n;
        let (mut squares, mut distance_sum) = (0.0, 0.0);
        for x in values {
            let distance = (x - reference) / scale - mean;
            squares += distance * distance;
            distance_sum += distance;
        }
        let scaled_variance = (squares - distance_sum * distance_sum / n) / (n - 1.0);
        Ok(Self { count, reference, offset: scale * mean, scale, scaled_variance })
    }

    /// Returns the number of values, at least one.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Returns the arithmetic mean.
    pub(crate) fn mean(&self) -> f64 {
        self.reference + self.offset
    }

    /// Returns the standard deviation with divisor `n − 1`; zero for one value.
    pub(crate) fn standard_deviation(&self) -> f64 {
        self.scale * self.scaled_variance.sqrt()
    }

    /// Returns the variance with divisor `n − 1`; zero for one value. It underflows to zero for
    /// deviations below 1e-162.
    pub(crate) fn variance(&self) -> f64 {
        self.scaled_variance * self.scale * self.scale
    }

    /// Returns the standard error of the mean, assuming independent values.
    pub(crate) fn standard_error(&self) -> f64 {
        self.scale * (self.scaled_variance / self.count as f64).sqrt()
    }

    /// Returns `other`'s mean minus this mean, without rounding either of them.
    pub(crate) fn difference_to(&self, other: &Self) -> f64 {
        (other.reference - self.reference) + (other.offset - self.offset)
    }
}

/// Returns a power of two within a factor of two of `size`, as the exact scale for a sum of
/// squares.
fn round_to_power_of_two(size: f64) -> f64 {
    let exponent = size.log2().floor().clamp(-1000.0, 1000.0);
    exponent.exp2()
}

/// Returns the natural logarithms of `values ÷ reference`. They are exact even if a value and the
/// reference agree in all but the last digits.
///
/// # Errors
///
/// Fails if a value or the reference is not positive and finite.
pub(crate) fn compute_log_ratios(values: &[f64], reference: f64) -> Result<Vec<f64>, StatsError> {
    let mut all = values.iter().chain([&reference]);
    if !all.all(|x| x.is_finite() && *x > 0.0) {
        return Err(StatsError::OutOfRange);
    }
    let log_ratios = values.iter().map(|x| {
        let ratio = x / reference;
        if (0.5..2.0).contains(&ratio) { ((x - reference) / reference).ln_1p() } else { ratio.ln() }
    });
    Ok(log_ratios.collect())
}

/// Returns the median of `values`, which are reordered.
///
/// For an even count, the median is the mean of the middle two values. Returns `None` if `values`
/// is empty.
pub(crate) fn compute_median_in_place(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let is_odd = values.len() % 2 == 1;
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if is_odd {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(0.5 * lower + 0.5 * upper)
}

/// Standard deviation of a normal distribution ÷ its median absolute deviation.
const NORMAL_PER_MAD: f64 = 1.482_602_218_505_602;

/// Estimates the standard deviation of normal values from their absolute `distances` from the
/// median. Outliers hardly move it (Hampel 1974).
///
/// The distances are reordered. Returns `None` if there are none.
pub(crate) fn compute_robust_deviation(distances: &mut [f64]) -> Option<f64> {
    compute_median_in_place(distances).map(|median| NORMAL_PER_MAD * median)
}

/// Returns Pearson's correlation of two sides with the same number of values.
///
/// Returns `None` for fewer than two values, for sides of unequal length, or if a side does not
/// vary.
pub(crate) fn compute_correlation(baseline: &[f64], candidate: &[f64]) -> Option<f64> {
    if baseline.len() != candidate.len() {
        return None;
    }
    let a = Moments::from_values(baseline).ok()?;
    let b = Moments::from_values(candidate).ok()?;
    let n = baseline.len() as f64;
    let products = baseline.iter().zip(candidate).map(|(x, y)| {
        (x - a.mean()) / a.standard_deviation() * ((y - b.mean()) / b.standard_deviation())
    });
    let r = products.sum::<f64>() / (n - 1.0);
    r.is_finite().then_some(r)
}

/// Returns the correlation of the series with itself `lag` steps later, divided by the variance of
/// the whole series (Box, Jenkins & Reinsel 2008, eq. 2.1.13).
///
/// Returns `None` if there are at most `lag` values, or if all values are equal.
pub(crate) fn compute_autocorrelation(series: &[f64], lag: usize) -> Option<f64> {
    let distances = center_series(series)?;
    let whole: f64 = distances.iter().map(|d| d * d).sum();
    let lagged: f64 = distances.iter().zip(distances.get(lag..)?).map(|(d, e)| d * e).sum();
    (whole > 0.0 && lag < series.len()).then(|| lagged / whole)
}

fn center_series(series: &[f64]) -> Option<Vec<f64>> {
    let first = *series.first()?;
    let mean = series.iter().map(|x| x - first).sum::<f64>() / series.len() as f64;
    Some(series.iter().map(|x| (x - first) - mean).collect())
}

#[cfg(test)]
mod tests {
    use super::{Moments, compute_autocorrelation, compute_log_ratios, compute_median_in_place};

    #[test]
    fn extreme_offsets_and_scales_leave_the_spread_exact() {
        // The variance of 1, 2, 3, 4 is 5/3, whatever is added or multiplied by a power of two.
        let spread = (5.0_f64 / 3.0).sqrt();
        for (offset, scale) in [
            (0.0, 1.0),
            (1e15, 1.0),
            (-1e15, 2.0),
            (0.0, 2_f64.powi(-1000)),
            (0.0, 2_f64.powi(1000)),
        ] {
            let values = [1.0, 2.0, 3.0, 4.0].map(|x| offset + scale * x);
            let summary = Moments::from_values(&values).expect("values");
            assert!((summary.standard_deviation() / (spread * scale) - 1.0).abs() < 1e-14);
        }
    }

    #[test]
    fn means_that_differ_in_the_last_digit_differ() {
        let baseline = Moments::from_values(&[1e15, 1e15 + 1.0]).expect("values");
        let candidate = Moments::from_values(&[1e15, 1e15 + 1.0, 1e15 + 1.0]).expect("values");
        assert!((baseline.difference_to(&candidate) - 1.0 / 6.0).abs() < 1e-15);
    }

    #[test]
    fn values_that_have_no_mean_are_refused() {
        assert!(Moments::from_values(&[]).is_err());
        assert!(Moments::from_values(&[1.0, f64::INFINITY]).is_err());
        assert!(Moments::from_values(&[f64::NAN]).is_err());
        assert!(Moments::from_values(&[f64::MAX, -f64::MAX]).is_err());
        assert!(compute_log_ratios(&[1.0, 0.0], 1.0).is_err());
    }

    #[test]
    fn logarithms_relative_to_a_reference_keep_its_last_digit() {
        let logs = compute_log_ratios(&[1e12 + 1.0, 1e-12], 1e12).expect("positive");
        // mpmath: log1p(1e-12) and -24·log(10)
        assert!((logs[0] / 9.999_999_999_995e-13 - 1.0).abs() < 1e-12);
        assert!((logs[1] / -55.262_042_231_857_096 - 1.0).abs() < 1e-14);
    }

    #[test]
    fn medians_of_even_and_odd_counts_and_of_nothing() {
        assert_eq!(compute_median_in_place(&mut [5.0]), Some(5.0));
        assert_eq!(compute_median_in_place(&mut [f64::MAX, f64::MAX]), Some(f64::MAX));
        assert_eq!(compute_median_in_place(&mut []), None);
    }

    #[test]
    fn a_series_that_cannot_tell_its_dependence_has_none() {
        assert_eq!(compute_autocorrelation(&[1.0, 1.0, 1.0], 1), None);
        assert_eq!(compute_autocorrelation(&[1.0, 2.0], 2), None);
    }
}
