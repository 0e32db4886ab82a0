//! Which runs become baselines, and in which store: by the command, and by the action's script with
//! the real command. The numbers in comments are those of the items of issue 13.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::action::entries;
use crate::command::{perfgate_in, text_of};
use crate::formats::CommitId;
use crate::git_server::Server;
use crate::github::root;
use crate::repositories::{Bed, fixed, git_in, run_of};

/// A repository, and a bare one that it shares its branches and baselines through.
struct Shared {
    bed: Bed,
    /// A commit of `main`.
    merged: CommitId,
    /// A commit of the branch `change`, which is not merged.
    proposed: CommitId,
}

impl Shared {
    fn new() -> Self {
        let bed = Bed::new();
        bed.git("", &["init", "--quiet", "--bare", "--initial-branch=main", "shared.git"]);
        bed.git("work", &["remote", "add", "origin", bed.path("shared.git").to_str().unwrap()]);
        let merged = bed.commit("merged");
        bed.git("work", &["checkout", "--quiet", "-b", "change"]);
        let proposed = bed.commit("proposed");
        bed.git("work", &["push", "--quiet", "origin", "main", "change"]);
        Self { bed, merged, proposed }
    }

    /// Writes a run of this commit whose only benchmark takes so many nanoseconds.
    fn write_run(&self, commit: &CommitId, nanos: f64) -> PathBuf {
        let path = self.bed.path(&format!("run-{}-{nanos}.json", commit.short()));
        let run = run_of(commit, "2026-11-22T00:00:00Z", &[("suite/a", nanos)]);
        fs::write(&path, serde_json::to_vec(&run).unwrap()).unwrap();
        path
    }

    /// Lets `command` run in a workflow that this event started.
    fn in_workflow<'a>(&self, command: &'a mut Command, event: &str) -> &'a mut Command {
        let payload = json!({
            "repository": { "full_name": "octo/repo", "default_branch": "main" },
            "pull_request": {
                "base": { "sha": self.merged.as_str() },
                "head": { "sha": self.proposed.as_str() },
            },
            "merge_group": { "base_sha": self.merged.as_str() },
        });
        let path = self.bed.path("event.json");
        fs::write(&path, payload.to_string()).unwrap();
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", event);
        command.env("GITHUB_EVENT_PATH", path).env("GITHUB_REPOSITORY", "octo/repo")
    }

    /// Saves and pushes a run, in a workflow if there is an event.
    fn push_run(&self, event: Option<&str>, run: &Path, words: &[&str]) -> Output {
        let mut command = perfgate_in(&self.bed.path("work"));
        command.args(["baseline", "save", "--push"]).args(words).arg(run);
        if let Some(event) = event {
            self.in_workflow(&mut command, event);
        }
        command.output().unwrap()
    }

    /// Runs the action's script in `folder` on a run file.
    fn act(&self, folder: &Path, event: &str, run: &Path, inputs: &[(&str, &str)]) -> Output {
        let mut command = Command::new(root().join("scripts/action/check"));
        fixed(&mut command).current_dir(folder);
        for input in entries("inputs").keys().filter(|name| *name != "path") {
            command.env(input.replace('-', "_").to_uppercase(), "");
        }
        self.in_workflow(&mut command, event);
        command
            .env("PERFGATE", env!("CARGO_BIN_EXE_perfgate"))
            .env("RUN", run)
            .env("BASELINE", "stored")
            .env("RECORD", "auto")
            .env("DATA_REPOSITORY", "origin")
            .env("DEFAULT_BRANCH", "main")
            .env("GITHUB_REF_NAME", "main")
            .env("GITHUB_REF_TYPE", "branch")
            .env("GITHUB_OUTPUT", self.bed.path("output"))
            .env("RUNNER_TEMP", self.bed.path(""))
            .env_remove("GITHUB_TOKEN");
        command.envs(inputs.iter().copied());
        let output = command.output().unwrap();
        // The script ends with the status of the check.
        assert!(matches!(output.status.code(), Some(0 | 10 | 11)), "{}", text_of(&output));
        output
    }

    /// Returns the names of the shared branches.
    fn branches(&self) -> String {
        self.bed.git("shared.git", &["branch", "--format=%(refname:short)"])
    }

    fn clone(&self, name: &str) -> PathBuf {
        self.bed.git("", &["clone", "--quiet", "shared.git", name]);
        self.bed.path(name)
    }
}

// 2

