//! Where the rules of a base are found. A change cannot lead the search elsewhere by links, and
//! cannot choose how much is measured. All of issue 13, item 5.

use std::fs;
#[cfg(unix)]
use std::path::Path;

use serde_json::Value;

use crate::base_of_change::{CALM, Change, SLOWER, bench};
use crate::command::text_of;
use crate::repositories::git_in;
use crate::rounds::{changes, warns};

const STRICT: &str = "[[target]]\nbench = \"**\"\nmean = \"1us\"\n";
const LOOSE: &str = "[gate]\nthreshold = \"50%\"\ndetect = \"60%\"\n";

#[test]
fn a_change_does_not_choose_how_little_is_measured_where_the_base_has_no_rules() {
    // The second file cannot be read.
    for base in [None, Some("launches = ")] {
        let mut files = vec![("benches/standin.rs", bench(CALM))];
        files.extend(base.map(|text| ("perfgate.toml", text.to_owned())));
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, &**text)).collect();
        let own = "[measure]\nbudget = \"1ms\"\nlaunches = 1\n";
        let slower = [("benches/standin.rs", &*bench(SLOWER)), ("perfgate.toml", own)];
        let change = Change::new(&files, &slower).merged();
        let (decision, output) = change.check_under("pull_request", &[]);
        assert_eq!(changes(&decision), [("a", "regressed")], "{}", text_of(&output));
        assert!(warns(&decision, "`measure.budget` (not set → 1ms)"), "{decision:#}");
        // On the user's own machine it is the user's choice.
        change.0.git("work", &["checkout", "--quiet", "change"]);
        let (decision, _) = change.check(&[]);
        assert!(!warns(&decision, "measure.budget"), "{decision:#}");
    }
}

#[test]
fn a_command_that_a_change_brings_does_not_prepare_the_base() {
    let own =
        "[measure]\nprepare = 'cp \"$PERFGATE_ROOT/benches/standin.rs\" benches/standin.rs'\n";
    let files = [("benches/standin.rs", &*bench(CALM))];
    let slower = [("benches/standin.rs", &*bench(SLOWER)), ("perfgate.toml", own)];
    let change = Change::new(&files, &slower).merged();
    let (decision, output) = change.check_under("pull_request", &[]);
    assert_eq!(changes(&decision), [("a", "regressed")], "{}", text_of(&output));
    assert!(warns(&decision, "the change edits `measure.prepare`"), "{decision:#}");
}

/// Returns the decision about recorded runs in `folder`, where a pull request is checked out.
#[cfg(unix)]
fn judge(change: &Change, folder: &Path, words: &[&str]) -> Value {
    let mut command = change.check_in(folder, words);
    command.arg("--run").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/runs/shifted.json"));
    command.arg("--baseline").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/runs/quiet.json"));
    change.in_workflow(&mut command, "pull_request");
    change.decide(command).0
}

/// Asserts that the rules of [`STRICT`] and the default rules judged.
#[cfg(unix)]
#[track_caller]
fn assert_strict(decision: &Value) {
    let benchmarks = decision["benchmarks"].as_array().unwrap();
    let targets = |benchmark: &Value| benchmark["targets"].as_array().map_or(0, Vec::len);
    assert!(benchmarks.iter().all(|benchmark| targets(benchmark) == 1), "{decision:#}");
    assert!(benchmarks.iter().any(|benchmark| benchmark["change"] == "regressed"), "{decision:#}");
    assert!(warns(decision, "`gate.threshold` (not set → 50%)"), "{decision:#}");
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_the_folder_of_the_rules_changes_no_rules() {
    use std::os::unix::fs::symlink;
    let change = Change::new(&[("conf/gate.toml", STRICT), ("engine/perfgate.toml", STRICT)], &[]);
    let root = change.folder();
    let outside = change.0.path("elsewhere");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("gate.toml"), LOOSE).unwrap();
    // To another folder of the repository, and out of it.
    for target in ["conf2", outside.to_str().unwrap()] {
        git_in(&root, &["checkout", "--quiet", "-B", "change", "main"]);
        fs::remove_dir_all(root.join("conf")).unwrap();
        symlink(target, root.join("conf")).unwrap();
        change.commit(&[("conf2/gate.toml", LOOSE)]);
        git_in(&root, &["checkout", "--quiet", "--detach", "main"]);
        git_in(&root, &["merge", "--quiet", "--no-ff", "--message", "Merge", "change"]);
        assert_strict(&judge(&change, &root, &["--config", "conf/gate.toml"]));
        let words = ["--config", "../conf/gate.toml"];
        assert_strict(&judge(&change, &root.join("engine"), &words));
    }
    // The folder of the workspace itself.
    git_in(&root, &["checkout", "--quiet", "-B", "change", "main"]);
    fs::rename(root.join("engine"), root.join("engine2")).unwrap();
    symlink("engine2", root.join("engine")).unwrap();
    change.commit(&[("engine2/perfgate.toml", LOOSE)]);
    git_in(&root, &["checkout", "--quiet", "--detach", "main"]);
    git_in(&root, &["merge", "--quiet", "--no-ff", "--message", "Merge", "change"]);
    assert_strict(&judge(&change, &root.join("engine"), &[]));
}

