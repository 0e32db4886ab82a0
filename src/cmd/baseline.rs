//! `perfgate baseline`: saves, lists, shows and prunes stored runs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::cli::{
    BaselineAction, BaselineArgs, GateArgs, RemoteArgs, StoreArgs, StoreFormat, StoreReadArgs,
};
use crate::git::{CommitId, GitToken, ORIGIN, Repository};
use crate::render::{RunDocument, escape_for_terminal};
use crate::run::Run;
use crate::session::print::{self, format_plural};
use crate::session::recording::check_recordable;
use crate::session::settings::find_store;
use crate::session::workflow::WorkflowTrigger;
use crate::session::{CommandError, ExitStatus, SessionStore, read_run};
use crate::store::{GitStore, PruneSummary, RetentionPolicy, RunKey, Store, StoreError};

/// Runs `perfgate baseline`.
///
/// Fails if the store cannot be opened, or if the action that `args` names fails.
pub(super) fn run_baseline(args: &BaselineArgs) -> Result<ExitStatus> {
    let gate = GateArgs { config: args.config.clone(), ..GateArgs::default() };
    let find_store = |store: &StoreArgs| find_store(Path::new("."), &gate, store);
    match &args.action {
        BaselineAction::Save { run, store, push, any_commit, remote } => {
            let store = find_store(store)?;
            let run = read_run(run)?;
            check_recording(&run, *push, *any_commit)?;
            save_run(&run, open_store(&store)?, push.then_some(remote))?;
        }
        BaselineAction::List(read) => {
            let store = find_store(&read.store)?;
            list_runs(open_to_read(&store, read)?, read.format)?;
        }
        BaselineAction::Show { name, read } => {
            let store = find_store(&read.store)?;
            show_runs(name, open_to_read(&store, read)?, read.format)?;
        }
        BaselineAction::Prune { keep, only_newest, at_least, dry_run, store, push, remote } => {
            let store = find_store(store)?;
            let policy = RetentionPolicy {
                newest: *keep as usize,
                keeps_periods: !only_newest,
                releases: if *only_newest { BTreeSet::new() } else { find_tagged_commits()? },
                least_removed: *at_least as usize,
            };
            prune_runs(&policy, *dry_run, open_store(&store)?, push.then_some(remote))?;
        }
    }
    Ok(ExitStatus::Pass)
}

/// Checks that the run may be recorded: what is shared, and what a workflow records, is of a commit
/// in the default branch.
///
/// Fails with the reason if it may not.
fn check_recording(run: &Run, is_pushed: bool, is_any_commit: bool) -> Result<()> {
    let trigger = WorkflowTrigger::detect();
    if trigger.is_some() && is_any_commit {
        let message = "--any-commit is not for workflows: they record only what is merged";
        return Err(CommandError::new_usage(message).into());
    }
    if trigger.is_none() && (!is_pushed || is_any_commit) {
        return Ok(());
    }
    let repository = Repository::discover(Path::new(".")).map_err(CommandError::from)?;
    // Outside of a repository the store refuses to push.
    let Some(repository) = repository else { return Ok(()) };
    check_recordable(&repository, run, trigger.as_ref())
        .map_err(|refusal| CommandError::from((refusal, trigger.is_some())).into())
}

/// Returns whether the runs of the store are shared through a remote. If not, prints that the
/// folder is all there is.
fn is_shared(store: &Store) -> bool {
    let is_shared = store.as_git().is_ok();
    if !is_shared {
        print::print_note("the store is a folder, so there is no remote");
    }
    is_shared
}

/// Returns the commits with a tag, here or on `origin`: a shallow clone may lack tags. Returns none
/// outside a repository.
///
/// Fails if the repository cannot be opened or `origin` cannot be asked.
fn find_tagged_commits() -> Result<BTreeSet<CommitId>> {
    let discovered = Repository::discover(Path::new(".")).map_err(CommandError::from)?;
    let Some(repository) = discovered else { return Ok(BTreeSet::new()) };
    let mut commits: BTreeSet<_> =
        repository.list_releases().map_err(CommandError::from)?.into_keys().collect();
    if repository.is_shallow() {
        let origin = repository.open_remote(ORIGIN, GitToken::from_environment());
        let origin = origin.map_err(CommandError::from)?;
        commits.extend(origin.list_tagged_commits().map_err(CommandError::from)?);
    }
    Ok(commits)
}

