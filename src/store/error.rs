//! Errors of the store, and what the user can do about them.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::MAX_RECORD_BYTES;
use crate::git::GitError;
use crate::run::FileError;

/// Why a store operation failed.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    /// The text is not the address of a store.
    #[error("`{0}` is not a store")]
    InvalidUrl(String),
    /// A git store was named outside of any repository.
    #[error("the store `{url}` needs a git repository, and `{}` is not in one", folder.display())]
    NoRepository {
        /// Address of the store.
        url: String,
        /// Folder in which a repository was searched.
        folder: PathBuf,
    },
    /// The branch holds other files than a store does, so it is somebody's work.
    #[error("branch `{branch}` holds `{found}`, so it is not a store of baselines")]
    NotAStore {
        /// Name of the branch.
        branch: String,
        /// A name on the branch that a store does not have.
        found: String,
    },
    /// The run cannot be a baseline.
    #[error("the run cannot be a baseline: {0}")]
    Unfit(UnfitRun),
    /// The run was stored earlier and then pruned.
    #[error("run {0} was pruned from this store")]
    Pruned(String),
    /// No stored run has this name.
    #[error("no stored run is named `{0}`")]
    Missing(String),
    /// Several stored runs or commits have this name.
    #[error("`{name}` could be any of {}", quote_ids(candidates))]
    Ambiguous {
        /// The name that was asked for.
        name: String,
        /// Ids of the runs or commits that the name could mean.
        candidates: Vec<String>,
    },
    /// A stored file is invalid.
    #[error("failed to read stored run `{path}`")]
    Broken {
        /// Path of the file within the store.
        path: String,
        /// Why the file is invalid.
        #[source]
        source: FileError,
    },
    /// Other processes changed the branch during every attempt.
    #[error("branch `{branch}` was changed by other processes {attempts} times in a row")]
    Contended {
        /// Name of the branch.
        branch: String,
        /// Number of attempts.
        attempts: u32,
        /// Path of the branch's lock file; `None` if no lock is held.
        lock: Option<PathBuf>,
    },
    /// The operation needs a remote, and only a git store has one.
    #[error("a store in a folder has no remote")]
    NoRemote,
    /// A file of a store in a folder cannot be read or written.
    #[error("failed to access `{}`", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// An error from git.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Why a run cannot be a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum UnfitRun {
    /// The measured code is not in any commit.
    #[error("the working tree had changes that are not in its commit")]
    Dirty,
    /// The run does not name the measured commit.
    #[error("it does not name a commit")]
    NoCommit,
    /// The run has no benchmark that was measured.
    #[error("nothing was measured")]
    Empty,
    /// The time of the run cannot be parsed.
    #[error("its `created` is not a time like `2026-11-22T00:00:00Z`")]
    InvalidTime,
    /// The record is too large for the repository.
    #[error("it is longer than {} MiB without its samples", MAX_RECORD_BYTES >> 20)]
    TooLong,
}

impl StoreError {
    /// Returns what the user can do about the error, or `None` if there is no general advice.
    pub(crate) fn help(&self) -> Option<String> {
        let help = match self {
            Self::InvalidUrl(_) => "write git:BRANCH or dir:PATH",
            Self::NoRepository { .. } => {
                "run it in a git repository, or keep the store in a folder: --store dir:PATH"
            }
            Self::NotAStore { .. } => "use a separate branch: --store git:perfgate-data",
            Self::Unfit(UnfitRun::Dirty) => {
                "commit or stash the changes and measure again; in a workflow, `git status` shows what an earlier step changed"
            }
            Self::Unfit(UnfitRun::NoCommit) => "measure inside a git repository",
            Self::Unfit(UnfitRun::Empty) => {
                "measure again; the output of the first attempt shows what failed"
            }
            Self::Unfit(UnfitRun::TooLong) => "measure fewer benchmarks at once, with --bench",
            Self::Pruned(_) => "measure again: a new run can be saved",
            Self::Missing(_) => {
                "`perfgate baseline list` shows what is stored; --fetch gets what the remote has"
            }
            Self::Ambiguous { .. } => "write more digits",
            Self::Contended { lock: Some(lock), .. } => {
                return Some(format!("if no other process is running, remove {}", lock.display()));
            }
            Self::Contended { .. } => "try again",
            Self::NoRemote => "use a store in git for that: --store git:BRANCH",
            Self::Git(error) => return error.help(),
            Self::Unfit(UnfitRun::InvalidTime) | Self::Broken { .. } | Self::Io(..) => return None,
        };
        Some(help.to_owned())
    }

    /// Returns whether the request cannot be met, as opposed to a failure of the store itself.
    pub(crate) fn is_usage(&self) -> bool {
        match self {
            Self::Contended { .. } | Self::Io(..) => false,
            Self::Git(error) => {
                matches!(error, GitError::UnknownRevision(_) | GitError::InvalidBranchName(_))
            }
            _ => true,
        }
    }
}

fn quote_ids(ids: &[String]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}
