//! Which runs may become baselines: those of commits that are in the default branch.
//!
//! A baseline is what later changes are compared with. A run of a change that is not merged, recorded
//! for a commit that later runs descend from, would hide that the change made the code slower.

use anyhow::Result;

use super::error::CommandError;
use super::workflow::WorkflowTrigger;
use crate::git::{CommitId, GitError, GitToken, ORIGIN, Repository};
use crate::run::Run;

/// Maximum number of commits of the default branch that are fetched to find a commit in it.
const MAX_FETCHED_COMMITS: usize = 1000;

/// Why a run may not become a baseline that others use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordingRefusal {
    /// A stranger may have written the run.
    #[error("a run under `{event}` may be from a pull request, whatever commit it names")]
    ForeignRun {
        /// Name of the event.
        event: String,
    },
    /// The commit is not in the default branch.
    #[error("commit {commit} is not in the default branch `{branch}`")]
    NotMerged {
        /// Abbreviated id of the commit.
        commit: String,
        /// Name of the branch.
        branch: String,
    },
    /// The default branch is not known.
    #[error("it is not known which branch is the default one, or whether the commit is in it")]
    NoDefaultBranch,
    /// The default branch cannot be fetched.
    #[error("it is not known whether the commit is in the default branch")]
    NotFetched(#[source] GitError),
}

impl RecordingRefusal {
    /// Returns what the user can do about the refusal.
    pub(crate) fn help(&self, in_workflow: bool) -> &'static str {
        match self {
            Self::ForeignRun { .. } => "record in a job that runs on pushes to the default branch",
            Self::NotMerged { .. } if in_workflow => {
                "baselines are recorded after the merge, by a job on pushes to the default branch"
            }
            Self::NotMerged { .. } => "push it after the merge, or share it as it is: --any-commit",
            Self::NoDefaultBranch | Self::NotFetched(_) if in_workflow => {
                "check out with `fetch-depth: 0`, and let the job read the repository: \
                 `contents: read`"
            }
            Self::NoDefaultBranch | Self::NotFetched(_) => {
                "fetch the default branch, or share the run as it is: --any-commit"
            }
        }
    }
}

impl From<(RecordingRefusal, bool)> for CommandError {
    fn from((refusal, in_workflow): (RecordingRefusal, bool)) -> Self {
        let cause = std::error::Error::source(&refusal).map(|cause| format!(": {cause}"));
        let cause = cause.unwrap_or_default();
        Self::new_usage(format!("not recorded as a baseline: {refusal}{cause}"))
            .with_help(refusal.help(in_workflow))
    }
}

/// Checks that `run` may become a baseline that others use: its commit is in the default branch of
/// `origin`, or outside of workflows in that of this clone. What this clone does not know is fetched.
///
/// A run that cannot be a baseline at all passes: the store refuses it with the reason.
///
/// # Errors
///
/// Fails with the reason if it may not.
pub(crate) fn check_recordable(
    repository: &Repository,
    run: &Run,
    trigger: Option<&WorkflowTrigger>,
) -> Result<(), RecordingRefusal> {
    if let Some(trigger) = trigger.filter(|trigger| trigger.is_privileged()) {
        return Err(RecordingRefusal::ForeignRun { event: trigger.event.clone() });
    }
    let commit = run.commit.as_ref().and_then(|commit| CommitId::parse(&commit.id));
    let Some(commit) = commit else { return Ok(()) };
    let name = trigger.and_then(WorkflowTrigger::default_branch);
    // The event of a timetable names no branch. What `origin` has checked out is then better known
    // than what this clone suggests.
    let default = if trigger.is_some() && name.is_none() {
        None
    } else {
        repository.find_default_branch(name)
    };
    let name = name.map(str::to_owned).or_else(|| Some(default.as_ref()?.name.clone()));
    let local = name.as_deref().filter(|_| trigger.is_none());
    let local = local.and_then(|name| repository.find_local_branch(name));
    let known = default.map(|default| default.tip).into_iter().chain(local);
    if known.into_iter().any(|tip| repository.is_contained(&commit, &tip)) {
        return Ok(());
    }
    let remote = repository.open_remote(ORIGIN, GitToken::from_environment());
    let remote = remote.map_err(RecordingRefusal::NotFetched)?;
    let fetched = if remote.is_known() {
        remote.fetch_branch_history(name.as_deref(), MAX_FETCHED_COMMITS)
    } else {
        Ok(None)
    };
    let fetched = fetched.map_err(RecordingRefusal::NotFetched)?;
    if fetched.as_ref().is_some_and(|tip| repository.is_contained(&commit, tip)) {
        return Ok(());
    }
    let branch = name.or_else(|| fetched.map(|_| "HEAD".to_owned()));
    let branch = branch.ok_or(RecordingRefusal::NoDefaultBranch)?;
    Err(RecordingRefusal::NotMerged { commit: commit.short_id().to_owned(), branch })
}
