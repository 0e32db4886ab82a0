//! One module a command; each reads like a table of contents.

mod baseline;
mod calibrate;
mod check;
mod compare;
mod doctor;
mod evaluate;
mod run_file;
mod gate;
mod guard;
mod init;
mod measure;
mod pair;
mod print;
mod progress;
mod project;
mod publish;
mod report;
mod trend;

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;
use thiserror::Error;

use crate::cli::{Cli, CliCommand};
use crate::measure::criterion;
use crate::verdict::Verdict;

/// How a command ends. The README lists the same table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// The command did what was asked; for `check`, the gate passed.
    Pass = 0,
    /// perfgate failed.
    PerfgateFailed = 1,
    /// Usage, configuration or unreadable input.
    Usage = 2,
    /// A capability that was asked for is not available.
    Unavailable = 3,
    /// The gate failed.
    Fail = 10,
    /// The gate cannot tell.
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

/// What a command cannot go on with, and what can be done about it.
///
/// Attached to an error as context, it gives the exit status and the `help:` line.
#[derive(Debug, Error)]
#[error("{message}")]
pub(crate) struct CommandError {
    status: ExitStatus,
    message: String,
    help: Option<String>,
}

impl CommandError {
    /// Usage, configuration or unreadable input.
    pub(crate) fn new_usage(message: impl fmt::Display) -> Self {
        Self { status: ExitStatus::Usage, message: message.to_string(), help: None }
    }

    /// perfgate failed, for a reason that something can be done about.
    pub(crate) fn new_failure(message: impl fmt::Display) -> Self {
        Self { status: ExitStatus::PerfgateFailed, message: message.to_string(), help: None }
    }

    /// A capability that is not there.
    pub(crate) fn new_unavailable(message: impl fmt::Display) -> Self {
        Self { status: ExitStatus::Unavailable, message: message.to_string(), help: None }
    }

    /// With a remedy.
    #[must_use]
    pub(crate) fn with_help(mut self, help: impl fmt::Display) -> Self {
        self.help = Some(help.to_string());
        self
    }
}

/// Runs the command.
pub(crate) fn dispatch(cli: Cli) -> Result<ExitStatus> {
    match cli.command {
        CliCommand::Compare(args) => compare::run(&args),
        CliCommand::Report(args) => report::run(&args),
        CliCommand::Baseline(args) => baseline::run(&args),
        CliCommand::Check(args) => check::run(&args),
        CliCommand::Calibrate(args) => calibrate::run(&args),
        CliCommand::Measure(args) => measure::run(args),
        CliCommand::Doctor(args) => doctor::run(&args),
        CliCommand::Evaluate(args) => evaluate::run(&args),
        CliCommand::Trend(args) => trend::run(&args),
        CliCommand::RecordEnvironment(args) => {
            criterion::record_environment(&args.records, &args.executable)?;
            Ok(ExitStatus::Pass)
        }
        CliCommand::Guard => Ok(guard::run()),
        CliCommand::Publish(args) => publish::run(&args),
        CliCommand::Init(args) => init::run(&args),
    }
}

/// The lines for standard error, and the status, of a command that could not go on.
pub(crate) fn explain_error(error: &anyhow::Error) -> (String, ExitStatus) {
    let command_error = error.downcast_ref::<CommandError>();
    let help = command_error.and_then(|command_error| command_error.help.as_deref());
    let help = help.map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    (
        format!("error: {error:#}{help}"),
        command_error.map_or(ExitStatus::PerfgateFailed, |refusal| refusal.status),
    )
}
