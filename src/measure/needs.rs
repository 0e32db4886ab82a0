//! How many samples the targets of benchmarks need, and the launches that this takes.

use std::time::{Duration, Instant};

use super::effort::Effort;
use super::plan::LaunchPlan;
use crate::run::{Benchmark, BenchmarkId, Run};

/// Largest number of launches that are made because a target needs samples: as many as rounds have.
pub(crate) const MAX_TARGET_LAUNCHES: u32 = 20;

/// The samples that targets need, and how much may be measured for them.
#[derive(Clone, Copy)]
pub(crate) struct SampleNeeds<'a> {
    /// Returns the number of samples without which a target of the benchmark with this id cannot be
    /// proven. Zero without such a target.
    pub(crate) find_needed: &'a dyn Fn(&str) -> usize,
    /// Longest time after which launches are added. `None` for no limit.
    pub(crate) budget: Option<Duration>,
}

/// A benchmark that will not have the samples that its targets need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SampleShortage {
    /// Id of the benchmark.
    pub(crate) id: BenchmarkId,
    /// Number of samples that its targets need.
    pub(crate) needed: usize,
    /// Largest number of launches that would be made.
    pub(crate) most_launches: usize,
    /// Number of samples that these launches have.
    pub(crate) planned: usize,
    /// Number of launches that would have enough samples.
    pub(crate) launches: usize,
}

impl SampleNeeds<'_> {
    /// The needs of benchmarks without targets.
    pub(crate) const NONE: Self = SampleNeeds { find_needed: &|_| 0, budget: None };

    /// Removes the benchmarks of `plan` whose targets do not need more samples than `run` has, and
    /// those for which [`MAX_TARGET_LAUNCHES`] are not enough either.
    ///
    /// Removes all once `started` is longer ago than the budget, or if the benchmarks are only known
    /// after a launch.
    pub(super) fn keep_short(&self, plan: &mut LaunchPlan, run: &Run, started: Instant) {
        let planned = plan.planned.get_or_insert_default();
        let is_spent = self.budget.is_some_and(|budget| started.elapsed() >= budget);
        planned.retain(|planned| {
            let mut benchmarks = run.benchmarks.iter();
            let measured = benchmarks.find(|benchmark| benchmark.to_id() == planned.id);
            let (launches, count) =
                measured.map_or((0, 0), |one| (one.launches.len(), count_samples(one)));
            let reachable = (count * MAX_TARGET_LAUNCHES as usize).checked_div(launches);
            let needed = (self.find_needed)(&planned.id.name);
            !is_spent && count < needed && reachable.is_some_and(|most| needed <= most)
        });
    }
}

fn count_samples(benchmark: &Benchmark) -> usize {
    let counts = benchmark.digests().map(|digest| digest.count);
    usize::try_from(counts.sum::<u64>()).unwrap_or(usize::MAX)
}

impl LaunchPlan {
    /// Returns the benchmarks whose targets need more samples than `launches` launches have, and
    /// [`MAX_TARGET_LAUNCHES`] neither. Empty if the benchmarks are only known after a launch.
    pub(crate) fn list_shortages(
        &self,
        effort: &Effort,
        launches: u32,
        needs: &SampleNeeds<'_>,
    ) -> Vec<SampleShortage> {
        let launches = launches.max(MAX_TARGET_LAUNCHES) as usize;
        let mut shortages = Vec::new();
        for job in self.list_jobs() {
            let samples = job.mode.count_samples(effort);
            for id in job.ids.into_iter().flatten() {
                let needed = (needs.find_needed)(&id);
                if needed > launches * samples {
                    shortages.push(SampleShortage {
                        id: BenchmarkId { name: id, package: job.package.clone() },
                        needed,
                        most_launches: launches,
                        planned: launches * samples,
                        launches: needed.div_ceil(samples),
                    });
                }
            }
        }
        shortages
    }

    /// Returns the number of launches that are made: the asked number, or more up to
    /// [`MAX_TARGET_LAUNCHES`] if targets get the samples that they need by that.
    pub(crate) fn count_launches(&self, effort: &Effort, needs: &SampleNeeds<'_>) -> u32 {
        let jobs = self.list_jobs();
        let launches = jobs.iter().flat_map(|job| {
            let samples = job.mode.count_samples(effort);
            let ids = job.ids.iter().flatten();
            ids.map(move |id| (needs.find_needed)(id).div_ceil(samples))
        });
        let reachable = launches.filter(|&launches| launches <= MAX_TARGET_LAUNCHES as usize);
        let needed = reachable.max().and_then(|launches| u32::try_from(launches).ok());
        effort.launches.max(needed.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::effort::CallCost;
    use super::super::plan::{MeasureMode, PlannedBenchmark};
    use super::*;

    fn plan(modes: &[(&str, MeasureMode)]) -> LaunchPlan {
        let planned = modes.iter().map(|(id, mode)| {
            let id = BenchmarkId { name: (*id).to_owned(), package: Some("p".to_owned()) };
            let target = Some("t".to_owned());
            PlannedBenchmark {
                mode: *mode,
                ..PlannedBenchmark::new(id, target, CallCost::default())
            }
        });
        LaunchPlan { planned: Some(planned.collect()), ..LaunchPlan::default() }
    }

    #[test]
    fn slow_code_gets_the_launches_that_a_p95_needs() {
        // A call of more than 167 ms gets 10 calls per launch, so 5 launches have 50 of 59.
        let needs = SampleNeeds {
            find_needed: &|id| if id == "slow" { 59 } else { 0 },
            ..SampleNeeds::NONE
        };
        let effort = Effort::default();
        let both = plan(&[("slow", MeasureMode::Call(10)), ("fast", MeasureMode::Call(200))]);
        assert_eq!(both.count_launches(&effort, &needs), 6);
        assert_eq!(both.count_launches(&effort, &SampleNeeds::NONE), 5);
        assert_eq!(both.list_shortages(&effort, 5, &needs), []);
    }

    #[test]
    fn a_target_out_of_reach_is_known_before_measuring() {
        let needs = SampleNeeds { find_needed: &|_| 299, ..SampleNeeds::NONE };
        let effort = Effort::default();
        let slow = plan(&[("slow", MeasureMode::Call(10)), ("batch", MeasureMode::Batch)]);
        let shortages = slow.list_shortages(&effort, 5, &needs);
        let shortage = SampleShortage {
            id: BenchmarkId { name: "slow".to_owned(), package: Some("p".to_owned()) },
            needed: 299,
            most_launches: 20,
            planned: 200,
            launches: 30,
        };
        assert_eq!(shortages, [shortage]);
        assert_eq!(slow.list_shortages(&effort, 30, &needs), []);
        assert_eq!(slow.count_launches(&effort, &needs), 6);
    }
}
