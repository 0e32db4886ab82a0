//! Why a store cannot do what was asked, and what can be done about it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::MAX_RECORD_BYTES;
use crate::git::GitError;
use crate::run::FileError;

/// Why the store cannot do what was asked.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    /// Not an address of a store.
    #[error("`{0}` is not a store")]
    InvalidUrl(String),
    /// A git store outside of any repository.
    #[error("`{}` is in no git repository, where the store `{url}` would be", folder.display())]
    NoRepository {
        /// Address of the store.
        url: String,
        /// Where a repository was looked for.
        folder: PathBuf,
    },
    /// The branch is somebody's work.
    #[error("branch `{branch}` holds `{found}`, so it is not a store of baselines")]
    NotAStore {
        /// The branch.
        branch: String,
        /// A name on it that a store does not have.
        found: String,
    },
    /// The run cannot serve as a baseline.
    #[error("the run cannot be a baseline: {0}")]
    Unfit(UnfitRun),
    /// No such run.
    #[error("no stored run is called `{0}`")]
    Missing(String),
    /// More than one run.
    #[error("`{name}` could be any of {}", quote_ids(candidates))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Ids of what it could be.
        candidates: Vec<String>,
    },
    /// A stored file that cannot be used.
    #[error("failed to read stored run `{path}`")]
    Broken {
        /// Its path within the store.
        path: String,
        /// What is wrong with it.
        #[source]
        source: FileError,
    },
    /// The branch never stood still.
    #[error("branch `{branch}` was changed by other processes {attempts} times in a row")]
    Contended {
        /// The branch.
        branch: String,
        /// How often it was tried.
        attempts: u32,
        /// Its lock, when another process holds it.
        lock: Option<PathBuf>,
    },
    /// Only a git store can be pushed.
    #[error("a store in a folder has no remote")]
    NoRemote,
    /// A file of a store in a folder.
    #[error("failed to use `{}`", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// What git says.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Why a run cannot be a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum UnfitRun {
    /// What was measured is in no commit.
    #[error("the working tree had changes that are not in its commit")]
    Dirty,
    /// Nothing says what was measured.
    #[error("it names no commit")]
    NoCommit,
    /// It ended early, or benchmarks failed.
    #[error("it is incomplete")]
    Incomplete,
    /// There are no benchmarks in it.
    #[error("nothing was measured")]
    Empty,
    /// Its time cannot be read.
    #[error("its `created` is no time like `2026-11-22T00:00:00Z`")]
    InvalidTime,
    /// It would fill the repository.
    #[error("it is longer than {} MiB without its samples", MAX_RECORD_BYTES >> 20)]
    TooLong,
}

impl StoreError {
    /// What can be done about it.
    pub(crate) fn help(&self) -> Option<String> {
        let help = match self {
            Self::InvalidUrl(_) => "write git:BRANCH or dir:PATH",
            Self::NoRepository { .. } => "use a store in a folder: --store dir:PATH",
            Self::NotAStore { .. } => "name a branch of its own for it: --store git:perfgate-data",
            Self::Unfit(UnfitRun::Dirty) => "commit or stash the changes and measure again",
            Self::Unfit(UnfitRun::NoCommit) => "measure inside a git repository",
            Self::Unfit(UnfitRun::Incomplete | UnfitRun::Empty) => {
                "measure again; the messages of the first time say what failed"
            }
            Self::Unfit(UnfitRun::TooLong) => "measure fewer benchmarks at once, with --bench",
            Self::Missing(_) => {
                "perfgate baseline list shows what is stored; --fetch brings what the remote has"
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

    /// Whether it is the request that cannot be met, rather than the store that failed.
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
