//! `perfgate measure`: measures samples and writes them to a run file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use crate::cli::{CommandArgs, CriterionArgs, EffortArgs, MeasureArgs, MeasureSource, OnnxArgs};
use crate::files;
use crate::git::Repository;
use crate::measure::command::SampleCommand;
use crate::measure::criterion::list_benchmark_ids;
use crate::measure::harness::HarnessCommand;
use crate::measure::{MeasureSubject, SampleNeeds};
use crate::note::Note;
use crate::policy::MeasureConfig;
use crate::process::Interrupt;
use crate::render::notes::describe_note;
use crate::render::{escape_for_terminal, render_run_json};
use crate::run::{MeasuredCommit, Run, SampleSource};
use crate::session::model::ModelSettings;
use crate::session::progress::ProgressOutput;
use crate::session::project::find_workspace_folder;
use crate::session::settings::{EffortSettings, parse_selection};
use crate::session::workflow::{WorkflowTrigger, refuse_privileged_measuring};
use crate::session::{ExitStatus, measurement, print, watch_signals};

/// Runs `perfgate measure`.
///
/// The status is inconclusive if nothing was measured. Fails if the measurement cannot be made, if
/// the workflow must not make it, or if the run file cannot be written. A failed benchmark is
/// printed and is not an error.
pub(super) fn run_measure(args: MeasureArgs) -> Result<ExitStatus> {
    refuse_privileged_measuring(WorkflowTrigger::detect().as_ref())?;
    let interrupt = watch_signals()?;
    let (run, output) = match args.source.unwrap_or(MeasureSource::Criterion(args.criterion)) {
        MeasureSource::Criterion(args) if args.list => return list_benchmarks(&args, &interrupt),
        MeasureSource::Criterion(args) => measure_criterion_source(args, &interrupt)?,
        MeasureSource::Command(args) => measure_command_source(args, &interrupt)?,
        MeasureSource::Onnx(args) => measure_model_source(&args, &interrupt)?,
    };
    write_measured(&run, &output)
}

/// Writes `run` to `output` and prints what is to say about it. The status is inconclusive if no
/// benchmark has samples.
///
/// Fails if the file cannot be written.
pub(super) fn write_measured(run: &Run, output: &Path) -> Result<ExitStatus> {
    files::write_atomically(output, render_run_json(run)?.as_bytes())
        .with_context(|| format!("failed to write `{}`", output.display()))?;
    // Progress has already shown the others.
    let is_new =
        |note: &&Note| !matches!(note, Note::NothingSelected { .. } | Note::LaunchRepeated { .. });
    print_notes(run.notes.iter().filter(is_new));
    print::print_failures(&run.benchmarks);
    let is_measured = run.benchmarks.iter().any(|benchmark| !benchmark.launches.is_empty());
    if !is_measured {
        print::print_note(&format!("nothing was measured; {} has no samples", output.display()));
        return Ok(ExitStatus::Inconclusive);
    }
    ProgressOutput::new().print_line(&format!(
        "{} in {}",
        print::format_plural(run.benchmarks.len(), "benchmark"),
        output.display()
    ));
    Ok(ExitStatus::Pass)
}

/// Prints the ids of the selected benchmarks, one per line. Nothing is measured.
///
/// Fails if the benches cannot be built or started.
fn list_benchmarks(args: &CriterionArgs, interrupt: &Interrupt) -> Result<ExitStatus> {
    let selection = parse_selection(&args.selection.bench)?;
    let workspace = measurement::to_workspace(&args.selection);
    let built = measurement::build_criterion_benches(&workspace, interrupt)?;
    let effort = resolve_effort(&args.effort).effort;
    let (ids, notes) = list_benchmark_ids(&built, &selection, &effort, interrupt)
        .map_err(measurement::explain_measure_error)?;
    print_notes(&notes);
    let lines = ids.iter().map(|id| escape_for_terminal(id) + "\n");
    print::print_answer(&lines.collect::<String>())?;
    Ok(if ids.is_empty() { ExitStatus::Inconclusive } else { ExitStatus::Pass })
}

