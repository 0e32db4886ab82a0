//! Regularized incomplete beta function, from which the tails of t, F and the binomial follow.
//!
//! `statrs` stops its continued fraction after 140 steps. It also forms the prefactor from
//! differences of log-gammas, which costs six digits at 100,000 degrees of freedom. Both matter
//! here.

#![expect(clippy::many_single_char_names, reason = "the letters of the formulas")]

use std::f64::consts::TAU;

use statrs::function::gamma::ln_gamma;

/// Maximum number of steps of the continued fraction, far more than any argument needs. It guards
/// against NaN and is not a tuning parameter.
const MAX_STEPS: u32 = 10_000;

/// Returns `(I_x(a, b), 1 − I_x(a, b))`, each to full relative precision.
///
/// `a` and `b` are positive; `x` and `y` are in `[0, 1]`. `y` is `1 − x`. The caller passes it
/// because the caller often knows it more precisely.
pub(in crate::stats) fn regularized_incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if y <= 0.0 {
        return (1.0, 0.0);
    }
    let kernel = compute_kernel(a, b, x, y);
    if x * (a + b) <= a {
        let lower = kernel * evaluate_continued_fraction(a, b, x, y);
        (lower, 1.0 - lower)
    } else {
        let upper = kernel * evaluate_continued_fraction(b, a, y, x);
        (1.0 - upper, upper)
    }
}

/// Returns `I_x(a, b) ÷ (x^a · y^b ÷ B(a, b))` for `x` not much above `a ÷ (a + b)`.
///
/// Uses the continued fraction of Didonato & Morris 1992 (ACM TOMS 18, eq. 9), evaluated by Lentz's
/// method.
pub(super) fn evaluate_continued_fraction(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let slope = a * y - b * x + 1.0;
    let start = a * slope / (a + 1.0);
    let mut value = if start == 0.0 { f64::MIN_POSITIVE } else { start };
    let (mut upper, mut lower) = (value, 0.0);
    for step in 1..MAX_STEPS {
        let m = f64::from(step);
        let k = a + 2.0 * m - 1.0;
        let numerator = (a + m - 1.0) * (a + b + m - 1.0) * m * (b - m) * x * x / (k * k);
        let denominator =
            m + m * (b - m) * x / k + (a + m) * (slope + m * (2.0 - x)) / (a + 2.0 * m + 1.0);
        lower = 1.0 / (denominator + numerator * lower);
        upper = denominator + numerator / upper;
        let factor = upper * lower;
        value *= factor;
        if (factor - 1.0).abs() < 2.0 * f64::EPSILON {
            break;
        }
    }
    1.0 / value
}

/// Returns `x^a · y^b ÷ B(a, b)` by the saddle-point expansion of Loader 2000 ("Fast and accurate
/// computation of binomial probabilities"), which loses no digits for large `a` and `b`.
fn compute_kernel(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    let correction =
        compute_stirling_error(n) - compute_stirling_error(a) - compute_stirling_error(b);
    let deviance = compute_deviance(a, n * x) + compute_deviance(b, n * y);
    (correction - deviance).exp() * (a * b / (n * TAU)).sqrt()
}

/// Returns `a · ln(a ÷ m) + m − a`, without cancellation for `a` near `m`.
fn compute_deviance(a: f64, m: f64) -> f64 {
    let distance = a - m;
    if distance.abs() >= 0.1 * (a + m) {
        return a * (a / m).ln() - distance;
    }
    let v = distance / (a + m);
    let mut term = 2.0 * a * v;
    let mut sum = distance * v;
    for odd in (3..).step_by(2).map(f64::from).take(1000) {
        term *= v * v;
        sum += term / odd;
        if term.abs() < f64::EPSILON * sum.abs() {
            break;
        }
    }
    sum
}

/// Returns `ln Γ(z + 1) − (z + ½) ln z + z − ½ ln 2π`.
fn compute_stirling_error(z: f64) -> f64 {
    if z < 15.0 {
        return ln_gamma(z + 1.0) - (z + 0.5) * z.ln() + z - 0.5 * TAU.ln();
    }
    let w = 1.0 / (z * z);
    (1.0 / 12.0 - w * (1.0 / 360.0 - w * (1.0 / 1260.0 - w * (1.0 / 1680.0 - w / 1188.0)))) / z
}

#[cfg(test)]
mod tests {
    use super::regularized_incomplete_beta;

    // mpmath 1.3, 40 digits:
    // betainc(a, b, 0, x, regularized=True) and betainc(a, b, x, 1, regularized=True)
    #[track_caller]
    fn check(a: f64, b: f64, x: f64, lower: f64, upper: f64) {
        let (l, u) = regularized_incomplete_beta(a, b, x, 1.0 - x);
        assert!((l / lower - 1.0).abs() < 1e-12, "lower {l} is not {lower}");
        assert!((u / upper - 1.0).abs() < 1e-12, "upper {u} is not {upper}");
    }

    #[test]
    fn both_tails_agree_with_mpmath() {
        check(0.5, 0.5, 0.25, 0.333_333_333_333_333_3, 0.666_666_666_666_666_6);
        check(2.0, 7.5, 0.125, 0.288_291_571_829_057_24, 0.711_708_428_170_942_7);
        check(7.5, 9.5, 0.5, 0.690_692_049_005_355_9, 0.309_307_950_994_644_13);
        check(50.0, 3.0, 0.75, 5.277_409_935_828_525e-5, 0.999_947_225_900_641_7);
        check(500.0, 9501.0, 0.054_687_5, 0.982_415_612_191_738_7, 0.017_584_387_808_261_28);
        check(1.0, 20.0, 0.875, 1.0, 0.125_f64.powi(20));
    }
}
