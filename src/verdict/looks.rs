//! Judging base and candidate measured in rounds.
//!
//! The looks are replayed from the launches. The same launches therefore always give the same
//! answer, no matter when or how often it is computed.

use super::alike::AlikeChance;
use super::change::{
    ChangeEstimate, ChangeFinding, ChangeLimits, ErrorRates, compute_detectable_slowdown,
    note_undecided,
};
use super::clock::ClockResolution;
use super::look_plan::{self, MIN_HISTORY_ROUNDS, MIN_ROUNDS};
use super::test_form::{MIN_CORRELATION_ROUNDS, choose_test_form};
use super::witness::{MIN_SIGN_ROUNDS, SignBoundaries, combine_witnesses, split_errors};
use crate::compare::PartnerMedians;
use crate::decision::Change;
use crate::note::Note;
use crate::policy::BenchmarkRules;
use crate::run::LookHorizon;
use crate::stats::shrinkage::{self, VariancePrior};
use crate::stats::spending::{self, ErrorShare, LookPlan};
use crate::stats::summary;
use crate::stats::test::sign::compute_smaller_sign_p;
use crate::stats::test::t::{
    StandardError, TTest, TestForm, compute_cautious_test, compute_t_test,
};

/// Number of rounds from which a small change is called, without history.
///
/// Launches with two modes may all fall on the wrong sides in fewer rounds, and their variance then
/// looks small.
const MIN_CHANGE_ROUNDS: usize = 7;

/// Size of a change that is called earlier, as a multiple of the slowdown that must be found.
const EARLY_CHANGE_FACTOR: f64 = 5.0;

/// Smallest number of rounds after which a benchmark may be given up as hopeless.
pub(super) const MIN_FUTILITY_ROUNDS: usize = 10;

/// Noise of one benchmark on this machine, from earlier rounds with the same code on both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NoiseHistory {
    /// Number of rounds that the figures were estimated from.
    pub(crate) rounds: usize,
    /// Variance of the difference of partners, in squared log units.
    pub(crate) difference_variance: f64,
    /// Variance of the launches of one side, in squared log units.
    pub(crate) launch_variance: f64,
    /// Correlation of partners, from −1 to 1.
    pub(crate) correlation: f64,
    /// Half of all A/A comparisons show at least this change, as a share.
    pub(crate) noise_floor: f64,
}

/// The launches of one benchmark in rounds, with all that is needed to judge them.
#[derive(Clone, Debug)]
pub(super) struct RoundSeries {
    /// Log medians of its launches; each index is one round.
    pub(super) partners: PartnerMedians,
    /// Its noise from history. `None` without calibration.
    pub(super) noise: Option<NoiseHistory>,
    /// How well the clock resolves its calls.
    pub(super) clock: ClockResolution,
    /// What the policy tolerates for it.
    pub(super) rules: BenchmarkRules,
    /// Whether the levels are those of a metric that launches report, which may not vary at all.
    pub(super) is_reported: bool,
}

/// Circumstances of the looks. `test_count` and `has_screen` are fixed before the first round.
#[derive(Clone, Copy, Debug)]
pub(super) struct LookContext {
    /// Number of tests that share α: one for each benchmark that entered the rounds, and one for each
    /// judged metric of each.
    pub(super) test_count: usize,
    /// Largest number of rounds that a benchmark may take. It is fixed before the first round.
    pub(super) horizon: LookHorizon,
    /// Whether a screen has already had its chance to pass a benchmark.
    pub(super) has_screen: bool,
    /// Whether no more rounds will come. If so, one more look takes the rounds after the last
    /// planned look.
    pub(super) has_ended: bool,
}

impl NoiseHistory {
    /// Returns whether the history has enough rounds to be used.
    fn is_long_enough(&self) -> bool {
        self.rounds >= MIN_HISTORY_ROUNDS
    }

