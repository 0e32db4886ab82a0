//! Reads run files and decision files, and explains why one cannot be read.

use std::path::Path;

use anyhow::Result;

use super::error::CommandError;
use crate::decision::Decision;
use crate::files;
use crate::run::{FileError, Run};

/// How the name of every schema of a run begins.
const RUN_SCHEMA_START: &str = "perfgate.run/";

/// Reads the run in the file at `path`.
///
/// # Errors
///
/// Fails if the file cannot be read or is not a run.
pub(crate) fn read_run(path: &Path) -> Result<Run> {
    Run::read(path).map_err(|error| {
        let command_error =
            CommandError::new_usage(format!("failed to read run `{}`: {error}", path.display()));
        match error {
            FileError::Io(_) => {
                command_error.with_help("`perfgate measure --output FILE` writes one")
            }
            FileError::NewerSchema { .. } => command_error.with_help("install a newer perfgate"),
            FileError::Schema { found, .. } if found.starts_with("perfgate.decision/") => {
                command_error.with_help("this is a decision: `perfgate report FILE` shows it")
            }
            FileError::Json(_) | FileError::Schema { .. } | FileError::Invalid(_) => command_error
                .with_help("measure it again, or see schemas/run.schema.json for its shape"),
        }
        .into()
    })
}

/// A file that `perfgate report` shows.
pub(crate) enum ReportInput {
    /// A decision.
    Decision(Box<Decision>),
    /// A run.
    Run(Box<Run>),
}

/// Reads the decision or the run in the file at `path`.
///
/// # Errors
///
/// Fails if the file cannot be read or is neither.
pub(crate) fn read_report_input(path: &Path) -> Result<ReportInput> {
    match read_decision(path) {
        Ok(decision) => Ok(ReportInput::Decision(Box::new(decision))),
        Err(FileError::Schema { found, .. }) if found.starts_with(RUN_SCHEMA_START) => {
            Ok(ReportInput::Run(Box::new(read_run(path)?)))
        }
        Err(error) => Err(explain_decision_error(path, error)),
    }
}

/// Reads the decision in the file at `path`.
///
/// # Errors
///
/// Fails if the file cannot be read or is not a decision.
pub(crate) fn read_decision_file(path: &Path) -> Result<Decision> {
    read_decision(path).map_err(|error| explain_decision_error(path, error))
}

fn read_decision(path: &Path) -> Result<Decision, FileError> {
    Decision::from_json(&files::read_given_file(path)?)
}

/// Adds the path and the remedy to the error of a decision file.
fn explain_decision_error(path: &Path, error: FileError) -> anyhow::Error {
    let command_error =
        CommandError::new_usage(format!("failed to read decision `{}`: {error}", path.display()));
    match error {
        FileError::Schema { found, .. } if found.starts_with(RUN_SCHEMA_START) => command_error
            .with_help(
                "this is a run: `perfgate check --run FILE` judges it, and writes decision.json",
            ),
        FileError::Io(_) => {
            command_error.with_help("`perfgate check` writes target/perfgate/decision.json")
        }
        FileError::NewerSchema { .. } => command_error.with_help("install a newer perfgate"),
        FileError::Json(_) | FileError::Schema { .. } | FileError::Invalid(_) => command_error
            .with_help("write it again with `perfgate check`, or see schemas/decision.schema.json"),
    }
    .into()
}
