//! How many rounds the undecided benchmarks would take, so that a budget need not be spent on
//! hopeless ones.
//!
//! Nothing here spends an error rate: giving up leaves a benchmark inconclusive.

use std::collections::HashMap;

use super::evidence::RoundsEvidence;
use super::looks::MIN_FUTILITY_ROUNDS;
use crate::compare::compare_benchmarks;
use crate::policy::{BenchmarkRules, Policy};
use crate::run::{Benchmark, BenchmarkId};
use crate::stats::order_statistics::{compute_quantile_lower_bound, compute_quantile_upper_bound};
use crate::stats::summary::{Moments, compute_median_in_place};

/// Distance of the mean from a limit, in standard errors, from which a look usually decides.
const DECIDING_STANDARD_ERRORS: f64 = 4.5;

/// One-sided confidence of a bound that is one standard error away.
const ONE_ERROR_CONFIDENCE: f64 = 0.841;

/// Number of rounds that a benchmark has, and that it would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoundsNeed {
    /// Number of complete rounds measured so far.
    pub(crate) measured: usize,
    /// Estimated number of rounds after which it would be decided; at least `measured`.
    pub(crate) total: usize,
}

impl RoundsNeed {
    /// Returns the estimated number of rounds that are missing.
    pub(crate) fn count_missing(self) -> usize {
        self.total - self.measured
    }

    /// Returns whether the benchmark would stay undecided even if it alone took all of the
    /// `affordable` further rounds. Never before [`MIN_FUTILITY_ROUNDS`] rounds.
    ///
    /// Only right after a planned look may a benchmark be given up for this reason, because a look
    /// between planned ones must come from the clock alone.
    pub(crate) fn is_hopeless(self, affordable: usize) -> bool {
        self.measured >= MIN_FUTILITY_ROUNDS && self.count_missing() > affordable
    }
}

/// Estimates the need of each benchmark that has at least two complete rounds, whether it is decided
/// or not.
pub(crate) fn estimate_rounds_needs(
    rounds: RoundsEvidence<'_>,
    policy: &Policy,
) -> HashMap<BenchmarkId, RoundsNeed> {
    let comparisons =
        compare_benchmarks(&rounds.baseline.benchmarks, &rounds.candidate.benchmarks).into_iter();
    let needs = comparisons.filter_map(|comparison| {
        let median = comparison.baseline.and_then(Benchmark::compute_typical_median);
        let rules = policy.resolve_rules(&comparison.id.name, median);
        let partners = comparison.match_partners();
        let differences = partners.compute_differences();
        Some((comparison.id, estimate_need(&differences, &rules)?))
    });
    needs.collect()
}

/// Estimates the need from the differences of partners (log ratios). Returns `None` below two.
///
/// The standard error falls with the root of the rounds, so `n · (4.5 · s ÷ margin)²` rounds are
/// needed, where s is the standard error after n. The margin is the distance to the farther limit.
/// The mean and the median are both considered: in bursts, the median is known better.
fn estimate_need(differences: &[f64], rules: &BenchmarkRules) -> Option<RoundsNeed> {
    let measured = differences.len();
    let moments = Moments::from_values(differences).ok().filter(|_| measured >= 2)?;
    let mut sorted = differences.to_vec();
    let median = compute_median_in_place(&mut sorted)?;
    sorted.sort_by(f64::total_cmp);
    let of_mean = Some((moments.mean(), moments.standard_error()));
    let high = compute_quantile_upper_bound(&sorted, 0.5, ONE_ERROR_CONFIDENCE);
    let low = compute_quantile_lower_bound(&sorted, 0.5, ONE_ERROR_CONFIDENCE);
    let of_median = high.zip(low).map(|(high, low)| (median, 0.5 * (high - low)));
    let tolerated = rules.threshold.get().ln_1p();
    let to_find = rules.detect.get().ln_1p();
    let totals = [of_mean, of_median].into_iter().flatten().map(|(level, error)| {
        let margin = (level - tolerated).max(to_find - level);
        measured as f64 * (DECIDING_STANDARD_ERRORS * error / margin).powi(2)
    });
    let total = totals.fold(f64::INFINITY, f64::min).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of rounds, and the cast saturates"
    )]
    let total = (total as usize).max(measured);
    Some(RoundsNeed { measured, total })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{RoundsNeed, estimate_need};
    use crate::policy::{BenchmarkRules, Config, Policy};
    use crate::selection::Selection;

    fn default_rules() -> BenchmarkRules {
        let policy = Policy::new(&Config::default(), &BTreeMap::new(), Selection::default());
        policy.unwrap().resolve_rules("any", None)
    }

    #[test]
    fn the_need_grows_with_the_square_of_the_noise() {
        // Ten differences of +1 % ± s: the margin is ln(1.05 ÷ 1.01) = 0.03884, and the standard
        // error s ÷ 3 (ten values of ±s have a standard deviation of s · √(10 ÷ 9)), so that
        // 10 · (4.5 · s ÷ 3 ÷ 0.03884)² rounds are needed: 13.4 at s = 3 %, 53.7 at 6 %.
        let need = |s: f64| {
            let differences: Vec<f64> =
                (0..10).map(|i| 0.01_f64.ln_1p() + if i % 2 == 0 { s } else { -s }).collect();
            estimate_need(&differences, &default_rules()).unwrap()
        };
        assert_eq!(need(0.01), RoundsNeed { measured: 10, total: 10 });
        assert_eq!(need(0.03).total, 14);
        assert_eq!(need(0.06).total, 54);
    }

    #[test]
    fn a_burst_that_hides_the_mean_does_not_hide_the_median() {
        let mut differences = [0.05; 12];
        differences[3] = 1.5;
        differences[7] = -1.2;
        let need = estimate_need(&differences, &default_rules()).unwrap();
        assert_eq!(need.total, 12);
    }

    #[test]
    fn only_what_the_rest_of_the_budget_cannot_decide_is_hopeless() {
        let need = RoundsNeed { measured: 14, total: 60 };
        assert_eq!(need.count_missing(), 46);
        assert!(need.is_hopeless(45) && !need.is_hopeless(46));
        assert!(!RoundsNeed { measured: 7, total: 900 }.is_hopeless(1));
    }

    #[test]
    fn one_round_tells_nothing_about_the_need() {
        assert_eq!(estimate_need(&[0.1], &default_rules()), None);
    }
}
