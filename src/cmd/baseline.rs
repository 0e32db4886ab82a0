//! `perfgate baseline`: runs are kept, listed, shown and thinned out.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::{ExitStatus, Refusal, files};
use crate::cli::{BaselineAction, BaselineArgs, ReadArgs, RemoteArgs, StoreArgs, StoreFormat};
use crate::git::{GitError, Token};
use crate::render::plain;
use crate::run::Run;
use crate::store::{DEFAULT_URL, GitStore, Key, Pruned, Store, StoreError};

/// Runs `perfgate baseline`.
pub(super) fn run(args: &BaselineArgs) -> Result<ExitStatus> {
    match &args.action {
        BaselineAction::Save { run, store, push, remote } => {
            save(run, &open(store)?, push.then_some(remote))?;
        }
        BaselineAction::List(read) => list(&open_to_read(read)?, read.format)?,
        BaselineAction::Show { name, read } => show(name, &open_to_read(read)?, read.format)?,
        BaselineAction::Prune { keep, dry_run, store, push, remote } => {
            prune(*keep as usize, *dry_run, &open(store)?, push.then_some(remote))?;
        }
    }
    Ok(ExitStatus::Pass)
}

/// The store that the command line or, without it, the default names.
pub(super) fn open(args: &StoreArgs) -> Result<Store> {
    let url = args.store.as_deref().unwrap_or(DEFAULT_URL);
    Ok(Store::open(url, Path::new(".")).map_err(Refusal::from)?)
}

/// Brings what the remote has into `store`.
pub(super) fn fetch(store: &Store, remote: &RemoteArgs) -> Result<()> {
    with_remote(store, remote, GitStore::fetch)
}

fn open_to_read(args: &ReadArgs) -> Result<Store> {
    let store = open(&args.store)?;
    if args.fetch {
        fetch(&store, &args.remote)?;
    }
    Ok(store)
}

fn with_remote<T>(
    store: &Store,
    args: &RemoteArgs,
    work: impl FnOnce(&GitStore, &crate::git::Remote<'_>) -> Result<T, StoreError>,
) -> Result<T> {
    let store = store.as_git().map_err(Refusal::from)?;
    let remote = store.repository().remote(&args.data_repository, Token::from_environment());
    let remote = remote.map_err(|error| Refusal::from(StoreError::from(error)))?;
    Ok(work(store, &remote).map_err(Refusal::from)?)
}

fn save(path: &Path, store: &Store, push: Option<&RemoteArgs>) -> Result<()> {
    let run = files::read_run(path)?;
    let key = store.save(&run).map_err(Refusal::from)?;
    let mut out = io::stdout().lock();
    writeln!(out, "saved {} of commit {}", key.id(), key.commit().short())?;
    if let Some(remote) = push {
        let (pushed, to) =
            with_remote(store, remote, |store, remote| Ok((store.push(remote)?, remote.shown())))?;
        writeln!(out, "pushed {} to `{to}`", count(pushed.runs, "run"))?;
    }
    Ok(())
}

/// One stored run, as `list` and `show` print it.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    commit: &'a str,
    created: &'a str,
    source: &'a str,
    fingerprint: &'a str,
    path: String,
    run: Option<Run>,
}

impl<'a> Row<'a> {
    fn of(key: &'a Key) -> Self {
        Self {
            id: key.id(),
            commit: key.commit().as_str(),
            created: key.created(),
            source: key.source_word(),
            fingerprint: key.fingerprint(),
            path: key.path(),
            run: None,
        }
    }
}

fn list(store: &Store, format: StoreFormat) -> Result<()> {
    let keys = store.list().map_err(Refusal::from)?;
    let mut out = io::stdout().lock();
    match format {
        StoreFormat::Json => print_json(&keys.iter().map(Row::of).collect::<Vec<_>>())?,
        StoreFormat::Text if keys.is_empty() => {
            writeln!(
                out,
                "nothing is stored yet: perfgate check --save-baseline records a run that passes"
            )?;
        }
        StoreFormat::Text => {
            writeln!(
                out,
                "{:<12}  {:<12}  {:<16}  {:<9}  host",
                "id", "commit", "measured", "source"
            )?;
            for key in &keys {
                writeln!(out, "{}", line_of(key))?;
            }
        }
    }
    Ok(())
}

