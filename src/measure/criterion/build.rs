//! Builds the bench executables of a workspace, so that they can be started as Cargo would.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cargo_metadata::{
    Artifact, CargoOpt, Message, Metadata, MetadataCommand, Package, PackageId, TargetKind,
};
use thiserror::Error;

use super::environment::{BenchEnvironment, read_environment};
use super::first_error::{CARGO_MESSAGES_FOR_PROGRAMS, find_first_error};
use super::runner::{BenchRunner, RecorderProgram, RunnerConfig};
use super::sources::{BenchSources, BuildReport};
use crate::measure::survey::{self, SurveyError};
use crate::note::Note;
use crate::process::{self, Interrupt, ProcessError, StderrTarget};
use crate::secrets::hide_secrets;

/// A sentence of Criterion's help text. Every executable that reads Criterion's flags contains it.
const CRITERION_HELP: &[u8] = b"This executable is a Criterion.rs benchmark.";

/// Format in which Cargo's messages are JSON, and the compiler's errors still reach the user.
const CARGO_MESSAGES_FOR_USERS: &str = "json-render-diagnostics";

/// The profile that `cargo bench` builds with by default.
const DEFAULT_PROFILE: &str = "bench";
/// Settings of a profile that add line tables to programs and keep their symbols. With
/// `line-tables-only`, inlined functions would have names without their paths.
const LINE_TABLE_SETTINGS: [&str; 2] = ["debug=\"limited\"", "strip=false"];

/// Variable that names the toolchain which rustup must use.
pub(crate) const TOOLCHAIN_VARIABLE: &str = "RUSTUP_TOOLCHAIN";

/// Why there are no bench executables.
#[derive(Debug, Error)]
pub(crate) enum BuildError {
    /// Cargo could not be started.
    #[error("failed to run `cargo`: {0}")]
    NoCargo(io::Error),
    /// There is no workspace, or Cargo rejects it.
    #[error("failed to read the workspace: {0}")]
    Workspace(String),
    /// A requested package is not in the workspace.
    #[error("package `{package}` is not in the workspace, which has {known}")]
    NoPackage {
        /// Name of the requested package.
        package: String,
        /// Names of the packages in the workspace.
        known: String,
    },
    /// The benches do not compile. Cargo has already printed why. The first error is repeated if it
    /// could be found: other readers do not see what Cargo printed.
    #[error("failed to build the benches{}", .0.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
    Compile(Option<String>),
    /// Cargo did not start a bench through perfgate, so its environment is not known.
    #[error("bench `{target}` of `{package}` was not started through perfgate")]
    NotRecorded {
        /// Package of the bench.
        package: String,
        /// Name of the bench target.
        target: String,
    },
}

impl From<SurveyError> for BuildError {
    fn from(error: SurveyError) -> Self {
        match error {
            SurveyError::NoCargo(error) => Self::NoCargo(error),
            SurveyError::Workspace(message) => Self::Workspace(message),
        }
    }
}

impl BuildError {
    /// Returns the error that the workspace, whose packages are `known`, does not have `package`.
    pub(super) fn new_unknown_package(
        package: String,
        known: impl Iterator<Item = impl fmt::Display>,
    ) -> Self {
        let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
        Self::NoPackage { package, known: known.join(", ") }
    }
}

/// Which workspace is built, how and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct CargoWorkspace {
    /// The folder that Cargo runs in.
    pub(crate) folder: PathBuf,
    /// Path of a `Cargo.toml`, relative to the folder; `None` for the one that Cargo finds.
    pub(crate) manifest: Option<PathBuf>,
    /// Cargo's target folder; `None` for Cargo's own choice.
    pub(crate) target_folder: Option<PathBuf>,
    /// Packages whose benches are built.
    pub(crate) packages: PackageChoice,
    /// Features to build with.
    pub(crate) features: Vec<String>,
    /// Profile to build with; `None` for `bench`.
    pub(crate) profile: Option<String>,
    /// Toolchain that rustup must use; `None` for the one that rustup chooses in the folder.
    pub(crate) toolchain: Option<String>,
    /// Whether the programs get line tables and keep their symbols.
    pub(crate) has_line_tables: bool,
}

/// The packages of a workspace whose benches are built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum PackageChoice {
    /// Those that `cargo bench` builds in this folder with this manifest: the package of the
    /// manifest, or the default members of the workspace.
    #[default]
    Default,
    /// All packages of the workspace.
    Workspace,
    /// The named packages.
    Named(Vec<String>),
}

