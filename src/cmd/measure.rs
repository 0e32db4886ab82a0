//! `perfgate measure`: samples into a run file.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::progress::ProgressOutput;
use super::{CommandError, ExitStatus, guard, print};
use crate::cli::{
    CommandArgs, CriterionArgs, EffortArgs, MeasureArgs, MeasureSource, SelectionArgs,
};
use crate::files;
use crate::git::Repository;
use crate::host::{self, BuildEnvironment, Host};
use crate::measure::command::SampleCommand;
use crate::measure::criterion::{self, BuildError, CargoWorkspace};
use crate::measure::{
    self, Effort, Interrupt, MeasureError, MeasureSubject, Measurement, Selection,
};
use crate::run::{MeasuredCommit, Run, RunSettings, SampleSource};
use crate::units::Nanos;

/// Runs the command.
pub(super) fn run(args: MeasureArgs) -> Result<ExitStatus> {
    let interrupt = guard::watch_signals()?;
    let (run, output) = match args.source {
        None => measure_criterion_source(args.criterion, &interrupt)?,
        Some(MeasureSource::Criterion(args)) => measure_criterion_source(args, &interrupt)?,
        Some(MeasureSource::Command(args)) => measure_command_source(args, &interrupt)?,
    };
    let mut json = serde_json::to_vec(&run)?;
    json.push(b'\n');
    files::write_atomically(&output, &json)
        .with_context(|| format!("failed to write `{}`", output.display()))?;
    print::print_failures(&run.benchmarks);
    ProgressOutput::new().print_line(&format!(
        "{} benchmarks in {}",
        run.benchmarks.len(),
        output.display()
    ));
    Ok(ExitStatus::Pass)
}

fn measure_criterion_source(args: CriterionArgs, interrupt: &Interrupt) -> Result<(Run, PathBuf)> {
    // Before the run file appears beside the sources, and makes them dirty.
    let commit = read_head(args.selection.manifest_path.as_deref());
    let mut run = measure_criterion(&args.selection, &args.effort, interrupt)?;
    run.commit = commit;
    Ok((run, args.output.output))
}

fn measure_command_source(args: CommandArgs, interrupt: &Interrupt) -> Result<(Run, PathBuf)> {
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
    let bench_selection = parse_selection(&selection.bench)?;
    let subject = build_subject(&to_workspace(selection), interrupt)?;
    let run = create_empty_run(SampleSource::Criterion, selection, effort);
    fill_run(run, &subject, &bench_selection, &to_effort(effort), interrupt)
}

/// Builds the Criterion benches of a workspace.
pub(super) fn build_subject(
    workspace: &CargoWorkspace,
    interrupt: &Interrupt,
) -> Result<MeasureSubject> {
    let runner = env::current_exe().context("failed to find perfgate's own executable")?;
    let built =
        criterion::build_benches(workspace, &runner, interrupt).map_err(explain_measure_error)?;
    Ok(MeasureSubject::Criterion(built))
}

/// A run that says how and where it will be measured, without benchmarks yet.
pub(super) fn create_empty_run(
    source: SampleSource,
    selection: &SelectionArgs,
    effort: &EffortArgs,
) -> Run {
    let host = detect_host(find_workspace_folder(selection.manifest_path.as_deref()));
    let mut run = Run::new(Timestamp::now().to_string(), source, host);
    run.settings = RunSettings {
        seed: effort.seed,
        calls: Some(to_effort(effort).calls),
        command: Some(format_command_line()),
        ..RunSettings::default()
    };
    run
}

fn measure_command(
    command: SampleCommand,
    bench: &[String],
    effort: &EffortArgs,
    interrupt: &Interrupt,
) -> Result<Run> {
    let selection = parse_selection(bench)?;
    let host = Host::detect(&read_surroundings());
    let run = Run::new(Timestamp::now().to_string(), SampleSource::Command, host);
    fill_run(run, &MeasureSubject::Command(command), &selection, &to_effort(effort), interrupt)
}

