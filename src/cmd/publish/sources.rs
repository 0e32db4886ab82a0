//! The sources of the benches in the checkout, for the lines of annotations.

use std::fs;
use std::path::Path;

use super::environment::Environment;
use crate::publish::event::Event;
use crate::publish::source::SourceFile;

/// Folders below the repository's root that are looked into for `benches`.
const DEPTH: usize = 4;
/// A longer file is not written by hand.
const LONGEST: u64 = 1 << 20;

/// Rust files in folders called `benches`; none for `workflow_run`, whose checkout is another commit.
pub(super) fn benches(environment: &Environment, event: &Event) -> Vec<SourceFile> {
    let mut found = Vec::new();
    if event.measured_by.is_none() {
        look_into(&environment.workspace, "", DEPTH, &mut found);
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// What cannot be read is left out: it costs an annotation its line and nothing else.
fn look_into(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<SourceFile>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
            continue;
        };
        let path = format!("{prefix}{name}");
        let is_built = name.starts_with('.') || name == "target" || name == "node_modules";
        if kind.is_dir() && depth > 0 && !is_built {
            look_into(&entry.path(), &format!("{path}/"), depth - 1, found);
        }
        let is_bench = prefix.split('/').any(|part| part == "benches")
            && Path::new(&name).extension().is_some_and(|extension| extension == "rs");
        let is_short = || entry.metadata().is_ok_and(|about| about.len() <= LONGEST);
        if kind.is_file() && is_bench && is_short() {
            found.extend(
                fs::read_to_string(entry.path()).ok().map(|text| SourceFile { path, text }),
            );
        }
    }
}
