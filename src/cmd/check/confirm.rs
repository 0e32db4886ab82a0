//! Measures both sides of a check in rounds, until no look leaves a benchmark undecided.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use anyhow::Result;

use super::compared_with::{ComparedWith, build_pair, note_unbuilt_base};
use super::inputs::CheckInputs;
use super::outputs;
use crate::decision::{Change, Decision, Judgement};
use crate::measure::LaunchPlan;
use crate::note::Note;
use crate::render::notes::describe_note;
use crate::rounds::{
    LookAnswer, MeasuredRounds, RoundSchedule, RoundsBudget, RoundsPlan, measure_rounds,
};
use crate::run::{BenchmarkId, Run};
use crate::session::Session;
use crate::session::measurement::{detect_host_with, explain_measure_error, name_rounds_session};
use crate::session::pair::{Pair, PairAttempt, SideObstacle};
use crate::session::print;
use crate::session::progress::ProgressOutput;
use crate::session::settings::resolve_budget;
use crate::verdict::{
    BaselineEvidence, Evidence, RoundsEvidence, SameBenchmark, count_needed_samples, decide,
    estimate_rounds_needs, find_next_look, find_unconfirmed, find_undecided,
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
        Ok(PairAttempt::NoBase(SideObstacle::NotBuilt(cause))) => {
            Note::NotConfirmedWithoutBase { commit: base.short_id().to_owned(), cause }
        }
        Ok(PairAttempt::NoBase(obstacle)) => note_unbuilt_base(obstacle, &base),
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
    let limit = resolve_budget(check.args.budget, &session.config.measure);
    let budget = RoundsBudget { began: Instant::now(), limit };
    let mut stages = ProgressOutput::new().with_details(session.effort.is_verbose);
    let mut plans =
        pair.plan(&session.policy.selection, effort, &session.interrupt, &mut stages)?;
    if let Some(wanted) = wanted {
        plans = plans.map(|plan| plan.restrict_to(wanted));
    }
    let mut same = find_same_programs(check, pair, &plans[1]);
    if let Some(wanted) = wanted {
        same.retain(|same| wanted.contains(&same.id));
    }
    if !same.is_empty() {
        let how = match &pair.unaffected {
            Some(_) => "not affected by the change, neither built nor measured",
            None => "same program on both sides, not measured",
        };
        stages.print_line(&format!("{how}: {}", print::format_plural(same.len(), "benchmark")));
        let ids: Vec<BenchmarkId> = same.iter().map(|same| same.id.clone()).collect();
        plans = plans.map(|plan| plan.exclude(&ids));
    }
    let schedule = RoundSchedule::new(plans[1].clone(), effort, Some(budget));
    let records = schedule.plan().to_pilot_records();
    stages.show_pilot(&records);
    if let Some(needed) = schedule.find_needed_budget() {
        stages.show_short_budget(limit, needed);
    }
    let own_times = schedule.plan().note_own_times();
    if let Some(note) = &own_times {
        stages.print_line(&describe_note(note));
    }
    let find_needed = |id: &str| count_needed_samples(&session.policy, id);
    let shortages = schedule.plan().list_shortages(effort, 0, &check.sample_needs(&find_needed));
    stages.show_shortages(&shortages);
    let [mut baseline, mut candidate] = create_runs(session, pair);
    for run in [&mut baseline, &mut candidate] {
        run.settings.pilot.clone_from(&records);
    }
    candidate.notes.extend(own_times);
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
    };
    let mut looks = LookHistory::default();
    let mut look = |rounds: RoundsEvidence<'_>, schedule: &RoundSchedule<'_>| {
        let decision = decide_look(rounds);
        looks.conclude_look(check, &decision, rounds, schedule)
    };
    let interrupt = &session.interrupt;
    // A command has no plan, and a plan without benchmarks has no rounds to show.
    let has_rounds = sides.candidate_plan.planned.as_ref().is_none_or(|ids| !ids.is_empty());
    if has_rounds {
        stages.start_rounds(limit);
    }
    let runs = [baseline, candidate];
    let measured = measure_rounds(&sides, schedule, runs, interrupt, &mut look, &mut |progress| {
        if has_rounds {
            stages.show_round(&progress);
        }
    });
    stages.finish();
    measured.map_err(explain_measure_error)
}

/// What the looks of one check have concluded so far.
#[derive(Default)]
struct LookHistory {
    /// The last change of each benchmark.
    changes: HashMap<BenchmarkId, Change>,
    /// Benchmarks that the rest of the budget does not decide.
    given_up: HashSet<BenchmarkId>,
}