fn fill_run(
    mut run: Run,
    subject: &MeasureSubject,
    selection: &Selection,
    effort: &Effort,
    interrupt: &Interrupt,
) -> Result<Run> {
    let mut output = ProgressOutput::new();
    let measured =
        measure::measure_subject(subject, selection, effort, interrupt, &mut |progress| {
            output.show_measurement(&progress);
        })
        .map_err(explain_measure_error)?;
    output.finish();
    run.complete = measured.is_complete();
    let Measurement { benchmarks, warnings, settings, .. } = measured;
    run.benchmarks = benchmarks;
    run.warnings = warnings;
    run.settings.command = Some(format_command_line());
    run.settings.take_runtime(settings);
    Ok(run)
}

/// What is checked out; that a repository cannot be read does not keep anybody from measuring.
fn read_head(manifest: Option<&Path>) -> Option<MeasuredCommit> {
    let folder = find_workspace_folder(manifest);
    Repository::discover(folder).ok()??.read_head(folder).ok()?
}

fn find_workspace_folder(manifest: Option<&Path>) -> &Path {
    let folder = manifest.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or_else(|| Path::new("."))
}

/// Threads that models run with, where the user has set them for the benches.
/// What `--bench` selects.
pub(super) fn parse_selection(bench: &[String]) -> Result<Selection> {
    Selection::new(bench).map_err(|error| CommandError::new_usage(error).into())
}

/// The workspace that is built in place.
pub(super) fn to_workspace(selection: &SelectionArgs) -> CargoWorkspace {
    CargoWorkspace {
        folder: PathBuf::new(),
        manifest: selection.manifest_path.clone(),
        target_folder: None,
        packages: selection.package.clone(),
        features: selection.features.clone(),
        profile: selection.profile.clone(),
    }
}

/// How much to measure, with the defaults for what is not said.
pub(super) fn to_effort(effort: &EffortArgs) -> Effort {
    let default = Effort::default();
    let to_duration =
        |nanos: Nanos| Duration::try_from_secs_f64(nanos.get() / 1e9).unwrap_or(Duration::MAX);
    Effort {
        launches: effort.launches.unwrap_or(default.launches),
        calls: effort.calls.unwrap_or(default.calls),
        warmup: effort.warmup.map_or(default.warmup, to_duration),
        timeout: effort.timeout.map_or(default.timeout, to_duration),
    }
}

/// Hosted runners name their machine image in the environment. Without a compiler, for what no
/// compiler has built.
fn read_surroundings() -> BuildEnvironment {
    BuildEnvironment {
        image: env::var("ImageOS").ok(),
        image_version: env::var("ImageVersion").ok(),
        rustc: None,
    }
}

/// The machine, with the compiler that Cargo uses in `folder`.
pub(super) fn detect_host(folder: &Path) -> Host {
    Host::detect(&BuildEnvironment { rustc: host::detect_rustc(folder), ..read_surroundings() })
}

/// The command line that began this, for whoever wants to repeat it.
fn format_command_line() -> String {
    let words: Vec<String> =
        env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    format!("perfgate {}", measure::command::quote_words(&words))
}

/// A measurement that could not be made, with its remedy.
pub(super) fn explain_measure_error(error: MeasureError) -> anyhow::Error {
    let MeasureError::Build(build_error) = &error else {
        return error.into();
    };
    match build_error {
        BuildError::NoCargo(_) => CommandError::new_unavailable(build_error)
            .with_help("install Rust from https://rustup.rs")
            .into(),
        BuildError::Workspace(_) => CommandError::new_usage(build_error)
            .with_help("run it in a Cargo workspace, or name one with --manifest-path")
            .into(),
        BuildError::NoPackage { .. } => CommandError::new_usage(build_error).into(),
        BuildError::NotRecorded { .. } => anyhow::Error::from(error)
            .context("unset `target.<triple>.runner` of Cargo's configuration"),
        BuildError::Compile => error.into(),
    }
}
