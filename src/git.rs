//! The user's repository: the measured commit, its ancestors, worktrees to build other commits in,
//! and the objects and refs that hold baselines.
//!
//! libgit2 reads history and writes objects. The user's own `git` runs status, worktree, fetch and
//! push, because filters, credentials and proxies affect these.

use std::collections::{BinaryHeap, HashSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid, RepositoryOpenFlags};
use thiserror::Error;

use crate::run::MeasuredCommit;

mod branch;
mod command;
mod commit_info;
mod remote;
mod history;
mod default_branch;
mod range;
mod partial;
mod worktree;
mod file_times;
mod tree_files;
mod snapshot;

pub(crate) use branch::{Branch, BranchFile};
pub(crate) use command::hide_user_info;
pub(crate) use default_branch::{DefaultBranch, ORIGIN};
pub(crate) use history::CommitMessages;
pub(crate) use partial::BranchView;
pub(crate) use range::RangeObstacle;
pub(crate) use remote::{GitToken, PushOutcome, Remote};
pub(crate) use worktree::Worktree;

/// Full id of a commit: 40 hexadecimal digits in lower case, or 64 if the repository uses SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CommitId(String);

impl CommitId {
    /// Returns `None` unless `text` is a full id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (is_hex && matches!(text.len(), 40 | 64)).then(|| Self(text.to_owned()))
    }

    /// Returns all digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first 12 digits, which are enough for a reader to recognize the commit.
    pub(crate) fn short_id(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Oid> for CommitId {
    fn from(id: Oid) -> Self {
        Self(id.to_string())
    }
}

/// Why a git operation failed.
#[derive(Debug, Error)]
pub(crate) enum GitError {
    /// The repository belongs to another user, so neither git nor libgit2 opens it.
    #[error("git repository `{}` belongs to another user", .0.display())]
    OtherOwner(PathBuf),
    /// No commit has this name.
    #[error("`{0}` is not a commit of this repository")]
    UnknownRevision(String),
    /// The text is not a valid branch name.
    #[error("`{0}` cannot be the name of a branch")]
    InvalidBranchName(String),
    /// Another process moved the branch between our read and our write, or holds its lock.
    #[error("branch `{0}` was changed by another process")]
    BranchMoved(String),
    /// The object is larger than the reader accepts; its size in bytes.
    #[error("it is {0} bytes long")]
    TooLarge(usize),
    /// The path leaves the repository.
    #[error("`{}` leads out of the repository", .0.display())]
    LeadsOutside(PathBuf),
    /// The `git` program could not be started.
    #[error("`git` could not be started")]
    NoGit(#[source] io::Error),
    /// The user's git exited with an error.
    #[error("`git {command}` failed: {message}")]
    CommandFailed {
        /// The subcommand, possibly with its first argument.
        command: String,
        /// The output of the command, without credentials.
        message: String,
    },
    /// The server refuses, and a retry would not help.
    #[error("`{remote}` refused: {message}")]
    Refused {
        /// Name or address of the remote, without credentials.
        remote: String,
        /// The answer of the server, without credentials.
        message: String,
        /// What the user can do about it.
        help: &'static str,
    },
    /// A file of perfgate inside the repository cannot be read or written.
    #[error("failed to access `{}`", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// An error from libgit2.
    #[error("{}", .0.message())]
    Libgit2(#[from] git2::Error),
}

impl GitError {
    /// Returns what the user can do about the error, or `None` if there is no general advice.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Self::OtherOwner(path) => {
                Some(format!("git config --global --add safe.directory {}", path.display()))
            }
            Self::UnknownRevision(_) => Some(
                "name a branch, tag or commit; in a shallow clone fetch it first: git fetch --unshallow"
                    .to_owned(),
            ),
            Self::NoGit(_) => Some("install git and have it on PATH".to_owned()),
            Self::Refused { help, .. } => Some((*help).to_owned()),
            Self::Libgit2(error) if error.class() == git2::ErrorClass::Repository => {
                Some("keep baselines in a folder instead: --store dir:PATH".to_owned())
            }
            _ => None,
        }
    }
}

/// Which parents a walk through history follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FollowedParents {
    /// Only the first parent: the line of the branch itself.
    First,
    /// All parents: merged commits too.
    All,
}

/// A repository on this machine.
pub(crate) struct Repository {
    inner: git2::Repository,
}

