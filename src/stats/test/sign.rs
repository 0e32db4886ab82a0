//! The exact sign test, and its repetition at several looks.
//!
//! If the order within each round is a fair coin, the signs of the differences of partners are
//! independent fair coins at the border of the null hypothesis, whatever the noise does over time
//! (Fisher 1935, section 21; Dixon & Mood 1946). So the law of their count is known, and the looks
//! can spend an error rate exactly, without Bonferroni's inequality between them.

use crate::stats::order_statistics::compute_binomial_tails;

/// Boundary of the number of successes of fair coins, found look by look.
///
/// It holds the law of the number of successes of walks that no earlier look has stopped.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SignWalk {
    /// Probability of each number of successes among the walks that were not stopped, from 0 to the
    /// number of rounds.
    law: Vec<f64>,
    /// What the looks so far may have spent, less what they did spend.
    unspent: f64,
}

impl SignWalk {
    /// Creates the walk before the first round.
    pub(crate) fn new() -> Self {
        Self { law: vec![1.0], unspent: 0.0 }
    }

    /// Continues to `rounds` rounds and returns the smallest number of successes that stops there,
    /// if this look may spend `error` and what earlier looks left over.
    ///
    /// The result is `rounds + 1` if no number stops. `rounds` must not be below that of the look
    /// before.
    pub(crate) fn continue_to(&mut self, rounds: usize, error: f64) -> usize {
        self.toss(rounds + 1 - self.law.len());
        self.unspent += error;
        let mut boundary = self.law.len();
        while let Some(chance) = boundary.checked_sub(1).map(|count| self.law[count])
            && chance <= self.unspent
        {
            boundary -= 1;
            self.unspent -= chance;
            self.law[boundary] = 0.0;
        }
        boundary
    }

    /// Adds the successes of `coins` fair coins.
    fn toss(&mut self, coins: usize) {
        let coin_law = compute_fair_binomial(coins);
        let mut law = vec![0.0; self.law.len() + coins];
        for (count, chance) in self.law.iter().enumerate().filter(|(_, chance)| **chance > 0.0) {
            for (sum, coin_chance) in law[count..].iter_mut().zip(&coin_law) {
                *sum += chance * coin_chance;
            }
        }
        self.law = law;
    }
}

/// Returns the probability of each number of successes of `coins` fair coins.
fn compute_fair_binomial(coins: usize) -> Vec<f64> {
    // Each number follows from the one before. A thousand coins and more would underflow.
    let first = 0.5_f64.powi(i32::try_from(coins).unwrap_or(i32::MAX));
    let chances = (0..coins).scan(first, |chance, successes| {
        *chance *= (coins - successes) as f64 / (successes + 1) as f64;
        Some(*chance)
    });
    std::iter::once(first).chain(chances).collect()
}

/// Returns the number of `values` that are above `limit`. A value that equals it does not count.
pub(crate) fn count_above(values: &[f64], limit: f64) -> usize {
    values.iter().filter(|value| **value > limit).count()
}

/// Returns the number of `values` that are below `limit`. A value that equals it does not count.
pub(crate) fn count_below(values: &[f64], limit: f64) -> usize {
    values.iter().filter(|value| **value < limit).count()
}

/// Returns the smaller of the two one-sided p-values of "the median of `differences` is zero". It
/// is 1 for no differences.
///
/// Differences of zero count against both sides.
pub(crate) fn compute_smaller_sign_p(differences: &[f64]) -> f64 {
    let successes = count_above(differences, 0.0).max(count_below(differences, 0.0));
    match successes.checked_sub(1) {
        Some(below) => compute_binomial_tails(below, differences.len(), 0.5).1,
        None => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::{SignWalk, compute_fair_binomial, compute_smaller_sign_p};

    #[track_caller]
    fn has_boundaries(error: f64, shares: &[(usize, f64)], boundaries: &[usize]) {
        let mut walk = SignWalk::new();
        let found = shares.iter().map(|(rounds, share)| walk.continue_to(*rounds, error * share));
        assert_eq!(found.collect::<Vec<_>>(), boundaries);
    }

    #[test]
    fn the_boundaries_are_those_of_exact_convolution() {
        // Python: convolution of binomials with math.comb, the smallest count at each look whose
        // tail fits what may be spent so far. `boundaries` of scripts/sign-walks is the same.
        let rounds = [14, 20, 28, 40, 56, 80, 112, 160];
        let with = |shares: [f64; 8]| rounds.into_iter().zip(shares).collect::<Vec<_>>();
        let half_alpha = with([0.07, 0.06, 0.055, 0.05, 0.045, 0.04, 0.03, 0.025]);
        has_boundaries(0.0008, &half_alpha, &[15, 19, 24, 32, 43, 58, 77, 105]);
        has_boundaries(0.005, &half_alpha, &[14, 18, 23, 31, 41, 55, 74, 103]);
        let half_pass = with([0.065, 0.055, 0.045, 0.035, 0.03, 0.025, 0.015, 0.015]);
        has_boundaries(0.05, &half_pass, &[13, 17, 21, 29, 39, 53, 71, 98]);
    }

    #[test]
    fn walks_of_fair_coins_stop_no_more_often_than_promised() {
        // All 2^16 sequences, with looks after 6, 11 and 16 coins.
        let looks = [6, 11, 16];
        let mut walk = SignWalk::new();
        let boundaries = looks.map(|rounds| walk.continue_to(rounds, 0.02));
        let stopped = (0_u32..1 << 16).filter(|coins| {
            let count = |rounds: usize| (coins & ((1 << rounds) - 1)).count_ones() as usize;
            looks.iter().zip(boundaries).any(|(rounds, boundary)| count(*rounds) >= boundary)
        });
        let rate = stopped.count() as f64 / f64::from(1 << 16);
        assert!(rate <= 0.06 && rate > 0.03, "{rate} with {boundaries:?}");
        assert!((0.06 - rate - walk.unspent).abs() < 1e-12);
    }

    #[test]
    fn a_look_without_new_rounds_or_error_stops_nothing_new() {
        let mut walk = SignWalk::new();
        assert_eq!(walk.continue_to(14, 0.0), 15);
        assert_eq!(walk.continue_to(14, 1e-4), 14);
        assert_eq!(walk.continue_to(14, 0.0), 14 + 1 - 1);
    }

    #[test]
    fn the_law_of_fair_coins_sums_to_one() {
        for coins in [0, 1, 2, 48, 160] {
            let law = compute_fair_binomial(coins);
            assert_eq!(law.len(), coins + 1);
            assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{coins}");
        }
    }

    #[test]
    fn the_p_value_of_signs_agrees_with_r() {
        // R: binom.test(17, 20, alternative = "greater")$p.value
        let mut differences = [1.0; 20];
        differences[..3].fill(-1.0);
        assert!((compute_smaller_sign_p(&differences) - 0.001_288_414_001).abs() < 1e-11);
        differences[..3].fill(0.0);
        assert!((compute_smaller_sign_p(&differences) - 0.001_288_414_001).abs() < 1e-11);
        assert!((compute_smaller_sign_p(&[0.0; 5]) - 1.0).abs() < f64::EPSILON);
        assert!((compute_smaller_sign_p(&[]) - 1.0).abs() < f64::EPSILON);
    }
}
