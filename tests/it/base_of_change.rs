//! What a change is compared with if nothing is stored, and whose rules judge it. The numbers in
//! comments are those of the items of issue 13.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::command::{perfgate_in, run_to_decision, text_of};
use crate::git_server::Server;
use crate::repositories::{Bed, git_in};
use crate::rounds::{BENCH, MANIFEST, changes, warns};

pub(crate) const CALM: &str = r#"("a", 1e6)"#;
pub(crate) const SLOWER: &str = r#"("a", 1.2e6)"#;

/// Returns the source of a bench with these ids and times.
pub(crate) fn bench(ids: &str) -> String {
    BENCH.replace("/* ids */", ids)
}

/// A repository whose `main` has a package with one bench, and a change of it that is not merged.
pub(crate) struct Change(pub(crate) Bed);

impl Change {
    /// Creates the repository. The branch `change` is checked out, and its commit has these files.
    pub(crate) fn new(base: &[(&str, &str)], change: &[(&str, &str)]) -> Self {
        let bed = Bed::new();
        let this = Self(bed);
        this.commit(&[(".gitignore", "target\nCargo.lock\nmine\n"), ("Cargo.toml", MANIFEST)]);
        this.commit(base);
        this.0.git("work", &["checkout", "--quiet", "-b", "change"]);
        this.commit(change);
        this
    }

    /// Merges the change as GitHub does, without moving `main`, and checks the merge out.
    pub(crate) fn merged(self) -> Self {
        self.0.git("work", &["checkout", "--quiet", "--detach", "main"]);
        self.0.git("work", &["merge", "--quiet", "--no-ff", "--message", "Merge", "change"]);
        self
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.0.path("work")
    }

