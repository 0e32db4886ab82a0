//! Reads run files, and explains why one cannot be read.

use std::path::Path;

use anyhow::Result;

use super::error::CommandError;
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
            FileError::Json(_) | FileError::Schema { .. } | FileError::Invalid(_) => command_error
                .with_help("measure it again, or see schemas/run.schema.json for its shape"),
        }
        .into()
    })
}
