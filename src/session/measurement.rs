//! What commands that measure share: the build, an empty run, the launches, and the errors of all
//! three.

use std::env;
use std::path::Path;
use std::process;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

pub(crate) use super::command_line::format_command_line;
use super::error::CommandError;
use super::progress::ProgressOutput;
use super::project::find_manifest;
use super::settings::EffortSettings;
use crate::cli::SelectionArgs;
use crate::host::{self, BuildEnvironment, Host};
use crate::measure::criterion::{self, BuildError, BuiltBenches, CargoWorkspace, PackageChoice};
use crate::measure::{self, MeasureError, MeasureSubject, SampleNeeds};
use crate::process::Interrupt;
use crate::run::{Run, RunSettings, SampleSource};
use crate::selection::Selection;

/// Builds the Criterion benches of a workspace.
///
/// # Errors
///
/// Fails if the build fails.
pub(crate) fn build_criterion_benches(
    workspace: &CargoWorkspace,
    interrupt: &Interrupt,
) -> Result<BuiltBenches> {
    let runner = env::current_exe().context("failed to find perfgate's own executable")?;
    criterion::build_benches(workspace, &runner, interrupt).map_err(explain_measure_error)
}

/// Builds the Criterion benches of a workspace, to be measured.
///
/// # Errors
///
/// Fails if the build fails.
pub(crate) fn build_subject(
    workspace: &CargoWorkspace,
    interrupt: &Interrupt,
) -> Result<MeasureSubject> {
    build_criterion_benches(workspace, interrupt).map(MeasureSubject::Criterion)
}

/// Returns a run without benchmarks, with the time, source, host and settings of a measurement that
/// begins now.
pub(crate) fn create_empty_run(source: SampleSource, host: Host, settings: &EffortSettings) -> Run {
    let mut run = Run::new(Timestamp::now().to_string(), source, host);
    run.settings = RunSettings {
        seed: settings.seed,
        calls: settings.effort.calls,
        command: Some(format_command_line()),
        ..RunSettings::default()
    };
    run
}

/// Returns the name that both sides of rounds share. It is unique, because the first of them was
/// created at this time by this process.
pub(crate) fn name_rounds_session(run: &Run) -> String {
    format!("{}-{}", run.created, process::id())
}

/// Builds and measures the Criterion benches of a workspace on `host`.
///
/// `benchmarks` are those that the patterns of `selection` select. Launches are added for the
/// targets in `needs`.
///
/// # Errors
///
/// Fails if the build fails or if the measurement cannot be made.
pub(crate) fn measure_criterion(
    selection: &SelectionArgs,
    benchmarks: &Selection,
    host: Host,
    settings: &EffortSettings,
    needs: &SampleNeeds<'_>,
    interrupt: &Interrupt,
) -> Result<Run> {
    let subject = build_subject(&to_workspace(selection), interrupt)?;
    let run = create_empty_run(SampleSource::Criterion, host, settings);
    measure_into(run, &subject, benchmarks, settings, needs, interrupt)
}

/// Measures `subject` and returns `run` with the benchmarks and the notes of the measurement.
///
/// # Errors
///
/// Fails if the measurement cannot be made. A failed benchmark is part of the run.
pub(crate) fn measure_into(
    mut run: Run,
    subject: &MeasureSubject,
    selection: &Selection,
    settings: &EffortSettings,
    needs: &SampleNeeds<'_>,
    interrupt: &Interrupt,
) -> Result<Run> {
    let effort = &settings.effort;
    let mut output = ProgressOutput::new().with_details(settings.is_verbose);
    run.settings.command = Some(format_command_line());
    let run =
        measure::measure_subject(run, subject, selection, effort, needs, interrupt, &mut |step| {
            output.show_measurement(&step);
        })
        .map_err(explain_measure_error)?;
    output.finish();
    Ok(run)
}

/// Returns the workspace of the command line, to be built in place. Without a manifest it is the
/// current folder, where Cargo reports that there is none.
pub(crate) fn to_workspace(selection: &SelectionArgs) -> CargoWorkspace {
    let (folder, manifest) = find_manifest(selection.manifest_path.as_deref()).unzip();
    CargoWorkspace {
        has_line_tables: false,
        folder: folder.unwrap_or_default(),
        manifest,
        target_folder: None,
        toolchain: None,
        packages: match selection.package.as_slice() {
            _ if selection.workspace => PackageChoice::Workspace,
            [] => PackageChoice::Default,
            named => PackageChoice::Named(named.to_vec()),
        },
        features: selection.features.clone(),
        profile: selection.profile.clone(),
    }
}

/// Detects the host of a measurement, with the machine image that hosted runners name in the
/// environment.
///
/// The host of benches has the compiler that Cargo uses in `folder`. That of a command has none,
/// because a command need not be built by one: its runs are comparable wherever they were measured.
pub(crate) fn detect_host(source: SampleSource, folder: &Path) -> Host {
    detect_host_with(match source {
        SampleSource::Criterion => host::detect_rustc(folder, []),
        SampleSource::Command => None,
    })
}

/// Detects this machine, with benches that the compiler of this release builds.
pub(crate) fn detect_host_with(rustc: Option<String>) -> Host {
    Host::detect(&BuildEnvironment {
        image: env::var("ImageOS").ok(),
        image_version: env::var("ImageVersion").ok(),
        rustc,
    })
}

/// Returns the release of the compiler that builds `workspace`, or `None` if there is none.
pub(crate) fn detect_workspace_rustc(workspace: &CargoWorkspace) -> Option<String> {
    let toolchain = workspace.toolchain.as_deref();
    host::detect_rustc(
        &workspace.folder,
        toolchain.map(|toolchain| (criterion::TOOLCHAIN_VARIABLE, toolchain)),
    )
}

/// Turns a failed measurement into an error with its exit status and remedy.
pub(crate) fn explain_measure_error(error: MeasureError) -> anyhow::Error {
    let MeasureError::Build(build_error) = &error else {
        return error.into();
    };
    match build_error {
        BuildError::NoCargo(_) => CommandError::new_unavailable(build_error)
            .with_help(
                "install Rust from https://rustup.rs; where another harness measures, `perfgate init` \
                 writes its measure.source",
            )
            .into(),
        BuildError::Workspace(_) => CommandError::new_usage(build_error)
            .with_help(
                "run it in a Cargo workspace, or name one with --manifest-path PATH/Cargo.toml; where \
                 another harness measures, `perfgate init` writes its measure.source",
            )
            .into(),
        BuildError::NoPackage { .. } => CommandError::new_usage(build_error).into(),
        BuildError::NotRecorded { .. } => CommandError::new_failure(build_error)
            .with_help(
                "perfgate needs a `cargo bench` that starts benches by `target.<triple>.runner`",
            )
            .into(),
        BuildError::Compile(_) => error.into(),
    }
}
