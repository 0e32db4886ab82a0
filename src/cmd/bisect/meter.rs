//! Measures one benchmark of many commits, each in rounds next to the good commit.

use std::collections::HashSet;

use anyhow::Result;

use crate::bisect::SkipReason;
use crate::git::CommitId;
use crate::measure::effort::EffortLevel;
use crate::measure::{LaunchPlan, MeasureSubject};
use crate::note::FailureReason;
use crate::render::describe_skip;
use crate::render::notes::{describe_failure, describe_note};
use crate::rounds::{
    LookAnswer, RoundSchedule, RoundsBudget, RoundsPlan, RoundsProgress, measure_rounds,
};
use crate::run::{Benchmark, BenchmarkFailure, BenchmarkId, Run, SampleSource};
use crate::selection::find_nearest_id;
use crate::session::measurement::{explain_measure_error, name_rounds_session};
use crate::session::pair::{CommandPlacer, CommitSeries, PairBuilder, SeriesCommit, SideObstacle};
use crate::session::progress::ProgressOutput;
use crate::session::{CommandError, Session};
use crate::verdict::RoundsEvidence;

/// The built good commit, and how its benchmark is measured.
pub(super) struct CommitMeter<'a> {
    session: &'a Session,
    /// The good commit, and where others are built.
    series: CommitSeries<'a>,
    id: BenchmarkId,
    /// Package and bench target of the benchmark; `None` for a command.
    target: Option<(String, String)>,
    good_plan: LaunchPlan,
    budget: RoundsBudget,
}

/// A commit that can be measured.
pub(super) struct MeterCommit {
    built: SeriesCommit,
    plan: LaunchPlan,
    /// Hash of its program; `None` for a command.
    pub(super) program: Option<String>,
    /// Whether its program is that of the good commit.
    pub(super) is_good_program: bool,
}

/// How the rounds of a commit ended.
pub(super) enum RoundsEnd {
    /// They were asked to pause, or the budget is spent.
    Paused,
    /// The commit cannot be measured.
    Skipped(SkipReason),
}

/// Gets the log ratios of all rounds so far, and returns whether there is another round.
pub(super) type RoundCallback<'a> = dyn FnMut(&[f64]) -> bool + 'a;

impl<'a> CommitMeter<'a> {
    /// Builds the good commit and finds the benchmark in it. The inner `Err` is why it cannot be
    /// measured.
    ///
    /// # Errors
    ///
    /// Fails if git, a folder or a process fails.
    pub(super) fn start(
        session: &'a Session,
        builder: &'a PairBuilder<'a>,
        good: &CommitId,
        placer: Option<&'a CommandPlacer<'a>>,
        bench: &str,
        budget: RoundsBudget,
    ) -> Result<Result<Self, CommandError>> {
        let series = match CommitSeries::start(builder, good, placer)? {
            Ok(series) => series,
            Err(obstacle) => {
                return Ok(Err(explain_unmeasured("GOOD", good, &describe_obstacle(obstacle))));
            }
        };
        let found = find_benchmark(session, &series.baseline, bench)?;
        Ok(found.map(|(id, target, good_plan)| Self {
            session,
            series,
            id,
            target,
            good_plan,
            budget,
        }))
    }

    /// Builds `commit` and plans its rounds. The inner `Err` is why it cannot be measured.
    ///
    /// # Errors
    ///
    /// Fails if git, a folder or a process fails.
    pub(super) fn build(&self, commit: &CommitId) -> Result<Result<MeterCommit, SkipReason>> {
        let built = match self.series.build_commit(commit)? {
            Ok(built) => built,
            Err(obstacle) => return Ok(Err(describe_obstacle(obstacle))),
        };
        let (program, is_good_program) = match &self.target {
            Some(target) => {
                (built.hash_program(target)?, self.series.is_base_program(&built, target)?)
            }
            None => (None, false),
        };
        let plan = if is_good_program {
            Ok(LaunchPlan::default())
        } else {
            self.plan_rounds(&built.subject)?
        };
        Ok(plan.map(|plan| MeterCommit { built, plan, program, is_good_program }))
    }

