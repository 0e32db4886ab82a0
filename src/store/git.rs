//! A store on a branch of the repository that shares no history with the code.
//!
//! The store uses three references. `refs/heads/BRANCH` is what this clone has.
//! `refs/perfgate/synced/REMOTE/BRANCH` is the part of it that came from that remote or was pushed
//! to it; the difference waits to be pushed. `refs/perfgate/incoming/REMOTE/BRANCH` receives what
//! is fetched. If a process is killed at any point, the worst result is a record that still waits
//! to be pushed.
//!
//! A file on the branch lists the ids of the runs that were pruned. The references alone cannot
//! decide whether a record of this clone is new or was pruned elsewhere: a clone may have got it in
//! another way, or may push to the same repository under another name.
//!
//! A check only reads. If the clone lacks the branch, the check fetches the names of its files into a
//! separate repository (a [`BranchView`]), and the content of the few runs that it compares with.
//!
//! A prune of this clone alone hides runs in this clone only. The ids of runs that the remote has
//! are therefore in the list of the local branch, and not in what is pushed.

mod exchange;

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::backoff::RetryBackoff;
use super::key::{PRUNED_FILE, RUNS_FOLDER, format_pruned_ids, parse_pruned_ids};
use super::{
    MAX_RECORD_BYTES, PruneSummary, RetentionPolicy, RunKey, StoreError, sort_newest_first,
};
use crate::git::{
    Branch, BranchFile, BranchView, CommitId, GitError, GitToken, ORIGIN, Remote, Repository,
};
use crate::run::FileError;

/// Maximum number of attempts to change a branch while other processes change it too.
const MAX_ATTEMPTS: u32 = 30;

/// Number of folders between the folder of all records and a record.
const RUNS_DEPTH: usize = 2;

const README_NAME: &str = "README.md";

/// Content of the README on the branch, for people who find the branch in the repository.
const README_TEXT: &str = "\
Baselines of perfgate: one file per run, with digests of its samples; `runs/pruned` has the ids of pruned runs.
Written by `perfgate baseline save`, listed by `perfgate baseline list`, thinned out by `perfgate baseline prune`.
";

/// A store on a branch of a repository.
pub(crate) struct GitStore {
    repository: Repository,
    branch: String,
    /// What reads use if this clone lacks the branch.
    view: OnceCell<BranchView>,
}

impl GitStore {
    pub(super) fn open(repository: Repository, branch: &str) -> Result<Self, StoreError> {
        repository.open_branch(branch)?;
        Ok(Self { repository, branch: branch.to_owned(), view: OnceCell::new() })
    }

    /// Returns the repository that contains the branch.
    pub(crate) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Returns whether this clone has the branch, from its own runs or from a fetch.
    ///
    /// Fails if the references cannot be read.
    pub(crate) fn has_branch(&self) -> Result<bool, StoreError> {
        Ok(self.find_tip()?.is_some())
    }

    /// Adds a record to the branch, unless the branch already has it.
    ///
    /// Fails with [`StoreError::NotAStore`] if the branch holds other files, with
    /// [`StoreError::Pruned`] if the run was pruned, and with [`StoreError::Contended`] if other
    /// processes kept changing the branch.
    pub(super) fn save_record(&self, key: &RunKey, record: &[u8]) -> Result<(), StoreError> {
        let file = self.repository.write_file(key.path(), record)?;
        let message = format!("{} of {}", key.source_name(), key.commit().short_id());
        self.change_branch(|tip| {
            if let Some(tip) = tip {
                // The record would not be listed, so it must not count as saved.
                if self.read_pruned(tip)?.contains(key.id()) {
                    return Err(StoreError::Pruned(key.id().to_owned()));
                }
                if self.repository.find_file(tip, &file.path)?.is_some() {
                    return Ok(None);
                }
            }
            self.add_files(tip, vec![file.clone()], &message).map(Some)
        })
    }

    pub(super) fn list_keys(&self) -> Result<Vec<RunKey>, StoreError> {
        let source = self.find_source()?;
        source.map_or(Ok(Vec::new()), |(repository, tip)| list_live_keys(repository, &tip))
    }

    /// Fails with [`StoreError::NotAStore`] if the branch is somebody's work, which has no runs and
    /// never will.
    pub(super) fn refuse_foreign(&self) -> Result<(), StoreError> {
        let source = self.find_source()?;
        source.map_or(Ok(()), |(repository, tip)| self.refuse_code(repository, &tip))
    }

