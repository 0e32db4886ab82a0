//! Base and candidate in rounds: the looks are replayed from the launches, so that the same launches
//! always give the same answer, whoever asks and whenever.

use super::Change;
use super::change::{Errors, Finding, classify, minimum_detectable};
use crate::compare::Partners;
use crate::policy::Rules;
use crate::stats::sequential::{self, Form, Plan, Share};
use crate::stats::shrinkage::{self, Prior};
use crate::stats::summary;
use crate::stats::welch::{StandardError, TTest};

/// What earlier rounds of the same code on both sides told about one benchmark on this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Noise {
    /// Rounds it was learnt from.
    pub(crate) rounds: usize,
    /// Variance of the difference of partners, of logarithms.
    pub(crate) difference_variance: f64,
    /// Variance of launches of one side, of logarithms.
    pub(crate) launch_variance: f64,
    /// Correlation of partners.
    pub(crate) correlation: f64,
    /// Half of all A/A comparisons show at least this change.
    pub(crate) floor: f64,
}

/// One benchmark in rounds.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// Its launches, one of each side a round.
    pub(super) partners: Partners,
    /// What is known of its noise.
    pub(super) noise: Option<Noise>,
    /// What is tolerated.
    pub(super) rules: Rules,
}

/// What is fixed before the first round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Benchmarks that entered the rounds.
    pub(super) entered: usize,
    /// A screen has already had its chance to pass.
    pub(super) screened: bool,
    /// No more rounds will come: look once more at what is there.
    pub(super) ended: bool,
}

impl Noise {
    fn is_history(&self) -> bool {
        self.rounds >= sequential::LEAST_HISTORY
    }

    fn prior(&self, form: Form, rounds: usize) -> Option<StandardError> {
        let degrees = self.rounds as f64 - 1.0;
        Some(match form {
            Form::Paired => Prior::new(self.difference_variance, degrees)?.of_differences(rounds),
            Form::Welch => {
                Prior::new(self.launch_variance, 2.0 * degrees)?.of_two_means(rounds, rounds)
            }
        })
    }
}

impl Series {
    fn history(&self) -> Option<&Noise> {
        self.noise.as_ref().filter(|noise| noise.is_history())
    }

    fn plan(&self) -> Plan {
        let Some(noise) = self.history() else { return sequential::WITHOUT_HISTORY };
        let rounds = sequential::REACH_ROUNDS;
        let margin = self.rules.detect.get().ln_1p() - self.rules.threshold.get().ln_1p();
        match noise.prior(self.form(rounds, None), rounds) {
            Some(expected) => sequential::plan(margin, expected.value),
            None => sequential::OUT_OF_REACH,
        }
    }

    fn rounds(&self) -> usize {
        self.partners.baseline.len()
    }

    fn form(&self, rounds: usize, suite: Option<f64>) -> Form {
        sequential::form(rounds, self.history().map(|noise| noise.correlation), suite)
    }

    fn test(&self, rounds: usize, form: Form) -> Option<TTest> {
        let (baseline, candidate) = self.first(rounds);
        sequential::test(form, baseline, candidate).ok()
    }

    /// How its partners correlate, by its history or else by the first rounds, if they are enough.
    fn correlation(&self, rounds: usize) -> Option<f64> {
        match self.history() {
            Some(noise) => Some(noise.correlation),
            None if rounds < sequential::CORRELATED_ROUNDS => None,
            None => {
                let (baseline, candidate) = self.first(rounds);
                sequential::correlation(baseline, candidate)
            }
        }
    }

    fn first(&self, rounds: usize) -> (&[f64], &[f64]) {
        (&self.partners.baseline[..rounds], &self.partners.candidate[..rounds])
    }
}

/// Rounds after which a benchmark of this noise is looked at next; none after the last look.
pub(crate) fn next_look(noise: Option<&Noise>, rounds: usize) -> Option<usize> {
    let plan = match noise.filter(|noise| noise.is_history()) {
        // Which of the two plans it is makes no difference to when they look.
        Some(_) => sequential::WITHIN_REACH,
        None => sequential::WITHOUT_HISTORY,
    };
    plan.next_look(rounds)
}

/// The looks of one benchmark so far.
struct Progress {
    finding: Option<Finding>,
    looked_at: usize,
    /// The form of the test at the last of them.
    form: Option<Form>,
    p_values: Vec<(f64, Share)>,
}

/// Judges all benchmarks of a suite at once, because their noise is judged together.
pub(super) fn judge(suite: &[Series], terms: Terms) -> Vec<Finding> {
    let mut progress: Vec<Progress> = suite
        .iter()
        .map(|_| Progress { finding: None, looked_at: 0, form: None, p_values: Vec::new() })
        .collect();
    let most = suite.iter().map(Series::rounds).max().unwrap_or(0);
    for rounds in sequential::LEAST_ROUNDS..=most {
        look(suite, terms, rounds, &mut progress);
    }
    suite.iter().zip(progress).map(|(series, progress)| conclude(series, terms, progress)).collect()
}

/// A benchmark at one look.
struct Due<'a> {
    index: usize,
    series: &'a Series,
    share: Share,
    form: Form,
    test: TTest,
}

