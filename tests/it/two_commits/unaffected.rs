//! Changes that touch nothing that a bench is built from (issue 14, item 8).

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::{CALM, Trial, bench};
use crate::command::text_of;
use crate::rounds::{MANIFEST, candidate_launches, changes};

/// Words of the terminal for benchmarks that were not built.
const NOT_BUILT: &str = "not affected by the change, neither built nor measured";

/// Returns the folders in which both sides are built.
fn build_folders(trial: &Trial) -> [PathBuf; 2] {
    let mut entries = fs::read_dir(trial.0.path("cache")).unwrap();
    let folder = entries.next().unwrap().unwrap().path();
    ["base", "head"].map(|side| folder.join("build").join(side))
}

/// Checks the working tree against `base` and asserts that nothing is built for it.
#[track_caller]
fn assert_not_built(trial: &Trial, base: &str) -> Value {
    for folder in build_folders(trial) {
        let _ = fs::remove_dir_all(folder);
    }
    let (decision, output) = trial.check_in("", &["--baseline", base]);
    let text = text_of(&output);
    assert_eq!(changes(&decision), [("a", "unchanged")], "{text}");
    assert_eq!(candidate_launches(&decision), [0], "{text}");
    assert_eq!(decision["benchmarks"][0]["notes"][0]["note"], "unaffected", "{decision:#}");
    assert!(text.contains(NOT_BUILT) && !text.contains("pilot"), "{text}");
    assert!(!text.contains("measuring") && !text.contains("after 1 round"), "{text}");
    assert_eq!(build_folders(trial).map(|folder| folder.exists()), [false; 2], "{text}");
    assert_eq!(output.status.code(), Some(0), "{text}");
    decision
}

/// Checks the working tree against `base` and asserts that both sides are built for it.
#[track_caller]
fn assert_built(trial: &Trial, base: &str, words: &[&str]) {
    let (_, output) = trial.check_in("", &[&["--baseline", base], words].concat());
    let text = text_of(&output);
    assert!(text.contains("pilot") && !text.contains(NOT_BUILT), "{text}");
}

