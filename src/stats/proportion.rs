//! Confidence interval of a probability from a count of successes.

use super::distribution::beta;

/// Returns the interval `(low, high)` of a probability, if `successes` of `trials` occurred
/// (Clopper & Pearson 1934).
///
/// Each end is wrong with probability at most half of `1 − confidence`, for any true probability.
/// Without trials, the interval is 0 to 1.
pub(crate) fn compute_clopper_pearson(successes: u64, trials: u64, confidence: f64) -> (f64, f64) {
    let tail = 0.5 * (1.0 - confidence);
    let (k, n) = (successes as f64, trials as f64);
    let low = if successes == 0 { 0.0 } else { beta_quantile(k, n - k + 1.0, tail) };
    let high = if successes >= trials { 1.0 } else { beta_quantile(k + 1.0, n - k, 1.0 - tail) };
    (low, high)
}

/// Returns the `p`-quantile of a beta distribution, by bisection.
fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // Sixty halvings exhaust the precision of a double near 1. Near 0, the absolute scale is
    // precise enough.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        let (below, _) = beta::regularized_incomplete_beta(a, b, middle, 1.0 - middle);
        if below < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::compute_clopper_pearson;

    // mpmath 1.3, 30 digits:
    // mp.findroot on betainc(n - k, k + 1, 0, 1 - p, regularized=True) = 0.025
    #[track_caller]
    fn gives(successes: u64, trials: u64, low: f64, high: f64) {
        let (l, h) = compute_clopper_pearson(successes, trials, 0.95);
        assert!((l - low).abs() < 1e-9 && (h - high).abs() < 1e-9, "{l} {h}");
    }

    #[test]
    fn the_ends_agree_with_mpmath() {
        gives(3, 100, 0.006_229_971_538_306_394, 0.085_176_052_974_280_04);
        gives(0, 4000, 0.0, 0.000_921_794_749_483_055_7);
        gives(7, 200, 0.014_185_525_898_419_2, 0.070_780_998_350_977_2);
        gives(4, 4, 0.025_f64.powf(0.25), 1.0);
    }
}
