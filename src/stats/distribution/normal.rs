//! Standard normal distribution: its tail and quantile, for tests with many degrees of freedom.

use std::f64::consts::{SQRT_2, TAU};

use statrs::function::erf::erfc_inv;

/// Returns `P(Z > z)` of a standard normal `Z`, to full relative precision in the upper tail.
///
/// Uses a power series around zero and Laplace's continued fraction beyond it (Abramowitz & Stegun
/// 26.2.11 and 26.2.14). The `erfc` of `statrs` is accurate to only eleven digits.
pub(crate) fn normal_upper_tail(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - normal_upper_tail(-z);
    }
    if z < 2.0 {
        0.5 - normal_density(z) * sum_normal_central_series(z)
    } else {
        normal_density(z) * mills_ratio(z)
    }
}

/// Returns the `z` with `P(Z > z) = tail`; `tail` is strictly between 0 and 1.
pub(crate) fn normal_upper_quantile(tail: f64) -> f64 {
    let z = approximate_normal_upper_quantile(tail);
    // One Newton step on the logarithm of the tail doubles the digits.
    let reached = normal_upper_tail(z);
    z + (reached / tail).ln() * reached / normal_density(z)
}

/// Returns [`normal_upper_quantile`] to ten digits, as a starting value for refinements.
pub(in crate::stats) fn approximate_normal_upper_quantile(tail: f64) -> f64 {
    SQRT_2 * erfc_inv(2.0 * tail)
}

pub(in crate::stats) fn normal_density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / TAU.sqrt()
}

/// Returns `P(0 < Z < z) ÷ density(z)`.
fn sum_normal_central_series(z: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (z, z, 1.0);
    while term > f64::EPSILON * sum {
        odd += 2.0;
        term *= z * z / odd;
        sum += term;
    }
    sum
}

/// Returns `P(Z > z) ÷ density(z)` for `z ≥ 2`. The continued fraction is evaluated from the inside
/// outwards.
fn mills_ratio(z: f64) -> f64 {
    // The remainder after level n falls like exp(−z √8n), so that larger z need fewer levels.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "8 to 108")]
    let depth = (400.0 / (z * z)) as u32 + 8;
    let tail = (1..=depth).rev().map(f64::from).fold(z, |inner, level| z + level / inner);
    1.0 / tail
}

#[cfg(test)]
mod tests {
    use super::{normal_upper_quantile, normal_upper_tail};

    #[test]
    fn tails_and_quantiles_agree_with_mpmath() {
        // mpmath 1.3, 40 digits: erfc(z / sqrt(2)) / 2 at z = -1.5, 0.5, 3, 10, 37
        for (z, tail) in [
            (-1.5, 0.933_192_798_731_141_9),
            (0.5, 0.308_537_538_725_986_9),
            (3.0, 0.001_349_898_031_630_094_5),
            (10.0, 7.619_853_024_160_526e-24),
            (37.0, 5.725_571_222_524_6e-300),
        ] {
            assert!((normal_upper_tail(z) / tail - 1.0).abs() < 1e-13, "{z}");
            assert!((normal_upper_quantile(tail) / z - 1.0).abs() < 1e-12, "{z}");
        }
    }
}
