//! Which measurements are comparable: those whose conditions are alike.

use std::collections::HashMap;

use crate::note::Note;
use crate::policy::Policy;
use crate::run::{Benchmark, BenchmarkId, ConditionDifference, Run, list_condition_differences};

/// The notes on the conditions in which the two sides of a benchmark differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ConditionFinding {
    /// Why the sides are not comparable; empty if they are.
    pub(super) obstacles: Vec<Note>,
    /// Differences in spite of which the sides are compared.
    pub(super) remarks: Vec<Note>,
}

/// A benchmark with the run that it belongs to.
pub(super) type BenchmarkInRun<'a> = (&'a Run, &'a Benchmark);

impl ConditionFinding {
    /// Compares the conditions of sides that were measured at different times. They are comparable
    /// if they differ only where `policy` allows it.
    pub(super) fn from_separate_runs(
        baseline: BenchmarkInRun<'_>,
        candidate: BenchmarkInRun<'_>,
        policy: &Policy,
    ) -> Self {
        let (allowed, not_allowed) = list_differences(baseline, candidate)
            .into_iter()
            .partition::<Vec<_>, _>(|difference| policy.may_vary(&difference.key));
        let to_obstacle = |ConditionDifference { key, baseline, candidate }| Note::OtherCondition {
            key,
            baseline,
            candidate,
        };
        Self {
            obstacles: not_allowed.into_iter().map(to_obstacle).collect(),
            remarks: allowed.into_iter().map(to_remark).collect(),
        }
    }

    /// Compares the conditions of sides that were measured next to each other. A difference comes
    /// from the change itself, so it is a remark and no obstacle.
    pub(super) fn from_rounds(baseline: BenchmarkInRun<'_>, candidate: BenchmarkInRun<'_>) -> Self {
        let remarks = list_differences(baseline, candidate).into_iter().map(to_remark).collect();
        Self { obstacles: Vec::new(), remarks }
    }
}

fn to_remark(difference: ConditionDifference) -> Note {
    let ConditionDifference { key, baseline, candidate } = difference;
    Note::ConditionChanged { key, baseline, candidate }
}

fn list_differences(
    baseline: BenchmarkInRun<'_>,
    candidate: BenchmarkInRun<'_>,
) -> Vec<ConditionDifference> {
    let [baseline, candidate] =
        [baseline, candidate].map(|(run, benchmark)| run.list_conditions(benchmark));
    list_condition_differences(&baseline, &candidate)
}

/// Returns whether the two sides differ in no condition that `policy` holds fixed.
fn are_comparable(
    baseline: BenchmarkInRun<'_>,
    candidate: BenchmarkInRun<'_>,
    policy: &Policy,
) -> bool {
    list_differences(baseline, candidate).iter().all(|one| policy.may_vary(&one.key))
}

/// Returns the benchmarks of `run` by id.
pub(super) fn index_benchmarks(run: &Run) -> HashMap<BenchmarkId, BenchmarkInRun<'_>> {
    run.benchmarks.iter().map(|benchmark| (benchmark.to_id(), (run, benchmark))).collect()
}

/// Returns whether the benchmark of a stored run may be compared with that of the candidate. A
/// benchmark that the candidate does not have has nothing to differ from.
pub(super) fn is_like_candidate(
    stored: BenchmarkInRun<'_>,
    candidate: &HashMap<BenchmarkId, BenchmarkInRun<'_>>,
    policy: &Policy,
) -> bool {
    let same = candidate.get(&stored.1.to_id());
    same.is_none_or(|candidate| are_comparable(stored, *candidate, policy))
}

/// Keeps the stored runs that have a benchmark under the conditions of `candidate`, nearest first.
///
/// Returns all of them if none has one, so that the decision can name what differs.
pub(crate) fn keep_runs_like(runs: Vec<Run>, candidate: &Run, policy: &Policy) -> Vec<Run> {
    let index = index_benchmarks(candidate);
    let is_like = |run: &Run| {
        run.benchmarks.iter().any(|benchmark| {
            index.contains_key(&benchmark.to_id())
                && is_like_candidate((run, benchmark), &index, policy)
        })
    };
    if !runs.iter().any(is_like) {
        return runs;
    }
    runs.into_iter().filter(|run| is_like(run)).collect()
}
