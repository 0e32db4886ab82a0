//! Sensitivity of a test: the smallest shift that it detects with a given probability.

use std::f64::consts::FRAC_1_SQRT_2;

use statrs::function::erf::erfc;

use super::distribution::normal;
use super::distribution::t::t_upper_quantile;
use super::test::t::TestForm;

/// Probability with which the minimum detectable effect is found.
pub(crate) const DETECTION_POWER: f64 = 0.8;

/// Returns the shift of the true difference that a one-sided t test at `alpha` finds with
/// probability `power`.
///
/// The shift is in the unit of `standard_error`. On a log ratio, `exp` of the shift minus 1 is the
/// slowdown. `power` is above `alpha`.
///
/// The noncentral t distribution is integrated numerically, to eight digits from two degrees of
/// freedom on (six digits at one).
pub(crate) fn find_minimum_detectable_effect(
    standard_error: f64,
    degrees_of_freedom: f64,
    alpha: f64,
    power: f64,
) -> f64 {
    let critical = t_upper_quantile(alpha, degrees_of_freedom);
    let z = normal::normal_upper_quantile(1.0 - power);
    if degrees_of_freedom > 1e6 {
        return (critical + z) * standard_error;
    }
    let grid = DeviationGrid::new(critical, degrees_of_freedom);
    // The normal approximation of Johnson & Welch 1940 starts a secant search.
    let spread = (1.0 + critical * critical / (2.0 * degrees_of_freedom)).sqrt();
    let mut last = critical + z * spread;
    let mut last_excess = grid.compute_exceedance(last) - power;
    let mut shift = last - last_excess * spread / normal::normal_density(z);
    for _ in 0..30 {
        let here = grid.compute_exceedance(shift) - power;
        let slope = (here - last_excess) / (shift - last);
        (last, last_excess) = (shift, here);
        if slope.is_nan() || slope <= 0.0 {
            break;
        }
        let step = (here / slope).clamp(-2.0 * spread, 2.0 * spread);
        shift -= step;
        // The search doubles its digits about every other step, so this last step was exact to the
        // eighth digit.
        if step.abs() < 1e-5 * spread {
            break;
        }
    }
    shift * standard_error
}

/// Returns [`find_minimum_detectable_effect`] after `rounds` rounds, with [`DETECTION_POWER`];
/// `None` below two rounds.
///
/// `deviation` is the standard deviation of a launch (Welch) or of a difference (paired).
/// `prior_degrees` are the degrees of freedom that a prior adds (zero without a prior).
pub(crate) fn find_detectable_effect_after(
    rounds: usize,
    form: TestForm,
    deviation: f64,
    prior_degrees: f64,
    alpha: f64,
) -> Option<f64> {
    let n = rounds as f64;
    let (variance, degrees) = match form {
        TestForm::Welch => (2.0 / n, 2.0 * (n - 1.0)),
        TestForm::Paired => (1.0 / n, n - 1.0),
    };
    (rounds >= 2).then(|| {
        find_minimum_detectable_effect(
            deviation * variance.sqrt(),
            degrees + prior_degrees,
            alpha,
            DETECTION_POWER,
        )
    })
}

/// Grid on which the distribution of an estimated deviation is evaluated.
///
/// It serves the trapezoid rule in the logarithm of the deviation, where the integrand decays fast
/// on both sides.
struct DeviationGrid {
    /// For each deviation: the difference that is just significant, in true standard errors, and
    /// its weight.
    nodes: Vec<(f64, f64)>,
    /// Sum of the weights of all nodes.
    weight_sum: f64,
}

impl DeviationGrid {
    fn new(critical: f64, df: f64) -> Self {
        let spread = 1.0 / (2.0 * df).sqrt();
        let (low, high) = (-(9.0 * spread).max(20.0 / df), 9.0 * spread);
        // The error of the rule falls like exp(−2π² (width ÷ step)²), where the width is that of
        // both factors together.
        let width = spread / (1.0 + (critical * spread).powi(2)).sqrt();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive and small"
        )]
        let steps = ((high - low) / (0.5 * width)).ceil().min(400.0) as u32;
        let nodes = (0..=steps).map(|step| {
            let u = low + (high - low) * f64::from(step) / f64::from(steps);
            let weight = (df * (u - 0.5 * ((2.0 * u).exp_m1()))).exp();
            (critical * u.exp(), weight)
        });
        let nodes: Vec<(f64, f64)> = nodes.collect();
        let weight_sum = nodes.iter().map(|(_, weight)| weight).sum();
        Self { nodes, weight_sum }
    }

    /// Returns `P(T > critical)` for a noncentral t with mean shift `shift`: the normal tail
    /// averaged over the nodes.
    fn compute_exceedance(&self, shift: f64) -> f64 {
        // `erfc` gives eleven digits of the normal tail, at a tenth of the cost of sixteen.
        let tails = self.nodes.iter().map(|(significant, weight)| {
            weight * (0.5 * erfc((significant - shift) * FRAC_1_SQRT_2))
        });
        tails.sum::<f64>() / self.weight_sum
    }
}

#[cfg(test)]
mod tests {
    use super::{DeviationGrid, find_minimum_detectable_effect};

    // mpmath 1.3: the same integral over the deviation by mp.quad, 30 digits
    const CASES: [(f64, f64, f64, f64); 5] = [
        (2.0, 2.5, 4.0, 0.401_919_463_663_46),
        (5.0, 4.0, 2.0, 0.764_908_481_830_79),
        (3.0, 2.0, 1.0, 0.820_437_503_447_76),
        (4.5, 3.5, 19.0, 0.818_959_916_607_17),
        (0.5, 2.0, 38.5, 0.073_481_673_890_53),
    ];

    #[test]
    fn the_noncentral_tail_agrees_with_mpmath() {
        for (shift, critical, df, tail) in CASES {
            let got = DeviationGrid::new(critical, df).compute_exceedance(shift);
            assert!((got / tail - 1.0).abs() < 1e-7, "{got} is not {tail}");
        }
    }

    #[test]
    fn a_shift_of_the_minimum_is_found_with_the_power_asked_for() {
        for df in [2.0, 4.0, 8.7, 19.0, 38.0, 400.0] {
            for alpha in [0.05, 0.001, 2e-5] {
                let shift = find_minimum_detectable_effect(1.0, df, alpha, 0.8);
                let critical = super::t_upper_quantile(alpha, df);
                assert!(
                    (DeviationGrid::new(critical, df).compute_exceedance(shift) - 0.8).abs() < 1e-7,
                    "{df} {alpha}"
                );
            }
        }
    }
}
