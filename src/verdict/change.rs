//! Judging two series of launches: improved, unchanged, regressed or inconclusive.

use super::alike::AlikeChance;
use super::clock::ClockResolution;
use super::look_plan::{PASS_ERROR, compute_benchmark_alpha};
use super::test_form::choose_test_form;
use crate::compare::{BenchmarkComparison, PartnerMedians};
use crate::decision::Change;
use crate::note::Note;
use crate::policy::BenchmarkRules;
use crate::stats::order_statistics::{compute_quantile_lower_bound, compute_quantile_upper_bound};
use crate::stats::power;
use crate::stats::random_effects::{BaselineLevel, MIN_BASELINE_RUNS};
use crate::stats::test::t::{self, TTest, TestForm};
use crate::units::Percent;

/// The log ratio that is shown, with what its interval is computed from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ChangeEstimate {
    /// Difference of means, from a plain t test.
    Mean(TTest),
    /// Median of the differences of partners, from their signs.
    Median {
        /// The differences, in ascending order; never empty.
        sorted: Vec<f64>,
        /// Shift on each side that the clock's rounding may cause.
        rounding: f64,
    },
}

/// The answer for one benchmark, with the estimate behind it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ChangeFinding {
    /// What the data say.
    pub(super) change: Change,
    /// The ratio that is shown. `None` if a side has too few launches.
    pub(super) estimate: Option<ChangeEstimate>,
    /// Two-sided p-value, corrected for looking several times. `None` without a test.
    pub(super) p_value: Option<f64>,
    /// Slowdown found with 80 % power at the noise of this measurement, as a share. `None` without
    /// a test.
    pub(super) minimum_detectable: Option<f64>,
    /// Number of rounds that the answer is based on. `None` if it was not found in rounds.
    pub(super) rounds: Option<usize>,
    /// Notes that explain the answer or name what weakens it.
    pub(super) notes: Vec<Note>,
}

impl ChangeFinding {
    /// Builds a finding without a test.
    pub(super) fn without_test(change: Change, note: Option<Note>) -> Self {
        let notes = note.into_iter().collect();
        Self {
            change,
            estimate: None,
            p_value: None,
            minimum_detectable: None,
            rounds: None,
            notes,
        }
    }

    /// Returns this finding, or an inconclusive one if it is a change and there is a `doubt`.
    #[must_use]
    pub(super) fn limit_by_doubt(self, doubt: Option<Note>) -> Self {
        let is_change = matches!(self.change, Change::Regressed | Change::Improved);
        match doubt.filter(|_| is_change) {
            Some(doubt) => Self { change: Change::Inconclusive, notes: vec![doubt], ..self },
            None => self,
        }
    }

    /// Returns this finding, or an inconclusive one if the clock allows no conclusion. A ratio of
    /// samples of zero is left out.
    #[must_use]
    pub(super) fn limit_by_clock(self, clock: &ClockResolution) -> Self {
        let Some(doubt) = clock.doubt() else { return self };
        let rounds = self.rounds;
        match doubt {
            Note::SamplesOfZero => {
                let note = Some(Note::SamplesOfZero);
                Self { rounds, ..Self::without_test(Change::Inconclusive, note) }
            }
            // Without a test there is a reason already.
            _ if self.estimate.is_none() => self,
            doubt => Self {
                change: Change::Inconclusive,
                minimum_detectable: None,
                notes: vec![doubt.clone()],
                ..self
            },
        }
    }
}

impl ChangeEstimate {
    /// Builds the median of the differences of partners, which may not be empty.
    pub(super) fn from_differences(mut differences: Vec<f64>, rounding: f64) -> Self {
        differences.sort_by(f64::total_cmp);
        Self::Median { sorted: differences, rounding }
    }

    /// Returns the log ratio.
    pub(super) fn difference(&self) -> f64 {
        match self {
            Self::Mean(test) => test.difference,
            Self::Median { sorted, .. } => {
                let middle = sorted.len() / 2;
                if sorted.len() % 2 == 1 {
                    sorted[middle]
                } else {
                    sorted[middle - 1].midpoint(sorted[middle])
                }
            }
        }
    }

