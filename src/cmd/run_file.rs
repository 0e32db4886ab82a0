//! Runs that are read, and what is said when one cannot be.

use std::path::Path;

use anyhow::Result;

use super::CommandError;
use crate::run::{FileError, Run};

/// The run in the file at `path`.
pub(super) fn read_run(path: &Path) -> Result<Run> {
    Run::read(path).map_err(|error| {
        let command_error =
            CommandError::new_usage(format!("failed to read run `{}`: {error}", path.display()));
        match error {
            FileError::Io(_) => {
                command_error.with_help("`perfgate measure --output FILE` writes one")
            }
            FileError::Json(_) | FileError::Schema { .. } | FileError::Invalid(_) => command_error
                .with_help("measure it again, or see schemas/run.schema.json for its shape"),
        }
        .into()
    })
}