/// One look at all benchmarks that are due after `rounds` rounds.
fn look(suite: &[Series], terms: Terms, rounds: usize, progress: &mut [Progress]) {
    let due = due(suite, terms, rounds, progress);
    for (due, shrunk) in due.iter().zip(shrunken(rounds, &due)) {
        let errors = terms.errors(due.share);
        let progress = &mut progress[due.index];
        let p = shrunk.p_greater(0.0).min(shrunk.p_less(0.0));
        progress.p_values.push((p, due.share));
        (progress.looked_at, progress.form) = (rounds, Some(due.form));
        let change = classify(&shrunk, errors, &due.series.rules);
        if change != Change::Inconclusive {
            let p_values = std::mem::take(&mut progress.p_values);
            progress.finding = Some(Finding {
                change,
                test: Some(due.test),
                p_value: Some(sequential::p_over_looks(p_values)),
                minimum_detectable: Some(minimum_detectable(&shrunk, errors, &due.series.rules)),
                rounds: Some(rounds),
                reasons: Vec::new(),
            });
        }
    }
}

/// The undecided benchmarks that are looked at after `rounds` rounds, because it was planned or because no
/// more will come.
fn due<'a>(
    suite: &'a [Series],
    terms: Terms,
    rounds: usize,
    progress: &[Progress],
) -> Vec<Due<'a>> {
    let undecided: Vec<(usize, &Series, Share)> = suite
        .iter()
        .zip(progress)
        .enumerate()
        .filter(|(_, (series, progress))| progress.finding.is_none() && series.rounds() >= rounds)
        .filter_map(|(index, (series, progress))| {
            let is_planned = series.plan().next_look(progress.looked_at) == Some(rounds);
            let is_forced = terms.ended && series.rounds() == rounds;
            let share = series.plan().spend(progress.looked_at, rounds)?;
            (is_planned || is_forced).then_some((index, series, share))
        })
        .collect();
    let together = together(undecided.iter().map(|(_, series, _)| *series), rounds);
    undecided
        .into_iter()
        .filter_map(|(index, series, share)| {
            let form = series.form(rounds, together);
            Some(Due { index, series, share, form, test: series.test(rounds, form)? })
        })
        .collect()
}

/// How partners correlate in most of the benchmarks, if they are enough to tell.
fn together<'a>(suite: impl Iterator<Item = &'a Series>, rounds: usize) -> Option<f64> {
    let mut correlations: Vec<f64> =
        suite.filter_map(|series| series.correlation(rounds)).collect();
    (correlations.len() >= shrinkage::LEAST_SUITE)
        .then(|| summary::median_in_place(&mut correlations))
        .flatten()
}

/// The tests that are due, with the priors that still hold.
fn shrunken(rounds: usize, due: &[Due<'_>]) -> Vec<TTest> {
    let with_prior: Vec<(usize, StandardError, StandardError)> = due
        .iter()
        .enumerate()
        .filter_map(|(place, due)| {
            let prior = due.series.history()?.prior(due.form, rounds)?;
            let observed = StandardError {
                value: due.test.standard_error,
                degrees_of_freedom: due.test.degrees_of_freedom,
            };
            Some((place, observed, prior))
        })
        .collect();
    let pairs: Vec<_> = with_prior.iter().map(|(_, observed, prior)| (*observed, *prior)).collect();
    let mut tests: Vec<TTest> = due.iter().map(|due| due.test).collect();
    for ((place, _, _), prior) in with_prior.iter().zip(shrinkage::guard(&pairs)) {
        if let Some(prior) = prior {
            tests[*place] = shrinkage::shrink(tests[*place], prior);
        }
    }
    tests
}

impl Terms {
    fn errors(self, share: Share) -> Errors {
        let pass = if self.screened {
            sequential::PASS_ERROR_AFTER_SCREEN
        } else {
            sequential::PASS_ERROR
        };
        Errors {
            alpha: sequential::benchmark_alpha(self.entered) * share.alpha,
            pass: pass * share.pass,
        }
    }
}

/// What is said after the last look of a benchmark.
fn conclude(series: &Series, terms: Terms, progress: Progress) -> Finding {
    if let Some(finding) = progress.finding {
        return finding;
    }
    let rounds = series.rounds();
    let form = progress.form.unwrap_or_else(|| series.form(rounds, None));
    let Some(test) = series.test(rounds, form) else {
        let reason = format!("{rounds} rounds are too few to tell anything");
        return Finding::untested(Change::Inconclusive, Some(reason));
    };
    let whole =
        Errors { alpha: sequential::benchmark_alpha(terms.entered), pass: sequential::PASS_ERROR };
    let minimum = minimum_detectable(&test, whole, &series.rules);
    let p_value = sequential::p_over_looks(progress.p_values);
    Finding {
        change: Change::Inconclusive,
        test: Some(test),
        p_value: Some(p_value),
        minimum_detectable: Some(minimum),
        rounds: Some(rounds),
        reasons: vec![format!(
            "undecided after {rounds} rounds: a slowdown of {:.1} % would have been seen",
            minimum * 100.0
        )],
    }
}