fn line_of(key: &Key) -> String {
    let t = key.created();
    let time = format!("{}-{}-{} {}:{}", &t[..4], &t[4..6], &t[6..8], &t[9..11], &t[11..13]);
    let commit = key.commit().short();
    format!("{}  {commit}  {time}  {:<9}  {}", key.id(), key.source_word(), key.fingerprint())
}

fn show(name: &str, store: &Store, format: StoreFormat) -> Result<()> {
    let keys = named(name, store)?;
    match format {
        StoreFormat::Json => {
            let loaded = keys.iter().map(|key| {
                let run = Some(store.load(key).map_err(Refusal::from)?);
                Ok(Row { run, ..Row::of(key) })
            });
            print_json(&loaded.collect::<Result<Vec<_>>>()?)
        }
        StoreFormat::Text => {
            for key in &keys {
                describe(key, &store.load(key).map_err(Refusal::from)?)?;
            }
            Ok(())
        }
    }
}

/// The stored runs that `name` stands for: an id, the start of a commit's, or a git revision.
pub(super) fn named(name: &str, store: &Store) -> Result<Vec<Key>> {
    let missing = match store.find(name) {
        Err(StoreError::Missing(_)) => StoreError::Missing(name.to_owned()),
        answer => return Ok(answer.map_err(Refusal::from)?),
    };
    let here = crate::git::Repository::discover(Path::new("."));
    let revision = here.ok().flatten().and_then(|repository| repository.resolve(name).ok());
    match revision.map(|commit| store.find(commit.as_str())) {
        None | Some(Err(StoreError::Missing(_))) => Err(Refusal::from(missing).into()),
        Some(answer) => Ok(answer.map_err(Refusal::from)?),
    }
}

fn describe(key: &Key, run: &Run) -> Result<()> {
    let mut out = io::stdout().lock();
    let branch = run.commit.as_ref().and_then(|commit| commit.branch.as_deref());
    let branch = branch.map(|branch| format!(" on {}", plain(branch))).unwrap_or_default();
    writeln!(
        out,
        "{} of commit {}{branch}, measured {}",
        key.id(),
        key.commit(),
        plain(&run.created)
    )?;
    let host = &run.host;
    writeln!(
        out,
        "host {}: {}, {} cores, {}, kernel {}",
        plain(&host.fingerprint),
        plain(&host.cpu_model),
        host.cores,
        plain(&host.os),
        plain(&host.kernel),
    )?;
    for benchmark in &run.benchmarks {
        let mut medians: Vec<_> = benchmark.digests().map(|digest| digest.p50).collect();
        medians.sort_unstable();
        let launches = count(medians.len(), "launch");
        match medians.get(medians.len() / 2) {
            Some(median) => writeln!(
                out,
                "  {}  median {:.1} ns, {launches}",
                plain(&benchmark.identity().to_string()),
                median.get(),
            )?,
            None => writeln!(out, "  {}  failed", plain(&benchmark.identity().to_string()))?,
        }
    }
    Ok(())
}

fn prune(keep: usize, dry_run: bool, store: &Store, push: Option<&RemoteArgs>) -> Result<()> {
    let pruned = match push {
        _ if dry_run => store.prunable(keep).map_err(Refusal::from)?,
        Some(remote) => {
            with_remote(store, remote, |store, remote| store.prune_remote(remote, keep))?
        }
        None => store.prune(keep).map_err(Refusal::from)?,
    };
    let Pruned { removed, kept } = pruned;
    let mut out = io::stdout().lock();
    for key in &removed {
        writeln!(out, "{}", line_of(key))?;
    }
    let done = if dry_run { "would remove" } else { "removed" };
    writeln!(out, "{done} {}, kept {kept}", count(removed.len(), "run"))?;
    Ok(())
}

fn print_json(rows: &impl Serialize) -> Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, rows)?;
    writeln!(out)?;
    Ok(())
}

fn count(number: usize, what: &str) -> String {
    match (number, what) {
        (1, _) => format!("1 {what}"),
        (_, "launch") => format!("{number} launches"),
        _ => format!("{number} {what}s"),
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let message = match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        let refusal = match &error {
            StoreError::Git(GitError::NoGit(_)) => Self::unavailable(message),
            _ if error.is_usage() => Self::usage(message),
            _ => Self::failed(message),
        };
        match error.help() {
            Some(help) => refusal.help(help),
            None => refusal,
        }
    }
}
