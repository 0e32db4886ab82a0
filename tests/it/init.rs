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

/// The workflows that `init` writes.
const WORKFLOWS: [&str; 3] = ["perfgate.yml", "perfgate-publish.yml", "perfgate-baseline.yml"];

fn workflow(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(".github/workflows").join(name)).unwrap()
}

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
    for name in WORKFLOWS {
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
    let workflow = workflow(folder.path(), "perfgate-baseline.yml");
    assert!(workflow.contains("branches: [trunk]"), "{workflow}");
    assert!(
        workflow.contains("workflow_dispatch:") && workflow.contains("prune: true"),
        "{workflow}"
    );
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
    for name in ["perfgate.yml", "perfgate-baseline.yml"] {
        let workflow = workflow(folder.path(), name);
        assert!(workflow.contains("working-directory: engine\n"), "{workflow}");
    }
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

/// A repository with these files and without Cargo.
fn foreign_repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(".git")).unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

const GO: [(&str, &str); 2] =
    [("go.mod", "module a\n"), ("a_test.go", "func BenchmarkA(b *testing.B) {}\n")];
const PYTHON: (&str, &str) = ("test_a.py", "def test_a(benchmark):\n    benchmark(sum, [1])\n");
const NODE: (&str, &str) = ("package.json", "{\"devDependencies\": {\"vitest\": \"4\"}}");

/// Runs `init` where Cargo is not installed.
fn init_without_cargo(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = perfgate();
    command.arg("init").args(arguments).current_dir(folder).env("PATH", "").output().unwrap()
}

