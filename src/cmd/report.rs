//! `perfgate report`: renders a decision, or the figures of a run, in the format that the reader
//! asks for.

use anyhow::{Context as _, Result};

use crate::cli::ReportArgs;
use crate::files;
use crate::render::Colour;
use crate::report::ReportContext;
use crate::session::{ExitStatus, ReportInput, print, read_report_input};

/// Shows a decision or a run. The exit status is 0, whatever the verdict.
///
/// Fails if the file cannot be read, if the format does not fit it, or if the report cannot be
/// written.
pub(super) fn run_report(args: &ReportArgs) -> Result<ExitStatus> {
    let colour = if args.output.is_some() { Colour::Off } else { print::choose_colour() };
    let content = match read_report_input(&args.file)? {
        ReportInput::Decision(decision) => {
            print::render_decision(&decision, args.format, &ReportContext::default(), colour)?
        }
        ReportInput::Run(run) => print::render_run(&run, args.format)?,
    };
    match &args.output {
        Some(path) => files::write_atomically(path, content.as_bytes())
            .with_context(|| format!("failed to write `{}`", path.display()))?,
        None => print::print_rendered(&content, args.format)?,
    }
    Ok(ExitStatus::Pass)
}
