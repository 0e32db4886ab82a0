//! The simple rules of other tools, on the same data.

use crate::stats::{bootstrap, rank::MannWhitney, welch};
use crate::verdict::Change;

use super::tally::Answer;

/// Resamples of Criterion's rule: a hundredth of its default, which moves its answers little.
const RESAMPLES: usize = 1000;

/// Significance that the rules share.
const SIGNIFICANT: f64 = 0.05;

/// What Criterion takes for noise, unless told otherwise.
const CRITERION_NOISE: f64 = 0.01;

/// Launches a side of the rule by ranks.
const RANKED_LAUNCHES: u32 = 10;

/// A rule by which other tools call a benchmark slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The ratio of means is above 1.1 (github-action-benchmark and others).
    Ratio,
    /// Welch's test on the samples of one launch a side, p < .05.
    Welch,
    /// Criterion's: p < .05 by resampling, and the interval of the change beyond 1 %.
    Criterion,
    /// Mann–Whitney on ten launches a side, measured in turn, p < .05 (benchstat).
    MannWhitney,
}

/// What the rules see of one benchmark; samples and levels of launches are durations, not logarithms.
pub(super) struct Seen<'a> {
    /// Samples of a launch of the baseline.
    pub(super) baseline: &'a [f64],
    /// Samples of a launch of the candidate.
    pub(super) candidate: &'a [f64],
    /// Levels of launches of the baseline, measured in turn.
    pub(super) baseline_launches: &'a [f64],
    /// Levels of launches of the candidate.
    pub(super) candidate_launches: &'a [f64],
}

impl Peer {
    /// All of them.
    pub(crate) const ALL: [Self; 4] =
        [Self::Ratio, Self::Welch, Self::Criterion, Self::MannWhitney];

    /// How the rule reads in a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ratio => "ratio above 1.1",
            Self::Welch => "Welch p < .05 on samples",
            Self::Criterion => "Criterion's rule",
            Self::MannWhitney => "Mann–Whitney p < .05, 10 + 10 launches in turn",
        }
    }

    pub(super) fn answer(self, seen: &Seen<'_>, seed: u64) -> Answer {
        let is_slower = match self {
            Self::Ratio => mean(seen.candidate) / mean(seen.baseline) > 1.1,
            Self::Welch => welch::welch(seen.baseline, seen.candidate)
                .is_ok_and(|test| test.difference > 0.0 && test.p_two_sided(0.0) < SIGNIFICANT),
            Self::Criterion => criterion(seen.baseline, seen.candidate, seed),
            Self::MannWhitney => ranked(seen.baseline_launches, seen.candidate_launches),
        };
        let change = if is_slower { Change::Regressed } else { Change::Unchanged };
        let rounds = if self == Self::MannWhitney { RANKED_LAUNCHES } else { 1 };
        Answer { change, rounds }
    }
}

fn criterion(baseline: &[f64], candidate: &[f64], seed: u64) -> bool {
    let p = bootstrap::pooled_p_value(baseline, candidate, RESAMPLES, seed);
    if p.is_none_or(|p| p > SIGNIFICANT) {
        return false;
    }
    let ratios =
        bootstrap::ratio_distribution(baseline, candidate, RESAMPLES, seed, |values| mean(values));
    bootstrap::percentile_interval(&ratios, 1.0 - SIGNIFICANT)
        .is_some_and(|(low, _)| low > 1.0 + CRITERION_NOISE)
}

fn ranked(baseline: &[f64], candidate: &[f64]) -> bool {
    let most = RANKED_LAUNCHES as usize;
    let first = |side: &[f64]| side[..side.len().min(most)].to_vec();
    let (baseline, candidate) = (first(baseline), first(candidate));
    let middle = 0.5 * (baseline.len() * candidate.len()) as f64;
    MannWhitney::of(&baseline, &candidate).is_some_and(|test| {
        let p = test.p_exact_two_sided().unwrap_or_else(|| test.p_asymptotic_two_sided(0.5));
        test.u > middle && p < SIGNIFICANT
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