    /// Returns the two-sided interval `(low, high)` of the log ratio.
    ///
    /// That of a median is between two order statistics, and ends at the smallest and the largest
    /// difference if there are too few for `confidence`.
    pub(super) fn confidence_interval(&self, confidence: f64) -> (f64, f64) {
        match self {
            Self::Mean(test) => test.confidence_interval(confidence),
            Self::Median { sorted, rounding } => {
                let one_sided = 0.5 * (1.0 + confidence);
                let low = compute_quantile_lower_bound(sorted, 0.5, one_sided);
                let high = compute_quantile_upper_bound(sorted, 0.5, one_sided);
                let (first, last) = (sorted[0], sorted[sorted.len() - 1]);
                (low.unwrap_or(first) - rounding, high.unwrap_or(last) + rounding)
            }
        }
    }
}

/// The error rates of one look.
#[derive(Clone, Copy, Debug)]
pub(super) struct ErrorRates {
    /// Probability of calling an unchanged benchmark changed, per direction.
    pub(super) alpha: f64,
    /// Probability of calling a slowdown of the size that must be found unchanged.
    pub(super) pass: f64,
}

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

    /// Judges a log ratio of launches that do not vary, which `alike` answers.
    ///
    /// A change may be called at the α of the look. A pass may be called from the number of launches
    /// on at which its chance is below the whole pass error: launches that are alike at one look were
    /// alike at every earlier one, so looking again spends nothing.
    pub(super) fn classify_alike(
        self,
        difference: f64,
        alike: AlikeChance,
        errors: ErrorRates,
    ) -> Change {
        let may_call = alike.change <= errors.alpha;
        // What is beyond the threshold and may not be called yet stays open, as in a test.
        let is_beyond = difference.abs() > self.change;
        if may_call && difference > self.called {
            Change::Regressed
        } else if may_call && difference < -self.called {
            Change::Improved
        } else if alike.pass <= PASS_ERROR && difference < self.detect && !is_beyond {
            Change::Unchanged
        } else {
            Change::Inconclusive
        }
    }
}

/// Returns the slowdown, as a share, that a look with these errors calls regressed in 80 % of cases
/// at the noise of `test`.
pub(super) fn compute_detectable_slowdown(
    test: &TTest,
    errors: ErrorRates,
    rules: &BenchmarkRules,
) -> f64 {
    let (error, degrees) = (test.standard_error, test.degrees_of_freedom);
    let excess =
        power::find_minimum_detectable_effect(error, degrees, errors.alpha, power::DETECTION_POWER);
    (rules.threshold.get().ln_1p() + excess).exp_m1()
}

/// The log levels of two sides, with those that were measured next to each other.
#[derive(Clone, Debug, Default)]
pub(super) struct SideLevels {
    /// Levels of all launches of the baseline.
    pub(super) baseline: Vec<f64>,
    /// Levels of all launches of the candidate.
    pub(super) candidate: Vec<f64>,
    /// Levels of the launches that have a partner.
    pub(super) partners: PartnerMedians,
}

/// Judges two runs as they are, in one look. `compared` is the number of tests that share the
/// false-alarm rate.
pub(super) fn judge_two_runs(
    comparison: &BenchmarkComparison<'_>,
    compared: usize,
    rules: &BenchmarkRules,
) -> ChangeFinding {
    let (Some(baseline), Some(candidate)) = (comparison.baseline, comparison.candidate) else {
        return ChangeFinding::without_test(Change::Inconclusive, None);
    };
    let levels = SideLevels {
        baseline: baseline.ln_medians(),
        candidate: candidate.ln_medians(),
        partners: comparison.match_partners(),
    };
    let clock = ClockResolution::from_comparison(comparison, rules);
    judge_two_sides(&levels, compared, rules, &clock, None)
}

/// Judges the levels of two sides in one look. `alike` is what answers if they do not vary; `None` if
/// the test does.
pub(super) fn judge_two_sides(
    levels: &SideLevels,
    compared: usize,
    rules: &BenchmarkRules,
    clock: &ClockResolution,
    alike: Option<AlikeChance>,
) -> ChangeFinding {
    let SideLevels { baseline, candidate, partners } = levels;
    let test = match choose_test_form(partners.baseline.len(), None, None) {
        TestForm::Paired => t::compute_paired_test(&partners.baseline, &partners.candidate),
        TestForm::Welch => t::compute_welch_test(baseline, candidate),
    };
    let errors = ErrorRates { alpha: compute_benchmark_alpha(compared), pass: PASS_ERROR };
    match test {
        Ok(test) => judge_one_look(test, errors, rules, clock, alike),
        Err(_) => ChangeFinding::without_test(Change::Inconclusive, Some(Note::TooFewLaunches)),
    }
}

