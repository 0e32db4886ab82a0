//! Estimates of a quantile; bounds for it are in [`order`](super::order).

use super::incomplete_beta;

/// The `q`-quantile of `sorted`, interpolated linearly between order statistics (type 7 of Hyndman & Fan 1996).
///
/// `sorted` is in ascending order and `q` in `[0, 1]`; `None` when it is empty.
///
/// ```
/// use perfgate::stats::quantile::type7;
/// assert_eq!(type7(&[1.0, 2.0, 3.0, 5.0], 0.5), Some(2.5));
/// ```
pub fn type7(sorted: &[f64], q: f64) -> Option<f64> {
    interpolate(sorted, (sorted.len() as f64 - 1.0) * q)
}

/// The `q`-quantile of `sorted`, approximately unbiased in its median (type 8 of Hyndman & Fan 1996).
///
/// `sorted` is in ascending order and `q` in `[0, 1]`; `None` when it is empty.
///
/// ```
/// use perfgate::stats::quantile::type8;
/// assert_eq!(type8(&[1.0, 2.0, 3.0], 0.95), Some(3.0));
/// ```
pub fn type8(sorted: &[f64], q: f64) -> Option<f64> {
    let third = 1.0 / 3.0;
    interpolate(sorted, (sorted.len() as f64 + third) * q + third - 1.0)
}

/// The value at a fractional position counted from zero, held at both ends.
fn interpolate(sorted: &[f64], position: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = position.clamp(0.0, last as f64);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let below = position as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    Some(low + (position - below as f64) * (high - low))
}

/// The `q`-quantile of `sorted` as a weighted mean of all order statistics (Harrell & Davis 1982).
///
/// `sorted` is in ascending order and `q` strictly between 0 and 1; `None` when it is empty.
///
/// ```
/// use perfgate::stats::quantile::harrell_davis;
/// let median = harrell_davis(&[1.0, 2.0, 3.0], 0.5).expect("three values");
/// assert!((median - 2.0).abs() < 1e-12);
/// ```
pub fn harrell_davis(sorted: &[f64], q: f64) -> Option<f64> {
    let n = sorted.len() as f64;
    let weights = beta_weights(sorted.len(), (n + 1.0) * q, (n + 1.0) * (1.0 - q))?;
    Some(weights.iter().zip(sorted).map(|(w, x)| w * x).sum())
}

/// Standard error of the `q`-quantile of `sorted` (Maritz & Jarrett 1978).
///
/// `sorted` is in ascending order and `q` strictly between 0 and 1; `None` where the quantile is the
/// smallest or the largest value, so that nothing is known about its spread.
///
/// ```
/// use perfgate::stats::quantile::maritz_jarrett;
/// let sorted: Vec<f64> = (0..11).map(f64::from).collect();
/// assert!(maritz_jarrett(&sorted, 0.5).is_some_and(|error| error > 1.0 && error < 2.0));
/// assert_eq!(maritz_jarrett(&sorted, 0.99), None);
/// ```
pub fn maritz_jarrett(sorted: &[f64], q: f64) -> Option<f64> {
    let n = sorted.len() as f64;
    let order = (n * q + 0.5).floor();
    let weights = beta_weights(sorted.len(), order - 1.0, n - order)?;
    let mean: f64 = weights.iter().zip(sorted).map(|(w, x)| w * x).sum();
    let variance: f64 = weights.iter().zip(sorted).map(|(w, x)| w * (x - mean).powi(2)).sum();
    Some(variance.sqrt())
}

/// Probability that a beta variable falls into each of `count` equal parts of the unit interval.
fn beta_weights(count: usize, a: f64, b: f64) -> Option<Vec<f64>> {
    if count == 0 || a <= 0.0 || b <= 0.0 {
        return None;
    }
    let n = count as f64;
    let below =
        |i: usize| incomplete_beta::regularized(a, b, i as f64 / n, (count - i) as f64 / n).0;
    let edges: Vec<f64> = (0..=count).map(below).collect();
    Some(edges.windows(2).map(|edge| edge[1] - edge[0]).collect())
}
