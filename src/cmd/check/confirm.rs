//! Measures both sides of a check in rounds, until no look leaves a benchmark undecided.

use std::collections::HashSet;

use anyhow::Result;

use super::{CheckSession, shared};
use crate::git::{CommitId, Repository};
use crate::measure::LaunchPlan;
use crate::rounds::{MeasuredRounds, RoundsPlan, measure_rounds};
use crate::run::{BenchmarkId, MeasuredCommit};
use crate::session::CommandError;
use crate::session::measurement::{explain_measure_error, name_rounds_session};
use crate::session::pair::{Pair, PairAttempt};
use crate::session::progress::ProgressOutput;
use crate::session::settings::resolve_budget;
use crate::verdict::{Decision, RoundsEvidence, find_undecided};

/// Returns the decision at a look, from the launches so far. It shows which benchmarks are
/// undecided.
pub(super) type LookDecider<'a> = dyn FnMut(RoundsEvidence<'_>) -> Decision + 'a;

impl CheckSession<'_> {
    /// Builds the benches of `base` and of the checked-out head.
    ///
    /// Fails if `base` cannot be fetched or the head cannot be built.
    pub(super) fn build_pair(
        &self,
        repository: &Repository,
        base: &CommitId,
    ) -> Result<PairAttempt> {
        shared::fetch_commit(repository, base).map_err(CommandError::from)?;
        Pair::build_from_commits(&self.pair_builder(repository), base)
    }

    /// Measures in rounds until `decide` leaves no benchmark undecided.
    ///
    /// Measures only the `wanted` benchmarks, or all if `wanted` is `None`. Fails if a pilot launch
    /// or the measurement fails.
    pub(super) fn measure_rounds(
        &self,
        pair: &Pair,
        wanted: Option<&HashSet<BenchmarkId>>,
        decide: &mut LookDecider<'_>,
    ) -> Result<MeasuredRounds> {
        // Steps: plan the launches, drop benchmarks that are not wanted or are the same program on
        // both sides, then measure rounds and decide at each look.
        let effort = &self.effort.effort;
        let mut stages = ProgressOutput::new();
        let mut plans = pair.plan(&self.policy.selection, effort, &self.interrupt, &mut stages)?;
        if let Some(wanted) = wanted {
            plans = plans.map(|plan| plan.restrict_to(wanted));
        }
        let same = self.find_same_programs(pair, &plans[1]);
        if !same.is_empty() {
            stages.print_line(&format!(
                "{} benchmarks are the same program on both sides",
                same.len()
            ));
            let exclude_same = |plan: &LaunchPlan| plan.exclude(&same);
            plans = plans.each_ref().map(exclude_same);
        }
        let create_run = |commit: &Option<MeasuredCommit>| {
            let mut run = self.create_run(pair.source);
            run.commit.clone_from(commit);
            run
        };
        let [baseline, candidate] = pair.commits.each_ref().map(create_run);
        let [baseline_plan, candidate_plan] = plans;
        let sides = RoundsPlan {
            baseline: &pair.baseline,
            candidate: &pair.candidate,
            baseline_plan,
            candidate_plan,
            same_program: same,
            effort,
            seed: self.effort.order_seed(),
            session: name_rounds_session(&candidate),
            budget: resolve_budget(self.args.budget, &self.config.measure),
        };
        let mut look = |rounds: RoundsEvidence<'_>| {
            let decision = decide(rounds);
            find_undecided(&decision, rounds, &self.noise, effort.launches)
        };
        let mut progress = |progress| stages.show_round(&progress);
        let interrupt = &self.interrupt;
        measure_rounds(&sides, baseline, candidate, interrupt, &mut look, &mut progress)
            .map_err(explain_measure_error)
    }

    /// Returns the planned benchmarks whose program is the same on both sides, which need no
    /// launches.
    ///
    /// Leaves out benchmarks with a target, because a target needs launches. Returns none if the
    /// run is to be saved as a baseline, because every benchmark is then measured.
    fn find_same_programs(&self, pair: &Pair, plan: &LaunchPlan) -> Vec<BenchmarkId> {
        if self.args.save_baseline {
            return Vec::new();
        }
        let planned = plan.planned.iter().flatten().filter(|planned| {
            let target = planned.id.package.clone().zip(planned.target.clone());
            target.is_some_and(|target| pair.same_targets.contains(&target))
                && self.policy.resolve_rules(&planned.id.name, None).targets.is_empty()
        });
        planned.map(|planned| planned.id.clone()).collect()
    }
}