fn print_notes<'a>(notes: impl IntoIterator<Item = &'a Note>) {
    for note in notes {
        print::print_note(&format!("warning: {}", escape_for_terminal(&describe_note(note))));
    }
}

fn measure_criterion_source(args: CriterionArgs, interrupt: &Interrupt) -> Result<(Run, PathBuf)> {
    let folder = find_workspace_folder(args.selection.manifest_path.as_deref());
    // Read first: the run file may appear next to the sources, and that makes the tree dirty.
    let commit = read_head(folder);
    let benchmarks = parse_selection(&args.selection.bench)?;
    let mut run = measurement::measure_criterion(
        &args.selection,
        &benchmarks,
        measurement::detect_host(SampleSource::Criterion, folder),
        &resolve_effort(&args.effort),
        &SampleNeeds::NONE,
        interrupt,
    )?;
    run.commit = commit;
    Ok((run, args.output.output))
}

fn measure_command_source(args: CommandArgs, interrupt: &Interrupt) -> Result<(Run, PathBuf)> {
    let effort_args = EffortArgs {
        launches: args.launches,
        calls: args.calls,
        timeout: args.timeout,
        ..EffortArgs::default()
    };
    let benchmarks = parse_selection(&args.bench)?;
    let folder = Path::new(".");
    // Read first: the command may write files, and that makes the tree dirty.
    let commit = read_head(folder);
    let host = measurement::detect_host(SampleSource::Command, folder);
    let mut run = Run::new(Timestamp::now().to_string(), SampleSource::Command, host);
    run.commit = commit;
    let subject = match args.adapter {
        Some(adapter) => MeasureSubject::Harness(HarnessCommand::new(args.words, adapter)),
        None => MeasureSubject::Command(SampleCommand::from_words(&args.words)),
    };
    let run = measurement::measure_into(
        run,
        &subject,
        &benchmarks,
        &resolve_effort(&effort_args),
        &SampleNeeds::NONE,
        interrupt,
    )?;
    Ok((run, args.output.output))
}

/// Measures the model of `args`. Returns the run and the path of its file.
///
/// Fails if the model, an argument or the runtime cannot be used, or if the measurement cannot be
/// made.
fn measure_model_source(args: &OnnxArgs, interrupt: &Interrupt) -> Result<(Run, PathBuf)> {
    let benchmarks = parse_selection(&args.bench)?;
    let settings = resolve_effort(&args.effort);
    let folder = Path::new(".");
    // Read first: the run file may appear next to the sources, and that makes the tree dirty.
    let commit = read_head(folder);
    let model = ModelSettings::resolve(&args.run, &settings)?;
    let command = model.open_model(&args.model, &settings.effort, interrupt)?;
    let host = measurement::detect_host(SampleSource::Command, folder);
    let mut run = Run::new(Timestamp::now().to_string(), SampleSource::Command, host);
    run.commit = commit;
    let subject = MeasureSubject::Model(Box::new(command));
    let needs = SampleNeeds::NONE;
    let run = measurement::measure_into(run, &subject, &benchmarks, &settings, &needs, interrupt)?;
    Ok((run, args.output.output.clone()))
}

/// Returns how much to measure. A measurement reads no configuration.
fn resolve_effort(args: &EffortArgs) -> EffortSettings {
    EffortSettings::resolve(args, &MeasureConfig::default())
}

/// Returns the checked-out commit of the repository around `folder`.
///
/// Returns `None` if there is no repository or commit, and also if the repository cannot be read,
/// because that must not prevent a measurement.
pub(super) fn read_head(folder: &Path) -> Option<MeasuredCommit> {
    Repository::discover(folder).ok()??.read_head(folder).ok()?
}
