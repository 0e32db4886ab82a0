//! Which benches a workspace has, without building it.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package, TargetKind};
use thiserror::Error;

/// Libraries whose benches are Criterion's: they answer to the same flags and write the same files.
const CRITERION_PACKAGES: [&str; 2] = ["criterion", "codspeed-criterion-compat"];

/// Why a workspace cannot be looked at.
#[derive(Debug, Error)]
pub(crate) enum SurveyError {
    /// Cargo is not installed.
    #[error("cargo cannot be started: {0}")]
    NoCargo(std::io::Error),
    /// Cargo does not understand the workspace, or there is none.
    #[error("{0}")]
    Workspace(String),
}

/// A workspace and its benches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkspaceSurvey {
    /// Folder of the workspace.
    pub(crate) root: PathBuf,
    /// Its bench targets, in the order of their packages.
    pub(crate) benches: Vec<SurveyedBench>,
}

/// A bench target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SurveyedBench {
    /// The package it belongs to.
    pub(crate) package: String,
    /// Its name.
    pub(crate) name: String,
    /// Whether its package uses Criterion.
    pub(crate) is_criterion: bool,
    /// Features it is not built without.
    pub(crate) required_features: Vec<String>,
}

/// Looks at the workspace of `manifest`, or of the current folder.
pub(crate) fn survey_workspace(manifest: Option<&Path>) -> Result<WorkspaceSurvey, SurveyError> {
    let mut command = MetadataCommand::new();
    command.no_deps();
    if let Some(manifest) = manifest {
        command.manifest_path(manifest);
    }
    let metadata = command.exec().map_err(|error| match error {
        cargo_metadata::Error::Io(error) => SurveyError::NoCargo(error),
        cargo_metadata::Error::CargoMetadata { stderr } => {
            SurveyError::Workspace(stderr.trim().trim_start_matches("error: ").to_owned())
        }
        other => SurveyError::Workspace(other.to_string()),
    })?;
    let benches = metadata.workspace_packages().into_iter().flat_map(list_benches).collect();
    let Metadata { workspace_root, .. } = metadata;
    Ok(WorkspaceSurvey { root: workspace_root.into_std_path_buf(), benches })
}

fn list_benches(package: &Package) -> impl Iterator<Item = SurveyedBench> {
    let mut dependencies = package.dependencies.iter();
    let is_criterion = dependencies.any(|one| CRITERION_PACKAGES.contains(&one.name.as_str()));
    let targets = package.targets.iter().filter(|target| target.kind.contains(&TargetKind::Bench));
    targets.map(move |target| SurveyedBench {
        package: package.name.to_string(),
        name: target.name.clone(),
        is_criterion,
        required_features: target.required_features.clone(),
    })
}
