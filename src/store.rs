//! Where baselines are kept: one small file a run, with digests in place of samples.
//!
//! Between the run that was measured and the comparison with a later one. Files are only ever
//! added, under names that are theirs alone, so that two writers never conflict. What is read back
//! may have been written by anybody and is checked like any other input.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use crate::git::{CommitId, Repository};
use crate::host::Host;
use crate::run::{Benchmark, FileError, Launch, Observed, Run, Source};

mod dir;
mod error;
mod git;
mod key;

pub(crate) use dir::DirStore;
pub(crate) use error::{StoreError, Unfit};
pub(crate) use git::GitStore;
pub(crate) use key::Key;

/// Where baselines are kept unless told otherwise.
pub(crate) const DEFAULT_URL: &str = "git:perfgate-data";

/// Most runs that a baseline rests on.
pub(crate) const MOST_RUNS: usize = 20;

/// A longer record is neither written nor read.
const LONGEST_RECORD: usize = 50 << 20;

/// Commits looked at for stored runs before the search is given up.
const FARTHEST: usize = 20_000;

/// A stored run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    /// Which one.
    pub(crate) key: Key,
    /// What was measured.
    pub(crate) run: Run,
}

/// Runs of a line of commits, nearest commit first, and what could not be read on the way.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// The runs; those of one commit newest first.
    pub(crate) runs: Vec<Stored>,
    /// One sentence for every file that was passed over.
    pub(crate) warnings: Vec<String>,
}

/// What the store has to compare a candidate with.
#[derive(Debug)]
pub(crate) enum Found {
    /// Runs on the same host.
    Baseline(Baseline),
    /// Ancestors were measured, but never on this host.
    OtherHost {
        /// The nearest ancestor that was measured at all.
        commit: CommitId,
        /// Where: one run of each other host, nearest first.
        hosts: Vec<Host>,
    },
    /// No ancestor was measured.
    Nothing,
}

/// Stored runs to compare a candidate with.
#[derive(Debug)]
pub(crate) struct Baseline {
    /// The nearest ancestor with a run on this host: what the candidate is compared with.
    pub(crate) commit: CommitId,
    /// Up to [`MOST_RUNS`] runs of ancestors, nearest first; never empty.
    pub(crate) runs: Vec<Run>,
}

/// The answer to [`Store::baseline`].
#[derive(Debug)]
pub(crate) struct Lookup {
    /// What there is.
    pub(crate) found: Found,
    /// One sentence for every file that was passed over.
    pub(crate) warnings: Vec<String>,
}

/// What runs must have in common to be compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind<'a> {
    /// Fingerprint of the host.
    pub(crate) fingerprint: &'a str,
    /// What produced the samples.
    pub(crate) source: Source,
}

impl<'a> Kind<'a> {
    /// The kind of `run`.
    pub(crate) fn of(run: &'a Run) -> Self {
        Self { fingerprint: &run.host.fingerprint, source: run.source }
    }
}

/// What pruning does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Runs that go.
    pub(crate) removed: Vec<Key>,
    /// Number of runs that stay.
    pub(crate) kept: usize,
}

/// A place where baselines are kept.
pub(crate) enum Store {
    /// A branch of a repository.
    Git(GitStore),
    /// A folder.
    Dir(DirStore),
}

