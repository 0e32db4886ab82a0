//! Reads the environment of a workflow, in one place.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::files;
use crate::publish::event::{EventEnvironment, WorkflowEvent};
use crate::session::CommandError;

/// The variables of a GitHub workflow that `publish` reads.
pub(super) struct WorkflowEnvironment {
    /// The variables and the payload that describe the event.
    pub(super) trigger: EventEnvironment,
    /// Base address of GitHub's API.
    #[cfg(feature = "github")]
    pub(super) api_url: String,
    /// `GITHUB_TOKEN`, if set.
    pub(super) token: Option<String>,
    /// File for the step summary; `None` outside a workflow.
    pub(super) summary_path: Option<PathBuf>,
    /// File for the outputs of the step; `None` outside a workflow.
    pub(super) output_path: Option<PathBuf>,
    /// Folder of the checkout.
    pub(super) workspace: PathBuf,
    /// Base address of GitHub's web pages.
    server_url: String,
    /// Id of this workflow run; `None` outside a workflow.
    run_id: Option<String>,
}

impl WorkflowEnvironment {
    /// Reads the variables, and the payload of the event from the file `event`, or else from the
    /// file that `GITHUB_EVENT_PATH` names.
    ///
    /// Fails if there is no such file or it cannot be read.
    pub(super) fn read(event: Option<&Path>) -> Result<Self> {
        // The event comes from a file; everything else comes from variables.
        let path = event
            .map(Path::to_owned)
            .or_else(|| read_variable("GITHUB_EVENT_PATH").map(PathBuf::from));
        let path = path.ok_or_else(|| {
            CommandError::new_usage("there is no event: GITHUB_EVENT_PATH is not set").with_help(
                "publish runs in a GitHub workflow; elsewhere give it --event FILE and --dry-run",
            )
        })?;
        let payload = files::read_plain_file(&path).map_err(|error| {
            CommandError::new_usage(format!(
                "failed to read the event `{}`: {error}",
                path.display()
            ))
        })?;
        let trigger = EventEnvironment {
            name: read_variable("GITHUB_EVENT_NAME"),
            payload,
            repository: read_variable("GITHUB_REPOSITORY"),
            sha: read_variable("GITHUB_SHA"),
        };
        let read_or_default =
            |name: &str, default: &str| read_variable(name).unwrap_or_else(|| default.to_owned());
        Ok(Self {
            trigger,
            #[cfg(feature = "github")]
            api_url: read_or_default("GITHUB_API_URL", "https://api.github.com"),
            token: read_variable("GITHUB_TOKEN"),
            summary_path: read_variable("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            output_path: read_variable("GITHUB_OUTPUT").map(PathBuf::from),
            workspace: PathBuf::from(read_or_default("GITHUB_WORKSPACE", ".")),
            server_url: read_or_default("GITHUB_SERVER_URL", "https://github.com"),
            run_id: read_variable("GITHUB_RUN_ID"),
        })
    }

    /// Returns the address of the workflow run that measured. For `workflow_run`, that is the run
    /// that triggered this one.
    ///
    /// Returns `None` if the id of the run is not known.
    pub(super) fn run_url(&self, event: &WorkflowEvent) -> Option<String> {
        let run_id = event.artifact_run.map(|id| id.to_string()).or_else(|| self.run_id.clone())?;
        Some(format!("{}/{}/actions/runs/{run_id}", self.server_url, event.repository))
    }
}

/// Returns the value of a variable, or `None` if it is unset or empty. A workflow sets a variable
/// without a value to the empty string.
fn read_variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
