//! Student's t distribution, for any positive degrees of freedom (infinite means normal).

#![expect(clippy::many_single_char_names, reason = "the letters of the formulas")]

use std::f64::consts::{LN_2, PI};

use super::{beta, normal};

/// Degrees of freedom from which the normal distribution is identical to double precision.
const NORMAL_FROM: f64 = 1e15;

/// Returns `P(T > t)` for Student's t with `df` degrees of freedom.
///
/// Each tail is computed directly, so that 1e-300 has the same relative precision as 0.1. Returns
/// NaN if `t` or `df` is NaN, or if `df` is not positive.
pub(crate) fn t_upper_tail(t: f64, df: f64) -> f64 {
    if t.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if t < 0.0 {
        return 1.0 - t_upper_tail(-t, df);
    }
    if df >= NORMAL_FROM {
        return normal::normal_upper_tail(t);
    }
    if is_central(t, df) {
        0.5 - t * t_density(t, df) * sum_t_central_series(t, df)
    } else {
        compute_far_tail(t, df)
    }
}

/// Returns the `t` with `P(T > t) = tail` for `df` degrees of freedom.
///
/// Uses Halley's method on the logarithm of the tail, with the starting value of Hill 1970
/// (Algorithm 396, CACM 13). Returns NaN unless `tail` is in `[0, 1]` and `df` is positive.
pub(crate) fn t_upper_quantile(tail: f64, df: f64) -> f64 {
    if !(0.0..=1.0).contains(&tail) || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if tail > 0.5 {
        return -t_upper_quantile(1.0 - tail, df);
    }
    if tail == 0.0 {
        return f64::INFINITY;
    }
    if df >= NORMAL_FROM {
        return normal::normal_upper_quantile(tail);
    }
    if tail > 0.25 { solve_central_quantile(0.5 - tail, df) } else { solve_tail_quantile(tail, df) }
}

/// Returns whether `t ≥ 0` lies where the power series around zero is short, and where subtracting
/// it from one half loses no digits.
fn is_central(t: f64, df: f64) -> bool {
    t * t < 3.0 * df / (df + 2.0)
}

fn t_density(t: f64, df: f64) -> f64 {
    t_density_at_zero(df) * (-0.5 * (df + 1.0) * (t * t / df).ln_1p()).exp()
}

fn t_density_at_zero(df: f64) -> f64 {
    compute_half_step_of_gamma(0.5 * df) / (PI * df).sqrt()
}

/// Returns `P(0 < T < t) ÷ (t · density(t))`, by the hypergeometric series of the incomplete beta
/// function.
fn sum_t_central_series(t: f64, df: f64) -> f64 {
    let y = t * t / (df + t * t);
    let (mut numerator, mut denominator) = (0.5 * df + 0.5, 1.5);
    let (mut term, mut sum) = (1.0, 1.0);
    while term > f64::EPSILON * sum {
        term *= y * numerator / denominator;
        sum += term;
        numerator += 1.0;
        denominator += 1.0;
    }
    sum
}

fn compute_far_tail(t: f64, df: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    // Dividing by t² first keeps both parts exact where t² would overflow or swallow df.
    let w = df / t / t;
    let (x, y) = (w / (1.0 + w), 1.0 / (1.0 + w));
    let kernel =
        (-0.5 * df * (1.0 / w).ln_1p()).exp() * y.sqrt() * compute_half_step_of_gamma(0.5 * df)
            / PI.sqrt();
    0.5 * kernel * beta::evaluate_continued_fraction(0.5 * df, 0.5, x, y)
}

/// Returns `Γ(a + ½) ÷ Γ(a)` by its asymptotic series (DLMF 5.11.13). Small `a` are first raised by
/// recurrence.
fn compute_half_step_of_gamma(a: f64) -> f64 {
    let (mut numerator, mut denominator, mut z) = (1.0, 1.0, a);
    while z < 15.0 {
        numerator *= z;
        denominator *= z + 0.5;
        z += 1.0;
    }
    let w = 1.0 / (z * z);
    let series = w.mul_add(
        w.mul_add(w.mul_add(w.mul_add(-31.0 / 18432.0, 17.0 / 14336.0), -1.0 / 640.0), 1.0 / 192.0),
        -1.0 / 8.0,
    );
    z.sqrt() * (series / z).exp() * numerator / denominator
}

/// Solves `P(0 < T < t) = mass` for `t`, for masses of at most one quarter.
fn solve_central_quantile(mass: f64, df: f64) -> f64 {
    let mut t = mass / t_density_at_zero(df);
    for _ in 0..50 {
        let density = t_density(t, df);
        let newton = (t * density * sum_t_central_series(t, df) - mass) / density;
        let curvature = -(df + 1.0) * t / (df + t * t);
        let step = newton / (1.0 - 0.5 * newton * curvature);
        t -= step;
        if step.abs() <= 1e-7 * t {
            break;
        }
    }
    t
}

/// Solves `ln P(T > t) = ln tail` in `ln t`, where the left side is concave and nearly straight.
fn solve_tail_quantile(tail: f64, df: f64) -> f64 {
    let mut t = guess_quantile(tail, df);
    for _ in 0..50 {
        let reached = t_upper_tail(t, df);
        let elasticity = -t * t_density(t, df) / reached;
        let newton = (reached / tail).ln() / elasticity;
        let curvature = 1.0 - elasticity - (df + 1.0) * t * t / (df + t * t);
        let step = newton / (1.0 - 0.5 * newton * curvature);
        t *= (-step).exp();
        if step.abs() < 1e-5 {
            break;
        }
    }
    t
}

