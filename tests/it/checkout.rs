//! `perfgate check` in checkouts of a workflow. It fetches what is missing by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::command::{perfgate_in, text_of};
use crate::formats::{CommitId, Run};
use crate::git_server::{Server, TOKEN};
use crate::repositories::{Bed, git_in, run_of};

const ACCEPT: &str = "slower\n\nPerfgate-Accept: suite/* +12% because it is exact now";

fn run(commit: &CommitId, created: &str, ns: f64) -> Run {
    run_of(commit, created, &[("suite/a", ns)])
}

/// A server with a recorded commit, further commits that are not recorded, and the merge of a pull
/// request of two commits.
struct Shared {
    bed: Bed,
    server: Server,
    recorded: CommitId,
    merge: CommitId,
}

impl Shared {
    fn new() -> Option<Self> {
        let bed = Bed::new();
        let server = Server::start(&bed.path("server"))?;
        server.repository("code.git");
        bed.git("work", &["config", "commit.cleanup", "verbatim"]);
        bed.git("work", &["remote", "add", "origin", &server.open_url("code.git")]);
        let recorded = bed.commit("recorded");
        let file = bed.path("baseline.json");
        let baseline = run(&recorded, "2026-11-22T00:00:01Z", 100.0);
        fs::write(&file, serde_json::to_vec(&baseline).unwrap()).unwrap();
        let mut save = perfgate_in(&bed.path("work"));
        let output = save.args(["baseline", "save", "--push"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", text_of(&output));
        bed.commit("not recorded");
        bed.git("work", &["checkout", "--quiet", "-b", "change"]);
        bed.commit(ACCEPT);
        bed.commit("more");
        bed.git("work", &["checkout", "--quiet", "main"]);
        bed.git("work", &["commit", "--quiet", "--allow-empty", "--message", "base tip"]);
        bed.git("work", &["merge", "--quiet", "--no-ff", "--message", "Merge", "change"]);
        let refs = ["HEAD:refs/pull/1/merge", "HEAD~1:refs/heads/main"];
        bed.git("work", &[&["push", "--quiet", "origin"][..], &refs].concat());
        let merge = bed.head();
        let candidate = run(&merge, "2026-11-22T00:00:02Z", 110.0);
        fs::write(bed.path("candidate.json"), serde_json::to_vec(&candidate).unwrap()).unwrap();
        Some(Self { bed, server, recorded, merge })
    }

    /// Fetches only the merge, like `actions/checkout`, from `origin` without credentials.
    fn checkout(&self) -> PathBuf {
        let folder = self.bed.path("checkout");
        fs::create_dir(&folder).unwrap();
        git_in(&folder, &["init", "--quiet"]);
        git_in(&folder, &["remote", "add", "origin", &self.server.url("code.git")]);
        let spec = format!("+{}:refs/remotes/pull/1/merge", self.merge);
        let open = self.server.open_url("code.git");
        git_in(&folder, &["fetch", "--quiet", "--no-tags", "--depth=1", &open, &spec]);
        git_in(&folder, &["checkout", "--quiet", "--detach", "refs/remotes/pull/1/merge"]);
        folder
    }

    fn check(&self, folder: &Path, token: Option<&str>, arguments: &[&str]) -> (Output, Value) {
        let mut check = perfgate_in(folder);
        check.args(["check", "--format", "json", "--baseline", "stored", "--out", "../out"]);
        check.args(arguments).arg("--run").arg(self.bed.path("candidate.json"));
        check.envs(token.map(|token| ("PERFGATE_TOKEN", token)));
        let output = check.output().unwrap();
        assert!(!text_of(&output).contains(TOKEN), "the token was shown");
        let decision = serde_json::from_slice(&output.stdout);
        let decision = decision.unwrap_or_else(|error| panic!("{error}: {}", text_of(&output)));
        (output, decision)
    }
}

#[test]
fn a_merge_checked_out_alone_finds_the_baseline_and_the_waiver_behind_it() {
    let Some(shared) = Shared::new() else { return };
    let checkout = shared.checkout();
    let (output, decision) = shared.check(&checkout, Some(TOKEN), &[]);
    assert_eq!(output.status.code(), Some(0), "{decision:#}");
    assert_eq!(decision["baseline"]["commit"]["id"], shared.recorded.as_str());
    assert_eq!(decision["benchmarks"][0]["change"], "regressed");
    assert_eq!(decision["benchmarks"][0]["waiver"]["reason"], "it is exact now");
    assert_eq!(decision["notes"], serde_json::json!([]));
    assert_eq!(git_in(&checkout, &["rev-list", "--count", "HEAD"]).trim(), "1");
    let (again, _) = shared.check(&checkout, Some(TOKEN), &[]);
    assert_eq!(again.stdout, output.stdout, "and again, with everything there");
}

#[test]
fn baselines_that_cannot_be_fetched_are_a_warning_and_no_failure_unless_required() {
    let Some(shared) = Shared::new() else { return };
    let checkout = shared.checkout();
    for token in [None, Some("not-the-t0ken")] {
        let (output, decision) = shared.check(&checkout, token, &[]);
        assert_eq!(output.status.code(), Some(0), "{decision:#}");
        assert_eq!(decision["benchmarks"][0]["change"], "new");
        let notes = decision["notes"].to_string();
        assert!(notes.contains("baselines-not-fetched"), "{notes}");
        assert!(notes.contains("nothing-stored"), "{notes}");
        let (output, _) = shared.check(&checkout, token, &["--require-baseline"]);
        assert_eq!(output.status.code(), Some(11));
    }
}

#[test]
fn history_that_cannot_be_fetched_is_a_warning() {
    let Some(shared) = Shared::new() else { return };
    let checkout = shared.checkout();
    let mut fetch = perfgate_in(&checkout);
    let output = fetch.args(["baseline", "list", "--fetch"]).env("PERFGATE_TOKEN", TOKEN);
    assert!(output.output().unwrap().status.success());
    let (output, decision) = shared.check(&checkout, None, &[]);
    assert_eq!(output.status.code(), Some(0), "{decision:#}");
    let notes = decision["notes"].to_string();
    assert!(notes.contains("history-not-fetched"), "{notes}");
}

#[test]
fn baselines_of_another_repository_are_fetched_from_there() {
    let Some(shared) = Shared::new() else { return };
    shared.server.repository("data.git");
    let data = shared.server.url("data.git");
    let mut push = perfgate_in(&shared.bed.path("work"));
    push.args(["baseline", "save", "--push", "--data-repository", &data]);
    push.arg(shared.bed.path("baseline.json")).env("PERFGATE_TOKEN", TOKEN);
    assert!(push.output().unwrap().status.success());
    shared.bed.git("work", &["push", "--quiet", "origin", ":perfgate-data"]);
    let checkout = shared.checkout();
    let (_, decision) = shared.check(&checkout, Some(TOKEN), &["--data-repository", &data]);
    assert_eq!(decision["baseline"]["commit"]["id"], shared.recorded.as_str(), "{decision:#}");
}

#[test]
fn a_repository_without_a_remote_is_not_told_about_one() {
    let bed = Bed::new();
    let head = bed.commit("head");
    let file = bed.path("run.json");
    let measured = run(&head, "2026-11-22T00:00:01Z", 100.0);
    fs::write(&file, serde_json::to_vec(&measured).unwrap()).unwrap();
    let mut check = perfgate_in(&bed.path("work"));
    let output = check.args(["check", "--out", "../out", "--run"]).arg(&file).output().unwrap();
    let text = text_of(&output);
    assert!(output.status.success() && text.contains("no baseline yet"), "{text}");
    assert!(!text.contains("fetch"), "{text}");
}
