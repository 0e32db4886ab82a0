//! Finds the sources of the benches in the checkout, which give annotations their lines.

use std::fs;
use std::path::Path;

use super::environment::WorkflowEnvironment;
use crate::publish::event::WorkflowEvent;
use crate::publish::source::SourceFile;

/// Maximum depth below the root of the repository at which sources are searched, in folders.
const MAX_DEPTH: usize = 4;
/// Maximum size of a source file in bytes. A longer file was not written by hand.
const MAX_SOURCE_BYTES: u64 = 1 << 20;

/// Returns the Rust files in folders named `benches`, sorted by path.
///
/// Returns none for `workflow_run`, because its checkout is another commit.
pub(super) fn find_bench_sources(
    environment: &WorkflowEnvironment,
    event: &WorkflowEvent,
) -> Vec<SourceFile> {
    let mut found = Vec::new();
    if event.artifact_run.is_none() {
        collect_bench_sources(&environment.workspace, "", MAX_DEPTH, &mut found);
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

/// Adds the sources in `folder` and at most `depth` folders below it to `found`.
///
/// Files that cannot be read are left out. An annotation then has no line, and nothing else is
/// lost.
fn collect_bench_sources(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<SourceFile>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
            continue;
        };
        let path = format!("{prefix}{name}");
        let is_built = name.starts_with('.') || name == "target" || name == "node_modules";
        if kind.is_dir() && depth > 0 && !is_built {
            collect_bench_sources(&entry.path(), &format!("{path}/"), depth - 1, found);
        }
        let is_bench = prefix.split('/').any(|part| part == "benches")
            && Path::new(&name).extension().is_some_and(|extension| extension == "rs");
        if !kind.is_file() || !is_bench {
            continue;
        }
        if entry.metadata().is_ok_and(|metadata| metadata.len() <= MAX_SOURCE_BYTES) {
            found.extend(
                fs::read_to_string(entry.path()).ok().map(|text| SourceFile { path, text }),
            );
        }
    }
}
