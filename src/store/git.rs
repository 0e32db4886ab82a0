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

use super::key::{RUNS_FOLDER, compute_short_hash};
use super::{MAX_RECORD_BYTES, PruneSummary, RunKey, StoreError, sort_newest_first};
use crate::git::{Branch, BranchFile, CommitId, GitError, PushOutcome, Remote, Repository};
use crate::run::FileError;

/// How often a change is tried when others get in between.
const MAX_ATTEMPTS: u32 = 30;

/// The remote that an ordinary clone has.
const DEFAULT_REMOTE: &str = "origin";

const README_NAME: &str = "README.md";

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
pub(crate) struct PushSummary {
    /// Runs that the remote did not have.
    pub(crate) runs: usize,
    /// How often it was tried.
    pub(crate) attempts: u32,
}

/// What this clone and the remote have together.
struct JoinedBranch {
    local: Option<CommitId>,
    commit: Option<CommitId>,
    waiting_count: usize,
}

impl GitStore {
    pub(super) fn open(repository: Repository, branch: &str) -> Result<Self, StoreError> {
        repository.open_branch(branch)?;
        Ok(Self { repository, branch: branch.to_owned() })
    }

    /// The repository it is in.
    pub(crate) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Whether this clone has the branch, from its own runs or from a fetch.
    pub(crate) fn has_branch(&self) -> Result<bool, StoreError> {
        Ok(self.find_tip()?.is_some())
    }

    pub(super) fn save_record(&self, key: &RunKey, record: &[u8]) -> Result<(), StoreError> {
        let file = self.repository.write_file(key.path(), record)?;
        let message = format!("{} of {}", key.source_name(), key.commit().short_id());
        self.change_branch(|tip| {
            if let Some(tip) = tip
                && self.repository.find_file(tip, &file.path)?.is_some()
            {
                return Ok(None);
            }
            self.add_files(tip, vec![file.clone()], &message).map(Some)
        })
    }

    pub(super) fn list_keys(&self) -> Result<Vec<RunKey>, StoreError> {
        let tip = self.find_tip()?;
        let files = tip.map_or(Ok(Vec::new()), |tip| self.list_files(&tip))?;
        Ok(files.iter().filter_map(|file| RunKey::parse(&file.path)).collect())
    }

    pub(super) fn read_record(&self, key: &RunKey) -> Result<Vec<u8>, StoreError> {
        let tip = self.find_tip()?;
        let file = tip.map_or(Ok(None), |tip| self.repository.find_file(&tip, &key.path()))?;
        let file = file.ok_or_else(|| StoreError::Missing(key.id().to_owned()))?;
        self.repository.read_file(&file, MAX_RECORD_BYTES).map_err(|error| StoreError::Broken {
            path: key.path(),
            source: FileError::Invalid(error.to_string()),
        })
    }

    pub(super) fn prune(&self, keep: usize) -> Result<PruneSummary, StoreError> {
        let mut pruned = PruneSummary { removed: Vec::new(), kept_count: 0 };
        self.change_branch(|tip| {
            let Some(tip) = tip else { return Ok(None) };
            let (remaining, summary) = self.squash_runs(tip, keep)?;
            pruned = summary;
            Ok(Some(remaining))
        })?;
        Ok(pruned)
    }

    /// Brings what the remote has, beside what waits here to be pushed.
    pub(crate) fn fetch(&self, remote: &Remote<'_>) -> Result<(), StoreError> {
        let Some(incoming) = self.fetch_incoming(remote)? else { return Ok(()) };
        let mut backoff = RetryBackoff::new(Some(&incoming));
        for _ in 0..MAX_ATTEMPTS {
            let joined = self.join_waiting(remote, Some(&incoming))?;
            let commit = joined.commit.as_ref().unwrap_or(&incoming);
            match self.open_own_branch()?.compare_and_swap(joined.local.as_ref(), commit) {
                Err(GitError::BranchMoved(_)) => backoff.pause(),
                swapped => {
                    swapped?;
                    return self.mark_synced(&format_remote_name(remote), &incoming);
                }
            }
        }
        Err(self.build_contended_error())
    }

    /// Pushes the runs that the remote does not have, on top of what it has.
    pub(crate) fn push(&self, remote: &Remote<'_>) -> Result<PushSummary, StoreError> {
        self.push_with_retries(remote, Ok)
    }

    /// Prunes the branch of the remote, and this clone's with it.
    pub(crate) fn prune_remote(
        &self,
        remote: &Remote<'_>,
        keep: usize,
    ) -> Result<PruneSummary, StoreError> {
        let mut pruned = PruneSummary { removed: Vec::new(), kept_count: 0 };
        self.push_with_retries(remote, |commit| {
            let (remaining, summary) = self.squash_runs(&commit, keep)?;
            pruned = summary;
            Ok(remaining)
        })?;
        Ok(pruned)
    }

