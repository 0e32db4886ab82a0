//! `perfgate calibrate`: the same code on both sides, and what that tells of this machine.

mod table;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context as _, Result};

use super::pair::{Attempt, Ground, Pair};
use super::progress::Stages;
use super::project::Project;
use super::{ExitStatus, Refusal, gate, guard, measure as measuring, print};
use crate::calibrate::{Calibration, Pace};
use crate::cli::{CalibrateArgs, GateArgs};
use crate::files;
use crate::git::CommitId;
use crate::measure::{Effort, Interrupt, Subject};
use crate::policy::Config;
use crate::rounds::{InTurn, Progress, Sides, interleave};
use crate::run::{Benchmark, BenchmarkId, Run, Source};
use crate::units::Nanos;
use crate::verdict::Rounds;

/// What a start costs besides warm-up and calls: a process, its libraries, a model read from disk.
const START_NANOS: f64 = 50e6;

/// Measures the same code on both sides and keeps what it tells.
pub(super) fn run(args: &CalibrateArgs) -> Result<ExitStatus> {
    let project = Project::find(args.selection.manifest_path.as_deref())?;
    let config = gate::config(&GateArgs::default(), &project.folder)?;
    let effort_args = gate::effort(&args.effort, &config.measure);
    let effort = measuring::settled(&effort_args);
    let interrupt = guard::interrupt()?;
    let sides = sides(args, &project, &config, &interrupt)?;
    let run = measuring::empty_run(sides.source(), &args.selection, &effort_args);
    let created = run.created.clone();
    let in_turn = in_turn(args, &sides, &effort, run, &interrupt)?;
    print::failures(in_turn.failed());
    for warning in in_turn.baseline.warnings.iter().chain(&in_turn.candidate.warnings) {
        print::note(&format!("warning: {warning}"));
    }
    let calibration = Calibration::of(created, &in_turn.baseline, &in_turn.candidate, &|id| {
        pace(&in_turn, id, &effort)
    });
    if calibration.benchmarks.is_empty() {
        let help = "see above for what failed; launches that all take the same time tell nothing";
        return Err(Refusal::failed("nothing was learnt: no benchmark varied").help(help).into());
    }
    let path = path(&project.folder, &calibration.host.fingerprint);
    let shown = table::table(&calibration);
    // What was not measured this time is still as it was.
    let (before, _) = known(&project.folder, &calibration.host.fingerprint);
    let calibration = calibration.with_the_rest_of(before);
    files::write(&path, &serde_json::to_vec_pretty(&calibration)?)
        .with_context(|| format!("failed to write `{}`", path.display()))?;
    print::answer(&shown)?;
    print::note(&format!("kept in {}; later checks on this machine use it", path.display()));
    Ok(ExitStatus::Pass)
}

/// Where the calibration of a machine is kept, below the folder of the workspace.
fn path(folder: &Path, fingerprint: &str) -> PathBuf {
    folder.join("target/perfgate/calibration").join(format!("{fingerprint}.json"))
}

/// What calibration told about this machine; nothing where it was never made, and what is said
/// where it cannot be read.
pub(super) fn known(folder: &Path, fingerprint: &str) -> (Option<Calibration>, Option<String>) {
    // A run that was read may claim any fingerprint, and this one becomes the name of a file.
    if !fingerprint.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return (None, None);
    }
    let path = path(folder, fingerprint);
    let Ok(json) = fs::read(&path) else { return (None, None) };
    match Calibration::from_json(&json) {
        Ok(calibration) => (Some(calibration), None),
        Err(error) => {
            let note = format!("calibration `{}` is not used: {error}", path.display());
            (None, Some(note))
        }
    }
}

/// The same code twice.
enum SameCode {
    /// In two builds, or as one command on both sides.
    Twice(Box<Pair>),
    /// One build on both sides.
    Once(Subject),
}

impl SameCode {
    fn source(&self) -> Source {
        match self {
            Self::Twice(pair) => pair.source,
            Self::Once(_) => Source::Criterion,
        }
    }
}

/// A clean commit is built twice, as a check builds base and candidate, so that what the place of a
/// build does to its speed is part of the noise.
fn sides(
    args: &CalibrateArgs,
    project: &Project,
    config: &Config,
    interrupt: &Interrupt,
) -> Result<SameCode> {
    if let Some(text) = &args.command {
        return Ok(SameCode::Twice(Box::new(Pair::of_commands(text, text))));
    }
    let head = project.head()?.filter(|head| !head.dirty);
    let commit = head.and_then(|head| CommitId::parse(&head.id));
    let Some((repository, commit)) = project.repository.as_ref().zip(commit) else {
        print::note("this is no commit as it stands: built once, so that layout is not measured");
        let workspace = measuring::workspace(&args.selection);
        return Ok(SameCode::Once(measuring::built(&workspace, interrupt)?));
    };
    let prepare = config.measure.prepare.as_deref();
    let ground = Ground { project, repository, selection: &args.selection, prepare, interrupt };
    match Pair::of_commits(&ground, &commit)? {
        Attempt::Ready(pair) => Ok(SameCode::Twice(pair)),
        Attempt::NoBase(why) => Err(Refusal::failed(why).into()),
    }
}

fn in_turn(
    args: &CalibrateArgs,
    same_code: &SameCode,
    effort: &Effort,
    run: Run,
    interrupt: &Interrupt,
) -> Result<InTurn> {
    let mut stages = Stages::new();
    let patterns = measuring::patterns(&args.selection.bench)?;
    let [baseline_plan, candidate_plan] = match same_code {
        SameCode::Twice(pair) => pair.plan(&patterns, effort, interrupt, &mut stages)?,
        SameCode::Once(subject) => {
            let mut show = |progress| stages.show(&progress);
            let plan = subject.plan(&patterns, effort, interrupt, &mut show);
            let plan = plan.map_err(measuring::explain)?;
            [plan.clone(), plan]
        }
    };
    let (baseline, candidate) = match same_code {
        SameCode::Twice(pair) => (&pair.baseline, &pair.candidate),
        SameCode::Once(subject) => (subject, subject),
    };
    let sides = Sides {
        baseline,
        candidate,
        baseline_plan,
        candidate_plan,
        same: Vec::new(),
        effort,
        seed: args.effort.seed.unwrap_or(1),
        session: format!("{}-{}", run.created, process::id()),
        budget: None,
    };
    let wanted = args.rounds as usize;
    let mut look = |rounds: Rounds<'_>| -> HashSet<BenchmarkId> {
        let left =
            rounds.candidate.benchmarks.iter().filter(|benchmark| {
                benchmark.failure.is_none() && benchmark.launches.len() < wanted
            });
        left.map(Benchmark::identity).collect()
    };
    let mut progress = |progress| match progress {
        Progress::Round { round, .. } => stages.say(&format!("round {round} of {wanted}")),
        Progress::Repeated(why) => stages.say(&why),
    };
    interleave(&sides, run.clone(), run, interrupt, &mut look, &mut progress)
        .map_err(measuring::explain)
}

/// What a launch and a call of a benchmark cost, from its launches.
fn pace(in_turn: &InTurn, id: &BenchmarkId, effort: &Effort) -> Pace {
    let benchmark = in_turn.candidate.benchmarks.iter().find(|one| one.identity() == *id);
    let call = benchmark.and_then(|one| one.launches.first()).map(|launch| launch.digest().p50);
    let nanos = |ns: f64| Nanos::new(ns).expect("durations add up to one");
    Pace {
        start: nanos(effort.warmup.as_secs_f64() * 1e9 + START_NANOS),
        call: call.unwrap_or(nanos(0.0)),
    }
}
