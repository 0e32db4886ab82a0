//! Both sides of a check measured in turn, until the looks leave nothing open.

use std::collections::HashSet;
use std::process;
use std::time::Duration;

use anyhow::Result;

use super::super::pair::{Attempt, Ground, Pair};
use super::super::progress::Stages;
use super::super::{Refusal, gate, measure as measuring};
use super::{Check, shared};
use crate::git::{CommitId, Repository};
use crate::measure::Plan;
use crate::rounds::{InTurn, Sides, interleave};
use crate::run::{BenchmarkId, Commit, Run};
use crate::units::Nanos;
use crate::verdict::{Change, Decision, Rounds, next_look};

/// What the undecided are told by: the decision at each look, given the launches so far.
pub(super) type Decide<'a> = dyn FnMut(Rounds<'_>) -> Decision + 'a;

impl Check<'_> {
    /// The benches of `base` and of what is checked out here.
    pub(super) fn pair(&self, repository: &Repository, base: &CommitId) -> Result<Attempt> {
        shared::fetch_commit(repository, base).map_err(Refusal::from)?;
        let ground = Ground {
            project: &self.project,
            repository,
            selection: &self.args.selection,
            prepare: self.config.measure.prepare.as_deref(),
            interrupt: &self.interrupt,
        };
        Pair::of_commits(&ground, base)
    }

    /// Measures in turn, the `wanted` benchmarks or all, until `decide` leaves nothing open.
    pub(super) fn rounds(
        &self,
        pair: &Pair,
        wanted: Option<&HashSet<BenchmarkId>>,
        decide: &mut Decide<'_>,
    ) -> Result<InTurn> {
        let effort_args = gate::effort(&self.args.effort, &self.config.measure);
        let effort = measuring::settled(&effort_args);
        let patterns = measuring::patterns(&self.args.selection.bench)?;
        let mut stages = Stages::new();
        let mut plans = pair.plan(&patterns, &effort, &self.interrupt, &mut stages)?;
        if let Some(wanted) = wanted {
            plans = plans.map(|plan| plan.only(wanted));
        }
        let same = self.same(pair, &plans[1]);
        if !same.is_empty() {
            stages.say(&format!("{} benchmarks are the same program on both sides", same.len()));
            let left = |plan: &Plan| plan.without(&same);
            plans = plans.each_ref().map(left);
        }
        let run = |commit: &Option<Commit>| {
            let mut run = measuring::empty_run(pair.source, &self.args.selection, &effort_args);
            run.commit.clone_from(commit);
            run
        };
        let [baseline, candidate] = pair.commits.each_ref().map(run);
        let [baseline_plan, candidate_plan] = plans;
        let sides = Sides {
            baseline: &pair.baseline,
            candidate: &pair.candidate,
            baseline_plan,
            candidate_plan,
            same,
            effort: &effort,
            seed: effort_args.seed.unwrap_or(DEFAULT_SEED),
            session: format!("{}-{}", candidate.created, process::id()),
            budget: self.budget(),
        };
        let mut look = |rounds: Rounds<'_>| {
            let decision = decide(rounds);
            self.undecided(&decision, rounds, effort.launches)
        };
        let mut progress = |progress| stages.round(&progress);
        let interrupt = &self.interrupt;
        interleave(&sides, baseline, candidate, interrupt, &mut look, &mut progress)
            .map_err(measuring::explain)
    }

    /// Planned benchmarks that both sides have the same program of. Those with a target are launched all
    /// the same, and so is everything where the run is to be kept as a baseline.
    fn same(&self, pair: &Pair, plan: &Plan) -> Vec<BenchmarkId> {
        if self.args.save_baseline {
            return Vec::new();
        }
        let planned = plan.planned.iter().flatten().filter(|planned| {
            let target = planned.id.package.clone().zip(planned.target.clone());
            target.is_some_and(|target| pair.same.contains(&target))
                && self.policy.rules(&planned.id.id, None).targets.is_empty()
        });
        planned.map(|planned| planned.id.clone()).collect()
    }

    fn budget(&self) -> Option<Duration> {
        let budget: Option<Nanos> = self.args.budget.or(self.config.measure.budget);
        budget
            .map(|budget| Duration::try_from_secs_f64(budget.get() / 1e9).unwrap_or(Duration::MAX))
    }

    /// What needs another round: what the looks leave open, and what is new until it has all its launches.
    fn undecided(
        &self,
        decision: &Decision,
        rounds: Rounds<'_>,
        launches: u32,
    ) -> HashSet<BenchmarkId> {
        let measured = |run: &Run| -> std::collections::HashMap<BenchmarkId, usize> {
            let worked = run.benchmarks.iter().filter(|benchmark| benchmark.failure.is_none());
            worked.map(|benchmark| (benchmark.identity(), benchmark.launches.len())).collect()
        };
        let in_rounds = measured(rounds.candidate);
        let open = decision.benchmarks.iter().filter(|judgement| {
            let id = judgement.identity();
            in_rounds.get(&id).is_some_and(|&count| match judgement.change {
                Change::Inconclusive => next_look(self.noise.get(&id), count).is_some(),
                Change::New => count < launches as usize,
                _ => false,
            })
        });
        open.map(crate::verdict::Judgement::identity).collect()
    }
}

/// Seed of the order within rounds, unless another is given; any will do, as long as it is said.
const DEFAULT_SEED: u64 = 1;
