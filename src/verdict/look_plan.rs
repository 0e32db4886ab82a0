//! The numbers of the gate: its error rates, and when it looks.
//!
//! All of it is fixed before the first round. `stats` has the mathematics, METHODOLOGY the reasons.

use crate::stats::spending::{ErrorShare, LookPlan, PlannedLook};

/// Probability of any false alarm in a suite without a change. The benchmarks of the suite share
/// it.
const SUITE_ALPHA: f64 = 0.04;

/// Largest false-alarm rate of one benchmark, even if the suite has few benchmarks.
const MAX_BENCHMARK_ALPHA: f64 = 0.005;

/// Probability of passing a slowdown of the size that must be detected.
pub(crate) const PASS_ERROR: f64 = 0.05;

/// Replaces [`PASS_ERROR`] after a screen, because the screen already had a chance to pass.
pub(crate) const PASS_ERROR_AFTER_SCREEN: f64 = 0.03;

/// Pass error (probability of passing a slowdown that must be found) of a screen, which passes a
/// benchmark without confirmation.
pub(crate) const SCREEN_PASS_ERROR: f64 = 0.01;

/// Smallest number of rounds from which a conclusion is drawn.
pub(crate) const MIN_ROUNDS: usize = 3;

/// Smallest number of rounds with the same code on both sides whose correlation may decide the form
/// of the test.
pub(crate) const MIN_HISTORY_ROUNDS: usize = 15;

const fn plan_look(rounds: usize, alpha: f64, pass: f64) -> PlannedLook {
    PlannedLook { rounds, share: ErrorShare { alpha, pass_error: pass } }
}

/// Plan for a benchmark whose variance on this machine is known from earlier rounds, and for which
/// this variance predicts early detection.
///
/// A slowdown of the size that must be found will be found early, so most of α is spent by then.
pub(crate) const WITHIN_REACH_PLAN: LookPlan = LookPlan::new(
    MIN_ROUNDS,
    &[
        plan_look(3, 0.025, 0.15),
        plan_look(4, 0.035, 0.075),
        plan_look(5, 0.04, 0.075),
        plan_look(6, 0.105, 0.075),
        plan_look(7, 0.105, 0.075),
        plan_look(8, 0.125, 0.07),
        plan_look(10, 0.25, 0.13),
        plan_look(12, 0.125, 0.10),
        plan_look(14, 0.125, 0.10),
        plan_look(20, 0.065, 0.15),
    ],
);

/// Plan for a benchmark whose variance is known from history, but for which such a slowdown takes
/// all available rounds.
///
/// α is kept for the last look.
pub(crate) const OUT_OF_REACH_PLAN: LookPlan = LookPlan::new(
    MIN_ROUNDS,
    &[
        plan_look(3, 0.01, 0.15),
        plan_look(4, 0.005, 0.075),
        plan_look(5, 0.005, 0.075),
        plan_look(6, 0.01, 0.075),
        plan_look(7, 0.01, 0.075),
        plan_look(8, 0.02, 0.07),
        plan_look(10, 0.04, 0.13),
        plan_look(12, 0.075, 0.10),
        plan_look(14, 0.075, 0.10),
        plan_look(20, 0.75, 0.15),
    ],
);

/// Plan for a benchmark whose variance is not known.
pub(crate) const WITHOUT_HISTORY_PLAN: LookPlan = LookPlan::new(
    MIN_ROUNDS,
    &[
        plan_look(4, 0.025, 0.10),
        plan_look(5, 0.0125, 0.10),
        plan_look(7, 0.0875, 0.10),
        plan_look(10, 0.25, 0.15),
        plan_look(14, 0.25, 0.20),
        plan_look(20, 0.375, 0.35),
    ],
);

/// Number of rounds whose precision, as predicted by history, determines the plan.
pub(crate) const REACH_ROUNDS: usize = 14;

/// Distance from the tolerated slowdown to the slowdown that must be found, in standard errors
/// after [`REACH_ROUNDS`] rounds, from which the latter is within reach.
const REACH_STANDARD_ERRORS: f64 = 4.5;

/// Returns the plan of a benchmark with history. The plan is fixed before the first round.
///
/// `margin` is the distance from the tolerated slowdown to the slowdown that must be found.
/// `standard_error` is the one expected after [`REACH_ROUNDS`] rounds, in the same unit.
///
/// Both plans look after the same rounds. They differ in when they spend α (the information time of
/// Lan & `DeMets` 1983, known here from history).
pub(crate) fn choose_look_plan(margin: f64, standard_error: f64) -> LookPlan {
    if margin >= REACH_STANDARD_ERRORS * standard_error {
        WITHIN_REACH_PLAN
    } else {
        OUT_OF_REACH_PLAN
    }
}

/// Returns the false-alarm rate of one benchmark if `benchmarks` enter the rounds.
pub(crate) fn compute_benchmark_alpha(benchmarks: usize) -> f64 {
    (SUITE_ALPHA / benchmarks.max(1) as f64).min(MAX_BENCHMARK_ALPHA)
}

#[cfg(test)]
mod tests {
    use super::{OUT_OF_REACH_PLAN, WITHIN_REACH_PLAN, WITHOUT_HISTORY_PLAN};
    use crate::stats::spending::LookPlan;

    #[track_caller]
    fn spends_everything_once(plan: LookPlan, stops: &[usize]) {
        let (mut previous, mut alpha, mut pass) = (0, 0.0, 0.0);
        for &rounds in stops {
            let share = plan.spend(previous, rounds).expect("a new look");
            assert!(share.alpha > 0.0 && share.pass_error > 0.0);
            (previous, alpha, pass) = (rounds, alpha + share.alpha, pass + share.pass_error);
        }
        assert!((alpha - 1.0_f64).abs() < 1e-12 && (pass - 1.0_f64).abs() < 1e-12);
    }

    #[test]
    fn the_looks_of_a_plan_spend_the_whole_error_and_no_more() {
        spends_everything_once(WITHIN_REACH_PLAN, &[3, 4, 5, 6, 7, 8, 10, 12, 14, 20]);
        spends_everything_once(OUT_OF_REACH_PLAN, &[3, 4, 5, 6, 7, 8, 10, 12, 14, 20]);
        spends_everything_once(WITHOUT_HISTORY_PLAN, &[4, 5, 7, 10, 14, 20]);
    }

    #[test]
    fn forced_looks_between_planned_ones_spend_no_more() {
        spends_everything_once(WITHIN_REACH_PLAN, &[4, 5, 9, 20]);
        spends_everything_once(OUT_OF_REACH_PLAN, &[5, 13, 17, 20]);
        spends_everything_once(WITHOUT_HISTORY_PLAN, &[3, 4, 6, 10, 19, 20]);
    }

    #[test]
    fn planned_looks_spend_their_own_share() {
        let share = WITHIN_REACH_PLAN.spend(8, 10).expect("planned");
        assert!((share.alpha - 0.25).abs() < 1e-12 && (share.pass_error - 0.13).abs() < 1e-12);
    }

    #[test]
    fn whoever_asks_for_the_next_look_need_not_know_which_plan_a_history_chose() {
        for rounds in 0..21 {
            assert_eq!(
                WITHIN_REACH_PLAN.find_next_look(rounds),
                OUT_OF_REACH_PLAN.find_next_look(rounds)
            );
        }
    }

    #[test]
    fn nothing_is_left_after_the_last_look() {
        assert_eq!(WITHIN_REACH_PLAN.spend(20, 21), None);
        assert_eq!(WITHOUT_HISTORY_PLAN.spend(10, 10), None);
    }
}
