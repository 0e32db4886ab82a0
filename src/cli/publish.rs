//! The arguments of the commands that know GitHub.

use std::path::PathBuf;

use clap::Args;

use super::measure::parse_adapter;
use crate::init::InstallMethod;
use crate::measure::adapter::AdapterChoice;
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
verdict. It is also 0 if the token may not write; a notice then states this.")]
pub(crate) struct PublishArgs {
    /// Decision files to publish together; NAME= labels each of several
    #[arg(value_name = "[NAME=]DECISION", required_unless_present_any = ["artifact", "issues"])]
    pub(crate) decisions: Vec<String>,
    /// Fetch the decision from this artifact of the run that started a `workflow_run`; may be repeated
    #[arg(long, value_name = "NAME", conflicts_with = "decisions")]
    pub(crate) artifact: Vec<String>,
    /// Instead of commenting, keep one issue per benchmark that got slower; STATUS is from `trend status --format json`
    #[arg(long, value_name = "STATUS", conflicts_with_all = ["decisions", "artifact", "check_run"])]
    pub(crate) issues: Option<PathBuf>,
    /// URL of the trend pages, to which benchmarks link
    #[arg(long, value_name = "URL")]
    pub(crate) site: Option<String>,
    /// Name of this gate, if a pull request has several
    #[arg(long, value_name = "ID", default_value = PublishId::DEFAULT)]
    pub(crate) id: PublishId,
    /// When to comment: `auto` (when there is something to report), `always` or `never`
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) comment: CommentPolicy,
    /// Create a check run as well; GitHub lists it under an arbitrary workflow of the commit
    #[arg(long)]
    pub(crate) check_run: bool,
    /// Send nothing to GitHub; write the step summary, the annotations and the outputs of the step
    #[arg(long, conflicts_with_all = ["artifact", "issues", "dry_run", "check_run"])]
    pub(crate) summary_only: bool,
    /// The event's payload [default: the file named by `GITHUB_EVENT_PATH`]
    #[arg(long, value_name = "FILE")]
    pub(crate) event: Option<PathBuf>,
    /// Send nothing; print the requests of a first publication, one JSON document per line
    #[arg(long, conflicts_with = "artifact")]
    pub(crate) dry_run: bool,
}

/// `perfgate init`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  perfgate init
  perfgate init --manifest-path engine/Cargo.toml --force
  perfgate init --adapter go                        Go benchmarks, whatever else is found
  perfgate init --check                             what is wrong with the workflows that exist

With --check, the exit status is 2 if something is wrong.")]
pub(crate) struct InitArgs {
    /// Path of the workspace's Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Measure with this harness, if several are found [default: Criterion benches, else the first]
    #[arg(long, value_name = "NAME", value_parser = parse_adapter(), conflicts_with = "manifest_path")]
    pub(crate) adapter: Option<AdapterChoice>,
    /// Overwrite existing files
    #[arg(long)]
    pub(crate) force: bool,
    /// How the workflows get perfgate: `cargo`, `release` or `path` [default: `release` if this version has one, else `cargo`]
    #[arg(long, value_name = "METHOD")]
    pub(crate) install: Option<InstallMethod>,
    /// Write nothing; print what is wrong with the workflows that use perfgate
    #[arg(long, conflicts_with_all = ["force", "install", "adapter"])]
    pub(crate) check: bool,
}
