//! `perfgate measure` on a foreign workspace with ordinary and with misbehaving benches.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::formats::{Benchmark, LaunchData, Run, Sampling};

/// Returns the foreign workspace. It is always in the same folder, and only files that differ are
/// written, so that it is compiled once.
fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = Path::new(env!("CARGO_TARGET_TMPDIR")).join("foreign");
    copy(&root.join("fixtures/workspace"), &here);
    // The versions that this repository locks are available without a network.
    if !here.join("Cargo.lock").exists() {
        fs::copy(root.join("Cargo.lock"), here.join("Cargo.lock")).unwrap();
    }
    here
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
            continue;
        }
        let content = fs::read(entry.path()).unwrap();
        if fs::read(&target).ok().as_ref() != Some(&content) {
            fs::write(&target, content).unwrap();
        }
    }
}

fn perfgate(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perfgate"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let foreign =
            ["GITHUB_", "RUNNER_", "PERFGATE_"].iter().any(|begin| name.starts_with(begin));
        if foreign || ["CI", "NO_COLOR"].contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command.current_dir(folder);
    command
}

/// Measures with `arguments`, quickly, because these tests do not check the precision.
fn measure(arguments: &[&str]) -> (Run, Output) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    let mut command = perfgate(&workspace());
    command.args(["measure", "criterion", "--launches", "2", "--calls", "15", "--warmup", "1ms"]);
    command.args(arguments).arg("--output").arg(&file);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (Run::read(&file).unwrap(), output)
}

fn by_id(run: &Run) -> BTreeMap<(&str, &str), &Benchmark> {
    run.benchmarks
        .iter()
        .map(|benchmark| {
            ((benchmark.package.as_deref().unwrap_or_default(), benchmark.id.as_str()), benchmark)
        })
        .collect()
}

fn samples(benchmark: &Benchmark) -> Vec<usize> {
    let count = |observed: &LaunchData| match observed {
        LaunchData::Samples(samples) => samples.len(),
        LaunchData::Digest(_) => panic!("a measurement has samples"),
    };
    benchmark.launches.iter().map(|launch| count(&launch.data)).collect()
}

/// Returns id, number of samples per launch, and failure of each benchmark.
fn outcome(run: &Run) -> Vec<(&str, Vec<usize>, Option<&str>)> {
    let mut seen: Vec<_> = run
        .benchmarks
        .iter()
        .map(|benchmark| {
            let failure = benchmark.failure.as_ref().map(|failure| failure.reason.text.as_str());
            (benchmark.id.as_str(), samples(benchmark), failure)
        })
        .collect();
    seen.sort();
    seen
}

#[test]
fn a_foreign_workspace_is_measured_without_configuration() {
    let (run, output) = measure(&["--package", "alpha", "--package", "beta"]);
    assert!(run.complete);
    let benchmarks = by_id(&run);
    let ids: Vec<_> = benchmarks.keys().copied().collect();
    let expected = [
        ("alpha", "environment"),
        ("alpha", "group/batched"),
        ("alpha", "group/fold/20000"),
        ("alpha", "group/fold/40000"),
        ("alpha", "own settings/many calls a sample"),
        ("alpha", "short"),
        ("alpha", "sum/one"),
        ("beta", "sum/one"),
    ];
    assert_eq!(ids, expected);
    for (id, benchmark) in &benchmarks {
        let (sampling, count) = match id.1 {
            "short" => (Sampling::Batch, 15),
            "own settings/many calls a sample" => (Sampling::Batch, 12),
            _ => (Sampling::Call, 15),
        };
        assert_eq!((benchmark.sampling, samples(benchmark)), (sampling, vec![count; 2]), "{id:?}");
        assert_eq!(benchmark.target.as_deref(), Some("suite"));
        let rounds: Vec<_> = benchmark.launches.iter().map(|launch| launch.round).collect();
        assert_eq!(rounds, [0, 1]);
    }
    assert_eq!(benchmarks[&("alpha", "group/fold/40000")].elements, Some(40_000.0));
    assert_eq!(benchmarks[&("alpha", "group/batched")].per_call["bytes"], 1024.0);
    let calls_of = |id| &benchmarks[&("alpha", id)].launches[0].calls_per_sample;
    let many = calls_of("own settings/many calls a sample").as_ref().unwrap();
    assert_eq!(many.as_array().map_or(12, Vec::len), 12, "{many}");
    assert_eq!(calls_of("sum/one"), &None);
    let pilot = &run.settings.pilot;
    let setups = pilot.as_array().unwrap().iter().map(|record| record["setup"].as_f64().unwrap());
    assert_eq!(setups.filter(|setup| *setup > 0.0).count(), 2, "{pilot}");
    assert_eq!(pilot[1]["benchmarks"][0]["id"], "sum/one", "{pilot}");
    assert_eq!(pilot[1]["benchmarks"][0]["calls"], 15, "{pilot}");
    let notes = ["bench `plain` of `alpha` was skipped", "bench `gated` of `alpha` was left out"];
    for note in notes {
        assert!(run.notes.iter().any(|one| one.text.starts_with(note)), "{:?}", run.notes);
    }
    assert!(run.notes.iter().any(|one| one.text.contains("--features extra")));
    let kinds: Vec<_> = run.notes.iter().map(|one| one.note.as_str()).collect();
    assert!(kinds.contains(&"bench-skipped") && kinds.contains(&"bench-left-out"), "{kinds:?}");
    assert!(output.stdout.is_empty());
}

