//! The arguments of the commands that know GitHub.

use std::path::PathBuf;

use clap::Args;

use crate::publish::comment::CommentPolicy;
use crate::publish::request::PublishId;

/// `perfgate publish`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  perfgate publish target/perfgate/decision.json
  perfgate publish linux=linux/decision.json arm=arm/decision.json
  perfgate publish --artifact perfgate-decision     in a workflow_run workflow
  perfgate publish decision.json --event event.json --dry-run
  perfgate publish --issues status.json             in a nightly workflow

Reads GITHUB_EVENT_NAME, GITHUB_EVENT_PATH, GITHUB_REPOSITORY, GITHUB_SHA, GITHUB_API_URL,
GITHUB_TOKEN, GITHUB_STEP_SUMMARY and GITHUB_OUTPUT. The exit status is that of publishing, not the
verdict: 0 also when the token may not write, which a notice says.")]
pub(crate) struct PublishArgs {
    /// The decisions to publish together; NAME= tells several apart
    #[arg(value_name = "[NAME=]DECISION", required_unless_present_any = ["artifact", "issues"])]
    pub(crate) decisions: Vec<String>,
    /// Fetch the decision from this artifact of the run that started a `workflow_run`; may be repeated
    #[arg(long, value_name = "NAME", conflicts_with = "decisions")]
    pub(crate) artifact: Vec<String>,
    /// Keep an issue for each benchmark that got slower, from `trend status --format json`, in place of a comment
    #[arg(long, value_name = "STATUS", conflicts_with_all = ["decisions", "artifact", "check_run"])]
    pub(crate) issues: Option<PathBuf>,
    /// Address of the trend pages, for links in issues
    #[arg(long, value_name = "URL", requires = "issues")]
    pub(crate) site: Option<String>,
    /// Which comment and status, when a pull request has several
    #[arg(long, value_name = "ID", default_value = PublishId::DEFAULT)]
    pub(crate) id: PublishId,
    /// When to comment: `auto` (when there is something worth a word), `always` or `never`
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) comment: CommentPolicy,
    /// Make a check run as well; it stands under an arbitrary workflow of the commit
    #[arg(long)]
    pub(crate) check_run: bool,
    /// The event's payload [default: the file `GITHUB_EVENT_PATH` names]
    #[arg(long, value_name = "FILE")]
    pub(crate) event: Option<PathBuf>,
    /// Ask nothing of GitHub; print what a first publication would send, one JSON document a line
    #[arg(long, conflicts_with = "artifact")]
    pub(crate) dry_run: bool,
}

/// `perfgate init`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  perfgate init
  perfgate init --manifest-path engine/Cargo.toml --force")]
pub(crate) struct InitArgs {
    /// Path of the workspace's Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Replace files that are there already
    #[arg(long)]
    pub(crate) force: bool,
}
