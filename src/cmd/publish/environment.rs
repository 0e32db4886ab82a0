//! What a workflow's environment says, gathered in one place.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::Result;

use super::Refusal;
use crate::publish::event::{Event, Trigger};

/// The variables of a GitHub workflow that `publish` reads.
pub(super) struct Environment {
    pub(super) trigger: Trigger,
    #[cfg(feature = "github")]
    pub(super) api_url: String,
    pub(super) token: Option<String>,
    pub(super) summary: Option<PathBuf>,
    pub(super) output: Option<PathBuf>,
    pub(super) workspace: PathBuf,
    server_url: String,
    run_id: Option<String>,
}

impl Environment {
    /// Reads them, and the event's payload from `event` or where `GITHUB_EVENT_PATH` says.
    pub(super) fn read(event: Option<&Path>) -> Result<Self> {
        let path =
            event.map(Path::to_owned).or_else(|| variable("GITHUB_EVENT_PATH").map(PathBuf::from));
        let path = path.ok_or_else(|| {
            Refusal::usage("there is no event: GITHUB_EVENT_PATH is not set").help(
                "publish runs in a GitHub workflow; elsewhere give it --event FILE and --dry-run",
            )
        })?;
        let payload = fs::read(&path).map_err(|error| {
            Refusal::usage(format!("failed to read the event `{}`: {error}", path.display()))
        })?;
        let trigger = Trigger {
            name: variable("GITHUB_EVENT_NAME"),
            payload,
            repository: variable("GITHUB_REPOSITORY"),
            sha: variable("GITHUB_SHA"),
        };
        let or = |name: &str, default: &str| variable(name).unwrap_or_else(|| default.to_owned());
        Ok(Self {
            trigger,
            #[cfg(feature = "github")]
            api_url: or("GITHUB_API_URL", "https://api.github.com"),
            token: variable("GITHUB_TOKEN"),
            summary: variable("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            output: variable("GITHUB_OUTPUT").map(PathBuf::from),
            workspace: PathBuf::from(or("GITHUB_WORKSPACE", ".")),
            server_url: or("GITHUB_SERVER_URL", "https://github.com"),
            run_id: variable("GITHUB_RUN_ID"),
        })
    }

    /// The page of the run that measured: for `workflow_run` not this one, but the one before it.
    pub(super) fn run_url(&self, event: &Event) -> Option<String> {
        let run = event.measured_by.map(|id| id.to_string()).or_else(|| self.run_id.clone())?;
        Some(format!("{}/{}/actions/runs/{run}", self.server_url, event.repository))
    }
}

/// A workflow sets what it has no value for to nothing.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