#[test]
fn what_a_bench_says_of_its_threads_and_provider_is_recorded() {
    let (run, _) = measure(&["--package", "beta"]);
    let conditions = [("provider", "cpu"), ("threads", "3")];
    assert_eq!(run.conditions, conditions.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    assert!(run.settings.command.unwrap().starts_with("perfgate measure"));
    let (run, _) = measure(&["--package", "alpha", "--bench", "short"]);
    assert!(run.conditions.is_empty());
}

#[test]
fn features_and_patterns_choose_what_is_measured() {
    let alpha = ["--package", "alpha", "--features", "alpha/extra"];
    let (run, _) =
        measure(&[&alpha[..], &["--bench", "gated", "--bench", "group/fold/*"]].concat());
    let ids: Vec<_> = outcome(&run).into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, ["gated", "group/fold/20000", "group/fold/40000"]);
}

#[test]
fn benches_that_panic_fail_alone() {
    let (run, _) = measure(&["--package", "nasty", "--bench", "panics/**"]);
    assert!(!run.complete);
    let expected = [
        ("panics/after", vec![15, 15], None),
        ("panics/again", vec![], Some("panicked")),
        ("panics/before", vec![15, 15], None),
        ("panics/here", vec![], Some("panicked")),
        ("panics/last", vec![15, 15], None),
    ];
    assert_eq!(outcome(&run), expected);
    let here = run.benchmarks.iter().find(|benchmark| benchmark.id == "panics/here").unwrap();
    let said = &here.failure.as_ref().unwrap().output;
    assert!(said.contains("\u{fffd}[31mas it must") && !said.contains('\u{1b}'), "{said}");
}

#[test]
fn a_bench_that_hangs_fails_alone_when_its_time_is_up() {
    let (run, _) = measure(&["--package", "nasty", "--bench", "hangs/**", "--timeout", "8s"]);
    let expected = [
        ("hangs/after", vec![15, 15], None),
        ("hangs/before", vec![15, 15], None),
        ("hangs/here", vec![], Some("timed out after 8 s")),
    ];
    assert_eq!(outcome(&run), expected);
    assert!(!run.complete);
}

#[test]
fn garbage_and_hostile_names_do_no_harm() {
    let parents = [&["--package", "nasty"][..], &["--bench", "**", "--bench", "../**"]].concat();
    let without = ["--bench", "!panics/**", "--bench", "!hangs/**", "--bench", "!twins/**"];
    let (run, _) = measure(&[&parents[..], &without].concat());
    let long = format!("../{}", "long ".repeat(2000));
    let expected = [
        ("../..", vec![15, 15], None),
        ("../../../../out", vec![15, 15], None),
        (long.as_str(), vec![15, 15], None),
        ("../| <script>alert(1)</script>\nline two", vec![15, 15], None),
        ("garbage/broken", vec![], Some("Criterion's results cannot be used")),
        ("garbage/no time", vec![], Some("wrote no samples")),
        ("garbage/prints", vec![15, 15], None),
    ];
    let seen = outcome(&run);
    let cut =
        |reason: Option<&'_ str>| reason.map(|reason| reason.split(':').next().unwrap().to_owned());
    let seen: Vec<_> =
        seen.into_iter().map(|(id, counts, reason)| (id, counts, cut(reason))).collect();
    let expected: Vec<_> =
        expected.into_iter().map(|(id, counts, reason)| (id, counts, cut(reason))).collect();
    assert_eq!(seen, expected);
}

#[test]
fn an_id_that_two_benches_have_is_not_merged() {
    let (run, _) = measure(&["--package", "nasty", "--bench", "twins/**"]);
    let expected = [
        (
            "twins/both",
            vec![],
            Some("benches `twins_one` and `twins_two` have a benchmark with this id"),
        ),
        ("twins/one", vec![15, 15], None),
        ("twins/two", vec![15, 15], None),
    ];
    assert_eq!(outcome(&run), expected);
    assert!(!run.complete);
}

