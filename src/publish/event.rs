//! The GitHub event that started the workflow. It names the repository, the commit and the pull
//! request.

use serde::Deserialize;
use thiserror::Error;

/// The unparsed description of an event in a workflow's environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventEnvironment {
    /// Value of `GITHUB_EVENT_NAME`; `None` if it is not set.
    pub(crate) name: Option<String>,
    /// Content of the file at `GITHUB_EVENT_PATH`.
    pub(crate) payload: Vec<u8>,
    /// Value of `GITHUB_REPOSITORY`, owner and name; `None` if it is not set.
    pub(crate) repository: Option<String>,
    /// Value of `GITHUB_SHA`; `None` if it is not set.
    pub(crate) sha: Option<String>,
}

/// Why an event could not be read.
#[derive(Debug, Error)]
pub(crate) enum EventError {
    /// The payload is not JSON or does not have GitHub's structure.
    #[error("this is not a GitHub event: {0}")]
    Json(#[from] serde_json::Error),
    /// A required part of the event is missing or malformed.
    #[error("the event has no {0}")]
    Missing(&'static str),
    /// The payload and the environment name different repositories.
    #[error("the event is about `{event}`, but the workflow runs in `{workflow}`")]
    OtherRepository {
        /// Repository in the payload.
        event: String,
        /// Repository in which the workflow runs.
        workflow: String,
    },
}

/// Where the results are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkflowEvent {
    /// Name of the event: `pull_request`, `push`, ….
    pub(crate) name: String,
    /// Owner and name of the repository to which perfgate writes.
    pub(crate) repository: String,
    /// Id of the commit that gets the status; `None` if a branch was deleted.
    pub(crate) head: Option<String>,
    /// Pull request that gets the comment.
    pub(crate) pull: PullReference,
    /// Id of the workflow run whose artifacts hold the decisions; `None` unless the event is
    /// `workflow_run`.
    pub(crate) artifact_run: Option<u64>,
    /// How that run ended, such as `success` or `cancelled`; `None` if it is not known.
    pub(crate) run_conclusion: Option<String>,
}

/// How the event identifies the pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PullReference {
    /// The event is not about a pull request.
    None,
    /// The event contains the number of the pull request.
    Number(u64),
    /// The event contains only the branch of the open pull request: `workflow_run` has no number
    /// for forks.
    Branch {
        /// Owner and name of the repository that contains the branch.
        repository: String,
        /// Name of the branch.
        branch: String,
    },
}

#[derive(Deserialize)]
struct EventPayload {
    repository: Option<EventRepository>,
    pull_request: Option<EventPullRequest>,
    merge_group: Option<MergeGroup>,
    workflow_run: Option<WorkflowRun>,
    before: Option<String>,
    after: Option<String>,
}

#[derive(Deserialize)]
struct EventRepository {
    full_name: String,
}

#[derive(Deserialize)]
struct EventPullRequest {
    number: u64,
    head: EventHead,
}

#[derive(Deserialize)]
struct EventHead {
    sha: String,
}

#[derive(Deserialize)]
struct MergeGroup {
    head_sha: String,
}

#[derive(Deserialize)]
struct WorkflowRun {
    id: u64,
    event: String,
    head_sha: String,
    head_branch: Option<String>,
    conclusion: Option<String>,
    repository: EventRepository,
    head_repository: Option<EventRepository>,
}

impl WorkflowEvent {
    /// Reads the event that `trigger` describes.
    ///
    /// Fails if the payload does not have GitHub's structure, if the repository, the commit or
    /// another part that the event needs is missing or malformed, or if the payload is about
    /// another repository.
    pub(crate) fn read(trigger: &EventEnvironment) -> Result<Self, EventError> {
        let payload: EventPayload = serde_json::from_slice(&trigger.payload)?;
        let name = trigger.name.clone().unwrap_or_else(|| payload.guess_event_name().to_owned());
        let repository = payload.find_repository(trigger)?;
        let run = payload.workflow_run.as_ref();
        let run_conclusion = run.and_then(|run| run.conclusion.clone());
        let (head, pull, artifact_run) = match name.as_str() {
            "pull_request" | "pull_request_target" => {
                let pull = payload.pull_request.ok_or(EventError::Missing("pull request"))?;
                (Some(pull.head.sha), PullReference::Number(pull.number), None)
            }
            "merge_group" => {
                let group = payload.merge_group.ok_or(EventError::Missing("merge group"))?;
                (Some(group.head_sha), PullReference::None, None)
            }
            "workflow_run" => {
                let run = payload.workflow_run.ok_or(EventError::Missing("workflow run"))?;
                check_same_repository(&run.repository.full_name, &repository)?;
                (Some(run.head_sha.clone()), run.find_pull(), Some(run.id))
            }
            // An id of zeros means that the branch was deleted. No commit can get a status.
            "push" => (
                payload.after.filter(|id| id.bytes().any(|b| b != b'0')),
                PullReference::None,
                None,
            ),
            _ => {
                let sha = trigger.sha.clone().ok_or(EventError::Missing("commit"))?;
                (Some(sha), PullReference::None, None)
            }
        };
        if head.as_deref().is_some_and(|id| !is_object_id(id)) {
            return Err(EventError::Missing("commit id of 40 or 64 hexadecimal digits"));
        }
        Ok(Self { name, repository, head, pull, artifact_run, run_conclusion })
    }
}

