//! The store of baselines: one small file per run, with digests in place of samples.
//!
//! It stands between the measured run and the comparison with a later run. Saving only adds files,
//! under unique names, so that two writers never conflict. Anybody may have written a stored file,
//! so it is checked like any other input.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use crate::git::{CommitId, Repository};
use crate::host::Host;
use crate::note::Note;
use crate::run::{CallsPerSample, FileError, Launch, LaunchData, Run, SampleSource};

mod error;
mod key;
mod dir;
mod retention;
mod backoff;
mod git;

pub(crate) use dir::DirStore;
pub(crate) use error::{StoreError, UnfitRun};
pub(crate) use git::GitStore;
pub(crate) use key::RunKey;
pub(crate) use retention::{PruneSummary, RetentionPolicy};

/// The store that is used if none is given.
pub(crate) const DEFAULT_STORE_URL: &str = "git:perfgate-data";

/// Maximum number of runs in a baseline.
const MAX_BASELINE_RUNS: usize = 20;

/// Maximum size of a record in bytes. A longer record is neither written nor read.
const MAX_RECORD_BYTES: usize = 50 << 20;

/// Maximum number of commits that are searched for stored runs.
const MAX_SEARCHED_COMMITS: usize = 20_000;

/// A run that was read from a store, with its key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredRun {
    /// Key of the run in the store.
    pub(crate) key: RunKey,
    /// The run, with digests in place of samples.
    pub(crate) run: Run,
}

/// Runs found along a line of commits, nearest commit first, and notes on unreadable files.
#[derive(Debug, Default)]
pub(crate) struct FoundRuns {
    /// The runs; the runs of one commit are ordered newest first.
    pub(crate) runs: Vec<StoredRun>,
    /// One sentence for every file that was skipped.
    pub(crate) notes: Vec<Note>,
}

/// The result of a search for a baseline.
#[derive(Debug)]
pub(crate) enum BaselineMatch {
    /// Ancestors were measured on the same host.
    Baseline(StoredBaseline),
    /// Ancestors were measured, but never on this host.
    OtherHost {
        /// The nearest ancestor that was measured on another host.
        commit: CommitId,
        /// The other hosts with stored runs, each once, nearest ancestor first.
        hosts: Vec<Host>,
    },
    /// No ancestor was measured.
    Nothing,
}

/// Stored runs to compare a candidate with.
#[derive(Debug)]
pub(crate) struct StoredBaseline {
    /// The nearest ancestor with a run on this host, which reports name.
    pub(crate) commit: CommitId,
    /// Up to [`MAX_BASELINE_RUNS`] runs of ancestors, nearest first; never empty.
    pub(crate) runs: Vec<Run>,
}

/// The answer of [`Store::find_baseline`].
#[derive(Debug)]
pub(crate) struct BaselineLookup {
    /// The baseline, or why there is none.
    pub(crate) found: BaselineMatch,
    /// One sentence for every file that was skipped.
    pub(crate) notes: Vec<Note>,
}

/// What two runs must have in common to be comparable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunKind<'a> {
    /// Fingerprint of the host.
    pub(crate) fingerprint: &'a str,
    /// What produced the samples.
    pub(crate) source: SampleSource,
}

impl<'a> RunKind<'a> {
    /// Returns the kind of `run`.
    pub(crate) fn from_run(run: &'a Run) -> Self {
        Self { fingerprint: &run.host.fingerprint, source: run.source }
    }
}

/// A store of baselines.
pub(crate) enum Store {
    /// A branch of a repository.
    Git(GitStore),
    /// A folder.
    Dir(DirStore),
}

impl Store {
    /// Opens the store at `url`, which is `git:BRANCH` or `dir:PATH`. Relative paths start at
    /// `folder`, and `folder` must be inside a repository for a git store.
    ///
    /// Fails with [`StoreError::InvalidUrl`] if `url` has another form, with
    /// [`StoreError::NoRepository`] if a git store is outside a repository, and with
    /// [`StoreError::Git`] if the repository or the branch name is unusable.
    pub(crate) fn open(url: &str, folder: &Path) -> Result<Self, StoreError> {
        Self::check_url(url)?;
        match url.split_once(':') {
            Some(("git", branch)) => match Repository::discover(folder)? {
                Some(repository) => Ok(Self::Git(GitStore::open(repository, branch)?)),
                None => {
                    Err(StoreError::NoRepository { url: url.to_owned(), folder: folder.to_owned() })
                }
            },
            Some(("dir", path)) if !path.is_empty() => {
                Ok(Self::Dir(DirStore::open(&folder.join(path))))
            }
            _ => Err(StoreError::InvalidUrl(url.to_owned())),
        }
    }