/// Between-run standard deviation of the log level that is assumed until `MIN_BASELINE_RUNS` runs
/// are stored on the machine.
const ASSUMED_RUN_DEVIATION: f64 = 0.02;

/// Judges a candidate against the levels of stored runs of the same machine, newest first.
///
/// `runs` holds the log medians of the launches of each stored run, `candidate` those of the
/// candidate. `clock` limits what they can show. `alike` answers if they do not vary.
pub(super) fn judge_against_stored(
    runs: &[Vec<f64>],
    candidate: &[f64],
    errors: ErrorRates,
    rules: &BenchmarkRules,
    clock: &ClockResolution,
    alike: Option<AlikeChance>,
) -> ChangeFinding {
    let runs: Vec<&[f64]> = runs.iter().map(Vec::as_slice).collect();
    // A few stored runs do not show how much runs differ, so a fixed deviation is assumed for them.
    let level = if runs.len() >= MIN_BASELINE_RUNS {
        BaselineLevel::estimate(&runs)
    } else {
        BaselineLevel::with_known_deviation(&runs, ASSUMED_RUN_DEVIATION)
    };
    let Ok(test) = level.and_then(|level| level.compare(candidate)) else {
        return ChangeFinding::without_test(Change::Inconclusive, Some(Note::TooFewLaunches));
    };
    let mut finding = judge_one_look(test, errors, rules, clock, alike);
    if runs.len() < MIN_BASELINE_RUNS {
        finding.notes.push(Note::FewStoredRuns {
            runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
            needed: u32::try_from(MIN_BASELINE_RUNS).unwrap_or(u32::MAX),
            assumed: Percent::new(ASSUMED_RUN_DEVIATION).expect("2 % is a share"),
        });
    }
    finding
}

/// Builds the finding of a test that is the only look. `alike` answers if the levels do not vary.
fn judge_one_look(
    test: TTest,
    errors: ErrorRates,
    rules: &BenchmarkRules,
    clock: &ClockResolution,
    alike: Option<AlikeChance>,
) -> ChangeFinding {
    let test = clock.widen(test);
    let limits = ChangeLimits::from_rules(rules);
    let change = match alike.filter(|_| AlikeChance::replaces(&test)) {
        Some(alike) => limits.classify_alike(test.difference, alike, errors),
        None => limits.classify(&test, errors),
    };
    let detectable = compute_detectable_slowdown(&test, errors, rules);
    let notes = match change {
        Change::Inconclusive => vec![note_undecided(None, detectable)],
        _ => Vec::new(),
    };
    let finding = ChangeFinding {
        change,
        estimate: Some(ChangeEstimate::Mean(test)),
        p_value: Some(test.p_two_sided(0.0)),
        minimum_detectable: Some(detectable),
        rounds: None,
        notes,
    };
    finding.limit_by_clock(clock)
}

/// Returns the note that the data do not decide. `detectable` is a share, and may be too large to
/// be one.
pub(super) fn note_undecided(rounds: Option<usize>, detectable: f64) -> Note {
    Note::Undecided {
        rounds: rounds.map(|rounds| u32::try_from(rounds).unwrap_or(u32::MAX)),
        detectable: Percent::new(detectable).ok(),
        more_time: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify(launches: usize, [old, new]: [f64; 2], alpha: f64) -> Change {
        let sides = [old, new].map(|value: f64| vec![value.ln(); launches]);
        let chance = AlikeChance::from_sides(&sides[0], &sides[1]);
        let change = 0.01_f64.ln_1p();
        let limits = ChangeLimits { change, called: change, detect: 0.05_f64.ln_1p() };
        limits.classify_alike(new.ln() - old.ln(), chance, ErrorRates { alpha, pass: 0.005 })
    }

    #[test]
    fn a_count_that_never_varies_is_not_certain_after_a_few_launches() {
        // 4⁻⁴ = 0.0039, 4⁻⁷ = 0.00006; 2⁻⁴ = 0.0625, 2⁻⁵ = 0.031.
        assert_eq!(classify(4, [12.0, 13.0], 0.003), Change::Inconclusive);
        assert_eq!(classify(7, [12.0, 13.0], 0.0001), Change::Regressed);
        assert_eq!(classify(7, [13.0, 12.0], 0.0001), Change::Improved);
        assert_eq!(classify(4, [12.0, 12.0], 0.003), Change::Inconclusive);
        assert_eq!(classify(5, [12.0, 12.0], 0.003), Change::Unchanged);
    }
}
