//! The files that hold a decision and its reports.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::print::render_decision;
use crate::cli::DecisionFormat;
use crate::decision::Decision;
use crate::files;
use crate::render::Colour;
use crate::report::ReportContext;

/// Folder of perfgate's own files, below that of the workspace.
const OUTPUT_FOLDER: &str = "target/perfgate";

/// Writes the decision and its reports to `folder`.
///
/// # Errors
///
/// Fails if a report cannot be rendered or a file cannot be written.
pub(crate) fn write_decision_files(folder: &Path, decision: &Decision) -> Result<()> {
    let formats = [
        ("report.html", DecisionFormat::Html),
        ("report.md", DecisionFormat::Markdown),
        ("decision.json", DecisionFormat::Json),
    ];
    for (name, format) in formats {
        let shown = render_decision(decision, format, &ReportContext::default(), Colour::Off)?;
        write_output(folder, name, &shown)?;
    }
    Ok(())
}

/// Writes the file `name` in `folder`.
///
/// # Errors
///
/// Fails if the file cannot be written.
pub(crate) fn write_output(folder: &Path, name: &str, content: &str) -> Result<()> {
    let path = folder.join(name);
    files::write_atomically(&path, content.as_bytes())
        .with_context(|| format!("failed to write `{}`", path.display()))
}

/// Makes git ignore what perfgate writes below `folder`, its own folder and the file that does so
/// included: a repository without Cargo need not ignore `target`. A folder that cannot be written
/// makes the tree dirty, and nothing worse.
pub(crate) fn hide_output_folder(folder: &Path) {
    let path = folder.join(OUTPUT_FOLDER).join(".gitignore");
    if !path.exists() {
        let _ = files::write_atomically(&path, b"*\n");
    }
}
