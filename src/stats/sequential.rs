//! Looking at the data several times without raising the error rates: when to look, what each look may
//! spend, and which test it makes. All of it is fixed before the first round.

use super::welch::TTest;
use super::{StatsError, summary, welch};

/// Chance of any false alarm in a suite without a change, shared by its benchmarks.
pub(crate) const SUITE_ALPHA: f64 = 0.04;

/// The most that one benchmark may have of it, however few there are.
pub(crate) const MAX_BENCHMARK_ALPHA: f64 = 0.005;

/// Chance of passing a slowdown of the size that must be detected.
pub(crate) const PASS_ERROR: f64 = 0.05;

/// The same where a screen has already had its chance to pass.
pub(crate) const PASS_ERROR_AFTER_SCREEN: f64 = 0.03;

/// Fewest rounds from which anything is concluded.
pub(crate) const MIN_ROUNDS: usize = 3;

/// Rounds of the same code on both sides from which their correlation decides the form of the test.
pub(crate) const MIN_HISTORY_ROUNDS: usize = 15;

/// Correlation of partners from which pairing gains more than the lost degrees of freedom cost, where their
/// variance is known from history; and, below zero, where Welch's test would promise too much.
const MIN_PAIRED_CORRELATION: f64 = 0.15;

/// Without history: from these rounds on, pairing gains from this correlation on.
const PAIRED_BREAK_EVEN: [(usize, f64); 2] = [(10, 0.35), (7, 0.55)];

/// Rounds from which a suite tells how its partners correlate: benchmarks of one process share their
/// fate, so that many of them make up for few rounds only in part.
pub(crate) const MIN_CORRELATION_ROUNDS: usize = 7;

/// Without history, rounds from which the test is the paired one.
const PAIRED_ROUNDS: usize = 20;

/// Part of the total error that something spends, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ErrorShare {
    /// Of the false-alarm rate.
    pub(crate) alpha: f64,
    /// Of the pass error.
    pub(crate) pass_error: f64,
}

/// One planned look: after how many rounds, and what part of the errors it spends.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PlannedLook {
    rounds: usize,
    share: ErrorShare,
}

const fn plan_look(rounds: usize, alpha: f64, pass: f64) -> PlannedLook {
    PlannedLook { rounds, share: ErrorShare { alpha, pass_error: pass } }
}

/// The looks of a confirmation and how they share the error rates (α spending, `Lan & DeMets` 1983, with
/// Bonferroni's inequality between looks, so that no assumption on their dependence is needed).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LookPlan {
    looks: &'static [PlannedLook],
}

/// Where the variance of this benchmark on this machine is known from earlier rounds, and by it a
/// slowdown of the size that must be found will be found early: most of α is spent by then.
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

/// Where it is known, and such a slowdown takes all rounds there are: α is kept for the last look.
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

/// Where the variance is not known.
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

/// Rounds whose precision, as history predicts it, chooses the plan.
pub(crate) const REACH_ROUNDS: usize = 14;

/// Standard errors after [`REACH_ROUNDS`] rounds that lie between what is tolerated and what must be
/// found, from which on the latter is within reach.
const REACH_STANDARD_ERRORS: f64 = 4.5;

/// The plan of a benchmark with history, fixed before the first round: `margin` is the distance from what
/// is tolerated to what must be found, `standard_error` the one expected after [`REACH_ROUNDS`] rounds.
///
/// Both plans look after the same rounds; they differ in when they spend α (the information time of Lan
/// & `DeMets` 1983, known here from history).
pub(crate) fn choose_look_plan(margin: f64, standard_error: f64) -> LookPlan {
    if margin >= REACH_STANDARD_ERRORS * standard_error {
        WITHIN_REACH_PLAN
    } else {
        OUT_OF_REACH_PLAN
    }
}

impl LookPlan {
    /// The first planned look after `rounds` rounds; `None` after the last.
    pub(crate) fn find_next_look(&self, rounds: usize) -> Option<usize> {
        self.looks.iter().map(|look| look.rounds).find(|planned| *planned > rounds)
    }

    /// What a look at `rounds` spends when the last one was at `previous` (0 for the first look).
    ///
    /// A look between two planned ones spends the interpolated share. `None` below [`LEAST_ROUNDS`] and
    /// when there is nothing new to look at.
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

    /// What all looks up to `rounds` spend together.
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

/// False-alarm rate of one benchmark among the `benchmarks` that enter the rounds.
pub(crate) fn compute_benchmark_alpha(benchmarks: usize) -> f64 {
    (SUITE_ALPHA / benchmarks.max(1) as f64).min(MAX_BENCHMARK_ALPHA)
}

/// Which launches of the two sides are compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestForm {
    /// All of one side with all of the other.
    Welch,
    /// Each with its partner of the same round.
    Paired,
}

/// The form of the test after `rounds` rounds, fixed by how partners correlate and never by a p-value.
///
/// `own` is the [`partner_correlation`] of the benchmark's history, `None` where there is too little of it.
/// `suite` is the median over the benchmarks that are judged together, since what makes partners alike, or
/// repel each other, is the machine; `None` where there are too few of them or too few rounds.
///
/// The correlation of two normal samples says nothing of their means, so that choosing by it is no look at
/// the answer.
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

/// Correlation from which pairing gains more than it costs, where no history tells the variance.
fn find_break_even(rounds: usize) -> f64 {
    let reached = PAIRED_BREAK_EVEN.iter().find(|(from, _)| rounds >= *from);
    reached.map_or(f64::INFINITY, |(_, correlation)| *correlation)
}

/// Correlation of the two launches of a round, from rounds of the same code on both sides: [`correlation`]
/// where there are [`LEAST_HISTORY`] rounds at least.
pub(crate) fn compute_partner_correlation(baseline: &[f64], candidate: &[f64]) -> Option<f64> {
    (baseline.len() >= MIN_HISTORY_ROUNDS)
        .then(|| compute_correlation(baseline, candidate))
        .flatten()
}

/// Pearson's correlation of as many values on both sides.
///
/// `None` below two values, with sides of unequal length, or a side that does not vary.
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

/// The test of `form` on two sides.
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

/// Two-sided p-value over all looks so far, from each look's smaller one-sided p-value and its share of α.
///
/// `min(1, 2 · min(p ÷ share))`: valid whenever one stops, by Bonferroni's inequality. One without looks.
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
