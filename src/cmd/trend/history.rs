//! Reads the runs of the store as nights, in commit order, with the facts that git has about them.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use crate::cli::{GateArgs, HistoryArgs};
use crate::git::{CommitId, FollowedParents, Repository};
use crate::policy::Policy;
use crate::selection::Selection;
use crate::session::settings::GateSettings;
use crate::session::{CommandError, print};
use crate::site::{self, Night, Release, SiteInput, SuspectCommit};
use crate::store::{RunKey, Store};

/// Maximum number of commits of the branch that are read, counted from its tip.
const MAX_COMMITS: usize = 50_000;

/// The runs of the store, with the releases and commits of their branch.
pub(super) struct TrendHistory {
    /// Paths in the store, one per night and in the same order.
    stored_paths: Vec<String>,
    /// The records that an earlier build kept; `None` if they must be written again.
    earlier_records: Option<String>,
    /// Indices in `nights` of the runs that the earlier build had not read.
    new_indices: Vec<usize>,
    /// Oldest commit first.
    nights: Vec<Night>,
    policy: Policy,
    releases: Vec<Release>,
    branch: BranchCommits,
    /// Title of the pages.
    title: String,
    /// Web address of the repository, if known.
    repository_url: Option<String>,
}

/// The commits of a branch. Empty outside a repository and in one without a commit.
#[derive(Default)]
struct BranchCommits {
    repository: Option<Repository>,
    /// Latest commit first.
    commits: Vec<CommitId>,
    /// Index in `commits` of each commit id.
    positions: HashMap<String, usize>,
}

impl TrendHistory {
    /// Reads the runs of the store. Runs that the pages in the folder `site` already hold are not
    /// read again. A run that cannot be read is skipped with a warning.
    ///
    /// Fails if the configuration, the store or the repository cannot be read.
    pub(super) fn read(args: &HistoryArgs, site: Option<&Path>) -> Result<Self> {
        // Plan: resolve the policy and the store, sort the runs by commit, take each run from the
        // earlier build or else from the store, then match the releases to the runs.
        let gate_args = GateArgs { config: args.config.clone(), ..GateArgs::default() };
        let GateSettings { policy, store, .. } =
            GateSettings::read(Path::new("."), &gate_args, &args.store, &args.bench)?;
        let store = store.open().map_err(CommandError::from)?;
        let branch = BranchCommits::from_revision(args.revision.as_deref())?;
        let keys = branch.sort_keys(store.list().map_err(CommandError::from)?);
        let mut known = site
            .map(|folder| site::KnownNights::read_folder(folder, policy.confidence.get()))
            .unwrap_or_default();
        let mut history = Self {
            stored_paths: Vec::new(),
            earlier_records: None,
            new_indices: Vec::new(),
            nights: Vec::new(),
            releases: Vec::new(),
            title: choose_title(args),
            repository_url: find_repository_url(args, branch.repository.as_ref())?,
            policy,
            branch,
        };
        // A run that cannot be fetched is skipped below, with a warning.
        let _ = store.fetch_records(&keys);
        for key in keys {
            let path = key.path();
            let known_night = known.take(&path);
            let is_new = known_night.is_none();
            if let Some(night) = known_night.or_else(|| load_night(store, &key, &history.policy)) {
                history.new_indices.extend(is_new.then_some(history.nights.len()));
                history.nights.push(night);
                history.stored_paths.push(path);
            }
        }
        history.earlier_records = known.into_kept_text();
        history.releases = history.branch.find_releases(&history.nights)?;
        Ok(history)
    }

    /// Returns the number of runs.
    pub(super) fn run_count(&self) -> usize {
        self.nights.len()
    }

    /// Returns all runs that were read, oldest commit first, with all their benchmarks.
    pub(super) fn nights(&self) -> &[Night] {
        &self.nights
    }

    /// Calls `work` with the input of the pages, reduced to the selected benchmarks.
    ///
    /// `now` is the time at which the pages are built.
    pub(super) fn with_material<T>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&SiteInput<'_>) -> T,
    ) -> T {
        work(&SiteInput {
            title: self.title.clone(),
            nights: select_benchmarks(&self.nights, &self.policy.selection),
            releases: self.releases.clone(),
            repository: self.repository_url.clone(),
            policy: &self.policy,
            commits_between: &|from, to| self.branch.list_commits_between(from, to),
            now,
        })
    }

    /// Saves the runs in `folder`, so that the next build need not read them again.
    ///
    /// Fails if the file cannot be written.
    pub(super) fn save_for_next_build(&self, folder: &Path) -> Result<()> {
        // Records of an earlier build are kept as text, and only new runs are added to them.
        let records = self.stored_paths.iter().map(String::as_str).zip(&self.nights);
        let nights: Vec<_> = match &self.earlier_records {
            Some(_) => self
                .new_indices
                .iter()
                .map(|&i| (self.stored_paths[i].as_str(), &self.nights[i]))
                .collect(),
            None => records.collect(),
        };
        let earlier_records = self.earlier_records.as_deref();
        site::save_nights(folder, self.policy.confidence.get(), earlier_records, nights)
            .with_context(|| format!("failed to write to `{}`", folder.display()))
    }
}

/// Returns the nights with only the benchmarks that `selection` selects.
fn select_benchmarks(nights: &[Night], selection: &Selection) -> Vec<Night> {
    let mut nights = nights.to_vec();
    if !selection.selects_all() {
        for night in &mut nights {
            night.cells.retain(|cell| selection.selects(&cell.id));
        }
    }
    nights
}

