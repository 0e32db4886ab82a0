//! A store on a branch of the repository that has no history in common with the code.
//!
//! Three references: the branch is what this clone has; `refs/perfgate/synced/REMOTE/BRANCH` is what
//! of it came from or reached that remote, so that the difference waits to be pushed; and
//! `refs/perfgate/incoming/REMOTE/BRANCH` receives what is fetched. A process killed at any point
//! leaves at worst a record that is still waiting.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use super::key::{ROOT, hash};
use super::{Key, LONGEST_RECORD, Pruned, StoreError, sort};
use crate::git::{Branch, CommitId, Entry, GitError, Push, Remote, Repository};
use crate::run::FileError;

/// How often a change is tried when others get in between.
const ATTEMPTS: u32 = 30;

/// The remote that an ordinary clone has.
const ORIGIN: &str = "origin";

const README: &str = "README.md";

/// What stands on the branch for whoever comes across it.
const README_TEXT: &str = "\
Baselines of perfgate: one file a run, with digests of its samples.
Written by `perfgate baseline save`, listed by `perfgate baseline list`, thinned out by `perfgate baseline prune`.
";

/// A store on a branch of a repository.
pub(crate) struct GitStore {
    repository: Repository,
    branch: String,
}

/// What a push did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Runs that the remote did not have.
    pub(crate) runs: usize,
    /// How often it was tried.
    pub(crate) attempts: u32,
}

/// What this clone and the remote have together.
struct Joined {
    local: Option<CommitId>,
    commit: Option<CommitId>,
    waiting: usize,
}

impl GitStore {
    pub(super) fn open(repository: Repository, branch: &str) -> Result<Self, StoreError> {
        repository.branch(branch)?;
        Ok(Self { repository, branch: branch.to_owned() })
    }

    /// The repository it is in.
    pub(crate) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Whether this clone has the branch, from its own runs or from a fetch.
    pub(crate) fn is_here(&self) -> Result<bool, StoreError> {
        Ok(self.tip()?.is_some())
    }

    pub(super) fn save(&self, key: &Key, record: &[u8]) -> Result<(), StoreError> {
        let file = self.repository.write_file(key.path(), record)?;
        let message = format!("{} of {}", key.source_word(), key.commit().short());
        self.change(|tip| {
            if let Some(tip) = tip
                && self.repository.file(tip, &file.path)?.is_some()
            {
                return Ok(None);
            }
            self.add(tip, vec![file.clone()], &message).map(Some)
        })
    }

    pub(super) fn list(&self) -> Result<Vec<Key>, StoreError> {
        let tip = self.tip()?;
        let files = tip.map_or(Ok(Vec::new()), |tip| self.files(&tip))?;
        Ok(files.iter().filter_map(|file| Key::parse(&file.path)).collect())
    }

    pub(super) fn read(&self, key: &Key) -> Result<Vec<u8>, StoreError> {
        let tip = self.tip()?;
        let file = tip.map_or(Ok(None), |tip| self.repository.file(&tip, &key.path()))?;
        let file = file.ok_or_else(|| StoreError::Missing(key.id().to_owned()))?;
        self.repository.read(&file, LONGEST_RECORD).map_err(|error| StoreError::Broken {
            path: key.path(),
            source: FileError::Invalid(error.to_string()),
        })
    }

