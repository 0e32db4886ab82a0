//! What is wrong is named: the compiler, the command line, or the bench, and not the other side.

use std::fs;
use std::process::Output;

use super::{CALM, Trial, bench, create_slow_toolchain};
use crate::command::{perfgate_in, text_of};
use crate::rounds::{MANIFEST, changes, warns};

/// Runs perfgate in the repository, without a decision to read.
fn run(trial: &Trial, words: &[&str]) -> Output {
    let mut command = perfgate_in(&trial.path(""));
    command.args(words).env("PERFGATE_CACHE_DIR", trial.0.path("cache"));
    command.output().unwrap()
}

/// Returns the source of a bench with these ids that panics before it registers them.
fn bench_without_model(ids: &str) -> String {
    let list = "if words.iter().any(|word| word == \"--list\") {";
    bench(ids)
        .replace(list, "panic!(\"no model.bin\");\n    #[allow(unreachable_code)]\n    if true {")
}

#[test]
fn each_side_records_its_own_compiler_and_a_change_of_it_is_named() {
    let trial = Trial::with_package(&bench(CALM));
    let other = trial.0.path("other");
    if !create_slow_toolchain(&other) {
        return;
    }
    let script = fs::read_to_string(other.join("bin/rustc")).unwrap();
    let version = "#!/bin/sh\n[ \"$1\" != -V ] || { echo rustc 9.9.9; exit; }\n";
    fs::write(other.join("bin/rustc"), script.replace("#!/bin/sh\n", version)).unwrap();
    trial.keep();
    let toolchain = format!("[toolchain]\npath = {other:?}\n");
    trial.commit(&[("rust-toolchain.toml", &toolchain)]);
    let decision = trial.assert_changes(&[], &[("a", "unchanged")]);
    let [base, head] = ["baseline", "candidate"].map(|side| &decision[side]["host"]["rustc"]);
    assert!(head == "9.9.9" && base.as_str().unwrap().starts_with("1."), "{decision:#}");
    assert!(warns(&decision, "the candidate by rustc 9.9.9, which may be what"), "{decision:#}");
    let report = fs::read_to_string(trial.0.path("out/report.md")).unwrap();
    assert!(!report.contains("on another machine"), "{report}");
    // The stored runs are of this machine, too.
    let (decision, _) = trial.check_in("", &[]);
    assert!(warns(&decision, "no baseline from this compiler"), "{decision:#}");
    assert!(!warns(&decision, "no baseline from this machine"), "{decision:#}");
}

#[test]
fn a_new_benchmark_that_panics_in_rounds_shows_its_message() {
    let trial = Trial::with_package(&bench(CALM));
    trial.commit(&[("benches/standin.rs", &bench(r#"("a", 1e6), ("b", -1.0)"#))]);
    let (decision, output) = trial.check(&[]);
    assert_eq!(changes(&decision)[1], ("b", "failed"), "{}", text_of(&output));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("panicked: no such work"), "{printed}");
    for file in ["out/report.md", "out/report.html"] {
        let report = fs::read_to_string(trial.0.path(file)).unwrap();
        assert!(report.contains("panicked: no such work"), "{report}");
    }
}

#[test]
fn a_bench_that_panics_while_it_registers_is_the_cause_and_not_the_pattern() {
    let trial = Trial::with_package(&bench_without_model(CALM));
    for words in [&["measure", "--bench", "a"][..], &["measure", "--list", "--bench", "a"]] {
        let text = text_of(&run(&trial, words));
        assert!(text.contains("failed before it listed its benchmarks"), "{text}");
        assert!(text.contains("no model.bin") && !text.contains("no benchmark matches"), "{text}");
    }
    trial.commit(&[("benches/standin.rs", &format!("{}// b", bench_without_model(CALM)))]);
    let (decision, output) = trial.check(&["--bench", "a"]);
    assert!(warns(&decision, "failed before it listed its benchmarks"), "{}", text_of(&output));
    assert_eq!(output.status.code(), Some(11), "{decision:#}");
}

#[test]
fn a_wrong_manifest_or_package_is_named_and_the_revision_is_not_blamed() {
    let trial = Trial::with_package(&bench(CALM));
    let check = ["check", "--baseline", "HEAD"];
    let output = run(&trial, &[&check[..], &["--manifest-path", "absent/Cargo.toml"]].concat());
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("there is no manifest `absent/Cargo.toml`"), "{text}");
    assert!(!text.contains("HEAD"), "{text}");
    let output = run(&trial, &[&check[..], &["--package", "typo"]].concat());
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    let cause = "error: package `typo` is not in the workspace, which has `tiny`";
    assert!(text.contains(cause) && !text.contains("cannot be built"), "{text}");
}

#[test]
fn a_package_without_benches_is_named_with_a_remedy() {
    let trial = Trial::new();
    let plain = MANIFEST.split("\n[[bench]]").next().unwrap();
    trial.commit(&[("Cargo.toml", plain), ("src/lib.rs", "")]);
    let output = run(&trial, &["measure"]);
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(11), "{text}");
    assert!(text.contains("no package has a bench target: add a Criterion bench"), "{text}");
}

#[test]
fn the_command_that_repeats_a_check_has_its_flags() {
    let trial = Trial::new();
    let manifest = format!("{MANIFEST}\n[features]\nfast = []\n");
    trial.commit(&[("sub/Cargo.toml", &manifest), ("sub/benches/standin.rs", &bench(CALM))]);
    trial.commit(&[("sub/benches/standin.rs", &bench(r#"("a", 2e6)"#))]);
    let words = [
        "--manifest-path",
        "sub/Cargo.toml",
        "--features",
        "fast",
        "--launches",
        "6",
        "--profile",
        "bench",
    ];
    let (_, output) = trial.check(&words);
    let text = text_of(&output);
    let flags =
        "--manifest-path=sub/Cargo.toml --features=fast --profile=bench --launches 6 --baseline";
    assert!(text.contains(flags), "{text}");
}
