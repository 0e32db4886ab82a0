//! The place in which a command runs: the folder of the workspace, and the repository around it, if
//! any.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::error::CommandError;
use crate::git::{CommitId, Repository};
use crate::run::MeasuredCommit;

/// Name of Cargo's manifests.
const MANIFEST_NAME: &str = "Cargo.toml";

/// The folder of the workspace and its repository.
pub(crate) struct Project {
    /// Folder of the workspace, `.` if no manifest is named.
    pub(crate) folder: PathBuf,
    /// The repository that contains the folder; `None` outside of git.
    pub(crate) repository: Option<Repository>,
}

impl Project {
    /// Finds the project of `manifest`, or of the current folder without one.
    ///
    /// # Errors
    ///
    /// Fails if the manifest does not exist, or if the repository cannot be read.
    pub(crate) fn find(manifest: Option<&Path>) -> Result<Self> {
        if let Some(path) = manifest.filter(|path| !path.is_file()) {
            let message = format!("there is no manifest `{}`", path.display());
            let help = "--manifest-path takes the path of a Cargo.toml";
            return Err(CommandError::new_usage(message).with_help(help).into());
        }
        let folder = find_workspace_folder(manifest);
        let repository = Repository::discover(folder).map_err(CommandError::from)?;
        Ok(Self { folder: folder.to_owned(), repository })
    }

    /// Returns the checked-out commit, or `None` without a repository or a commit.
    ///
    /// # Errors
    ///
    /// Fails if git fails.
    pub(crate) fn read_head(&self) -> Result<Option<MeasuredCommit>> {
        let Some(repository) = &self.repository else { return Ok(None) };
        Ok(repository.read_head(&self.folder).map_err(CommandError::from)?)
    }

    /// Returns the commit that a branch, tag or id names, and its repository.
    ///
    /// # Errors
    ///
    /// Fails if there is no repository or no such revision.
    pub(crate) fn resolve_commit(&self, revision: &str) -> Result<(&Repository, CommitId)> {
        let Some(repository) = &self.repository else {
            let message = format!(
                "`{revision}` is not a file, and there is no git repository to look it up in"
            );
            return Err(CommandError::new_usage(message)
                .with_help("name a run file, or `none`")
                .into());
        };
        Ok((repository, repository.resolve_revision(revision).map_err(CommandError::from)?))
    }
}

/// Returns the folder of the manifest, or the current folder without a manifest.
pub(crate) fn find_workspace_folder(manifest: Option<&Path>) -> &Path {
    let folder = manifest.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or_else(|| Path::new("."))
}

/// Returns the folder and the file name of the manifest: the named one, or else the nearest one in
/// the current folder and its parents, as Cargo finds it. Returns `None` if there is none.
///
/// Cargo searches its settings from the folder that it runs in, not from that of the manifest.
/// Therefore it always runs in the folder of the manifest, so that the same code is built however
/// the command line names it.
pub(crate) fn find_manifest(named: Option<&Path>) -> Option<(PathBuf, PathBuf)> {
    if let Some(path) = named {
        let folder = find_workspace_folder(named);
        // Cargo cannot run in a folder that does not exist, but reports that the manifest is not
        // there.
        if !folder.is_dir() {
            return Some((PathBuf::from("."), path.to_owned()));
        }
        return Some((folder.to_owned(), path.file_name()?.into()));
    }
    let current = std::env::current_dir().ok()?;
    let folder = current.ancestors().find(|folder| folder.join(MANIFEST_NAME).is_file())?;
    Some((folder.to_owned(), MANIFEST_NAME.into()))
}