    /// Fetches, joins, edits and pushes until nobody is faster.
    fn push_with_retries(
        &self,
        remote: &Remote<'_>,
        mut edit: impl FnMut(CommitId) -> Result<CommitId, StoreError>,
    ) -> Result<PushSummary, StoreError> {
        let mut backoff: Option<RetryBackoff> = None;
        for attempts in 1..=MAX_ATTEMPTS {
            let began = Instant::now();
            let incoming = self.fetch_incoming(remote)?;
            let joined = self.join_waiting(remote, incoming.as_ref())?;
            let Some(commit) = joined.commit.map(&mut edit).transpose()? else {
                return Ok(PushSummary { runs: 0, attempts });
            };
            let push = if Some(&commit) == incoming.as_ref() {
                PushOutcome::Done
            } else {
                remote.push(&commit, &self.branch, incoming.as_ref())?
            };
            match push {
                PushOutcome::Done => {
                    match self.open_own_branch()?.compare_and_swap(joined.local.as_ref(), &commit) {
                        // Another process of this clone saved in between: its record waits.
                        Ok(()) | Err(GitError::BranchMoved(_)) => {
                            self.mark_synced(&format_remote_name(remote), &commit)?;
                        }
                        Err(error) => return Err(error.into()),
                    }
                    return Ok(PushSummary { runs: joined.waiting_count, attempts });
                }
                PushOutcome::TryAgain => {
                    let pauses = backoff.get_or_insert_with(|| RetryBackoff::new(Some(&commit)));
                    pauses.pause_after_attempt(began.elapsed());
                }
            }
        }
        Err(self.build_contended_error())
    }

    /// What the remote has now.
    fn fetch_incoming(&self, remote: &Remote<'_>) -> Result<Option<CommitId>, StoreError> {
        let into = format!("refs/perfgate/incoming/{}/{}", format_remote_name(remote), self.branch);
        let mut backoff = RetryBackoff::new(None);
        for _ in 1..MAX_ATTEMPTS {
            match remote.fetch(&self.branch, &into) {
                Err(error) if Remote::is_transient(&error) => backoff.pause(),
                answer => return Ok(answer?),
            }
        }
        Ok(remote.fetch(&self.branch, &into)?)
    }

    /// `incoming` with what waits here on top of it: all there is where the remote has nothing.
    fn join_waiting(
        &self,
        remote: &Remote<'_>,
        incoming: Option<&CommitId>,
    ) -> Result<JoinedBranch, StoreError> {
        let local = self.open_own_branch()?.read_tip()?;
        let synced = self.open_synced(&format_remote_name(remote))?.read_tip()?;
        let mut elsewhere = HashSet::new();
        if let Some(incoming) = incoming {
            for commit in synced.iter().chain([incoming]) {
                elsewhere.extend(self.list_files(commit)?.into_iter().map(|file| file.path));
            }
        }
        let mut waiting = local.as_ref().map_or(Ok(Vec::new()), |local| self.list_files(local))?;
        waiting.retain(|file| !elsewhere.contains(&file.path));
        let count = waiting.len();
        let commit = match count {
            0 => incoming.cloned(),
            _ => Some(self.add_files(incoming, waiting, &format!("{count} runs"))?),
        };
        Ok(JoinedBranch { local, commit, waiting_count: count })
    }

    /// Changes the branch of this clone; `edit` gives `None` where there is nothing to change.
    fn change_branch(
        &self,
        mut edit: impl FnMut(Option<&CommitId>) -> Result<Option<CommitId>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut backoff: Option<RetryBackoff> = None;
        for _ in 0..MAX_ATTEMPTS {
            let own = self.open_own_branch()?.read_tip()?;
            if own.is_none()
                && let Some(theirs) = self.find_tip()?
            {
                self.mark_synced(DEFAULT_REMOTE, &theirs)?;
            }
            let tip = own.clone().or(self.find_tip()?);
            let Some(changed) = edit(tip.as_ref())? else { return Ok(()) };
            match self.open_own_branch()?.compare_and_swap(own.as_ref(), &changed) {
                Err(GitError::BranchMoved(_)) => {
                    backoff.get_or_insert_with(|| RetryBackoff::new(Some(&changed))).pause();
                }
                swapped => return Ok(swapped?),
            }
        }
        Err(self.build_contended_error())
    }

    fn add_files(
        &self,
        tip: Option<&CommitId>,
        mut files: Vec<BranchFile>,
        message: &str,
    ) -> Result<CommitId, StoreError> {
        if let Some(tip) = tip {
            self.refuse_code(tip)?;
        } else {
            let readme = README_TEXT.as_bytes();
            files.push(self.repository.write_file(README_NAME.to_owned(), readme)?);
        }
        Ok(self.repository.write_commit(tip, &files, message)?)
    }