    /// Fetches the names of the runs of the remote, for reading only. The content of a run is fetched
    /// when it is read.
    ///
    /// Fails if the fetch fails.
    pub(crate) fn fetch_view(&self, remote: &Remote<'_>) -> Result<(), StoreError> {
        if let Some(view) = remote.fetch_view(&self.branch)? {
            // An earlier view is as good for the same command.
            let _ = self.view.set(view);
        }
        Ok(())
    }

    /// Fetches the content of these runs, if this clone knows them by name only. Fails if it cannot
    /// be fetched.
    pub(super) fn fetch_records(&self, keys: &[RunKey]) -> Result<(), StoreError> {
        let Some((repository, tip)) = self.find_source()? else { return Ok(()) };
        if !repository.is_partial()? {
            return Ok(());
        }
        let files: Result<Vec<_>, GitError> =
            keys.iter().map(|key| repository.find_file(&tip, &key.path())).collect();
        Ok(repository.fetch_files(files?.iter().flatten())?)
    }

    /// Returns the repository and the commit that reads start from: this clone if it has the branch,
    /// or else the view of the remote. Returns `None` if nothing is stored.
    fn find_source(&self) -> Result<Option<(&Repository, CommitId)>, GitError> {
        let own = self.find_tip()?.map(|tip| (&self.repository, tip));
        Ok(own.or_else(|| self.view.get().map(|view| (&view.repository, view.tip.clone()))))
    }

    /// Returns the ids of the runs that `commit` lists as pruned; none without a commit.
    fn read_pruned_of(&self, commit: Option<&CommitId>) -> Result<BTreeSet<String>, StoreError> {
        commit.map_or_else(|| Ok(BTreeSet::new()), |commit| self.read_pruned(commit))
    }

    /// Writes the list of the runs that are pruned.
    fn write_pruned(&self, ids: &BTreeSet<String>) -> Result<BranchFile, StoreError> {
        let list = format_pruned_ids(ids);
        Ok(self.repository.write_file(PRUNED_FILE.to_owned(), list.as_bytes())?)
    }

    /// Returns the ids of the runs that `commit` lists as pruned.
    fn read_pruned(&self, commit: &CommitId) -> Result<BTreeSet<String>, StoreError> {
        read_pruned_ids(&self.repository, commit)
    }

    pub(super) fn read_record(&self, key: &RunKey) -> Result<Vec<u8>, StoreError> {
        let missing = || StoreError::Missing(key.id().to_owned());
        let (repository, tip) = self.find_source()?.ok_or_else(missing)?;
        let file = repository.find_file(&tip, &key.path())?.ok_or_else(missing)?;
        repository.fetch_files([&file])?;
        repository.read_file(&file, MAX_RECORD_BYTES).map_err(|error| StoreError::Broken {
            path: key.path(),
            source: FileError::Invalid(error.to_string()),
        })
    }

    /// Reduces the branch to a single commit with the runs that `policy` keeps.
    ///
    /// Fails like [`GitStore::save_record`].
    pub(super) fn prune(&self, policy: &RetentionPolicy) -> Result<PruneSummary, StoreError> {
        let mut pruned = PruneSummary { removed: Vec::new(), kept_count: 0 };
        self.change_branch(|tip| {
            let Some(tip) = tip else { return Ok(None) };
            let (remaining, summary) = self.squash_runs(tip, policy)?;
            pruned = summary;
            Ok(remaining)
        })?;
        Ok(pruned)
    }