/// A bench executable that reads Criterion's flags.
#[derive(Clone, Debug)]
pub(crate) struct BenchTarget {
    /// The package that the bench belongs to.
    pub(crate) package: String,
    /// Name of the bench target.
    pub(crate) name: String,
    /// Path of the executable.
    pub(crate) executable: PathBuf,
    /// What starts the executable; `None` if it is started directly.
    pub(crate) runner: Option<BenchRunner>,
    /// Environment and folder that Cargo starts the bench with.
    pub(crate) environment: BenchEnvironment,
}

/// The built bench targets of a workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct BuiltBenches {
    /// Bench targets that can be launched, sorted by package and name.
    pub(crate) targets: Vec<BenchTarget>,
    /// Notes on the bench targets that were left out.
    pub(crate) notes: Vec<Note>,
    /// Programs and libraries of the workspace that a bench might start or load, sorted.
    pub(crate) companions: Vec<PathBuf>,
    /// Folders whose paths the executables may contain: the source folder and the target folder.
    pub(crate) folders: Vec<PathBuf>,
    /// What the bench targets were built from; `None` if that is not known for sure.
    pub(crate) sources: Option<BenchSources>,
}

/// A bench target that a manifest declares.
struct DeclaredBench {
    package: String,
    name: String,
    required_features: Vec<String>,
    /// True if all required features are on; `None` if only Cargo can decide, because a required
    /// feature belongs to a dependency.
    is_enabled: Option<bool>,
}

/// Builds the benches of `workspace`. `runner` is the path of perfgate itself, which Cargo starts
/// in place of each bench.
///
/// # Errors
///
/// Fails if Cargo cannot be started, the workspace cannot be read or built, a requested package is
/// not in it, a bench was not started through `runner`, or perfgate was asked to end.
pub(crate) fn build_benches(
    workspace: &CargoWorkspace,
    runner: &Path,
    interrupt: &Interrupt,
) -> Result<BuiltBenches, crate::measure::MeasureError> {
    // List the declared benches. Then run `cargo bench` once with perfgate as the runner: Cargo's
    // messages name the executables, and the runner records the environment of each bench.
    let metadata = workspace.read_metadata()?;
    let declared = workspace.list_benches(&metadata)?;
    if declared.values().all(|bench| bench.is_enabled == Some(false)) {
        let elsewhere = declared.is_empty().then(|| note_benches_elsewhere(&metadata));
        let mut notes = list_left_out(declared.into_values());
        notes.extend(elsewhere);
        return Ok(BuiltBenches { notes, ..BuiltBenches::default() });
    }
    let records = interrupt.create_temporary_folder()?;
    let mut cargo = workspace
        .build_bench_command(&declared.values().collect::<Vec<_>>(), CARGO_MESSAGES_FOR_USERS);
    let (runners, runner_note) = RunnerConfig::read(workspace.working_folder())?;
    let recorder = RecorderProgram::place(runner, records.path(), interrupt)?;
    runners.redirect(&mut cargo, &recorder);
    // If Cargo uses another runner in spite of this, benches only list and do not measure.
    cargo.args(["--", "--list"]);
    let mut report = BuildReport::default();
    let (stderr, forever) = (StderrTarget::User, Duration::MAX);
    let ended = process::run_process(&mut cargo, stderr, forever, interrupt, |line| {
        match serde_json::from_slice(line.bytes) {
            Ok(Message::CompilerArtifact(artifact)) => report.artifacts.push(artifact),
            Ok(Message::BuildScriptExecuted(script)) => report.scripts.push(script),
            _ => {}
        }
        false
    })
    .map_err(convert_cargo_error)?;
    if !ended.status.is_some_and(|status| status.success()) {
        let declared: Vec<_> = declared.values().collect();
        let again = workspace.build_bench_command(&declared, CARGO_MESSAGES_FOR_PROGRAMS);
        let first = find_first_error(again, interrupt);
        return Err(BuildError::Compile(first).into());
    }
    let sources = report.find_sources(&metadata);
    let (mut executables, mut companions) = (Vec::new(), Vec::new());
    for artifact in report.artifacts {
        if !artifact.target.is_bench() {
            companions.extend(list_loadable_files(artifact));
        } else if let Some(executable) = artifact.executable {
            executables.push((artifact.package_id, artifact.target.name, executable));
        }
    }
    companions.sort();
    let folders =
        [Some(&workspace.folder), workspace.target_folder.as_ref()].into_iter().flatten().cloned();
    let mut built = collect_targets(declared, executables, &runners, records.path())?;
    built.notes.extend(runner_note);
    Ok(BuiltBenches { companions, folders: folders.collect(), sources, ..built })
}