    /// Checks that `url` is `git:BRANCH` or `dir:PATH`, without opening the store.
    ///
    /// Fails with [`StoreError::InvalidUrl`] if it is not.
    pub(crate) fn check_url(url: &str) -> Result<(), StoreError> {
        match url.split_once(':') {
            Some(("git" | "dir", place)) if !place.is_empty() => Ok(()),
            _ => Err(StoreError::InvalidUrl(url.to_owned())),
        }
    }

    /// Saves `run`, with digests in place of its samples and without benchmarks that failed, and
    /// returns its key. Saving the same run twice stores it once.
    ///
    /// Fails with [`StoreError::Unfit`] if the run cannot be a baseline, or if the store cannot be
    /// written.
    pub(crate) fn save(&self, run: &Run) -> Result<RunKey, StoreError> {
        let (key, record) = build_record(run)?;
        match self {
            Self::Git(store) => store.save_record(&key, &record)?,
            Self::Dir(store) => store.save_record(&key, &record)?,
        }
        Ok(key)
    }

    /// Returns the keys of all stored runs, newest first. Files that are not runs are ignored.
    ///
    /// Fails if the store cannot be read.
    pub(crate) fn list(&self) -> Result<Vec<RunKey>, StoreError> {
        let mut keys = match self {
            Self::Git(store) => store.list_keys()?,
            Self::Dir(store) => store.list_keys()?,
        };
        sort_newest_first(&mut keys);
        Ok(keys)
    }

    /// Fails with [`StoreError::NotAStore`] if the address names a branch that holds other files.
    pub(crate) fn refuse_foreign(&self) -> Result<(), StoreError> {
        match self {
            Self::Git(store) => store.refuse_foreign(),
            Self::Dir(_) => Ok(()),
        }
    }

    /// Reads the run with this key.
    ///
    /// Fails with [`StoreError::Missing`] if there is no such run, and with [`StoreError::Broken`]
    /// if its file is invalid or does not match its name.
    pub(crate) fn load(&self, key: &RunKey) -> Result<Run, StoreError> {
        let record = match self {
            Self::Git(store) => store.read_record(key),
            Self::Dir(store) => store.read_record(key),
        }?;
        let to_broken = |source| StoreError::Broken { path: key.path(), source };
        let run = Run::from_json(&record).map_err(to_broken)?;
        let commit = run.commit.as_ref();
        let is_for_commit = commit.is_some_and(|named| named.id == key.commit().as_str());
        if is_for_commit && key.is_of_kind(RunKind::from_run(&run)) {
            Ok(run)
        } else {
            let other = "its commit, host or source differs from its name".to_owned();
            Err(to_broken(FileError::Invalid(other)))
        }
    }

