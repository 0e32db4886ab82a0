//! Simple rules of other tools, applied to the same data.

use crate::decision::Change;
use crate::stats::bootstrap;
use crate::stats::test::{rank::MannWhitney, t};

use super::tally::BenchmarkAnswer;

/// Number of resamples for Criterion's rule. It is a hundredth of Criterion's default, which
/// changes its answers little.
const RESAMPLES: usize = 1000;

/// Significance level that the rules share.
const SIGNIFICANCE: f64 = 0.05;

/// Change that Criterion treats as noise by default: 0.01 is 1 %.
const CRITERION_NOISE: f64 = 0.01;

/// Number of launches per side for the rule by ranks.
const RANK_TEST_LAUNCHES: u32 = 10;

/// Rule by which other tools call a benchmark slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerRule {
    /// The ratio of means is above 1.1 (github-action-benchmark and others).
    Ratio,
    /// Welch's test on the samples of one launch per side, p < 0.05.
    Welch,
    /// Criterion's rule: p < 0.05 by resampling, and the interval of the change beyond 1 %.
    Criterion,
    /// Mann–Whitney on ten launches per side, measured alternately, p < 0.05 (benchstat).
    MannWhitney,
}

/// Data of one benchmark that the rules judge. All values are durations, not logarithms.
pub(super) struct PeerInput<'a> {
    /// Samples of one launch of the baseline.
    pub(super) baseline: &'a [f64],
    /// Samples of one launch of the candidate.
    pub(super) candidate: &'a [f64],
    /// Levels of the baseline's launches, measured alternately with the candidate's.
    pub(super) baseline_launches: &'a [f64],
    /// Levels of the candidate's launches.
    pub(super) candidate_launches: &'a [f64],
}

impl PeerRule {
    /// All rules, in the order of the tables.
    pub(crate) const ALL: [Self; 4] =
        [Self::Ratio, Self::Welch, Self::Criterion, Self::MannWhitney];

    /// Returns the name of the rule in a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ratio => "ratio above 1.1",
            Self::Welch => "Welch p < 0.05 on samples",
            Self::Criterion => "Criterion's rule",
            Self::MannWhitney => "Mann–Whitney p < 0.05, 10 + 10 launches in rounds",
        }
    }

    pub(super) fn judge(self, seen: &PeerInput<'_>, seed: u64) -> BenchmarkAnswer {
        let is_slower = match self {
            Self::Ratio => compute_mean(seen.candidate) / compute_mean(seen.baseline) > 1.1,
            Self::Welch => t::compute_welch_test(seen.baseline, seen.candidate)
                .is_ok_and(|test| test.difference > 0.0 && test.p_two_sided(0.0) < SIGNIFICANCE),
            Self::Criterion => is_slower_by_criterion(seen.baseline, seen.candidate, seed),
            Self::MannWhitney => {
                is_slower_by_ranks(seen.baseline_launches, seen.candidate_launches)
            }
        };
        let change = if is_slower { Change::Regressed } else { Change::Unchanged };
        let rounds = if self == Self::MannWhitney { RANK_TEST_LAUNCHES } else { 1 };
        BenchmarkAnswer { change, rounds }
    }
}

fn is_slower_by_criterion(baseline: &[f64], candidate: &[f64], seed: u64) -> bool {
    let p = bootstrap::compute_pooled_p_value(baseline, candidate, RESAMPLES, seed);
    if p.is_none_or(|p| p > SIGNIFICANCE) {
        return false;
    }
    let ratios = bootstrap::resample_ratios(baseline, candidate, RESAMPLES, seed, |values| {
        compute_mean(values)
    });
    bootstrap::compute_percentile_interval(&ratios, 1.0 - SIGNIFICANCE)
        .is_some_and(|(low, _)| low > 1.0 + CRITERION_NOISE)
}

fn is_slower_by_ranks(baseline: &[f64], candidate: &[f64]) -> bool {
    let most_launches = RANK_TEST_LAUNCHES as usize;
    let baseline = &baseline[..baseline.len().min(most_launches)];
    let candidate = &candidate[..candidate.len().min(most_launches)];
    let middle = 0.5 * (baseline.len() * candidate.len()) as f64;
    MannWhitney::compute(baseline, candidate).is_some_and(|test| {
        let p = test.p_exact_two_sided().unwrap_or_else(|| test.p_asymptotic_two_sided(0.5));
        test.u > middle && p < SIGNIFICANCE
    })
}

fn compute_mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