    /// Returns the standard error that the history predicts after `rounds` rounds. Returns `None`
    /// if the history cannot be a prior.
    fn predict_standard_error(&self, form: TestForm, rounds: usize) -> Option<StandardError> {
        let degrees = self.rounds as f64 - 1.0;
        Some(match form {
            TestForm::Paired => VariancePrior::new(self.difference_variance, degrees)?
                .compute_error_of_differences(rounds),
            TestForm::Welch => VariancePrior::new(self.launch_variance, 2.0 * degrees)?
                .compute_error_of_two_means(rounds, rounds),
        })
    }
}

impl RoundSeries {
    /// Returns the history if it has enough rounds.
    fn long_history(&self) -> Option<&NoiseHistory> {
        self.noise.as_ref().filter(|noise| noise.is_long_enough())
    }

    /// Chooses the look plan. It depends on the history and the policy only, never on the launches.
    fn choose_plan(&self, horizon: LookHorizon) -> LookPlan {
        let Some(noise) = self.long_history() else {
            return look_plan::plan_without_history(horizon);
        };
        let rounds = look_plan::REACH_ROUNDS;
        let margin = self.rules.detect.get().ln_1p() - self.rules.threshold.get().ln_1p();
        match noise.predict_standard_error(self.choose_form(rounds, None), rounds) {
            Some(expected) => look_plan::choose_look_plan(margin, expected.value, horizon),
            None => look_plan::choose_look_plan(margin, f64::INFINITY, horizon),
        }
    }

    /// Returns the number of rounds measured so far.
    fn round_count(&self) -> usize {
        self.partners.baseline.len()
    }

    /// Chooses the form of the test from the history, or else from the correlation of the suite.
    fn choose_form(&self, rounds: usize, suite_correlation: Option<f64>) -> TestForm {
        choose_test_form(
            rounds,
            self.long_history().map(|noise| noise.correlation),
            suite_correlation,
        )
    }

    /// Chooses how the first `rounds` rounds are tested.
    ///
    /// Without history and without a suite, nobody knows whether partners repel each other. So from
    /// some number of rounds on, Welch's test is then made cautious. Before, only large changes are
    /// called.
    fn choose_look_form(&self, rounds: usize, suite_correlation: Option<f64>) -> LookForm {
        let form = self.choose_form(rounds, suite_correlation);
        let is_unknown = suite_correlation.is_none() && self.long_history().is_none();
        let is_cautious = form == TestForm::Welch && is_unknown && rounds >= MIN_CORRELATION_ROUNDS;
        LookForm { form, is_cautious }
    }

    /// Tests the first `rounds` rounds. Returns `None` if they do not allow a test.
    fn run_test(&self, rounds: usize, look_form: LookForm) -> Option<TTest> {
        let (baseline, candidate) = self.take_first(rounds);
        let test = if look_form.is_cautious {
            compute_cautious_test(baseline, candidate)
        } else {
            compute_t_test(look_form.form, baseline, candidate)
        };
        test.ok().map(|test| self.clock.widen(test))
    }

    /// Returns the correlation of its partners: from history, or else from the first `rounds`
    /// rounds. Returns `None` if there are too few rounds.
    fn estimate_correlation(&self, rounds: usize) -> Option<f64> {
        match self.long_history() {
            Some(noise) => Some(noise.correlation),
            None if rounds < MIN_CORRELATION_ROUNDS => None,
            None => {
                let (baseline, candidate) = self.take_first(rounds);
                summary::compute_correlation(baseline, candidate)
            }
        }
    }

    /// Returns what answers in place of a test of the first `rounds` rounds, or `None` if the test
    /// does.
    fn find_alike_chance(&self, rounds: usize, test: &TTest) -> Option<AlikeChance> {
        let is_alike = self.is_reported && AlikeChance::replaces(test);
        is_alike.then(|| {
            let (baseline, candidate) = self.take_first(rounds);
            AlikeChance::from_sides(baseline, candidate)
        })
    }

