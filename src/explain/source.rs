//! Source files: whose they are, how a report names them, and what is in their lines.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::symbols::SourceFrame;

/// Parts of the paths of the standard library's files: as its compiled form has them, and in a
/// toolchain that has its source.
const STANDARD_MARKS: [&str; 2] = ["/rustc/", "/rustlib/src/rust/"];
/// Part of the path of a dependency's file. The folder of the registry follows.
const REGISTRY_MARK: &str = "/registry/src/";
/// Part of the path of a file of a dependency from git. The folder of the repository follows.
const CHECKOUT_MARK: &str = "/git/checkouts/";
/// Largest source file that is read, in bytes.
const MAX_SOURCE_BYTES: u64 = 4 << 20;
/// Longest line that is kept, in characters.
const MAX_LINE_CHARS: usize = 160;

/// Returns whether the code at this frame belongs to the standard library or to a library without
/// line tables. Such code runs on behalf of the function that calls it.
pub(super) fn is_standard(frame: &SourceFrame) -> bool {
    let file = frame.file.as_deref();
    file.is_none_or(|file| STANDARD_MARKS.iter().any(|mark| file.contains(mark)))
}

/// Returns how a report names the file: its path in the repository at `root`, or from the package of
/// a dependency.
pub(super) fn name_file(file: &str, root: &Path) -> String {
    let path = Path::new(file);
    if let Ok(inside) = path.strip_prefix(root) {
        return inside.to_string_lossy().into_owned();
    }
    for mark in [REGISTRY_MARK, CHECKOUT_MARK] {
        if let Some((_, rest)) = file.split_once(mark) {
            // The first folder is that of the registry or the repository, which a reader does not need.
            return rest.split_once('/').map_or(rest, |(_, inside)| inside).to_owned();
        }
    }
    file.to_owned()
}

/// The lines of source files, each file read once.
#[derive(Default)]
pub(crate) struct SourceTexts {
    files: HashMap<PathBuf, Vec<String>>,
}

impl SourceTexts {
    /// Returns a line of a file without indentation. Returns an empty text if the file or the line
    /// cannot be read.
    pub(super) fn read_line(&mut self, file: &str, line: u32) -> String {
        let path = PathBuf::from(file);
        let lines = self.files.entry(path).or_insert_with_key(|path| read_lines(path));
        let at = (line as usize).checked_sub(1);
        at.and_then(|at| lines.get(at)).cloned().unwrap_or_default()
    }
}

/// Returns the lines of a file, without indentation and cut. Returns none if it cannot be read.
fn read_lines(path: &Path) -> Vec<String> {
    // The name comes from a program, so it may be that of a device or of a huge file.
    let is_small =
        fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MAX_SOURCE_BYTES);
    let text = if is_small { fs::read(path).unwrap_or_default() } else { Vec::new() };
    let text = String::from_utf8_lossy(&text);
    text.lines().map(|line| line.trim().chars().take(MAX_LINE_CHARS).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_the_reader_knows_them() {
        let root = Path::new("/cache/base/work");
        for (file, name) in [
            ("/cache/base/work/src/lib.rs", "src/lib.rs"),
            ("/home/.cargo/registry/src/index-1/statrs-0.19.1/src/a.rs", "statrs-0.19.1/src/a.rs"),
            ("/home/.cargo/git/checkouts/repo-1/abc/src/a.rs", "abc/src/a.rs"),
            ("src/lib.rs", "src/lib.rs"),
        ] {
            assert_eq!(name_file(file, root), name);
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rs");
        fs::write(&file, "fn a() {\n    b();\n}\n").unwrap();
        let mut texts = SourceTexts::default();
        let path = file.to_str().unwrap();
        assert_eq!(texts.read_line(path, 2), "b();");
        for (path, line) in [(path, 0), (path, 9), ("/dev/zero", 1), ("/no/such/file", 1)] {
            assert_eq!(texts.read_line(path, line), "");
        }
    }
}
