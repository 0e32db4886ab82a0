//! Finds out which benches a workspace has, without building it.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package, PackageId, TargetKind};
use thiserror::Error;

use crate::secrets::list_secret_variables;

/// Packages whose benches count as Criterion benches: they accept the same flags and write the same
/// files.
const CRITERION_PACKAGES: [&str; 2] = ["criterion", "codspeed-criterion-compat"];

/// Why a workspace cannot be surveyed.
#[derive(Debug, Error)]
pub(crate) enum SurveyError {
    /// Cargo cannot be started, for example because it is not installed.
    #[error("cargo cannot be started: {0}")]
    NoCargo(std::io::Error),
    /// There is no workspace, or Cargo rejects it. The value is Cargo's message.
    #[error("{0}")]
    Workspace(String),
}

/// A workspace and its benches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkspaceSurvey {
    /// Root folder of the workspace.
    pub(crate) root: PathBuf,
    /// Bench targets of the workspace, in the order of their packages.
    pub(crate) benches: Vec<SurveyedBench>,
}

/// A bench target of a surveyed workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SurveyedBench {
    /// The package that the bench belongs to.
    pub(crate) package: String,
    /// Name of the bench target.
    pub(crate) name: String,
    /// Main source file of the bench.
    pub(crate) source: PathBuf,
    /// True if the package of the bench depends on Criterion.
    pub(crate) is_criterion: bool,
    /// True if `cargo bench` builds the bench at the root of the workspace.
    pub(crate) is_default: bool,
    /// Features without which Cargo does not build the bench.
    pub(crate) required_features: Vec<String>,
}

/// Surveys the workspace of `manifest`, or that of the current folder if `manifest` is `None`.
///
/// # Errors
///
/// Fails if Cargo cannot be started, or if there is no workspace that it accepts.
pub(crate) fn survey_workspace(manifest: Option<&Path>) -> Result<WorkspaceSurvey, SurveyError> {
    let mut command = MetadataCommand::new();
    command.no_deps();
    if let Some(manifest) = manifest {
        let folder = Path::new(".").join(manifest.parent().unwrap_or(Path::new("")));
        // As in a build, Cargo searches its settings from the folder of the manifest.
        match manifest.file_name().filter(|_| folder.is_dir()) {
            Some(name) => command.current_dir(folder).manifest_path(name),
            None => command.manifest_path(manifest),
        };
    }
    // The default packages depend on the manifest, and checks run at the root.
    let root = read_metadata(&command)?.workspace_root;
    let metadata = read_metadata(command.manifest_path(root.join("Cargo.toml")))?;
    let defaults: Vec<&PackageId> =
        list_default_packages(&metadata).into_iter().map(|package| &package.id).collect();
    let packages = metadata.workspace_packages().into_iter();
    let benches = packages
        .flat_map(|package| list_benches(package, defaults.contains(&&package.id)))
        .collect();
    let Metadata { workspace_root, .. } = metadata;
    Ok(WorkspaceSurvey { root: workspace_root.into_std_path_buf(), benches })
}

/// Returns the packages whose benches `cargo bench` builds without further flags.
pub(super) fn list_default_packages(metadata: &Metadata) -> Vec<&Package> {
    if metadata.workspace_default_members.is_available() {
        metadata.workspace_default_packages()
    } else {
        // An old Cargo does not report the default members.
        metadata.workspace_packages()
    }
}

/// Runs `cargo metadata` as `command` describes.
///
/// # Errors
///
/// Fails if Cargo cannot be started, or if there is no workspace that it accepts.
pub(super) fn read_metadata(command: &MetadataCommand) -> Result<Metadata, SurveyError> {
    // Cargo may start programs that the workspace names, such as a credential provider.
    let mut command = command.clone();
    for name in list_secret_variables() {
        command.env_remove(name);
    }
    command.exec().map_err(|error| match error {
        cargo_metadata::Error::Io(error) => SurveyError::NoCargo(error),
        cargo_metadata::Error::CargoMetadata { stderr } => {
            let message = stderr.trim();
            SurveyError::Workspace(message.strip_prefix("error: ").unwrap_or(message).to_owned())
        }
        other => SurveyError::Workspace(other.to_string()),
    })
}

fn list_benches(package: &Package, is_default: bool) -> impl Iterator<Item = SurveyedBench> {
    let mut dependencies = package.dependencies.iter();
    let is_criterion =
        dependencies.any(|dependency| CRITERION_PACKAGES.contains(&dependency.name.as_str()));
    let targets = package.targets.iter().filter(|target| target.kind.contains(&TargetKind::Bench));
    targets.map(move |target| SurveyedBench {
        package: package.name.to_string(),
        name: target.name.clone(),
        source: target.src_path.clone().into_std_path_buf(),
        is_criterion,
        is_default,
        required_features: target.required_features.clone(),
    })
}
