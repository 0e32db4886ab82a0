//! Bounds on a quantile of a distribution from order statistics. They are exact for any
//! distribution.
//!
//! The number of samples below the `q`-quantile is binomial. Therefore the probability that an
//! order statistic is above the quantile is a binomial probability (David & Nagaraja 2003, section
//! 7.1). Samples are assumed to be independent draws from one continuous distribution. With ties,
//! the bounds hold with at least the stated confidence. Orders count from one.

use super::distribution::beta;

/// Returns the one-sided upper bound of the `q`-quantile, or `None` below [`find_min_sample_count`]
/// samples.
///
/// `sorted` is in ascending order.
pub(crate) fn compute_quantile_upper_bound(sorted: &[f64], q: f64, confidence: f64) -> Option<f64> {
    find_upper_order(q, sorted.len(), 1.0 - confidence).map(|order| sorted[order - 1])
}

/// Returns the one-sided lower bound of the `q`-quantile, or `None` if there are too few samples.
///
/// `sorted` is in ascending order.
pub(crate) fn compute_quantile_lower_bound(sorted: &[f64], q: f64, confidence: f64) -> Option<f64> {
    find_lower_order(q, sorted.len(), 1.0 - confidence).map(|order| sorted[order - 1])
}

/// Returns the smallest order statistic that is below the `q`-quantile with probability at most
/// `tail`, or `None` if there are too few samples.
pub(crate) fn find_upper_order(q: f64, count: usize, tail: f64) -> Option<usize> {
    find_first(count, |below| compute_binomial_tails(below, count, q).1 <= tail)
        .map(|below| below + 1)
}

/// Returns the largest order statistic that is above the `q`-quantile with probability at most
/// `tail`, or `None` if there are too few samples.
pub(crate) fn find_lower_order(q: f64, count: usize, tail: f64) -> Option<usize> {
    let order = find_first(count, |below| compute_binomial_tails(below, count, q).0 > tail)
        .unwrap_or(count);
    (order > 0).then_some(order)
}

/// Returns the smallest number of samples with which the `q`-quantile has an upper bound, which is
/// then the largest sample.
pub(crate) fn find_min_sample_count(q: f64, confidence: f64) -> usize {
    let count = ((1.0 - confidence).ln() / q.ln()).ceil();
    // The logarithms may round across an exact power, as for q = 0.5 at 0.9375.
    let is_enough = |n: f64| q.powf(n) <= (1.0 - confidence) * (1.0 + 1e-12);
    let count = if is_enough(count - 1.0) { count - 1.0 } else { count };
    truncate_to_count(count)
}

/// Returns the number of samples with which the `q`-quantile would be decided to be below or above
/// a limit. The result is at least `count`.
///
/// `above` of the `count` present samples are above the limit. The share of such samples is assumed
/// to stay the same.
///
/// Returns `None` if that share is so near `1 − q` that a billion samples would not decide, or if
/// `count` is zero.
pub(crate) fn find_sample_count_to_decide(
    q: f64,
    above: usize,
    count: usize,
    confidence: f64,
) -> Option<usize> {
    const MAX_COUNT: usize = 1_000_000_000;
    if count == 0 {
        return None;
    }
    let share = above as f64 / count as f64;
    let is_enough =
        |n: usize| is_decided(q, truncate_to_count((share * n as f64).ceil()), n, confidence);
    // Double the count until it is enough, then bisect between the last two counts.
    let mut enough = count;
    while !is_enough(enough) {
        enough = enough.checked_mul(2).filter(|n| *n <= MAX_COUNT)?;
    }
    let (mut low, mut high) = (enough / 2, enough);
    if enough == count {
        return Some(count);
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        if is_enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// Returns whether `above` of `count` samples over a limit put the `q`-quantile on one side of it.
fn is_decided(q: f64, above: usize, count: usize, confidence: f64) -> bool {
    let tail = 1.0 - confidence;
    let below = count - above.min(count);
    let is_met = find_upper_order(q, count, tail).is_some_and(|order| order <= below);
    is_met || find_lower_order(q, count, tail).is_some_and(|order| order > below)
}

/// Returns `(P(X ≤ below), P(X > below))` for a binomial `X` of `count` trials with probability
/// `q`.
pub(crate) fn compute_binomial_tails(below: usize, count: usize, q: f64) -> (f64, f64) {
    if below >= count {
        return (1.0, 0.0);
    }
    beta::regularized_incomplete_beta((count - below) as f64, below as f64 + 1.0, 1.0 - q, q)
}

/// Returns the first number below `count` for which `holds` is true, or `None`. `holds` must stay
/// true once it is true.
fn find_first(count: usize, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    (low < count).then_some(low)
}

fn truncate_to_count(count: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count, and the cast saturates"
    )]
    {
        count as usize
    }
}

