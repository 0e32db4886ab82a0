//! The exit statuses of the commands, and the errors that end a command with one of them.

use std::fmt;
use std::process::ExitCode;

use thiserror::Error;

use crate::decision::{Decision, FAIL_STATUS, INCONCLUSIVE_STATUS, PASS_STATUS, Verdict};
use crate::git::GitError;
use crate::store::StoreError;
use crate::text::write_visible;

/// Exit status of a command. The README lists the same table. A check has the status that its decision
/// file names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitStatus {
    /// The command did its work; for `check`, the gate does not block.
    Pass = PASS_STATUS,
    /// perfgate itself failed.
    PerfgateFailed = 1,
    /// The usage, the configuration or an input file is wrong.
    Usage = 2,
    /// A requested capability is not available.
    Unavailable = 3,
    /// The gate failed.
    Fail = FAIL_STATUS,
    /// The gate is inconclusive and blocks.
    Inconclusive = INCONCLUSIVE_STATUS,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

impl From<&Decision> for ExitStatus {
    fn from(decision: &Decision) -> Self {
        match decision.verdict {
            Verdict::Fail => Self::Fail,
            Verdict::Inconclusive if decision.is_blocking() => Self::Inconclusive,
            Verdict::Pass | Verdict::Inconclusive => Self::Pass,
        }
    }
}

/// An error that ends a command, with its exit status and its remedy.
///
/// Attached to another error as context, it supplies the exit status and the `help:` line.
#[derive(Debug, Error)]
#[error("{message}")]
pub(crate) struct CommandError {
    status: ExitStatus,
    message: String,
    /// Text of the `help:` line; `None` if no remedy is known.
    help: Option<String>,
}

impl CommandError {
    /// Returns an error in usage, configuration or input.
    pub(crate) fn new_usage(message: impl fmt::Display) -> Self {
        Self { status: ExitStatus::Usage, message: message.to_string(), help: None }
    }

    /// Returns a failure of perfgate itself for which a remedy may exist.
    pub(crate) fn new_failure(message: impl fmt::Display) -> Self {
        Self { status: ExitStatus::PerfgateFailed, message: message.to_string(), help: None }
    }

    /// Returns the error that a requested capability is not available.
    pub(crate) fn new_unavailable(message: impl fmt::Display) -> Self {
        Self { status: ExitStatus::Unavailable, message: message.to_string(), help: None }
    }

    /// Adds the remedy, which is printed as the `help:` line.
    #[must_use]
    pub(crate) fn with_help(mut self, help: impl fmt::Display) -> Self {
        self.help = Some(help.to_string());
        self
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        let message = match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        let command_error = match &error {
            StoreError::Git(GitError::NoGit(_)) => Self::new_unavailable(message),
            _ if error.is_usage() => Self::new_usage(message),
            _ => Self::new_failure(message),
        };
        match error.help() {
            Some(help) => command_error.with_help(help),
            None => command_error,
        }
    }
}

impl From<GitError> for CommandError {
    fn from(error: GitError) -> Self {
        StoreError::from(error).into()
    }
}

/// Returns the lines for standard error and the exit status of a command that failed.
///
/// The status is [`ExitStatus::PerfgateFailed`] unless a [`CommandError`] sets another one.
pub(crate) fn explain_error(error: &anyhow::Error) -> (String, ExitStatus) {
    let command_error = error.downcast_ref::<CommandError>();
    let help = command_error.and_then(|command_error| command_error.help.as_deref());
    let help = help.map(|help| format!("\nhelp: {}", write_in_one_line(help))).unwrap_or_default();
    (
        format!("error: {}{help}", write_in_one_line(&format!("{error:#}"))),
        command_error.map_or(ExitStatus::PerfgateFailed, |command_error| command_error.status),
    )
}

/// Returns the text in one line, with control characters spelled out. Errors quote files and names
/// of strangers, which must not look like a line of perfgate's.
fn write_in_one_line(text: &str) -> String {
    let lines = text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
    let mut shown = String::new();
    let joined = lines.collect::<Vec<_>>().join(" ");
    write_visible(&mut shown, &joined).expect("a string takes everything");
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_several_lines_is_one_line_without_literal_line_ends() {
        let error = anyhow::anyhow!("failed to load\n\nCaused by:\n  no file\u{1b}[0m");
        let (message, _) = explain_error(&error);
        assert_eq!(message, "error: failed to load Caused by: no file\\u{1b}[0m");
    }
}
