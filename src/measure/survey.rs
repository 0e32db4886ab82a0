//! Finds out which benches a workspace has, without building it.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package, TargetKind};
use thiserror::Error;

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
    /// True if the package of the bench depends on Criterion.
    pub(crate) is_criterion: bool,
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
    let metadata = read_metadata(&command)?;
    let benches = metadata.workspace_packages().into_iter().flat_map(list_benches).collect();
    let Metadata { workspace_root, .. } = metadata;
    Ok(WorkspaceSurvey { root: workspace_root.into_std_path_buf(), benches })
}

/// Runs `cargo metadata` as `command` describes.
///
/// # Errors
///
/// Fails if Cargo cannot be started, or if there is no workspace that it accepts.
pub(super) fn read_metadata(command: &MetadataCommand) -> Result<Metadata, SurveyError> {
    command.exec().map_err(|error| match error {
        cargo_metadata::Error::Io(error) => SurveyError::NoCargo(error),
        cargo_metadata::Error::CargoMetadata { stderr } => {
            let message = stderr.trim();
            SurveyError::Workspace(message.strip_prefix("error: ").unwrap_or(message).to_owned())
        }
        other => SurveyError::Workspace(other.to_string()),
    })
}

fn list_benches(package: &Package) -> impl Iterator<Item = SurveyedBench> {
    let mut dependencies = package.dependencies.iter();
    let is_criterion =
        dependencies.any(|dependency| CRITERION_PACKAGES.contains(&dependency.name.as_str()));
    let targets = package.targets.iter().filter(|target| target.kind.contains(&TargetKind::Bench));
    targets.map(move |target| SurveyedBench {
        package: package.name.to_string(),
        name: target.name.clone(),
        is_criterion,
        required_features: target.required_features.clone(),
    })
}
