//! Upper bounds on quantiles of single calls that were timed in batches only.
//!
//! A call cannot take longer than the batch that it is in. If `N` calls of a batch took longer than
//! `L`, then `N · L` is less than the time of the batch, which bounds `N`. This holds for every
//! distribution and any dependence between the calls of a batch. For calls that were not measured,
//! the batches are assumed to be independent, and each call to have the same chance of being slow.

use super::order_statistics::{compute_binomial_tails, find_min_sample_count};

/// A number of calls and the time that they took together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BatchTotal {
    /// Number of calls, above zero.
    pub(crate) calls: f64,
    /// Time of all calls together, finite and not negative, in the unit of the limits.
    pub(crate) time: f64,
}

impl BatchTotal {
    /// Returns the largest number of its calls that can have taken longer than `limit`, which is not
    /// negative.
    fn bound_calls_above(&self, limit: f64) -> f64 {
        if self.time <= limit {
            return 0.0;
        }
        ((self.time / limit).ceil() - 1.0).clamp(0.0, self.calls)
    }
}

/// Returns the sum of the [bounds](BatchTotal::bound_calls_above) of all batches.
pub(crate) fn bound_all_calls_above(batches: &[BatchTotal], limit: f64) -> f64 {
    batches.iter().map(|batch| batch.bound_calls_above(limit)).sum()
}

/// Returns a limit that the `q`-quantile of the calls in `batches` does not exceed: at most
/// `n − ⌈q · n⌉` of the `n` calls can be above it. There is no smaller such limit, apart from
/// rounding.
///
/// This is about the measured calls only, and certain. Returns zero if no batch took any time, or if
/// there are no batches.
pub(crate) fn bound_measured_quantile(batches: &[BatchTotal], q: f64) -> f64 {
    let calls: f64 = batches.iter().map(|batch| batch.calls).sum();
    let allowed = calls - (q * calls).ceil();
    find_smallest_limit(batches, |limit| bound_all_calls_above(batches, limit) <= allowed)
}

/// Returns the upper bound of the `q`-quantile of calls that were not measured, or `None` if there
/// are too few batches for any bound.
///
/// The bound is the smallest limit, apart from rounding, for which
/// [`find_max_exceeding_share`] is not exceeded by the shares of calls that can be above it.
pub(crate) fn compute_batch_quantile_upper_bound(
    batches: &[BatchTotal],
    q: f64,
    confidence: f64,
) -> Option<f64> {
    let max_share = find_max_exceeding_share(batches.len(), q, confidence)?;
    let sum_shares = |limit: f64| -> f64 {
        batches.iter().map(|batch| batch.bound_calls_above(limit) / batch.calls).sum()
    };
    Some(find_smallest_limit(batches, |limit| sum_shares(limit) <= max_share))
}

/// Returns the largest sum of shares, over this number of batches, that proves that at most `1 − q`
/// of all calls are above the limit. The share of a batch is the part of its calls that can be above
/// the limit. Returns `None` if there are too few batches for any proof.
///
/// If every share is zero, the proof is that of [`find_min_sample_count`]: a batch has a slow call at
/// least as often as a call is slow. Else the sum of independent shares with the mean `p` is at most
/// an integer `s` with probability at most `e · P(Bin(batches, p) ≤ s)` (Bentkus 2004, theorem 1.2).
fn find_max_exceeding_share(batches: usize, q: f64, confidence: f64) -> Option<f64> {
    if batches < find_min_sample_count(q, confidence) {
        return None;
    }
    let tail = (1.0 - confidence) / std::f64::consts::E;
    let is_proof = |share: usize| compute_binomial_tails(share, batches, 1.0 - q).0 <= tail;
    // The probability grows with the share, so the last proof is before the first share that is
    // none. Without a proof for 0 by Bentkus, 0 is proven by the first rule.
    let (mut low, mut high) = (0, batches);
    while low < high {
        let middle = low.midpoint(high);
        if is_proof(middle) { low = middle + 1 } else { high = middle }
    }
    Some(low.saturating_sub(1) as f64)
}

