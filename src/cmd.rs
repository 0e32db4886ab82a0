//! The commands, one module per command. Each module reads like a table of contents.

mod run_file;
mod baseline;
mod gate;
mod evaluate;
mod print;
mod compare;
mod guard;
mod init;
mod progress;
mod measure;
mod doctor;
mod project;
mod pair;
mod calibrate;
mod check;
mod report;
mod publish;
mod trend;

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;
use thiserror::Error;

use crate::cli::{Cli, CliCommand};
use crate::measure::criterion;
use crate::verdict::Verdict;

/// Exit status of a command. The README lists the same table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// The command did its work; for `check`, the gate passed.
    Pass = 0,
    /// perfgate itself failed.
    PerfgateFailed = 1,
    /// The usage, the configuration or an input file is wrong.
    Usage = 2,
    /// A requested capability is not available.
    Unavailable = 3,
    /// The gate failed.
    Fail = 10,
    /// The gate is inconclusive.
    Inconclusive = 11,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

impl From<Verdict> for ExitStatus {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Inconclusive => Self::Inconclusive,
            Verdict::Fail => Self::Fail,
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

/// Runs the command that the arguments name, and returns its exit status.
///
/// # Errors
///
/// Fails if the command cannot do its work. [`explain_error`] turns the error into a message and a
/// status.
pub(crate) fn dispatch(cli: Cli) -> Result<ExitStatus> {
    match cli.command {
        CliCommand::Compare(args) => compare::run_compare(&args),
        CliCommand::Report(args) => report::run_report(&args),
        CliCommand::Baseline(args) => baseline::run_baseline(&args),
        CliCommand::Check(args) => check::run_check(&args),
        CliCommand::Calibrate(args) => calibrate::run_calibrate(&args),
        CliCommand::Measure(args) => measure::run_measure(args),
        CliCommand::Doctor(args) => doctor::run_doctor(&args),
        CliCommand::Evaluate(args) => evaluate::run_evaluate(&args),
        CliCommand::Trend(args) => trend::run_trend(&args),
        CliCommand::RecordEnvironment(args) => {
            criterion::record_environment(&args.records, &args.executable)?;
            Ok(ExitStatus::Pass)
        }
        CliCommand::Guard => Ok(guard::run_guard()),
        CliCommand::Publish(args) => publish::run_publish(&args),
        CliCommand::Init(args) => init::run_init(&args),
    }
}

/// Returns the lines for standard error and the exit status of a command that failed.
///
/// The status is [`ExitStatus::PerfgateFailed`] unless a [`CommandError`] sets another one.
pub(crate) fn explain_error(error: &anyhow::Error) -> (String, ExitStatus) {
    let command_error = error.downcast_ref::<CommandError>();
    let help = command_error.and_then(|command_error| command_error.help.as_deref());
    let help = help.map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    (
        format!("error: {error:#}{help}"),
        command_error.map_or(ExitStatus::PerfgateFailed, |command_error| command_error.status),
    )
}
