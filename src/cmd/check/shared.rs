//! What a check fetches by itself: the store's branch, and history that a shallow clone lacks.
//!
//! Nothing here fails a check. Without its baselines it says so, and `--require-baseline` makes that
//! count.

use crate::cli::RemoteArgs;
use crate::git::{CommitId, FollowedParents, GitError, GitToken, Remote, Repository};
use crate::store::{Store, StoreError};

/// The remote that the code comes from.
const ORIGIN: &str = "origin";

/// Commits behind a shallow clone among which a recorded one is looked for.
const FARTHEST: usize = 1000;

/// Fetches the branch of a git store that this clone does not have; says why where it could not.
pub(super) fn fetch_branch(store: &Store, args: &RemoteArgs) -> Option<String> {
    let store = store.as_git().ok()?;
    let fetched = || -> Result<(), StoreError> {
        if store.has_branch()? {
            return Ok(());
        }
        let remote =
            store.repository().open_remote(&args.data_repository, GitToken::from_environment())?;
        // A repository of one's own that was never pushed anywhere.
        if args.data_repository == ORIGIN && !remote.is_known() {
            return Ok(());
        }
        store.fetch(&remote)
    };
    let error = fetched().err()?;
    Some(format!("the baselines could not be fetched: {}", describe_store_error(&error)))
}

/// `head` and what came before it, fetched where the clone is shallow and `wanted`; what could not
/// be had is noted.
pub(super) fn find_ancestry<'a>(
    repository: &'a Repository,
    head: &CommitId,
    wanted: bool,
    notes: &mut Vec<String>,
) -> Box<dyn Iterator<Item = CommitId> + 'a> {
    let here = || Box::new(repository.walk_ancestry(head, FollowedParents::All));
    if !wanted || !repository.is_shallow() {
        return here();
    }
    let fetched = open_origin(repository)
        .and_then(|origin| origin.fetch_ancestry(head, FollowedParents::All, FARTHEST));
    match fetched {
        Ok(commits) => Box::new(commits.into_iter()),
        Err(error) => {
            notes.push(format!(
                "the history behind this shallow clone could not be fetched, so baselines of \
                 earlier commits are not found: {}",
                describe_store_error(&error.into())
            ));
            here()
        }
    }
}

/// Fetches a commit that lies behind a shallow clone, so that it can be built.
pub(super) fn fetch_commit(repository: &Repository, commit: &CommitId) -> Result<(), GitError> {
    if !repository.is_shallow() || repository.has_commit(commit) {
        return Ok(());
    }
    open_origin(repository)?.fetch_commit(commit)
}

fn open_origin(repository: &Repository) -> Result<Remote<'_>, GitError> {
    repository.open_remote(ORIGIN, GitToken::from_environment())
}

fn describe_store_error(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
