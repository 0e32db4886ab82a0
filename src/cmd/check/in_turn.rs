//! Both sides of a check measured in turn, until the looks leave nothing open.

use std::collections::HashSet;
use std::process;
use std::time::Duration;

use anyhow::Result;

use super::super::pair::{Pair, PairAttempt, PairBuilder};
use super::super::progress::ProgressOutput;
use super::super::{CommandError, gate, measure as measuring};
use super::{CheckSession, shared};
use crate::git::{CommitId, Repository};
use crate::measure::LaunchPlan;
use crate::rounds::{MeasuredRounds, RoundsPlan, measure_rounds};
use crate::run::{BenchmarkId, MeasuredCommit, Run};
use crate::units::Nanos;
use crate::verdict::{Change, Decision, RoundsEvidence, find_next_look};

/// What the undecided are told by: the decision at each look, given the launches so far.
pub(super) type LookDecider<'a> = dyn FnMut(RoundsEvidence<'_>) -> Decision + 'a;

impl CheckSession<'_> {
    /// The benches of `base` and of what is checked out here.
    pub(super) fn build_pair(
        &self,
        repository: &Repository,
        base: &CommitId,
    ) -> Result<PairAttempt> {
        shared::fetch_commit(repository, base).map_err(CommandError::from)?;
        let ground = PairBuilder {
            project: &self.project,
            repository,
            selection: &self.args.selection,
            prepare: self.config.measure.prepare.as_deref(),
            interrupt: &self.interrupt,
        };
        Pair::build_from_commits(&ground, base)
    }

    /// Measures in turn, the `wanted` benchmarks or all, until `decide` leaves nothing open.
    pub(super) fn measure_rounds(
        &self,
        pair: &Pair,
        wanted: Option<&HashSet<BenchmarkId>>,
        decide: &mut LookDecider<'_>,
    ) -> Result<MeasuredRounds> {
        let effort_args = gate::resolve_effort(&self.args.effort, &self.config.measure);
        let effort = measuring::to_effort(&effort_args);
        let patterns = measuring::parse_selection(&self.args.selection.bench)?;
        let mut stages = ProgressOutput::new();
        let mut plans = pair.plan(&patterns, &effort, &self.interrupt, &mut stages)?;
        if let Some(wanted) = wanted {
            plans = plans.map(|plan| plan.restrict_to(wanted));
        }
        let same = self.find_same_programs(pair, &plans[1]);
        if !same.is_empty() {
            stages.print_line(&format!(
                "{} benchmarks are the same program on both sides",
                same.len()
            ));
            let left = |plan: &LaunchPlan| plan.exclude(&same);
            plans = plans.each_ref().map(left);
        }
        let run = |commit: &Option<MeasuredCommit>| {
            let mut run =
                measuring::create_empty_run(pair.source, &self.args.selection, &effort_args);
            run.commit.clone_from(commit);
            run
        };
        let [baseline, candidate] = pair.commits.each_ref().map(run);
        let [baseline_plan, candidate_plan] = plans;
        let sides = RoundsPlan {
            baseline: &pair.baseline,
            candidate: &pair.candidate,
            baseline_plan,
            candidate_plan,
            same_program: same,
            effort: &effort,
            seed: effort_args.seed.unwrap_or(DEFAULT_SEED),
            session: format!("{}-{}", candidate.created, process::id()),
            budget: self.budget(),
        };
        let mut look = |rounds: RoundsEvidence<'_>| {
            let decision = decide(rounds);
            self.find_undecided(&decision, rounds, effort.launches)
        };
        let mut progress = |progress| stages.show_round(&progress);
        let interrupt = &self.interrupt;
        measure_rounds(&sides, baseline, candidate, interrupt, &mut look, &mut progress)
            .map_err(measuring::explain_measure_error)
    }

    /// Planned benchmarks that both sides have the same program of. Those with a target are launched all
    /// the same, and so is everything where the run is to be kept as a baseline.
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

    fn budget(&self) -> Option<Duration> {
        let budget: Option<Nanos> = self.args.budget.or(self.config.measure.budget);
        budget
            .map(|budget| Duration::try_from_secs_f64(budget.get() / 1e9).unwrap_or(Duration::MAX))
    }

    /// What needs another round: what the looks leave open, and what is new until it has all its launches.
    fn find_undecided(
        &self,
        decision: &Decision,
        rounds: RoundsEvidence<'_>,
        launches: u32,
    ) -> HashSet<BenchmarkId> {
        let measured = |run: &Run| -> std::collections::HashMap<BenchmarkId, usize> {
            let worked = run.benchmarks.iter().filter(|benchmark| benchmark.failure.is_none());
            worked.map(|benchmark| (benchmark.to_id(), benchmark.launches.len())).collect()
        };
        let in_rounds = measured(rounds.candidate);
        let open = decision.benchmarks.iter().filter(|judgement| {
            let id = judgement.to_id();
            in_rounds.get(&id).is_some_and(|&count| match judgement.change {
                Change::Inconclusive => find_next_look(self.noise.get(&id), count).is_some(),
                Change::New => count < launches as usize,
                _ => false,
            })
        });
        open.map(crate::verdict::Judgement::to_id).collect()
    }
}

/// Seed of the order within rounds, unless another is given; any will do, as long as it is said.
const DEFAULT_SEED: u64 = 1;
