//! Benchmarks of Go's `testing`.

use super::super::source_tree::{SourceTree, find_folder_of, list_folders};
use super::{FoundHarness, HarnessLanguage, MAX_NAMED_PATHS, join_folder, run_in_folder};
use crate::measure::command::quote_words;

/// Finds benchmark functions in the first module that has some.
pub(super) fn find_go_benchmarks(tree: &SourceTree) -> Option<FoundHarness> {
    let modules = tree.list_named(|name| name == "go.mod");
    let tests = tree.list_named(|name| name.ends_with("_test.go"));
    let benches: Vec<&str> = tests
        .into_iter()
        .filter(|path| {
            let text = tree.read_text(path);
            text.lines()
                .any(|line| line.starts_with("func Benchmark") && line.contains("*testing.B"))
        })
        .collect();
    // A test belongs to the innermost module around it.
    let find_module = |path: &str| {
        let around = modules
            .iter()
            .copied()
            .filter(|module| path.starts_with(&join_folder(find_folder_of(module))));
        around.max_by_key(|module| module.len())
    };
    let module = benches.iter().find_map(|path| find_module(path))?;
    let folder = find_folder_of(module);
    let own: Vec<&str> = benches
        .iter()
        .filter(|path| find_module(path) == Some(module))
        .map(|path| path.strip_prefix(&join_folder(folder)).unwrap_or(path))
        .collect();
    let packages = list_folders(&own);
    let packages = if packages.len() > MAX_NAMED_PATHS {
        "./...".to_owned()
    } else {
        let packages: Vec<String> = packages
            .into_iter()
            .map(|package| if package.is_empty() { ".".to_owned() } else { format!("./{package}") })
            .collect();
        quote_words(&packages)
    };
    Some(FoundHarness {
        adapter: "go",
        language: HarnessLanguage::Go,
        evidence: format!("{}{}", join_folder(folder), own.first()?),
        command: run_in_folder(
            folder,
            &format!("go test -run '^$' -bench . -benchmem -benchtime 50ms -count 3 {packages}"),
        ),
        prepare: run_in_folder(folder, &format!("go test -run '^$' {packages}")),
        packages: Vec::new(),
        remarks: Vec::new(),
    })
}
