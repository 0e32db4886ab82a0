//! The source files of a bench target: its main file and the modules that it declares.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::files;

/// Deepest nesting of modules that is followed. It ends a cycle of `#[path]` attributes.
const MAX_MODULE_DEPTH: usize = 16;

/// Returns the source files of the target with the main file `main`: that file, and the files of the
/// modules below its folder, without symbolic links in their paths. A module that is elsewhere, such
/// as in `src`, is code under test.
///
/// Modules that a macro declares are not found. A file that cannot be read has no modules.
pub(crate) fn list_bench_files(main: &Path) -> BTreeSet<PathBuf> {
    let main = main.canonicalize().unwrap_or_else(|_| main.to_owned());
    let folder = main.parent().unwrap_or(Path::new(""));
    let mut files = BTreeSet::new();
    let mut pending = vec![(main.clone(), folder.to_owned(), 0)];
    while let Some((file, module_folder, depth)) = pending.pop() {
        if depth > MAX_MODULE_DEPTH || !file.starts_with(folder) || !files.insert(file.clone()) {
            continue;
        }
        let text = files::read_plain_text(&file).unwrap_or_default();
        for module in list_declared_modules(&text) {
            let found = match module.path {
                Some(path) => vec![file.parent().unwrap_or(folder).join(path)],
                None => vec![
                    module_folder.join(format!("{}.rs", module.name)),
                    module_folder.join(module.name).join("mod.rs"),
                ],
            };
            // Without symbolic links and `..`, a path shows which folder its file is in.
            if let Some(found) = found.iter().find_map(|file| file.canonicalize().ok()) {
                // The modules of `x/mod.rs` are beside it, those of `x.rs` in the folder `x`.
                let is_mod_file = found.file_name().is_some_and(|name| name == "mod.rs");
                let below = if is_mod_file || module.path.is_some() {
                    found.parent().unwrap_or(folder).to_owned()
                } else {
                    found.with_extension("")
                };
                pending.push((found, below, depth + 1));
            }
        }
    }
    files
}

/// A module that a file declares without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DeclaredModule<'a> {
    name: &'a str,
    /// Value of its `#[path]`; `None` without one.
    path: Option<&'a str>,
}

/// Returns the declarations like `mod name;` in `text`, each on a line of its own, as rustfmt writes
/// them.
fn list_declared_modules(text: &str) -> Vec<DeclaredModule<'_>> {
    let mut modules = Vec::new();
    let mut path = None;
    for line in text.lines().map(str::trim) {
        if let Some(value) = line.strip_prefix("#[path = \"") {
            path = value.split('"').next();
            continue;
        }
        if line.starts_with("#[") || line.starts_with("//") {
            continue;
        }
        let visible = line.strip_prefix("pub").map_or(line, str::trim_start);
        let visible = match visible.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            Some((_, rest)) => rest.trim_start(),
            None => visible,
        };
        let declared = visible.strip_prefix("mod ").and_then(|rest| rest.split_once(';'));
        if let Some((name, _)) = declared {
            modules.push(DeclaredModule { name: name.trim(), path });
        }
        path = None;
    }
    modules
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn modules_are_found_where_the_compiler_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let benches = folder.path().join("benches");
        let write = |name: &str, text: &str| {
            let file = benches.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        let main = "mod common;\n#[cfg(unix)]\npub(crate) mod data;\n#[path = \"odd/name.rs\"]\nmod odd;\n\
                    #[path = \"../src/tested.rs\"]\nmod tested;\nmod inline { mod inner; }\n// mod no;\n";
        write("encode.rs", main);
        write("common/mod.rs", "mod deep;\nmod gone;");
        write("common/deep.rs", "");
        write("data.rs", "mod rows;");
        write("data/rows.rs", "mod data;");
        write("odd/name.rs", "mod beside;");
        write("odd/beside.rs", "#[path = \"name.rs\"]\nmod again;");
        write("no.rs", "");
        write("other.rs", "mod common;");
        write("../src/tested.rs", "");
        let files = list_bench_files(&benches.join("encode.rs"));
        let names: Vec<_> = files
            .iter()
            .map(|file| {
                file.strip_prefix(benches.canonicalize().unwrap()).unwrap().display().to_string()
            })
            .collect();
        let expected = [
            "common/deep.rs",
            "common/mod.rs",
            "data/rows.rs",
            "data.rs",
            "encode.rs",
            "odd/beside.rs",
            "odd/name.rs",
        ];
        assert_eq!(names, expected);
    }
}