/// Loads one run. Returns `None` with a warning if the run cannot be read, and `None` if its time
/// cannot be parsed.
fn load_night(store: &Store, key: &RunKey, policy: &Policy) -> Option<Night> {
    match store.load(key) {
        Ok(run) => Night::from_run(&run, policy.confidence),
        Err(error) => {
            print::print_note(&format!("warning: passed over: {:#}", anyhow::Error::from(error)));
            None
        }
    }
}

/// Returns the title that was given, else the name of the current folder, else `benchmarks`.
fn choose_title(args: &HistoryArgs) -> String {
    if let Some(title) = &args.title {
        return title.clone();
    }
    let folder = env::current_dir().unwrap_or_default();
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "benchmarks".to_owned())
}

/// Returns the web address of the repository: from the flag, the GitHub workflow, or the remote.
///
/// Fails if the flag is not a web address.
fn find_repository_url(
    args: &HistoryArgs,
    repository: Option<&Repository>,
) -> Result<Option<String>> {
    if let Some(url) = &args.repository_url {
        let url = url.trim_end_matches('/');
        if !url.starts_with("https://") && !url.starts_with("http://") {
            let message = format!("`{url}` is not the address of a web page");
            return Err(CommandError::new_usage(message)
                .with_help("write https://HOST/OWNER/NAME")
                .into());
        }
        return Ok(Some(url.to_owned()));
    }
    Ok(find_workflow_repository_url().or_else(|| repository?.find_web_address()))
}

/// Returns the web address of the repository whose GitHub workflow runs perfgate. Returns `None`
/// outside a workflow, or if the server has no `https` address.
fn find_workflow_repository_url() -> Option<String> {
    let server = env::var("GITHUB_SERVER_URL").ok()?;
    let name = env::var("GITHUB_REPOSITORY").ok()?;
    server.starts_with("https://").then(|| format!("{server}/{name}"))
}

impl BranchCommits {
    /// Reads the ancestry of `revision`, or of `HEAD` if it is `None`.
    ///
    /// Fails if the repository cannot be read or has no such revision.
    fn from_revision(revision: Option<&str>) -> Result<Self> {
        let discovered = Repository::discover(&PathBuf::from(".")).map_err(CommandError::from)?;
        let Some(repository) = discovered else { return Ok(Self::default()) };
        let tip = match (repository.resolve_revision(revision.unwrap_or("HEAD")), revision) {
            (Ok(tip), _) => tip,
            (Err(error), Some(_)) => return Err(CommandError::from(error).into()),
            // The repository has no commit yet.
            (Err(_), None) => return Ok(Self::default()),
        };
        let commits: Vec<CommitId> =
            repository.walk_ancestry(&tip, FollowedParents::All).take(MAX_COMMITS).collect();
        let positions = commits.iter().zip(0..).map(|(id, place)| (id.as_str().to_owned(), place));
        Ok(Self { positions: positions.collect(), repository: Some(repository), commits })
    }

    /// Returns the index of the commit in `commits`; 0 is the latest commit.
    fn find_position(&self, commit: &str) -> Option<usize> {
        self.positions.get(commit).copied()
    }

    /// Returns the runs of commits on this branch, oldest commit first.
    ///
    /// If no run is of this branch, returns all runs, oldest first.
    fn sort_keys(&self, mut keys: Vec<RunKey>) -> Vec<RunKey> {
        let position_of = |key: &RunKey| self.find_position(key.commit().as_str());
        if keys.iter().any(|key| position_of(key).is_some()) {
            keys.retain(|key| position_of(key).is_some());
        }
        keys.sort_by(|a, b| {
            position_of(b)
                .cmp(&position_of(a))
                .then(a.created().cmp(b.created()))
                .then_with(|| a.id().cmp(b.id()))
        });
        keys
    }

    /// Returns the releases on this branch, oldest first, each with the first night at or after it.
    ///
    /// A release that no night follows is left out. Fails if the tags cannot be read.
    fn find_releases(&self, nights: &[Night]) -> Result<Vec<Release>> {
        let Some(repository) = &self.repository else { return Ok(Vec::new()) };
        let tags = repository.list_releases().map_err(CommandError::from)?;
        let mut releases: Vec<(usize, Release)> = tags
            .into_iter()
            .filter_map(|(commit, name)| {
                let tag_position = self.find_position(commit.as_str())?;
                let night = nights.iter().position(|night| {
                    let position = night.commit_id().and_then(|id| self.find_position(id));
                    position.is_some_and(|position| position <= tag_position)
                })?;
                Some((tag_position, Release { name, night }))
            })
            .collect();
        releases.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.name.cmp(&b.1.name)));
        Ok(releases.into_iter().map(|(_, release)| release).collect())
    }

    /// Returns the commits after `from` up to and including `to`, latest first.
    ///
    /// Returns none if one of the two is not on this branch.
    fn list_commits_between(&self, from: &str, to: &str) -> Vec<SuspectCommit> {
        let (Some(repository), Some(from), Some(to)) =
            (&self.repository, self.find_position(from), self.find_position(to))
        else {
            return Vec::new();
        };
        let suspects = self.commits.get(to..from).unwrap_or_default();
        let suspects = suspects.iter().map(|id| SuspectCommit {
            id: id.as_str().to_owned(),
            subject: repository.read_subject(id),
        });
        suspects.collect()
    }
}