impl LookHistory {
    /// Returns the benchmarks that a look at `rounds` leaves undecided, without those that the rest
    /// of the budget does not decide even alone. These stay inconclusive.
    fn conclude_look(
        &mut self,
        check: &CheckInputs<'_>,
        decision: &Decision,
        rounds: RoundsEvidence<'_>,
        schedule: &RoundSchedule<'_>,
    ) -> LookAnswer {
        // Only right after a planned look may a benchmark be given up: a look between planned ones
        // comes from the clock alone.
        let policy = &check.session.policy;
        let launches = check.session.effort.effort.launches;
        let mut undecided = find_undecided(decision, rounds, &check.noise, launches);
        undecided.retain(|id| !self.given_up.contains(id));
        let needs = estimate_rounds_needs(rounds, policy);
        let inconclusive: HashSet<BenchmarkId> = decision
            .benchmarks
            .iter()
            .filter(|judgement| judgement.change == Change::Inconclusive)
            .map(Judgement::to_id)
            .collect();
        let is_planned_after = |id: &BenchmarkId, count: usize| {
            let next = find_next_look(check.noise.get(id), rounds.horizon, count.saturating_sub(1));
            next == Some(count)
        };
        let looked = undecided
            .iter()
            .filter(|id| needs.get(*id).is_some_and(|need| is_planned_after(id, need.measured)));
        let looked: Vec<&BenchmarkId> = looked.collect();
        let is_planned = !looked.is_empty();
        let hopeless: HashSet<BenchmarkId> = looked
            .into_iter()
            .filter(|id| inconclusive.contains(*id))
            .filter(|id| {
                let alone = schedule.estimate_alone(id).zip(schedule.time_left());
                let affordable = alone.map_or(usize::MAX, |(round, left)| {
                    usize::try_from(left.as_nanos() / round.as_nanos().max(1)).unwrap_or(usize::MAX)
                });
                needs.get(*id).is_some_and(|need| need.is_hopeless(affordable))
            })
            .cloned()
            .collect();
        undecided.retain(|id| !hopeless.contains(id));
        let given_up = hopeless.len();
        self.given_up.extend(hopeless);
        LookAnswer { undecided, decided: self.count_decided(decision), given_up, is_planned }
    }

    /// Returns the numbers of benchmarks that are decided now and were not at the look before, by
    /// their change.
    fn count_decided(&mut self, decision: &Decision) -> Vec<(Change, usize)> {
        let mut decided: Vec<(Change, usize)> = Vec::new();
        for judgement in &decision.benchmarks {
            let before = self.changes.insert(judgement.to_id(), judgement.change);
            if judgement.change == Change::Inconclusive || before == Some(judgement.change) {
                continue;
            }
            match decided.iter_mut().find(|(change, _)| *change == judgement.change) {
                Some((_, count)) => *count += 1,
                None => decided.push((judgement.change, 1)),
            }
        }
        decided
    }
}

/// Returns the runs of base and candidate without benchmarks, each with its commit and with the
/// compiler that built it.
fn create_runs(session: &Session, pair: &Pair) -> [Run; 2] {
    let mut runs = pair.commits.each_ref().map(|commit| {
        let mut run = session.create_run(pair.source);
        run.commit.clone_from(commit);
        run
    });
    let Some(compilers) = &pair.compilers else { return runs };
    for (run, compiler) in runs.iter_mut().zip(compilers) {
        if run.host.rustc != *compiler {
            run.host = detect_host_with(compiler.clone());
        }
    }
    let [baseline, candidate] = compilers;
    if baseline != candidate {
        let (baseline, candidate) = (baseline.clone(), candidate.clone());
        runs[1].notes.push(Note::CompilerChanged { baseline, candidate });
    }
    runs
}

/// Returns the benchmarks whose program is the same on both sides, which need no launches: those of
/// the plan, or those that were not built.
///
/// Leaves out benchmarks with a target, because a target needs launches. Returns none if every
/// benchmark is to be measured.
fn find_same_programs(
    check: &CheckInputs<'_>,
    pair: &Pair,
    plan: &LaunchPlan,
) -> Vec<SameBenchmark> {
    if let Some(unaffected) = &pair.unaffected {
        return unaffected.benchmarks.clone();
    }
    if check.measures_everything() {
        return Vec::new();
    }
    let planned = plan.planned.iter().flatten().filter(|planned| {
        let target = planned.id.package.clone().zip(planned.target.clone());
        target.is_some_and(|target| pair.same_targets.contains(&target))
            && !check.session.policy.needs_launches(&planned.id.name)
    });
    let same =
        planned.map(|planned| SameBenchmark { id: planned.id.clone(), reason: Note::SameProgram });
    same.collect()
}
