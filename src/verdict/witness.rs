//! The two witnesses of a look: the t test, and from some number of rounds on the signs of the
//! differences of partners.
//!
//! A t test has no power where some launches are hit by bursts, because their variance is that of
//! the bursts. Signs count each round once, whatever its size.

use super::change::{ChangeEstimate, ErrorRates};
use super::clock::ClockResolution;
use crate::decision::Change;
use crate::policy::BenchmarkRules;
use crate::stats::summary::Moments;
use crate::stats::test::sign::{SignWalk, count_above, count_below};
use crate::stats::test::t::TTest;

/// Smallest number of rounds from which the signs may show that a benchmark is unchanged.
pub(super) const MIN_SIGN_ROUNDS: usize = 14;

/// Smallest number of rounds from which the signs may show a change. Fourteen signs cannot reach the
/// error rate of a suite of fifty, so the t test alone has the α of that look.
const MIN_SIGN_CHANGE_ROUNDS: usize = 20;

/// Limits of the logarithm of the ratio that define the answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ChangeLimits {
    /// A change is slower than this, or faster than its negative.
    pub(super) change: f64,
    /// A change that is certain but not beyond this leaves the benchmark open. At least `change`.
    pub(super) called: f64,
    /// What is certainly below this is unchanged.
    pub(super) detect: f64,
}

/// How far the signs of one benchmark may go at its looks, in both error rates.
#[derive(Clone, Debug)]
pub(super) struct SignBoundaries {
    alpha: SignWalk,
    pass: SignWalk,
}

impl ChangeLimits {
    /// Returns the limits that the rules set.
    pub(super) fn from_rules(rules: &BenchmarkRules) -> Self {
        let change = rules.threshold.get().ln_1p();
        Self { change, called: change, detect: rules.detect.get().ln_1p() }
    }

    /// Judges a log ratio by its bounds: the strict bounds at the α of a failure, the loose bound at
    /// the error of a pass.
    pub(super) fn classify(self, test: &TTest, errors: ErrorRates) -> Change {
        let (low, high) = (test.lower_bound(errors.alpha), test.upper_bound(errors.alpha));
        if low > self.called {
            Change::Regressed
        } else if high < -self.called {
            Change::Improved
        } else if low > self.change || high < -self.change {
            Change::Inconclusive
        } else if test.upper_bound(errors.pass) < self.detect {
            Change::Unchanged
        } else {
            Change::Inconclusive
        }
    }
}

impl SignBoundaries {
    /// Creates the boundaries before the first look.
    pub(super) fn new() -> Self {
        Self { alpha: SignWalk::new(), pass: SignWalk::new() }
    }

    /// Judges the signs of `differences` (log ratios of partners) at a look that may spend `errors`.
    /// Each look must see the rounds of the looks before.
    ///
    /// What the clock may have rounded counts against every answer. Signs see the median only, so
    /// *unchanged* also needs a mean below the slowdown that must be found: a candidate that is much
    /// slower in a part of its launches is not unchanged.
    pub(super) fn judge_signs(
        &mut self,
        differences: &[f64],
        errors: ErrorRates,
        limits: ChangeLimits,
        clock: &ClockResolution,
    ) -> Change {
        let rounds = differences.len();
        let for_change = self.alpha.continue_to(rounds, errors.alpha);
        let for_pass = self.pass.continue_to(rounds, errors.pass);
        let rounding = clock.largest_rounding();
        let has_low_mean =
            || Moments::from_values(differences).is_ok_and(|all| all.mean() < limits.detect);
        if count_above(differences, limits.change + rounding) >= for_change {
            Change::Regressed
        } else if count_below(differences, -limits.change - rounding) >= for_change {
            Change::Improved
        } else if count_below(differences, limits.detect - rounding) >= for_pass && has_low_mean() {
            Change::Unchanged
        } else {
            Change::Inconclusive
        }
    }
}

/// Returns what the t test and the signs may spend of `errors` at a look after `rounds` rounds, in
/// this order. Where both are witnesses, each has half.
pub(super) fn split_errors(errors: ErrorRates, rounds: usize) -> [ErrorRates; 2] {
    let give = |error: f64, from: usize| {
        if rounds < from { [error, 0.0] } else { [0.5 * error, 0.5 * error] }
    };
    let alpha = give(errors.alpha, MIN_SIGN_CHANGE_ROUNDS);
    let pass = give(errors.pass, MIN_SIGN_ROUNDS);
    [0, 1].map(|witness| ErrorRates { alpha: alpha[witness], pass: pass[witness] })
}

/// Returns the answer of a look with two witnesses, and the estimate of the witness that gave it. A
/// change that one of them finds weighs more than a pass of the other.
pub(super) fn combine_witnesses(
    test: (Change, TTest),
    signs: (Change, impl FnOnce() -> ChangeEstimate),
) -> (Change, ChangeEstimate) {
    if rank_change(signs.0) < rank_change(test.0) {
        (signs.0, signs.1())
    } else {
        (test.0, ChangeEstimate::Mean(test.1))
    }
}

/// Returns the place of an answer of a look in the order in which the first that holds decides.
fn rank_change(change: Change) -> u8 {
    match change {
        Change::Regressed => 0,
        Change::Improved => 1,
        Change::Unchanged => 2,
        Change::Inconclusive | Change::New | Change::Missing | Change::Failed => 3,
    }
}
