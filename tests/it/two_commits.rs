//! Checks of two commits that differ in more than their code: settings of Cargo, toolchains,
//! manifests, packages, lock files and files that git does not have. Neither side may see what is
//! the other's. The numbers in comments are those of issue 12.

mod causes;
mod setup;
mod unaffected;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::command::{perfgate_in, run_to_decision, text_of};
use crate::repositories::Bed;
use crate::rounds::{BENCH, MANIFEST, candidate_launches, changes, warns};

const CALM: &str = r#"("a", 1e6)"#;

/// A benchmark that a build with `--cfg slow` makes slower.
const FLAGGED: &str = r#"("a", if cfg!(slow) { 2e6 } else { 1e6 })"#;

/// Returns the source of a bench with these ids and times.
fn bench(ids: &str) -> String {
    BENCH.replace("/* ids */", ids)
}

/// Returns the source of a bench that takes twice as long if `condition` holds when it runs.
fn bench_if(condition: &str) -> String {
    let shift = format!("let mut shift = if {condition} {{ 1.0 }} else {{ 0.0 }};");
    bench(CALM).replace("let mut shift = 0.0;", &shift)
}

/// Returns the manifest of a package of this name.
fn manifest(name: &str) -> String {
    MANIFEST.replace("tiny", name)
}

/// A repository in a folder of its own, and a cache beside it.
struct Trial(Bed);

impl Trial {
    fn new() -> Self {
        let trial = Self(Bed::new());
        trial.write(&[(".gitignore", "target\nCargo.lock\n")]);
        trial
    }

    /// Creates a repository whose root is the package `tiny` with this bench, and commits it.
    fn with_package(source: &str) -> Self {
        let trial = Self::new();
        trial.commit(&[("Cargo.toml", MANIFEST), ("benches/standin.rs", source)]);
        trial
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path("work").join(name)
    }

    fn write(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
            fs::write(self.path(name), text).unwrap();
        }
    }

    fn commit(&self, files: &[(&str, &str)]) {
        self.write(files);
        self.0.git("work", &["add", "--all"]);
        self.0.git("work", &["commit", "--quiet", "--allow-empty", "--message", "next"]);
    }

    /// Runs a quick check in a folder of the repository.
    fn check_in(&self, folder: &str, words: &[&str]) -> (Value, Output) {
        self.check_with(&self.0.path("cache"), folder, words)
    }

    /// Runs a quick check in a folder of the repository, with this cache folder.
    fn check_with(&self, cache: &Path, folder: &str, words: &[&str]) -> (Value, Output) {
        let mut command = perfgate_in(&self.path(folder));
        command
            .args(["check", "--calls", "15", "--warmup", "1ms", "--out"])
            .arg(self.0.path("out"));
        command.env("PERFGATE_CACHE_DIR", cache);
        // The tests themselves may run under a toolchain that Cargo has chosen.
        command.args(words).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
        run_to_decision(&mut command, &self.0.path("out/decision.json"))
    }

    /// Checks the working tree against the commit before the head.
    fn check(&self, words: &[&str]) -> (Value, Output) {
        self.check_in("", &[&["--baseline", "HEAD~1"][..], words].concat())
    }

    #[track_caller]
    fn assert_changes(&self, words: &[&str], expected: &[(&str, &str)]) -> Value {
        let (decision, output) = self.check(words);
        assert_eq!(changes(&decision), expected, "{}", text_of(&output));
        decision
    }

    /// Saves three runs of the checked-out commit as baselines, measured in place.
    fn keep(&self) {
        for _ in 0..3 {
            let (_, output) = self.check_in("", &["--baseline", "none", "--save-baseline"]);
            assert!(text_of(&output).contains("saved as baseline"), "{}", text_of(&output));
        }
    }
}

/// Returns the median of the first benchmark on this side, in nanoseconds.
fn median_of(decision: &Value, side: &str) -> f64 {
    let median = decision["benchmarks"][0][side]["median"]["point"].as_f64();
    median.unwrap_or_else(|| panic!("{decision:#}"))
}

// 1

#[test]
fn settings_of_cargo_that_the_change_adds_do_not_slow_the_base_down() {
    let flagged = bench(FLAGGED);
    let profiled = bench(&FLAGGED.replace("slow", "debug_assertions"));
    let at_run_time = bench_if("env::var(\"SLOW\").is_ok()");
    for (source, settings) in [
        (&flagged, "[build]\nrustflags = [\"--cfg\", \"slow\"]\n"),
        (&profiled, "[profile.bench]\ndebug-assertions = true\n"),
        (&at_run_time, "[env]\nSLOW = \"1\"\n"),
    ] {
        let trial = Trial::with_package(source);
        trial.keep();
        trial.commit(&[(".cargo/config.toml", settings)]);
        trial.assert_changes(&[], &[("a", "regressed")]);
        let (decision, output) = trial.check_in("", &[]);
        assert_eq!(changes(&decision), [("a", "regressed")], "{settings} {}", text_of(&output));
    }
}