#[test]
fn a_signal_in_the_middle_of_a_launch_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (fifo, temporary) = (folder.path().join("fifo"), folder.path().join("tmp"));
    fs::create_dir(&temporary).unwrap();
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let file = folder.path().join("run.json");
    let mut command = perfgate(&workspace());
    command.args(["measure", "--package", "nasty", "--bench", "hangs/here", "--output"]).arg(&file);
    command.env("HANG", &fifo).env("TMPDIR", &temporary);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    // Opening the pipe waits for the bench, and reading a line waits for its message. Reading to
    // the end waits for the last process that holds the pipe: the bench or its child.
    let mut reader = BufReader::new(fs::File::open(&fifo).unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "begun\n");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    reader.read_to_end(&mut Vec::new()).unwrap();
    // This read ends when the guard has ended. The guard removes the temporary folder last.
    child.stderr.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(!file.exists());
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn a_command_is_measured_without_cargo_or_git() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"echo "{\"id\": \"a\", \"samples_ns\": [1, 2.5]}""#;
    let output = perfgate(folder.path())
        .args(["measure", "command", "--launches", "3", "--", script])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = Run::read(&folder.path().join("run.json")).unwrap();
    assert_eq!(outcome(&run), [("a", vec![2, 2, 2], None)]);
    assert_eq!((run.complete, run.commit, run.host.rustc), (true, None, None));
}

#[test]
fn a_measured_command_sees_no_token_and_no_file_of_the_workflow() {
    let folder = tempfile::tempdir().unwrap();
    let hidden = [
        "GITHUB_TOKEN",
        "PERFGATE_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ACTIONS_RUNTIME_TOKEN",
        "GITHUB_ENV",
        "GITHUB_PATH",
        "GITHUB_OUTPUT",
        "GITHUB_STATE",
        "GITHUB_STEP_SUMMARY",
    ];
    let script = r#"env | grep '=SECRET$' >&2 && exit 3; echo "{\"id\": \"$GITHUB_SHA\", \"samples_ns\": [1]}""#;
    let mut command = perfgate(folder.path());
    for name in hidden {
        command.env(name, "SECRET");
    }
    let arguments = ["measure", "command", "--launches", "1", "--", script];
    let output = command.env("GITHUB_SHA", "kept").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = Run::read(&folder.path().join("run.json")).unwrap();
    assert_eq!(outcome(&run), [("kept", vec![1], None)]);
}

#[test]
fn what_failed_is_said_with_the_end_of_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"echo "{\"id\": \"a\", \"samples_ns\": [$$, 2]}"; echo "no more" >&2; exit 3"#;
    let said = |arguments: &[&str]| {
        let output = perfgate(folder.path()).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for arguments in [
        &["measure", "command", "--launches", "1", "--", script][..],
        &["calibrate", "--rounds", "3", "--command", script],
    ] {
        let (status, said) = said(arguments);
        assert!(said.contains("failed: command: exited with status 3\n  no more\n"), "{said}");
        assert_eq!(status, Some(0), "what was measured is kept: {said}");
    }
    let (status, said) = said(&["calibrate", "--rounds", "3", "--command", "echo nonsense"]);
    assert_eq!(status, Some(1));
    assert!(said.contains("failed: command: line 1 does not contain samples"), "{said}");
    assert!(said.contains("no noise was found"), "{said}");
}

/// Returns the code block under a heading of `docs/command-source.md`.
fn example(heading: &str) -> String {
    let document = include_str!("../../docs/command-source.md");
    let (_, after) = document.split_once(heading).unwrap();
    let (_, code) = after.split_once("```").unwrap();
    let (_, code) = code.split_once('\n').unwrap();
    code.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_examples_of_the_protocol_work() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bench.py"), example("## In Python")).unwrap();
    fs::write(folder.path().join("bench.sh"), example("## In a shell")).unwrap();
    for (command, expected) in [
        (["python3", "bench.py"], ("sum/20000", vec![100, 100], None)),
        (["sh", "bench.sh"], ("gzip/sh", vec![10, 10], None)),
    ] {
        let mut measure = perfgate(folder.path());
        measure.args(["measure", "command", "--launches", "2", "--"]).args(command);
        let output = measure.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let run = Run::read(&folder.path().join("run.json")).unwrap();
        assert_eq!(outcome(&run), [expected]);
    }
}

#[test]
fn what_cannot_be_measured_is_refused_with_a_remedy() {
    let empty = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], folder: &Path| {
        let output = perfgate(folder).arg("measure").args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = refused(&[], empty.path());
    assert_eq!(status, Some(2));
    assert!(
        said.contains("could not find `Cargo.toml`") && said.contains("--manifest-path"),
        "{said}"
    );
    let (status, said) = refused(&["--package", "gamma"], &workspace());
    assert_eq!(status, Some(2));
    assert!(said.contains("package `gamma` is not in the workspace, which has `alpha`"), "{said}");
    let (status, said) = refused(&["--bench", "a["], &workspace());
    assert_eq!(status, Some(2));
    assert!(said.contains("`a[` is not a pattern"), "{said}");
}

#[test]
fn the_doctor_says_what_it_finds_as_one_document() {
    let folder = tempfile::tempdir().unwrap();
    let output = perfgate(folder.path()).args(["doctor", "--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let found = |condition: &str| {
        findings.iter().find(|finding| finding["condition"] == condition).unwrap()["fitness"]
            .clone()
    };
    assert_eq!(found("git history"), "unfit");
    assert_eq!(found("cargo"), "fine");
    assert!(["fine", "unfit"].contains(&found("clock").as_str().unwrap()));
}
