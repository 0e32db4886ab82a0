//! The files that hold a decision and its reports.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::print::render_decision;
use crate::cli::DecisionFormat;
use crate::decision::Decision;
use crate::files;
use crate::render::{Colour, FlameFile, draw_flame_files};
use crate::report::ReportContext;

/// Folder of the flame graphs, beside the decision.
const FLAME_FOLDER: &str = "flame-graphs";

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
    write_flame_graphs(&folder.join(FLAME_FOLDER), decision)
}

/// Writes the flame graphs of `decision` to `folder`, and removes those of an earlier decision.
///
/// Fails if a file cannot be written or removed.
fn write_flame_graphs(folder: &Path, decision: &Decision) -> Result<()> {
    let drawings = draw_flame_files(decision);
    let earlier = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for path in earlier.map(|entry| entry.path()) {
        let is_drawing = path.extension().is_some_and(|extension| extension == "svg");
        let stays = drawings.iter().any(|file| path.ends_with(&file.name));
        if is_drawing && !stays {
            files::remove_if_present(&path)
                .with_context(|| format!("failed to remove `{}`", path.display()))?;
        }
    }
    for FlameFile { name, svg } in &drawings {
        write_output(folder, name, svg)?;
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
