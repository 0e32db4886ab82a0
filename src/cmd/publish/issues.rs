//! `perfgate publish --issues`: one issue a benchmark that got slower.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::super::{ExitStatus, Refusal};
use super::{Environment, Event, lines, online};
use crate::publish::annotation::notice;
use crate::publish::issues::{LABEL, Step, plan};
use crate::site::Status;

/// Brings the issues up to date with the status in `path`, or prints what would be sent where none stands.
pub(super) fn settle(
    path: &Path,
    site: Option<&str>,
    environment: &Environment,
    event: &Event,
    is_dry_run: bool,
) -> Result<ExitStatus> {
    let status = read(path)?;
    if is_dry_run {
        let plan = plan(&status, &[], site).map_err(Refusal::usage)?;
        let post = |step| match step {
            Step::Open { title, body, .. } => Some(serde_json::json!({
                "method": "POST", "path": format!("/repos/{}/issues", event.repository),
                "body": { "title": title, "body": body, "labels": [LABEL] },
            })),
            Step::Edit { .. } | Step::Close { .. } => None,
        };
        lines(plan.steps.into_iter().filter_map(post).map(|document| document.to_string()))?;
        return Ok(ExitStatus::Pass);
    }
    let notices = online::settled(environment, event, &status, site)?;
    lines(notices.iter().map(|text| notice(text)))?;
    Ok(ExitStatus::Pass)
}

fn read(path: &Path) -> Result<Vec<Status>> {
    let json = fs::read(path).map_err(|error| {
        Refusal::usage(format!("failed to read the status `{}`: {error}", path.display()))
            .help("write it with `perfgate trend status --format json`")
    })?;
    serde_json::from_slice(&json)
        .with_context(|| format!("`{}` is not what `trend status` writes", path.display()))
        .map_err(|error| {
            Refusal::usage(format!("{error:#}"))
                .help("write it with `perfgate trend status --format json`")
                .into()
        })
}
