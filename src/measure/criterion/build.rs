//! From a workspace to bench executables that can be started as Cargo would start them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cargo_metadata::{
    Artifact, CargoOpt, Message, Metadata, MetadataCommand, PackageId, TargetKind,
};
use thiserror::Error;

use super::environment::{Environment, recorded};
use crate::measure::process::{self, Interrupt, ProcessError, StandardError};

/// Criterion's help, which is in every executable that reads Criterion's flags.
const HELP: &[u8] = b"This executable is a Criterion.rs benchmark.";

/// Why there are no bench executables.
#[derive(Debug, Error)]
pub(crate) enum BuildError {
    /// There is no Cargo.
    #[error("failed to run `cargo`: {0}")]
    NoCargo(io::Error),
    /// There is no workspace, or Cargo refuses it.
    #[error("failed to read the workspace: {0}")]
    Workspace(String),
    /// A package was asked for that is not there.
    #[error("package `{package}` is not in the workspace, which has {known}")]
    NoPackage {
        /// The name asked for.
        package: String,
        /// The names there are.
        known: String,
    },
    /// The compiler refused; it has said why.
    #[error("failed to build the benches")]
    Compile,
    /// Cargo started a bench some other way, so that its environment is not known.
    #[error("bench `{target}` of `{package}` was not started through perfgate")]
    NotRecorded {
        /// Its package.
        package: String,
        /// Its name.
        target: String,
    },
}

/// What is built, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workspace {
    /// The folder that Cargo runs in.
    pub(crate) folder: PathBuf,
    /// Path of a `Cargo.toml`, relative to the folder; without it, the one Cargo finds.
    pub(crate) manifest: Option<PathBuf>,
    /// Where Cargo builds, unless where it would by itself.
    pub(crate) target_folder: Option<PathBuf>,
    /// Only these packages, unless it is empty.
    pub(crate) packages: Vec<String>,
    /// Features to build with.
    pub(crate) features: Vec<String>,
    /// Profile to build with, unless `bench`.
    pub(crate) profile: Option<String>,
}

/// A bench executable that reads Criterion's flags.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The package it belongs to.
    pub(crate) package: String,
    /// Its name.
    pub(crate) name: String,
    /// What is started.
    pub(crate) executable: PathBuf,
    /// What Cargo gives it.
    pub(crate) environment: Environment,
}

/// All bench targets of a workspace, built.
#[derive(Clone, Debug, Default)]
pub(crate) struct Built {
    /// Those that can be launched.
    pub(crate) targets: Vec<Target>,
    /// Those that were left out, and why.
    pub(crate) notes: Vec<String>,
    /// Programs and libraries of the workspace that a bench might start or load.
    pub(crate) companions: Vec<PathBuf>,
    /// Folders whose names the programs may hold: of the sources, and of what is built.
    pub(crate) folders: Vec<PathBuf>,
}

/// A bench target as the manifest has it.
struct Declared {
    package: String,
    name: String,
    required_features: Vec<String>,
    /// Whether its features are on; `None` where that is for Cargo to say.
    enabled: Option<bool>,
}

/// Builds the benches of `workspace`. `runner` is this program, which Cargo starts in place of them.
pub(crate) fn build(
    workspace: &Workspace,
    runner: &Path,
    interrupt: &Interrupt,
) -> Result<Built, crate::measure::MeasureError> {
    let metadata = workspace.metadata()?;
    let declared = workspace.benches(&metadata)?;
    if declared.values().all(|bench| bench.enabled == Some(false)) {
        return Ok(Built { notes: left_out(declared.into_values()), ..Built::default() });
    }
    let records = interrupt.temporary_folder()?;
    let mut cargo = workspace.cargo_bench(&declared.values().collect::<Vec<_>>());
    cargo.args(runner_flags(runner, records.path())?);
    // Should another runner be set for this machine all the same, it would list and not measure.
    cargo.args(["--", "--list"]);
    let (mut executables, mut companions) = (Vec::new(), Vec::new());
    let (stderr, forever) = (StandardError::User, Duration::MAX);
    let ended = process::run(&mut cargo, stderr, forever, interrupt, |line| {
        if let Ok(Message::CompilerArtifact(artifact)) = serde_json::from_slice(line.bytes) {
            if !artifact.target.is_bench() {
                companions.extend(loadable(artifact));
            } else if let Some(executable) = artifact.executable {
                executables.push((artifact.package_id, artifact.target.name, executable));
            }
        }
        false
    })
    .map_err(no_cargo)?;
    if !ended.status.is_some_and(|status| status.success()) {
        return Err(BuildError::Compile.into());
    }
    companions.sort();
    let folders =
        [Some(&workspace.folder), workspace.target_folder.as_ref()].into_iter().flatten().cloned();
    let built = collect(declared, executables, records.path())?;
    Ok(Built { companions, folders: folders.collect(), ..built })
}