    /// Returns whether a program could read the same files in both commits while it runs.
    ///
    /// # Errors
    ///
    /// Fails if git fails.
    pub(super) fn has_same_data(&self, one: &CommitId, other: &CommitId) -> Result<bool> {
        self.series.has_same_data(one, other)
    }

    /// Plans the rounds of a commit, in which both sides are measured alike. The inner `Err` is why it
    /// cannot be measured. Fails if a process cannot be started.
    fn plan_rounds(&self, subject: &MeasureSubject) -> Result<Result<LaunchPlan, SkipReason>> {
        let MeasureSubject::Criterion(_) = subject else { return Ok(Ok(self.good_plan.clone())) };
        let session = self.session;
        let planned = subject.plan_launches(
            &session.policy.selection,
            &session.effort.effort,
            Some(&self.good_plan),
            &session.interrupt,
            &mut |_| {},
        );
        let planned = planned.map_err(explain_measure_error)?;
        if let Some(failure) = find_failure(&planned.failed, &self.id) {
            return Ok(Err(SkipReason::Failed { failure }));
        }
        if !has_planned(&planned, &self.id) {
            return Ok(Err(SkipReason::NoBenchmark));
        }
        let (mut plan, _) = planned.merge_with(self.good_plan.clone());
        plan = plan.restrict_to(&HashSet::from([self.id.clone()]));
        plan.choose_effort(&session.effort.effort, EffortLevel::Full);
        Ok(Ok(plan))
    }

    /// Measures `commit` in rounds next to the good one until `take_rounds` returns false or the
    /// budget is spent.
    ///
    /// # Errors
    ///
    /// Fails if a process cannot be started, if a signal interrupts the rounds, or if the good commit
    /// fails.
    pub(super) fn measure(
        &self,
        commit: &MeterCommit,
        output: &mut ProgressOutput,
        take_rounds: &mut RoundCallback<'_>,
    ) -> Result<RoundsEnd> {
        let session = self.session;
        let effort = &session.effort.effort;
        let source = match commit.built.subject {
            MeasureSubject::Criterion(_) => SampleSource::Criterion,
            MeasureSubject::Command(_) | MeasureSubject::Harness(_) | MeasureSubject::Model(_) => {
                SampleSource::Command
            }
        };
        let run = session.create_run(source);
        let sides = RoundsPlan {
            baseline: &self.series.baseline,
            candidate: &commit.built.subject,
            baseline_plan: without_notes(&commit.plan),
            candidate_plan: without_notes(&commit.plan),
            same_program: Vec::new(),
            effort,
            seed: session.effort.order_seed(),
            session: name_rounds_session(&run),
        };
        let schedule = RoundSchedule::new(commit.plan.clone(), effort, Some(self.budget));
        let mut look = |rounds: RoundsEvidence<'_>, _: &RoundSchedule<'_>| {
            let differences = list_log_ratios(rounds.baseline, rounds.candidate, &self.id);
            let goes_on = !differences.is_empty() && take_rounds(&differences);
            let undecided = goes_on.then(|| self.id.clone()).into_iter().collect();
            LookAnswer { undecided, ..LookAnswer::default() }
        };
        let mut progress = |progress| {
            if let RoundsProgress::Repeated(note) = progress {
                output.print_line(&describe_note(&note));
            }
        };
        let runs = [run.clone(), run];
        let interrupt = &session.interrupt;
        let measured = measure_rounds(&sides, schedule, runs, interrupt, &mut look, &mut progress)
            .map_err(explain_measure_error)?;
        if let Some(reason) = find_run_failure(&measured.candidate, &self.id) {
            return Ok(RoundsEnd::Skipped(SkipReason::Failed { failure: reason }));
        }
        if let Some(reason) = find_run_failure(&measured.baseline, &self.id) {
            let message =
                format!("`{}` fails in the good commit: {}", self.id, describe_failure(&reason));
            return Err(CommandError::new_failure(message).into());
        }
        if list_log_ratios(&measured.baseline, &measured.candidate, &self.id).is_empty() {
            return Ok(RoundsEnd::Skipped(SkipReason::NoBenchmark));
        }
        Ok(RoundsEnd::Paused)
    }
}