impl EventPayload {
    /// Returns the name of the event, guessed from the payload, if the environment does not contain
    /// it.
    fn guess_event_name(&self) -> &'static str {
        if self.pull_request.is_some() {
            "pull_request"
        } else if self.workflow_run.is_some() {
            "workflow_run"
        } else if self.merge_group.is_some() {
            "merge_group"
        } else if self.before.is_some() && self.after.is_some() {
            "push"
        } else {
            "workflow_dispatch"
        }
    }

    fn find_repository(&self, trigger: &EventEnvironment) -> Result<String, EventError> {
        let event = self.repository.as_ref().map(|repository| repository.full_name.as_str());
        let workflow = trigger.repository.as_deref();
        if let (Some(event), Some(workflow)) = (event, workflow) {
            check_same_repository(event, workflow)?;
        }
        let name = workflow.or(event).ok_or(EventError::Missing("repository"))?;
        if is_repository_name(name) {
            Ok(name.to_owned())
        } else {
            Err(EventError::Missing("repository"))
        }
    }
}

impl WorkflowRun {
    fn find_pull(&self) -> PullReference {
        let is_pull_request = matches!(self.event.as_str(), "pull_request" | "pull_request_target");
        match (&self.head_repository, &self.head_branch) {
            (Some(EventRepository { full_name }), Some(branch))
                if is_pull_request && is_repository_name(full_name) =>
            {
                PullReference::Branch { repository: full_name.clone(), branch: branch.clone() }
            }
            _ => PullReference::None,
        }
    }
}

fn check_same_repository(event: &str, workflow: &str) -> Result<(), EventError> {
    if event.eq_ignore_ascii_case(workflow) {
        return Ok(());
    }
    Err(EventError::OtherRepository { event: event.to_owned(), workflow: workflow.to_owned() })
}

/// Returns whether `name` is an owner and a name in the characters that GitHub allows.
///
/// The name becomes part of request paths, so that no other character is accepted.
fn is_repository_name(name: &str) -> bool {
    let is_legal = |part: &str| {
        !part.is_empty()
            && !part.bytes().all(|byte| byte == b'.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    name.split_once('/').is_some_and(|(owner, name)| is_legal(owner) && is_legal(name))
}

fn is_object_id(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, payload: &str) -> Result<WorkflowEvent, EventError> {
        WorkflowEvent::read(&EventEnvironment {
            name: Some(name.to_owned()),
            payload: payload.into(),
            repository: Some("octo/repo".to_owned()),
            sha: Some("a".repeat(40)),
        })
    }

    #[test]
    fn a_repository_name_cannot_leave_its_place_in_a_path() {
        for bad in ["a", "/b", "a/", "a/b/c", "../b", "a/..", "a/b?x", "a b/c", "a/%2e"] {
            assert!(!is_repository_name(bad), "{bad}");
        }
        assert!(is_repository_name("octo-org/a.b_c-1"));
    }

    #[test]
    fn an_event_of_another_repository_is_refused() {
        let refused = read("schedule", r#"{"repository": {"full_name": "evil/repo"}}"#);
        assert!(matches!(refused, Err(EventError::OtherRepository { .. })));
    }

    #[test]
    fn a_commit_that_is_not_an_object_id_is_refused() {
        let payload = r#"{"merge_group": {"head_sha": "../../user"}}"#;
        assert!(read("merge_group", payload).is_err());
    }

    #[test]
    fn a_deleted_branch_has_no_commit() {
        let payload =
            format!(r#"{{"before": "{}", "after": "{}"}}"#, "a".repeat(40), "0".repeat(40));
        assert_eq!(read("push", &payload).unwrap().head, None);
    }

    #[test]
    fn a_pull_request_whose_fork_is_gone_is_still_one() {
        let head = "b".repeat(40);
        let payload = format!(
            r#"{{"pull_request": {{"number": 7, "head": {{"sha": "{head}", "repo": null}}}}}}"#
        );
        let event = read("pull_request", &payload).unwrap();
        assert_eq!((event.pull, event.head), (PullReference::Number(7), Some(head)));
    }
}
