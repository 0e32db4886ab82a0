//! The place in which a command runs: the folder of the workspace, and the repository around it, if
//! any.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::CommandError;
use crate::git::{CommitId, GitError, Repository};
use crate::run::MeasuredCommit;
use crate::store::StoreError;

/// The folder of the workspace and its repository.
pub(super) struct Project {
    /// Folder of the workspace, `.` if no manifest is named.
    pub(super) folder: PathBuf,
    /// The repository that contains the folder; `None` outside of git.
    pub(super) repository: Option<Repository>,
}

impl Project {
    /// Finds the project of `manifest`, or of the current folder without one.
    ///
    /// Fails if the repository cannot be read.
    pub(super) fn find(manifest: Option<&Path>) -> Result<Self> {
        let folder = match manifest.and_then(Path::parent) {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let repository = Repository::discover(&folder).map_err(CommandError::from)?;
        Ok(Self { folder, repository })
    }

    /// Returns the checked-out commit, or `None` without a repository or a commit.
    ///
    /// Fails if git fails.
    pub(super) fn read_head(&self) -> Result<Option<MeasuredCommit>> {
        let Some(repository) = &self.repository else { return Ok(None) };
        Ok(repository.read_head(&self.folder).map_err(CommandError::from)?)
    }

    /// Returns the commit that a branch, tag or id names, and its repository.
    ///
    /// Fails if there is no repository or no such revision.
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