    /// Returns the limits of the answers after `rounds` rounds.
    fn find_limits(&self, rounds: usize) -> ChangeLimits {
        let limits = ChangeLimits::from_rules(&self.rules);
        if rounds >= MIN_CHANGE_ROUNDS || self.long_history().is_some() {
            return limits;
        }
        let early = (EARLY_CHANGE_FACTOR * self.rules.detect.get()).ln_1p();
        ChangeLimits { called: limits.change.max(early), ..limits }
    }

    /// Returns the differences of partners of the first `rounds` rounds.
    fn compute_differences(&self, rounds: usize) -> Vec<f64> {
        let (baseline, candidate) = self.take_first(rounds);
        candidate.iter().zip(baseline).map(|(new, old)| new - old).collect()
    }

    /// Returns the first `rounds` log medians of baseline and candidate.
    fn take_first(&self, rounds: usize) -> (&[f64], &[f64]) {
        (&self.partners.baseline[..rounds], &self.partners.candidate[..rounds])
    }
}

/// Returns the number of rounds after which a benchmark with this noise is looked at next. Returns
/// `None` after the last look, which is at the horizon.
pub(crate) fn find_next_look(
    noise: Option<&NoiseHistory>,
    horizon: LookHorizon,
    rounds: usize,
) -> Option<usize> {
    let plan = match noise.filter(|noise| noise.is_long_enough()) {
        // Both plans with history look after the same rounds, so either gives the answer.
        Some(_) => look_plan::choose_look_plan(1.0, 0.0, horizon),
        None => look_plan::plan_without_history(horizon),
    };
    plan.find_next_look(rounds)
}

/// How the launches of one benchmark are tested at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LookForm {
    form: TestForm,
    /// Whether Welch's test gets the standard error of the differences if that is larger.
    is_cautious: bool,
}

/// State of the looks at one benchmark.
struct LookProgress {
    /// The answer; `None` while the benchmark is undecided.
    finding: Option<ChangeFinding>,
    /// Rounds at the last look; 0 before the first.
    last_look: usize,
    /// Form of the test at the last look. `None` before the first.
    last_form: Option<LookForm>,
    /// The boundaries of the signs.
    signs: SignBoundaries,
    /// The smaller one-sided p-value of each witness of each look, with the share of the errors that the witness
    /// spent.
    p_values: Vec<(f64, f64)>,
}

/// Judges all benchmarks of a suite together, because they share information about the noise.
/// Returns one finding per benchmark, in the order of `suite`.
pub(super) fn judge_suite(suite: &[RoundSeries], context: LookContext) -> Vec<ChangeFinding> {
    // Plan: replay the rounds one by one, and look at the benchmarks that are due after each. A
    // benchmark leaves the suite at the look that decides it. After the last round, conclude each
    // benchmark.
    let mut progress: Vec<LookProgress> = suite
        .iter()
        .map(|_| LookProgress {
            finding: None,
            last_look: 0,
            last_form: None,
            signs: SignBoundaries::new(),
            p_values: Vec::new(),
        })
        .collect();
    let most_rounds = suite.iter().map(RoundSeries::round_count).max().unwrap_or(0);
    for rounds in MIN_ROUNDS..=most_rounds {
        look_at_suite(suite, context, rounds, &mut progress);
    }
    suite
        .iter()
        .zip(progress)
        .map(|(series, progress)| {
            conclude_series(series, context, progress).limit_by_clock(&series.clock)
        })
        .collect()
}

/// A look that is due at one benchmark.
struct DueLook<'a> {
    /// Position in the suite.
    index: usize,
    series: &'a RoundSeries,
    /// Share of the errors that this look spends.
    share: ErrorShare,
    form: LookForm,
    /// The plain test, not yet combined with history.
    test: TTest,
}

