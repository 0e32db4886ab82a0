//! Estimates of a quantile. Bounds on a quantile are in
//! [`order_statistics`](super::order_statistics).

/// Returns the `q`-quantile of `sorted`, interpolated linearly between order statistics (type 7 of
/// Hyndman & Fan 1996).
///
/// `sorted` is in ascending order and `q` is in `[0, 1]`. Returns `None` if `sorted` is empty.
pub(crate) fn compute_quantile(sorted: &[f64], q: f64) -> Option<f64> {
    interpolate(sorted, (sorted.len() as f64 - 1.0) * q)
}

/// Returns the value at a fractional position, counted from zero and clamped to both ends. Returns
/// `None` if `sorted` is empty.
fn interpolate(sorted: &[f64], position: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = position.clamp(0.0, last as f64);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let below = position as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    Some(low + (position - below as f64) * (high - low))
}
