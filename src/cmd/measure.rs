//! `perfgate measure`: samples into a run file.

use std::env;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::{ExitStatus, Refusal};
use crate::cli::{
    CommandArgs, CriterionArgs, EffortArgs, MeasureArgs, MeasureSource, SelectionArgs,
};
use crate::files;
use crate::git::Repository;
use crate::host::{self, Host, Surroundings};
use crate::measure::command::SampleCommand;
use crate::measure::criterion::{self, BuildError, Workspace};
use crate::measure::{
    self, Effort, Interrupt, MeasureError, Measured, Progress, Selection, Subject,
};
use crate::run::{Commit, Run, Settings, Source};
use crate::units::Nanos;

/// Runs the command.
pub(super) fn run(args: MeasureArgs) -> Result<ExitStatus> {
    let (run, output) = match args.source {
        None => criterion_run(args.criterion)?,
        Some(MeasureSource::Criterion(args)) => criterion_run(args)?,
        Some(MeasureSource::Command(args)) => command_run(args)?,
    };
    let mut json = serde_json::to_vec(&run)?;
    json.push(b'\n');
    files::write(&output, &json)
        .with_context(|| format!("failed to write `{}`", output.display()))?;
    Stages::new().say(&format!("{} benchmarks in {}", run.benchmarks.len(), output.display()));
    Ok(ExitStatus::Pass)
}

fn criterion_run(args: CriterionArgs) -> Result<(Run, PathBuf)> {
    // Before the run file appears beside the sources, and makes them dirty.
    let commit = commit(args.selection.manifest_path.as_deref());
    let mut run = measure_criterion(&args.selection, &args.effort)?;
    run.commit = commit;
    Ok((run, args.output.output))
}

fn command_run(args: CommandArgs) -> Result<(Run, PathBuf)> {
    let command = SampleCommand::from_words(&args.words);
    let effort =
        EffortArgs { launches: args.launches, timeout: args.timeout, ..EffortArgs::default() };
    let run = measure_command(command, &args.bench, &effort)?;
    Ok((run, args.output.output))
}

/// Builds and measures the Criterion benches of a workspace.
pub(super) fn measure_criterion(selection: &SelectionArgs, effort: &EffortArgs) -> Result<Run> {
    let interrupt = Interrupt::watch()?;
    let patterns = patterns(&selection.bench)?;
    let runner = env::current_exe().context("failed to find perfgate's own executable")?;
    let built = criterion::build(&workspace(selection), &runner, &interrupt).map_err(explain)?;
    let host = host(folder_of(selection.manifest_path.as_deref()));
    let mut run = Run::new(Timestamp::now().to_string(), Source::Criterion, host);
    run.settings = Settings { seed: effort.seed, threads: threads(), ..Settings::default() };
    let effort = settled(effort);
    run.settings.calls = Some(effort.calls);
    fill(run, &Subject::Criterion(built), &patterns, &effort, &interrupt)
}

/// Measures a command that prints samples.
pub(super) fn measure_command(
    command: SampleCommand,
    bench: &[String],
    effort: &EffortArgs,
) -> Result<Run> {
    let interrupt = Interrupt::watch()?;
    let patterns = patterns(bench)?;
    let host = Host::current(&surroundings());
    let run = Run::new(Timestamp::now().to_string(), Source::Command, host);
    fill(run, &Subject::Command(command), &patterns, &settled(effort), &interrupt)
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
    let Measured { benchmarks, warnings, .. } = measured;
    run.benchmarks = benchmarks;
    run.warnings = warnings;
    run.settings.command = Some(command_line());
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
fn threads() -> Option<u32> {
    env::var("PERFGATE_THREADS").ok()?.parse().ok()
}

fn patterns(bench: &[String]) -> Result<Selection> {
    Selection::new(bench).map_err(|error| Refusal::usage(error).into())
}

fn workspace(selection: &SelectionArgs) -> Workspace {
    Workspace {
        folder: PathBuf::new(),
        manifest: selection.manifest_path.clone(),
        target_folder: None,
        packages: selection.package.clone(),
        features: selection.features.clone(),
        profile: selection.profile.clone(),
    }
}

fn settled(effort: &EffortArgs) -> Effort {
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

fn explain(error: MeasureError) -> anyhow::Error {
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

/// What happens, on standard error: a line that changes on a terminal, one line a stage elsewhere.
struct Stages {
    bar: Option<ProgressBar>,
}

impl Stages {
    fn new() -> Self {
        Self { bar: None }
    }

    fn show(&mut self, progress: &Progress) {
        match progress {
            Progress::Pilot(target) => self.say(&format!("pilot launch of {target}")),
            Progress::Planned { benchmarks, starts, launches } => {
                let what = match benchmarks {
                    Some(benchmarks) => format!("{benchmarks} benchmarks"),
                    None => "the command".to_owned(),
                };
                self.say(&format!("measuring {what}: {launches} launches of {starts} processes"));
                self.begin(u64::from(*launches) * *starts as u64);
            }
            Progress::Launch { launch, target } => {
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("launch {} of {target}", launch + 1));
                    bar.inc(1);
                }
            }
            Progress::Repeated(why) => self.say(why),
        }
    }

    /// Drawn when a process starts and not by a timer: nothing else may run while it measures.
    fn begin(&mut self, starts: u64) {
        if !io::stderr().is_terminal() {
            return;
        }
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
        let bar = ProgressBar::new(starts);
        self.bar = Some(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)));
    }

    #[expect(clippy::print_stderr, reason = "progress goes to standard error")]
    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
