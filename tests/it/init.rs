//! `perfgate init` in different kinds of repositories.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::github::{perfgate, root};

fn repository(benches: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let manifest = format!(
        "[package]\nname = \"engine\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n{benches}"
    );
    write("Cargo.toml", &manifest);
    write("src/lib.rs", "");
    write("benches/tokens.rs", "fn main() {}\n");
    write(".git/HEAD", "ref: refs/heads/feature\n");
    write(".git/refs/remotes/origin/HEAD", "ref: refs/remotes/origin/trunk\n");
    folder
}

const CRITERION: &str =
    "[dev-dependencies]\ncriterion = \"0.8\"\n\n[[bench]]\nname = \"tokens\"\nharness = false\n";

fn init(folder: &Path, arguments: &[&str]) -> Output {
    perfgate().arg("init").args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn the_examples_are_what_init_writes_for_a_plain_repository() {
    let folder = repository(CRITERION);
    fs::write(
        folder.path().join(".git/refs/remotes/origin/HEAD"),
        "ref: refs/remotes/origin/main\n",
    )
    .unwrap();
    let output = init(folder.path(), &[]);
    assert!(output.status.success(), "{output:?}");
    for name in ["perfgate.yml", "perfgate-publish.yml"] {
        let written =
            fs::read_to_string(folder.path().join(".github/workflows").join(name)).unwrap();
        let example = fs::read_to_string(root().join("examples/workflows").join(name)).unwrap();
        assert_eq!(written, example, "{name}");
    }
}

#[test]
fn it_looks_at_the_benches_and_the_default_branch() {
    let folder = repository(CRITERION);
    let output = init(folder.path(), &[]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("`tokens`") && said.contains("next ") && said.contains("`trunk`"),
        "{said}"
    );
    let workflow =
        fs::read_to_string(folder.path().join(".github/workflows/perfgate.yml")).unwrap();
    assert!(workflow.contains("branches: [trunk]"), "{workflow}");
    let config = fs::read_to_string(folder.path().join("perfgate.toml")).unwrap();
    assert!(config.contains("tokens/**"), "{config}");
}

#[test]
fn nothing_is_overwritten_without_force() {
    let folder = repository(CRITERION);
    fs::write(folder.path().join("perfgate.toml"), "mine").unwrap();
    let output = init(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`perfgate.toml` exists already") && said.contains("--force"), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("perfgate.toml")).unwrap(), "mine");
    assert!(!folder.path().join(".github").exists(), "half of the files were written");
    assert!(init(folder.path(), &["--force"]).status.success());
    assert_ne!(fs::read_to_string(folder.path().join("perfgate.toml")).unwrap(), "mine");
}

#[test]
fn a_bench_without_criterion_is_named() {
    let folder = repository("[[bench]]\nname = \"tokens\"\n");
    let output = init(folder.path(), &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("nothing to measure") && said.contains("`tokens`: they do not use Criterion"),
        "{said}"
    );
}

#[test]
fn a_workspace_below_the_repository_keeps_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inner = repository(CRITERION);
    fs::create_dir_all(folder.path().join(".git")).unwrap();
    fs::write(folder.path().join(".git/HEAD"), "ref: refs/heads/dev\n").unwrap();
    let engine = folder.path().join("engine");
    fs::rename(inner.path(), &engine).unwrap();
    fs::remove_dir_all(engine.join(".git")).unwrap();
    let output = init(folder.path(), &["--manifest-path", "engine/Cargo.toml"]);
    assert!(output.status.success(), "{output:?}");
    let workflow =
        fs::read_to_string(folder.path().join(".github/workflows/perfgate.yml")).unwrap();
    assert!(
        workflow.contains("working-directory: engine\n") && workflow.contains("branches: [dev]"),
        "{workflow}"
    );
    assert!(engine.join("perfgate.toml").exists());
}

#[test]
fn where_there_is_no_workspace_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = init(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("Cargo.toml") && said.contains("help: "), "{said}");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}
