//! `perfgate measure` in workspaces as users have them: runners, default members, and benches that
//! do something unusual. A tiny bench stands in for Criterion, so that everything compiles quickly.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{perfgate_in, text_of};

/// Source of a bench that reads Criterion's flags, and prints and writes what Criterion does. `IDS`
/// holds its ids, `UNIT` the unit of its results. It writes them to `HOME` if that is not empty.
const BENCH: &str = r#"
use std::{env, fs, path::PathBuf};

const IDS: &[&str] = &[/* ids */];
const UNIT: &str = "/* unit */";
const HOME: &str = "/* home */";

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help") {
        return println!("This executable is a Criterion.rs benchmark.");
    }
    if words.iter().any(|word| word == "--list") {
        return IDS.iter().for_each(|id| println!("{id}: benchmark"));
    }
    let size = words.iter().position(|word| word == "--sample-size").unwrap() + 1;
    let size: usize = words[size].parse().unwrap();
    let filter = words.iter().find(|word| word.starts_with("^(?"));
    let wanted = filter.map(|filter| {
        let titles = filter.split_once(':').unwrap().1.trim_end_matches(")$").replace('\\', "");
        titles.split('|').map(str::to_owned).collect::<Vec<_>>()
    });
    for id in IDS.iter().filter(|id| wanted.as_ref().map_or(true, |wanted| wanted.iter().any(|one| one == *id))) {
        println!("Benchmarking {id}: Warming up for 1 ms");
        println!("Benchmarking {id}: Collecting {size} samples");
        let home = if HOME.is_empty() { env::var("CRITERION_HOME").unwrap() } else { HOME.to_owned() };
        let folder = PathBuf::from(home).join(id).join("new");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("benchmark.json"), format!("{{\"full_id\": \"{id}\"}}")).unwrap();
        let times = (0..size).map(|call| 1e6 + call as f64).collect::<Vec<_>>();
        let sample = format!("{{\"iters\": {:?}, \"times\": {times:?}}}", vec![1.0; size]);
        fs::write(folder.join("sample.json"), sample).unwrap();
        println!("Benchmarking {id}: Analyzing");
        println!("{id:24}time:   [1.0000 {UNIT} 1.0001 {UNIT} 1.0002 {UNIT}]");
    }
}
"#;

/// A workspace in a temporary folder.
struct TinyWorkspace(TempDir);

impl TinyWorkspace {
    /// Creates a workspace with this `Cargo.toml` at its root.
    fn new(manifest: &str) -> Self {
        let workspace = Self(tempfile::tempdir().unwrap());
        workspace.write("Cargo.toml", manifest);
        workspace
    }

