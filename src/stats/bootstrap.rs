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
    let mut random = Pcg64::seed_from_u64(seed);
    let mut draw = |side: &[f64], into: &mut [f64]| {
        into.fill_with(|| side[random.random_range(0..side.len())]);
    };
    let (mut a, mut b) = (baseline.to_vec(), candidate.to_vec());
    let mut ratios: Vec<f64> = (0..resamples)
        .map(|_| {
            draw(baseline, &mut a);
            draw(candidate, &mut b);
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
    let t = |a: &[f64], b: &[f64]| {
        let (a, b) = (Moments::from_values(a).ok()?, Moments::from_values(b).ok()?);
        let t = a.difference_to(&b) / a.standard_error().hypot(b.standard_error());
        t.is_finite().then_some(t)
    };
    if baseline.len() < 2 || candidate.len() < 2 {
        return None;
    }
    // Compare the observed t with that of resamples from the pooled values, in which both sides
    // have the same distribution.
    let observed = t(baseline, candidate)?;
    let pooled: Vec<f64> = baseline.iter().chain(candidate).copied().collect();
    let mut random = Pcg64::seed_from_u64(seed);
    let mut drawn = pooled.clone();
    let (mut below, mut counted) = (0_usize, 0_usize);
    for _ in 0..resamples {
        drawn.fill_with(|| pooled[random.random_range(0..pooled.len())]);
        let (a, b) = drawn.split_at(baseline.len());
        if let Some(value) = t(a, b) {
            counted += 1;
            below += usize::from(value < observed);
        }
    }
    let tail = below.min(counted - below) as f64;
    (counted > 0).then(|| 2.0 * tail / counted as f64)
}