/// Returns a starting value for the quantile: Hill's expansion from three degrees of freedom on,
/// closed forms below.
fn guess_quantile(tail: f64, df: f64) -> f64 {
    if df >= 3.0 {
        return approximate_by_hill(tail, df);
    }
    // The quantile has a closed form at one and two degrees of freedom; interpolate between them.
    let at_one = 1.0 / (PI * tail).tan();
    let at_two = (1.0 - 2.0 * tail) * (0.5 / (tail * (1.0 - tail))).sqrt();
    let weight = 2.0 / df - 1.0;
    (at_one.ln() * weight + at_two.ln() * (1.0 - weight)).exp()
}

/// Returns Hill's expansion of the quantile around the normal quantile, accurate to four digits or
/// better.
fn approximate_by_hill(tail: f64, df: f64) -> f64 {
    // The names and constants are those of Hill's algorithm 396 (Communications of the ACM, 1970).
    let a = 1.0 / (df - 0.5);
    let b = 48.0 / (a * a);
    let mut c = ((20_700.0 * a / b - 98.0) * a - 16.0) * a + 96.36;
    let d = ((94.5 / (b + c) - 3.0) / b + 1.0) * (a * PI / 2.0).sqrt() * df;
    let mut y = ((LN_2 + tail.ln() + d.ln()) * 2.0 / df).exp();
    if y > 0.05 + a {
        // Near the middle: the expansion around the normal quantile.
        let x = -normal::approximate_normal_upper_quantile(tail);
        y = x * x;
        if df < 5.0 {
            c += 0.3 * (df - 4.5) * (x + 0.6);
        }
        c += (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b;
        y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * x;
        y = (a * y * y).exp_m1();
    } else {
        // In the far tail: the first terms of a series in `y`.
        y = ((1.0 / (((df + 6.0) / (df * y) - 0.089 * d - 0.822) * (df + 2.0) * 3.0)
            + 0.5 / (df + 4.0))
            * y
            - 1.0)
            * (df + 1.0)
            / (df + 2.0)
            + 1.0 / y;
    }
    (df * y).sqrt()
}

#[cfg(test)]
mod tests {
    use super::{t_upper_quantile, t_upper_tail};

    // mpmath 1.3, 40 digits: findroot of
    // log(betainc(df/2, 1/2, 0, df/(df+t²), regularized=True)/2) = log(tail)
    const CASES: [(f64, f64, f64); 17] = [
        (0.4, 1.0, 0.324_919_696_232_906_25),
        (0.4, 3.5, 0.273_265_454_055_779_6),
        (0.4, 1e6, 0.253_347_170_537_841_6),
        (0.1, 1.5, 2.196_398_417_565_537),
        (0.1, 2.25, 1.796_714_228_301_406_6),
        (0.1, 7.0, 1.414_923_927_650_508_4),
        (0.025, 1.0, 12.706_204_736_174_704),
        (0.025, 1.5, 6.016_663_104_427_931_7),
        (0.025, 3.5, 2.940_088_637_982_729_7),
        (0.025, 19.0, 2.093_024_054_408_309_7),
        (0.025, 123.5, 1.979_359_076_759_554_1),
        (0.025, 1e6, 1.959_966_356_814_107),
        (1e-6, 2.25, 368.353_460_391_024_7),
        (1e-6, 19.0, 6.723_394_282_200_187),
        (1e-12, 1.0, 318_309_886_183.790_7),
        (1e-12, 7.0, 104.021_829_262_647_2),
        (1e-12, 1e6, 7.034_572_608_411_256),
    ];

    #[test]
    fn quantiles_and_tails_agree_with_mpmath() {
        for (tail, df, t) in CASES {
            assert!((t_upper_quantile(tail, df) / t - 1.0).abs() < 1e-12, "quantile {tail} {df}");
            assert!((t_upper_tail(t, df) / tail - 1.0).abs() < 1e-12, "tail {t} {df}");
        }
    }

    #[test]
    fn a_quantile_is_the_inverse_of_the_tail_over_the_whole_range() {
        for df in [0.4, 1.0, 1.3, 2.0, 2.9, 4.7, 14.0, 38.0, 777.7, 1e9, f64::INFINITY] {
            for tail in [0.499, 0.3, 0.2, 0.05, 1e-3, 1e-9, 1e-40] {
                let t = t_upper_quantile(tail, df);
                assert!((t_upper_tail(t, df) / tail - 1.0).abs() < 1e-12, "{tail} {df} {t}");
                assert!((t_upper_tail(-t, df) - (1.0 - tail)).abs() < 1e-15);
            }
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "exact by definition")]
    fn the_ends_of_the_range_are_infinite_and_nonsense_is_nan() {
        assert_eq!(t_upper_quantile(0.0, 3.0), f64::INFINITY);
        assert_eq!(t_upper_quantile(1.0, 3.0), f64::NEG_INFINITY);
        assert_eq!(t_upper_tail(f64::INFINITY, 3.0), 0.0);
        assert!(t_upper_quantile(0.1, 0.0).is_nan() && t_upper_tail(1.0, -1.0).is_nan());
        assert!(t_upper_quantile(1.5, 3.0).is_nan() && t_upper_tail(f64::NAN, 3.0).is_nan());
    }
}
