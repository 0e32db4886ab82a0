//! Measures both sides of a check in rounds, until no look leaves a benchmark undecided.

use std::collections::HashSet;

use anyhow::Result;

use super::compared_with::{ComparedWith, build_pair};
use super::inputs::CheckInputs;
use super::outputs;
use crate::decision::Decision;
use crate::measure::LaunchPlan;
use crate::note::Note;
use crate::rounds::{MeasuredRounds, RoundsPlan, measure_rounds};
use crate::run::{BenchmarkId, Run};
use crate::session::measurement::{explain_measure_error, name_rounds_session};
use crate::session::pair::{Pair, PairAttempt, SideObstacle};
use crate::session::print;
use crate::session::progress::ProgressOutput;
use crate::session::settings::resolve_budget;
use crate::verdict::{
    BaselineEvidence, Evidence, RoundsEvidence, count_needed_samples, decide, find_unconfirmed,
    find_undecided,
};

/// Returns the decision at a look, from the launches so far. It shows which benchmarks are
/// undecided.
type LookDecider<'a> = dyn FnMut(RoundsEvidence<'_>) -> Decision + 'a;

/// The launches that a check judges.
pub(super) enum CheckLaunches {
    /// A run of the candidate alone.
    Candidate {
        /// The run.
        run: Box<Run>,
        /// The rounds of what stored runs did not pass; `None` without any.
        confirmed: Option<PairRounds>,
    },
    /// The rounds of the two sides that the command line names.
    Rounds(PairRounds),
}

/// Two sides and their rounds.
pub(super) struct PairRounds {
    /// The two sides, which can be launched again.
    pub(super) pair: Box<Pair>,
    /// Their launches.
    pub(super) measured: Box<MeasuredRounds>,
}

impl CheckLaunches {
    /// Returns the run that is judged, and saved if this is asked for.
    pub(super) fn candidate(&self) -> &Run {
        match self {
            Self::Candidate { run, .. } => run,
            Self::Rounds(rounds) => &rounds.measured.candidate,
        }
    }

    /// Returns the run that is judged, and gives up the builds.
    pub(super) fn into_candidate(self) -> Run {
        match self {
            Self::Candidate { run, .. } => *run,
            Self::Rounds(rounds) => rounds.measured.candidate,
        }
    }

    /// Returns the rounds, if there were any.
    pub(super) fn rounds(&self) -> Option<&PairRounds> {
        match self {
            Self::Candidate { confirmed, .. } => confirmed.as_ref(),
            Self::Rounds(rounds) => Some(rounds),
        }
    }
}

/// Measures all benchmarks of `pair` in rounds, and writes the candidate's run at once.
///
/// Fails if a pilot launch or the measurement fails, or if the run cannot be written.
pub(super) fn measure_pair(check: &CheckInputs<'_>, pair: Box<Pair>) -> Result<PairRounds> {
    let measured = measure_benchmarks(check, &pair, None, &mut |rounds| {
        let evidence = Evidence {
            rounds: Some(rounds),
            noise: &check.noise,
            ..Evidence::from_sides(rounds.candidate, BaselineEvidence::None)
        };
        decide(&evidence, &check.session.policy)
    })?;
    outputs::write_run(&check.args.out, &measured.candidate)?;
    Ok(PairRounds { pair, measured: Box::new(measured) })
}