/// Returns a note with the packages that have benches, or that no package of the workspace has one.
fn note_benches_elsewhere(metadata: &Metadata) -> Note {
    let members = metadata.workspace_packages().into_iter();
    let with_benches =
        members.filter(|package| package.targets.iter().any(cargo_metadata::Target::is_bench));
    let packages: Vec<String> = with_benches.map(|package| package.name.to_string()).collect();
    if packages.is_empty() { Note::NoBenches } else { Note::BenchesElsewhere { packages } }
}

/// Returns the files of `artifact` that a bench might start or load while it runs.
fn list_loadable_files(artifact: Artifact) -> impl Iterator<Item = PathBuf> {
    let kinds = [TargetKind::Bin, TargetKind::CDyLib, TargetKind::DyLib];
    let is_loadable = artifact.target.kind.iter().any(|kind| kinds.contains(kind));
    artifact.filenames.into_iter().map(PathBuf::from).filter(move |file| {
        // On some systems debugging symbols are folders.
        is_loadable && file.is_file() && file.extension().is_none_or(|name| name != "rlib")
    })
}

type BuiltExecutable = (PackageId, String, cargo_metadata::camino::Utf8PathBuf);

/// Keeps the executables that belong to a declared bench and use Criterion. Adds a note for every
/// other declared bench.
fn collect_targets(
    mut declared: BTreeMap<(PackageId, String), DeclaredBench>,
    executables: Vec<BuiltExecutable>,
    runners: &RunnerConfig,
    records: &Path,
) -> Result<BuiltBenches, crate::measure::MeasureError> {
    // What is left in `declared` at the end has no executable.
    let mut built = BuiltBenches::default();
    for (id, name, executable) in executables {
        let Some(DeclaredBench { package, .. }) = declared.remove(&(id, name.clone())) else {
            continue;
        };
        let executable = executable.into_std_path_buf();
        if !contains_bytes(&fs::read(&executable)?, CRITERION_HELP) {
            built.notes.push(Note::BenchSkipped { bench: name, package });
            continue;
        }
        let Ok(mut environment) = read_environment(records, &executable) else {
            return Err(BuildError::NotRecorded { package, target: name }.into());
        };
        runners.restore_variables(&mut environment);
        let runner = runners.runner.clone();
        built.targets.push(BenchTarget { package, name, executable, runner, environment });
    }
    built
        .targets
        .sort_by(|left, right| (&left.package, &left.name).cmp(&(&right.package, &right.name)));
    built.notes.extend(list_left_out(declared.into_values()));
    Ok(built)
}

fn list_left_out(declared: impl Iterator<Item = DeclaredBench>) -> Vec<Note> {
    let notes = declared.map(|bench| Note::BenchLeftOut {
        bench: bench.name,
        package: bench.package,
        features: bench.required_features,
    });
    notes.collect()
}

fn convert_cargo_error(error: ProcessError) -> crate::measure::MeasureError {
    match error {
        ProcessError::Io(error) => BuildError::NoCargo(error).into(),
        ProcessError::Interrupted => error.into(),
    }
}

