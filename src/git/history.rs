//! History, also where a shallow clone ends: what is behind is fetched into a repository of its own,
//! without files, and the user's clone stays as shallow as it was made.

use std::collections::{BinaryHeap, HashMap};
use std::path::PathBuf;

use git2::Oid;

use super::command::Git;
use super::{CommitId, GitError, Parents, Remote, Repository, parents_of};

/// Commits looked at for the messages of a range before the rest is given up.
const FARTHEST: usize = 20_000;

/// The messages of a range of commits, latest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Messages {
    /// Those that could be read.
    pub(crate) texts: Vec<String>,
    /// Whether these are all.
    pub(crate) is_whole: bool,
}

impl Remote<'_> {
    /// The ancestry of `from`, latest first and at most `most` commits, also where this clone ends.
    pub(crate) fn ancestry(
        &self,
        from: &CommitId,
        parents: Parents,
        most: usize,
    ) -> Result<Vec<CommitId>, GitError> {
        let here = self.repository.ancestry(from, parents).take(most);
        let (mut known, missing): (Vec<_>, Vec<_>) = here.partition(|id| self.repository.has(id));
        if missing.is_empty() || known.len() >= most {
            return Ok(known);
        }
        let history = self.repository.history_folder();
        let inner = git2::Repository::init_bare(&history)?;
        let depth = format!("--depth={most}");
        let mut arguments = vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"];
        arguments.extend(["--no-auto-maintenance", "--filter=tree:0", &depth, "--", &self.url]);
        arguments.extend(missing.iter().map(CommitId::as_str));
        let git = Git::at(&history).authorized(self.token.as_ref(), &self.url);
        if let (_, Some(message)) = git.try_run(&arguments)? {
            return Err(self.explain("fetch", &message));
        }
        let beyond = Repository { inner };
        known.extend(beyond.ancestry_of(&missing, parents).take(most - known.len()));
        Ok(known)
    }

    /// Brings one commit with its files and nothing that came before it.
    pub(crate) fn fetch_commit(&self, commit: &CommitId) -> Result<(), GitError> {
        let arguments = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1"];
        let arguments = [&arguments[..], &["--no-recurse-submodules", "--no-auto-maintenance"]];
        let arguments = [&arguments.concat()[..], &["--", &self.url, commit.as_str()]].concat();
        let git = Git::at(self.repository.folder()).authorized(self.token.as_ref(), &self.url);
        match git.try_run(&arguments)? {
            (_, None) => Ok(()),
            (_, Some(message)) => Err(self.explain("fetch", &message)),
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
    pub(crate) fn messages(
        &self,
        base: Option<&CommitId>,
        head: &CommitId,
    ) -> Result<Messages, GitError> {
        let fetched = self.fetched_history()?;
        let history = fetched.as_ref().unwrap_or(self);
        let base = base.filter(|base| history.has(base)).cloned();
        let base = match base {
            Some(base) => Some(base),
            None => history.parents(head)?.into_iter().next(),
        };
        let base = base.map(|base| Oid::from_str(base.as_str())).transpose()?;
        let mut range = Range::new(&history.inner, Oid::from_str(head.as_str())?, base);
        range.walk();
        Ok(range.messages())
    }

    /// This clone together with what [`Remote::ancestry`] fetched; none where it never did.
    fn fetched_history(&self) -> Result<Option<Self>, GitError> {
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
struct Range<'a> {
    repository: &'a git2::Repository,
    /// Of every commit that was come across: whether it leads to the base.
    is_old: HashMap<Oid, bool>,
    waiting: BinaryHeap<(i64, Oid)>,
    found: Vec<Oid>,
    is_whole: bool,
}

impl<'a> Range<'a> {
    fn new(repository: &'a git2::Repository, head: Oid, base: Option<Oid>) -> Self {
        let waiting = BinaryHeap::new();
        let (is_old, found) = (HashMap::new(), Vec::new());
        let mut range = Self { repository, is_old, waiting, found, is_whole: true };
        range.enter(head, false);
        if let Some(base) = base {
            range.enter(base, true);
        }
        range
    }

    /// A commit that turns out to be old is walked once more, so that its parents do too.
    fn enter(&mut self, id: Oid, is_old: bool) {
        let known = self.is_old.get(&id).copied();
        if known == Some(true) || known == Some(is_old) {
            return;
        }
        self.is_old.insert(id, is_old);
        match self.repository.find_commit(id) {
            Ok(commit) => self.waiting.push((commit.time().seconds(), id)),
            Err(_) if is_old => {}
            Err(_) => self.found.push(id),
        }
    }

    fn walk(&mut self) {
        for _ in 0..FARTHEST {
            if !self.waiting.iter().any(|(_, id)| !self.is_old[id]) {
                return;
            }
            let Some((_, id)) = self.waiting.pop() else { return };
            let is_old = self.is_old[&id];
            if !is_old {
                self.found.push(id);
            }
            let Ok(commit) = self.repository.find_commit(id) else { continue };
            for parent in parents_of(&commit) {
                self.enter(parent, is_old);
            }
        }
        self.is_whole = false;
    }

    fn messages(self) -> Messages {
        let mut messages = Messages { texts: Vec::new(), is_whole: self.is_whole };
        for id in self.found.iter().filter(|id| !self.is_old[*id]) {
            match self.repository.find_commit(*id) {
                Ok(commit) => {
                    messages
                        .texts
                        .push(String::from_utf8_lossy(commit.message_bytes()).into_owned());
                }
                // Not fetched.
                Err(_) => messages.is_whole = false,
            }
        }
        messages
    }
}