/// Looks at all benchmarks that are due after `rounds` rounds, and records the results in
/// `progress`.
fn look_at_suite(
    suite: &[RoundSeries],
    context: LookContext,
    rounds: usize,
    progress: &mut [LookProgress],
) {
    // The history steadies the test that decides. The plain test is kept for the ratio that is
    // shown.
    let due = find_due_looks(suite, context, rounds, progress);
    for (due, shrunk) in due.iter().zip(shrink_tests(rounds, &due)) {
        let errors = context.compute_error_rates(due.share);
        let progress = &mut progress[due.index];
        (progress.last_look, progress.last_form) = (rounds, Some(due.form));
        let (change, estimate) = progress.hear_witnesses(due, rounds, &shrunk, errors);
        if change != Change::Inconclusive {
            let p_values = std::mem::take(&mut progress.p_values);
            let detectable = compute_detectable_slowdown(&shrunk, errors, &due.series.rules);
            progress.finding = Some(ChangeFinding {
                change,
                estimate: Some(estimate),
                p_value: Some(spending::combine_look_p_values(p_values)),
                minimum_detectable: Some(detectable),
                rounds: Some(rounds),
                notes: Vec::new(),
            });
        }
    }
}

impl LookProgress {
    /// Returns the answer of a look after `rounds` rounds and its estimate, and records the p-values.
    /// `shrunk` is the test that decides.
    fn hear_witnesses(
        &mut self,
        due: &DueLook<'_>,
        rounds: usize,
        shrunk: &TTest,
        errors: ErrorRates,
    ) -> (Change, ChangeEstimate) {
        // From some number of rounds on, the signs are a second witness, and the two share the
        // errors.
        let series = due.series;
        let limits = series.find_limits(rounds);
        let [of_test, of_signs] = split_errors(errors, rounds);
        // The p-values are weighted with the part of α that their witness has.
        let alike = series.find_alike_chance(rounds, shrunk);
        let least = alike.map_or(0.0, |alike| alike.change);
        let p_value = shrunk.p_greater(0.0).min(shrunk.p_less(0.0)).max(least);
        self.p_values.push((p_value, due.share.alpha * of_test.alpha / errors.alpha));
        let answer = match alike {
            Some(alike) => limits.classify_alike(shrunk.difference, alike, of_test),
            None => limits.classify(shrunk, of_test),
        };
        if rounds < MIN_SIGN_ROUNDS {
            return (answer, ChangeEstimate::Mean(due.test));
        }
        let differences = series.compute_differences(rounds);
        if of_signs.alpha > 0.0 {
            let sign_share = due.share.alpha * of_signs.alpha / errors.alpha;
            self.p_values.push((compute_smaller_sign_p(&differences), sign_share));
        }
        let signs = self.signs.judge_signs(&differences, of_signs, limits, &series.clock);
        let rounding = series.clock.largest_rounding();
        combine_witnesses(
            (answer, due.test),
            (signs, || ChangeEstimate::from_differences(differences, rounding)),
        )
    }
}

/// Returns the undecided benchmarks that are due after `rounds` rounds: because a look is planned,
/// or because no more rounds will come.
fn find_due_looks<'a>(
    suite: &'a [RoundSeries],
    context: LookContext,
    rounds: usize,
    progress: &[LookProgress],
) -> Vec<DueLook<'a>> {
    // Plan: find the benchmarks, estimate the correlation of partners over all that are undecided,
    // and choose each form of test by it.
    let undecided: Vec<(usize, &RoundSeries, ErrorShare)> = suite
        .iter()
        .zip(progress)
        .enumerate()
        .filter(|(_, (series, progress))| {
            progress.finding.is_none() && series.round_count() >= rounds
        })
        .filter_map(|(index, (series, progress))| {
            let plan = series.choose_plan(context.horizon);
            let is_planned = plan.find_next_look(progress.last_look) == Some(rounds);
            let is_forced = context.has_ended && series.round_count() == rounds;
            let share = plan.spend(progress.last_look, rounds)?;
            (is_planned || is_forced).then_some((index, series, share))
        })
        .collect();
    let suite_correlation =
        estimate_suite_correlation(undecided.iter().map(|(_, series, _)| *series), rounds);
    undecided
        .into_iter()
        .filter_map(|(index, series, share)| {
            let form = series.choose_look_form(rounds, suite_correlation);
            Some(DueLook { index, series, share, form, test: series.run_test(rounds, form)? })
        })
        .collect()
}