#[cfg(unix)]
#[test]
fn a_nearer_file_that_a_change_adds_changes_no_rules() {
    let change = Change::new(
        &[("perfgate.toml", STRICT), ("engine/a", "")],
        &[("engine/perfgate.toml", LOOSE)],
    );
    let change = change.merged();
    assert_strict(&judge(&change, &change.folder().join("engine"), &[]));
    // And one that a change removes.
    let files = [("perfgate.toml", LOOSE), ("engine/perfgate.toml", STRICT), ("engine/a", "")];
    let change = Change::new(&files, &[]);
    git_in(&change.folder(), &["rm", "--quiet", "engine/perfgate.toml"]);
    change.commit(&[]);
    let change = change.merged();
    assert_strict(&judge(&change, &change.folder().join("engine"), &[]));
}

#[cfg(unix)]
#[test]
fn rules_of_a_base_that_are_behind_a_link_are_read() {
    use std::os::unix::fs::symlink;
    let change = Change::new(&[("rules.toml", STRICT)], &[]);
    let root = change.folder();
    let link = |target: &str| {
        git_in(&root, &["checkout", "--quiet", "main"]);
        let _ = fs::remove_file(root.join("perfgate.toml"));
        symlink(target, root.join("perfgate.toml")).unwrap();
        change.commit(&[]);
        git_in(&root, &["checkout", "--quiet", "-B", "change"]);
        fs::remove_file(root.join("perfgate.toml")).unwrap();
        change.commit(&[("perfgate.toml", LOOSE)]);
        git_in(&root, &["checkout", "--quiet", "--detach", "main"]);
        git_in(&root, &["merge", "--quiet", "--no-ff", "--message", "Merge", "change"]);
        judge(&change, &root, &[])
    };
    assert_strict(&link("rules.toml"));
    // Links in a circle end, and what is outside of the repository is not looked at.
    let circle = link("perfgate.toml");
    assert!(warns(&circle, "`gate.threshold` (not set → 50%)"), "{circle:#}");
    let outside = link("../elsewhere/gate.toml");
    assert!(warns(&outside, "leads out of the repository"), "{outside:#}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_name_that_is_not_text_does_not_stop_a_clone_with_a_filter() {
    use std::os::unix::ffi::OsStrExt as _;
    let change = Change::new(&[], &[]);
    let folder = change.folder().join(std::ffi::OsStr::from_bytes(b"data\xff"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "more").unwrap();
    change.commit(&[("perfgate.toml", STRICT)]);
    git_in(&change.folder(), &["branch", "--quiet", "--force", "main"]);
    change.commit(&[("perfgate.toml", LOOSE)]);
    git_in(&change.folder(), &["config", "uploadpack.allowFilter", "true"]);
    let address = format!("file://{}", change.folder().display());
    let root = change.0.path("");
    git_in(&root, &["clone", "--quiet", "--filter=blob:none", "--branch=change", &address, "part"]);
    assert_strict(&judge(&change, &root.join("part"), &[]));
}