#[test]
fn a_repository_in_another_language_gets_a_gate_without_cargo() {
    for (files, adapter, action) in [
        (vec![PYTHON], "pytest-benchmark", Some("actions/setup-python@")),
        (GO.to_vec(), "go", Some("actions/setup-go@")),
        (vec![NODE, ("a.bench.js", "")], "vitest", Some("actions/setup-node@")),
        (vec![("pom.xml", "jmh-core")], "jmh", Some("actions/setup-java@")),
        (
            vec![("CMakeLists.txt", "target_link_libraries(speed benchmark::benchmark)")],
            "google-benchmark",
            None,
        ),
    ] {
        let folder = foreign_repository(&files);
        let output = init_without_cargo(folder.path(), &[]);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with(&format!("harness    {adapter}, found in ")), "{said}");
        assert!(!said.to_lowercase().contains("cargo bench"), "{said}");
        let config = fs::read_to_string(folder.path().join("perfgate.toml")).unwrap();
        let source = format!("source = {{ adapter = \"{adapter}\", command = ");
        assert!(config.contains(&source) && config.contains("\nprepare = "), "{config}");
        // A check reads it, and needs no Cargo to find out that nothing is measured there.
        let run = root().join("fixtures/runs/quiet.json");
        let mut check = perfgate();
        check.args(["check", "--baseline", "none", "--run"]).arg(run).current_dir(folder.path());
        assert!(check.output().unwrap().status.success());
        for name in ["perfgate.yml", "perfgate-baseline.yml"] {
            let workflow = workflow(folder.path(), name);
            assert!(action.is_none_or(|action| workflow.contains(action)), "{workflow}");
        }
        assert!(!workflow(folder.path(), "perfgate-publish.yml").contains("setup-"));
        let output = init(folder.path(), &["--check"]);
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn what_was_found_and_what_was_chosen_is_printed() {
    let files = [&GO[..], &[PYTHON, NODE, ("a.bench.js", "")]].concat();
    let folder = foreign_repository(&files);
    let output = init(folder.path(), &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("harness    pytest-benchmark, found in test_a.py\n"), "{said}");
    assert!(said.contains("also found go (a_test.go): `perfgate init --adapter go`"), "{said}");
    assert!(said.contains("also found vitest (a.bench.js)"), "{said}");
    let output = init(folder.path(), &["--force", "--adapter", "go"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("harness    go, found in a_test.go\n"), "{said}");
    let output = init(folder.path(), &["--force", "--adapter", "jmh"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("what it found: pytest-benchmark, go, vitest"), "{said}");
}

#[test]
fn criterion_benches_stay_the_choice_beside_another_harness() {
    let folder = repository(CRITERION);
    fs::write(folder.path().join(PYTHON.0), PYTHON.1).unwrap();
    let output = init(folder.path(), &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("benches    `tokens`\nalso found pytest-benchmark"), "{said}");
    // A package of Rust without such benches is measured by what it has.
    let folder = repository("");
    fs::write(folder.path().join(PYTHON.0), PYTHON.1).unwrap();
    let output = init(folder.path(), &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("harness    pytest-benchmark"), "{said}");
}

#[test]
fn a_feature_branch_is_not_taken_for_the_default_branch() {
    let folder = repository(CRITERION);
    fs::remove_dir_all(folder.path().join(".git/refs")).unwrap();
    let output = init(folder.path(), &[]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("the push to the default branch records"), "{said}");
    let workflow = workflow(folder.path(), "perfgate-baseline.yml");
    assert!(workflow.contains("branches: [\"**\"]") && !workflow.contains("feature"), "{workflow}");
    // Whatever starts it, only the default branch is recorded.
    let condition =
        "github.ref == format('refs/heads/{0}', github.event.repository.default_branch)";
    assert!(workflow.contains(condition), "{workflow}");
}

#[test]
fn no_pattern_is_suggested_that_matches_no_id() {
    let folder = repository(CRITERION);
    let suggested = || {
        let output = init(folder.path(), &["--force"]);
        assert!(output.status.success(), "{output:?}");
        let config = fs::read_to_string(folder.path().join("perfgate.toml")).unwrap();
        assert!(!config.contains("tokens/**"), "{config}");
        config.lines().find_map(|line| line.strip_prefix("# bench = ")).unwrap().to_owned()
    };
    assert_eq!(suggested(), "\"**\"");
    let measured = folder.path().join("target/perfgate");
    fs::create_dir_all(&measured).unwrap();
    let run = fs::read_to_string(root().join("fixtures/runs/small.json")).unwrap();
    let id =
        serde_json::from_str::<serde_json::Value>(&run).unwrap()["benchmarks"][0]["id"].clone();
    fs::write(measured.join("run.json"), run).unwrap();
    assert_eq!(suggested(), id.to_string());
}

#[test]
fn each_way_to_install_is_written_and_its_consequence_printed() {
    for (arguments, input, consequence) in [
        (&[][..], Some("install-method: cargo"), "no release of"),
        (&["--install", "cargo"], Some("install-method: cargo"), "build it from source"),
        (&["--install", "path"], Some("install-method: path"), "add a step that puts it there"),
        (&["--install", "release"], None, "the workflows stop without one"),
    ] {
        let folder = repository(CRITERION);
        let output = init(folder.path(), arguments);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(consequence), "{arguments:?}: {said}");
        for name in WORKFLOWS {
            let workflow = workflow(folder.path(), name);
            let found = workflow.lines().find(|line| line.contains("install-method"));
            assert_eq!(found.is_some(), input.is_some(), "{workflow}");
            assert!(input.is_none_or(|input| workflow.contains(input)), "{workflow}");
        }
    }
    let output = init(repository(CRITERION).path(), &["--install", "magic"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// Runs `init --check` after a text of one workflow was replaced.
fn audit(name: &str, from: &str, to: &str) -> (Option<i32>, String) {
    let folder = repository(CRITERION);
    assert!(init(folder.path(), &[]).status.success());
    let path = folder.path().join(".github/workflows").join(name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{name} has no {from}: {text}");
    fs::write(&path, text.replace(from, to)).unwrap();
    let output = init(folder.path(), &["--check"]);
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn what_init_writes_has_no_fault() {
    let (status, said) = audit("perfgate.yml", "name: perfgate", "name: perfgate");
    assert_eq!(
        (status, said.as_str()),
        (Some(0), "nothing is wrong with 3 workflows of perfgate\n")
    );
}

#[test]
fn a_long_workflow_of_somebody_else_is_skipped_with_a_note() {
    let folder = repository(CRITERION);
    assert!(init(folder.path(), &[]).status.success());
    let long = folder.path().join(".github/workflows/data.yml");
    fs::write(long, "# data\n".repeat(200_000)).unwrap();
    let output = init(folder.path(), &["--check"]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "skipped `.github/workflows/data.yml`: it is longer than 1048576 bytes\n\
         nothing is wrong with 3 workflows of perfgate\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn each_fault_of_a_workflow_is_one_line_with_its_remedy() {
    let gate = "perfgate.yml";
    let publish = "perfgate-publish.yml";
    let baseline = "perfgate-baseline.yml";
    for (name, from, to, line) in [
        (gate, "  merge_group:", "  # merge_group:", "add `merge_group:`"),
        (
            gate,
            "github.event.pull_request.number",
            "github.head_ref",
            "pull_request.number` in the concurrency",
        ),
        (gate, "  pull_request:", "  pull_request_target:", "measure on `pull_request`"),
        (gate, "      contents: read", "      contents: write", "publish in another workflow"),
        (gate, "fetch-depth: 0", "fetch-depth: 1", "add `fetch-depth: 0`"),
        (gate, "if: always() && ", "if: ", "add `if: always()`"),
        (gate, "install-method: cargo", "install-method: release", "add `install-method: cargo`"),
        (gate, "@v0", "@v9", "is another version than this perfgate"),
        (gate, "name: perfgate\n\non", "name: gate\n\non", "write `workflows: [gate]`"),
        (
            gate,
            "name: perfgate-decision",
            "name: other",
            "no measuring job uploads the artifact `perfgate-decision`",
        ),
        (gate, "jobs:", "jobs: [", "it is not a workflow"),
        (publish, "statuses: write", "statuses: read", "add `statuses: write`"),
        (publish, "actions: read", "contents: read", "add `actions: read`"),
        (publish, "publish-artifact: perfgate-decision", "publish-artifact: x", "artifact `x`"),
        (publish, "perfgate/perfgate@", "other/action@", "add perfgate-publish.yml"),
        (baseline, "contents: write", "contents: read", "add `contents: write`"),
        (baseline, "record: always", "record: never", "no workflow records baselines"),
        (
            baseline,
            "checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
            "checkout@v7",
            "name the hash of a commit",
        ),
    ] {
        let (status, said) = audit(name, from, to);
        assert_eq!(status, Some(2), "{from} → {to}: {said}");
        let found = said.lines().find(|said| said.contains(line));
        let found = found.unwrap_or_else(|| panic!("{from} → {to}: {said}"));
        assert!(found.contains("; "), "{found}");
    }
    let (status, said) = audit(gate, "permissions:", "permission:");
    assert_eq!(status, Some(2));
    assert!(said.contains("name its own `permissions:`"), "{said}");
}

#[test]
fn a_repository_without_workflows_is_told_how_to_get_them() {
    let folder = repository(CRITERION);
    let output = init(folder.path(), &["--check"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("no workflow uses perfgate; `perfgate init` writes them"), "{said}");
    let outside = tempfile::tempdir().unwrap();
    let output = init(outside.path(), &["--check"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_workflow_of_somebody_else_that_is_not_text_stops_no_audit() {
    let folder = repository(CRITERION);
    init(folder.path(), &[]);
    let workflows = folder.path().join(".github/workflows");
    fs::write(workflows.join("another.yml"), b"on: push\nname: \xff\xfe\n").unwrap();
    let output = init(folder.path(), &["--check"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("nothing is wrong with 3 workflows"), "{said}");
    fs::write(workflows.join("another.yml"), b"perfgate: [\xff\n").unwrap();
    let output = init(folder.path(), &["--check"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with(".github/workflows/another.yml: it is not a workflow"), "{said}");
}