fn contains_bytes(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

impl CargoWorkspace {
    fn read_metadata(&self) -> Result<Metadata, BuildError> {
        let mut command = self.build_metadata_command();
        command.features(CargoOpt::SomeFeatures(self.features.clone()));
        Ok(survey::read_metadata(&command)?)
    }

    /// Returns `cargo metadata` without features, in the folder and for the manifest of the build.
    pub(super) fn build_metadata_command(&self) -> MetadataCommand {
        let mut command = MetadataCommand::new();
        if let Some(manifest) = &self.manifest {
            command.manifest_path(manifest);
        }
        if let Some(toolchain) = &self.toolchain {
            command.env(TOOLCHAIN_VARIABLE, toolchain);
        }
        command.current_dir(self.working_folder());
        command
    }

    fn working_folder(&self) -> &Path {
        if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder }
    }

    /// Returns the packages whose benches are built.
    ///
    /// Fails if the workspace does not have a named package.
    fn choose_packages<'a>(&self, metadata: &'a Metadata) -> Result<Vec<&'a Package>, BuildError> {
        let mut members = metadata.workspace_packages();
        match &self.packages {
            PackageChoice::Workspace => {}
            PackageChoice::Default => {
                return Ok(survey::list_default_packages(metadata));
            }
            PackageChoice::Named(named) => {
                let is_member =
                    |name: &&String| members.iter().any(|member| *member.name == name.as_str());
                if let Some(unknown) = named.iter().find(|name| !is_member(name)) {
                    let known = members.iter().map(|member| &member.name);
                    return Err(BuildError::new_unknown_package(unknown.clone(), known));
                }
                members.retain(|member| named.iter().any(|name| *member.name == name.as_str()));
            }
        }
        Ok(members)
    }

    /// Returns the declared benches of the selected packages, by package and name.
    fn list_benches(
        &self,
        metadata: &Metadata,
    ) -> Result<BTreeMap<(PackageId, String), DeclaredBench>, BuildError> {
        // Collect the bench targets of the selected packages, and find out which of them have all
        // their features.
        let packages = self.choose_packages(metadata)?;
        let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
        let features: BTreeMap<_, _> = nodes.map(|node| (&node.id, &node.features)).collect();
        let mut declared = BTreeMap::new();
        for package in packages {
            for target in package.targets.iter().filter(|target| target.is_bench()) {
                let enabled = features.get(&package.id).and_then(|features| {
                    let mut required = target.required_features.iter();
                    // A name with a slash is a feature of a dependency.
                    let are_plain = required.clone().all(|name| !name.contains('/'));
                    are_plain
                        .then(|| required.all(|name| features.iter().any(|on| on.as_str() == name)))
                });
                let bench = DeclaredBench {
                    package: package.name.to_string(),
                    name: target.name.clone(),
                    required_features: target.required_features.clone(),
                    is_enabled: enabled,
                };
                declared.insert((package.id.clone(), target.name.clone()), bench);
            }
        }
        Ok(declared)
    }

    /// Returns the name of the profile to build with, if Cargo reports that no manifest and no
    /// setting defines it. A build with another profile would give a program that cannot be
    /// compared.
    pub(crate) fn find_undefined_profile(&self) -> Option<&str> {
        let profile = self.profile.as_deref()?;
        // A dry run of `cargo clean` only resolves the profile. It neither builds nor removes.
        let mut cargo = self.create_cargo_command();
        cargo.args(["clean", "--dry-run", "--profile", profile]);
        if let Some(manifest) = &self.manifest {
            cargo.arg("--manifest-path").arg(manifest);
        }
        hide_secrets(&mut cargo);
        let output = cargo.output().ok()?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        let is_undefined = complaint.contains(&format!("profile `{profile}` is not defined"));
        is_undefined.then_some(profile)
    }

    /// Returns `cargo` in the folder of the build, with its toolchain.
    fn create_cargo_command(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(self.working_folder());
        if let Some(toolchain) = &self.toolchain {
            cargo.env(TOOLCHAIN_VARIABLE, toolchain);
        }
        cargo
    }

    /// Returns the command that builds the benches. `messages` is the format of Cargo's messages.
    fn build_bench_command(&self, declared: &[&DeclaredBench], messages: &str) -> Command {
        let mut cargo = self.create_cargo_command();
        cargo.args(["bench", "--no-fail-fast", "--message-format", messages]);
        if let Some(manifest) = &self.manifest {
            cargo.arg("--manifest-path").arg(manifest);
        }
        if let Some(folder) = &self.target_folder {
            cargo.arg("--target-dir").arg(folder);
            // A build folder that the user has set would get the programs of both sides under the
            // same names.
            let path = serde_json::Value::from(folder.to_string_lossy());
            cargo.arg("--config").arg(format!("build.build-dir={path}"));
        }
        match &self.packages {
            PackageChoice::Default => {}
            PackageChoice::Workspace => {
                cargo.arg("--workspace");
            }
            PackageChoice::Named(packages) => {
                for package in packages {
                    cargo.args(["--package", package]);
                }
            }
        }
        for features in &self.features {
            cargo.args(["--features", features]);
        }
        if let Some(profile) = &self.profile {
            cargo.args(["--profile", profile]);
        }
        if self.has_line_tables {
            let profile = self.profile.as_deref().unwrap_or(DEFAULT_PROFILE);
            for setting in LINE_TABLE_SETTINGS {
                cargo.arg("--config").arg(format!("profile.{profile}.{setting}"));
            }
        }
        cargo.args(build_target_flags(declared));
        cargo
    }
}

/// Returns the flags that select bench targets.
///
/// Naming the benches avoids a build of the library's own test harness. But a name selects that
/// bench in every package, and Cargo fails if the features of a named bench are off. If that could
/// happen, `--benches` requests all targets, and Cargo leaves that bench out.
fn build_target_flags(declared: &[&DeclaredBench]) -> Vec<String> {
    let mut named: Vec<&str> = declared
        .iter()
        .filter(|bench| bench.is_enabled != Some(false))
        .map(|bench| bench.name.as_str())
        .collect();
    named.sort_unstable();
    named.dedup();
    let mut not_certain = declared.iter().filter(|bench| bench.is_enabled != Some(true));
    if not_certain.any(|bench| named.contains(&bench.name.as_str())) {
        return vec!["--benches".to_owned()];
    }
    named.iter().flat_map(|name| ["--bench".to_owned(), (*name).to_owned()]).collect()
}