impl Repository {
    /// Finds the repository that contains `path`, which may be bare. Returns `None` if there is
    /// none.
    ///
    /// Fails with [`GitError::OtherOwner`] if the repository belongs to another user, and with
    /// [`GitError::Libgit2`] if it cannot be opened.
    pub(crate) fn discover(path: &Path) -> Result<Option<Self>, GitError> {
        let ceiling_folders: [&Path; 0] = [];
        match git2::Repository::open_ext(path, RepositoryOpenFlags::empty(), ceiling_folders) {
            Ok(inner) => Ok(Some(Self { inner })),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) if error.code() == ErrorCode::Owner => {
                let absolute = resolve_path(path);
                let root = absolute.ancestors().find(|folder| folder.join(".git").exists());
                Err(GitError::OtherOwner(root.unwrap_or(&absolute).to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the folder in which git commands run: the working tree, or the repository itself if
    /// it is bare.
    pub(crate) fn folder(&self) -> &Path {
        self.inner.workdir().unwrap_or_else(|| self.inner.path())
    }

    /// Returns whether the clone is shallow, so that older history is missing.
    pub(crate) fn is_shallow(&self) -> bool {
        self.inner.is_shallow()
    }

    /// Returns the commit that is checked out, or `None` if the branch has no commit yet.
    ///
    /// The commit counts as dirty if any tracked file differs from it, staged or not, or if a file
    /// inside `workspace` is neither tracked nor ignored.
    ///
    /// Fails if libgit2 cannot read the head or if `git status` fails.
    pub(crate) fn read_head(&self, workspace: &Path) -> Result<Option<MeasuredCommit>, GitError> {
        let head = match self.inner.head() {
            Ok(head) => head,
            Err(error) if error.code() == ErrorCode::UnbornBranch => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let commit = head.peel_to_commit()?;
        let branch = head.is_branch().then(|| head.shorthand().map(str::to_owned));
        Ok(Some(MeasuredCommit {
            id: commit.id().to_string(),
            branch: branch.transpose()?,
            time: format_commit_time(&commit),
            dirty: self.is_dirty(workspace)?,
        }))
    }

    fn is_dirty(&self, workspace: &Path) -> Result<bool, GitError> {
        // A change of a tracked file counts anywhere in the repository. An untracked file counts
        // only if it lies inside the workspace, or in an untracked folder that contains the
        // workspace.
        let Some(root) = self.inner.workdir() else { return Ok(false) };
        let inside = resolve_path(workspace).strip_prefix(resolve_path(root)).map(Path::to_owned);
        let inside = inside.unwrap_or_default();
        let status = command::GitCommand::new(root).run(&[
            "--no-optional-locks",
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=normal",
        ])?;
        let mut entries = status.split('\0').filter(|entry| !entry.is_empty());
        Ok(entries.any(|entry| match entry.strip_prefix("?? ").map(Path::new) {
            Some(untracked) => untracked.starts_with(&inside) || inside.starts_with(untracked),
            None => true,
        }))
    }

    /// Returns the id of the commit that a branch, a tag or an id (full or abbreviated) names. A
    /// branch that exists only on `origin` is found too.
    ///
    /// Fails with [`GitError::UnknownRevision`] if there is no such commit.
    pub(crate) fn resolve_revision(&self, revision: &str) -> Result<CommitId, GitError> {
        let spellings = [revision.to_owned(), format!("origin/{revision}")];
        let object = spellings.iter().find_map(|name| self.inner.revparse_single(name).ok());
        let commit = object.and_then(|object| object.peel_to_commit().ok());
        match commit {
            Some(commit) => Ok(commit.id().into()),
            None => Err(GitError::UnknownRevision(revision.to_owned())),
        }
    }

    /// Returns the commit in the form that a run records. `branch` is `None` and `dirty` is false,
    /// because the working tree is not examined.
    ///
    /// Fails with [`GitError::UnknownRevision`] if the commit is not in the repository.
    pub(crate) fn read_commit(&self, id: &CommitId) -> Result<MeasuredCommit, GitError> {
        let found = Oid::from_str(id.as_str()).and_then(|oid| self.inner.find_commit(oid));
        let commit = found.map_err(|_| GitError::UnknownRevision(id.to_string()))?;
        let time = format_commit_time(&commit);
        Ok(MeasuredCommit { id: id.to_string(), branch: None, time, dirty: false })
    }

    /// Iterates over `from` and its ancestors, latest first.
    ///
    /// Parent ids are read from the commit objects themselves. At the end of a shallow clone the
    /// walk still yields the ids of missing parents, but nothing behind them: a depth-1 checkout of
    /// a pull request's merge commit yields the merge commit, then the base tip, then the pull
    /// request's head. If `from` itself is not in the repository, the walk yields only `from`.
    pub(crate) fn walk_ancestry(&self, from: &CommitId, parents: FollowedParents) -> Ancestry<'_> {
        self.walk_ancestry_of_all([from], parents)
    }

    fn walk_ancestry_of_all<'a>(
        &self,
        from: impl IntoIterator<Item = &'a CommitId>,
        parents: FollowedParents,
    ) -> Ancestry<'_> {
        let mut ancestry = Ancestry {
            repository: &self.inner,
            parents,
            queue: BinaryHeap::new(),
            seen: HashSet::new(),
        };
        for id in from.into_iter().filter_map(|id| Oid::from_str(id.as_str()).ok()) {
            ancestry.enqueue(id, i64::MAX);
        }
        ancestry
    }

    /// Returns whether the commit object itself is in the repository. Its ancestors may be missing.
    pub(crate) fn has_commit(&self, id: &CommitId) -> bool {
        Oid::from_str(id.as_str()).is_ok_and(|id| self.inner.find_commit(id).is_ok())
    }

    /// Returns the parent ids that the commit names, whether or not the parents were fetched.
    ///
    /// Fails if the commit is not in the repository.
    pub(crate) fn read_parents(&self, id: &CommitId) -> Result<Vec<CommitId>, GitError> {
        let commit = self.inner.find_commit(Oid::from_str(id.as_str())?)?;
        Ok(parse_parents(&commit).into_iter().map(CommitId::from).collect())
    }

    /// Returns the tag name and commit of the nearest release before `from`, or `None` if there is
    /// none.
    ///
    /// A release is a tag like `v1.2.3` or `1.2`, with or without a prefix that ends in `-` or `/`.
    /// Pre-releases do not count. Fails if the tags cannot be listed.
    pub(crate) fn find_last_release(
        &self,
        from: &CommitId,
    ) -> Result<Option<(String, CommitId)>, GitError> {
        let mut releases = self.list_releases()?;
        if releases.is_empty() {
            return Ok(None);
        }
        let mut before = self.walk_ancestry(from, FollowedParents::All).skip(1);
        Ok(before.find_map(|id| releases.remove(&id).map(|name| (name, id))))
    }
}

/// A commit and its ancestors, latest first; created by [`Repository::walk_ancestry`].
pub(crate) struct Ancestry<'a> {
    repository: &'a git2::Repository,
    parents: FollowedParents,
    // Ordered by commit time. A parent that was not fetched gets the time of its child.
    queue: BinaryHeap<(i64, std::cmp::Reverse<usize>, Oid)>,
    seen: HashSet<Oid>,
}

impl Ancestry<'_> {
    fn enqueue(&mut self, id: Oid, time_of_child: i64) {
        if self.seen.insert(id) {
            let time = self.repository.find_commit(id).map(|commit| commit.time().seconds());
            let time = time.unwrap_or(time_of_child).min(time_of_child);
            self.queue.push((time, std::cmp::Reverse(self.seen.len()), id));
        }
    }
}

