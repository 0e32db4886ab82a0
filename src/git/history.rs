//! Reads history beyond the end of a shallow clone. The missing commits are fetched, without files,
//! into a separate repository, so that the user's clone stays as shallow as it was.

use std::collections::{BinaryHeap, HashMap};
use std::path::PathBuf;

use git2::Oid;

use super::command::GitCommand;
use super::{CommitId, FollowedParents, GitError, Remote, Repository, parse_parents};

/// Maximum number of commits that are walked to collect the messages of a range.
const MAX_RANGE_COMMITS: usize = 20_000;

/// The messages of a range of commits, latest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommitMessages {
    /// The messages that could be read.
    pub(crate) texts: Vec<String>,
    /// Whether `texts` has the message of every commit in the range.
    pub(crate) is_complete: bool,
}

impl Remote<'_> {
    /// Returns the ancestry of `from`, latest first and at most `limit` commits. History behind the
    /// end of this clone is fetched from the remote.
    ///
    /// Fails if the fetch fails or the separate repository cannot be created.
    pub(crate) fn fetch_ancestry(
        &self,
        from: &CommitId,
        parents: FollowedParents,
        limit: usize,
    ) -> Result<Vec<CommitId>, GitError> {
        // Walk this clone first. If the walk reached commits that were not fetched, fetch their
        // history into the separate repository and continue the walk there.
        let in_clone = self.repository.walk_ancestry(from, parents).take(limit);
        let (mut known, missing): (Vec<_>, Vec<_>) =
            in_clone.partition(|id| self.repository.has_commit(id));
        if missing.is_empty() || known.len() >= limit {
            return Ok(known);
        }
        let inner = self.open_history()?;
        let missing_names: Vec<&str> = missing.iter().map(CommitId::as_str).collect();
        if let Some(message) = self.fetch_history(&missing_names, limit)? {
            return Err(self.explain_failure("fetch", &message));
        }
        let fetched = Repository { inner };
        known.extend(fetched.walk_ancestry_of_all(&missing, parents).take(limit - known.len()));
        Ok(known)
    }

    /// Opens the separate repository for fetched history. Creates it if needed.
    ///
    /// Fails if it cannot be opened or created.
    pub(super) fn open_history(&self) -> Result<git2::Repository, GitError> {
        Ok(git2::Repository::init_bare(self.repository.history_folder())?)
    }

    /// Fetches the last `depth` commits of these references, without files, into the separate
    /// repository. Returns the message of git if the fetch failed.
    ///
    /// Fails if git cannot be started.
    pub(super) fn fetch_history(
        &self,
        references: &[&str],
        depth: usize,
    ) -> Result<Option<String>, GitError> {
        let history = self.repository.history_folder();
        let depth = format!("--depth={depth}");
        let mut arguments = vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"];
        arguments.extend(["--no-auto-maintenance", "--filter=tree:0", &depth, "--", &self.url]);
        arguments.extend(references);
        let git = GitCommand::new(&history).with_token(self.token.as_ref(), &self.url);
        Ok(git.try_run(&arguments)?.1)
    }

    /// Fetches one commit with its files, but without its ancestors.
    ///
    /// Fails if git cannot be started or the fetch fails.
    pub(crate) fn fetch_commit(&self, commit: &CommitId) -> Result<(), GitError> {
        let arguments = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1"];
        let arguments = [&arguments[..], &["--no-recurse-submodules", "--no-auto-maintenance"]];
        let arguments = [&arguments.concat()[..], &["--", &self.url, commit.as_str()]].concat();
        let git =
            GitCommand::new(self.repository.folder()).with_token(self.token.as_ref(), &self.url);
        match git.try_run(&arguments)? {
            (_, None) => Ok(()),
            (_, Some(message)) => Err(self.explain_failure("fetch", &message)),
        }
    }
}

impl Repository {
    /// Returns the path of the separate repository that holds fetched history.
    fn history_folder(&self) -> PathBuf {
        self.inner.commondir().join("perfgate").join("history.git")
    }