/// Returns the error that one end of the range cannot be measured.
pub(super) fn explain_unmeasured(end: &str, commit: &CommitId, why: &SkipReason) -> CommandError {
    let commit = commit.short_id();
    let why = describe_skip(why);
    CommandError::new_failure(format!("{end} ({commit}) cannot be measured: {why}"))
        .with_help(format!("name another commit as {end}; see measure.prepare in perfgate.toml"))
}

fn describe_obstacle(obstacle: SideObstacle) -> SkipReason {
    match obstacle {
        SideObstacle::NoManifest(path) => SkipReason::NoManifest { path },
        SideObstacle::NoProfile(profile) => SkipReason::NoProfile { profile },
        SideObstacle::NotBuilt(cause) => SkipReason::NotBuilt { cause },
    }
}

/// The benchmark in the good commit: its id, its package and bench target, and how it is measured.
type FoundBenchmark = (BenchmarkId, Option<(String, String)>, LaunchPlan);

/// Finds the benchmark with the id `bench`. The inner `Err` is why it cannot be measured. Fails if a
/// process cannot be started.
fn find_benchmark(
    session: &Session,
    subject: &MeasureSubject,
    bench: &str,
) -> Result<Result<FoundBenchmark, CommandError>> {
    match subject {
        MeasureSubject::Criterion(_) => find_in_benches(session, subject, bench),
        MeasureSubject::Command(_) | MeasureSubject::Harness(_) | MeasureSubject::Model(_) => {
            find_in_command(session, subject, bench)
        }
    }
}

/// Launches a command once, and finds the benchmark in what it prints. Fails if it cannot be started.
fn find_in_command(
    session: &Session,
    subject: &MeasureSubject,
    bench: &str,
) -> Result<Result<FoundBenchmark, CommandError>> {
    let plan = LaunchPlan::default();
    let job = plan.list_jobs().remove(0);
    let launched = subject.launch_job(&job, &session.effort.effort, &session.interrupt);
    let benchmarks = launched.map_err(explain_measure_error)?.benchmarks;
    let id = BenchmarkId { name: bench.to_owned(), package: None };
    if let Some((_, observed)) = benchmarks.iter().find(|(other, _)| *other == id) {
        let plan = plan.restrict_to(&HashSet::from([id.clone()]));
        let checked = observed.as_ref().map_err(|failure| explain_failed(&id, failure));
        return Ok(checked.map(|_| (id, None, plan)));
    }
    // A command that failed as a whole has printed nothing else.
    let mut failures = benchmarks
        .iter()
        .filter_map(|(id, observed)| Some(explain_failed(id, observed.as_ref().err()?)));
    let names: Vec<&str> = benchmarks.iter().map(|(id, _)| id.name.as_str()).collect();
    Ok(Err(failures.next().unwrap_or_else(|| explain_unknown(bench, &names))))
}