impl Store {
    /// The store at `url`, which is `git:BRANCH` or `dir:PATH`, as seen from `folder`.
    pub(crate) fn open(url: &str, folder: &Path) -> Result<Self, StoreError> {
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
            _ => Err(StoreError::Url(url.to_owned())),
        }
    }

    /// Keeps `run`, with digests in place of its samples; the same run twice is kept once.
    pub(crate) fn save(&self, run: &Run) -> Result<Key, StoreError> {
        let (key, record) = record_of(run)?;
        match self {
            Self::Git(store) => store.save(&key, &record)?,
            Self::Dir(store) => store.save(&key, &record)?,
        }
        Ok(key)
    }

    /// All that is stored, newest first. Files that are no runs are not among them.
    pub(crate) fn list(&self) -> Result<Vec<Key>, StoreError> {
        let mut keys = match self {
            Self::Git(store) => store.list()?,
            Self::Dir(store) => store.list()?,
        };
        sort(&mut keys);
        Ok(keys)
    }

    /// The run behind a key.
    pub(crate) fn load(&self, key: &Key) -> Result<Run, StoreError> {
        let record = match self {
            Self::Git(store) => store.read(key),
            Self::Dir(store) => store.read(key),
        }?;
        let broken = |source| StoreError::Broken { path: key.path(), source };
        let run = Run::from_json(&record).map_err(broken)?;
        let is_of = |commit: &CommitId| {
            run.commit.as_ref().is_some_and(|named| named.id == commit.as_str())
        };
        if is_of(key.commit()) && key.is_of(Kind::of(&run)) {
            Ok(run)
        } else {
            let other = "it is of another commit, host or source than its name says".to_owned();
            Err(broken(FileError::Invalid(other)))
        }
    }

    /// The keys that `name` stands for: an id of at least four digits, or the start of a commit's.
    ///
    /// One run for an id, all runs for a commit, newest first; never an empty answer.
    pub(crate) fn find(&self, name: &str) -> Result<Vec<Key>, StoreError> {
        let missing = || StoreError::Missing(name.to_owned());
        if name.len() < 4 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(missing());
        }
        let keys = self.list()?;
        let by_id: Vec<Key> =
            keys.iter().filter(|key| key.id().starts_with(name)).cloned().collect();
        if !by_id.is_empty() {
            return one_of(name, by_id.iter().map(|key| key.id().to_owned())).map(|()| by_id);
        }
        let of_commit = keys.into_iter().filter(|key| key.commit().as_str().starts_with(name));
        let by_commit: Vec<Key> = of_commit.collect();
        if by_commit.is_empty() {
            return Err(missing());
        }
        one_of(name, by_commit.iter().map(|key| key.commit().short().to_owned()))?;
        Ok(by_commit)
    }

    /// What to compare a candidate of this kind with: `commits` is its ancestry, itself first.
    pub(crate) fn baseline(
        &self,
        commits: impl IntoIterator<Item = CommitId>,
        kind: Kind<'_>,
    ) -> Result<Lookup, StoreError> {
        let (Line { runs, mut warnings }, elsewhere) = self.search(commits, kind, MOST_RUNS)?;
        if let Some(nearest) = runs.first() {
            let commit = nearest.key.commit().clone();
            let runs = runs.into_iter().map(|stored| stored.run).collect();
            let found = Found::Baseline(Baseline { commit, runs });
            return Ok(Lookup { found, warnings });
        }
        let mut hosts = Vec::new();
        for key in &elsewhere {
            match self.load(key) {
                Ok(run) => hosts.push(run.host),
                Err(error) => warnings.push(passed_over(&error)),
            }
        }
        let found = match elsewhere.first() {
            Some(nearest) if !hosts.is_empty() => {
                Found::OtherHost { commit: nearest.commit().clone(), hosts }
            }
            _ => Found::Nothing,
        };
        Ok(Lookup { found, warnings })
    }

    /// Runs of one kind along `commits`, and the nearest run of each other host on the way.
    fn search(
        &self,
        commits: impl IntoIterator<Item = CommitId>,
        kind: Kind<'_>,
        most: usize,
    ) -> Result<(Line, Vec<Key>), StoreError> {
        let mut by_commit: HashMap<CommitId, Vec<Key>> = HashMap::new();
        for key in self.list()?.into_iter().filter(|key| key.source() == kind.source) {
            by_commit.entry(key.commit().clone()).or_default().push(key);
        }
        let mut line = Line::default();
        let mut elsewhere: Vec<Key> = Vec::new();
        for commit in commits.into_iter().take(FARTHEST) {
            if by_commit.is_empty() || line.runs.len() >= most {
                break;
            }
            for key in by_commit.remove(&commit).unwrap_or_default() {
                if !key.is_of(kind) {
                    if elsewhere.iter().all(|known| known.fingerprint() != key.fingerprint()) {
                        elsewhere.push(key);
                    }
                } else if line.runs.len() < most {
                    match self.load(&key) {
                        Ok(run) => line.runs.push(Stored { key, run }),
                        Err(error) => line.warnings.push(passed_over(&error)),
                    }
                }
            }
        }
        Ok((line, elsewhere))
    }

    /// What [`Store::prune`] would do.
    pub(crate) fn prunable(&self, keep: usize) -> Result<Pruned, StoreError> {
        Ok(Pruned::of(self.list()?, keep))
    }

    /// Removes all but the newest `keep` runs of each kind.
    ///
    /// A git store is left with a single commit, so that what goes is really gone.
    pub(crate) fn prune(&self, keep: usize) -> Result<Pruned, StoreError> {
        match self {
            Self::Git(store) => store.prune(keep),
            Self::Dir(store) => {
                let pruned = self.prunable(keep)?;
                store.remove(&pruned.removed)?;
                Ok(pruned)
            }
        }
    }

    /// The store as one that has a remote.
    pub(crate) fn as_git(&self) -> Result<&GitStore, StoreError> {
        match self {
            Self::Git(store) => Ok(store),
            Self::Dir(_) => Err(StoreError::NoRemote),
        }
    }
}