/// Returns the smallest limit that `holds`, rounded up by less than a millionth. `holds` must stay
/// true once it is true, be true at the time of the longest batch, and false below the shortest mean
/// time of a call.
fn find_smallest_limit(batches: &[BatchTotal], holds: impl Fn(f64) -> bool) -> f64 {
    const PRECISION: f64 = 1e-6;
    // Enough to halve the logarithm of the longest range of a double down to the precision.
    const MAX_STEPS: usize = 64;
    let longest = batches.iter().map(|batch| batch.time).fold(0.0, f64::max);
    let shortest_call =
        batches.iter().map(|batch| batch.time / batch.calls).fold(longest, f64::min);
    let (mut low, mut high) = (shortest_call.max(longest * f64::EPSILON), longest);
    if low == 0.0 || holds(low) {
        return if low == 0.0 { longest } else { low };
    }
    for _ in 0..MAX_STEPS {
        if high <= low * (1.0 + PRECISION) {
            break;
        }
        let middle = low * (high / low).sqrt();
        if holds(middle) { high = middle } else { low = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_pcg::Pcg64;

    fn batch(calls: f64, time: f64) -> BatchTotal {
        BatchTotal { calls, time }
    }

    #[track_caller]
    fn bounds(time: f64, limit: f64, expected: f64) {
        assert_eq!(batch(10.0, time).bound_calls_above(limit).to_bits(), expected.to_bits());
    }

    #[test]
    fn a_batch_bounds_its_slow_calls() {
        // By hand: with 10 calls in 30 in all, 2 calls can take more than 10, and 3 cannot.
        bounds(30.0, 10.0, 2.0);
        bounds(30.1, 10.0, 3.0);
        bounds(30.0, 30.0, 0.0);
        bounds(30.0, 29.9, 1.0);
        bounds(30.0, 1.0, 10.0);
        bounds(0.0, 1.0, 0.0);
    }

    #[test]
    fn a_batch_that_took_less_than_the_limit_bounds_every_quantile() {
        // The published case: 1,200 calls in 3 ms hold no call over 3 ms. 60 of them may be above the
        // 95th percentile, so it is at most 3 ms ÷ 61.
        let one = [batch(1200.0, 3e6)];
        let bound = bound_measured_quantile(&one, 0.95);
        assert!((bound * 61.0 / 3e6 - 1.0).abs() < 2e-6, "{bound}");
        assert!(bound <= 20.0 * 3e6 / 1200.0);
        assert_eq!(bound_measured_quantile(&[batch(10.0, 0.0)], 0.95).to_bits(), 0.0_f64.to_bits());
        assert_eq!(bound_measured_quantile(&[], 0.95).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn the_shares_that_prove_a_quantile_are_those_of_bentkus() {
        // Python, as sum(comb(J, i) * 0.05**i * 0.95**(J - i) for i in range(s + 1)), which must be at
        // most 0.05 / e = 0.018394: for J = 100 it is 0.005921 at 0 and 0.037081 at 1; for J = 200 it
        // is 0.009048 at 3 and 0.026447 at 4; for J = 59 it is 0.048495 at 0.
        let shares = |batches| find_max_exceeding_share(batches, 0.95, 0.95);
        assert_eq!(shares(58), None);
        assert_eq!(shares(59), Some(0.0));
        assert_eq!(shares(100), Some(0.0));
        assert_eq!(shares(200), Some(3.0));
        assert_eq!(find_max_exceeding_share(298, 0.99, 0.95), None);
        assert_eq!(find_max_exceeding_share(299, 0.99, 0.95), Some(0.0));
    }

    /// Draws calls of 1, of which a share of `slow` takes `slow_time` instead. `stretch` is the mean
    /// number of slow calls in a row.
    fn draw_batches(random: &mut Pcg64, slow: f64, slow_time: f64, stretch: f64) -> Vec<Vec<f64>> {
        let mut is_slow = random.random::<f64>() < slow;
        let mut draw_call = || {
            let chance = if is_slow { 1.0 / stretch } else { slow / (1.0 - slow) / stretch };
            is_slow ^= random.random::<f64>() < chance;
            if is_slow { slow_time } else { 1.0 }
        };
        (0..200).map(|_| (0..20).map(|_| draw_call()).collect()).collect()
    }

    #[test]
    fn simulated_batches_keep_what_the_bounds_promise() {
        // 6 % of calls are slow, so the 95th percentile is the slow time. A bound below it is wrong,
        // which may happen in 5 % of cases. The measured quantile is never above its bound.
        const CASES: u32 = 300;
        let mut random = Pcg64::seed_from_u64(12);
        for (slow_time, stretch) in [(3.0, 1.0), (30.0, 1.0), (1000.0, 1.0), (30.0, 3.0)] {
            let mut wrong = 0;
            for _ in 0..CASES {
                let calls = draw_batches(&mut random, 0.06, slow_time, stretch);
                let batches: Vec<BatchTotal> =
                    calls.iter().map(|calls| batch(20.0, calls.iter().sum())).collect();
                let mut sorted = calls.concat();
                sorted.sort_by(f64::total_cmp);
                let measured = sorted[sorted.len() * 95 / 100 - 1];
                assert!(measured <= bound_measured_quantile(&batches, 0.95));
                let bound = compute_batch_quantile_upper_bound(&batches, 0.95, 0.95);
                wrong += u32::from(bound.expect("200 batches") < slow_time);
            }
            assert!(wrong * 20 <= CASES, "{wrong} of {CASES} at {slow_time}");
        }
    }

    #[test]
    fn a_limit_far_above_the_calls_is_proven() {
        let mut random = Pcg64::seed_from_u64(7);
        let calls = draw_batches(&mut random, 0.001, 5.0, 1.0);
        let batches: Vec<BatchTotal> =
            calls.iter().map(|calls| batch(20.0, calls.iter().sum())).collect();
        let bound = compute_batch_quantile_upper_bound(&batches, 0.95, 0.95).expect("200 batches");
        // With 3 of 200 batches as the sum of shares, none of the others can have a call above the
        // time of a whole batch, and the mean call takes 1.
        assert!((10.0..25.0).contains(&bound), "{bound}");
    }
}