/// Finds the benchmark in built benches by a pilot launch. Fails if a process cannot be started.
fn find_in_benches(
    session: &Session,
    subject: &MeasureSubject,
    bench: &str,
) -> Result<Result<FoundBenchmark, CommandError>> {
    let (selection, effort) = (&session.policy.selection, &session.effort.effort);
    let mut output = ProgressOutput::new();
    let planned =
        subject.plan_launches(selection, effort, None, &session.interrupt, &mut |progress| {
            output.show_measurement(&progress);
        });
    let mut plan = planned.map_err(explain_measure_error)?;
    let planned = plan.planned.iter().flatten().filter(|planned| planned.id.name == bench);
    let mut found = planned.map(|planned| {
        let target = planned.id.package.clone().zip(planned.target.clone());
        let only = HashSet::from([planned.id.clone()]);
        (planned.id.clone(), target, without_notes(&plan.restrict_to(&only)))
    });
    if let Some(first) = found.next() {
        if found.next().is_none() {
            return Ok(Ok(first));
        }
        let message = format!("several packages have the benchmark `{bench}`");
        return Ok(Err(CommandError::new_usage(message).with_help("name one with --package")));
    }
    if let Some(failed) = plan.failed.iter().find(|failed| failed.id == bench)
        && let Some(failure) = &failed.failure
    {
        return Ok(Err(explain_failed(&failed.to_id(), failure)));
    }
    if let Some(note) = plan.take_nothing_selected() {
        return Ok(Err(CommandError::new_usage(describe_note(&note))));
    }
    let names = plan.planned.iter().flatten().map(|planned| planned.id.name.as_str());
    Ok(Err(explain_unknown(bench, &names.collect::<Vec<_>>())))
}

/// Returns the error that the benchmark fails in the good commit, with the last line it printed.
fn explain_failed(id: &BenchmarkId, failure: &BenchmarkFailure) -> CommandError {
    let reason = describe_failure(&failure.reason);
    let printed = match failure.last_message() {
        printed if printed.is_empty() => printed,
        printed => format!(": {printed}"),
    };
    CommandError::new_failure(format!("`{id}` fails in the good commit: {reason}{printed}"))
}

/// Returns the error that the good commit has no benchmark with the id `bench`, but `names`.
fn explain_unknown(bench: &str, names: &[&str]) -> CommandError {
    let error = CommandError::new_usage(format!("the good commit has no benchmark `{bench}`"));
    match find_nearest_id(bench, names) {
        Some(nearest) => error.with_help(format!("did you mean `{nearest}`?")),
        None => error,
    }
}

fn without_notes(plan: &LaunchPlan) -> LaunchPlan {
    LaunchPlan { notes: Vec::new(), failed: Vec::new(), ..plan.clone() }
}

fn has_planned(plan: &LaunchPlan, id: &BenchmarkId) -> bool {
    plan.planned.iter().flatten().any(|planned| planned.id == *id)
}

fn find_failure(failed: &[Benchmark], id: &BenchmarkId) -> Option<FailureReason> {
    let failed = failed.iter().find(|failed| failed.to_id() == *id)?;
    failed.failure.as_ref().map(|failure| failure.reason.clone())
}

/// Returns why the benchmark failed in `run`, or why the whole command did if it printed nothing.
fn find_run_failure(run: &Run, id: &BenchmarkId) -> Option<FailureReason> {
    find_failure(&run.benchmarks, id).or_else(|| {
        let has_launches = run.benchmarks.iter().any(|benchmark| !benchmark.launches.is_empty());
        let mut failures = run.benchmarks.iter().filter_map(|failed| failed.failure.as_ref());
        failures.next().filter(|_| !has_launches).map(|failure| failure.reason.clone())
    })
}

/// Returns the logarithm of the candidate's median ÷ the baseline's for each round that both have.
fn list_log_ratios(baseline: &Run, candidate: &Run, id: &BenchmarkId) -> Vec<f64> {
    let list_medians = |run: &Run| -> Vec<(u32, f64)> {
        let benchmark = run.benchmarks.iter().find(|benchmark| benchmark.to_id() == *id);
        let launches = benchmark.into_iter().flat_map(|benchmark| &benchmark.launches);
        launches.map(|launch| (launch.round, launch.digest().p50.get())).collect()
    };
    let partners = list_medians(baseline);
    list_medians(candidate)
        .into_iter()
        .filter_map(|(round, median)| {
            let (_, partner) = partners.iter().find(|(other, _)| *other == round)?;
            Some((median / partner).ln()).filter(|difference| difference.is_finite())
        })
        .collect()
}
