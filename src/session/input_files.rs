//! Reads run files and decision files, and explains why one cannot be read.

use std::path::Path;

use anyhow::Result;

use super::error::CommandError;
use crate::decision::Decision;
use crate::files;
use crate::run::{FileError, Run};

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

/// Reads the decision in the file at `path`.
///
/// # Errors
///
/// Fails if the file cannot be read or is not a decision.
pub(crate) fn read_decision_file(path: &Path) -> Result<Decision> {
    let contents = files::read_plain_file(path).map_err(FileError::from);
    contents.and_then(|json| Decision::from_json(&json)).map_err(|error| {
        let shown_path = path.display();
        let command_error = CommandError::new_usage(format!("failed to read decision `{shown_path}`: {error}"));
        match error {
            FileError::Schema { found, .. } if found.starts_with("perfgate.run/") => command_error.with_help(
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
    })
}
