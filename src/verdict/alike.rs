//! Launches of a metric that do not vary at all, such as a count of allocations. A test by their
//! variance would be certain after two launches.

use crate::stats::test::t::TTest;

/// Largest standard error of a log ratio that counts as none at all. Rounding of logarithms may leave
/// this much.
const LARGEST_ROUNDING: f64 = 1e-12;

/// How likely chance alone makes launches look alike. It holds for every distribution.
///
/// Under the same code, the values of all launches come from one distribution. All `n` launches of one
/// side can be alike, and all `n` of the other side be another value, only if both values are drawn
/// each time: with probability at most `(p · (1 − p))ⁿ ≤ 4⁻ⁿ`. If the candidate is worse than the limit
/// in at least half of its launches, `n` launches that are not have probability at most `2⁻ⁿ`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct AlikeChance {
    /// Chance that unchanged code looks changed.
    pub(super) change: f64,
    /// Chance that code which is worse looks unchanged.
    pub(super) pass: f64,
}

impl AlikeChance {
    /// Returns the chance for these launches of both sides. If values vary from round to round, and
    /// only their ratio does not, the order within each round is the only thing that is random.
    pub(super) fn from_sides(baseline: &[f64], candidate: &[f64]) -> Self {
        let launches = baseline.len().min(candidate.len());
        let is_constant = |side: &[f64]| side.iter().all(|level| Some(level) == side.first());
        let halves = 0.5_f64.powf(launches as f64);
        let are_constant = is_constant(baseline) && is_constant(candidate);
        Self { change: if are_constant { halves * halves } else { halves }, pass: halves }
    }

    /// Returns whether a test sees no variance, so that this chance must answer in its place.
    pub(super) fn replaces(test: &TTest) -> bool {
        test.standard_error.is_nan() || test.standard_error < LARGEST_ROUNDING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_that_repeats_while_values_vary_counts_as_coins_only() {
        let baseline = [1.0, 2.0, 3.0];
        let candidate = baseline.map(|level| level + 0.1);
        let chance = AlikeChance::from_sides(&baseline, &candidate);
        assert_eq!(chance, AlikeChance { change: 0.125, pass: 0.125 });
    }
}
