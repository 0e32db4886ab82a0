//! The runs of the store as nights, in commit order, with what git knows about them.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use crate::cli::{GateArgs, HistoryArgs};
use crate::cmd::{Refusal, gate, print};
use crate::git::{CommitId, Parents, Repository};
use crate::measure::Selection;
use crate::policy::Policy;
use crate::site::{self, Material, Night, Release, Suspect};
use crate::store::{DEFAULT_URL, Key, Store};

/// Commits of the branch that are looked at.
const FARTHEST: usize = 50_000;

/// The runs of the store and what is known about their commits.
pub(super) struct History {
    stored: Vec<String>,
    /// What an earlier build kept of them, and the places of those that it had not seen.
    kept: Option<String>,
    unseen: Vec<usize>,
    nights: Vec<Night>,
    policy: Policy,
    releases: Vec<Release>,
    line: Line,
    title: String,
    repository_url: Option<String>,
}

/// The commits of a branch, latest first.
#[derive(Default)]
struct Line {
    repository: Option<Repository>,
    commits: Vec<CommitId>,
    places: HashMap<String, usize>,
}

impl History {
    /// Reads the store; what the pages in `site` already know is not read again.
    pub(super) fn read(args: &HistoryArgs, site: Option<&Path>) -> Result<Self> {
        let gate_args = GateArgs { config: args.config.clone(), ..GateArgs::default() };
        let config = gate::config(&gate_args, Path::new("."))?;
        let from_config = config.store.url.clone();
        let policy = gate::policy(config, &gate_args, &args.bench)?;
        let url = args.store.store.clone().or(from_config);
        let store = Store::open(url.as_deref().unwrap_or(DEFAULT_URL), Path::new("."))
            .map_err(Refusal::from)?;
        let line = Line::of(args.revision.as_deref())?;
        let keys = line.in_order(store.list().map_err(Refusal::from)?);
        let mut known = site
            .map(|folder| site::Known::in_folder(folder, policy.confidence.get()))
            .unwrap_or_default();
        let mut history = Self {
            stored: Vec::new(),
            kept: None,
            unseen: Vec::new(),
            nights: Vec::new(),
            releases: Vec::new(),
            title: title(args),
            repository_url: repository_url(args, line.repository.as_ref())?,
            policy,
            line,
        };
        for key in keys {
            let path = key.path();
            let seen = known.take(&path);
            let is_new = seen.is_none();
            if let Some(night) = seen.or_else(|| load(&store, &key, &history.policy)) {
                history.unseen.extend(is_new.then_some(history.nights.len()));
                history.nights.push(night);
                history.stored.push(path);
            }
        }
        history.kept = known.kept();
        history.releases = history.line.releases(&history.nights)?;
        Ok(history)
    }

    /// Number of runs.
    pub(super) fn runs(&self) -> usize {
        self.nights.len()
    }

    /// The runs, only the benchmarks that were asked for.
    pub(super) fn nights(&self) -> &[Night] {
        &self.nights
    }

    /// Does something with what the pages are made from.
    pub(super) fn with_material<T>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&Material<'_>) -> T,
    ) -> T {
        let commits_between = |from: &str, to: &str| self.line.between(from, to);
        work(&Material {
            title: self.title.clone(),
            nights: selected(&self.nights, &self.policy.selection),
            releases: self.releases.clone(),
            repository: self.repository_url.clone(),
            policy: &self.policy,
            commits_between: &commits_between,
            now,
        })
    }

    /// Keeps what was read for the next build in `folder`.
    pub(super) fn remember(&self, folder: &Path) -> Result<()> {
        let all = self.stored.iter().map(String::as_str).zip(&self.nights);
        let nights: Vec<_> = match &self.kept {
            Some(_) => {
                self.unseen.iter().map(|&i| (self.stored[i].as_str(), &self.nights[i])).collect()
            }
            None => all.collect(),
        };
        let kept = self.kept.as_deref();
        site::remember(folder, self.policy.confidence.get(), kept, nights)
            .with_context(|| format!("failed to write to `{}`", folder.display()))
    }
}

fn selected(nights: &[Night], selection: &Selection) -> Vec<Night> {
    let mut nights = nights.to_vec();
    if !selection.is_everything() {
        for night in &mut nights {
            night.cells.retain(|cell| selection.selects(&cell.id));
        }
    }
    nights
}

