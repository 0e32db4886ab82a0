//! Sequential looks at the data that do not raise the error rates.
//!
//! This module defines when to look, what share of the errors each look may spend, and which test
//! it uses. All of it is fixed before the first round.

use super::welch::TTest;
use super::{StatsError, summary, welch};

/// Probability of any false alarm in a suite without a change. The benchmarks of the suite share
/// it.
pub(crate) const SUITE_ALPHA: f64 = 0.04;

/// Largest false-alarm rate of one benchmark, even if the suite has few benchmarks.
pub(crate) const MAX_BENCHMARK_ALPHA: f64 = 0.005;

/// Probability of passing a slowdown of the size that must be detected.
pub(crate) const PASS_ERROR: f64 = 0.05;

/// Replaces [`PASS_ERROR`] after a screen, because the screen already had a chance to pass.
pub(crate) const PASS_ERROR_AFTER_SCREEN: f64 = 0.03;

/// Smallest number of rounds from which a conclusion is drawn.
pub(crate) const MIN_ROUNDS: usize = 3;

/// Smallest number of rounds with the same code on both sides whose correlation may decide the form
/// of the test.
pub(crate) const MIN_HISTORY_ROUNDS: usize = 15;

/// Correlation of partners from which pairing gains more than the lost degrees of freedom cost, if
/// their variance is known from history.
///
/// At or below the negative of this value, Welch's test would understate its error, so pairing is
/// used as well.
const MIN_PAIRED_CORRELATION: f64 = 0.15;

/// Break-even points of pairing without history, as `(rounds, correlation)`: from that number of
/// rounds on, pairing gains from that correlation on.
const PAIRED_BREAK_EVEN: [(usize, f64); 2] = [(10, 0.35), (7, 0.55)];

/// Number of rounds from which a suite shows how its partners correlate.
///
/// Benchmarks of one process share its conditions, so that many benchmarks compensate for few
/// rounds only in part.
pub(crate) const MIN_CORRELATION_ROUNDS: usize = 7;

/// Number of rounds from which the test is paired, without history.
const PAIRED_ROUNDS: usize = 20;

/// Share of the total error that a look spends; each field is between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ErrorShare {
    /// Share of the false-alarm rate.
    pub(crate) alpha: f64,
    /// Share of the pass error.
    pub(crate) pass_error: f64,
}

/// One planned look: its number of rounds, and the share of the errors that it spends.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PlannedLook {
    /// Number of rounds after which the look takes place.
    rounds: usize,
    /// Share of the errors that the look spends.
    share: ErrorShare,
}

const fn plan_look(rounds: usize, alpha: f64, pass: f64) -> PlannedLook {
    PlannedLook { rounds, share: ErrorShare { alpha, pass_error: pass } }
}

/// Looks of a confirmation and the share of the error rates that each spends.
///
/// This is α spending (`Lan & DeMets` 1983). Bonferroni's inequality is applied between looks, so
/// that no assumption on their dependence is needed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LookPlan {
    looks: &'static [PlannedLook],
}

