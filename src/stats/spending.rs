//! Sequential looks at the data that do not raise the error rates.
//!
//! A plan states when to look and what share of the errors each look may spend. It is fixed before the
//! first round.

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
pub(crate) struct PlannedLook {
    /// Number of rounds after which the look takes place.
    pub(crate) rounds: usize,
    /// Share of the errors that the look spends.
    pub(crate) share: ErrorShare,
}

/// Planned looks and the share of the error rates that each spends.
///
/// This is α spending (`Lan & DeMets` 1983). Bonferroni's inequality is applied between looks, so
/// that no assumption about their dependence is needed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LookPlan {
    min_rounds: usize,
    looks: &'static [PlannedLook],
}

impl LookPlan {
    /// Creates a plan of `looks`, in the order of their rounds. No look, not even one between two
    /// planned ones, takes place before `min_rounds` rounds.
    ///
    /// Shares that do not add up to one are divided by their sum.
    pub(crate) const fn new(min_rounds: usize, looks: &'static [PlannedLook]) -> Self {
        Self { min_rounds, looks }
    }

    /// Returns the plan without the looks after `last` rounds. Its looks spend everything.
    #[must_use]
    pub(crate) fn end_at(self, last: usize) -> Self {
        let kept = self.looks.iter().take_while(|look| look.rounds <= last).count();
        Self { looks: &self.looks[..kept], ..self }
    }

    /// Returns the number of rounds of the first planned look after `rounds` rounds, or `None`
    /// after the last.
    pub(crate) fn find_next_look(&self, rounds: usize) -> Option<usize> {
        self.looks.iter().map(|look| look.rounds).find(|planned| *planned > rounds)
    }

    /// Returns what a look at `rounds` spends if the last look was at `previous` (0 for the first
    /// look).
    ///
    /// A look between two planned looks spends the interpolated share. Returns `None` before
    /// the first round that the plan allows, if there are no new rounds to look at, or if no α is left.
    pub(crate) fn spend(&self, previous: usize, rounds: usize) -> Option<ErrorShare> {
        if rounds < self.min_rounds || rounds <= previous {
            return None;
        }
        let (before, now) = (self.sum_shares_until(previous), self.sum_shares_until(rounds));
        let total = self.sum_shares_until(usize::MAX);
        let share = ErrorShare {
            alpha: (now.alpha - before.alpha) / total.alpha,
            pass_error: (now.pass_error - before.pass_error) / total.pass_error,
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

/// Returns the two-sided p-value over all looks so far, from the smaller one-sided p-value of each
/// test and the share of α that the test spends.
///
/// The value is `min(1, 2 · min(p ÷ share))`. It is valid at any stopping time, by Bonferroni's
/// inequality, if all shares together are at most 1. It is 1 without looks.
pub(crate) fn combine_look_p_values(tests: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    tests.into_iter().map(|(p, alpha_share)| 2.0 * p / alpha_share).fold(1.0, f64::min)
}
