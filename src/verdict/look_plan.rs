//! The numbers of the gate: its error rates, and when it looks.
//!
//! All of it is fixed before the first round. `stats` has the mathematics, METHODOLOGY the reasons.

use crate::run::LookHorizon;
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

/// Looks at a benchmark whose variance on this machine is known from earlier rounds, and for which
/// this variance predicts early detection.
///
/// A slowdown of the size that must be found will be found early, so most of α is spent by then.
const WITHIN_REACH_LOOKS: [PlannedLook; 10] = [
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
];

/// Looks at a benchmark whose variance is known from history, but for which such a slowdown takes
/// all available rounds.
///
/// α is kept for the last look.
const OUT_OF_REACH_LOOKS: [PlannedLook; 10] = [
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
];

/// Plan for a benchmark whose variance is not known.
const WITHOUT_HISTORY_PLAN: LookPlan = LookPlan::new(
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

/// Plan for a benchmark whose variance is not known, if more than 20 rounds are affordable.
///
/// Twenty rounds decide little where launches vary by several percent, and a round takes less than
/// a second. α and the pass error are spread over the looks so that quiet benchmarks are decided as
/// early as before.
const LONG_WITHOUT_HISTORY_PLAN: LookPlan = LookPlan::new(
    MIN_ROUNDS,
    &[
        plan_look(4, 0.025, 0.10),
        plan_look(5, 0.0125, 0.10),
        plan_look(7, 0.0625, 0.10),
        plan_look(10, 0.15, 0.13),
        plan_look(14, 0.14, 0.13),
        plan_look(20, 0.12, 0.11),
        plan_look(28, 0.11, 0.09),
        plan_look(40, 0.10, 0.07),
        plan_look(56, 0.09, 0.06),
        plan_look(80, 0.08, 0.05),
        plan_look(112, 0.06, 0.03),
        plan_look(160, 0.05, 0.03),
    ],
);

/// Share of the errors that the looks up to 20 rounds keep if later ones follow.
const EARLY_SHARE: f64 = 0.75;

/// Sums of the shares of [`LATE_LOOKS`].
const LATE_SUMS: ErrorShare = ErrorShare { alpha: 0.49, pass_error: 0.33 };

/// The looks after more than 20 rounds, with their shares before they are scaled.
const LATE_LOOKS: [PlannedLook; 6] = [
    plan_look(28, 0.11, 0.09),
    plan_look(40, 0.10, 0.07),
    plan_look(56, 0.09, 0.06),
    plan_look(80, 0.08, 0.05),
    plan_look(112, 0.06, 0.03),
    plan_look(160, 0.05, 0.03),
];

/// Returns `early`, scaled to [`EARLY_SHARE`], followed by [`LATE_LOOKS`], scaled to the rest.
const fn add_late_looks(early: [PlannedLook; 10]) -> [PlannedLook; 16] {
    let mut looks = [LATE_LOOKS[0]; 16];
    let mut at = 0;
    while at < looks.len() {
        looks[at] = if at < early.len() {
            let PlannedLook { rounds, share } = early[at];
            plan_look(rounds, EARLY_SHARE * share.alpha, EARLY_SHARE * share.pass_error)
        } else {
            let PlannedLook { rounds, share } = LATE_LOOKS[at - early.len()];
            let rest = 1.0 - EARLY_SHARE;
            let alpha = rest * share.alpha / LATE_SUMS.alpha;
            plan_look(rounds, alpha, rest * share.pass_error / LATE_SUMS.pass_error)
        };
        at += 1;
    }
    looks
}

const WITHIN_REACH_PLAN: LookPlan = LookPlan::new(MIN_ROUNDS, &WITHIN_REACH_LOOKS);
const OUT_OF_REACH_PLAN: LookPlan = LookPlan::new(MIN_ROUNDS, &OUT_OF_REACH_LOOKS);
const LONG_WITHIN_REACH_PLAN: LookPlan =
    LookPlan::new(MIN_ROUNDS, &add_late_looks(WITHIN_REACH_LOOKS));
const LONG_OUT_OF_REACH_PLAN: LookPlan =
    LookPlan::new(MIN_ROUNDS, &add_late_looks(OUT_OF_REACH_LOOKS));

/// Number of rounds whose precision, as predicted by history, determines the plan.
pub(crate) const REACH_ROUNDS: usize = 14;

/// Distance from the tolerated slowdown to the slowdown that must be found, in standard errors
/// after [`REACH_ROUNDS`] rounds, from which the latter is within reach.
const REACH_STANDARD_ERRORS: f64 = 4.5;

/// Returns the plan of a benchmark without history, with looks up to `horizon`.
pub(crate) fn plan_without_history(horizon: LookHorizon) -> LookPlan {
    match horizon {
        LookHorizon::Rounds20 => WITHOUT_HISTORY_PLAN,
        longer => LONG_WITHOUT_HISTORY_PLAN.end_at(longer.rounds()),
    }
}

/// Returns the plan of a benchmark with history, with looks up to `horizon`. The plan is fixed before
/// the first round.
///
/// `margin` is the distance from the tolerated slowdown to the slowdown that must be found.
/// `standard_error` is the one expected after [`REACH_ROUNDS`] rounds, in the same unit.
///
/// Both plans look after the same rounds. They differ in when they spend α (the information time of
/// Lan & `DeMets` 1983, known here from history).
pub(crate) fn choose_look_plan(margin: f64, standard_error: f64, horizon: LookHorizon) -> LookPlan {
    let is_within_reach = margin >= REACH_STANDARD_ERRORS * standard_error;
    match (horizon, is_within_reach) {
        (LookHorizon::Rounds20, true) => WITHIN_REACH_PLAN,
        (LookHorizon::Rounds20, false) => OUT_OF_REACH_PLAN,
        (longer, true) => LONG_WITHIN_REACH_PLAN.end_at(longer.rounds()),
        (longer, false) => LONG_OUT_OF_REACH_PLAN.end_at(longer.rounds()),
    }
}

/// Returns the false-alarm rate of one benchmark if `benchmarks` enter the rounds.
pub(crate) fn compute_benchmark_alpha(benchmarks: usize) -> f64 {
    (SUITE_ALPHA / benchmarks.max(1) as f64).min(MAX_BENCHMARK_ALPHA)
}

#[cfg(test)]
mod tests {
    use super::{choose_look_plan, plan_without_history};
    use crate::run::LookHorizon;
    use crate::stats::spending::LookPlan;

    fn within_reach(horizon: LookHorizon) -> LookPlan {
        choose_look_plan(1.0, 0.1, horizon)
    }

    fn out_of_reach(horizon: LookHorizon) -> LookPlan {
        choose_look_plan(1.0, 10.0, horizon)
    }

    fn list_looks(plan: LookPlan) -> Vec<usize> {
        let looks =
            std::iter::successors(plan.find_next_look(0), |last| plan.find_next_look(*last));
        looks.collect()
    }

    #[track_caller]
    fn spends_everything_once(plan: LookPlan, stops: &[usize]) {
        let (mut previous, mut alpha, mut pass) = (0, 0.0, 0.0);
        for &rounds in stops {
            let share = plan.spend(previous, rounds).expect("a new look");
            assert!(share.alpha > 0.0 && share.pass_error > 0.0);
            (previous, alpha, pass) = (rounds, alpha + share.alpha, pass + share.pass_error);
        }
        assert!((alpha - 1.0_f64).abs() < 1e-12 && (pass - 1.0_f64).abs() < 1e-12);
        assert_eq!(plan.find_next_look(previous), None);
    }

    #[test]
    fn the_looks_of_a_plan_spend_the_whole_error_and_no_more() {
        for horizon in LookHorizon::ALL {
            for plan in [within_reach, out_of_reach, plan_without_history].map(|plan| plan(horizon))
            {
                let looks = list_looks(plan);
                assert_eq!(looks.last(), Some(&horizon.rounds()));
                spends_everything_once(plan, &looks);
            }
        }
    }

    #[test]
    fn the_looks_are_those_of_the_methodology() {
        let twenty = LookHorizon::Rounds20;
        assert_eq!(list_looks(within_reach(twenty)), [3, 4, 5, 6, 7, 8, 10, 12, 14, 20]);
        assert_eq!(list_looks(plan_without_history(twenty)), [4, 5, 7, 10, 14, 20]);
        let longest = LookHorizon::Rounds160;
        let looks = [4, 5, 7, 10, 14, 20, 28, 40, 56, 80, 112, 160];
        assert_eq!(list_looks(plan_without_history(longest)), looks);
    }

    #[test]
    fn forced_looks_between_planned_ones_spend_no_more() {
        let twenty = LookHorizon::Rounds20;
        spends_everything_once(within_reach(twenty), &[4, 5, 9, 20]);
        spends_everything_once(out_of_reach(twenty), &[5, 13, 17, 20]);
        spends_everything_once(plan_without_history(twenty), &[3, 4, 6, 10, 19, 20]);
        let looks = [3, 4, 6, 10, 19, 20, 33, 79, 150, 160];
        spends_everything_once(plan_without_history(LookHorizon::Rounds160), &looks);
    }

    #[test]
    fn planned_looks_spend_their_own_share() {
        let share = within_reach(LookHorizon::Rounds20).spend(8, 10).expect("planned");
        assert!((share.alpha - 0.25).abs() < 1e-12 && (share.pass_error - 0.13).abs() < 1e-12);
    }

    #[test]
    fn whoever_asks_for_the_next_look_need_not_know_which_plan_a_history_chose() {
        for horizon in LookHorizon::ALL {
            assert_eq!(list_looks(within_reach(horizon)), list_looks(out_of_reach(horizon)));
        }
    }

    #[test]
    fn nothing_is_left_after_the_last_look() {
        for horizon in LookHorizon::ALL {
            let last = horizon.rounds();
            assert_eq!(within_reach(horizon).spend(last, last + 1), None);
            assert_eq!(plan_without_history(horizon).spend(last, last + 100), None);
        }
        assert_eq!(plan_without_history(LookHorizon::Rounds20).spend(10, 10), None);
    }

    #[test]
    fn a_benchmark_given_up_right_after_a_look_gets_no_forced_look() {
        for horizon in LookHorizon::ALL {
            let plan = plan_without_history(horizon);
            for look in list_looks(plan) {
                assert_eq!(plan.spend(look, look), None);
            }
        }
    }
}