#[test]
fn a_change_of_documents_is_not_built_and_not_measured() {
    let trial = Trial::with_package(&bench(CALM));
    trial.commit(&[("benches/standin.rs", &bench(r#"("a", 2e6)"#)), ("README.md", "")]);
    trial.assert_changes(&[], &[("a", "regressed")]);
    trial.commit(&[("README.md", "more"), ("docs/guide.md", "new"), (".github/x.yml", "")]);
    let decision = assert_not_built(&trial, "HEAD~1");
    let text = decision["benchmarks"][0]["notes"][0]["text"].as_str().unwrap();
    assert_eq!(text, "the change does not touch the only file that `standin` is built from");
    let report = fs::read_to_string(trial.0.path("out/report.md")).unwrap();
    assert!(report.contains("1 of them were neither built nor measured"), "{report}");
    // The same in a working tree with changes that are not committed.
    trial.write(&[("README.md", "even more")]);
    assert_not_built(&trial, "HEAD~1");
    // A target needs launches, and the user may ask for them.
    assert_built(&trial, "HEAD~1", &["--target-p50", "9ms"]);
    assert_built(&trial, "HEAD~1", &["--measure-unchanged"]);
    assert_built(&trial, "HEAD~1", &["--save-baseline"]);
    assert_built(&trial, "HEAD~1", &["--profile", "release"]);
    // Nothing else is known of the commit before, and a commit and itself are a trial of the gate.
    trial.0.git("work", &["checkout", "--quiet", "--", "."]);
    assert_built(&trial, "HEAD", &[]);
}

#[test]
fn a_change_of_a_submodule_that_gitmodules_hides_is_built() {
    let trial = Trial::with_package(&bench(CALM));
    let modules = "[submodule \"sub\"]\npath = sub\nurl = ../sub\nignore = all\n";
    trial.commit(&[(".gitmodules", modules), ("README.md", "")]);
    fs::create_dir_all(trial.path("sub")).unwrap();
    let commit_link = |digit: &str| {
        let link = format!("160000,{},sub", digit.repeat(40));
        trial.0.git("work", &["update-index", "--add", "--cacheinfo", &link]);
        trial.0.git("work", &["commit", "--quiet", "--message", "link"]);
    };
    commit_link("a");
    trial.write(&[("README.md", "more")]);
    assert_built(&trial, "HEAD", &[]);
    commit_link("b");
    assert_built(&trial, "HEAD~1", &[]);
}

#[test]
fn a_change_in_a_package_that_no_bench_uses_is_not_built() {
    let trial = Trial::new();
    let member = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
    let (demo, profile) = MANIFEST.split_once("\n[profile.bench]").unwrap();
    let root = format!(
        "[workspace]\nresolver = \"2\"\nmembers = [\"tiny\", \"used\", \"other\"]\n[profile.bench]{profile}"
    );
    trial.commit(&[
        ("Cargo.toml", &root),
        ("tiny/Cargo.toml", &format!("{demo}\n[dependencies]\nused = {{ path = \"../used\" }}\n")),
        ("tiny/benches/standin.rs", &bench(r#"("a", used::NANOS)"#)),
        ("used/Cargo.toml", &member("used")),
        ("used/src/lib.rs", "pub const NANOS: f64 = 1e6;\n"),
        ("other/Cargo.toml", &member("other")),
        ("other/src/lib.rs", ""),
    ]);
    trial.commit(&[("other/src/lib.rs", "// begun\n")]);
    trial.assert_changes(&[], &[("a", "unchanged")]);
    let base = trial.0.head();
    trial.commit(&[("other/src/lib.rs", "pub mod more;\n"), ("other/src/more.rs", "")]);
    let decision = assert_not_built(&trial, base.as_str());
    assert_eq!(decision["benchmarks"][0]["notes"][0]["files"], 2, "{decision:#}");
    // What the bench uses is another matter.
    trial.commit(&[("used/src/lib.rs", "pub const NANOS: f64 = 2e6;\n")]);
    let (decision, output) = trial.check_in("", &["--baseline", base.as_str()]);
    assert_eq!(changes(&decision), [("a", "regressed")], "{}", text_of(&output));
}

#[test]
fn what_a_bench_is_built_from_in_other_ways_is_built() {
    let trial = Trial::with_package(&bench(CALM));
    let script = "fn main() {\n    println!(\"cargo::rerun-if-changed=notes\");\n    \
                  println!(\"cargo::rerun-if-env-changed=STANDIN_MODE\");\n}\n";
    let text = "const _: &str = include_str!(\"../docs/intro.md\");\n";
    let manifest = format!("{MANIFEST}\n[features]\nfast = []\n");
    trial.commit(&[
        ("Cargo.toml", &manifest),
        ("build.rs", script),
        ("notes/deep/one.md", ""),
        ("docs/intro.md", ""),
        ("docs/other.md", ""),
        ("benches/standin.rs", &format!("{}{text}", bench(CALM))),
    ]);
    trial.check(&[]);
    let base = trial.0.head();
    for file in ["docs/other.md", "tests/new.rs"] {
        trial.commit(&[(file, "// changed")]);
        assert_not_built(&trial, base.as_str());
    }
    assert_built(&trial, base.as_str(), &["--features", "fast"]);
    // A record that cannot be read is none, and the check writes it again.
    let records = build_folders(&trial)[0].with_file_name("records");
    let record = records.join(format!("{}.json", base.as_str()));
    for text in ["", "{\"setting\": 1}"] {
        fs::write(&record, text).unwrap();
        assert_built(&trial, base.as_str(), &[]);
        assert_not_built(&trial, base.as_str());
    }
    for file in [
        "docs/intro.md",
        "notes/deep/one.md",
        "notes/new.md",
        "benches/new.md",
        "src/main.rs",
        ".cargo/config.toml",
        "data.txt",
    ] {
        let text = if file == "src/main.rs" { "fn main() {}" } else { "# changed" };
        trial.commit(&[(file, text)]);
        assert_built(&trial, base.as_str(), &[]);
        trial.0.git("work", &["reset", "--quiet", "--hard", "HEAD~1"]);
    }
}