/// Opens the store. Fails if it cannot be opened.
fn open_store(store: &SessionStore) -> Result<&Store> {
    Ok(store.open().map_err(CommandError::from)?)
}

/// Opens the store, and fetches from the remote first if `--fetch` is given.
fn open_to_read<'a>(store: &'a SessionStore, args: &StoreReadArgs) -> Result<&'a Store> {
    let store = open_store(store)?;
    if args.fetch && is_shared(store) {
        with_remote(store, &args.remote, GitStore::fetch)?;
    }
    Ok(store)
}

/// Calls `work` with the git store and its remote.
///
/// Fails if `store` is not a git store, if the remote cannot be opened, or if `work` fails.
fn with_remote<T>(
    store: &Store,
    args: &RemoteArgs,
    work: impl FnOnce(&GitStore, &crate::git::Remote<'_>) -> Result<T, StoreError>,
) -> Result<T> {
    let store = store.as_git().map_err(CommandError::from)?;
    let remote =
        store.repository().open_remote(&args.data_repository, GitToken::from_environment());
    let remote = remote.map_err(|error| CommandError::from(StoreError::from(error)))?;
    Ok(work(store, &remote).map_err(CommandError::from)?)
}

/// Saves the run, and pushes it if `push` names a remote and the store is shared.
fn save_run(run: &Run, store: &Store, push: Option<&RemoteArgs>) -> Result<()> {
    let key = store.save(run).map_err(CommandError::from)?;
    print::print_answer(&(print::describe_saved_run("saved", &key, run) + "\n"))?;
    if let Some(remote) = push.filter(|_| is_shared(store)) {
        let (pushed, address) = with_remote(store, remote, |store, remote| {
            Ok((store.push(remote)?, remote.display_name()))
        })?;
        let pushed = format_plural(pushed.runs, "run");
        print::print_answer(&format!("pushed {pushed} to `{address}`\n"))?;
    }
    Ok(())
}

/// One stored run, in the JSON that `list` and `show` print.
#[derive(Serialize)]
struct StoredRunRow<'a> {
    id: &'a str,
    commit: &'a str,
    created: &'a str,
    source: &'a str,
    fingerprint: &'a str,
    path: String,
    /// The whole run, with texts for people; `None` in a list.
    run: Option<RunDocument<'a>>,
}

impl<'a> StoredRunRow<'a> {
    fn from_key(key: &'a RunKey) -> Self {
        Self {
            id: key.id(),
            commit: key.commit().as_str(),
            created: key.created(),
            source: key.source_name(),
            fingerprint: key.fingerprint(),
            path: key.path(),
            run: None,
        }
    }
}

fn list_runs(store: &Store, format: StoreFormat) -> Result<()> {
    let keys = store.list().map_err(CommandError::from)?;
    if keys.is_empty() {
        store.refuse_foreign().map_err(CommandError::from)?;
    }
    let mut out = String::new();
    match format {
        StoreFormat::Json => {
            return print_json(&keys.iter().map(StoredRunRow::from_key).collect::<Vec<_>>());
        }
        // An empty table would not tell the user how to fill it.
        StoreFormat::Text if keys.is_empty() => {
            writeln!(out, "nothing is stored yet: `perfgate check --save-baseline` records a run")?;
        }
        StoreFormat::Text => {
            writeln!(
                out,
                "{:<12}  {:<12}  {:<16}  {:<9}  host",
                "id", "commit", "measured", "source"
            )?;
            for key in &keys {
                writeln!(out, "{}", format_key(key))?;
            }
        }
    }
    print::print_answer(&out)
}

/// Returns the line of one stored run in a list.
fn format_key(key: &RunKey) -> String {
    // The time of a key has the form `20261122T000000Z`.
    let created = key.created();
    let time = format!(
        "{}-{}-{} {}:{}",
        &created[..4],
        &created[4..6],
        &created[6..8],
        &created[9..11],
        &created[11..13]
    );
    let commit = key.commit().short_id();
    format!("{}  {commit}  {time}  {:<9}  {}", key.id(), key.source_name(), key.fingerprint())
}

