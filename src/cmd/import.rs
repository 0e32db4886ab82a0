//! `perfgate import`: makes a run of files that another harness has written.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::Result;
use jiff::Timestamp;

use super::measure::{read_head, write_measured};
use crate::cli::ImportArgs;
use crate::measure::adapter::{AdapterChoice, AdapterError};
use crate::measure::harness::describe_left_out;
use crate::measure::soak::list_course_notes;
use crate::measure::{ObservedBenchmarks, import_launches};
use crate::run::{Run, SampleSource};
use crate::session::settings::parse_selection;
use crate::session::{CommandError, ExitStatus, measurement};

/// Runs `perfgate import`.
///
/// The status is inconclusive if no benchmark has samples. Fails if a file cannot be read, is not
/// what its harness writes, or is named twice, or if the run file cannot be written.
pub(super) fn run_import(args: &ImportArgs) -> Result<ExitStatus> {
    let selection = parse_selection(&args.bench)?;
    refuse_paths(args)?;
    let folder = Path::new(".");
    // Read first: the run file may appear next to the sources, and that makes the tree dirty.
    let commit = read_head(folder);
    let host = measurement::detect_host(SampleSource::Command, folder);
    let mut run = Run::new(Timestamp::now().to_string(), SampleSource::Command, host);
    run.commit = commit;
    run.settings.command = Some(measurement::format_command_line());
    let mut launches: Vec<ObservedBenchmarks> = Vec::new();
    for path in &args.files {
        let read =
            args.adapter.read_path(path).map_err(|error| explain(args.adapter, path, &error))?;
        run.notes.extend(describe_left_out(&read));
        run.notes.extend(read.launches.iter().flat_map(list_course_notes));
        launches.extend(read.launches);
    }
    for launch in &mut launches {
        launch.retain(|(id, _)| selection.selects(&id.name));
    }
    write_measured(&import_launches(run, launches), &args.output.output)
}

/// Fails if the run cannot be meant to be written there, or if a file is named twice.
fn refuse_paths(args: &ImportArgs) -> Result<()> {
    let output = &args.output.output;
    // A folder that is created for a mistyped path hides the mistake.
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let message = format!("there is no folder `{}` to write the run to", folder.display());
        let help = "name a folder that exists with --output, or create it first";
        return Err(CommandError::new_usage(message).with_help(help).into());
    }
    let output = fs::canonicalize(output).ok();
    let mut seen = HashSet::new();
    for path in &args.files {
        // A file that cannot be found is refused by name when it is read.
        let Ok(found) = fs::canonicalize(path) else { continue };
        if output.as_ref() == Some(&found) {
            let message = format!("the run would replace `{}`, which is imported", path.display());
            let help = "name another file with --output";
            return Err(CommandError::new_usage(message).with_help(help).into());
        }
        if !seen.insert(found) {
            let message = format!("`{}` is named twice, and each file is a launch", path.display());
            let help = "name each file once: the same launch again is no further evidence";
            return Err(CommandError::new_usage(message).with_help(help).into());
        }
    }
    Ok(())
}

/// Returns the error for a file that cannot be imported, with what to do.
fn explain(adapter: AdapterChoice, path: &Path, error: &AdapterError) -> anyhow::Error {
    let path = path.display();
    let message = match adapter {
        AdapterChoice::Auto => format!("failed to import `{path}`: {error}"),
        named => format!("failed to import `{path}` as {}: {error}", named.describe()),
    };
    let help = match error {
        AdapterError::Unrecognized => "name its harness with --adapter; --help lists the names",
        AdapterError::Io(_) => "name files that the harness has written",
        _ => "docs/adapters.md shows how each harness writes a file that perfgate reads",
    };
    CommandError::new_usage(message).with_help(help).into()
}
