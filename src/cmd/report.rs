//! `perfgate report`: renders a decision in the format that the reader asks for.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::cli::ReportArgs;
use crate::decision::Decision;
use crate::files;
use crate::render::Colour;
use crate::report::ReportContext;
use crate::run::FileError;
use crate::session::{CommandError, ExitStatus, print};

/// Shows a decision. The exit status is 0, whatever the verdict.
///
/// Fails if the decision cannot be read or the report cannot be written.
pub(super) fn run_report(args: &ReportArgs) -> Result<ExitStatus> {
    let decision = read_decision_file(&args.decision)?;
    match &args.output {
        Some(path) => {
            let content = print::render_decision(
                &decision,
                args.format,
                &ReportContext::default(),
                Colour::Off,
            )?;
            files::write_atomically(path, content.as_bytes())
                .with_context(|| format!("failed to write `{}`", path.display()))?;
        }
        None => print::print_decision(&decision, args.format)?,
    }
    Ok(ExitStatus::Pass)
}

/// Reads the decision in the file at `path`.
///
/// Fails if the file cannot be read or is not a decision.
pub(super) fn read_decision_file(path: &Path) -> Result<Decision> {
    let contents = fs::read(path).map_err(FileError::from);
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