    /// Returns the keys that `name` stands for. `name` is the start of a run's id or of a commit's
    /// id, at least four hexadecimal digits long.
    ///
    /// The answer is one run for a run id, or all runs for a commit, newest first. It is never
    /// empty.
    ///
    /// Fails with [`StoreError::Missing`] if nothing has this name, with [`StoreError::Ambiguous`]
    /// if several runs or commits have it, or if the store cannot be read.
    pub(crate) fn find_by_name(&self, name: &str) -> Result<Vec<RunKey>, StoreError> {
        let missing_error = || StoreError::Missing(name.to_owned());
        if name.len() < 4 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(missing_error());
        }
        let keys = self.list()?;
        let by_id: Vec<RunKey> =
            keys.iter().filter(|key| key.id().starts_with(name)).cloned().collect();
        if !by_id.is_empty() {
            return check_unambiguous(name, by_id.iter().map(|key| key.id().to_owned()))
                .map(|()| by_id);
        }
        let keys_of_commit = keys.into_iter().filter(|key| key.commit().as_str().starts_with(name));
        let by_commit: Vec<RunKey> = keys_of_commit.collect();
        if by_commit.is_empty() {
            return Err(missing_error());
        }
        check_unambiguous(name, by_commit.iter().map(|key| key.commit().short_id().to_owned()))?;
        Ok(by_commit)
    }

    /// Finds the stored runs to compare a candidate of this kind with. `commits` is the ancestry of
    /// the candidate, which starts with its own commit.
    ///
    /// A stored run that cannot be read becomes a note. Fails if the store cannot be listed.
    pub(crate) fn find_baseline(
        &self,
        commits: impl IntoIterator<Item = CommitId>,
        kind: RunKind<'_>,
    ) -> Result<BaselineLookup, StoreError> {
        let (FoundRuns { runs, mut notes }, other_host_keys) =
            self.search_runs(commits, kind, MAX_BASELINE_RUNS)?;
        if let Some(nearest) = runs.first() {
            let commit = nearest.key.commit().clone();
            let runs = runs.into_iter().map(|stored| stored.run).collect();
            let found = BaselineMatch::Baseline(StoredBaseline { commit, runs });
            return Ok(BaselineLookup { found, notes });
        }
        // No run of this kind was found: report which other hosts have runs.
        let mut hosts = Vec::new();
        for key in &other_host_keys {
            match self.load(key) {
                Ok(run) => hosts.push(run.host),
                Err(error) => notes.push(note_ignored_run(&error)),
            }
        }
        let found = match other_host_keys.first() {
            Some(nearest) if !hosts.is_empty() => {
                BaselineMatch::OtherHost { commit: nearest.commit().clone(), hosts }
            }
            _ => BaselineMatch::Nothing,
        };
        Ok(BaselineLookup { found, notes })
    }

    /// Gets the content of these runs in one request, if this clone knows them by name only. Loading
    /// them one by one would take a request each.
    ///
    /// Fails if the runs cannot be fetched.
    pub(crate) fn fetch_records(&self, keys: &[RunKey]) -> Result<(), StoreError> {
        match self {
            Self::Git(store) => store.fetch_records(keys),
            Self::Dir(_) => Ok(()),
        }
    }

    /// Returns up to `limit` runs of one kind along `commits`, and the key of the nearest run on
    /// each other host that was passed on the way.
    fn search_runs(
        &self,
        commits: impl IntoIterator<Item = CommitId>,
        kind: RunKind<'_>,
        limit: usize,
    ) -> Result<(FoundRuns, Vec<RunKey>), StoreError> {
        // Group the keys of the right source by commit. Then walk the commits, nearest first, and
        // collect the keys of this host; for every other host remember the first key only. Load as
        // many runs as are wanted, and walk on if some of them cannot be read.
        let mut by_commit: HashMap<CommitId, Vec<RunKey>> = HashMap::new();
        for key in self.list()?.into_iter().filter(|key| key.source() == kind.source) {
            by_commit.entry(key.commit().clone()).or_default().push(key);
        }
        let mut found = FoundRuns::default();
        let mut other_host_keys: Vec<RunKey> = Vec::new();
        let mut commits = commits.into_iter().take(MAX_SEARCHED_COMMITS);
        let mut waiting: Vec<RunKey> = Vec::new();
        while found.runs.len() < limit {
            let wanted = limit - found.runs.len();
            while waiting.len() < wanted && !by_commit.is_empty() {
                let Some(commit) = commits.next() else { break };
                for key in by_commit.remove(&commit).unwrap_or_default() {
                    let is_known = |known: &RunKey| known.fingerprint() == key.fingerprint();
                    if key.is_of_kind(kind) {
                        waiting.push(key);
                    } else if !other_host_keys.iter().any(is_known) {
                        other_host_keys.push(key);
                    }
                }
            }
            let keys: Vec<RunKey> = waiting.drain(..wanted.min(waiting.len())).collect();
            if keys.is_empty() {
                break;
            }
            if let Err(error) = self.fetch_records(&keys) {
                found.notes.push(Note::BaselinesNotFetched { cause: describe_cause(&error) });
                break;
            }
            for key in keys {
                match self.load(&key) {
                    Ok(run) => found.runs.push(StoredRun { key, run }),
                    Err(error) => found.notes.push(note_ignored_run(&error)),
                }
            }
        }
        Ok((found, other_host_keys))
    }

    /// Returns what [`Store::prune`] would do, without doing it.
    ///
    /// Fails if the store cannot be read.
    pub(crate) fn preview_prune(
        &self,
        policy: &RetentionPolicy,
    ) -> Result<PruneSummary, StoreError> {
        Ok(PruneSummary::new(self.list()?, policy))
    }

    /// Removes all runs but those that `policy` keeps.
    ///
    /// A git store then has a single commit, so that the removed runs do not survive in its
    /// history. Fails if the store cannot be read or written.
    pub(crate) fn prune(&self, policy: &RetentionPolicy) -> Result<PruneSummary, StoreError> {
        match self {
            Self::Git(store) => store.prune(policy),
            Self::Dir(store) => {
                let pruned = self.preview_prune(policy)?;
                store.remove_records(&pruned.removed)?;
                Ok(pruned)
            }
        }
    }

    /// Returns the git store, which can have a remote.
    ///
    /// Fails with [`StoreError::NoRemote`] for a store in a folder.
    pub(crate) fn as_git(&self) -> Result<&GitStore, StoreError> {
        match self {
            Self::Git(store) => Ok(store),
            Self::Dir(_) => Err(StoreError::NoRemote),
        }
    }
}