#[test]
fn a_build_folder_that_the_user_sets_does_not_mix_the_sides() {
    let trial = Trial::with_package(&bench(CALM));
    let folder = trial.0.path("built");
    let settings = format!("[build]\nbuild-dir = {folder:?}\n");
    trial.commit(&[(".cargo/config.toml", &settings)]);
    trial.commit(&[("benches/standin.rs", &bench(r#"("a", 2e6)"#))]);
    trial.assert_changes(&[], &[("a", "regressed")]);
}

/// Creates a toolchain in `folder` whose compiler adds `--cfg slow`. Returns false, with a message,
/// if rustup is not installed.
fn create_slow_toolchain(folder: &Path) -> bool {
    let find = |tool: &str| {
        let output = Command::new("rustup").args(["which", tool]).output().ok()?;
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    };
    let (Some(cargo), Some(rustc)) = (find("cargo"), find("rustc")) else {
        println!("skipped: rustup is not installed");
        return false;
    };
    fs::create_dir_all(folder.join("bin")).unwrap();
    symlink(cargo, folder.join("bin/cargo")).unwrap();
    let script = folder.join("bin/rustc");
    // Cargo distinguishes compilers by what they print about themselves.
    let print = format!("{rustc} -vV | sed 's/^commit-date: .*/commit-date: slow/'");
    let text = format!(
        "#!/bin/sh\n[ \"$1\" != -vV ] || {{ {print}; exit; }}\nexec {rustc} \"$@\" --cfg slow\n"
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    true
}

#[test]
fn a_toolchain_that_the_change_adds_does_not_build_the_base() {
    let trial = Trial::with_package(&bench(FLAGGED));
    let slow = trial.0.path("slow");
    if !create_slow_toolchain(&slow) {
        return;
    }
    trial.keep();
    let toolchain = format!("[toolchain]\npath = {slow:?}\n");
    trial.commit(&[("rust-toolchain.toml", &toolchain)]);
    trial.assert_changes(&[], &[("a", "regressed")]);
    let (decision, output) = trial.check_in("", &[]);
    assert_eq!(changes(&decision), [("a", "regressed")], "{}", text_of(&output));
}

#[test]
fn settings_above_the_repository_act_on_both_sides() {
    // Both sides must be slow: the flags and the toolchain are above the repository, where Cargo and
    // rustup find them in place.
    let source = bench(r#"("a", if cfg!(slow) && cfg!(flag) { 2e6 } else { 1e6 })"#);
    let trial = Trial::with_package(&source);
    let above = trial.0.path("");
    let slow = above.join("slow");
    if !create_slow_toolchain(&slow) {
        return;
    }
    fs::create_dir(above.join(".cargo")).unwrap();
    let settings = "[build]\nrustflags = [\"--cfg\", \"flag\"]\n";
    fs::write(above.join(".cargo/config.toml"), settings).unwrap();
    let toolchain = format!("[toolchain]\npath = {slow:?}\n");
    fs::write(above.join("rust-toolchain.toml"), toolchain).unwrap();
    trial.commit(&[("data.txt", "a file that the bench might read")]);
    // The same settings are not above this cache.
    let cache = tempfile::tempdir().unwrap();
    for cache in [cache.path(), &trial.0.path("cache")] {
        let (decision, output) = trial.check_with(cache, "", &["--baseline", "HEAD~1"]);
        assert_eq!(changes(&decision), [("a", "unchanged")], "{}", text_of(&output));
        for side in ["baseline", "candidate"] {
            assert!(median_of(&decision, side) > 1.9e6, "{side}: {}", text_of(&output));
        }
    }
}

// 2

#[test]
fn a_base_without_the_manifest_is_not_the_candidate() {
    let trial = Trial::new();
    let source = bench(CALM);
    trial.commit(&[
        ("crates/tiny/Cargo.toml", MANIFEST),
        ("crates/tiny/benches/standin.rs", &source),
    ]);
    trial.commit(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/tiny\"]\nresolver = \"2\"\n"),
        ("crates/tiny/Cargo.toml", MANIFEST.split("\n[profile").next().unwrap()),
        ("crates/tiny/benches/standin.rs", &bench(r#"("a", 3e6)"#)),
    ]);
    let (decision, output) = trial.check(&[]);
    assert_eq!(changes(&decision), [("a", "new")], "{}", text_of(&output));
    assert!(warns(&decision, "has no `Cargo.toml`"), "{}", text_of(&output));
    assert_eq!(output.status.code(), Some(11));
    // The manifest that both commits have is compared.
    let manifest = ["--manifest-path", "crates/tiny/Cargo.toml"];
    trial.assert_changes(&manifest, &[("a", "regressed")]);
}

// 3

#[test]
fn a_lone_package_that_becomes_a_workspace_is_compared() {
    let trial = Trial::new();
    let lone = manifest("mini");
    trial.commit(&[("mini/Cargo.toml", &lone), ("mini/benches/standin.rs", &bench(CALM))]);
    trial.commit(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"mini\"]\nresolver = \"2\"\n"),
        ("mini/Cargo.toml", lone.split("\n[profile").next().unwrap()),
        ("mini/benches/standin.rs", &bench(r#"("a", 2e6)"#)),
    ]);
    trial.assert_changes(&["--manifest-path", "mini/Cargo.toml"], &[("a", "regressed")]);
    let (decision, output) = trial.check_in("mini", &["--baseline", "HEAD~1"]);
    assert_eq!(changes(&decision), [("a", "regressed")], "{}", text_of(&output));
}

#[test]
fn a_package_at_the_root_that_moves_into_a_workspace_is_compared() {
    let trial = Trial::with_package(&bench(CALM));
    trial.0.git("work", &["rm", "-r", "--quiet", "."]);
    trial.commit(&[
        (".gitignore", "target\nCargo.lock\n"),
        ("Cargo.toml", "[workspace]\nmembers = [\"tiny\"]\nresolver = \"2\"\n"),
        ("tiny/Cargo.toml", MANIFEST.split("\n[profile").next().unwrap()),
        ("tiny/benches/standin.rs", &bench(r#"("a", 2e6)"#)),
    ]);
    trial.assert_changes(&[], &[("a", "regressed")]);
}

// 4

#[test]
fn what_the_base_lacks_is_left_out_there_and_the_rest_is_compared() {
    let trial = Trial::new();
    let [demo, extra] = ["demo", "extra"].map(|name| {
        let text = manifest(name);
        text.split("\n[profile").next().unwrap().to_owned()
    });
    let workspace =
        |members: &str| format!("[workspace]\nmembers = [{members}]\nresolver = \"2\"\n");
    trial.commit(&[
        ("Cargo.toml", &workspace("\"demo\"")),
        ("demo/Cargo.toml", &demo),
        ("demo/benches/standin.rs", &bench(CALM)),
    ]);
    let fast = format!("{demo}\n[features]\nfast = []\n");
    trial.commit(&[
        ("Cargo.toml", &workspace("\"demo\", \"extra\"")),
        ("demo/Cargo.toml", &fast),
        ("demo/benches/standin.rs", &bench(r#"("a", 2e6)"#)),
        ("extra/Cargo.toml", &extra),
        ("extra/benches/standin.rs", &bench(r#"("b", 1e6)"#)),
    ]);
    let decision =
        trial.assert_changes(&["--features", "fast", "-p", "demo"], &[("a", "regressed")]);
    assert!(warns(&decision, "no feature `fast`"));
    let both = [("a", "regressed"), ("b", "new")];
    let decision = trial.assert_changes(&["-p", "demo", "-p", "extra"], &both);
    assert!(warns(&decision, "baseline: the commit has no package `extra`"));
    trial.assert_changes(&[], &both);
    let (decision, output) = trial.check(&["-p", "extra"]);
    assert_eq!(changes(&decision), [("b", "new")], "{}", text_of(&output));
    // What neither side has is a mistake on the command line.
    let mut check = perfgate_in(&trial.path(""));
    check.args(["check", "--baseline", "HEAD~1", "-p", "typo"]);
    let output = check.env("PERFGATE_CACHE_DIR", trial.0.path("cache")).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text_of(&output));
    // What only the base has is missing.
    trial.0.git("work", &["revert", "--no-edit", "HEAD"]);
    trial.assert_changes(&["-p", "demo", "-p", "extra"], &[("a", "improved"), ("b", "missing")]);
}

// 5

#[test]
fn the_same_program_is_built_by_path_and_by_folder() {
    let trial = Trial::new();
    trial.commit(&[
        ("sub/Cargo.toml", MANIFEST),
        ("sub/.cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"slow\"]\n"),
        ("sub/benches/standin.rs", &bench(FLAGGED)),
        ("sub/src/lib.rs", ""),
    ]);
    trial.commit(&[("sub/src/lib.rs", "// a comment\n")]);
    let median = |folder: &str, words: &[&str]| {
        let (decision, output) =
            trial.check_in(folder, &[&["--baseline", "HEAD~1"], words].concat());
        assert_eq!(changes(&decision), [("a", "unchanged")], "{}", text_of(&output));
        let (decision, _) = trial.check_in(folder, &[&["--baseline", "none"], words].concat());
        median_of(&decision, "candidate")
    };
    let by_path = median("", &["--manifest-path", "sub/Cargo.toml"]);
    let medians = [
        median("sub", &[]),
        median("sub/src", &[]),
        median("sub", &["--manifest-path", "Cargo.toml"]),
    ];
    assert!(by_path > 1.9e6, "{by_path}");
    assert_eq!(medians, [by_path; 3]);
}

#[test]
fn a_manifest_in_a_folder_that_does_not_exist_is_a_mistake_on_the_command_line() {
    let trial = Trial::with_package(&bench(CALM));
    for command in ["check", "measure", "init"] {
        let mut perfgate = perfgate_in(&trial.path(""));
        let output = perfgate.args([command, "--manifest-path", "absent/Cargo.toml"]).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}: {}", text_of(&output));
        assert!(text_of(&output).contains("absent/Cargo.toml"), "{}", text_of(&output));
    }
}

// The working tree

#[test]
fn changes_that_are_not_committed_are_measured_from_a_snapshot() {
    let trial = Trial::with_package(
        &bench(r#"("a", value::NANOS)"#)
            .replace("use std::", "#[path = \"value.inc\"] mod value;\nuse std::"),
    );
    trial.commit(&[("benches/value.inc", "pub const NANOS: f64 = 1e6;\n"), ("data.txt", "")]);
    let state = || {
        let status = trial.0.git("work", &["status", "--porcelain"]);
        status + &trial.0.git("work", &["for-each-ref"])
    };
    // One file is changed and another is new. The settings are only in the working tree.
    trial.write(&[
        ("benches/value.inc", "pub const NANOS: f64 = if cfg!(slow) { 2e6 } else { 1e6 };\n"),
        (".cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"slow\"]\n"),
    ]);
    let before = state();
    let (decision, output) = trial.check_in("", &["--baseline", "HEAD"]);
    assert_eq!(changes(&decision), [("a", "regressed")], "{}", text_of(&output));
    assert_eq!(decision["candidate"]["commit"]["dirty"], true);
    assert_eq!(decision["candidate"]["commit"]["id"], trial.0.head().as_str());
    assert!(warns(&decision, "uncommitted changes"));
    assert_eq!(state(), before);
    // The same source gives the same program, as from a commit.
    fs::remove_dir_all(trial.path(".cargo")).unwrap();
    trial.write(&[("benches/value.inc", "pub const NANOS: f64 = 1e6;\n"), ("NOTES.md", "new")]);
    let (decision, output) = trial.check_in("", &["--baseline", "HEAD"]);
    assert_eq!(candidate_launches(&decision), [0], "{}", text_of(&output));
}

#[test]
fn two_checks_at_once_do_not_share_their_builds() {
    let trial = Trial::with_package(&bench(CALM));
    trial.commit(&[("benches/standin.rs", &bench(r#"("a", 2e6)"#))]);
    trial.assert_changes(&[], &[("a", "regressed")]);
    let mut entries = fs::read_dir(trial.0.path("cache")).unwrap();
    let folder = entries.next().unwrap().unwrap().path();
    let lock = fs::File::open(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let list = || {
        let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let before = list();
    let (decision, output) = trial.check(&[]);
    let said = text_of(&output);
    assert_eq!(changes(&decision), [("a", "regressed")], "{said}");
    assert_eq!(said.matches("Compiling tiny").count(), 2, "{said}");
    assert_eq!(list(), before);
}

#[test]
fn a_cache_inside_the_checkout_is_refused() {
    let trial = Trial::with_package(&bench(CALM));
    let mut check = perfgate_in(&trial.path(""));
    check.args(["check", "--baseline", "HEAD"]).env("PERFGATE_CACHE_DIR", "target/cache");
    let output = check.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text_of(&output));
    assert!(text_of(&output).contains("PERFGATE_CACHE_DIR"), "{}", text_of(&output));
}
