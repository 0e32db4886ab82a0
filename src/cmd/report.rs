//! `perfgate report`: a decision as its reader wants it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{ExitStatus, Refusal, print};
use crate::cli::ReportArgs;
use crate::files;
use crate::render::Colour;
use crate::report::Context;
use crate::run::FileError;
use crate::verdict::Decision;

/// Shows a decision; status 0 for any that could be read.
pub(super) fn run(args: &ReportArgs) -> Result<ExitStatus> {
    let decision = read(&args.decision)?;
    match &args.output {
        Some(path) => {
            let shown = print::shown(&decision, args.format, &Context::default(), Colour::Off)?;
            files::write(path, shown.as_bytes())
                .with_context(|| format!("failed to write `{}`", path.display()))?;
        }
        None => print::decision(&decision, args.format)?,
    }
    Ok(ExitStatus::Pass)
}

/// The decision in the file at `path`.
pub(super) fn read(path: &Path) -> Result<Decision> {
    let read = fs::read(path).map_err(FileError::from);
    read.and_then(|json| Decision::from_json(&json)).map_err(|error| {
        let shown = path.display();
        let refusal = Refusal::usage(format!("failed to read decision `{shown}`: {error}"));
        match error {
            FileError::Schema { found, .. } if found.starts_with("perfgate.run/") => refusal.help(
                "this is a run: `perfgate check --run FILE` judges it, and writes decision.json",
            ),
            FileError::Io(_) => {
                refusal.help("`perfgate check` writes target/perfgate/decision.json")
            }
            FileError::Json(_) | FileError::Schema { .. } | FileError::Invalid(_) => refusal
                .help("write it again by `perfgate check`, or see schemas/decision.schema.json"),
        }
        .into()
    })
}
