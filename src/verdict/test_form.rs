//! Which test the gate uses: chosen from the correlation of partners, never from a p-value.

use super::look_plan::MIN_HISTORY_ROUNDS;
use crate::stats::summary::compute_correlation;
use crate::stats::test::t::TestForm;

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
