//! The user's repository: what was measured, what came before it, worktrees to build it in, and the
//! objects and refs that baselines are kept in.
//!
//! libgit2 reads history and writes objects; the user's own `git` does what filters, credentials
//! and proxies have a say in: status, worktrees, fetch and push.

use std::collections::{BinaryHeap, HashSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid, RepositoryOpenFlags};
use thiserror::Error;

use crate::run::MeasuredCommit;

mod branch;
mod command;
mod history;
mod commit_info;
mod remote;
mod file_times;
mod worktree;

pub(crate) use branch::{Branch, BranchFile};
pub(crate) use history::CommitMessages;
pub(crate) use remote::{GitToken, PushOutcome, Remote};
pub(crate) use worktree::Worktree;

/// Full id of a commit: 40 hexadecimal digits in lower case, 64 where the repository uses SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CommitId(String);

impl CommitId {
    /// `None` unless `text` is a full id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (is_hex && matches!(text.len(), 40 | 64)).then(|| Self(text.to_owned()))
    }

    /// All digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough digits to recognize it by.
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

/// Why git could not do what was asked.
#[derive(Debug, Error)]
pub(crate) enum GitError {
    /// The repository belongs to somebody else, and neither git nor libgit2 touches it.
    #[error("git repository `{}` belongs to another user", .0.display())]
    OtherOwner(PathBuf),
    /// No commit of that name.
    #[error("`{0}` names no commit of this repository")]
    UnknownRevision(String),
    /// Not a name for a branch.
    #[error("`{0}` cannot be the name of a branch")]
    InvalidBranchName(String),
    /// The branch moved between reading and writing, or is being written.
    #[error("branch `{0}` was changed by another process")]
    BranchMoved(String),
    /// An object that is larger than what is read.
    #[error("it is {0} bytes long")]
    TooLarge(usize),
    /// There is no `git` to start.
    #[error("`git` could not be started")]
    NoGit(#[source] io::Error),
    /// The user's git says no.
    #[error("`git {command}` failed: {message}")]
    CommandFailed {
        /// The subcommand.
        command: String,
        /// What it printed, without credentials.
        message: String,
    },
    /// The server refuses for good.
    #[error("`{remote}` refuses: {message}")]
    Refused {
        /// Which server.
        remote: String,
        /// What it answered, without credentials.
        message: String,
        /// What can be done about it.
        help: &'static str,
    },
    /// A file of ours inside the repository.
    #[error("failed to use `{}`", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// What libgit2 says.
    #[error("{}", .0.message())]
    Libgit2(#[from] git2::Error),
}

impl GitError {
    /// What can be done about it.
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
    /// Only the first: the line of the branch itself.
    First,
    /// All: also what was merged.
    All,
}

/// A repository on this machine.
pub(crate) struct Repository {
    inner: git2::Repository,
}

impl Repository {
    /// The repository that `path` lies in, bare ones included; `None` where there is none.
    pub(crate) fn discover(path: &Path) -> Result<Option<Self>, GitError> {
        let ceiling_folders: [&Path; 0] = [];
        match git2::Repository::open_ext(path, RepositoryOpenFlags::empty(), ceiling_folders) {
            Ok(inner) => Ok(Some(Self { inner })),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) if error.code() == ErrorCode::Owner => {
                let absolute = path.canonicalize().unwrap_or_else(|_| path.to_owned());
                let root = absolute.ancestors().find(|folder| folder.join(".git").exists());
                Err(GitError::OtherOwner(root.unwrap_or(&absolute).to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The folder that git commands run in: the working tree, or the repository where it is bare.
    pub(crate) fn folder(&self) -> &Path {
        self.inner.workdir().unwrap_or_else(|| self.inner.path())
    }

    /// True when older history was not fetched.
    pub(crate) fn is_shallow(&self) -> bool {
        self.inner.is_shallow()
    }

    /// The commit that is checked out; `None` before the first.
    ///
    /// It is dirty when a tracked file anywhere differs from it, staged or not, or when a file
    /// inside `workspace` is neither tracked nor ignored.
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
        let Some(root) = self.inner.workdir() else { return Ok(false) };
        let canonicalize = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let inside = canonicalize(workspace).strip_prefix(canonicalize(root)).map(Path::to_owned);
        let inside = inside.unwrap_or_default();
        let status = command::GitCommand::new(root).run(&[
            "--no-optional-locks",
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=normal",
        ])?;
        let is_change = |entry: &str| match entry.strip_prefix("?? ").map(Path::new) {
            Some(untracked) => untracked.starts_with(&inside) || inside.starts_with(untracked),
            None => true,
        };
        Ok(status.split('\0').filter(|entry| !entry.is_empty()).any(is_change))
    }

    /// The commit that a branch, tag or (short) id names; also a branch that only `origin` has.
    pub(crate) fn resolve_revision(&self, revision: &str) -> Result<CommitId, GitError> {
        let spellings = [revision.to_owned(), format!("origin/{revision}")];
        let object = spellings.iter().find_map(|name| self.inner.revparse_single(name).ok());
        let commit = object.and_then(|object| object.peel_to_commit().ok());
        let unknown_revision = || GitError::UnknownRevision(revision.to_owned());
        Ok(commit.ok_or_else(unknown_revision)?.id().into())
    }

    /// The commit as a run records it, without a say about the working tree.
    pub(crate) fn read_commit(&self, id: &CommitId) -> Result<MeasuredCommit, GitError> {
        let found = Oid::from_str(id.as_str()).and_then(|oid| self.inner.find_commit(oid));
        let commit = found.map_err(|_| GitError::UnknownRevision(id.to_string()))?;
        let time = format_commit_time(&commit);
        Ok(MeasuredCommit { id: id.to_string(), branch: None, time, dirty: false })
    }

    /// `from` and what came before it, latest first.
    ///
    /// Parents are read from the commits themselves, so that where a shallow clone ends their ids
    /// are still given, though not what is behind them: a depth-1 checkout of a pull request's
    /// merge commit gives the base tip, then the pull request's head. A commit that is not in the
    /// repository at all comes alone.
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

    /// Whether the commit itself is here, whatever is behind it.
    pub(crate) fn has_commit(&self, id: &CommitId) -> bool {
        Oid::from_str(id.as_str()).is_ok_and(|id| self.inner.find_commit(id).is_ok())
    }

    /// The parents of a commit as it names them, whether or not they were fetched.
    pub(crate) fn read_parents(&self, id: &CommitId) -> Result<Vec<CommitId>, GitError> {
        let commit = self.inner.find_commit(Oid::from_str(id.as_str())?)?;
        Ok(parse_parents(&commit).into_iter().map(CommitId::from).collect())
    }

    /// The nearest release before `from`: a tag like `v1.2.3` or `1.2`, with or without a prefix
    /// that ends in `-` or `/`; not a pre-release.
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

/// A commit and what came before it, latest first; made by [`Repository::ancestry`].
pub(crate) struct Ancestry<'a> {
    repository: &'a git2::Repository,
    parents: FollowedParents,
    // By commit time; parents that were not fetched take the time of their child.
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

fn parse_parents(commit: &git2::Commit<'_>) -> Vec<Oid> {
    let header = String::from_utf8_lossy(commit.raw_header_bytes());
    let parents = header.lines().filter_map(|line| line.strip_prefix("parent "));
    parents.filter_map(|id| Oid::from_str(id).ok()).collect()
}

fn format_commit_time(commit: &git2::Commit<'_>) -> Option<String> {
    let time = jiff::Timestamp::from_second(commit.time().seconds()).ok()?;
    Some(time.to_string())
}

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
