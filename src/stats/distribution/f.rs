//! Fisher's F distribution: the distribution of the ratio of two independent estimates of the same
//! variance.

#![expect(clippy::many_single_char_names, reason = "the letters of the formulas")]

use super::{beta, normal};

/// Returns `P(F > f)` for `numerator` and `denominator` degrees of freedom, to full relative
/// precision.
pub(crate) fn f_upper_tail(f: f64, numerator: f64, denominator: f64) -> f64 {
    if f <= 0.0 {
        return 1.0;
    }
    let odds = numerator * f / denominator;
    let (x, y) = (odds / (1.0 + odds), 1.0 / (1.0 + odds));
    beta::regularized_incomplete_beta(0.5 * numerator, 0.5 * denominator, x, y).1
}

/// Returns the median of F with `numerator` and `denominator` degrees of freedom, to ten digits.
pub(crate) fn f_median(numerator: f64, denominator: f64) -> f64 {
    f_upper_quantile(0.5, numerator, denominator)
}

/// Returns the `f` with `P(F > f) = tail`; `tail` is strictly between 0 and 1.
///
/// Uses the secant method on the logarithm of `f`, starting from the cube-root approximation of
/// Paulson 1942.
pub(crate) fn f_upper_quantile(tail: f64, numerator: f64, denominator: f64) -> f64 {
    let compute_excess = |u: f64| {
        let p = f_upper_tail(u.exp(), numerator, denominator);
        (p / (1.0 - p)).ln() - (tail / (1.0 - tail)).ln()
    };
    let mut last = approximate_by_paulson(tail, numerator, denominator);
    let mut last_excess = compute_excess(last);
    let mut u = last + 0.01;
    for _ in 0..60 {
        let here = compute_excess(u);
        let slope = (here - last_excess) / (u - last);
        if slope >= 0.0 {
            break;
        }
        let step = (here / slope).clamp(-2.0, 2.0);
        (last, last_excess) = (u, here);
        u -= step;
        if step.abs() < 1e-11 {
            break;
        }
    }
    u.exp()
}

/// Returns the logarithm of the approximate quantile. The cube root of F is nearly a ratio of two
/// normals.
fn approximate_by_paulson(tail: f64, numerator: f64, denominator: f64) -> f64 {
    let z = normal::approximate_normal_upper_quantile(tail);
    let (a, b) = (2.0 / (9.0 * numerator), 2.0 / (9.0 * denominator));
    let (p, q) = (1.0 - b, 1.0 - a);
    let curvature = p * p - z * z * b;
    if curvature <= 0.1 {
        return 0.0;
    }
    let root = (p * q + z * (p * p * a + q * q * b - z * z * a * b).max(0.0).sqrt()) / curvature;
    3.0 * root.max(0.05).ln()
}

#[cfg(test)]
mod tests {
    use super::{f_upper_quantile, f_upper_tail};

    #[test]
    fn quantiles_agree_with_mpmath() {
        // mpmath 1.3, 40 digits: findroot of
        // betainc(b/2, a/2, 0, b/(b + a·f), regularized=True) - tail
        for (tail, a, b, f) in [
            (0.5, 4.0, 15.0, 0.878_304_944_367_851_7),
            (0.5, 2.0, 15.0, 0.726_187_347_709_694_7),
            (0.5, 38.0, 15.0, 1.027_780_051_557_548_9),
            (0.05, 2.0, 3.0, 9.552_094_495_921_159),
            (0.05, 8.5, 15.0, 2.612_875_045_140_912_7),
            (0.001, 4.0, 15.0, 8.252_683_744_701_55),
            (0.95, 4.0, 15.0, 0.170_712_397_973_795_24),
        ] {
            assert!((f_upper_quantile(tail, a, b) / f - 1.0).abs() < 1e-10, "{tail} {a} {b}");
            assert!((f_upper_tail(f, a, b) / tail - 1.0).abs() < 1e-12, "{tail} {a} {b}");
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "exact by definition")]
    fn nothing_is_below_zero() {
        assert_eq!(f_upper_tail(0.0, 3.0, 4.0), 1.0);
    }
}