/// What a bench might start or load of this artifact while it runs.
fn loadable(artifact: Artifact) -> impl Iterator<Item = PathBuf> {
    let kinds = [TargetKind::Bin, TargetKind::CDyLib, TargetKind::DyLib];
    let runs = artifact.target.kind.iter().any(|kind| kinds.contains(kind));
    let is_read_at_run_time = move |file: &PathBuf| {
        // Debugging symbols come as folders on some systems.
        runs && file.is_file() && file.extension().is_none_or(|name| name != "rlib")
    };
    artifact.filenames.into_iter().map(PathBuf::from).filter(is_read_at_run_time)
}

type Executable = (PackageId, String, cargo_metadata::camino::Utf8PathBuf);

fn collect(
    mut declared: BTreeMap<(PackageId, String), Declared>,
    executables: Vec<Executable>,
    records: &Path,
) -> Result<Built, crate::measure::MeasureError> {
    let mut built = Built::default();
    for (id, name, executable) in executables {
        let Some(Declared { package, .. }) = declared.remove(&(id, name.clone())) else {
            continue;
        };
        let executable = executable.into_std_path_buf();
        if !contains(&fs::read(&executable)?, HELP) {
            built.notes.push(format!(
                "bench `{name}` of `{package}` was skipped: it does not read Criterion's flags"
            ));
            continue;
        }
        let Ok(environment) = recorded(records, &executable) else {
            return Err(BuildError::NotRecorded { package, target: name }.into());
        };
        built.targets.push(Target { package, name, executable, environment });
    }
    built
        .targets
        .sort_by(|one, other| (&one.package, &one.name).cmp(&(&other.package, &other.name)));
    built.notes.extend(left_out(declared.into_values()));
    Ok(built)
}

fn left_out(declared: impl Iterator<Item = Declared>) -> Vec<String> {
    let note = |bench: Declared| {
        let Declared { package, name, required_features, .. } = bench;
        let remedy = if required_features.is_empty() {
            "Cargo does not build it by default".to_owned()
        } else {
            format!("it needs `--features {}`", required_features.join(","))
        };
        format!("bench `{name}` of `{package}` was left out: {remedy}")
    };
    declared.map(note).collect()
}

fn no_cargo(error: ProcessError) -> crate::measure::MeasureError {
    match error {
        ProcessError::Io(error) => BuildError::NoCargo(error).into(),
        ProcessError::Interrupted => error.into(),
    }
}