#[cfg(target_os = "linux")]
#[test]
fn a_store_that_the_configuration_names_is_the_store_of_every_command_and_of_the_action() {
    let shared = Shared::new();
    shared.bed.git("work", &["checkout", "--quiet", "main"]);
    let config = shared.bed.path("work/perfgate.toml");
    fs::write(&config, "[store]\nurl = \"git:my-baselines\"\n").unwrap();
    let base = shared.bed.commit("configured");
    shared.bed.git("work", &["push", "--quiet", "origin", "main"]);
    let recorded = shared.write_run(&base, 100.0);
    let output = shared.act(&shared.bed.path("work"), "push", &recorded, &[]);
    assert_eq!(shared.branches(), "change\nmain\nmy-baselines\n", "{}", text_of(&output));
    // Another runner finds it, and sees what got slower.
    let folder = shared.clone("runner");
    git_in(&folder, &["commit", "--quiet", "--allow-empty", "--message", "slower"]);
    let head = CommitId::parse(git_in(&folder, &["rev-parse", "HEAD"]).trim()).unwrap();
    let slower = shared.write_run(&head, 130.0);
    let output = shared.act(&folder, "push", &slower, &[("RECORD", "never")]);
    assert!(text_of(&output).contains("1 benchmark regressed"), "{}", text_of(&output));
    for words in [&["baseline", "list"][..], &["baseline", "prune", "--dry-run"]] {
        let output = perfgate_in(&folder).args(words).output().unwrap();
        let text = text_of(&output);
        assert!(text.contains(base.short()) || text.contains("kept 1"), "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_store_in_a_folder_is_recorded_to_and_needs_no_push() {
    let shared = Shared::new();
    shared.bed.git("work", &["checkout", "--quiet", "main"]);
    fs::write(shared.bed.path("work/perfgate.toml"), "[store]\nurl = \"dir:../kept\"\n").unwrap();
    fs::write(shared.bed.path("work/Cargo.toml"), "[workspace]\n").unwrap();
    let base = shared.bed.commit("configured");
    shared.bed.git("work", &["push", "--quiet", "origin", "main"]);
    let recorded = shared.write_run(&base, 100.0);
    let output = shared.act(&shared.bed.path("work"), "push", &recorded, &[]);
    let text = text_of(&output);
    assert!(text.contains("the store is a folder") && !text.contains("::warning"), "{text}");
    assert!(shared.bed.path("kept/runs").is_dir(), "{text}");
    assert_eq!(shared.branches(), "change\nmain\n");
    // A path of the command line starts at the current folder for every command.
    let elsewhere = shared.bed.path("");
    let list = ["baseline", "list", "--fetch", "--store", "dir:kept"];
    let output = perfgate_in(&elsewhere).args(list).output().unwrap();
    assert!(text_of(&output).contains(base.short()), "{}", text_of(&output));
    let list = ["baseline", "list", "--config", "work/perfgate.toml"];
    let output = perfgate_in(&elsewhere).args(list).output().unwrap();
    assert!(text_of(&output).contains(base.short()), "{}", text_of(&output));
    let slower = shared.write_run(&base, 130.0);
    let mut check = perfgate_in(&elsewhere);
    check.args(["check", "--manifest-path", "work/Cargo.toml", "--store", "dir:kept", "--run"]);
    let output = check.arg(&slower).args(["--baseline", "stored"]).output().unwrap();
    assert!(text_of(&output).contains("1 stored run"), "{}", text_of(&output));
}

// 11

#[test]
fn only_commits_of_the_default_branch_are_shared_as_baselines() {
    let shared = Shared::new();
    let [merged, proposed] =
        [&shared.merged, &shared.proposed].map(|commit| shared.write_run(commit, 100.0));
    let output = shared.push_run(None, &proposed, &[]);
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("is not in the default branch `main`"), "{text}");
    assert!(text.contains("help: ") && text.contains("--any-commit"), "{text}");
    for event in [
        "issue_comment",
        "workflow_dispatch",
        "schedule",
        "merge_group",
        "repository_dispatch",
        "push",
    ] {
        let output = shared.push_run(Some(event), &proposed, &[]);
        let text = text_of(&output);
        assert_eq!(output.status.code(), Some(2), "{event}: {text}");
        assert!(text.contains("not recorded as a baseline: commit"), "{event}: {text}");
        let forced = shared.push_run(Some(event), &proposed, &["--any-commit"]);
        assert_eq!(forced.status.code(), Some(2), "{event}: {}", text_of(&forced));
    }
    // What a job with the rights of the repository is given may name any commit.
    let output = shared.push_run(Some("workflow_run"), &merged, &[]);
    assert!(text_of(&output).contains("may be from a pull request"), "{}", text_of(&output));
    assert_eq!(shared.branches(), "change\nmain\n");
    let output = shared.push_run(Some("schedule"), &merged, &[]);
    assert!(output.status.success(), "{}", text_of(&output));
    let output = shared.push_run(None, &proposed, &["--any-commit"]);
    assert!(text_of(&output).contains("pushed 1 run"), "{}", text_of(&output));
}

#[test]
fn a_check_in_a_workflow_saves_no_baseline_of_a_commit_that_is_not_merged() {
    let shared = Shared::new();
    for (commit, is_saved) in [(&shared.proposed, false), (&shared.merged, true)] {
        let run = shared.write_run(commit, 100.0);
        let mut check = perfgate_in(&shared.bed.path("work"));
        check.args(["check", "--baseline", "none", "--save-baseline", "--run"]).arg(&run);
        let output = shared.in_workflow(&mut check, "issue_comment").output().unwrap();
        let text = text_of(&output);
        assert_eq!(text.contains("\nsaved as baseline"), is_saved, "{text}");
        assert_eq!(text.contains("is not in the default branch"), !is_saved, "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_action_gives_the_real_cause_if_a_run_is_not_recorded() {
    let shared = Shared::new();
    let run = shared.write_run(&shared.proposed, 100.0);
    let folder = shared.bed.path("work");
    let output = shared.act(&folder, "pull_request", &run, &[("RECORD", "always")]);
    let text = text_of(&output);
    let warning = text.lines().find(|line| line.starts_with("::warning")).unwrap_or_default();
    assert!(warning.contains("is not in the default branch `main`"), "{text}");
    for (event, branch) in [("pull_request", "7/merge"), ("merge_group", "main"), ("push", "other")]
    {
        let output = shared.act(&folder, event, &run, &[("GITHUB_REF_NAME", branch)]);
        assert!(!text_of(&output).contains("::warning"), "{event}: {}", text_of(&output));
    }
    assert_eq!(shared.branches(), "change\nmain\n");
}

#[test]
fn a_shallow_checkout_of_a_merged_commit_is_recorded_after_a_look_at_the_default_branch() {
    let shared = Shared::new();
    shared.bed.git("work", &["checkout", "--quiet", "main"]);
    shared.bed.commit("later");
    let Some(server) = Server::start(&shared.bed.path("server")) else { return };
    server.repository("code.git");
    let open = server.open_url("code.git");
    shared.bed.git("work", &["push", "--quiet", &open, "main", "change"]);
    let folder = shared.bed.path("checkout");
    fs::create_dir(&folder).unwrap();
    git_in(&folder, &["init", "--quiet"]);
    git_in(&folder, &["remote", "add", "origin", &open]);
    for (commit, is_recorded) in [(&shared.merged, true), (&shared.proposed, false)] {
        let fetch = ["fetch", "--quiet", "--no-tags", "--depth=1", "origin", commit.as_str()];
        git_in(&folder, &fetch);
        git_in(&folder, &["checkout", "--quiet", "--detach", commit.as_str()]);
        let run = shared.write_run(commit, 100.0);
        let mut save = perfgate_in(&folder);
        save.args(["baseline", "save", "--push"]).arg(&run);
        let output = shared.in_workflow(&mut save, "workflow_dispatch").output().unwrap();
        assert_eq!(output.status.success(), is_recorded, "{}", text_of(&output));
    }
}

// 16

#[cfg(target_os = "linux")]
#[test]
fn each_cause_of_a_baseline_that_is_not_recorded_is_one_line_with_its_remedy() {
    use std::os::unix::fs::PermissionsExt as _;
    let hook = |text: &'static str| {
        move |shared: &Shared| {
            let hook = shared.bed.path("shared.git/hooks/pre-receive");
            fs::write(&hook, format!("#!/bin/sh\necho '{text}' >&2\nexit 1\n")).unwrap();
            fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        }
    };
    let no_remote = |shared: &Shared| {
        shared.bed.git("work", &["remote", "remove", "origin"]);
    };
    let license = |shared: &Shared| {
        let folder = shared.clone("other");
        git_in(&folder, &["checkout", "--quiet", "--orphan", "perfgate-data"]);
        fs::write(folder.join("LICENSE"), "free").unwrap();
        git_in(&folder, &["add", "--all"]);
        git_in(&folder, &["commit", "--quiet", "--message", "a licence"]);
        git_in(&folder, &["push", "--quiet", "origin", "perfgate-data"]);
    };
    let protected =
        hook("error: GH006: Protected branch update failed for refs/heads/perfgate-data.");
    let forbidden = hook("remote: Permission to octo/repo.git denied to github-actions[bot].");
    let nothing = |_: &Shared| {};
    let causes: [(&dyn Fn(&Shared), bool, &str, &str); 5] = [
        (&no_remote, false, "origin", "--data-repository"),
        (&license, false, "holds `", "--store git:perfgate-data"),
        (&protected, false, "Protected branch", "exempt it in the repository's rules"),
        (&forbidden, false, "Permission to octo/repo.git", "; "),
        (&nothing, true, "the working tree had changes", "commit or stash"),
    ];
    for (prepare, is_dirty, cause, remedy) in causes {
        let shared = Shared::new();
        shared.bed.git("work", &["checkout", "--quiet", "main"]);
        let run = shared.write_run(&shared.merged, 100.0);
        if is_dirty {
            let text = fs::read_to_string(&run).unwrap();
            fs::write(&run, text.replace("\"dirty\":false", "\"dirty\":true")).unwrap();
        }
        prepare(&shared);
        let output = shared.act(&shared.bed.path("work"), "push", &run, &[]);
        let text = text_of(&output);
        let warnings: Vec<_> = text.lines().filter(|line| line.starts_with("::warning")).collect();
        let [warning] = warnings[..] else { panic!("{cause}: {text}") };
        assert!(warning.contains("was not recorded: "), "{cause}: {text}");
        assert!(warning.contains(cause) && warning.contains(remedy), "{cause}: {text}");
        assert!(!warning.contains("the job needs"), "{text}");
    }
}
