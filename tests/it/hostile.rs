//! The trusted half of the fork pattern against forged artifacts, one test per attack.

use std::io::{Cursor, Write as _};

use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::github::{GitHub, decision, perfgate, root};

/// The head commit of the event `workflow_run_fork`.
const HEAD: &str = "3484a3fb816e0859fd6e1cea078d76385ff50625";
const BASE: &str = "octo-org/octo-repo";
const FORK: &str = "contributor/octo-repo";
const NAME: &str = "perfgate-decision";

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn json_of(name: &str) -> Vec<u8> {
    std::fs::read(decision(name)).unwrap()
}

fn github(archive: Vec<u8>) -> GitHub {
    GitHub::new().with_pull(7, HEAD, FORK, BASE).with_artifact(NAME, HEAD, archive)
}

#[track_caller]
fn refused(github: &GitHub, why: &str) {
    let output = github.publish("workflow_run_fork", &["--artifact", NAME]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(why) && said.contains("help: "), "{said}");
    assert_commands_are_ours(&said);
    assert!(output.stdout.is_empty(), "{said}");
    assert_eq!(github.writes(), [""; 0]);
    assert!(github.summary().is_empty());
}

#[track_caller]
fn accepted(github: &GitHub) -> String {
    let output = github.publish("workflow_run_fork", &["--artifact", NAME]);
    assert!(output.status.success(), "{output:?}");
    assert_commands_are_ours(&String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_commands_are_ours(&said);
    said
}

/// Asserts that GitHub's runner finds no command in the log but annotations with perfgate's title.
#[track_caller]
fn assert_commands_are_ours(log: &str) {
    assert!(!log.contains("##[") && !log.contains('\u{1b}'), "{log}");
    for line in log.split(['\n', '\r']) {
        let line = line.trim_start();
        let is_ours = ["::error ", "::warning ", "::notice "]
            .iter()
            .any(|level| line.starts_with(level) && line.contains("title=perfgate"));
        assert!(!line.starts_with("::") || is_ours, "{log}");
    }
}

#[test]
fn a_field_name_of_a_forged_decision_writes_no_workflow_command() {
    for name in [
        "x\n::set-output name=verdict::pass\n::add-mask::PASS",
        "x\r::stop-commands::z",
        "x ##[add-mask]y",
        "\u{1b}]0;title\u{7}",
    ] {
        let mut whole: Value = serde_json::from_slice(&json_of("fail")).unwrap();
        whole[name] = json!(1);
        refused(
            &github(archive(&[("decision.json", whole.to_string().as_bytes())])),
            "unknown field",
        );
        let mut whole: Value = serde_json::from_slice(&json_of("fail")).unwrap();
        whole["benchmarks"][0]["id"] = json!(name);
        accepted(&github(archive(&[("decision.json", whole.to_string().as_bytes())])));
    }
}

#[test]
fn what_a_fork_measured_is_published_on_its_pull_request() {
    let github = github(archive(&[("decision.json", &json_of("fail"))]));
    accepted(&github);
    let expected = [
        format!("POST /repos/{BASE}/statuses/{HEAD}"),
        format!("POST /repos/{BASE}/issues/7/comments"),
    ];
    assert_eq!(github.writes(), expected);
    let link = github.statuses()[0]["target_url"].as_str().unwrap().to_owned();
    assert!(
        link.ends_with("/actions/runs/289782451"),
        "the run that measured, not this one: {link}"
    );
}

#[test]
fn a_pull_request_number_in_the_artifact_means_nothing() {
    let mut claims: Value = serde_json::from_slice(&json_of("fail")).unwrap();
    claims["pull_request"] = json!(1);
    refused(
        &github(archive(&[("decision.json", claims.to_string().as_bytes())])),
        "unknown field `pull_request`",
    );
    let beside = [("decision.json", json_of("fail")), ("pr_number", b"1".to_vec())];
    let beside: Vec<_> = beside.iter().map(|(name, content)| (*name, content.as_slice())).collect();
    let github = github(archive(&beside)).with_pull(1, &"d".repeat(40), "victim/octo-repo", BASE);
    accepted(&github);
    assert!(github.writes().contains(&format!("POST /repos/{BASE}/issues/7/comments")));
}

#[test]
fn a_pull_request_at_another_commit_or_of_another_repository_is_not_commented_on() {
    let whole = archive(&[("decision.json", &json_of("fail"))]);
    for (head, from, into) in [
        ("d".repeat(40), FORK, BASE),
        (HEAD.to_owned(), "contributor/other", BASE),
        (HEAD.to_owned(), FORK, "victim/octo-repo"),
    ] {
        let github =
            GitHub::new().with_pull(7, &head, from, into).with_artifact(NAME, HEAD, whole.clone());
        let log = accepted(&github);
        assert!(github.comments().is_empty() && log.contains("::notice"), "{log}");
    }
}

#[test]
fn an_event_of_another_repository_is_refused() {
    let github = github(archive(&[("decision.json", &json_of("fail"))]));
    let mut command = github.command("workflow_run_fork", &["--artifact", NAME]);
    let output = command.env("GITHUB_REPOSITORY", "victim/octo-repo").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(github.requests().is_empty());
}

#[test]
fn an_artifact_of_another_commit_is_refused() {
    let whole = archive(&[("decision.json", &json_of("fail"))]);
    let github =
        GitHub::new().with_pull(7, HEAD, FORK, BASE).with_artifact(NAME, &"e".repeat(40), whole);
    refused(&github, "belongs to another commit");
}

#[test]
fn an_artifact_that_says_it_is_too_long_is_not_fetched() {
    let github = github(archive(&[("decision.json", &json_of("fail"))])).with_claimed_size(1 << 40);
    refused(&github, "1099511627776 bytes");
    assert!(!github.requests().iter().any(|request| request.url.path().ends_with("/zip")));
}

#[test]
fn an_artifact_longer_than_it_says_is_cut_off() {
    let mut long = archive(&[("decision.json", &json_of("fail"))]);
    long.resize(17 << 20, 0);
    let github = github(long).with_claimed_size(100);
    let output = github.publish("workflow_run_fork", &["--artifact", NAME]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("longer than 16777216 bytes"));
    assert_eq!(github.writes(), [""; 0]);
}

#[test]
fn a_zip_bomb_is_stopped_while_it_unpacks() {
    let bomb = archive(&[("decision.json", &vec![b' '; 33 << 20])]);
    assert!(bomb.len() < 1 << 20, "{} bytes packed", bomb.len());
    refused(&github(bomb), "longer than 33554432 bytes");
}

#[test]
fn a_path_in_the_archive_leads_nowhere() {
    let outside = "../../../../../../../../tmp/perfgate-escaped";
    let names = [
        outside,
        "/tmp/perfgate-escaped",
        "a/../decision.json",
        "..\\decision.json",
        "decision.json/x",
    ];
    let files: Vec<_> = names.iter().map(|name| (*name, b"x".as_slice())).collect();
    let github = github(archive(&files));
    refused(&github, "has no `decision.json`");
    assert!(!std::path::Path::new("/tmp/perfgate-escaped").exists());
    let left: Vec<_> = std::fs::read_dir(github.file("")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_is_not_a_decision_is_refused() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut whole: Value = serde_json::from_slice(&json_of("fail")).unwrap();
        change(&mut whole);
        archive(&[("decision.json", whole.to_string().as_bytes())])
    };
    let cases: [(Vec<u8>, &str); 9] = [
        (
            with(&|whole| whole["schema"] = json!("perfgate.decision/99")),
            "schema `perfgate.decision/99` was written by a newer perfgate",
        ),
        (with(&|whole| whole["benchmarks"][0]["html"] = json!("<b>")), "unknown field `html`"),
        (
            with(&|whole| whole["exit_status"] = json!(0)),
            "the exit status is 0, but that of the verdict is 10",
        ),
        (with(&|whole| whole["benchmarks"][0]["id"] = json!("")), "its id is empty"),
        (
            with(&|whole| whole["benchmarks"][1]["id"] = whole["benchmarks"][0]["id"].clone()),
            "appears twice",
        ),
        (
            with(&|whole| whole["warnings"] = json!(["x".repeat(70_000)])),
            "a text is longer than 65536 bytes",
        ),
        (
            with(&|whole| {
                let note =
                    json!({"note": "bench-skipped", "bench": "b", "package": "x".repeat(70_000)});
                whole["benchmarks"][0]["reasons"] = json!([{"note": "baseline", "about": note}]);
            }),
            "a text is longer than 65536 bytes",
        ),
        (archive(&[("decision.json", b"[")]), "is not a decision"),
        (b"PK not a zip".to_vec(), "not a readable archive"),
    ];
    for (archive, why) in cases {
        refused(&github(archive), why);
    }
}

#[test]
fn mentions_and_html_in_names_stay_text() {
    let github = github(archive(&[("decision.json", &json_of("hostile"))]));
    accepted(&github);
    let [(_, comment)] = github.comments().try_into().unwrap();
    assert!(
        !comment.contains('@') && !comment.contains("<script") && !comment.contains("<img"),
        "{comment}"
    );
}

#[test]
fn the_token_stays_with_github_when_the_archive_is_elsewhere() {
    let storage =
        GitHub::new().with_artifact(NAME, HEAD, archive(&[("decision.json", &json_of("pass"))]));
    let elsewhere = format!("{}/repos/a/b/actions/artifacts/5/zip", storage.uri());
    let github = github(Vec::new()).with_archive_at(elsewhere);
    accepted(&github);
    let asked = storage.requests();
    assert_eq!(asked.len(), 1);
    assert!(!asked[0].headers.contains_key("authorization"));
}

/// Returns what `publish` prints about a run that ended as `conclusion` without an artifact, in a job
/// that must not turn red for it.
fn publish_nothing(conclusion: &str) -> String {
    let github = GitHub::new().with_pull(7, HEAD, FORK, BASE);
    let event = root().join("fixtures/github/events/workflow_run_fork.json");
    let event = std::fs::read_to_string(event).unwrap();
    let event =
        event.replace("\"conclusion\": \"success\"", &format!("\"conclusion\": \"{conclusion}\""));
    std::fs::write(github.file("event.json"), event).unwrap();
    let said = {
        let output =
            github.publish("workflow_run_fork", &["--artifact", NAME, "--event", "event.json"]);
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(github.writes(), [""; 0]);
    assert!(said.starts_with("::notice ") && said.lines().count() == 1, "{said}");
    assert_commands_are_ours(&said);
    said
}

#[test]
fn a_run_that_was_cancelled_or_did_not_build_leaves_a_notice_and_no_red_job() {
    for conclusion in ["cancelled", "failure", "timed_out"] {
        let said = publish_nothing(conclusion);
        assert!(said.contains(&format!("ended as `{conclusion}`")), "{said}");
        assert!(said.contains("the artifact `perfgate-decision`"), "{said}");
    }
    assert!(publish_nothing("success").contains("upload `decision.json` under this name"));
}

#[test]
fn the_comment_leads_to_the_report_in_the_artifact_and_nothing_of_that_is_read() {
    let page = b"<script>alert('report')</script>";
    let json = json_of("fail");
    let github = github(archive(&[("report.html", page), ("decision.json", &json)]));
    let said = accepted(&github);
    let [(_, comment)] = github.comments().try_into().unwrap();
    assert!(comment.contains("#artifacts>) is `report.html` in the artifact"), "{comment}");
    assert!(comment.contains("<code>perfgate-decision</code>"), "{comment}");
    assert!(!format!("{said}{comment}{}", github.summary()).contains("alert("));
    // Without a report in it, no link promises one.
    let github = self::github(archive(&[("decision.json", &json)]));
    accepted(&github);
    let [(_, comment)] = github.comments().try_into().unwrap();
    assert!(!comment.contains("report.html"), "{comment}");
}

#[test]
fn an_artifact_is_asked_for_in_a_workflow_run_only() {
    let github = github(Vec::new());
    let output = github.command("pull_request", &["--artifact", NAME]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(github.requests().is_empty());
    let both = perfgate().args(["publish", "--artifact", NAME, "decision.json"]).output().unwrap();
    assert_eq!(both.status.code(), Some(2), "{both:?}");
}
