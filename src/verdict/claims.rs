//! Judges the rules that are about several benchmarks of one run: sums and ratios.

use super::expectation::judge_expectation;
use super::sum_target::judge_sum;
use crate::compare::BenchmarkComparison;
use crate::decision::{ExpectationJudgement, SumJudgement, TargetStatus};
use crate::note::{ClaimIssue, Note};
use crate::policy::Policy;
use crate::run::Benchmark;
use crate::selection::find_nearest_id;

/// The answers to the rules about several benchmarks.
#[derive(Clone, Debug, Default)]
pub(super) struct ClaimAnswers {
    /// Targets on sums.
    pub(super) sums: Vec<SumJudgement>,
    /// Claims about ratios.
    pub(super) expectations: Vec<ExpectationJudgement>,
    /// A note for each rule that names a benchmark that there is not.
    pub(super) notes: Vec<Note>,
}

impl ClaimAnswers {
    /// Yields the status of every sum and every ratio.
    pub(super) fn statuses(&self) -> impl Iterator<Item = TargetStatus> {
        let sums = self.sums.iter().map(|sum| sum.status);
        sums.chain(self.expectations.iter().map(|claim| claim.status))
    }
}

/// Judges the rules about several benchmarks by the launches of the candidate. Leaves out rules about
/// benchmarks that are not selected.
pub(super) fn judge_claims(
    comparisons: &[BenchmarkComparison<'_>],
    policy: &Policy,
) -> ClaimAnswers {
    let ids: Vec<&str> = comparisons.iter().map(|one| one.id.name.as_str()).collect();
    let mut answers = ClaimAnswers::default();
    if ids.is_empty() {
        return answers;
    }
    let find = |id: &str| -> Option<&Benchmark> {
        let mut named = comparisons.iter().filter(|one| one.id.name == id);
        named.find_map(|one| one.candidate.filter(|side| side.failure.is_none()))
    };
    let covers = |id: &str| ids.contains(&id) || policy.covers_benchmark(id);
    let find_unknown = |id: &&String| !ids.contains(&id.as_str());
    let find_nearest = |id: &str| find_nearest_id(id, &ids).map(str::to_owned);
    for rule in policy.sum_rules().iter().filter(|rule| rule.parts.iter().all(|id| covers(id))) {
        answers.sums.extend(judge_sum(rule, find));
        answers.notes.extend(rule.parts.iter().find(find_unknown).map(|id| Note::Claim {
            issue: ClaimIssue::SumUnmatched {
                name: rule.name.clone(),
                benchmark: id.clone(),
                nearest: find_nearest(id),
            },
        }));
    }
    for rule in policy.expect_rules() {
        let named = [&rule.numerator, &rule.denominator];
        if !named.into_iter().all(|id| covers(id)) {
            continue;
        }
        answers.expectations.extend(judge_expectation(rule, find));
        answers.notes.extend(named.into_iter().find(find_unknown).map(|id| Note::Claim {
            issue: ClaimIssue::ExpectationUnmatched {
                name: rule.name.clone(),
                benchmark: id.clone(),
                nearest: find_nearest(id),
            },
        }));
    }
    answers
}