#[cfg(test)]
mod tests {
    use super::{
        compute_quantile_lower_bound, find_lower_order, find_min_sample_count,
        find_sample_count_to_decide, find_upper_order,
    };

    #[test]
    fn the_fewest_samples_for_a_bound_are_the_published_ones() {
        // 1 − q^n ≥ confidence, as in Hahn & Meeker 1991, table A.16
        for (q, at_95, at_99) in
            [(0.5, 5, 7), (0.9, 29, 44), (0.95, 59, 90), (0.99, 299, 459), (0.999, 2995, 4603)]
        {
            assert_eq!(
                (find_min_sample_count(q, 0.95), find_min_sample_count(q, 0.99)),
                (at_95, at_99),
                "{q}"
            );
            assert_eq!(find_upper_order(q, at_95, 0.05), Some(at_95));
            assert_eq!(find_upper_order(q, at_95 - 1, 0.05), None);
        }
        assert_eq!(find_min_sample_count(0.5, 0.9375), 4);
    }

    /// The numbers in METHODOLOGY.md, beside those of `MLPerf`: its early stopping takes the second
    /// largest of the latencies as upper bound, at 99 %.
    #[test]
    fn the_counts_of_early_stopping_are_bounds_by_the_second_largest() {
        for (q, queries) in [(0.9, 64), (0.95, 130), (0.99, 662), (0.999, 6636)] {
            assert_eq!(find_upper_order(q, queries, 0.01), Some(queries - 1), "{q}");
            assert_eq!(find_upper_order(q, queries - 1, 0.01), Some(queries - 1), "{q}");
        }
    }

    #[test]
    fn nothing_is_bounded_by_too_few_samples() {
        assert_eq!(
            (find_lower_order(0.99, 0, 0.025), find_upper_order(0.99, 0, 0.025)),
            (None, None)
        );
        assert_eq!(find_lower_order(0.5, 5, 0.025), None);
        assert_eq!(compute_quantile_lower_bound(&[], 0.5, 0.95), None);
    }

    #[test]
    fn a_large_sample_is_bounded_by_the_binomial_quantiles() {
        // Python: exp(lgamma …) summed over k, as qbinom(c(0.025, 0.975), 1e6, 0.99): 989805 and
        // 990195. An upper order is one above.
        assert_eq!(find_lower_order(0.99, 1_000_000, 0.025), Some(989_805));
        assert_eq!(find_upper_order(0.99, 1_000_000, 0.025), Some(990_196));
    }

    #[test]
    fn the_calls_that_would_decide_grow_towards_the_limit() {
        let needed = |above| find_sample_count_to_decide(0.95, above, 100, 0.95);
        assert_eq!(needed(0), Some(100));
        assert!(needed(2) < needed(3) && needed(3) < needed(4));
        assert_eq!(needed(5), None);
        assert!(needed(6) > needed(7));
        assert_eq!(needed(50), Some(100));
        assert_eq!(find_sample_count_to_decide(0.95, 0, 10, 0.95), Some(59));
        assert_eq!(find_sample_count_to_decide(0.95, 0, 0, 0.95), None);
    }
}
