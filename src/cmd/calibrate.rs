//! `perfgate calibrate`: measures the same code on both sides, to learn the noise of this machine.

mod table;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context as _, Result};

use super::pair::{Pair, PairAttempt, PairBuilder};
use super::progress::ProgressOutput;
use super::project::Project;
use super::{CommandError, ExitStatus, gate, guard, measure as measuring, print};
use crate::calibrate::{Calibration, LaunchCost};
use crate::cli::{CalibrateArgs, GateArgs};
use crate::files;
use crate::git::CommitId;
use crate::measure::{Effort, MeasureSubject};
use crate::policy::Config;
use crate::process::Interrupt;
use crate::render::notes::describe_note;
use crate::rounds::{MeasuredRounds, RoundsPlan, RoundsProgress, measure_rounds};
use crate::run::{Benchmark, BenchmarkId, Run, SampleSource};
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
    let project = Project::find(args.selection.manifest_path.as_deref())?;
    let config = gate::read_config(&GateArgs::default(), &project.folder)?;
    let effort_args = gate::resolve_effort(&args.effort, &config.measure);
    let effort = measuring::to_effort(&effort_args);
    let interrupt = guard::watch_signals()?;
    let same_code = build_same_code(args, &project, &config, &interrupt)?;
    let run = measuring::create_empty_run(same_code.source(), &args.selection, &effort_args);
    let created = run.created.clone();
    let rounds = measure_same_code(args, &same_code, &effort, run, &interrupt)?;
    print::print_failures(rounds.list_failed());
    for note in rounds.baseline.notes.iter().chain(&rounds.candidate.notes) {
        print::print_note(&format!("warning: {}", describe_note(note)));
    }
    let calibration =
        Calibration::from_rounds(created, &rounds.baseline, &rounds.candidate, &|id| {
            estimate_launch_cost(&rounds, id, &effort)
        });
    if calibration.benchmarks.is_empty() {
        let help = "see above for what failed; launches that all take the same time tell nothing";
        return Err(CommandError::new_failure("nothing was learnt: no benchmark varied")
            .with_help(help)
            .into());
    }
    let path = locate_calibration(&project.folder, &calibration.host.fingerprint);
    let tables = table::format_tables(&calibration);
    // Benchmarks that were not measured this time keep their earlier calibration.
    let (earlier, _) = read_calibration(&project.folder, &calibration.host.fingerprint);
    let calibration = calibration.with_earlier(earlier);
    files::write_atomically(&path, &serde_json::to_vec_pretty(&calibration)?)
        .with_context(|| format!("failed to write `{}`", path.display()))?;
    print::print_answer(&tables)?;
    print::print_note(&format!("kept in {}; later checks on this machine use it", path.display()));
    Ok(ExitStatus::Pass)
}

/// Returns the path of a machine's calibration, below the folder of the workspace.
fn locate_calibration(folder: &Path, fingerprint: &str) -> PathBuf {
    folder.join("target/perfgate/calibration").join(format!("{fingerprint}.json"))
}

/// Reads the calibration of the machine with this fingerprint.
///
/// Returns `None` twice if the file is absent. If the file cannot be parsed, returns `None` and a
/// note that says why.
pub(super) fn read_calibration(
    folder: &Path,
    fingerprint: &str,
) -> (Option<Calibration>, Option<String>) {
    // A run file may claim any fingerprint, and the fingerprint becomes a file name here.
    if !fingerprint.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return (None, None);
    }
    let path = locate_calibration(folder, fingerprint);
    let Ok(json) = fs::read(&path) else { return (None, None) };
    match Calibration::from_json(&json) {
        Ok(calibration) => (Some(calibration), None),
        Err(error) => {
            let note = format!("calibration `{}` is not used: {error}", path.display());
            (None, Some(note))
        }
    }
}

/// The same code for both sides.
enum SameCode {
    /// Two builds, or one command on both sides.
    Pair(Box<Pair>),
    /// One build on both sides.
    OneBuild(MeasureSubject),
}

impl SameCode {
    fn source(&self) -> SampleSource {
        match self {
            Self::Pair(pair) => pair.source,
            Self::OneBuild(_) => SampleSource::Criterion,
        }
    }
}

/// Builds the same code for both sides.
///
/// A clean commit is built twice, as a check builds base and candidate, so that the effect of the
/// build location on speed is part of the noise. Without a clean commit there is one build for both
/// sides.
///
/// Fails if a build fails.
fn build_same_code(
    args: &CalibrateArgs,
    project: &Project,
    config: &Config,
    interrupt: &Interrupt,
) -> Result<SameCode> {
    if let Some(text) = &args.command {
        return Ok(SameCode::Pair(Box::new(Pair::from_commands(text, text))));
    }
    let head = project.read_head()?.filter(|head| !head.dirty);
    let commit = head.and_then(|head| CommitId::parse(&head.id));
    let Some((repository, commit)) = project.repository.as_ref().zip(commit) else {
        print::print_note(
            "this is no commit as it stands: built once, so that layout is not measured",
        );
        let workspace = measuring::to_workspace(&args.selection);
        return Ok(SameCode::OneBuild(measuring::build_subject(&workspace, interrupt)?));
    };
    let prepare = config.measure.prepare.as_deref();
    let builder =
        PairBuilder { project, repository, selection: &args.selection, prepare, interrupt };
    match Pair::build_from_commits(&builder, &commit)? {
        PairAttempt::Ready(pair) => Ok(SameCode::Pair(pair)),
        PairAttempt::NoBase(why) => Err(CommandError::new_failure(why).into()),
    }
}

/// Measures both sides in rounds, until each benchmark that did not fail has the launches of all
/// `--rounds`.
///
/// Fails if a pilot launch or the measurement fails.
fn measure_same_code(
    args: &CalibrateArgs,
    same_code: &SameCode,
    effort: &Effort,
    run: Run,
    interrupt: &Interrupt,
) -> Result<MeasuredRounds> {
    let mut output = ProgressOutput::new();
    let selection = measuring::parse_selection(&args.selection.bench)?;
    let [baseline_plan, candidate_plan] = match same_code {
        SameCode::Pair(pair) => pair.plan(&selection, effort, interrupt, &mut output)?,
        SameCode::OneBuild(subject) => {
            let mut show = |progress| output.show_measurement(&progress);
            let plan = subject.plan_launches(&selection, effort, interrupt, &mut show);
            let plan = plan.map_err(measuring::explain_measure_error)?;
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
        seed: args.effort.seed.unwrap_or(1),
        session: format!("{}-{}", run.created, process::id()),
        budget: None,
    };
    let round_count = args.rounds as usize;
    let mut look = |rounds: RoundsEvidence<'_>| -> HashSet<BenchmarkId> {
        let unfinished = rounds.candidate.benchmarks.iter().filter(|benchmark| {
            benchmark.failure.is_none() && benchmark.launches.len() < round_count
        });
        unfinished.map(Benchmark::to_id).collect()
    };
    let mut progress = |progress| match progress {
        RoundsProgress::Round { round, .. } => {
            output.print_line(&format!("round {round} of {round_count}"));
        }
        RoundsProgress::Repeated(note) => output.print_line(&describe_note(&note)),
    };
    measure_rounds(&rounds_plan, run.clone(), run, interrupt, &mut look, &mut progress)
        .map_err(measuring::explain_measure_error)
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
        start: nanos(effort.warmup.as_secs_f64() * 1e9 + START_NANOS),
        call: call.unwrap_or(nanos(0.0)),
    }
}
