//! One module a command; each reads like a table of contents.

mod baseline;
mod calibrate;
mod check;
mod compare;
mod doctor;
mod evaluate;
mod files;
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

use crate::cli::{Cli, Command};
use crate::measure::criterion;
use crate::verdict::Verdict;

/// How a command ends. The README lists the same table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// The command did what was asked; for `check`, the gate passed.
    Pass = 0,
    /// perfgate failed.
    Failed = 1,
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
pub(crate) struct Refusal {
    status: ExitStatus,
    message: String,
    help: Option<String>,
}

impl Refusal {
    /// Usage, configuration or unreadable input.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { status: ExitStatus::Usage, message: message.to_string(), help: None }
    }

    /// perfgate failed, for a reason that something can be done about.
    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self { status: ExitStatus::Failed, message: message.to_string(), help: None }
    }

    /// A capability that is not there.
    pub(crate) fn unavailable(message: impl fmt::Display) -> Self {
        Self { status: ExitStatus::Unavailable, message: message.to_string(), help: None }
    }

    /// With a remedy.
    #[must_use]
    pub(crate) fn help(mut self, help: impl fmt::Display) -> Self {
        self.help = Some(help.to_string());
        self
    }
}

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Result<ExitStatus> {
    match cli.command {
        Command::Compare(args) => compare::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Baseline(args) => baseline::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Measure(args) => measure::run(args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Trend(args) => trend::run(&args),
        Command::RecordEnvironment(args) => {
            criterion::record(&args.records, &args.executable)?;
            Ok(ExitStatus::Pass)
        }
        Command::Guard => Ok(guard::run()),
        Command::Publish(args) => publish::run(&args),
        Command::Init(args) => init::run(&args),
    }
}

/// The lines for standard error, and the status, of a command that could not go on.
pub(crate) fn explain(error: &anyhow::Error) -> (String, ExitStatus) {
    let refusal = error.downcast_ref::<Refusal>();
    let help = refusal.and_then(|refusal| refusal.help.as_deref());
    let help = help.map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    (
        format!("error: {error:#}{help}"),
        refusal.map_or(ExitStatus::Failed, |refusal| refusal.status),
    )
}