impl Pruned {
    /// Of `keys`, newest first, those beyond the first `keep` of their kind go.
    fn of(keys: Vec<Key>, keep: usize) -> Self {
        let mut seen: HashMap<(String, &str), usize> = HashMap::new();
        let (kept, removed) = keys.into_iter().partition::<Vec<_>, _>(|key| {
            let of_kind =
                seen.entry((key.fingerprint().to_owned(), key.source_word())).or_default();
            *of_kind += 1;
            *of_kind <= keep
        });
        Self { removed, kept: kept.len() }
    }
}

/// Newest first; runs of the same second in the order of their ids.
fn sort(keys: &mut [Key]) {
    keys.sort_by(|a, b| b.created().cmp(a.created()).then_with(|| a.id().cmp(b.id())));
}

fn passed_over(error: &StoreError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}; it was passed over", cause.unwrap_or_default())
}

/// The key and content of the file that keeps `run`.
fn record_of(run: &Run) -> Result<(Key, Vec<u8>), StoreError> {
    let fit = |holds: bool, unfit| if holds { Ok(()) } else { Err(StoreError::Unfit(unfit)) };
    let commit = run.commit.as_ref().ok_or(StoreError::Unfit(Unfit::NoCommit))?;
    fit(!commit.dirty, Unfit::Dirty)?;
    fit(run.complete, Unfit::Incomplete)?;
    fit(!run.benchmarks.is_empty(), Unfit::Empty)?;
    let id = CommitId::parse(&commit.id).ok_or(StoreError::Unfit(Unfit::NoCommit))?;
    let record = serde_json::to_vec(&without_samples(run)).expect("a run has a form in JSON");
    fit(record.len() <= LONGEST_RECORD, Unfit::TooLong)?;
    let key = Key::new(id, run, &record).ok_or(StoreError::Unfit(Unfit::Created))?;
    Ok((key, record))
}

fn without_samples(run: &Run) -> Run {
    let mut stored = Run::new(run.created.clone(), run.source, run.host.clone());
    stored.perfgate.clone_from(&run.perfgate);
    stored.warnings.clone_from(&run.warnings);
    stored.settings.clone_from(&run.settings);
    stored.commit.clone_from(&run.commit);
    let digested = |launch: &Launch| Launch {
        round: launch.round,
        session: launch.session.clone(),
        order: launch.order,
        observed: Observed::Digest(launch.digest()),
        metrics: launch.metrics.clone(),
    };
    stored.benchmarks = run
        .benchmarks
        .iter()
        .map(|benchmark| Benchmark {
            id: benchmark.id.clone(),
            package: benchmark.package.clone(),
            target: benchmark.target.clone(),
            sampling: benchmark.sampling,
            elements: benchmark.elements,
            per_call: benchmark.per_call.clone(),
            launches: benchmark.launches.iter().map(digested).collect(),
            failure: benchmark.failure.clone(),
        })
        .collect();
    stored
}

fn one_of(name: &str, ids: impl Iterator<Item = String>) -> Result<(), StoreError> {
    let candidates: Vec<String> = ids.collect::<BTreeSet<_>>().into_iter().collect();
    match candidates.len() {
        0 | 1 => Ok(()),
        _ => Err(StoreError::Ambiguous { name: name.to_owned(), candidates }),
    }
}