    pub(super) fn prune(&self, keep: usize) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned { removed: Vec::new(), kept: 0 };
        self.change(|tip| {
            let Some(tip) = tip else { return Ok(None) };
            let (left, what) = self.squash(tip, keep)?;
            pruned = what;
            Ok(Some(left))
        })?;
        Ok(pruned)
    }

    /// Brings what the remote has, beside what waits here to be pushed.
    pub(crate) fn fetch(&self, remote: &Remote<'_>) -> Result<(), StoreError> {
        let Some(incoming) = self.incoming(remote)? else { return Ok(()) };
        let mut pauses = Pauses::new(Some(&incoming));
        for _ in 0..ATTEMPTS {
            let joined = self.join(remote, Some(&incoming))?;
            let commit = joined.commit.as_ref().unwrap_or(&incoming);
            match self.own()?.swap(joined.local.as_ref(), commit) {
                Err(GitError::Moved(_)) => pauses.pause(),
                swapped => {
                    swapped?;
                    return self.mark_synced(&word_for(remote), &incoming);
                }
            }
        }
        Err(self.contended())
    }

    /// Pushes the runs that the remote does not have, on top of what it has.
    pub(crate) fn push(&self, remote: &Remote<'_>) -> Result<Pushed, StoreError> {
        self.publish(remote, Ok)
    }

    /// Prunes the branch of the remote, and this clone's with it.
    pub(crate) fn prune_remote(
        &self,
        remote: &Remote<'_>,
        keep: usize,
    ) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned { removed: Vec::new(), kept: 0 };
        self.publish(remote, |commit| {
            let (left, what) = self.squash(&commit, keep)?;
            pruned = what;
            Ok(left)
        })?;
        Ok(pruned)
    }

    /// Fetches, joins, edits and pushes until nobody is faster.
    fn publish(
        &self,
        remote: &Remote<'_>,
        mut edit: impl FnMut(CommitId) -> Result<CommitId, StoreError>,
    ) -> Result<Pushed, StoreError> {
        let mut pauses: Option<Pauses> = None;
        for attempts in 1..=ATTEMPTS {
            let began = Instant::now();
            let incoming = self.incoming(remote)?;
            let joined = self.join(remote, incoming.as_ref())?;
            let Some(commit) = joined.commit.map(&mut edit).transpose()? else {
                return Ok(Pushed { runs: 0, attempts });
            };
            let push = if Some(&commit) == incoming.as_ref() {
                Push::Done
            } else {
                remote.push(&commit, &self.branch, incoming.as_ref())?
            };
            match push {
                Push::Done => {
                    match self.own()?.swap(joined.local.as_ref(), &commit) {
                        // Another process of this clone saved in between: its record waits.
                        Ok(()) | Err(GitError::Moved(_)) => {
                            self.mark_synced(&word_for(remote), &commit)?;
                        }
                        Err(error) => return Err(error.into()),
                    }
                    return Ok(Pushed { runs: joined.waiting, attempts });
                }
                Push::TryAgain => {
                    let pauses = pauses.get_or_insert_with(|| Pauses::new(Some(&commit)));
                    pauses.pause_after(began.elapsed());
                }
            }
        }
        Err(self.contended())
    }

    /// What the remote has now.
    fn incoming(&self, remote: &Remote<'_>) -> Result<Option<CommitId>, StoreError> {
        let into = format!("refs/perfgate/incoming/{}/{}", word_for(remote), self.branch);
        let mut pauses = Pauses::new(None);
        for _ in 1..ATTEMPTS {
            match remote.fetch(&self.branch, &into) {
                Err(error) if Remote::is_passing(&error) => pauses.pause(),
                answer => return Ok(answer?),
            }
        }
        Ok(remote.fetch(&self.branch, &into)?)
    }

    /// `incoming` with what waits here on top of it: all there is where the remote has nothing.
    fn join(&self, remote: &Remote<'_>, incoming: Option<&CommitId>) -> Result<Joined, StoreError> {
        let local = self.own()?.tip()?;
        let synced = self.synced(&word_for(remote))?.tip()?;
        let mut elsewhere = HashSet::new();
        if let Some(incoming) = incoming {
            for commit in synced.iter().chain([incoming]) {
                elsewhere.extend(self.files(commit)?.into_iter().map(|file| file.path));
            }
        }
        let mut waiting = local.as_ref().map_or(Ok(Vec::new()), |local| self.files(local))?;
        waiting.retain(|file| !elsewhere.contains(&file.path));
        let count = waiting.len();
        let commit = match count {
            0 => incoming.cloned(),
            _ => Some(self.add(incoming, waiting, &format!("{count} runs"))?),
        };
        Ok(Joined { local, commit, waiting: count })
    }

    /// Changes the branch of this clone; `edit` gives `None` where there is nothing to change.
    fn change(
        &self,
        mut edit: impl FnMut(Option<&CommitId>) -> Result<Option<CommitId>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut pauses: Option<Pauses> = None;
        for _ in 0..ATTEMPTS {
            let own = self.own()?.tip()?;
            if own.is_none()
                && let Some(theirs) = self.tip()?
            {
                self.mark_synced(ORIGIN, &theirs)?;
            }
            let tip = own.clone().or(self.tip()?);
            let Some(changed) = edit(tip.as_ref())? else { return Ok(()) };
            match self.own()?.swap(own.as_ref(), &changed) {
                Err(GitError::Moved(_)) => {
                    pauses.get_or_insert_with(|| Pauses::new(Some(&changed))).pause();
                }
                swapped => return Ok(swapped?),
            }
        }
        Err(self.contended())
    }

    fn add(
        &self,
        tip: Option<&CommitId>,
        mut files: Vec<Entry>,
        message: &str,
    ) -> Result<CommitId, StoreError> {
        if let Some(tip) = tip {
            self.refuse_code(tip)?;
        } else {
            let readme = README_TEXT.as_bytes();
            files.push(self.repository.write_file(README.to_owned(), readme)?);
        }
        Ok(self.repository.write_commit(tip, &files, message)?)
    }

    fn squash(&self, tip: &CommitId, keep: usize) -> Result<(CommitId, Pruned), StoreError> {
        self.refuse_code(tip)?;
        let files = self.files(tip)?;
        let mut keys: Vec<Key> = files.iter().filter_map(|file| Key::parse(&file.path)).collect();
        sort(&mut keys);
        let pruned = Pruned::of(keys, keep);
        let message = format!("{} runs, {} pruned", pruned.kept, pruned.removed.len());
        let paths = pruned.removed.iter().map(Key::path);
        Ok((self.repository.write_root(tip, paths, &message)?, pruned))
    }

    /// A branch with anything else on it is somebody's work, and is not added to.
    fn refuse_code(&self, tip: &CommitId) -> Result<(), StoreError> {
        let names = self.repository.root_names(tip)?;
        match names.into_iter().find(|name| name != ROOT && name != README) {
            Some(found) => Err(StoreError::NotAStore { branch: self.branch.clone(), found }),
            None => Ok(()),
        }
    }

    fn files(&self, commit: &CommitId) -> Result<Vec<Entry>, GitError> {
        self.repository.files(commit, ROOT, 2)
    }

    /// Where reading begins: this clone's branch, else what an ordinary clone or fetch brought.
    fn tip(&self) -> Result<Option<CommitId>, GitError> {
        match self.own()?.tip()? {
            Some(tip) => Ok(Some(tip)),
            None => self.reference(&format!("refs/remotes/{ORIGIN}/{}", self.branch))?.tip(),
        }
    }

    fn own(&self) -> Result<Branch<'_>, GitError> {
        self.repository.branch(&self.branch)
    }

    fn synced(&self, remote: &str) -> Result<Branch<'_>, GitError> {
        self.reference(&format!("refs/perfgate/synced/{remote}/{}", self.branch))
    }

    fn reference(&self, name: &str) -> Result<Branch<'_>, GitError> {
        let invalid = || GitError::BranchName(self.branch.clone());
        self.repository.reference(name).ok_or_else(invalid)
    }

    fn mark_synced(&self, remote: &str, commit: &CommitId) -> Result<(), StoreError> {
        let synced = self.synced(remote)?;
        let mut pauses = Pauses::new(Some(commit));
        for _ in 0..ATTEMPTS {
            match synced.swap(synced.tip()?.as_ref(), commit) {
                Err(GitError::Moved(_)) => pauses.pause(),
                marked => return Ok(marked?),
            }
        }
        Err(self.contended())
    }

    fn contended(&self) -> StoreError {
        let lock = self.own().ok().and_then(|branch| branch.lock_file());
        StoreError::Contended { branch: self.branch.clone(), attempts: ATTEMPTS, lock }
    }
}

