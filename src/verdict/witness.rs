//! The two witnesses of a look: the t test, and from some number of rounds on the signs of the
//! differences of partners.
//!
//! A t test has no power where some launches are hit by bursts, because their variance is that of
//! the bursts. Signs count each round once, whatever its size.

use super::change::{ChangeEstimate, ChangeLimits, ErrorRates};
use super::clock::ClockResolution;
use crate::decision::Change;
use crate::stats::summary::Moments;
use crate::stats::test::sign::{SignWalk, count_above, count_below};
use crate::stats::test::t::TTest;

/// Smallest number of rounds from which the signs may show that a benchmark is unchanged.
pub(super) const MIN_SIGN_ROUNDS: usize = 14;

/// Smallest number of rounds from which the signs may show a change. Fourteen signs cannot reach the
/// error rate of a suite of fifty, so the t test alone has the α of that look.
const MIN_SIGN_CHANGE_ROUNDS: usize = 20;

/// How far the signs of one benchmark may go at its looks, in both error rates.
#[derive(Clone, Debug)]
pub(super) struct SignBoundaries {
    alpha: SignWalk,
    pass: SignWalk,
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