fn load(store: &Store, key: &Key, policy: &Policy) -> Option<Night> {
    match store.load(key) {
        Ok(run) => Night::of(&run, policy.confidence),
        Err(error) => {
            print::note(&format!("warning: passed over: {:#}", anyhow::Error::from(error)));
            None
        }
    }
}

fn title(args: &HistoryArgs) -> String {
    let folder = || {
        let folder = env::current_dir().ok()?;
        Some(folder.file_name()?.to_string_lossy().into_owned())
    };
    args.title.clone().or_else(folder).unwrap_or_else(|| "benchmarks".to_owned())
}

fn repository_url(args: &HistoryArgs, repository: Option<&Repository>) -> Result<Option<String>> {
    if let Some(url) = &args.repository_url {
        let url = url.trim_end_matches('/');
        if !url.starts_with("https://") && !url.starts_with("http://") {
            let message = format!("`{url}` is not the address of a web page");
            return Err(Refusal::usage(message).help("write https://HOST/OWNER/NAME").into());
        }
        return Ok(Some(url.to_owned()));
    }
    let on_github = || {
        let server = env::var("GITHUB_SERVER_URL").ok()?;
        let name = env::var("GITHUB_REPOSITORY").ok()?;
        server.starts_with("https://").then(|| format!("{server}/{name}"))
    };
    Ok(on_github().or_else(|| repository?.web_address()))
}

impl Line {
    fn of(revision: Option<&str>) -> Result<Self> {
        let found = Repository::discover(&PathBuf::from(".")).map_err(Refusal::from)?;
        let Some(repository) = found else { return Ok(Self::default()) };
        let tip = match (repository.resolve(revision.unwrap_or("HEAD")), revision) {
            (Ok(tip), _) => tip,
            (Err(error), Some(_)) => return Err(Refusal::from(error).into()),
            // A repository without a commit yet.
            (Err(_), None) => return Ok(Self::default()),
        };
        let commits: Vec<CommitId> =
            repository.ancestry(&tip, Parents::All).take(FARTHEST).collect();
        let places = commits.iter().zip(0..).map(|(id, place)| (id.as_str().to_owned(), place));
        Ok(Self { places: places.collect(), repository: Some(repository), commits })
    }

    fn place(&self, commit: &str) -> Option<usize> {
        self.places.get(commit).copied()
    }

    /// The runs of this line of commits, oldest commit first; all by time when none is of it.
    fn in_order(&self, mut keys: Vec<Key>) -> Vec<Key> {
        let place = |key: &Key| self.place(key.commit().as_str());
        if keys.iter().any(|key| place(key).is_some()) {
            keys.retain(|key| place(key).is_some());
        }
        keys.sort_by(|a, b| {
            place(b)
                .cmp(&place(a))
                .then(a.created().cmp(b.created()))
                .then_with(|| a.id().cmp(b.id()))
        });
        keys
    }

    /// Releases with the first night at or after each.
    fn releases(&self, nights: &[Night]) -> Result<Vec<Release>> {
        let Some(repository) = &self.repository else { return Ok(Vec::new()) };
        let tags = repository.releases().map_err(Refusal::from)?;
        let place_of = |night: &Night| self.place(night.commit_id()?);
        let mut releases: Vec<(usize, Release)> = tags
            .into_iter()
            .filter_map(|(commit, name)| {
                let tagged = self.place(commit.as_str())?;
                let night = nights
                    .iter()
                    .position(|night| place_of(night).is_some_and(|place| place <= tagged))?;
                Some((tagged, Release { name, night }))
            })
            .collect();
        releases.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.name.cmp(&b.1.name)));
        Ok(releases.into_iter().map(|(_, release)| release).collect())
    }

    /// Commits after `from` up to and with `to`, latest first.
    fn between(&self, from: &str, to: &str) -> Vec<Suspect> {
        let (Some(repository), Some(from), Some(to)) =
            (&self.repository, self.place(from), self.place(to))
        else {
            return Vec::new();
        };
        let suspects = self.commits.get(to..from).unwrap_or_default();
        let suspect =
            |id: &CommitId| Suspect { id: id.as_str().to_owned(), subject: repository.subject(id) };
        suspects.iter().map(suspect).collect()
    }
}