    /// Creates a workspace of one package with the bench `standin`.
    fn with_bench(source: &str) -> Self {
        let workspace = Self::new(&manifest("tiny"));
        workspace.write("benches/standin.rs", source);
        workspace
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn perfgate(&self, folder: &str, words: &[&str]) -> Command {
        let mut command = perfgate_in(&self.path(folder));
        command.args(words);
        command
    }

    /// Measures one short launch, and returns the run and the output.
    fn measure(&self, words: &[&str]) -> (Value, Output) {
        let quick = ["measure", "--launches", "1", "--calls", "10", "--warmup", "1ms"];
        let output = self.perfgate("", &quick).args(words).output().unwrap();
        let run = fs::read(self.path("run.json"))
            .unwrap_or_else(|error| panic!("{error}: {}", text_of(&output)));
        (serde_json::from_slice(&run).unwrap(), output)
    }
}

fn manifest(package: &str) -> String {
    format!(
        "[package]\nname = \"{package}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
         [[bench]]\nname = \"standin\"\nharness = false\n\n[profile.bench]\nopt-level = 0\n"
    )
}

fn bench(ids: &str) -> String {
    bench_with(ids, "ms", "")
}

fn bench_with(ids: &str, unit: &str, home: &str) -> String {
    BENCH.replace("/* ids */", ids).replace("/* unit */", unit).replace("/* home */", home)
}

fn ids(run: &Value) -> Vec<&str> {
    let benchmarks = run["benchmarks"].as_array().unwrap().iter();
    benchmarks.map(|benchmark| benchmark["id"].as_str().unwrap()).collect()
}

fn find_host_triple() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

#[test]
fn benches_run_through_the_runner_however_it_is_written() {
    use std::os::unix::fs::PermissionsExt as _;

    let workspace = TinyWorkspace::with_bench(&bench(r#""a""#));
    let log = workspace.path("log");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>'{}'\n[ \"$1\" = one ] && shift 2\nexec \"$@\"\n",
        log.display()
    );
    workspace.write("tools/run.sh", &script);
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(workspace.path("tools/run.sh"), executable).unwrap();
    let triple = find_host_triple();
    let variable = format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase().replace('-', "_"));
    let list = r#"["tools/run.sh", "one", "two words"]"#;
    let cases = [
        (format!("[target.{triple}]\nrunner = \"tools/run.sh one  two\""), None, "one two "),
        (format!("[target.{triple}]\nrunner = {list}"), None, "one two words "),
        ("[target.'cfg(unix)']\nrunner = \"tools/run.sh one two\"".to_owned(), None, "one two "),
        (format!("[target.'cfg(unix)']\nrunner = {list}"), None, "one two words "),
        (String::new(), Some("tools/run.sh one two"), "one two "),
        // The variable replaces the file.
        (format!("[target.{triple}]\nrunner = \"false\""), Some("tools/run.sh"), "/"),
    ];
    for (config, runner, begin) in cases {
        workspace.write(".cargo/config.toml", &config);
        fs::write(&log, "").unwrap();
        let quick = ["measure", "--launches", "1", "--calls", "10", "--warmup", "1ms"];
        let mut command = workspace.perfgate("", &quick);
        command.env_remove(&variable).envs(runner.map(|runner| (&variable, runner)));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{config}: {}", text_of(&output));
        let lines = fs::read_to_string(&log).unwrap();
        assert!(lines.lines().count() >= 2, "the pilot and a launch, with {config}: {lines}");
        for line in lines.lines() {
            assert!(line.starts_with(begin) && line.contains("--sample-size"), "{config}: {line}");
        }
        let run: Value =
            serde_json::from_slice(&fs::read(workspace.path("run.json")).unwrap()).unwrap();
        // The memory of the runner is not that of the bench.
        assert_eq!(run["benchmarks"][0]["launches"][0]["metrics"], Value::Null, "{run}");
    }
}

#[test]
fn a_runner_that_cannot_be_started_is_named() {
    let workspace = TinyWorkspace::with_bench(&bench(r#""a""#));
    workspace.write(".cargo/config.toml", "[target.'cfg(unix)']\nrunner = \"no-such-runner -x\"");
    let output = workspace.perfgate("", &["measure"]).output().unwrap();
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("failed to start `no-such-runner -x`, the runner of Cargo"), "{text}");
}

#[test]
fn a_temporary_folder_with_spaces_does_not_change_the_runner() {
    let workspace = TinyWorkspace::with_bench(&bench(r#""a""#));
    fs::create_dir(workspace.path("my temporary files")).unwrap();
    for runner in [r#"["env", "X=1"]"#, r#""env""#] {
        let config = format!("[target.{}]\nrunner = {runner}", find_host_triple());
        workspace.write(".cargo/config.toml", &config);
        let quick = ["measure", "--launches", "1", "--calls", "10", "--warmup", "1ms"];
        let mut command = workspace.perfgate("", &quick);
        let output = command.env("TMPDIR", workspace.path("my temporary files")).output().unwrap();
        assert!(output.status.success(), "{runner}: {}", text_of(&output));
    }
}

#[test]
fn a_compiler_that_the_commit_names_does_not_see_the_token() {
    use std::os::unix::fs::PermissionsExt as _;

    let workspace = TinyWorkspace::with_bench(&bench(r#""a""#));
    let [started, leaked] = ["started", "leaked"].map(|name| workspace.path(name));
    let script = format!(
        "#!/bin/sh\n: >'{}'\n[ -z \"$GITHUB_TOKEN$ACTIONS_RUNTIME_TOKEN\" ] || echo \"$*\" >>'{}'\nexec rustc \"$@\"\n",
        started.display(),
        leaked.display()
    );
    workspace.write("tools=/rustc.sh", &script);
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(workspace.path("tools=/rustc.sh"), executable).unwrap();
    // The platform of the runner makes perfgate ask the compiler, too.
    let config =
        "[build]\nrustc = \"tools=/rustc.sh\"\n\n[target.'cfg(unix)']\nrunner = \"env X=1\"";
    workspace.write(".cargo/config.toml", config);
    let quick = ["measure", "--launches", "1", "--calls", "10", "--warmup", "1ms"];
    let mut command = workspace.perfgate("", &quick);
    command.env("GITHUB_TOKEN", "secret").env("ACTIONS_RUNTIME_TOKEN", "secret");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
    assert!(started.exists(), "the compiler of the commit is used");
    let leaked = fs::read_to_string(&leaked).unwrap_or_default();
    assert_eq!(leaked, "", "{}", text_of(&output));
}

#[test]
fn default_members_are_what_cargo_bench_would_build() {
    let root = |default: &str| {
        format!(
            "[workspace]\nresolver = \"2\"\nmembers = [\"good\", \"broken\", \"plain\"]\n\
             default-members = [\"{default}\"]\n[profile.bench]\nopt-level = 0\n"
        )
    };
    let workspace = TinyWorkspace::new(&root("good"));
    workspace.write("plain/src/lib.rs", "");
    workspace.write("plain/Cargo.toml", "[package]\nname = \"plain\"\nversion = \"0.1.0\"\n");
    for package in ["good", "broken"] {
        let manifest = manifest(package);
        let (manifest, _) = manifest.split_once("\n[profile").unwrap();
        workspace.write(&format!("{package}/Cargo.toml"), manifest);
    }
    workspace.write("good/benches/standin.rs", &bench(r#""a""#));
    workspace.write("broken/benches/standin.rs", "fn main() { does not compile }");
    let (run, output) = workspace.measure(&[]);
    assert_eq!((ids(&run), output.status.code()), (vec!["a"], Some(0)), "{}", text_of(&output));
    let fails = |folder: &str, words: &[&str]| {
        let output = workspace.perfgate(folder, &["measure", "--list"]).args(words).output();
        let output = output.unwrap();
        assert!(text_of(&output).contains("failed to build the benches"), "{}", text_of(&output));
    };
    fails("", &["--workspace"]);
    fails("", &["--package", "broken"]);
    fails("broken", &[]);
    fails("", &["--manifest-path", "broken/Cargo.toml"]);
    let output = workspace.perfgate("good", &["measure", "--list"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a\n", "{}", text_of(&output));
    // Default members without benches: the packages that have some are named.
    workspace.write("Cargo.toml", &root("plain"));
    let (run, output) = workspace.measure(&[]);
    assert_eq!((ids(&run), output.status.code()), (vec![], Some(11)), "{}", text_of(&output));
    let packages = serde_json::json!(["broken", "good"]);
    assert_eq!(run["notes"][0]["packages"], packages, "{run}");
    assert!(
        text_of(&output).contains("`--workspace` or `--package` chooses others"),
        "{}",
        text_of(&output)
    );
}

#[test]
fn a_pattern_that_matches_nothing_is_reported_at_once_with_the_nearest_ids() {
    let workspace = TinyWorkspace::with_bench(&bench(r#""shuffled/8", "shuffled/16", "sum""#));
    let (run, output) = workspace.measure(&["--bench", "shuffle/**"]);
    let text = text_of(&output);
    assert_eq!((ids(&run), output.status.code()), (vec![], Some(11)), "{text}");
    assert!(text.contains("the nearest are `shuffled/16`, `shuffled/8`"), "{text}");
    assert!(text.contains("`perfgate measure --list`"), "{text}");
    assert!(!text.contains("pilot"), "no target is started for it: {text}");
    // A check has it in its decision.
    let check = ["check", "--baseline", "none", "--bench", "shuffle/**", "--format", "json"];
    let output = workspace.perfgate("", &check).output().unwrap();
    let decision: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(11), "{decision}");
    assert!(decision["notes"].to_string().contains("nothing-selected"), "{decision}");
}

#[test]
fn a_list_has_the_ids_of_the_selected_benchmarks_and_measures_nothing() {
    let workspace = TinyWorkspace::with_bench(&bench(r#""shuffled/8", "shuffled/16", "sum""#));
    let list = |words: &[&str]| {
        let output = workspace.perfgate("", &["measure"]).args(words).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    let all = "shuffled/8\nshuffled/16\nsum\n".to_owned();
    assert_eq!(list(&["--list"]), (all.clone(), Some(0)));
    assert_eq!(list(&["criterion", "--list"]), (all, Some(0)));
    assert_eq!(list(&["--list", "--bench", "s*"]), ("sum\n".to_owned(), Some(0)));
    assert_eq!(list(&["--list", "--bench", "t*"]), (String::new(), Some(11)));
    assert!(!workspace.path("run.json").exists());
}

#[test]
fn a_bench_that_registers_no_benchmark_is_named() {
    let workspace = TinyWorkspace::with_bench(&bench(r#""a""#));
    let more = "[[bench]]\nname = \"idle\"\nharness = false\n";
    workspace.write("Cargo.toml", &(manifest("tiny") + more));
    workspace.write("benches/idle.rs", &bench(""));
    for words in [&[][..], &["--bench", "a"]] {
        let (run, output) = workspace.measure(words);
        assert_eq!(ids(&run), ["a"], "{}", text_of(&output));
        let note = &run["notes"][0];
        assert_eq!((&note["note"], &note["bench"]), (&"bench-empty".into(), &"idle".into()));
        let printed = text_of(&output);
        assert!(printed.contains("bench `idle` of `tiny` registers no benchmark"), "{printed}");
    }
}

#[test]
fn results_in_a_folder_of_the_bench_are_a_failure_that_names_the_cause() {
    let workspace = TinyWorkspace::with_bench(&bench_with(r#""a""#, "ms", "own-results"));
    let (run, output) = workspace.measure(&[]);
    let reason = &run["benchmarks"][0]["failure"]["reason"];
    assert_eq!(reason["reason"], "written-elsewhere", "{}", text_of(&output));
    assert!(text_of(&output).contains("`output_directory`"), "{}", text_of(&output));
    assert_eq!(output.status.code(), Some(11), "nothing was measured");
}

#[test]
fn a_benchmark_of_instructions_is_left_out_by_name_and_not_judged_as_time() {
    let counted = bench_with(r#""counted""#, "instructions", "");
    let workspace = TinyWorkspace::with_bench(&counted);
    let more = "[[bench]]\nname = \"timed\"\nharness = false\n";
    workspace.write("Cargo.toml", &(manifest("tiny") + more));
    workspace.write("benches/timed.rs", &bench(r#""timed""#));
    let (run, output) = workspace.measure(&[]);
    assert_eq!(ids(&run), ["timed"], "{}", text_of(&output));
    let note = &run["notes"][0];
    let named = (note["note"].as_str(), note["benchmark"].as_str(), note["unit"].as_str());
    assert_eq!(named, (Some("other-measurement"), Some("counted"), Some("instructions")));
}

#[test]
fn an_id_that_begins_with_hyphens_can_be_selected_as_the_report_writes_it() {
    let workspace = TinyWorkspace::with_bench(&bench(r#""--fast", "slow""#));
    let words = ["check", "--calls", "10", "--warmup", "1ms", "--baseline", "none"];
    let mut command = workspace.perfgate("", &words);
    let output = command.args(["--bench=--fast", "--target-mean", "1ns"]).output().unwrap();
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(10), "{text}");
    assert!(
        text.contains("perfgate check --bench='--fast' --target-mean 1ns --baseline none"),
        "{text}"
    );
}