/// Plan for a benchmark whose variance on this machine is known from earlier rounds, and for which
/// this variance predicts early detection.
///
/// A slowdown of the size that must be found will be found early, so most of α is spent by then.
pub(crate) const WITHIN_REACH_PLAN: LookPlan = LookPlan {
    looks: &[
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
};

/// Plan for a benchmark whose variance is known from history, but for which such a slowdown takes
/// all available rounds.
///
/// α is kept for the last look.
pub(crate) const OUT_OF_REACH_PLAN: LookPlan = LookPlan {
    looks: &[
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
};

/// Plan for a benchmark whose variance is not known.
pub(crate) const WITHOUT_HISTORY_PLAN: LookPlan = LookPlan {
    looks: &[
        plan_look(4, 0.025, 0.10),
        plan_look(5, 0.0125, 0.10),
        plan_look(7, 0.0875, 0.10),
        plan_look(10, 0.25, 0.15),
        plan_look(14, 0.25, 0.20),
        plan_look(20, 0.375, 0.35),
    ],
};

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

impl LookPlan {
    /// Returns the number of rounds of the first planned look after `rounds` rounds, or `None`
    /// after the last.
    pub(crate) fn find_next_look(&self, rounds: usize) -> Option<usize> {
        self.looks.iter().map(|look| look.rounds).find(|planned| *planned > rounds)
    }

    /// Returns what a look at `rounds` spends if the last look was at `previous` (0 for the first
    /// look).
    ///
    /// A look between two planned looks spends the interpolated share. Returns `None` below
    /// [`MIN_ROUNDS`], if there are no new rounds to look at, or if no α is left.
    pub(crate) fn spend(&self, previous: usize, rounds: usize) -> Option<ErrorShare> {
        if rounds < MIN_ROUNDS || rounds <= previous {
            return None;
        }
        let (before, now) = (self.sum_shares_until(previous), self.sum_shares_until(rounds));
        let share = ErrorShare {
            alpha: now.alpha - before.alpha,
            pass_error: now.pass_error - before.pass_error,
        };
        (share.alpha > 0.0).then_some(share)
    }

    /// Returns what all looks up to `rounds` spend together.
    fn sum_shares_until(&self, rounds: usize) -> ErrorShare {
        let (mut from, mut spent) = (0, ErrorShare { alpha: 0.0, pass_error: 0.0 });
        for look in self.looks {
            let step = (rounds.min(look.rounds) - from) as f64 / (look.rounds - from) as f64;
            spent.alpha += step * look.share.alpha;
            spent.pass_error += step * look.share.pass_error;
            if rounds <= look.rounds {
                break;
            }
            from = look.rounds;
        }
        spent
    }
}

/// Returns the false-alarm rate of one benchmark if `benchmarks` enter the rounds.
pub(crate) fn compute_benchmark_alpha(benchmarks: usize) -> f64 {
    (SUITE_ALPHA / benchmarks.max(1) as f64).min(MAX_BENCHMARK_ALPHA)
}

/// Which launches of the two sides a test compares with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestForm {
    /// All launches of one side with all launches of the other.
    Welch,
    /// Each launch with its partner of the same round.
    Paired,
}

/// Chooses the form of the test after `rounds` rounds from the correlation of partners, never from
/// a p-value.
///
/// `own` is the [`compute_partner_correlation`] of the benchmark's history; it is `None` if the
/// history is too short. `suite` is the median correlation over the benchmarks that are judged
/// together. The suite is informative because the machine causes partners to be alike or to repel
/// each other. `suite` is `None` if there are too few benchmarks or too few rounds.
///
/// The correlation of two normal samples carries no information about their means. Choosing by it
/// is therefore not a look at the answer.
pub(crate) fn choose_test_form(rounds: usize, own: Option<f64>, suite: Option<f64>) -> TestForm {
    let is_repelling = |r: Option<f64>| r.is_some_and(|r| r <= -MIN_PAIRED_CORRELATION);
    let gains = match own {
        Some(own) => own >= MIN_PAIRED_CORRELATION,
        None => rounds >= PAIRED_ROUNDS || suite.is_some_and(|r| r >= find_break_even(rounds)),
    };
    if gains || is_repelling(own) || is_repelling(suite) {
        TestForm::Paired
    } else {
        TestForm::Welch
    }
}

/// Returns the correlation from which pairing gains more than it costs, if the variance is not
/// known from history. Returns infinity while no correlation suffices.
fn find_break_even(rounds: usize) -> f64 {
    let reached = PAIRED_BREAK_EVEN.iter().find(|(from, _)| rounds >= *from);
    reached.map_or(f64::INFINITY, |(_, correlation)| *correlation)
}

/// Returns the [correlation](compute_correlation) of the two launches of a round, from rounds of
/// the same code on both sides.
///
/// Returns `None` below [`MIN_HISTORY_ROUNDS`] rounds, or if the correlation is undefined.
pub(crate) fn compute_partner_correlation(baseline: &[f64], candidate: &[f64]) -> Option<f64> {
    (baseline.len() >= MIN_HISTORY_ROUNDS)
        .then(|| compute_correlation(baseline, candidate))
        .flatten()
}

/// Returns Pearson's correlation of two sides with the same number of values.
///
/// Returns `None` for fewer than two values, for sides of unequal length, or if a side does not
/// vary.
pub(crate) fn compute_correlation(baseline: &[f64], candidate: &[f64]) -> Option<f64> {
    if baseline.len() != candidate.len() {
        return None;
    }
    let a = summary::Moments::from_values(baseline).ok()?;
    let b = summary::Moments::from_values(candidate).ok()?;
    let n = baseline.len() as f64;
    let multiply_scores = |(x, y): (&f64, &f64)| {
        (x - a.mean()) / a.standard_deviation() * ((y - b.mean()) / b.standard_deviation())
    };
    let r = baseline.iter().zip(candidate).map(multiply_scores).sum::<f64>() / (n - 1.0);
    r.is_finite().then_some(r)
}

/// Returns the test of `form` on two sides.
///
/// # Errors
///
/// Fails as [`welch::compute_welch_test`] or [`welch::compute_paired_test`] does.
pub(crate) fn compute_t_test(
    form: TestForm,
    baseline: &[f64],
    candidate: &[f64],
) -> Result<TTest, StatsError> {
    match form {
        TestForm::Welch => welch::compute_welch_test(baseline, candidate),
        TestForm::Paired => welch::compute_paired_test(baseline, candidate),
    }
}

/// Returns the two-sided p-value over all looks so far, from each look's smaller one-sided p-value
/// and its share of α.
///
/// The value is `min(1, 2 · min(p ÷ share))`. It is valid at any stopping time, by Bonferroni's
/// inequality. It is 1 without looks.
pub(crate) fn combine_look_p_values(looks: impl IntoIterator<Item = (f64, ErrorShare)>) -> f64 {
    looks.into_iter().map(|(p, share)| 2.0 * p / share.alpha).fold(1.0, f64::min)
}

#[cfg(test)]
mod tests {
    use super::{LookPlan, OUT_OF_REACH_PLAN, WITHIN_REACH_PLAN, WITHOUT_HISTORY_PLAN};

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