/// Flags that make Cargo start `runner` wherever it would start a bench.
fn runner_flags(runner: &Path, records: &Path) -> io::Result<Vec<String>> {
    let version = Command::new("rustc").arg("-vV").output()?;
    let version = String::from_utf8_lossy(&version.stdout);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("host");
    // A list of strings reads the same in TOML and in JSON.
    let words = serde_json::to_string(&[
        &runner.to_string_lossy(),
        "record-environment",
        &records.to_string_lossy(),
    ])?;
    // The triple wins over what the user has set for it; the other serves cross builds.
    let flags = [host, "'cfg(all())'"].map(|target| format!("target.{target}.runner={words}"));
    Ok(flags.into_iter().flat_map(|flag| ["--config".to_owned(), flag]).collect())
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

impl Workspace {
    fn metadata(&self) -> Result<Metadata, BuildError> {
        let mut command = MetadataCommand::new();
        if let Some(manifest) = &self.manifest {
            command.manifest_path(manifest);
        }
        command.current_dir(self.folder_or_here());
        command.features(CargoOpt::SomeFeatures(self.features.clone()));
        command.exec().map_err(|error| match error {
            cargo_metadata::Error::Io(error) => BuildError::NoCargo(error),
            cargo_metadata::Error::CargoMetadata { stderr } => {
                let stderr = stderr.trim();
                BuildError::Workspace(stderr.strip_prefix("error: ").unwrap_or(stderr).to_owned())
            }
            error => BuildError::Workspace(error.to_string()),
        })
    }

    fn folder_or_here(&self) -> &Path {
        if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder }
    }

    fn benches(
        &self,
        metadata: &Metadata,
    ) -> Result<BTreeMap<(PackageId, String), Declared>, BuildError> {
        let members = metadata.workspace_packages();
        let known = |name: &String| members.iter().any(|member| member.name.as_str() == name);
        if let Some(package) = self.packages.iter().find(|package| !known(package)) {
            let names: Vec<_> = members.iter().map(|member| format!("`{}`", member.name)).collect();
            return Err(BuildError::NoPackage {
                package: package.clone(),
                known: names.join(", "),
            });
        }
        let wanted =
            |name: &str| self.packages.is_empty() || self.packages.iter().any(|it| it == name);
        let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
        let features: BTreeMap<_, _> = nodes.map(|node| (&node.id, &node.features)).collect();
        let mut declared = BTreeMap::new();
        for package in members.iter().filter(|package| wanted(&package.name)) {
            let is_bench =
                |target: &&cargo_metadata::Target| target.kind.contains(&TargetKind::Bench);
            for target in package.targets.iter().filter(is_bench) {
                let enabled = features.get(&package.id).and_then(|features| {
                    let on =
                        |name: &String| features.iter().any(|feature| feature.as_str() == name);
                    let plain = target.required_features.iter().all(|name| !name.contains('/'));
                    plain.then(|| target.required_features.iter().all(on))
                });
                let bench = Declared {
                    package: package.name.to_string(),
                    name: target.name.clone(),
                    required_features: target.required_features.clone(),
                    enabled,
                };
                declared.insert((package.id.clone(), target.name.clone()), bench);
            }
        }
        Ok(declared)
    }

    fn cargo_bench(&self, declared: &[&Declared]) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(self.folder_or_here());
        cargo.args(["bench", "--no-fail-fast", "--message-format=json-render-diagnostics"]);
        if let Some(manifest) = &self.manifest {
            cargo.arg("--manifest-path").arg(manifest);
        }
        if let Some(folder) = &self.target_folder {
            cargo.arg("--target-dir").arg(folder);
        }
        for package in &self.packages {
            cargo.args(["--package", package]);
        }
        if self.packages.is_empty() {
            cargo.arg("--workspace");
        }
        for features in &self.features {
            cargo.args(["--features", features]);
        }
        if let Some(profile) = &self.profile {
            cargo.args(["--profile", profile]);
        }
        cargo.args(target_flags(declared));
        cargo
    }
}

/// Naming the benches spares a build of the library's own test harness. A name stands for that
/// bench in every package, and Cargo refuses a named bench whose features are off: where that
/// would happen, all targets are asked for, and Cargo leaves that bench out.
fn target_flags(declared: &[&Declared]) -> Vec<String> {
    let is_off =
        |name: &str| declared.iter().any(|bench| bench.name == name && bench.enabled != Some(true));
    let mut named: Vec<&str> = declared
        .iter()
        .filter(|bench| bench.enabled != Some(false))
        .map(|bench| bench.name.as_str())
        .collect();
    named.sort_unstable();
    named.dedup();
    if named.iter().any(|name| is_off(name)) {
        return vec!["--benches".to_owned()];
    }
    named.iter().flat_map(|name| ["--bench".to_owned(), (*name).to_owned()]).collect()
}