impl Iterator for Ancestry<'_> {
    type Item = CommitId;

    fn next(&mut self) -> Option<CommitId> {
        let (time, _, id) = self.queue.pop()?;
        if let Ok(commit) = self.repository.find_commit(id) {
            let max_parents = if self.parents == FollowedParents::First { 1 } else { usize::MAX };
            for parent in parse_parents(&commit).into_iter().take(max_parents) {
                self.enqueue(parent, time);
            }
        }
        Some(id.into())
    }
}

/// Returns `path` without symbolic links, or unchanged if it cannot be resolved.
fn resolve_path(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn parse_parents(commit: &git2::Commit<'_>) -> Vec<Oid> {
    let header = String::from_utf8_lossy(commit.raw_header_bytes());
    let parents = header.lines().filter_map(|line| line.strip_prefix("parent "));
    parents.filter_map(|id| Oid::from_str(id).ok()).collect()
}

fn format_commit_time(commit: &git2::Commit<'_>) -> Option<String> {
    format_seconds(commit.time().seconds())
}

/// Returns a time in seconds since 1970 as text. Returns `None` if there is no such time.
fn format_seconds(seconds: i64) -> Option<String> {
    Some(jiff::Timestamp::from_second(seconds).ok()?.to_string())
}

/// Parses the two to four numbers of a release tag, in order. Returns `None` for any other tag.
fn parse_release_version(tag: &str) -> Option<Vec<u64>> {
    let after = tag.rsplit_once('/').map_or(tag, |(_, last)| last);
    let number = after.rsplit_once('-').map_or(after, |(_, last)| last);
    let number = number.strip_prefix('v').unwrap_or(number);
    let number = number.split_once('+').map_or(number, |(version, _)| version);
    let parts: Option<Vec<u64>> = number.split('.').map(|part| part.parse().ok()).collect();
    parts.filter(|parts| (2..=4).contains(&parts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_recognized_and_other_tags_are_not() {
        assert_eq!(parse_release_version("v1.2.3"), Some(vec![1, 2, 3]));
        assert_eq!(parse_release_version("1.10"), Some(vec![1, 10]));
        assert_eq!(parse_release_version("perfgate-v0.1.0+linux"), Some(vec![0, 1, 0]));
        assert_eq!(parse_release_version("crates/core/2.0.0"), Some(vec![2, 0, 0]));
        for other in ["nightly", "v1", "v1.2.3-rc1", "v1.2.3-rc.1", "2026-11-22", "v1..2", ""] {
            assert_eq!(parse_release_version(other), None, "{other}");
        }
    }

    #[test]
    fn only_full_ids_are_ids_of_commits() {
        assert!(CommitId::parse(&"a".repeat(40)).is_some());
        for other in ["", "HEAD", "../../etc", &"a".repeat(39), &"A".repeat(40), &"g".repeat(40)] {
            assert_eq!(CommitId::parse(other), None, "{other}");
        }
    }
}