/// The name of a remote, or a word that stands for its address.
fn word_for(remote: &Remote<'_>) -> String {
    let shown = remote.shown();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if shown.chars().all(is_plain) { shown } else { hash(shown.as_bytes()) }
}

/// Full jitter: each pause is drawn from zero to a limit that doubles.
struct Pauses {
    random: Pcg64Mcg,
    limit: Duration,
}

impl Pauses {
    const FIRST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(2);
    const ATTEMPTS_APART: u32 = 16;

    /// Seeded so that two processes differ: by what they want to write, and by their ids.
    fn new(wanted: Option<&CommitId>) -> Self {
        let digits = wanted.map_or("", |commit| &commit.as_str()[..16]);
        let seed = u64::from_str_radix(digits, 16).unwrap_or(0) ^ u64::from(std::process::id());
        Self { random: Pcg64Mcg::seed_from_u64(seed), limit: Self::FIRST }
    }

    fn pause(&mut self) {
        thread::sleep(self.limit.mul_f64(self.random.random_range(0.0..1.0)));
        self.limit = (self.limit * 2).min(Self::LONGEST);
    }

    /// Pauses that are short beside an attempt would have all writers attempt at once for ever: on
    /// a busy machine or a slow line they grow with what an attempt takes.
    fn pause_after(&mut self, attempt: Duration) {
        let limit = self.limit.max(attempt);
        thread::sleep(limit.mul_f64(self.random.random_range(0.0..1.0)));
        self.limit = (limit * 2).min(Self::LONGEST.max(attempt * Self::ATTEMPTS_APART));
    }
}
