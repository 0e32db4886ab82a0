//! `scripts/release` in a repository that has what it reads.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::github::root;
use crate::repositories::git_in;

/// What the script reads.
const FILES: [&str; 14] = [
    ".github/workflows/release.yml",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "action.yml",
    "checksums.txt",
    "fixtures/runs/quiet.json",
    "fixtures/runs/shifted.json",
    "scripts/action/check",
    "scripts/action/choose",
    "scripts/action/install",
    "scripts/action/publish",
    "scripts/pack-release",
    "scripts/release",
];

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A repository with the files of this one as they are in the working tree.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in FILES {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(root().join(name), path).unwrap();
    }
    fs::write(folder.path().join(".gitignore"), "target\narchives\n").unwrap();
    fs::write(folder.path().join("CHANGELOG.md"), format!("## {VERSION}\n")).unwrap();
    git_in(folder.path(), &["init", "--quiet", "--initial-branch=main"]);
    git_in(folder.path(), &["add", "--all"]);
    git_in(folder.path(), &["commit", "--quiet", "--message", "all"]);
    folder
}

fn release(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(folder.join("scripts/release"));
    command.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "tester");
        command.env(format!("GIT_{role}_EMAIL"), "tester@example.invalid");
    }
    command.output().unwrap()
}

#[test]
fn a_dry_run_ends_with_the_action_installing_from_its_archive() {
    let folder = repository();
    let binary = env!("CARGO_BIN_EXE_perfgate");
    let output = release(folder.path(), &[VERSION, "--dry-run", "--binary", binary]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("the action installed perfgate"), "{said}");
    assert!(said.contains(&format!("  perfgate-{VERSION}-")), "{said}");
    assert_eq!(git_in(folder.path(), &["tag", "--list"]), "");
    assert_eq!(git_in(folder.path(), &["status", "--porcelain"]), "");
}

#[test]
fn a_release_is_made_up_to_the_push() {
    let folder = repository();
    let archives = folder.path().join("archives");
    fs::create_dir(&archives).unwrap();
    let workflow = fs::read_to_string(root().join(".github/workflows/release.yml")).unwrap();
    let targets = workflow.lines().filter_map(|line| line.split_once("{ target: "));
    let targets: Vec<_> = targets.map(|(_, rest)| rest.split(',').next().unwrap()).collect();
    let arguments = [VERSION, "--archives", archives.to_str().unwrap()];
    for target in &targets {
        // As long as one is missing, there is no release.
        let output = release(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        fs::write(archives.join(format!("perfgate-{VERSION}-{target}.tar.gz")), target).unwrap();
    }
    let output = release(folder.path(), &arguments);
    assert!(output.status.success(), "{output:?}");
    let tag = format!("v{VERSION}");
    let sums = git_in(folder.path(), &["show", &format!("{tag}:checksums.txt")]);
    for target in targets {
        let name = format!("perfgate-{VERSION}-{target}.tar.gz");
        assert!(
            sums.lines().any(|line| line.ends_with(&name) && line.len() == 66 + name.len()),
            "{sums}"
        );
    }
    let output = release(folder.path(), &arguments);
    assert!(String::from_utf8(output.stderr).unwrap().contains("exists"), "the tag was made twice");
}

#[test]
fn a_release_of_something_else_than_the_commit_is_refused() {
    let folder = repository();
    for (arguments, why) in [
        (&["v1"][..], "name a version"),
        (&["99.0.0", "--dry-run"], "Cargo.toml has another version"),
        (&[VERSION], "--archives names the folder"),
    ] {
        let output = release(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(why));
    }
    fs::write(folder.path().join("action.yml"), "changed").unwrap();
    let output = release(folder.path(), &[VERSION, "--dry-run"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("the working tree has changes"));
}
