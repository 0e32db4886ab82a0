//! `perfgate measure`: measures samples and writes them to a run file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use crate::cli::{
    CommandArgs, CriterionArgs, EffortArgs, GateArgs, MeasureArgs, MeasureSource, OnnxArgs,
};
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
use crate::session::recipe::{RequestedSource, SideRecipe};
use crate::session::settings::{EffortSettings, find_config_folder, parse_selection, read_config};
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
    let (measurement, output, is_list) = match args.source {
        None => match CommandMeasurement::from_config(&args.criterion, args.config)? {
            Some(configured) => (configured, args.criterion.output.output, args.criterion.list),
            None => return measure_benches(&args.criterion, &interrupt),
        },
        Some(MeasureSource::Criterion(args)) => return measure_benches(&args, &interrupt),
        Some(MeasureSource::Command(args)) => {
            let (output, is_list) = (args.output.output.clone(), args.list);
            (CommandMeasurement::from_words(args), output, is_list)
        }
        Some(MeasureSource::Onnx(args)) => {
            let run = measure_model(&args, &interrupt)?;
            return write_measured(&run, &args.output.output);
        }
    };
    if is_list {
        return measurement.list_ids(&interrupt);
    }
    write_measured(&measurement.measure(&interrupt)?, &output)
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
fn list_benches(args: &CriterionArgs, interrupt: &Interrupt) -> Result<ExitStatus> {
    let selection = parse_selection(&args.selection.bench)?;
    let workspace = measurement::to_workspace(&args.selection);
    let built = measurement::build_criterion_benches(&workspace, interrupt)?;
    let effort = resolve_effort(&args.effort).effort;
    let (ids, notes) = list_benchmark_ids(&built, &selection, &effort, interrupt)
        .map_err(measurement::explain_measure_error)?;
    print_notes(&notes);
    print_ids(&ids)
}

/// Prints `ids`, one per line. The status is inconclusive if there are none.
///
/// Fails if they cannot be written.
fn print_ids(ids: &[String]) -> Result<ExitStatus> {
    let lines = ids.iter().map(|id| escape_for_terminal(id) + "\n");
    print::print_answer(&lines.collect::<String>())?;
    Ok(if ids.is_empty() { ExitStatus::Inconclusive } else { ExitStatus::Pass })
}

fn print_notes<'a>(notes: impl IntoIterator<Item = &'a Note>) {
    for note in notes {
        print::print_note(&format!("warning: {}", escape_for_terminal(&describe_note(note))));
    }
}

/// Measures the Criterion benches, or lists their ids.
///
/// Fails if they cannot be built or measured, or if the run file cannot be written.
fn measure_benches(args: &CriterionArgs, interrupt: &Interrupt) -> Result<ExitStatus> {
    if args.list {
        return list_benches(args, interrupt);
    }
    write_measured(&measure_criterion_source(args, interrupt)?, &args.output.output)
}

fn measure_criterion_source(args: &CriterionArgs, interrupt: &Interrupt) -> Result<Run> {
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
    Ok(run)
}

/// A command that is measured, and how.
struct CommandMeasurement {
    subject: MeasureSubject,
    /// How the working tree is prepared. `None` for a command of the command line.
    recipe: Option<SideRecipe>,
    /// Patterns of `--bench`.
    bench: Vec<String>,
    settings: EffortSettings,
}

impl CommandMeasurement {
    /// Returns the measurement that `measure.source` names, or `None` if it names none.
    ///
    /// Fails if the configuration cannot be read, or if a flag is for Criterion benches.
    fn from_config(args: &CriterionArgs, config: Option<PathBuf>) -> Result<Option<Self>> {
        let folder = find_workspace_folder(args.selection.manifest_path.as_deref());
        let gate = GateArgs { config, ..GateArgs::default() };
        let config = read_config(&gate, folder)?.measure;
        let folder = find_config_folder(&gate, folder);
        let recipe = SideRecipe::resolve(&RequestedSource::Configured, &config, &folder);
        let Some(command) = &recipe.harness else { return Ok(None) };
        recipe.refuse_build_flags(&args.selection)?;
        Ok(Some(Self {
            subject: MeasureSubject::Harness(command.clone()),
            bench: args.selection.bench.clone(),
            settings: EffortSettings::resolve(&args.effort, &config),
            recipe: Some(recipe),
        }))
    }

    /// Returns the measurement of a command of the command line.
    fn from_words(args: CommandArgs) -> Self {
        let effort = EffortArgs {
            launches: args.launches,
            calls: args.calls,
            timeout: args.timeout,
            ..EffortArgs::default()
        };
        let subject = match args.adapter {
            Some(adapter) => MeasureSubject::Harness(HarnessCommand::new(args.words, adapter)),
            None => MeasureSubject::Command(SampleCommand::from_words(&args.words)),
        };
        let settings =
            resolve_effort(&effort).with_duration(args.duration, args.timeout, args.launches);
        Self { subject, recipe: None, bench: args.bench, settings }
    }

    /// Measures the command.
    ///
    /// Fails if a pattern is not valid or the measurement cannot be made.
    fn measure(&self, interrupt: &Interrupt) -> Result<Run> {
        let benchmarks = parse_selection(&self.bench)?;
        let folder = Path::new(".");
        // Read first: the command may write files, and that makes the tree dirty.
        let commit = read_head(folder);
        if let Some(recipe) = &self.recipe {
            recipe.prepare_working_tree(&RequestedSource::Configured, interrupt)?;
        }
        let host = measurement::detect_host(SampleSource::Command, folder);
        let mut run = Run::new(Timestamp::now().to_string(), SampleSource::Command, host);
        run.commit = commit;
        let (subject, needs) = (&self.subject, SampleNeeds::NONE);
        measurement::measure_into(run, subject, &benchmarks, &self.settings, &needs, interrupt)
    }

    /// Starts the command once, and prints the ids of the selected benchmarks.
    ///
    /// Fails if the command cannot be started.
    fn list_ids(mut self, interrupt: &Interrupt) -> Result<ExitStatus> {
        self.settings.effort.launches = 1;
        let run = self.measure(interrupt)?;
        print::print_failures(&run.benchmarks);
        let ids: Vec<String> = run
            .benchmarks
            .into_iter()
            .filter(|benchmark| benchmark.failure.is_none())
            .map(|benchmark| benchmark.id)
            .collect();
        print_ids(&ids)
    }
}

/// Measures the model of `args`.
///
/// Fails if the model, an argument or the runtime cannot be used, or if the measurement cannot be
/// made.
fn measure_model(args: &OnnxArgs, interrupt: &Interrupt) -> Result<Run> {
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
    measurement::measure_into(run, &subject, &benchmarks, &settings, &needs, interrupt)
}

/// Returns how much to measure where the configuration does not name what is measured: it is not
/// read then.
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
