//! `perfgate calibrate`: the same code on both sides, and what that tells of this machine.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context as _, Result};

use super::progress::Stages;
use super::project::Project;
use super::{ExitStatus, gate, measure as measuring, print};
use crate::calibrate::{Calibration, Pace};
use crate::cli::{CalibrateArgs, GateArgs};
use crate::files;
use crate::measure::command::SampleCommand;
use crate::measure::{Effort, Interrupt, Subject};
use crate::rounds::{InTurn, Sides, interleave};
use crate::run::{Benchmark, BenchmarkId, Source};
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
    let interrupt = Interrupt::watch()?;
    let (subject, source) = if let Some(text) = &args.command {
        (Subject::Command(SampleCommand::new(text.clone())), Source::Command)
    } else {
        let built = measuring::built(&measuring::workspace(&args.selection), &interrupt)?;
        (built, Source::Criterion)
    };
    let run = measuring::empty_run(source, &args.selection, &effort_args);
    let created = run.created.clone();
    let in_turn = in_turn(args, &subject, &effort, run, &interrupt)?;
    let calibration = Calibration::of(created, &in_turn.baseline, &in_turn.candidate, &|id| {
        pace(&in_turn, id, &effort)
    });
    let path = path(&project.folder, &calibration.host.fingerprint);
    files::write(&path, &serde_json::to_vec_pretty(&calibration)?)
        .with_context(|| format!("failed to write `{}`", path.display()))?;
    print::answer(&table(&calibration))?;
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

fn in_turn(
    args: &CalibrateArgs,
    subject: &Subject,
    effort: &Effort,
    run: crate::run::Run,
    interrupt: &Interrupt,
) -> Result<InTurn> {
    let mut stages = Stages::new();
    let patterns = measuring::patterns(&args.selection.bench)?;
    let plan = subject
        .plan(&patterns, effort, interrupt, &mut |progress| stages.show(&progress))
        .map_err(measuring::explain)?;
    let sides = Sides {
        baseline: subject,
        candidate: subject,
        plan,
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
    let mut progress = |progress| stages.round(&progress);
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

fn table(calibration: &Calibration) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut table = format!(
        "{:<40} {:>11} {:>10} {:>9} {:>11} {:>16}\n",
        "benchmark", "noise floor", "launch sd", "partners", "found at 10", "advised"
    );
    for one in &calibration.benchmarks {
        let found = one.minimum_detectable.iter().find(|at| at.rounds == 10);
        let advice = one
            .advice
            .map_or_else(String::new, |advice| format!("{} × {}", advice.launches, advice.calls));
        let name: String = one.id.escape_debug().take(40).collect();
        writeln!(
            table,
            "{name:<40} {:>11} {:>10} {:>+9.2} {:>11} {advice:>16}",
            percent(one.noise_floor),
            percent(one.launch_variance.sqrt()),
            one.correlation,
            found.map_or_else(String::new, |at| percent(at.slowdown)),
        )
        .expect("a string takes what is written");
    }
    table
}
