//! `perfgate report`: renders a decision in the format that the reader asks for.

use anyhow::{Context as _, Result};

use crate::cli::ReportArgs;
use crate::files;
use crate::render::Colour;
use crate::report::ReportContext;
use crate::session::{ExitStatus, print, read_decision_file};

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
