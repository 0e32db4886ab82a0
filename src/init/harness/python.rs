//! pytest-benchmark.

use super::super::source_tree::{SourceTree, has_extension, list_folders};
use super::{FoundHarness, HarnessLanguage, MAX_NAMED_PATHS, OWN_FOLDER};
use crate::measure::command::quote_words;

/// Names under which a file names the plugin.
const PLUGIN_NAMES: [&str; 2] = ["pytest-benchmark", "pytest_benchmark"];
/// Files that hold the settings of pytest.
const SETTING_FILES: [&str; 4] = ["pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"];
/// Settings of whole test runs that skip benchmarks or make them slower.
const DISTURBING_OPTIONS: [&str; 6] = [
    "--benchmark-disable",
    "--benchmark-skip",
    "--cov",
    "--numprocesses",
    "-n auto",
    "no:benchmark",
];

/// Finds tests that use the fixture `benchmark`.
pub(super) fn find_pytest_benchmark(tree: &SourceTree) -> Option<FoundHarness> {
    let tests = tree.list_named(is_test_name);
    let benches: Vec<&str> =
        tests.into_iter().filter(|path| uses_fixture(&tree.read_text(path))).collect();
    let declared = find_declaration(tree);
    let evidence = declared.as_ref().map_or(*benches.first()?, |found| &found.0).to_owned();
    let is_package = tree.has_file("pyproject.toml") || tree.has_file("setup.py");
    let venv = format!("{OWN_FOLDER}/venv");
    // Without a package, the modules are found from the folder that pytest starts in.
    let pytest = if is_package { "bin/pytest" } else { "bin/python -m pytest" };
    let settings: String = SETTING_FILES.iter().map(|path| tree.read_text(path)).collect();
    let is_disturbed = DISTURBING_OPTIONS.iter().any(|option| settings.contains(option));
    let plain = if is_disturbed { " -o addopts=" } else { "" };
    let mut requirements = Vec::new();
    if is_package {
        requirements.push(match declared.as_ref().map(|(_, place)| place) {
            Some(Declaration::Extra(extra)) => format!("'.[{extra}]'"),
            _ => ".".to_owned(),
        });
    }
    match declared.as_ref() {
        Some((path, Declaration::Requirements)) => {
            requirements.push(format!("-r {}", quote_words(std::slice::from_ref(path))));
        }
        Some((_, Declaration::Group(group))) => requirements.push(format!("--group {group}")),
        _ => {}
    }
    requirements.push("pytest pytest-benchmark".to_owned());
    let pip = format!("{venv}/bin/pip install --quiet --disable-pip-version-check");
    // The pip of an older Python does not know groups.
    let is_group = matches!(declared, Some((_, Declaration::Group(_))));
    let upgrade = if is_group { format!("{pip} --upgrade pip && ") } else { String::new() };
    Some(FoundHarness {
        adapter: "pytest-benchmark",
        language: HarnessLanguage::Python,
        evidence,
        command: format!(
            "{venv}/{pytest} -q{plain} {} --benchmark-only --benchmark-max-time=0.2 --benchmark-json={{out}}",
            quote_words(&name_paths(&benches))
        ),
        prepare: format!("python3 -m venv {venv} && {upgrade}{pip} {}", requirements.join(" ")),
        packages: Vec::new(),
        remarks: is_disturbed
            .then(|| {
                "`addopts` of pytest is cleared, because it skips or disturbs benchmarks".to_owned()
            })
            .into_iter()
            .collect(),
    })
}

fn is_test_name(name: &str) -> bool {
    name.strip_suffix(".py").is_some_and(|stem| {
        stem.starts_with("test_") || stem.ends_with("_test") || stem.contains("bench")
    })
}

/// Returns whether a function of the Python source `text` takes the fixture.
fn uses_fixture(text: &str) -> bool {
    let definitions = text.lines().map(str::trim_start).filter(|line| line.starts_with("def test"));
    let takes = |line: &str| {
        let parameters = line.split_once('(').map_or("", |(_, rest)| rest);
        parameters.split(',').any(|parameter| {
            parameter.trim_start().split(|c: char| !is_name_part(c)).next() == Some("benchmark")
        })
    };
    definitions.into_iter().any(takes)
}

fn is_name_part(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// Returns what pytest is to collect: the files, or their folders if there are many.
fn name_paths(benches: &[&str]) -> Vec<String> {
    let folders = list_folders(benches);
    let named = if benches.len() <= MAX_NAMED_PATHS { benches.to_vec() } else { folders };
    if named.len() > MAX_NAMED_PATHS || named.contains(&"") {
        return vec![".".to_owned()];
    }
    named.into_iter().map(str::to_owned).collect()
}

/// Where a repository names the plugin.
enum Declaration {
    /// An extra of the package.
    Extra(String),
    /// A dependency group.
    Group(String),
    /// A file of requirements.
    Requirements,
    /// Elsewhere.
    Elsewhere,
}

/// Finds the file that names the plugin, and how it is installed from there.
fn find_declaration(tree: &SourceTree) -> Option<(String, Declaration)> {
    let names_plugin = |text: &str| PLUGIN_NAMES.iter().any(|name| text.contains(name));
    let manifest = tree.read_text("pyproject.toml");
    if names_plugin(&manifest) {
        return Some(("pyproject.toml".to_owned(), find_in_manifest(&manifest)));
    }
    let others = tree.list_named(|name| {
        ["setup.cfg", "setup.py", "tox.ini", "Pipfile", "noxfile.py"].contains(&name)
            || (name.contains("requirements")
                && ["txt", "in"].iter().any(|end| has_extension(name, end)))
    });
    let path = others.into_iter().find(|path| names_plugin(&tree.read_text(path)))?;
    let is_list = has_extension(path, "txt");
    let place = if is_list { Declaration::Requirements } else { Declaration::Elsewhere };
    Some((path.to_owned(), place))
}

/// Finds the list of `pyproject.toml` that names the plugin, by its lines.
fn find_in_manifest(manifest: &str) -> Declaration {
    let (mut section, mut key) = ("", "");
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') && line.ends_with(']') && !line.contains('"') {
            section = line;
        } else if let Some((name, _)) = line.split_once('=').filter(|(name, _)| {
            !name.trim().is_empty() && name.trim().chars().all(|c| is_name_part(c) || c == '-')
        }) {
            key = name.trim();
        }
        if PLUGIN_NAMES.iter().any(|name| line.contains(name)) {
            return match section {
                "[project.optional-dependencies]" => Declaration::Extra(key.to_owned()),
                "[dependency-groups]" => Declaration::Group(key.to_owned()),
                _ => Declaration::Elsewhere,
            };
        }
    }
    Declaration::Elsewhere
}
