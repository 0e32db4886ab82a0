//! `perfgate publish --issues`: keeps one issue per benchmark that got slower.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::{WorkflowEnvironment, WorkflowEvent, online, report_outcome};
use crate::files;
use crate::publish::issues::{ISSUE_LABEL, IssueStep, plan_issues};
use crate::session::{CommandError, ExitStatus, print};
use crate::site::BenchmarkStatus;

/// Updates the issues to match the status in the file at `path`.
///
/// A dry run prints the requests that would be sent if no issue existed. Fails if the status cannot
/// be read or GitHub cannot be reached.
pub(super) fn publish_issues(
    path: &Path,
    site: Option<&str>,
    environment: &WorkflowEnvironment,
    event: &WorkflowEvent,
    is_dry_run: bool,
) -> Result<ExitStatus> {
    let status = read_status(path)?;
    if is_dry_run {
        let plan = plan_issues(&status, &[], site).map_err(CommandError::new_usage)?;
        let to_post_request = |step| match step {
            IssueStep::Open { title, body, .. } => Some(serde_json::json!({
                "method": "POST", "path": format!("/repos/{}/issues", event.repository),
                "body": { "title": title, "body": body, "labels": [ISSUE_LABEL] },
            })),
            IssueStep::Edit { .. } | IssueStep::Close { .. } => None,
        };
        let documents = plan.steps.into_iter().filter_map(to_post_request);
        print::print_json_lines(documents)?;
        return Ok(ExitStatus::Pass);
    }
    report_outcome(&online::send_issues(environment, event, &status, site)?)
}

/// Reads the output of `perfgate trend status --format json`.
fn read_status(path: &Path) -> Result<Vec<BenchmarkStatus>> {
    let json = files::read_plain_file(path).map_err(|error| {
        CommandError::new_usage(format!("failed to read the status `{}`: {error}", path.display()))
            .with_help("write it with `perfgate trend status --format json`")
    })?;
    serde_json::from_slice(&json)
        .with_context(|| format!("`{}` is not what `trend status` writes", path.display()))
        .map_err(|error| {
            CommandError::new_usage(format!("{error:#}"))
                .with_help("write it with `perfgate trend status --format json`")
                .into()
        })
}
