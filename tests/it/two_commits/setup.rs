//! What git does not have, and bases that cannot be measured.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{CALM, Trial, bench, manifest, median_of};
use crate::command::text_of;
use crate::rounds::{MANIFEST, changes, warns};

/// Returns the texts of the notes of the first benchmark.
fn notes_of_first(decision: &Value) -> String {
    decision["benchmarks"][0]["notes"].to_string()
}

// 6

/// Writes a crate `dep` of this version, which makes a call take `nanos`, into a vendor folder.
fn vendor(folder: &Path, version: &str, nanos: &str) {
    let folder = folder.join(format!("dep-{version}"));
    fs::create_dir_all(folder.join("src")).unwrap();
    let text = format!("[package]\nname = \"dep\"\nversion = \"{version}\"\nedition = \"2021\"\n");
    fs::write(folder.join("Cargo.toml"), text).unwrap();
    fs::write(folder.join("src/lib.rs"), format!("pub const NANOS: f64 = {nanos};\n")).unwrap();
    let checksum = format!("{{\"files\":{{}},\"package\":\"{:0>64}\"}}", version.replace('.', ""));
    fs::write(folder.join(".cargo-checksum.json"), checksum).unwrap();
}

#[test]
fn a_lock_file_that_git_ignores_serves_both_sides() {
    let trial = Trial::new();
    let vendored = trial.0.path("vendor");
    vendor(&vendored, "1.0.0", "1e6");
    let settings =
        format!("[source.crates-io]\nreplace-with = \"v\"\n[source.v]\ndirectory = {vendored:?}\n");
    let source = bench(r#"("a", dep::NANOS)"#);
    trial.commit(&[
        ("Cargo.toml", &format!("{MANIFEST}\n[dev-dependencies]\ndep = \"1\"\n")),
        (".cargo/config.toml", &settings),
        ("benches/standin.rs", &source),
    ]);
    let (_, output) = trial.check_in("", &["--baseline", "none"]);
    assert!(trial.path("Cargo.lock").exists(), "{}", text_of(&output));
    // A newer version appears, which is slower. The working tree is locked to the older one.
    vendor(&vendored, "1.1.0", "1.4e6");
    trial.commit(&[("benches/standin.rs", &format!("{source}// a comment\n")), ("data.txt", "")]);
    let decision = trial.assert_changes(&[], &[("a", "unchanged")]);
    assert!(warns(&decision, "the commit has no `Cargo.lock`"), "{decision:#}");
    assert!((median_of(&decision, "baseline") / 1e6 - 1.0).abs() < 0.1, "{decision:#}");
    // A lock file that the change adds serves the base as well, and one in git is not replaced.
    trial.0.git("work", &["add", "--force", "Cargo.lock"]);
    trial.commit(&[("data.txt", "more")]);
    let decision = trial.assert_changes(&[], &[("a", "unchanged")]);
    assert!(warns(&decision, "baseline: the commit has no `Cargo.lock`"), "{decision:#}");
    trial.commit(&[("data.txt", "even more")]);
    let decision = trial.assert_changes(&[], &[("a", "unchanged")]);
    assert!(!warns(&decision, "Cargo.lock"), "{decision:#}");
}

// 7

/// Returns the source of a bench that needs the file `data/input.txt` when it runs.
fn bench_with_data(ids: &str) -> String {
    let read =
        "let mut shift = fs::read(\"data/input.txt\").expect(\"no input\").len() as f64 * 0.0;";
    bench(ids).replace("let mut shift = 0.0;", read)
}

#[test]
fn data_that_git_does_not_have_is_a_matter_of_setup() {
    let trial = Trial::with_package(&bench_with_data(CALM));
    trial.commit(&[(".gitignore", "target\nCargo.lock\ndata\n")]);
    trial.write(&[("data/input.txt", "input")]);
    trial.keep();
    trial.commit(&[("benches/standin.rs", &bench_with_data(r#"("a", 2e6)"#))]);
    // Both sides panic.
    let decision = trial.assert_changes(&[], &[("a", "inconclusive")]);
    let notes = notes_of_first(&decision);
    assert!(notes.contains("fails on both sides: panicked: no input: Os {"), "{notes}");
    assert!(notes.contains("measure.prepare"), "{notes}");
    assert_eq!(decision["exit_status"], 11);
    // The screen measured the candidate in place.
    let (decision, output) = trial.check_in("", &[]);
    assert_eq!(changes(&decision), [("a", "inconclusive")], "{}", text_of(&output));
    let notes = notes_of_first(&decision);
    assert!(notes.contains("ran in the working tree"), "{notes}");
    assert!(notes.contains("no input: Os {") && notes.contains("measure.prepare"), "{notes}");
    // What the note advises settles it.
    let prepare = "[measure]\nprepare = \"cp -r $PERFGATE_ROOT/data .\"\n";
    trial.write(&[("perfgate.toml", prepare)]);
    trial.assert_changes(&[], &[("a", "regressed")]);
}

#[test]
fn a_secret_in_the_command_of_prepare_is_not_reported() {
    let trial = Trial::with_package(&bench(CALM));
    trial.commit(&[("benches/standin.rs", &format!("{}// more\n", bench(CALM)))]);
    let prepare = "[measure]\nprepare = \"API_TOKEN=hunter2 false\"\n";
    trial.write(&[("perfgate.toml", prepare)]);
    let (decision, output) = trial.check(&[]);
    let printed = format!("{decision}{}", text_of(&output));
    assert!(printed.contains("API_TOKEN=*** false") && !printed.contains("hunter2"), "{printed}");
}

#[test]
fn a_panic_of_the_candidate_alone_is_a_failure() {
    let trial = Trial::with_package(&bench(CALM));
    trial.commit(&[("benches/standin.rs", &bench(r#"("a", -1.0)"#))]);
    let decision = trial.assert_changes(&[], &[("a", "failed")]);
    assert_eq!(decision["exit_status"], 10);
}

#[test]
fn a_side_that_lacks_a_submodule_names_it_and_the_remedy() {
    let trial = Trial::new();
    let library = trial.0.path("library");
    fs::create_dir_all(library.join("src")).unwrap();
    fs::write(library.join("Cargo.toml"), manifest("library").split("\n[[bench]]").next().unwrap())
        .unwrap();
    fs::write(library.join("src/lib.rs"), "pub const NANOS: f64 = 1e6;\n").unwrap();
    trial.0.git("library", &["init", "--quiet"]);
    trial.0.git("library", &["add", "--all"]);
    trial.0.git("library", &["commit", "--quiet", "--message", "library"]);
    let url = library.to_str().unwrap();
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "library"];
    trial.0.git("work", &add);
    trial.commit(&[
        (
            "Cargo.toml",
            &format!("{MANIFEST}\n[dev-dependencies]\nlibrary = {{ path = \"library\" }}\n"),
        ),
        ("benches/standin.rs", &bench(r#"("a", library::NANOS)"#)),
    ]);
    trial.commit(&[("benches/standin.rs", &bench(r#"("a", library::NANOS * 2.0)"#))]);
    let decision = trial.assert_changes(&[], &[("a", "new")]);
    assert!(warns(&decision, "its submodules are empty (`library`)"), "{decision:#}");
    assert!(warns(&decision, "measure.prepare"), "{decision:#}");
    assert_eq!(decision["exit_status"], 11);
    let prepare = "[measure]\nprepare = \"cp -r $PERFGATE_ROOT/library .\"\n";
    trial.write(&[("perfgate.toml", prepare)]);
    trial.assert_changes(&[], &[("a", "regressed")]);
}

#[test]
fn a_dependency_beside_the_repository_is_found() {
    let trial = Trial::new();
    let beside = trial.0.path("beside");
    fs::create_dir_all(beside.join("src")).unwrap();
    fs::write(beside.join("Cargo.toml"), manifest("beside").split("\n[[bench]]").next().unwrap())
        .unwrap();
    fs::write(beside.join("src/lib.rs"), "pub const NANOS: f64 = 1e6;\n").unwrap();
    trial.commit(&[
        (
            "Cargo.toml",
            &format!("{MANIFEST}\n[dev-dependencies]\nbeside = {{ path = \"../beside\" }}\n"),
        ),
        ("benches/standin.rs", &bench(r#"("a", beside::NANOS)"#)),
    ]);
    trial.commit(&[("benches/standin.rs", &bench(r#"("a", beside::NANOS * 2.0)"#))]);
    trial.assert_changes(&[], &[("a", "regressed")]);
}

#[test]
fn a_candidate_that_a_checkout_cannot_build_is_measured_in_place_and_not_passed() {
    let trial = Trial::with_package(&bench(CALM));
    trial.write(&[("target/local.txt", "")]);
    let local = "const _: &str = include_str!(\"../target/local.txt\");\n";
    trial.commit(&[("benches/standin.rs", &format!("{}{local}", bench(CALM)))]);
    let decision = trial.assert_changes(&[], &[("a", "new")]);
    assert!(warns(&decision, "a checkout of the candidate cannot be built"), "{decision:#}");
    assert_eq!(decision["exit_status"], 11);
}

// 8

#[test]
fn a_named_base_that_could_not_be_measured_is_no_pass() {
    let trial = Trial::with_package("this is no Rust");
    trial.commit(&[("benches/standin.rs", &bench(CALM))]);
    let decision = trial.assert_changes(&[], &[("a", "new")]);
    assert_eq!(
        (&decision["verdict"], &decision["exit_status"]),
        (&"inconclusive".into(), &11.into())
    );
    // The base is there, and its only benchmark panics.
    trial.commit(&[("benches/standin.rs", &bench(r#"("a", -1.0)"#))]);
    trial.commit(&[("benches/standin.rs", &bench(CALM))]);
    let decision = trial.assert_changes(&[], &[("a", "new")]);
    assert_eq!(decision["exit_status"], 11);
}

#[test]
fn a_base_without_benches_was_measured_as_it_is() {
    let trial = Trial::new();
    let plain = MANIFEST.split("\n[[bench]]").next().unwrap();
    trial.commit(&[("Cargo.toml", plain), ("src/lib.rs", "")]);
    trial.commit(&[("Cargo.toml", MANIFEST), ("benches/standin.rs", &bench(CALM))]);
    let decision = trial.assert_changes(&[], &[("a", "new")]);
    assert_ne!(decision["exit_status"], 10);
    let report = fs::read_to_string(trial.0.path("out/report.md")).unwrap();
    assert!(!report.contains("measured in rounds"), "the base was not launched: {report}");
}

#[test]
fn a_base_without_the_profile_is_named_without_advice_that_does_not_help() {
    let trial = Trial::with_package(&bench(CALM));
    let tuned = format!("{MANIFEST}\n[profile.tuned]\ninherits = \"release\"\nopt-level = 0\n");
    trial.commit(&[("Cargo.toml", &tuned)]);
    let decision = trial.assert_changes(&["--profile", "tuned"], &[("a", "new")]);
    let commit = trial.0.git("work", &["rev-parse", "--short=12", "HEAD~1"]);
    let note = format!("no baseline: base {} has no profile `tuned`", commit.trim());
    assert!(warns(&decision, &note), "{decision:#}");
    assert!(!warns(&decision, "measure.prepare"), "{decision:#}");
    assert_eq!(decision["exit_status"], 11);
}

#[test]
fn a_branch_that_lacks_commits_of_its_base_is_reported() {
    let trial = Trial::with_package(&bench(CALM));
    let parted = trial.0.head();
    for number in ["1", "2"] {
        trial.commit(&[("number.txt", number)]);
    }
    trial.0.git("work", &["checkout", "--quiet", "-b", "change", parted.as_str()]);
    trial.commit(&[("benches/standin.rs", &bench(r#"("a", 1e6) /* change */"#))]);
    let (decision, output) = trial.check_in("", &["--baseline", "main"]);
    assert_eq!(changes(&decision), [("a", "unchanged")], "{}", text_of(&output));
    let merge_base = &parted.as_str()[..12];
    assert!(warns(&decision, "`main` has 2 commits that the candidate lacks"), "{decision:#}");
    assert!(warns(&decision, merge_base), "{decision:#}");
    let (decision, _) = trial.check_in("", &["--baseline", merge_base]);
    assert!(!warns(&decision, "lacks"), "{decision:#}");
}
