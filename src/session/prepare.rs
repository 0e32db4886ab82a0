//! Runs the command of `measure.prepare`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::command_line::mask_secrets;
use super::error::CommandError;
use super::print;
use crate::process::{Interrupt, StderrTarget, run_process};
use crate::render::notes::describe_failure;

/// Runs `prepare`, the command of `measure.prepare`, in `folder`, if there is one, and prints its
/// output. `PERFGATE_ROOT` is `root`, the folder in the working tree that `folder` stands for.
///
/// # Errors
///
/// Fails if the command cannot be started or does not succeed.
pub(super) fn run_prepare(
    prepare: Option<&str>,
    root: &Path,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<()> {
    let Some(command) = prepare else { return Ok(()) };
    // An error reaches the report, which others read.
    let shown = mask_secrets(command);
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder);
    shell.env("PERFGATE_ROOT", root);
    let (stderr, no_limit) = (StderrTarget::User, Duration::MAX);
    let outcome = run_process(&mut shell, stderr, no_limit, interrupt, |line| {
        print::print_note(&String::from_utf8_lossy(line.bytes));
        false
    })
    .with_context(|| format!("failed to run `{shown}`"))?;
    let Some(failure) = outcome.to_failure(no_limit) else { return Ok(()) };
    let message =
        format!("`{shown}` in `{}`: {}", folder.display(), describe_failure(&failure.reason));
    Err(CommandError::new_usage(message).with_help("see measure.prepare in perfgate.toml").into())
}
