//! Fetches what a check needs from the remote: the store's branch, and the history that a shallow
//! clone lacks.
//!
//! Of a branch that this clone lacks, only the runs that the check compares with are fetched.
//!
//! A failed fetch of the branch or the history does not fail the check. The check warns that its
//! baselines are missing, and with `--require-baseline` that counts.

use crate::cli::RemoteArgs;
use crate::git::{CommitId, FollowedParents, GitError, GitToken, ORIGIN, Remote, Repository};
use crate::note::Note;
use crate::store::{GitStore, Store, StoreError};

/// Maximum number of commits behind a shallow clone that are searched for a stored one.
const MAX_FETCHED_COMMITS: usize = 1000;

/// Fetches the branch of a git store if this clone lacks it, and in a workflow always, because a
/// runner that keeps its clone has an old one.
///
/// Returns a note with the reason if the fetch failed.
pub(super) fn fetch_branch(store: &Store, args: &RemoteArgs, in_workflow: bool) -> Option<Note> {
    let store = store.as_git().ok()?;
    let error = fetch_store(store, args, in_workflow).err()?;
    Some(Note::BaselinesNotFetched { cause: describe_store_error(&error) })
}

/// Fetches what the data branch has. If the repository has the branch already, fetches it only if
/// `always`. Fails if it cannot be fetched.
fn fetch_store(store: &GitStore, args: &RemoteArgs, always: bool) -> Result<(), StoreError> {
    if !always && store.has_branch()? {
        return Ok(());
    }
    let remote =
        store.repository().open_remote(&args.data_repository, GitToken::from_environment())?;
    // A local repository that was never pushed has no remote to fetch from.
    if args.data_repository == ORIGIN && !remote.is_known() {
        return Ok(());
    }
    // The whole branch is the way that every server knows, and it retries what may succeed later.
    store.fetch_view(&remote).or_else(|_| store.fetch(&remote))
}

/// Returns `head` and its ancestors.
///
/// Fetches the missing ancestors if `wanted` and the clone is shallow. If that fails, adds a note
/// to `notes` and returns only the commits of this clone.
pub(super) fn find_ancestry<'a>(
    repository: &'a Repository,
    head: &CommitId,
    wanted: bool,
    notes: &mut Vec<Note>,
) -> Box<dyn Iterator<Item = CommitId> + 'a> {
    let walk_local = || Box::new(repository.walk_ancestry(head, FollowedParents::All));
    if !wanted || !repository.is_shallow() {
        return walk_local();
    }
    let fetched = open_origin(repository)
        .and_then(|origin| origin.fetch_ancestry(head, FollowedParents::All, MAX_FETCHED_COMMITS));
    match fetched {
        Ok(commits) => Box::new(commits.into_iter()),
        Err(error) => {
            notes.push(Note::HistoryNotFetched { cause: describe_store_error(&error.into()) });
            walk_local()
        }
    }
}

/// Fetches a commit that a shallow clone lacks, or the files that a clone with a filter lacks, so that
/// it can be built.
///
/// Does nothing if everything is present. Fails if the remote cannot be opened or fetched.
pub(super) fn fetch_commit(repository: &Repository, commit: &CommitId) -> Result<(), GitError> {
    if !repository.is_shallow() || repository.has_commit(commit) {
        return repository.fetch_files_of(commit);
    }
    open_origin(repository)?.fetch_commit(commit)
}

/// Fetches the histories of `head` and of the branch `name` of `origin`, without files, and returns
/// the tip of that branch. Returns `None` if `origin` has no such branch. Fails if the remote cannot
/// be opened or fetched.
pub(super) fn fetch_default_branch(
    repository: &Repository,
    name: &str,
    head: &CommitId,
) -> Result<Option<CommitId>, GitError> {
    let origin = open_origin(repository)?;
    origin.fetch_ancestry(head, FollowedParents::All, MAX_FETCHED_COMMITS)?;
    origin.fetch_branch_history(Some(name), MAX_FETCHED_COMMITS)
}

fn open_origin(repository: &Repository) -> Result<Remote<'_>, GitError> {
    repository.open_remote(ORIGIN, GitToken::from_environment())
}

/// Returns the message of `error` with its cause.
pub(super) fn describe_store_error(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
