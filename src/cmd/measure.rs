//! `perfgate measure`: measures samples and writes them to a run file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use crate::cli::{CommandArgs, CriterionArgs, EffortArgs, MeasureArgs, MeasureSource};
use crate::files;
use crate::git::Repository;
use crate::host::Host;
use crate::measure::command::SampleCommand;
use crate::measure::{MeasureSubject, SampleNeeds};
use crate::policy::MeasureConfig;
use crate::process::Interrupt;
use crate::render::render_run_json;
use crate::run::{MeasuredCommit, Run, SampleSource};
use crate::session::progress::ProgressOutput;
use crate::session::project::find_workspace_folder;
use crate::session::settings::{EffortSettings, parse_selection};
use crate::session::{ExitStatus, measurement, print, watch_signals};

/// Runs `perfgate measure`.
///
/// Fails if nothing can be measured or the run file cannot be written. A failed benchmark is
/// printed and is not an error.
pub(super) fn run_measure(args: MeasureArgs) -> Result<ExitStatus> {
    let interrupt = watch_signals()?;
    let (run, output) = match args.source {
        None => measure_criterion_source(args.criterion, &interrupt)?,
        Some(MeasureSource::Criterion(args)) => measure_criterion_source(args, &interrupt)?,
        Some(MeasureSource::Command(args)) => measure_command_source(args, &interrupt)?,
    };
    files::write_atomically(&output, render_run_json(&run)?.as_bytes())
        .with_context(|| format!("failed to write `{}`", output.display()))?;
    print::print_failures(&run.benchmarks);
    ProgressOutput::new().print_line(&format!(
        "{} in {}",
        print::format_plural(run.benchmarks.len(), "benchmark"),
        output.display()
    ));
    Ok(ExitStatus::Pass)
}

fn measure_criterion_source(args: CriterionArgs, interrupt: &Interrupt) -> Result<(Run, PathBuf)> {
    let folder = find_workspace_folder(args.selection.manifest_path.as_deref());
    // Read first: the run file may appear next to the sources, and that makes the tree dirty.
    let commit = read_head(folder);
    let benchmarks = parse_selection(&args.selection.bench)?;
    let mut run = measurement::measure_criterion(
        &args.selection,
        &benchmarks,
        measurement::detect_host(folder),
        &resolve_effort(&args.effort),
        &SampleNeeds::NONE,
        interrupt,
    )?;
    run.commit = commit;
    Ok((run, args.output.output))
}

fn measure_command_source(args: CommandArgs, interrupt: &Interrupt) -> Result<(Run, PathBuf)> {
    let effort_args =
        EffortArgs { launches: args.launches, timeout: args.timeout, ..EffortArgs::default() };
    let benchmarks = parse_selection(&args.bench)?;
    let host = Host::detect(&measurement::read_surroundings());
    let run = Run::new(Timestamp::now().to_string(), SampleSource::Command, host);
    let subject = MeasureSubject::Command(SampleCommand::from_words(&args.words));
    let effort = resolve_effort(&effort_args).effort;
    let run = measurement::measure_into(
        run,
        &subject,
        &benchmarks,
        &effort,
        &SampleNeeds::NONE,
        interrupt,
    )?;
    Ok((run, args.output.output))
}

/// Returns how much to measure. A measurement reads no configuration.
fn resolve_effort(args: &EffortArgs) -> EffortSettings {
    EffortSettings::resolve(args, &MeasureConfig::default())
}

/// Returns the checked-out commit of the repository around `folder`.
///
/// Returns `None` if there is no repository or commit, and also if the repository cannot be read,
/// because that must not prevent a measurement.
fn read_head(folder: &Path) -> Option<MeasuredCommit> {
    Repository::discover(folder).ok()??.read_head(folder).ok()?
}
