//! The commands, one module per command. Each module reads like a table of contents.

mod baseline;
mod bisect;
mod calibrate;
mod check;
mod compare;
mod doctor;
mod evaluate;
mod explain;
mod guard;
mod init;
mod onnx;
mod measure;
mod import;
mod inspect;
mod report;
mod publish;
mod trend;

use anyhow::Result;

use crate::cli::{Cli, CliCommand};
use crate::measure::criterion;
use crate::session::ExitStatus;

/// Runs the command that the arguments name, and returns its exit status.
///
/// # Errors
///
/// Fails if the command cannot do its work. [`explain_error`](crate::session::explain_error) turns
/// the error into a message and a status.
pub(crate) fn dispatch(cli: Cli) -> Result<ExitStatus> {
    match cli.command {
        CliCommand::Compare(args) => compare::run_compare(&args),
        CliCommand::Report(args) => report::run_report(&args),
        CliCommand::Baseline(args) => baseline::run_baseline(&args),
        CliCommand::Check(args) => check::run_check(&args),
        CliCommand::Calibrate(args) => calibrate::run_calibrate(&args),
        CliCommand::Import(args) => import::run_import(&args),
        CliCommand::Inspect(args) => inspect::run_inspect(&args),
        CliCommand::OnnxWorker(args) => onnx::run_onnx_worker(&args),
        CliCommand::Measure(args) => measure::run_measure(args),
        CliCommand::Doctor(args) => doctor::run_doctor(&args),
        CliCommand::Evaluate(args) => evaluate::run_evaluate(&args),
        CliCommand::Explain(args) => explain::run_explain(&args),
        CliCommand::Bisect(args) => bisect::run_bisect(&args),
        CliCommand::Trend(args) => trend::run_trend(&args),
        CliCommand::RecordEnvironment(args) => {
            criterion::record_environment(&args.executable)?;
            Ok(ExitStatus::Pass)
        }
        CliCommand::Guard => Ok(guard::run_guard()),
        CliCommand::Publish(args) => publish::run_publish(&args),
        CliCommand::Init(args) => init::run_init(&args),
    }
}