fn show_runs(name: &str, store: &Store, format: StoreFormat) -> Result<()> {
    let keys = find_stored_runs(name, store)?;
    match format {
        StoreFormat::Json => {
            let runs: Result<Vec<_>> =
                keys.iter().map(|key| Ok(store.load(key).map_err(CommandError::from)?)).collect();
            let runs = runs?;
            let rows = keys.iter().zip(&runs).map(|(key, run)| {
                let run = Some(RunDocument::new(run)?);
                Ok(StoredRunRow { run, ..StoredRunRow::from_key(key) })
            });
            print_json(&rows.collect::<Result<Vec<_>>>()?)
        }
        StoreFormat::Text => {
            for key in &keys {
                print_run(key, &store.load(key).map_err(CommandError::from)?)?;
            }
            Ok(())
        }
    }
}

/// Finds the stored runs that `name` stands for: the start of a run's or a commit's id, or a git
/// revision.
///
/// Fails if no stored run has that name, if the name is ambiguous, or if the store cannot be read.
fn find_stored_runs(name: &str, store: &Store) -> Result<Vec<RunKey>> {
    // The store knows ids only, so a branch or a tag is resolved to its commit and looked up again.
    let missing = match store.find_by_name(name) {
        Err(StoreError::Missing(_)) => StoreError::Missing(name.to_owned()),
        answer => return Ok(answer.map_err(CommandError::from)?),
    };
    let discovered = crate::git::Repository::discover(Path::new("."));
    let resolved =
        discovered.ok().flatten().and_then(|repository| repository.resolve_revision(name).ok());
    match resolved.map(|commit| store.find_by_name(commit.as_str())) {
        None | Some(Err(StoreError::Missing(_))) => Err(CommandError::from(missing).into()),
        Some(answer) => Ok(answer.map_err(CommandError::from)?),
    }
}

/// Prints one run: its commit, its host, and the median of each benchmark.
fn print_run(key: &RunKey, run: &Run) -> Result<()> {
    let mut out = String::new();
    let branch = run.commit.as_ref().and_then(|commit| commit.branch.as_deref());
    let branch =
        branch.map(|branch| format!(" on {}", escape_for_terminal(branch))).unwrap_or_default();
    writeln!(
        out,
        "{} of commit {}{branch}, measured {}",
        key.id(),
        key.commit(),
        escape_for_terminal(&run.created)
    )?;
    let host = &run.host;
    writeln!(
        out,
        "host {}: {}, {}, {}, kernel {}",
        escape_for_terminal(&host.fingerprint),
        escape_for_terminal(&host.cpu_model),
        format_plural(host.cores as usize, "core"),
        escape_for_terminal(&host.os),
        escape_for_terminal(&host.kernel),
    )?;
    for benchmark in &run.benchmarks {
        // The median over the launches of each launch's median.
        let mut medians: Vec<_> = benchmark.digests().map(|digest| digest.p50).collect();
        medians.sort_unstable();
        let launches = format_plural(medians.len(), "launch");
        match medians.get(medians.len() / 2) {
            Some(median) => writeln!(
                out,
                "  {}  median {:.1} ns, {launches}",
                escape_for_terminal(&benchmark.to_id().to_string()),
                median.get(),
            )?,
            None => {
                writeln!(out, "  {}  failed", escape_for_terminal(&benchmark.to_id().to_string()))?;
            }
        }
    }
    print::print_answer(&out)
}

/// Removes all runs but those that `policy` keeps, and prints which runs were removed.
///
/// With `dry_run`, only prints what would be removed.
fn prune_runs(
    policy: &RetentionPolicy,
    dry_run: bool,
    store: &Store,
    push: Option<&RemoteArgs>,
) -> Result<()> {
    let pruned = match push.filter(|_| is_shared(store)) {
        _ if dry_run => store.preview_prune(policy).map_err(CommandError::from)?,
        Some(remote) => {
            with_remote(store, remote, |store, remote| store.prune_remote(remote, policy))?
        }
        None => store.prune(policy).map_err(CommandError::from)?,
    };
    let PruneSummary { removed, kept_count: kept } = pruned;
    let mut out = String::new();
    for key in &removed {
        writeln!(out, "{}", format_key(key))?;
    }
    let action = if dry_run { "would remove" } else { "removed" };
    writeln!(out, "{action} {}, kept {kept}", format_plural(removed.len(), "run"))?;
    print::print_answer(&out)
}

fn print_json(rows: &impl Serialize) -> Result<()> {
    print::print_answer(&(serde_json::to_string_pretty(rows)? + "\n"))
}