    fn write(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = self.folder().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    pub(crate) fn commit(&self, files: &[(&str, &str)]) {
        self.write(files);
        self.0.git("work", &["add", "--all"]);
        self.0.git("work", &["commit", "--quiet", "--allow-empty", "--message", "next"]);
    }

    fn id(&self, revision: &str) -> String {
        self.0.git("work", &["rev-parse", revision]).trim().to_owned()
    }

    /// Returns a quick check in `folder`.
    pub(crate) fn check_in(&self, folder: &Path, words: &[&str]) -> Command {
        let mut command = perfgate_in(folder);
        command.args(["check", "--calls", "15", "--warmup", "1ms", "--out"]);
        command.arg(self.0.path("out")).args(words);
        command.env("PERFGATE_CACHE_DIR", self.0.path("cache"));
        command
    }

    /// Lets `command` run in a workflow that this event started.
    pub(crate) fn in_workflow(&self, command: &mut Command, event: &str) {
        let payload = json!({
            "repository": { "full_name": "octo/repo", "default_branch": "main" },
            "pull_request": {
                "number": 7,
                "base": { "sha": self.id("main") },
                "head": { "sha": self.id("change") },
            },
            "merge_group": { "base_sha": self.id("main"), "head_sha": self.id("HEAD") },
        });
        let path = self.0.path("event.json");
        fs::write(&path, payload.to_string()).unwrap();
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", event);
        command.env("GITHUB_EVENT_PATH", path).env("GITHUB_REPOSITORY", "octo/repo");
    }

    pub(crate) fn decide(&self, mut command: Command) -> (Value, Output) {
        run_to_decision(&mut command, &self.0.path("out/decision.json"))
    }

    /// Checks on the user's own machine.
    pub(crate) fn check(&self, words: &[&str]) -> (Value, Output) {
        self.decide(self.check_in(&self.folder(), words))
    }

    /// Checks in a workflow that this event started.
    pub(crate) fn check_under(&self, event: &str, words: &[&str]) -> (Value, Output) {
        let mut command = self.check_in(&self.folder(), words);
        self.in_workflow(&mut command, event);
        self.decide(command)
    }

    /// Saves three runs of the checked-out commit in the folder `store`.
    fn keep(&self, store: &str) {
        for _ in 0..3 {
            let words = ["--baseline", "none", "--save-baseline", "--store", store];
            let (_, output) = self.check(&words);
            assert!(text_of(&output).contains("saved as baseline"), "{}", text_of(&output));
        }
    }

    /// Returns what `publish` would send about the last decision.
    fn list_requests(&self) -> String {
        let mut command = perfgate_in(&self.folder());
        self.in_workflow(&mut command, "pull_request");
        command.args(["publish", "--dry-run"]).arg(self.0.path("out/decision.json"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text_of(&output));
        text_of(&output)
    }
}

// 1

#[test]
fn the_first_pull_request_ever_is_measured_against_its_base() {
    let files = [("benches/standin.rs", &*bench(r#"("a", 1e6), ("b", 1e6)"#))];
    let slow = [("benches/standin.rs", &*bench(r#"("a", 2e6), ("b", 1e6)"#))];
    let change = Change::new(&files, &slow).merged();
    for event in ["pull_request", "merge_group"] {
        let (decision, output) = change.check_under(event, &[]);
        let text = text_of(&output);
        assert_eq!(output.status.code(), Some(10), "{text}");
        assert_eq!(changes(&decision), [("a", "regressed"), ("b", "unchanged")], "{text}");
        assert_eq!(decision["baseline"]["commit"]["id"], change.id("main").as_str());
        assert!(!warns(&decision, "no baseline"), "{decision:#}");
    }
}

#[cfg(all(feature = "github", target_os = "linux"))]
#[test]
fn the_action_fails_the_first_pull_request_that_is_slower_and_names_what() {
    let change = Change::new(
        &[("benches/standin.rs", &bench(CALM))],
        &[("benches/standin.rs", &bench(SLOWER))],
    )
    .merged();
    let temporary = change.0.path("");
    let mut action = Command::new(crate::github::root().join("scripts/action/check"));
    crate::repositories::fixed(&mut action).current_dir(change.folder());
    for input in crate::action::entries("inputs").keys().filter(|name| *name != "path") {
        action.env(input.replace('-', "_").to_uppercase(), "");
    }
    change.in_workflow(&mut action, "pull_request");
    action
        .env("PERFGATE", env!("CARGO_BIN_EXE_perfgate"))
        .env("PERFGATE_CACHE_DIR", change.0.path("cache"))
        .env("BASELINE", "auto")
        .env("RECORD", "auto")
        .env("DATA_REPOSITORY", "origin")
        .env("DEFAULT_BRANCH", "main")
        .env("GITHUB_REF_NAME", "7/merge")
        .env("GITHUB_REF_TYPE", "branch")
        .env("GITHUB_OUTPUT", temporary.join("output"))
        .env("RUNNER_TEMP", &temporary)
        .env_remove("GITHUB_TOKEN");
    let output = action.output().unwrap();
    let text = text_of(&output);
    assert!(text.contains("FAIL   1 benchmark regressed"), "{text}");
    assert!(text.contains("regressed   a    +20.0 %"), "{text}");
    let outputs = fs::read_to_string(temporary.join("output")).unwrap();
    assert!(outputs.starts_with("exit-status=10\n"), "{outputs}");
    let decision = change.folder().join("target/perfgate/decision.json");
    fs::create_dir_all(change.0.path("out")).unwrap();
    fs::copy(decision, change.0.path("out/decision.json")).unwrap();
    let requests = change.list_requests();
    assert!(requests.contains("\"1 regressed\"") && requests.contains("\"failure\""), "{requests}");
}

#[test]
fn a_local_branch_is_measured_against_where_it_left_main() {
    let change = Change::new(
        &[("benches/standin.rs", &bench(CALM))],
        &[("benches/standin.rs", &bench(SLOWER))],
    );
    let parted = change.id("main");
    let (decision, output) = change.check(&[]);
    assert_eq!(changes(&decision), [("a", "regressed")], "{}", text_of(&output));
    assert_eq!(decision["baseline"]["commit"]["id"], parted.as_str());
    // A commit of the default branch is no change, but what is not committed there is one.
    change.0.git("work", &["checkout", "--quiet", "main"]);
    let (decision, output) = change.check(&[]);
    assert_eq!(changes(&decision), [("a", "new")], "{}", text_of(&output));
    assert_eq!(
        (&decision["verdict"], &decision["exit_status"]),
        (&"inconclusive".into(), &0.into())
    );
    change.write(&[("benches/standin.rs", &bench(SLOWER))]);
    let (decision, output) = change.check(&[]);
    assert_eq!(changes(&decision), [("a", "regressed")], "{}", text_of(&output));
}

#[test]
fn a_base_that_does_not_build_is_no_pass_and_is_said_first() {
    let change = Change::new(
        &[("benches/standin.rs", "this is no Rust")],
        &[("benches/standin.rs", &bench(CALM))],
    )
    .merged();
    let (decision, output) = change.check_under("pull_request", &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let first = "INCONCLUSIVE   no baseline: the base commit could not be measured";
    assert!(text.starts_with(first), "{text}");
    assert_eq!(decision["exit_status"], 0, "{text}");
    let requests = change.list_requests();
    assert!(requests.contains("inconclusive: not compared with a baseline (1 new)"), "{requests}");
    assert!(requests.contains("issues/7/comments"), "{requests}");
}

#[test]
fn a_push_to_the_default_branch_measures_no_parent_because_nothing_is_stored() {
    let change = Change::new(
        &[("benches/standin.rs", &bench(CALM))],
        &[("benches/standin.rs", &bench(SLOWER))],
    );
    change.0.git("work", &["checkout", "--quiet", "main"]);
    change.0.git("work", &["merge", "--quiet", "change"]);
    let (decision, output) = change.check_under("push", &[]);
    assert_eq!(changes(&decision), [("a", "new")], "{}", text_of(&output));
    assert_eq!(decision["baseline"]["kind"], "none");
}

#[test]
fn a_run_file_without_a_stored_baseline_is_told_to_name_one() {
    let change = Change::new(
        &[("benches/standin.rs", &bench(CALM))],
        &[("benches/standin.rs", &bench(SLOWER))],
    )
    .merged();
    let (_, output) = change.check_under("pull_request", &["--baseline", "none"]);
    let run = change.0.path("run.json");
    fs::copy(change.0.path("out/run.json"), &run)
        .unwrap_or_else(|_| panic!("{}", text_of(&output)));
    let (decision, _) = change.check_under("pull_request", &["--run", run.to_str().unwrap()]);
    assert!(warns(&decision, "is not measured beside a run file"), "{decision:#}");
    assert_eq!(decision["verdict"], "inconclusive");
}

#[test]
fn a_merge_checked_out_alone_is_measured_against_a_base_that_is_fetched() {
    let base =
        [("benches/standin.rs", &*bench(CALM)), ("perfgate.toml", "[gate]\nthreshold = \"2%\"\n")];
    let change = Change::new(&base, &[("benches/standin.rs", &bench(SLOWER))]).merged();
    let Some(server) = Server::start(&change.0.path("server")) else { return };
    server.repository("code.git");
    let open = server.open_url("code.git");
    let refs = ["main:refs/heads/main", "change:refs/heads/change", "HEAD:refs/pull/7/merge"];
    change.0.git("work", &[&["push", "--quiet", &open][..], &refs].concat());
    let folder = change.0.path("checkout");
    let check_out = |reference: &str| {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        git_in(&folder, &["init", "--quiet"]);
        git_in(&folder, &["remote", "add", "origin", &open]);
        let spec = format!("+{reference}:refs/remotes/origin/checked-out");
        git_in(&folder, &["fetch", "--quiet", "--no-tags", "--depth=1", "origin", &spec]);
        git_in(&folder, &["checkout", "--quiet", "--detach", "refs/remotes/origin/checked-out"]);
    };
    // A push to a branch has no base in its event: the history that shows it is fetched.
    for (event, reference) in [("pull_request", "refs/pull/7/merge"), ("push", "refs/heads/change")]
    {
        check_out(reference);
        let mut command = change.check_in(&folder, &[]);
        change.in_workflow(&mut command, event);
        let (decision, output) = change.decide(command);
        assert_eq!(changes(&decision), [("a", "regressed")], "{event}: {}", text_of(&output));
        assert_eq!(decision["baseline"]["commit"]["id"], change.id("main").as_str(), "{event}");
        assert_eq!(decision["benchmarks"][0]["threshold"], 0.02, "{event}");
    }
}

// 4

#[test]
fn stored_runs_that_cannot_be_read_do_not_pass_a_change() {
    let change = Change::new(
        &[("benches/standin.rs", &bench(CALM))],
        &[("benches/standin.rs", &bench(&format!("{CALM} /* the same */")))],
    )
    .merged();
    change.0.git("work", &["checkout", "--quiet", "main"]);
    let store = format!("dir:{}", change.0.path("store").display());
    change.keep(&store);
    change.0.git("work", &["checkout", "--quiet", "--detach", "-"]);
    let merge = change.id("HEAD");
    assert_ne!(merge, change.id("main"));
    // One of three is cut short.
    let record = find_files(&change.0.path("store")).remove(0);
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, &text[..text.len() / 2]).unwrap();
    let name = record.file_name().unwrap().to_str().unwrap();
    let (decision, output) = change.check_under("pull_request", &["--store", &store]);
    assert_eq!(decision["baseline"]["kind"], "rounds", "{}", text_of(&output));
    assert_eq!(decision["verdict"], "pass");
    assert!(warns(&decision, name), "{decision:#}");
    assert!(change.list_requests().contains("issues/7/comments"), "nobody is told");
    // Nothing else can be asked, so the other two are used and do not make it pass.
    let words = ["--store", &store, "--baseline", "stored"];
    let (decision, output) = change.check_under("pull_request", &words);
    let text = text_of(&output);
    assert_eq!(decision["baseline"]["runs"], 2, "{text}");
    assert_eq!(decision["verdict"], "inconclusive", "{text}");
    assert!(text.contains("INCONCLUSIVE   1 stored run could not be read"), "{text}");
}

/// Returns the files below `folder`.
fn find_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { find_files(&path) } else { vec![path] }).collect()
}

// 5

#[test]
fn a_change_is_not_judged_by_the_rules_that_it_brings() {
    let rules =
        "[gate]\nthreshold = \"50%\"\n[measure]\nlaunches = 1\n[store]\nurl = \"dir:mine\"\n";
    let change = Change::new(
        &[("benches/standin.rs", &bench(CALM))],
        &[("benches/standin.rs", &bench(SLOWER)), ("perfgate.toml", rules)],
    )
    .merged();
    // Runs in the change's own store would let it pass.
    change.keep("dir:mine");
    let (decision, output) = change.check_under("pull_request", &[]);
    assert_eq!(changes(&decision), [("a", "regressed")], "{}", text_of(&output));
    assert_eq!(decision["baseline"]["kind"], "rounds");
    assert!(warns(&decision, "`gate.threshold` (not set → 50%)"), "{decision:#}");
    assert!(warns(&decision, "`store.url` (not set → dir:mine)"), "{decision:#}");
    // Also where the change is as fast as before, somebody should read what it edits.
    change.0.git("work", &["checkout", "--quiet", "change"]);
    change.commit(&[("benches/standin.rs", &bench(&format!("{CALM} /* again */")))]);
    let change = change.merged();
    let (decision, output) = change.check_under("pull_request", &[]);
    assert_eq!(decision["verdict"], "pass", "{}", text_of(&output));
    let requests = change.list_requests();
    assert!(requests.contains("issues/7/comments"), "{requests}");
    assert!(requests.contains("takes effect after the merge"), "{requests}");
    // The command line is that of the workflow, and counts.
    change.0.git("work", &["checkout", "--quiet", "change"]);
    change.commit(&[("benches/standin.rs", &bench(SLOWER))]);
    let change = change.merged();
    let (decision, _) = change.check_under("pull_request", &["--threshold", "40%"]);
    assert_eq!(changes(&decision), [("a", "unchanged")]);
}

#[test]
fn rules_of_the_base_hold_until_the_merge_and_a_target_of_the_change_judges_at_once() {
    let base = "[gate]\nthreshold = \"30%\"\n[[target]]\nbench = \"a\"\nmean = \"2ms\"\n";
    let own = "[gate]\nthreshold = \"1%\"\n[[target]]\nbench = \"b\"\nmean = \"1us\"\n";
    let change = Change::new(
        &[("benches/standin.rs", &bench(r#"("a", 1e6), ("b", 1e6)"#)), ("perfgate.toml", base)],
        &[("benches/standin.rs", &bench(r#"("a", 1.2e6), ("b", 1e6)"#)), ("perfgate.toml", own)],
    )
    .merged();
    let (decision, output) = change.check_under("pull_request", &[]);
    assert_eq!(
        changes(&decision),
        [("a", "unchanged"), ("b", "unchanged")],
        "{}",
        text_of(&output)
    );
    let status = |place: usize| decision["benchmarks"][place]["targets"][0]["status"].clone();
    assert_eq!((status(0), status(1)), (json!("met"), json!("missed")), "{decision:#}");
    assert!(warns(&decision, "`gate.threshold` (30% → 1%)"), "{decision:#}");
    assert!(warns(&decision, "`target \"a\" mean` (2ms → not set)"), "{decision:#}");
    assert!(!warns(&decision, "target \"b\""), "{decision:#}");
    // The same locally. After the merge it is the rule.
    change.0.git("work", &["checkout", "--quiet", "change"]);
    let (decision, _) = change.check(&[]);
    assert_eq!(changes(&decision)[0], ("a", "unchanged"), "{decision:#}");
    change.0.git("work", &["checkout", "--quiet", "main"]);
    change.0.git("work", &["merge", "--quiet", "change"]);
    let (decision, _) = change.check(&["--baseline", "HEAD~1"]);
    assert_eq!(changes(&decision)[0], ("a", "regressed"), "{decision:#}");
}

#[test]
fn rules_of_the_base_that_cannot_be_read_give_way_to_the_defaults_and_a_warning() {
    let change = Change::new(
        &[("benches/standin.rs", &bench(CALM)), ("perfgate.toml", "[gate]\nthreshhold = \"9%\"\n")],
        &[
            ("benches/standin.rs", &bench(SLOWER)),
            ("perfgate.toml", "[gate]\nthreshold = \"50%\"\n"),
        ],
    )
    .merged();
    let (decision, output) = change.check_under("pull_request", &[]);
    assert_eq!(changes(&decision), [("a", "regressed")], "{}", text_of(&output));
    assert!(warns(&decision, "could not be read, so the default rules judge"), "{decision:#}");
}

// 11

#[test]
fn nothing_is_measured_where_strangers_start_jobs_with_rights() {
    let change = Change::new(&[("benches/standin.rs", &bench(CALM))], &[]).merged();
    for event in ["pull_request_target", "workflow_run"] {
        for words in
            [&["check"][..], &["measure"], &["calibrate"], &["measure", "command", "--", "x"]]
        {
            let mut command = perfgate_in(&change.folder());
            command.args(words);
            change.in_workflow(&mut command, event);
            let output = command.output().unwrap();
            let text = text_of(&output);
            assert_eq!(output.status.code(), Some(2), "{text}");
            assert!(text.contains(&format!("nothing is measured under `{event}`")), "{text}");
            assert!(!change.folder().join("target").exists(), "something was built");
        }
    }
}