    /// Changes the branch of this clone. `edit` gets the current tip and returns the new one, or
    /// `None` if nothing changes.
    fn change_branch(
        &self,
        mut edit: impl FnMut(Option<&CommitId>) -> Result<Option<CommitId>, StoreError>,
    ) -> Result<(), StoreError> {
        // A view is not a branch that a record could be added to.
        if let Some(view) = self.view.get().filter(|_| matches!(self.find_tip(), Ok(None))) {
            self.fetch(&self.repository.open_remote(&view.remote, GitToken::from_environment())?)?;
        }
        let mut backoff: Option<RetryBackoff> = None;
        for _ in 0..MAX_ATTEMPTS {
            // If the local branch does not exist yet, it starts from `origin`'s branch, and those
            // runs count as synced.
            let own = self.open_own_branch()?.read_tip()?;
            if own.is_none()
                && let Some(theirs) = self.find_tip()?
            {
                self.mark_synced(ORIGIN, &theirs)?;
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

    /// Writes a commit that adds `files` to `tip`. Without a tip, the commit also gets a README.
    fn add_files(
        &self,
        tip: Option<&CommitId>,
        mut files: Vec<BranchFile>,
        message: &str,
    ) -> Result<CommitId, StoreError> {
        if let Some(tip) = tip {
            self.refuse_code(&self.repository, tip)?;
        } else {
            let readme = README_TEXT.as_bytes();
            files.push(self.repository.write_file(README_NAME.to_owned(), readme)?);
        }
        Ok(self.repository.write_commit(tip, &files, message)?)
    }

    /// Writes a commit without parents that has the runs that `policy` keeps, and lists the others as
    /// pruned. The commit is `None` if nothing is removed.
    fn squash_runs(
        &self,
        tip: &CommitId,
        policy: &RetentionPolicy,
    ) -> Result<(Option<CommitId>, PruneSummary), StoreError> {
        self.refuse_code(&self.repository, tip)?;
        let mut keys = list_live_keys(&self.repository, tip)?;
        sort_newest_first(&mut keys);
        let summary = PruneSummary::new(keys, policy);
        let mut pruned = self.read_pruned(tip)?;
        pruned.extend(summary.removed.iter().map(|key| key.id().to_owned()));
        // An older perfgate may have brought back the files of runs that were pruned earlier.
        let files = self.list_files(tip)?.into_iter();
        let removed: Vec<String> = files
            .map(|file| file.path)
            .filter(|path| RunKey::parse(path).is_some_and(|key| pruned.contains(key.id())))
            .collect();
        if removed.is_empty() {
            return Ok((None, summary));
        }
        let list = self.write_pruned(&pruned)?;
        let message = format!("{} runs, {} pruned", summary.kept_count, summary.removed.len());
        let commit = self.repository.write_root_commit(tip, removed, &[list], &message)?;
        Ok((Some(commit), summary))
    }

    /// Fails with [`StoreError::NotAStore`] if the branch holds anything but runs and the README:
    /// it is then somebody's work, and perfgate must not write to it.
    fn refuse_code(&self, repository: &Repository, tip: &CommitId) -> Result<(), StoreError> {
        let names = repository.list_root_names(tip)?;
        match names.into_iter().find(|name| name != RUNS_FOLDER && name != README_NAME) {
            Some(found) => Err(StoreError::NotAStore { branch: self.branch.clone(), found }),
            None => Ok(()),
        }
    }

    fn list_files(&self, commit: &CommitId) -> Result<Vec<BranchFile>, GitError> {
        self.repository.list_files(commit, RUNS_FOLDER, RUNS_DEPTH)
    }

    /// Returns the tip that reads start from: this clone's branch, or else the branch of `origin`
    /// that an ordinary clone or fetch brought.
    fn find_tip(&self) -> Result<Option<CommitId>, GitError> {
        match self.open_own_branch()?.read_tip()? {
            Some(tip) => Ok(Some(tip)),
            None => {
                self.open_reference(&format!("refs/remotes/{ORIGIN}/{}", self.branch))?.read_tip()
            }
        }
    }

    fn open_own_branch(&self) -> Result<Branch<'_>, GitError> {
        self.repository.open_branch(&self.branch)
    }

    fn open_reference(&self, name: &str) -> Result<Branch<'_>, GitError> {
        self.repository
            .open_reference(name)
            .ok_or_else(|| GitError::InvalidBranchName(self.branch.clone()))
    }

    fn build_contended_error(&self) -> StoreError {
        let lock = self.open_own_branch().ok().and_then(|branch| branch.find_lock_file());
        StoreError::Contended { branch: self.branch.clone(), attempts: MAX_ATTEMPTS, lock }
    }
}

/// Returns the keys of the runs on `commit` that were not pruned.
fn list_live_keys(repository: &Repository, commit: &CommitId) -> Result<Vec<RunKey>, StoreError> {
    let pruned = read_pruned_ids(repository, commit)?;
    let files = repository.list_files(commit, RUNS_FOLDER, RUNS_DEPTH)?;
    let keys = files.iter().filter_map(|file| RunKey::parse(&file.path));
    Ok(keys.filter(|key| !pruned.contains(key.id())).collect())
}

/// Returns the ids of the runs that `commit` lists as pruned.
fn read_pruned_ids(
    repository: &Repository,
    commit: &CommitId,
) -> Result<BTreeSet<String>, StoreError> {
    let Some(file) = repository.find_file(commit, PRUNED_FILE)? else {
        return Ok(BTreeSet::new());
    };
    repository.fetch_files([&file])?;
    Ok(parse_pruned_ids(&repository.read_file(&file, MAX_RECORD_BYTES)?))
}
