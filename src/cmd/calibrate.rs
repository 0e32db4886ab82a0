//! `perfgate calibrate`: measures the same code on both sides, to learn the noise of this machine.

mod table;

use anyhow::{Context as _, Result};

use crate::calibrate::{Calibration, LaunchCost};
use crate::cli::{CalibrateArgs, GateArgs, StoreArgs};
use crate::files;
use crate::git::CommitId;
use crate::measure::effort::MIN_LAUNCH_TIME;
use crate::measure::harness::HarnessCommand;
use crate::measure::{Effort, MeasureSubject};
use crate::render::notes::describe_note;
use crate::rounds::{
    LookAnswer, MeasuredRounds, RoundSchedule, RoundsPlan, RoundsProgress, measure_rounds,
};
use crate::run::{Benchmark, BenchmarkId};
use crate::session::calibration::{locate_calibration, read_calibration};
use crate::session::measurement::{
    build_subject, explain_measure_error, name_rounds_session, to_workspace,
};
use crate::session::pair::{Pair, PairAttempt, SideObstacle};
use crate::session::progress::ProgressOutput;
use crate::session::recipe::RequestedSource;
use crate::session::{CommandError, ExitStatus, Session, SessionRequest, print};
use crate::units::Nanos;
use crate::verdict::RoundsEvidence;

/// Estimated cost of a launch besides warm-up and calls, in nanoseconds: starting the process,
/// loading its libraries, and reading a model from disk.
const START_NANOS: f64 = 50e6;

/// Measures the same code on both sides, saves the calibration and prints it.
///
/// Fails if the code cannot be built or measured, if no benchmark varied, or if the calibration
/// cannot be written.
pub(super) fn run_calibrate(args: &CalibrateArgs) -> Result<ExitStatus> {
    // Plan: build the same code for both sides, measure it in rounds, estimate the noise, then
    // merge the result with the calibration that is already saved.
    let session = Session::open(&SessionRequest {
        selection: &args.selection,
        effort: &args.effort,
        gate: &GateArgs { config: args.config.clone(), ..GateArgs::default() },
        store: &StoreArgs::default(),
        source: request_source(args),
        given_run: None,
    })?;
    let same_code = build_same_code(args, &session)?;
    let rounds = measure_same_code(&session, &same_code, args.rounds as usize)?;
    print::print_failures(rounds.list_failed());
    for note in rounds.baseline.notes.iter().chain(&rounds.candidate.notes) {
        print::print_note(&format!("warning: {}", describe_note(note)));
    }
    let created = rounds.candidate.created.clone();
    let calibration =
        Calibration::from_rounds(created, &rounds.baseline, &rounds.candidate, &|id| {
            estimate_launch_cost(&rounds, id, &session.effort.effort)
        });
    if calibration.benchmarks.is_empty() {
        let help = "see above for what failed; launches that all take the same time show no noise";
        let has_measured =
            rounds.candidate.benchmarks.iter().any(|benchmark| benchmark.failure.is_none());
        let why = if has_measured { "no benchmark varied" } else { "nothing was measured" };
        return Err(CommandError::new_failure(format!("no noise was found: {why}"))
            .with_help(help)
            .into());
    }
    let folder = &session.project.folder;
    let path = locate_calibration(folder, &calibration.host.fingerprint);
    let tables = table::format_tables(&calibration);
    // Benchmarks that were not measured this time keep their earlier calibration.
    let (earlier, _) = read_calibration(folder, &calibration.host.fingerprint);
    let calibration = calibration.with_earlier(earlier);
    files::write_atomically(&path, &serde_json::to_vec_pretty(&calibration)?)
        .with_context(|| format!("failed to write `{}`", path.display()))?;
    print::print_answer(&tables)?;
    print::print_note(&format!("saved to {}; later checks on this machine use it", path.display()));
    Ok(ExitStatus::Pass)
}

/// The same code for both sides.
enum SameCode {
    /// Two builds, or one command on both sides.
    Pair(Box<Pair>),
    /// One build on both sides.
    OneBuild(MeasureSubject),
}

/// Returns what the command line asks to calibrate.
fn request_source(args: &CalibrateArgs) -> RequestedSource {
    match (&args.command, args.adapter) {
        (Some(_), _) => RequestedSource::Commands,
        (None, Some(adapter)) => {
            RequestedSource::Harness(HarnessCommand::new(args.words.clone(), adapter))
        }
        (None, None) => RequestedSource::Configured,
    }
}

