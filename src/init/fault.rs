//! What can be wrong with a workflow, and what to do about it.

use std::fmt;

use super::OWN_VERSION;

/// Something that keeps a workflow from doing what it is for, or that makes it unsafe.
///
/// Its text has two parts: what is wrong, and after a semicolon what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WorkflowFault {
    /// The file cannot be read as a workflow. The value is the reason.
    Unreadable(String),
    /// No workflow of the repository uses the action.
    Unused,
    /// No workflow records baselines.
    NoRecording,
    /// A measuring job leaves publishing to another workflow, which does not exist.
    NoPublishing,
    /// The publishing workflow waits for other workflows than the one of this name, which measures.
    OtherName(String),
    /// The publishing workflow reads an artifact that no measuring job uploads.
    OtherArtifact(String),
    /// The workflow does not start in a merge queue.
    NoMergeGroup,
    /// Measuring is started by an event whose jobs may write.
    UntrustedTrigger(&'static str),
    /// The concurrency group contains the name of a branch, which forks choose.
    SharedConcurrency,
    /// Neither the job nor its workflow names permissions.
    NoPermissions(String),
    /// A job that runs code of pull requests may write.
    MayWrite(String),
    /// A job lacks a permission that its step needs.
    NoPermission {
        /// Name of the job.
        job: String,
        /// The permission, as a line of `permissions`.
        permission: &'static str,
    },
    /// A job that may write uses an action by a name that can be moved.
    NotPinned(String),
    /// The step uses another version of perfgate than this one.
    OtherVersion(String),
    /// The job installs a release, and none of this version is known.
    NoRelease(String),
    /// The history is not fetched.
    ShallowCheckout(String),
    /// The decision is not uploaded when the gate fails.
    SkippedUpload(String),
}

impl fmt::Display for WorkflowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(reason) => write!(f, "it is not a workflow: {reason}; correct it"),
            Self::Unused => f.write_str("no workflow uses perfgate; `perfgate init` writes them"),
            Self::NoRecording => f.write_str(
                "no workflow records baselines; add perfgate-baseline.yml, which `perfgate init` writes",
            ),
            Self::NoPublishing => f.write_str(
                "nothing publishes what it finds; add perfgate-publish.yml, which `perfgate init` writes",
            ),
            Self::OtherName(name) => {
                write!(f, "it does not wait for the workflow that measures; write `workflows: [{name}]`")
            }
            Self::OtherArtifact(name) => {
                write!(f, "no measuring job uploads the artifact `{name}`; give both the same name")
            }
            Self::NoMergeGroup => f.write_str(
                "it does not start in a merge queue, where a required check then waits forever; add `merge_group:` to `on:`",
            ),
            Self::UntrustedTrigger(event) => write!(
                f,
                "`{event}` runs code of strangers with a token that may write; measure on `pull_request`"
            ),
            Self::SharedConcurrency => f.write_str(
                "a fork can choose a branch name that cancels the run of another pull request; write `github.event.pull_request.number` in the concurrency group",
            ),
            Self::NoPermissions(job) => write!(
                f,
                "job `{job}` has the permissions of the repository's settings; name its own `permissions:`"
            ),
            Self::MayWrite(job) => write!(
                f,
                "job `{job}` runs code of pull requests and may write; give it `contents: read` and publish in another workflow"
            ),
            Self::NoPermission { job, permission } => {
                write!(f, "job `{job}` lacks a permission; add `{permission}`")
            }
            Self::NotPinned(uses) => write!(
                f,
                "`{uses}` can become other code in a job that may write; name the hash of a commit"
            ),
            Self::OtherVersion(uses) => {
                write!(f, "`{uses}` is another version than this perfgate; write v{OWN_VERSION}")
            }
            Self::NoRelease(job) => write!(
                f,
                "job `{job}` installs a release, and this perfgate knows none of {OWN_VERSION}; add `install-method: cargo`"
            ),
            Self::ShallowCheckout(job) => write!(
                f,
                "job `{job}` checks out one commit, so perfgate fetches the history again; add `fetch-depth: 0`"
            ),
            Self::SkippedUpload(job) => write!(
                f,
                "job `{job}` uploads nothing when the gate fails; add `if: always()` to the upload"
            ),
        }
    }
}
