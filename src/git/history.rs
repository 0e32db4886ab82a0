//! History, also where a shallow clone ends: what is behind is fetched into a repository of its own,
//! without files, and the user's clone stays as shallow as it was made.

use std::collections::{BinaryHeap, HashMap};
use std::path::PathBuf;

use git2::Oid;

use super::command::GitCommand;
use super::{CommitId, FollowedParents, GitError, Remote, Repository, parse_parents};

/// Commits looked at for the messages of a range before the rest is given up.
const MAX_RANGE_COMMITS: usize = 20_000;

/// The messages of a range of commits, latest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommitMessages {
    /// Those that could be read.
    pub(crate) texts: Vec<String>,
    /// Whether these are all.
    pub(crate) is_complete: bool,
}

impl Remote<'_> {
    /// The ancestry of `from`, latest first and at most `most` commits, also where this clone ends.
    pub(crate) fn fetch_ancestry(
        &self,
        from: &CommitId,
        parents: FollowedParents,
        limit: usize,
    ) -> Result<Vec<CommitId>, GitError> {
        let in_clone = self.repository.walk_ancestry(from, parents).take(limit);
        let (mut known, missing): (Vec<_>, Vec<_>) =
            in_clone.partition(|id| self.repository.has_commit(id));
        if missing.is_empty() || known.len() >= limit {
            return Ok(known);
        }
        let history = self.repository.history_folder();
        let inner = git2::Repository::init_bare(&history)?;
        let depth = format!("--depth={limit}");
        let mut arguments = vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"];
        arguments.extend(["--no-auto-maintenance", "--filter=tree:0", &depth, "--", &self.url]);
        arguments.extend(missing.iter().map(CommitId::as_str));
        let git = GitCommand::new(&history).with_token(self.token.as_ref(), &self.url);
        if let (_, Some(message)) = git.try_run(&arguments)? {
            return Err(self.explain_failure("fetch", &message));
        }
        let fetched = Repository { inner };
        known.extend(fetched.walk_ancestry_of_all(&missing, parents).take(limit - known.len()));
        Ok(known)
    }

    /// Brings one commit with its files and nothing that came before it.
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
    fn history_folder(&self) -> PathBuf {
        self.inner.commondir().join("perfgate").join("history.git")
    }

    /// The messages of the commits that lead to `head` and not to `base`, merged ones included.
    ///
    /// Where `base` is not known it is the first parent of `head`: what a merge commit brings, and
    /// of any other commit that one alone.
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

    /// This clone together with what [`Remote::ancestry`] fetched; none where it never did.
    fn open_fetched_history(&self) -> Result<Option<Self>, GitError> {
        let folder = self.history_folder();
        if !folder.join("HEAD").exists() {
            return Ok(None);
        }
        let inner = git2::Repository::open_bare(&folder)?;
        let here = self.inner.commondir().join("objects");
        let here = here.canonicalize().map_err(|error| GitError::Io(here.clone(), error))?;
        if let Some(here) = here.to_str() {
            inner.odb()?.add_disk_alternate(here)?;
        }
        Ok(Some(Self { inner }))
    }
}

/// A walk from both ends, latest commit first, that stops where one end has reached the other.
struct CommitRange<'a> {
    repository: &'a git2::Repository,
    /// Of every commit that was come across: whether it leads to the base.
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

    /// A commit that turns out to be old is walked once more, so that its parents do too.
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
                // Not fetched.
                Err(_) => messages.is_complete = false,
            }
        }
        messages
    }
}