/// Sorts keys newest first. Runs of the same second are ordered by id.
fn sort_newest_first(keys: &mut [RunKey]) {
    keys.sort_by(|a, b| b.created().cmp(a.created()).then_with(|| a.id().cmp(b.id())));
}

fn note_ignored_run(error: &StoreError) -> Note {
    Note::StoredRunIgnored { cause: describe_cause(error) }
}

fn describe_cause(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Returns the key of `run` and the content of the file that stores it.
///
/// Fails with [`StoreError::Unfit`] if the run cannot be a baseline.
fn build_record(run: &Run) -> Result<(RunKey, Vec<u8>), StoreError> {
    let commit = run.commit.as_ref().ok_or(StoreError::Unfit(UnfitRun::NoCommit))?;
    require_fit(!commit.dirty, UnfitRun::Dirty)?;
    let stored = reduce_run(run);
    require_fit(!stored.benchmarks.is_empty(), UnfitRun::Empty)?;
    let id = CommitId::parse(&commit.id).ok_or(StoreError::Unfit(UnfitRun::NoCommit))?;
    let record = serde_json::to_vec(&stored).expect("a run has a form in JSON");
    require_fit(record.len() <= MAX_RECORD_BYTES, UnfitRun::TooLong)?;
    let key = RunKey::new(id, run, &record).ok_or(StoreError::Unfit(UnfitRun::InvalidTime))?;
    Ok((key, record))
}

/// Fails with the reason `unfit` if a condition on a run does not hold.
fn require_fit(holds: bool, unfit: UnfitRun) -> Result<(), StoreError> {
    if holds { Ok(()) } else { Err(StoreError::Unfit(unfit)) }
}

/// Returns a copy of `run` with digests in place of its samples, and without benchmarks that failed.
///
/// The run stays incomplete if a benchmark failed, so that a comparison looks for that benchmark in
/// earlier runs.
fn reduce_run(run: &Run) -> Run {
    let mut stored = run.copy_without_launches();
    for (stored, benchmark) in stored.benchmarks.iter_mut().zip(&run.benchmarks) {
        stored.launches = benchmark.launches.iter().map(digest_launch).collect();
    }
    stored.benchmarks.retain(|benchmark| benchmark.failure.is_none());
    stored
}

/// Returns a launch with the digest of its samples instead of the samples.
fn digest_launch(launch: &Launch) -> Launch {
    Launch {
        round: launch.round,
        session: launch.session.clone(),
        order: launch.order,
        data: LaunchData::Digest(launch.digest()),
        calls_per_sample: launch.calls_per_sample.as_ref().and_then(CallsPerSample::keep_same),
        metrics: launch.metrics.clone(),
    }
}

fn check_unambiguous(name: &str, ids: impl Iterator<Item = String>) -> Result<(), StoreError> {
    let candidates: Vec<String> = ids.collect::<BTreeSet<_>>().into_iter().collect();
    match candidates.len() {
        0 | 1 => Ok(()),
        _ => Err(StoreError::Ambiguous { name: name.to_owned(), candidates }),
    }
}