/// Builds the same code for both sides.
///
/// A clean commit is built or prepared twice, as in a check, so that the effect of its place on speed
/// is part of the noise. Without a clean commit, both sides are the working tree.
///
/// Fails if a build fails.
fn build_same_code(args: &CalibrateArgs, session: &Session) -> Result<SameCode> {
    if let Some(text) = args.command.as_deref() {
        return Ok(SameCode::Pair(Box::new(Pair::from_commands(text, text, None))));
    }
    let head = session.project.read_head()?.filter(|head| !head.dirty);
    let commit = head.and_then(|head| CommitId::parse(&head.id));
    let Some((repository, commit)) = session.project.repository.as_ref().zip(commit) else {
        if let Some(command) = &session.recipe.harness {
            print::print_note(
                "the working tree is not a commit, so both sides are measured in it, and the effect of a build is not",
            );
            session.recipe.prepare_working_tree(&request_source(args), &session.interrupt)?;
            return Ok(SameCode::OneBuild(MeasureSubject::Harness(command.clone())));
        }
        print::print_note(
            "the working tree is not a commit, so it is built only once, and the effect of code layout is not measured",
        );
        let workspace = to_workspace(&session.selection);
        return Ok(SameCode::OneBuild(build_subject(&workspace, &session.interrupt)?));
    };
    match Pair::make_ready(&session.pair_builder(repository), &commit)? {
        PairAttempt::Ready(pair) => Ok(SameCode::Pair(pair)),
        PairAttempt::NoBase(SideObstacle::NotBuilt(cause)) | PairAttempt::NoHead(cause) => {
            let help =
                "what the commit does not have can come from measure.prepare in perfgate.toml";
            Err(CommandError::new_failure(cause).with_help(help).into())
        }
        PairAttempt::NoBase(SideObstacle::NoManifest(path)) => {
            Err(CommandError::new_usage(format!("git does not have `{path}`")).into())
        }
        PairAttempt::NoBase(SideObstacle::NoProfile(profile)) => {
            Err(CommandError::new_usage(format!("there is no profile `{profile}`")).into())
        }
    }
}

/// Measures both sides in rounds, until each benchmark that did not fail has the launches of all
/// `round_count` rounds.
///
/// Fails if a pilot launch or the measurement fails.
fn measure_same_code(
    session: &Session,
    same_code: &SameCode,
    round_count: usize,
) -> Result<MeasuredRounds> {
    // Plan the launches of both sides, describe the rounds, and measure until no benchmark needs
    // another round. One build is its own partner: it is both sides.
    let (selection, effort) = (&session.policy.selection, &session.effort.effort);
    let interrupt = &session.interrupt;
    let run = session.create_run(session.source);
    let mut output = ProgressOutput::new().with_details(session.effort.is_verbose);
    let [baseline_plan, candidate_plan] = match same_code {
        SameCode::Pair(pair) => pair.plan(selection, effort, interrupt, &mut output)?,
        SameCode::OneBuild(subject) => {
            let plan = subject.plan_launches(selection, effort, None, interrupt, &mut |progress| {
                output.show_measurement(&progress);
            });
            let plan = plan.map_err(explain_measure_error)?;
            [plan.clone(), plan]
        }
    };
    let (baseline, candidate) = match same_code {
        SameCode::Pair(pair) => (&pair.baseline, &pair.candidate),
        SameCode::OneBuild(subject) => (subject, subject),
    };
    let rounds_plan = RoundsPlan {
        baseline,
        candidate,
        baseline_plan,
        candidate_plan,
        same_program: Vec::new(),
        effort,
        seed: session.effort.order_seed(),
        session: name_rounds_session(&run),
    };
    let schedule = RoundSchedule::new(rounds_plan.candidate_plan.clone(), effort, None);
    output.show_pilot(&schedule.plan().to_pilot_records());
    let mut look = |rounds: RoundsEvidence<'_>, _: &RoundSchedule<'_>| {
        let unfinished = rounds.candidate.benchmarks.iter().filter(|benchmark| {
            benchmark.failure.is_none() && benchmark.launches.len() < round_count
        });
        let undecided = unfinished.map(Benchmark::to_id).collect();
        LookAnswer { undecided, ..LookAnswer::default() }
    };
    let mut progress = |progress| match progress {
        RoundsProgress::Round { round, .. } => {
            output.print_line(&format!("round {round} of {round_count}"));
        }
        RoundsProgress::Looked { .. } | RoundsProgress::Ended { .. } => {}
        RoundsProgress::Repeated(note) => output.print_line(&describe_note(&note)),
    };
    let runs = [run.clone(), run];
    measure_rounds(&rounds_plan, schedule, runs, interrupt, &mut look, &mut progress)
        .map_err(explain_measure_error)
}

/// Estimates the time that a launch and a call of a benchmark cost. The cost of a call is the
/// median call of the first launch.
fn estimate_launch_cost(rounds: &MeasuredRounds, id: &BenchmarkId, effort: &Effort) -> LaunchCost {
    let benchmark = rounds.candidate.benchmarks.iter().find(|benchmark| benchmark.to_id() == *id);
    let call = benchmark
        .and_then(|benchmark| benchmark.launches.first())
        .map(|launch| launch.digest().p50);
    let nanos = |ns: f64| Nanos::new(ns).expect("durations add up to one");
    LaunchCost {
        start: nanos(effort.choose_warmup(MIN_LAUNCH_TIME).as_secs_f64() * 1e9 + START_NANOS),
        call: call.unwrap_or(nanos(0.0)),
    }
}
