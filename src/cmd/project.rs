//! Where a command runs: the folder of the workspace, and the repository around it if there is one.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::CommandError;
use crate::git::{CommitId, GitError, Repository};
use crate::run::MeasuredCommit;
use crate::store::StoreError;

/// The folder of the workspace and its repository.
pub(super) struct Project {
    /// Folder of the workspace.
    pub(super) folder: PathBuf,
    /// The repository around it.
    pub(super) repository: Option<Repository>,
}

impl Project {
    /// The project of `manifest`, else of the current folder.
    pub(super) fn find(manifest: Option<&Path>) -> Result<Self> {
        let folder = match manifest.and_then(Path::parent) {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let repository = Repository::discover(&folder).map_err(CommandError::from)?;
        Ok(Self { folder, repository })
    }

    /// What is checked out here, where it is a commit.
    pub(super) fn read_head(&self) -> Result<Option<MeasuredCommit>> {
        let Some(repository) = &self.repository else { return Ok(None) };
        Ok(repository.read_head(&self.folder).map_err(CommandError::from)?)
    }

    /// The commit that a branch, tag or id names, and the repository it is in.
    pub(super) fn resolve_commit(&self, revision: &str) -> Result<(&Repository, CommitId)> {
        let Some(repository) = &self.repository else {
            let message = format!("`{revision}` is neither a file nor, outside of git, a revision");
            return Err(CommandError::new_usage(message)
                .with_help("name a run file, or `none`")
                .into());
        };
        Ok((repository, repository.resolve_revision(revision).map_err(CommandError::from)?))
    }
}

impl From<GitError> for CommandError {
    fn from(error: GitError) -> Self {
        StoreError::from(error).into()
    }
}
