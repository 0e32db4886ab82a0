//! What a workflow's environment says, gathered in one place.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::Result;

use super::CommandError;
use crate::publish::event::{EventEnvironment, WorkflowEvent};

/// The variables of a GitHub workflow that `publish` reads.
pub(super) struct WorkflowEnvironment {
    pub(super) trigger: EventEnvironment,
    #[cfg(feature = "github")]
    pub(super) api_url: String,
    pub(super) token: Option<String>,
    pub(super) summary_path: Option<PathBuf>,
    pub(super) output_path: Option<PathBuf>,
    pub(super) workspace: PathBuf,
    server_url: String,
    run_id: Option<String>,
}

impl WorkflowEnvironment {
    /// Reads them, and the event's payload from `event` or where `GITHUB_EVENT_PATH` says.
    pub(super) fn read(event: Option<&Path>) -> Result<Self> {
        let path = event
            .map(Path::to_owned)
            .or_else(|| read_variable("GITHUB_EVENT_PATH").map(PathBuf::from));
        let path = path.ok_or_else(|| {
            CommandError::new_usage("there is no event: GITHUB_EVENT_PATH is not set").with_help(
                "publish runs in a GitHub workflow; elsewhere give it --event FILE and --dry-run",
            )
        })?;
        let payload = fs::read(&path).map_err(|error| {
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

    /// The page of the run that measured: for `workflow_run` not this one, but the one before it.
    pub(super) fn run_url(&self, event: &WorkflowEvent) -> Option<String> {
        let run_id = event.artifact_run.map(|id| id.to_string()).or_else(|| self.run_id.clone())?;
        Some(format!("{}/{}/actions/runs/{run_id}", self.server_url, event.repository))
    }
}

/// A workflow sets what it has no value for to nothing.
fn read_variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
