//! The workflow that perfgate runs in, as far as it decides what a change is compared with, what may
//! be measured and what may be recorded.
//!
//! Events are described by GitHub, not by the change. Other servers that run such workflows set the
//! same variables.

use std::env;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use super::error::CommandError;
use crate::files;
use crate::git::CommitId;

/// Events whose jobs have the rights and secrets of the repository, although a stranger starts them.
const PRIVILEGED_EVENTS: [&str; 2] = ["pull_request_target", "workflow_run"];

/// The event of a merge queue.
const MERGE_GROUP: &str = "merge_group";

/// The event that started the workflow.
#[derive(Clone, Debug)]
pub(crate) struct WorkflowTrigger {
    /// Name of the event: `pull_request`, `push`, ….
    pub(crate) event: String,
    payload: TriggerPayload,
}

/// The parts of an event's description that are used. All are `None` if the description cannot be
/// read.
#[derive(Clone, Debug, Default, Deserialize)]
struct TriggerPayload {
    repository: Option<TriggerRepository>,
    pull_request: Option<TriggerPull>,
    merge_group: Option<TriggerGroup>,
}

#[derive(Clone, Debug, Deserialize)]
struct TriggerRepository {
    default_branch: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct TriggerPull {
    base: Option<TriggerCommit>,
    head: Option<TriggerCommit>,
}

#[derive(Clone, Debug, Deserialize)]
struct TriggerCommit {
    sha: String,
}

#[derive(Clone, Debug, Deserialize)]
struct TriggerGroup {
    base_sha: Option<String>,
}

impl WorkflowTrigger {
    /// Returns the event of the workflow, or `None` outside of workflows.
    pub(crate) fn detect() -> Option<Self> {
        let event = env::var("GITHUB_EVENT_NAME").ok().filter(|name| !name.is_empty())?;
        let path = env::var_os("GITHUB_EVENT_PATH");
        let text = path.and_then(|path| files::read_plain_file(Path::new(&path)).ok());
        let payload = text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Some(Self { event, payload })
    }

    /// Returns whether the event is about a pull request, whatever its workflow may do.
    pub(crate) fn is_about_pull_request(&self) -> bool {
        self.event.starts_with("pull_request")
    }

    /// Returns whether a stranger may have made the change that is checked out: it is that of a pull
    /// request or of a merge group.
    pub(crate) fn is_proposal(&self) -> bool {
        self.is_about_pull_request() || self.event == MERGE_GROUP
    }

    /// Returns the tip of the branch that the pull request or the merge group goes into. Returns
    /// `None` for other events.
    pub(crate) fn find_base(&self) -> Option<CommitId> {
        let payload = &self.payload;
        let base = match self.event.as_str() {
            MERGE_GROUP => payload.merge_group.as_ref()?.base_sha.as_deref()?,
            _ if self.is_about_pull_request() => {
                payload.pull_request.as_ref()?.base.as_ref()?.sha.as_str()
            }
            _ => return None,
        };
        CommitId::parse(base)
    }

    /// Returns the last commit of the pull request, or `None` for other events.
    pub(crate) fn find_pull_head(&self) -> Option<CommitId> {
        CommitId::parse(&self.payload.pull_request.as_ref()?.head.as_ref()?.sha)
    }

    /// Returns the name of the repository's default branch, if the event has it.
    pub(crate) fn default_branch(&self) -> Option<&str> {
        self.payload.repository.as_ref()?.default_branch.as_deref()
    }

    /// Returns whether the jobs of this event have the rights and secrets of the repository although
    /// a stranger may have started them. A run file in such a job may be an artifact of the stranger,
    /// and name any commit.
    pub(crate) fn is_privileged(&self) -> bool {
        PRIVILEGED_EVENTS.contains(&self.event.as_str())
    }
}

/// Refuses to build and run code in workflows that strangers can start and that have the rights of
/// the repository.
///
/// # Errors
///
/// Fails under `pull_request_target` and `workflow_run`.
pub(crate) fn refuse_privileged_measuring(trigger: Option<&WorkflowTrigger>) -> Result<()> {
    let Some(trigger) = trigger.filter(|trigger| trigger.is_privileged()) else { return Ok(()) };
    let message = format!(
        "nothing is measured under `{}`: its job has the rights of the repository, and the code of a \
         pull request would get them",
        trigger.event
    );
    let help = "measure under `pull_request`, and publish the decision in a workflow of its own: \
                `perfgate init` writes both";
    Err(CommandError::new_usage(message).with_help(help).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(event: &str, payload: &str) -> WorkflowTrigger {
        let payload = serde_json::from_str(payload).unwrap();
        WorkflowTrigger { event: event.to_owned(), payload }
    }

    #[test]
    fn only_a_pull_request_or_a_merge_group_has_a_base() {
        let id = "a".repeat(40);
        let both = format!(
            r#"{{"pull_request": {{"base": {{"sha": "{id}"}}}}, "merge_group": {{"base_sha": "{id}"}}}}"#
        );
        for (event, has_base) in
            [("pull_request", true), ("merge_group", true), ("push", false), ("schedule", false)]
        {
            assert_eq!(trigger(event, &both).find_base().is_some(), has_base, "{event}");
        }
        let no_id = r#"{"pull_request": {"base": {"sha": "../../x"}}}"#;
        assert_eq!(trigger("pull_request", no_id).find_base(), None);
    }

    #[test]
    fn measuring_is_refused_where_strangers_start_jobs_with_rights() {
        for (event, is_refused) in [
            ("pull_request_target", true),
            ("workflow_run", true),
            ("pull_request", false),
            ("push", false),
            ("issue_comment", false),
        ] {
            let refused = refuse_privileged_measuring(Some(&trigger(event, "{}"))).is_err();
            assert_eq!(refused, is_refused, "{event}");
        }
        assert!(refuse_privileged_measuring(None).is_ok());
    }
}