    /// Returns the messages of the commits that are reachable from `head` and not from `base`,
    /// merged commits included.
    ///
    /// If `base` is `None` or not available, the first parent of `head` takes its place. The range
    /// is then what a merge commit brings in, or, for any other commit, only that commit.
    ///
    /// Fails if `head` is needed for its parents and cannot be read, or if the fetched history
    /// cannot be opened.
    pub(crate) fn read_messages(
        &self,
        base: Option<&CommitId>,
        head: &CommitId,
    ) -> Result<CommitMessages, GitError> {
        let fetched = self.open_fetched_history()?;
        let history = fetched.as_ref().unwrap_or(self);
        let base = base.filter(|base| history.has_commit(base)).cloned();
        let base = match base {
            Some(base) => Some(base),
            None => history.read_parents(head)?.into_iter().next(),
        };
        let base = base.map(|base| Oid::from_str(base.as_str())).transpose()?;
        let mut range = CommitRange::new(&history.inner, Oid::from_str(head.as_str())?, base);
        range.walk();
        Ok(range.into_messages())
    }

    /// Opens the history that [`Remote::fetch_ancestry`] fetched, combined with the objects of this
    /// clone. Returns `None` if nothing was ever fetched.
    pub(super) fn open_fetched_history(&self) -> Result<Option<Self>, GitError> {
        let folder = self.history_folder();
        if !folder.join("HEAD").exists() {
            return Ok(None);
        }
        let inner = git2::Repository::open_bare(&folder)?;
        let objects = self.inner.commondir().join("objects");
        let objects =
            objects.canonicalize().map_err(|error| GitError::Io(objects.clone(), error))?;
        if let Some(objects) = objects.to_str() {
            inner.odb()?.add_disk_alternate(objects)?;
        }
        Ok(Some(Self { inner }))
    }
}

/// A walk from both `head` and `base`, latest commit first, that stops when only ancestors of the
/// base are left.
struct CommitRange<'a> {
    repository: &'a git2::Repository,
    /// For every commit seen so far, whether it is the base or one of its ancestors.
    is_old: HashMap<Oid, bool>,
    queue: BinaryHeap<(i64, Oid)>,
    commits: Vec<Oid>,
    is_complete: bool,
}

impl<'a> CommitRange<'a> {
    fn new(repository: &'a git2::Repository, head: Oid, base: Option<Oid>) -> Self {
        let waiting = BinaryHeap::new();
        let (is_old, found) = (HashMap::new(), Vec::new());
        let mut range =
            Self { repository, is_old, queue: waiting, commits: found, is_complete: true };
        range.enqueue(head, false);
        if let Some(base) = base {
            range.enqueue(base, true);
        }
        range
    }

    /// Adds a commit to the queue. A commit that turns out to be old is queued again, so that its
    /// parents are marked as old too.
    fn enqueue(&mut self, id: Oid, is_old: bool) {
        let known = self.is_old.get(&id).copied();
        if known == Some(true) || known == Some(is_old) {
            return;
        }
        self.is_old.insert(id, is_old);
        match self.repository.find_commit(id) {
            Ok(commit) => self.queue.push((commit.time().seconds(), id)),
            Err(_) if is_old => {}
            Err(_) => self.commits.push(id),
        }
    }

    fn walk(&mut self) {
        for _ in 0..MAX_RANGE_COMMITS {
            if !self.queue.iter().any(|(_, id)| !self.is_old[id]) {
                return;
            }
            let Some((_, id)) = self.queue.pop() else { return };
            let is_old = self.is_old[&id];
            if !is_old {
                self.commits.push(id);
            }
            let Ok(commit) = self.repository.find_commit(id) else { continue };
            for parent in parse_parents(&commit) {
                self.enqueue(parent, is_old);
            }
        }
        self.is_complete = false;
    }

    fn into_messages(self) -> CommitMessages {
        let mut messages = CommitMessages { texts: Vec::new(), is_complete: self.is_complete };
        for id in self.commits.iter().filter(|id| !self.is_old[*id]) {
            match self.repository.find_commit(*id) {
                Ok(commit) => {
                    messages
                        .texts
                        .push(String::from_utf8_lossy(commit.message_bytes()).into_owned());
                }
                // The commit was not fetched.
                Err(_) => messages.is_complete = false,
            }
        }
        messages
    }
}