    fn squash_runs(
        &self,
        tip: &CommitId,
        keep: usize,
    ) -> Result<(CommitId, PruneSummary), StoreError> {
        self.refuse_code(tip)?;
        let files = self.list_files(tip)?;
        let mut keys: Vec<RunKey> =
            files.iter().filter_map(|file| RunKey::parse(&file.path)).collect();
        sort_newest_first(&mut keys);
        let pruned = PruneSummary::new(keys, keep);
        let message = format!("{} runs, {} pruned", pruned.kept_count, pruned.removed.len());
        let paths = pruned.removed.iter().map(RunKey::path);
        Ok((self.repository.write_root_commit(tip, paths, &message)?, pruned))
    }

    /// A branch with anything else on it is somebody's work, and is not added to.
    fn refuse_code(&self, tip: &CommitId) -> Result<(), StoreError> {
        let names = self.repository.list_root_names(tip)?;
        match names.into_iter().find(|name| name != RUNS_FOLDER && name != README_NAME) {
            Some(found) => Err(StoreError::NotAStore { branch: self.branch.clone(), found }),
            None => Ok(()),
        }
    }

    fn list_files(&self, commit: &CommitId) -> Result<Vec<BranchFile>, GitError> {
        self.repository.list_files(commit, RUNS_FOLDER, 2)
    }

    /// Where reading begins: this clone's branch, else what an ordinary clone or fetch brought.
    fn find_tip(&self) -> Result<Option<CommitId>, GitError> {
        match self.open_own_branch()?.read_tip()? {
            Some(tip) => Ok(Some(tip)),
            None => self
                .open_reference(&format!("refs/remotes/{DEFAULT_REMOTE}/{}", self.branch))?
                .read_tip(),
        }
    }

    fn open_own_branch(&self) -> Result<Branch<'_>, GitError> {
        self.repository.open_branch(&self.branch)
    }

    fn open_synced(&self, remote: &str) -> Result<Branch<'_>, GitError> {
        self.open_reference(&format!("refs/perfgate/synced/{remote}/{}", self.branch))
    }

    fn open_reference(&self, name: &str) -> Result<Branch<'_>, GitError> {
        let invalid = || GitError::InvalidBranchName(self.branch.clone());
        self.repository.open_reference(name).ok_or_else(invalid)
    }

    fn mark_synced(&self, remote: &str, commit: &CommitId) -> Result<(), StoreError> {
        let synced = self.open_synced(remote)?;
        let mut backoff = RetryBackoff::new(Some(commit));
        for _ in 0..MAX_ATTEMPTS {
            match synced.compare_and_swap(synced.read_tip()?.as_ref(), commit) {
                Err(GitError::BranchMoved(_)) => backoff.pause(),
                marked => return Ok(marked?),
            }
        }
        Err(self.build_contended_error())
    }

    fn build_contended_error(&self) -> StoreError {
        let lock = self.open_own_branch().ok().and_then(|branch| branch.find_lock_file());
        StoreError::Contended { branch: self.branch.clone(), attempts: MAX_ATTEMPTS, lock }
    }
}

/// The name of a remote, or a word that stands for its address.
fn format_remote_name(remote: &Remote<'_>) -> String {
    let shown = remote.display_name();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if shown.chars().all(is_plain) { shown } else { compute_short_hash(shown.as_bytes()) }
}

/// Full jitter: each pause is drawn from zero to a limit that doubles.
struct RetryBackoff {
    random: Pcg64Mcg,
    limit: Duration,
}

impl RetryBackoff {
    const FIRST_LIMIT: Duration = Duration::from_millis(10);
    const MAX_LIMIT: Duration = Duration::from_secs(2);
    const MAX_ATTEMPT_TIMES: u32 = 16;

    /// Seeded so that two processes differ: by what they want to write, and by their ids.
    fn new(target: Option<&CommitId>) -> Self {
        let digits = target.map_or("", |commit| &commit.as_str()[..16]);
        let seed = u64::from_str_radix(digits, 16).unwrap_or(0) ^ u64::from(std::process::id());
        Self { random: Pcg64Mcg::seed_from_u64(seed), limit: Self::FIRST_LIMIT }
    }

    fn pause(&mut self) {
        thread::sleep(self.limit.mul_f64(self.random.random_range(0.0..1.0)));
        self.limit = (self.limit * 2).min(Self::MAX_LIMIT);
    }

    /// Pauses that are short beside an attempt would have all writers attempt at once for ever: on
    /// a busy machine or a slow line they grow with what an attempt takes.
    fn pause_after_attempt(&mut self, attempt: Duration) {
        let limit = self.limit.max(attempt);
        thread::sleep(limit.mul_f64(self.random.random_range(0.0..1.0)));
        self.limit = (limit * 2).min(Self::MAX_LIMIT.max(attempt * Self::MAX_ATTEMPT_TIMES));
    }
}
