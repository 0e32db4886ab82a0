//! `perfgate measure`: measures samples and writes them to a run file.

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
use crate::measure::{self, Effort, MeasureError, MeasureSubject, Measurement};
use crate::process::Interrupt;
use crate::render::render_run_json;
use crate::run::{MeasuredCommit, Run, RunSettings, SampleSource};
use crate::selection::Selection;
use crate::units::Nanos;

/// Runs `perfgate measure`.
///
/// Fails if nothing can be measured or the run file cannot be written. A failed benchmark is
/// printed and is not an error.
pub(super) fn run_measure(args: MeasureArgs) -> Result<ExitStatus> {
    let interrupt = guard::watch_signals()?;
    let (run, output) = match args.source {
        None => measure_criterion_source(args.criterion, &interrupt)?,
        Some(MeasureSource::Criterion(args)) => measure_criterion_source(args, &interrupt)?,
        Some(MeasureSource::Command(args)) => measure_command_source(args, &interrupt)?,
    };
    files::write_atomically(&output, render_run_json(&run)?.as_bytes())
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
    // Read first: the run file may appear next to the sources, and that makes the tree dirty.
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
///
/// Fails if a pattern of `--bench` is not valid, if the build fails, or if the measurement cannot
/// be made.
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
///
/// Fails if the build fails.
pub(super) fn build_subject(
    workspace: &CargoWorkspace,
    interrupt: &Interrupt,
) -> Result<MeasureSubject> {
    let runner = env::current_exe().context("failed to find perfgate's own executable")?;
    let built =
        criterion::build_benches(workspace, &runner, interrupt).map_err(explain_measure_error)?;
    Ok(MeasureSubject::Criterion(built))
}

/// Returns a run without benchmarks, with the time, source, host and settings of a measurement that
/// begins now.
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

/// Measures `subject` and returns `run` with the benchmarks and the notes of the measurement.
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
    let Measurement { benchmarks, notes, settings, .. } = measured;
    run.benchmarks = benchmarks;
    run.notes = notes;
    run.settings.command = Some(format_command_line());
    run.settings.take_runtime(settings);
    Ok(run)
}

/// Returns the checked-out commit.
///
/// Returns `None` if there is no repository or commit, and also if the repository cannot be read,
/// because that must not prevent a measurement.
fn read_head(manifest: Option<&Path>) -> Option<MeasuredCommit> {
    let folder = find_workspace_folder(manifest);
    Repository::discover(folder).ok()??.read_head(folder).ok()?
}

/// Returns the folder of the manifest, or the current folder without a manifest.
fn find_workspace_folder(manifest: Option<&Path>) -> &Path {
    let folder = manifest.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or_else(|| Path::new("."))
}

/// Returns the selection of benchmarks that the patterns of `--bench` describe.
///
/// Fails if a pattern is not valid.
pub(super) fn parse_selection(bench: &[String]) -> Result<Selection> {
    Selection::new(bench).map_err(|error| CommandError::new_usage(error).into())
}

/// Returns the workspace of the command line, to be built in place.
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

/// Returns how much to measure, with the default for each flag that is not given.
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

/// Reads the machine image that hosted runners name in the environment.
///
/// The compiler is `None`, because a measured command need not be built by one.
fn read_surroundings() -> BuildEnvironment {
    BuildEnvironment {
        image: env::var("ImageOS").ok(),
        image_version: env::var("ImageVersion").ok(),
        rustc: None,
    }
}

/// Detects the host, and the compiler that Cargo uses in `folder`.
pub(super) fn detect_host(folder: &Path) -> Host {
    Host::detect(&BuildEnvironment { rustc: host::detect_rustc(folder), ..read_surroundings() })
}

/// Returns the command line of this process, quoted so that it can be repeated.
fn format_command_line() -> String {
    let words: Vec<String> =
        env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    format!("perfgate {}", measure::command::quote_words(&words))
}

/// Turns a failed measurement into an error with its exit status and remedy.
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