/// Returns the median correlation of partners over the suite. Returns `None` if fewer than
/// `MIN_SUITE_SIZE` benchmarks have a correlation.
fn estimate_suite_correlation<'a>(
    suite: impl Iterator<Item = &'a RoundSeries>,
    rounds: usize,
) -> Option<f64> {
    let mut correlations: Vec<f64> =
        suite.filter_map(|series| series.estimate_correlation(rounds)).collect();
    (correlations.len() >= shrinkage::MIN_SUITE_SIZE)
        .then(|| summary::compute_median_in_place(&mut correlations))
        .flatten()
}

/// Returns the tests that are due, each combined with its history as prior. A test without history,
/// or whose history no longer holds, stays as it is.
fn shrink_tests(rounds: usize, due: &[DueLook<'_>]) -> Vec<TTest> {
    // Whether the priors still hold is decided for all benchmarks together.
    let with_prior: Vec<(usize, StandardError, StandardError)> = due
        .iter()
        .enumerate()
        .filter_map(|(place, due)| {
            let prior = due.series.long_history()?.predict_standard_error(due.form.form, rounds)?;
            let observed = StandardError {
                value: due.test.standard_error,
                degrees_of_freedom: due.test.degrees_of_freedom,
            };
            Some((place, observed, prior))
        })
        .collect();
    let pairs: Vec<_> = with_prior.iter().map(|(_, observed, prior)| (*observed, *prior)).collect();
    let mut tests: Vec<TTest> = due.iter().map(|due| due.test).collect();
    for ((place, _, _), prior) in with_prior.iter().zip(shrinkage::select_usable_priors(&pairs)) {
        if let Some(prior) = prior {
            let shrunk = shrinkage::shrink(tests[*place], prior);
            // The clock limits every launch, so a quiet history does not count against it.
            tests[*place] = due[*place].series.clock.widen(shrunk);
        }
    }
    tests
}

impl LookContext {
    /// Returns the error rates of a look that spends `share`.
    fn compute_error_rates(self, share: ErrorShare) -> ErrorRates {
        let pass = if self.has_screen {
            look_plan::PASS_ERROR_AFTER_SCREEN
        } else {
            look_plan::PASS_ERROR
        };
        ErrorRates {
            alpha: look_plan::compute_benchmark_alpha(self.test_count) * share.alpha,
            pass: pass * share.pass_error,
        }
    }
}

/// Returns the finding of a benchmark after its last look. It is inconclusive if no look decided.
fn conclude_series(
    series: &RoundSeries,
    context: LookContext,
    progress: LookProgress,
) -> ChangeFinding {
    if let Some(finding) = progress.finding {
        return finding;
    }
    let rounds = series.round_count();
    let form = progress.last_form.unwrap_or_else(|| series.choose_look_form(rounds, None));
    let Some(test) = series.run_test(rounds, form) else {
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        let note = Note::TooFewRounds { rounds };
        return ChangeFinding::without_test(Change::Inconclusive, Some(note));
    };
    // The slowdown that is shown refers to the whole error rates, as if these rounds were the only
    // look.
    let whole_errors = ErrorRates {
        alpha: look_plan::compute_benchmark_alpha(context.test_count),
        pass: look_plan::PASS_ERROR,
    };
    let detectable = compute_detectable_slowdown(&test, whole_errors, &series.rules);
    let p_value = spending::combine_look_p_values(progress.p_values);
    ChangeFinding {
        change: Change::Inconclusive,
        estimate: Some(ChangeEstimate::Mean(test)),
        p_value: Some(p_value),
        minimum_detectable: Some(detectable),
        rounds: Some(rounds),
        notes: vec![note_undecided(Some(rounds), detectable)],
    }
}
