//! Resampling, for the rules of other tools that decide by it.
//!
//! perfgate itself does not use it: for p99 at n = 100, a nominal 95 % bootstrap interval covers 62
//! %.

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::{quantile, summary::Moments};

/// Returns the percentile interval `(low, high)` of a `distribution` in ascending order, or `None`
/// if it is empty.
pub(crate) fn compute_percentile_interval(
    distribution: &[f64],
    confidence: f64,
) -> Option<(f64, f64)> {
    let tail = 0.5 * (1.0 - confidence);
    Some((
        quantile::compute_quantile(distribution, tail)?,
        quantile::compute_quantile(distribution, 1.0 - tail)?,
    ))
}

/// Returns the ratios `statistic(candidate) ÷ statistic(baseline)` over independent resamples of
/// both sides, in ascending order.
///
/// The result is empty if a side is empty. This is the distribution behind Criterion's interval of
/// the change.
pub(crate) fn resample_ratios(
    baseline: &[f64],
    candidate: &[f64],
    resamples: usize,
    seed: u64,
    statistic: impl Fn(&mut [f64]) -> f64,
) -> Vec<f64> {
    if baseline.is_empty() || candidate.is_empty() {
        return Vec::new();
    }
    // In each resample, draw as many values of each side as it has, with replacement.
    let mut random = Pcg64::seed_from_u64(seed);
    let (mut a, mut b) = (baseline.to_vec(), candidate.to_vec());
    let mut ratios: Vec<f64> = (0..resamples)
        .map(|_| {
            a.fill_with(|| baseline[random.random_range(0..baseline.len())]);
            b.fill_with(|| candidate[random.random_range(0..candidate.len())]);
            statistic(&mut b) / statistic(&mut a)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}

/// Returns the two-sided p-value of Welch's t against resamples of both sides pooled, as Criterion
/// computes it.
///
/// Returns `None` if a side has fewer than two values, or if nothing varies.
pub(crate) fn compute_pooled_p_value(
    baseline: &[f64],
    candidate: &[f64],
    resamples: usize,
    seed: u64,
) -> Option<f64> {
    if baseline.len() < 2 || candidate.len() < 2 {
        return None;
    }
    // Compare the observed t with that of resamples from the pooled values, in which both sides
    // have the same distribution.
    let observed = compute_t(baseline, candidate)?;
    let pooled: Vec<f64> = baseline.iter().chain(candidate).copied().collect();
    let mut random = Pcg64::seed_from_u64(seed);
    let mut drawn = pooled.clone();
    let (mut below, mut counted) = (0_usize, 0_usize);
    for _ in 0..resamples {
        drawn.fill_with(|| pooled[random.random_range(0..pooled.len())]);
        let (a, b) = drawn.split_at(baseline.len());
        if let Some(value) = compute_t(a, b) {
            counted += 1;
            below += usize::from(value < observed);
        }
    }
    let tail = below.min(counted - below) as f64;
    (counted > 0).then(|| 2.0 * tail / counted as f64)
}

/// Returns Welch's t of two sides, or `None` if a side has too few values or if nothing varies.
fn compute_t(baseline: &[f64], candidate: &[f64]) -> Option<f64> {
    let a = Moments::from_values(baseline).ok()?;
    let b = Moments::from_values(candidate).ok()?;
    let t = a.difference_to(&b) / a.standard_error().hypot(b.standard_error());
    t.is_finite().then_some(t)
}
