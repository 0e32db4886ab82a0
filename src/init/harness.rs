//! The harnesses other than Criterion that a repository uses, and how perfgate starts each.

mod cmake;
mod golang;
mod java;
mod node;
mod python;

use std::path::Path;

use super::source_tree::SourceTree;
use crate::measure::command::quote_words;

/// Folder of perfgate's own files, which git ignores, for what a preparation builds.
const OWN_FOLDER: &str = "target/perfgate";

/// Most paths that a command names before it names their folders or everything.
const MAX_NAMED_PATHS: usize = 6;

/// A programming language, for the steps of a workflow that set it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HarnessLanguage {
    /// Python.
    Python,
    /// Go.
    Go,
    /// JavaScript and TypeScript on Node.
    Node,
    /// C and C++ with `CMake`.
    Cpp,
    /// Java and Kotlin.
    Java,
}

/// A harness that a repository uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundHarness {
    /// Name of its adapter.
    pub(crate) adapter: &'static str,
    /// The language of its benchmarks.
    pub(crate) language: HarnessLanguage,
    /// The file that shows that it is used, from the surveyed folder.
    pub(crate) evidence: String,
    /// Shell command that starts it once. `{out}` is the file that it writes.
    pub(crate) command: String,
    /// Shell command that builds or installs what it needs.
    pub(crate) prepare: String,
    /// Lines of shell of a workflow that install what the preparation needs.
    pub(crate) packages: Vec<String>,
    /// What the user must look at, one line each.
    pub(crate) remarks: Vec<String>,
}

impl HarnessLanguage {
    /// Returns the lines of the steps that set the language up in a workflow, without indentation.
    fn list_setup_steps(self) -> Vec<String> {
        let (action, inputs): (&str, Vec<String>) = match self {
            Self::Python => (
                "actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405 # v6.2.0",
                vec!["python-version: \"3.x\"".to_owned()],
            ),
            Self::Go => (
                "actions/setup-go@4a3601121dd01d1626a1e23e37211e3254c1c06c # v6.4.0",
                vec!["go-version: stable".to_owned(), "cache: false".to_owned()],
            ),
            Self::Node => (
                "actions/setup-node@6044e13b5dc448c55e2357c09f80417699197238 # v6.2.0",
                vec!["node-version: lts/*".to_owned(), "package-manager-cache: false".to_owned()],
            ),
            Self::Java => (
                "actions/setup-java@be666c2fcd27ec809703dec50e508c2fdc7f6654 # v5.2.0",
                vec!["distribution: temurin".to_owned(), "java-version: \"21\"".to_owned()],
            ),
            // The runners have CMake and a compiler.
            Self::Cpp => return Vec::new(),
        };
        let inputs = inputs.into_iter().map(|input| format!("    {input}"));
        [format!("- uses: {action}"), "  with:".to_owned()].into_iter().chain(inputs).collect()
    }
}

impl FoundHarness {
    /// Returns the lines of a workflow's steps that install what the preparation needs, without
    /// indentation.
    pub(super) fn list_setup_steps(&self) -> Vec<String> {
        let packages = self.packages.iter().map(|line| format!("- run: {line}"));
        self.language.list_setup_steps().into_iter().chain(packages).collect()
    }
}

/// Finds the harnesses that the files below `folder` use. Which are more likely to be the
/// repository's own comes first.
pub(crate) fn survey_harnesses(folder: &Path) -> Vec<FoundHarness> {
    let tree = SourceTree::read(folder);
    let mut found = Vec::new();
    found.extend(python::find_pytest_benchmark(&tree));
    found.extend(golang::find_go_benchmarks(&tree));
    found.extend(node::find_node_harness(&tree));
    found.extend(cmake::find_cmake_harness(&tree));
    found.extend(java::find_jmh(&tree));
    found
}

/// Returns `folder` with a slash at its end; empty for the root.
fn join_folder(folder: &str) -> String {
    if folder.is_empty() { String::new() } else { format!("{folder}/") }
}

/// Returns `command`, to be run in `folder`.
fn run_in_folder(folder: &str, command: &str) -> String {
    if folder.is_empty() {
        command.to_owned()
    } else {
        format!("cd {} && {command}", quote_words(&[folder.to_owned()]))
    }
}

#[cfg(test)]
mod tests;
