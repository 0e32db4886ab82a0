//! `perfgate measure`: samples into a run file.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::progress::Stages;
use super::{ExitStatus, Refusal, guard, print};
use crate::cli::{
    CommandArgs, CriterionArgs, EffortArgs, MeasureArgs, MeasureSource, SelectionArgs,
};
use crate::files;
use crate::git::Repository;
use crate::host::{self, Host, Surroundings};
use crate::measure::command::SampleCommand;
use crate::measure::criterion::{self, BuildError, Workspace};
use crate::measure::{self, Effort, Interrupt, MeasureError, Measured, Selection, Subject};
use crate::run::{Commit, Run, Settings, Source};
use crate::units::Nanos;

/// Runs the command.
pub(super) fn run(args: MeasureArgs) -> Result<ExitStatus> {
    let interrupt = guard::interrupt()?;
    let (run, output) = match args.source {
        None => criterion_run(args.criterion, &interrupt)?,
        Some(MeasureSource::Criterion(args)) => criterion_run(args, &interrupt)?,
        Some(MeasureSource::Command(args)) => command_run(args, &interrupt)?,
    };
    let mut json = serde_json::to_vec(&run)?;
    json.push(b'\n');
    files::write(&output, &json)
        .with_context(|| format!("failed to write `{}`", output.display()))?;
    print::failures(&run.benchmarks);
    Stages::new().say(&format!("{} benchmarks in {}", run.benchmarks.len(), output.display()));
    Ok(ExitStatus::Pass)
}

fn criterion_run(args: CriterionArgs, interrupt: &Interrupt) -> Result<(Run, PathBuf)> {
    // Before the run file appears beside the sources, and makes them dirty.
    let commit = commit(args.selection.manifest_path.as_deref());
    let mut run = measure_criterion(&args.selection, &args.effort, interrupt)?;
    run.commit = commit;
    Ok((run, args.output.output))
}

fn command_run(args: CommandArgs, interrupt: &Interrupt) -> Result<(Run, PathBuf)> {
    let command = SampleCommand::from_words(&args.words);
    let effort =
        EffortArgs { launches: args.launches, timeout: args.timeout, ..EffortArgs::default() };
    let run = measure_command(command, &args.bench, &effort, interrupt)?;
    Ok((run, args.output.output))
}

/// Builds and measures the Criterion benches of a workspace.
pub(super) fn measure_criterion(
    selection: &SelectionArgs,
    effort: &EffortArgs,
    interrupt: &Interrupt,
) -> Result<Run> {
    let patterns = patterns(&selection.bench)?;
    let subject = built(&workspace(selection), interrupt)?;
    let run = empty_run(Source::Criterion, selection, effort);
    fill(run, &subject, &patterns, &settled(effort), interrupt)
}

/// Builds the Criterion benches of a workspace.
pub(super) fn built(workspace: &Workspace, interrupt: &Interrupt) -> Result<Subject> {
    let runner = env::current_exe().context("failed to find perfgate's own executable")?;
    let built = criterion::build(workspace, &runner, interrupt).map_err(explain)?;
    Ok(Subject::Criterion(built))
}

/// A run that says how and where it will be measured, without benchmarks yet.
pub(super) fn empty_run(source: Source, selection: &SelectionArgs, effort: &EffortArgs) -> Run {
    let host = host(folder_of(selection.manifest_path.as_deref()));
    let mut run = Run::new(Timestamp::now().to_string(), source, host);
    run.settings = Settings {
        seed: effort.seed,
        calls: Some(settled(effort).calls),
        command: Some(command_line()),
        ..Settings::default()
    };
    run
}

fn measure_command(
    command: SampleCommand,
    bench: &[String],
    effort: &EffortArgs,
    interrupt: &Interrupt,
) -> Result<Run> {
    let patterns = patterns(bench)?;
    let host = Host::current(&surroundings());
    let run = Run::new(Timestamp::now().to_string(), Source::Command, host);
    fill(run, &Subject::Command(command), &patterns, &settled(effort), interrupt)
}

fn fill(
    mut run: Run,
    subject: &Subject,
    patterns: &Selection,
    effort: &Effort,
    interrupt: &Interrupt,
) -> Result<Run> {
    let mut stages = Stages::new();
    let measured = measure::measure(subject, patterns, effort, interrupt, &mut |progress| {
        stages.show(&progress);
    })
    .map_err(explain)?;
    stages.finish();
    run.complete = measured.is_complete();
    let Measured { benchmarks, warnings, settings, .. } = measured;
    run.benchmarks = benchmarks;
    run.warnings = warnings;
    run.settings.command = Some(command_line());
    run.settings.take_runtime(settings);
    Ok(run)
}

/// What is checked out; that a repository cannot be read does not keep anybody from measuring.
fn commit(manifest: Option<&Path>) -> Option<Commit> {
    let folder = folder_of(manifest);
    Repository::discover(folder).ok()??.head(folder).ok()?
}

fn folder_of(manifest: Option<&Path>) -> &Path {
    let folder = manifest.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or_else(|| Path::new("."))
}

/// Threads that models run with, where the user has set them for the benches.
/// What `--bench` selects.
pub(super) fn patterns(bench: &[String]) -> Result<Selection> {
    Selection::new(bench).map_err(|error| Refusal::usage(error).into())
}

/// The workspace that is built in place.
pub(super) fn workspace(selection: &SelectionArgs) -> Workspace {
    Workspace {
        folder: PathBuf::new(),
        manifest: selection.manifest_path.clone(),
        target_folder: None,
        packages: selection.package.clone(),
        features: selection.features.clone(),
        profile: selection.profile.clone(),
    }
}

/// How much to measure, with the defaults for what is not said.
pub(super) fn settled(effort: &EffortArgs) -> Effort {
    let default = Effort::default();
    let duration =
        |nanos: Nanos| Duration::try_from_secs_f64(nanos.get() / 1e9).unwrap_or(Duration::MAX);
    Effort {
        launches: effort.launches.unwrap_or(default.launches),
        calls: effort.calls.unwrap_or(default.calls),
        warmup: effort.warmup.map_or(default.warmup, duration),
        timeout: effort.timeout.map_or(default.timeout, duration),
    }
}

/// Hosted runners name their machine image in the environment. Without a compiler, for what no
/// compiler has built.
fn surroundings() -> Surroundings {
    Surroundings {
        image: env::var("ImageOS").ok(),
        image_version: env::var("ImageVersion").ok(),
        rustc: None,
    }
}

/// The machine, with the compiler that Cargo uses in `folder`.
pub(super) fn host(folder: &Path) -> Host {
    Host::current(&Surroundings { rustc: host::rustc(folder), ..surroundings() })
}

/// The command line that began this, for whoever wants to repeat it.
fn command_line() -> String {
    let words: Vec<String> =
        env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    format!("perfgate {}", measure::command::script(&words))
}

/// A measurement that could not be made, with its remedy.
pub(super) fn explain(error: MeasureError) -> anyhow::Error {
    let MeasureError::Build(build) = &error else {
        return error.into();
    };
    match build {
        BuildError::NoCargo(_) => {
            Refusal::unavailable(build).help("install Rust from https://rustup.rs").into()
        }
        BuildError::Workspace(_) => Refusal::usage(build)
            .help("run it in a Cargo workspace, or name one with --manifest-path")
            .into(),
        BuildError::NoPackage { .. } => Refusal::usage(build).into(),
        BuildError::NotRecorded { .. } => anyhow::Error::from(error)
            .context("unset `target.<triple>.runner` of Cargo's configuration"),
        BuildError::Compile => error.into(),
    }
}