/// Measures in rounds the benchmarks that a screen of stored runs does not pass.
///
/// Returns `None` if the baseline is not a screen, if the screen passes all, or if the candidate is
/// of the same commit. Also returns `None`, and adds a note to `compared_with`, if the base cannot
/// be built.
pub(super) fn rounds_if_needed(
    check: &CheckInputs<'_>,
    candidate: &Run,
    compared_with: &mut ComparedWith,
) -> Result<Option<PairRounds>> {
    // Plan: make sure that there is a screen and that its commit is not the candidate's own, find
    // the benchmarks that it does not pass, then build the pair and measure these in rounds.
    let session = &check.session;
    let base = compared_with.commit.clone().filter(|_| compared_with.is_screen());
    let Some((repository, base)) = session.project.repository.as_ref().zip(base) else {
        return Ok(None);
    };
    let is_same = check.head.as_ref().is_some_and(|head| head.id == base.as_str() && !head.dirty);
    if is_same {
        return Ok(None);
    }
    let sides = Evidence {
        noise: &check.noise,
        ..Evidence::from_sides(candidate, compared_with.as_evidence())
    };
    let screen = decide(&sides, &session.policy);
    let wanted = find_unconfirmed(&screen);
    if wanted.is_empty() {
        return Ok(None);
    }
    print::print_note(&format!(
        "confirming {} of {} benchmarks in rounds against {}",
        wanted.len(),
        screen.benchmarks.len(),
        base.short_id()
    ));
    let note = match build_pair(check, repository, &base) {
        Ok(PairAttempt::Ready(pair)) => {
            let measured = measure_benchmarks(check, &pair, Some(&wanted), &mut |rounds| {
                decide(&Evidence { rounds: Some(rounds), ..sides }, &session.policy)
            })?;
            return Ok(Some(PairRounds { pair, measured: Box::new(measured) }));
        }
        Ok(PairAttempt::NoBase(SideObstacle::NoManifest(manifest))) => {
            Note::BaseHasNoManifest { commit: base.short_id().to_owned(), manifest }
        }
        Ok(PairAttempt::NoBase(SideObstacle::NoProfile(profile))) => {
            Note::BaseHasNoProfile { commit: base.short_id().to_owned(), profile }
        }
        Ok(PairAttempt::NoBase(SideObstacle::NotBuilt(cause))) => {
            Note::NotConfirmedWithoutBase { commit: base.short_id().to_owned(), cause }
        }
        Ok(PairAttempt::NoHead(cause)) => Note::HeadNotBuilt { cause },
        Err(error) if !session.interrupt.is_raised() => {
            Note::NotConfirmed { cause: format!("{error:#}") }
        }
        Err(error) => return Err(error),
    };
    compared_with.notes.push(note);
    Ok(None)
}

/// Measures in rounds until `decide_look` leaves no benchmark undecided.
///
/// Measures only the `wanted` benchmarks, or all if `wanted` is `None`. Fails if a pilot launch or
/// the measurement fails.
fn measure_benchmarks(
    check: &CheckInputs<'_>,
    pair: &Pair,
    wanted: Option<&HashSet<BenchmarkId>>,
    decide_look: &mut LookDecider<'_>,
) -> Result<MeasuredRounds> {
    let session = &check.session;
    // Steps: plan the launches, drop benchmarks that are not wanted or are the same program on
    // both sides, then measure rounds and decide at each look.
    let effort = &session.effort.effort;
    let mut stages = ProgressOutput::new();
    let mut plans =
        pair.plan(&session.policy.selection, effort, &session.interrupt, &mut stages)?;
    if let Some(wanted) = wanted {
        plans = plans.map(|plan| plan.restrict_to(wanted));
    }
    let same = find_same_programs(check, pair, &plans[1]);
    if !same.is_empty() {
        stages.print_line(&format!(
            "same program on both sides, not measured: {}",
            print::format_plural(same.len(), "benchmark")
        ));
        plans = plans.map(|plan| plan.exclude(&same));
    }
    let find_needed = |id: &str| count_needed_samples(&session.policy, id);
    let shortages = plans[1].list_shortages(effort, 0, &check.sample_needs(&find_needed));
    stages.show_shortages(&shortages);
    let [baseline, candidate] = pair.commits.each_ref().map(|commit| {
        let mut run = session.create_run(pair.source);
        run.commit.clone_from(commit);
        run
    });
    let [baseline_plan, candidate_plan] = plans;
    let sides = RoundsPlan {
        baseline: &pair.baseline,
        candidate: &pair.candidate,
        baseline_plan,
        candidate_plan,
        same_program: same,
        effort,
        seed: session.effort.order_seed(),
        session: name_rounds_session(&candidate),
        budget: resolve_budget(check.args.budget, &session.config.measure),
    };
    let mut look = |rounds: RoundsEvidence<'_>| {
        let decision = decide_look(rounds);
        find_undecided(&decision, rounds, &check.noise, effort.launches)
    };
    let interrupt = &session.interrupt;
    measure_rounds(&sides, baseline, candidate, interrupt, &mut look, &mut |progress| {
        stages.show_round(&progress);
    })
    .map_err(explain_measure_error)
}

/// Returns the planned benchmarks whose program is the same on both sides, which need no
/// launches.
///
/// Leaves out benchmarks with a target, because a target needs launches. Returns none if the
/// run is to be saved as a baseline, because every benchmark is then measured.
fn find_same_programs(check: &CheckInputs<'_>, pair: &Pair, plan: &LaunchPlan) -> Vec<BenchmarkId> {
    if check.args.save_baseline {
        return Vec::new();
    }
    let planned = plan.planned.iter().flatten().filter(|planned| {
        let target = planned.id.package.clone().zip(planned.target.clone());
        target.is_some_and(|target| pair.same_targets.contains(&target))
            && check.session.policy.resolve_rules(&planned.id.name, None).targets.is_empty()
    });
    planned.map(|planned| planned.id.clone()).collect()
}
