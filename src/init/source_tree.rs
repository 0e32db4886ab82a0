//! The files of a folder, as far as `perfgate init` looks for harnesses in them.

use std::fs;
use std::path::{Path, PathBuf};

/// Most entries of folders that are looked at. The rest is left out.
const MAX_ENTRIES: usize = 50_000;
/// Longest file that is read, in bytes.
const MAX_TEXT_BYTES: u64 = 1 << 20;
/// Folders of others' code and of what was built, by name.
const FOREIGN_FOLDERS: [&str; 15] = [
    "__pycache__",
    "_deps",
    "build",
    "dist",
    "env",
    "extern",
    "external",
    "node_modules",
    "out",
    "site-packages",
    "target",
    "third-party",
    "third_party",
    "vendor",
    "venv",
];

/// The files of a folder and of the folders in it, without those of others and hidden ones.
pub(super) struct SourceTree {
    root: PathBuf,
    /// Paths from the root with `/` between their parts, in the order of the alphabet.
    files: Vec<String>,
}

impl SourceTree {
    /// Lists the files below `root`. Links are not followed. What cannot be read is left out.
    pub(super) fn read(root: &Path) -> Self {
        let mut files = Vec::new();
        let mut folders = vec![String::new()];
        let mut count = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
                count += 1;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let Ok(kind) = entry.file_type() else { continue };
                if count > MAX_ENTRIES || name.starts_with('.') {
                    continue;
                }
                let path =
                    if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                if kind.is_dir() && !FOREIGN_FOLDERS.contains(&name.as_str()) {
                    folders.push(path);
                } else if kind.is_file() {
                    files.push(path);
                }
            }
        }
        files.sort_unstable();
        Self { root: root.to_owned(), files }
    }

    /// Returns whether there is a file at `path`.
    pub(super) fn has_file(&self, path: &str) -> bool {
        self.files.binary_search_by(|file| file.as_str().cmp(path)).is_ok()
    }

    /// Returns the paths of the files whose name `is_wanted` accepts.
    pub(super) fn list_named(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<&str> {
        let paths = self.files.iter().map(String::as_str);
        paths.filter(|path| is_wanted(path.rsplit('/').next().unwrap_or(path))).collect()
    }

    /// Returns the text of the file at `path`. It is empty if the file is too long, is not text or
    /// cannot be read.
    pub(super) fn read_text(&self, path: &str) -> String {
        let path = self.root.join(path);
        let is_short = path.metadata().is_ok_and(|data| data.len() <= MAX_TEXT_BYTES);
        if is_short { fs::read_to_string(path).unwrap_or_default() } else { String::new() }
    }
}

/// Returns whether the name of the file at `path` ends with a dot and `extension`.
pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|own| own == extension)
}

/// Returns the folder of `path`, which is empty for a file at the root.
pub(super) fn find_folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns the folders of `paths`, each once.
pub(super) fn list_folders<'a>(paths: &[&'a str]) -> Vec<&'a str> {
    let mut folders: Vec<&str> = paths.iter().map(|path| find_folder_of(path)).collect();
    folders.sort_unstable();
    folders.dedup();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_others_and_hidden_files_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["a/b.py", "c.py", "node_modules/x/y.py", ".git/z.py", "a/.hidden.py"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "text").unwrap();
        }
        let tree = SourceTree::read(folder.path());
        assert_eq!(tree.list_named(|name| has_extension(name, "py")), ["a/b.py", "c.py"]);
        assert!(tree.has_file("a/b.py") && !tree.has_file("b.py"));
        assert_eq!(tree.read_text("c.py") + &tree.read_text("gone"), "text");
        assert_eq!(list_folders(&["a/b.py", "a/c.py", "d.py"]), ["", "a"]);
    }
}
