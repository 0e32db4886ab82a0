//! `perfgate publish --issues` against a stand-in for GitHub, with the output of
//! `perfgate trend status`.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::github::{GitHub, Trouble};
use crate::synthetic::History;
use crate::trend::{status_after, status_of};

const ID: &str = "tokenization/encode/batch/0";
const SITE: &str = "https://octo.example.org/demo/";

fn publish(github: &GitHub, status: &Value, arguments: &[&str]) -> Output {
    let file = github.file("status.json");
    fs::write(&file, status.to_string()).unwrap();
    let arguments = [&["--issues", file.to_str().unwrap(), "--site", SITE], arguments].concat();
    github.run(github.command("workflow_dispatch", &arguments).env("GITHUB_SHA", "a".repeat(40)))
}

/// Updates the issues and returns the output.
#[track_caller]
fn settled(github: &GitHub, status: &Value) -> String {
    let output = publish(github, status, &[]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn slower() -> Value {
    status_after(60, Some((40, 1.10)))
}

fn steady() -> Value {
    status_after(60, None)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn a_slowdown_opens_one_issue_that_is_edited_and_then_closed_when_the_level_is_back() {
    let github = GitHub::new();
    assert_eq!(settled(&github, &slower()), "");
    let [issue] = github.issues().try_into().unwrap();
    assert_eq!(text(&issue["title"]), format!("Slower: {ID}"));
    assert_eq!(issue["labels"], json!([{ "name": "perfgate" }]));
    let body = text(&issue["body"]);
    assert!(body.contains("is **+9.8 %** compared with its level before 2026-02-10"), "{body}");
    assert!(
        body.contains("<https://octo.example.org/demo/bench/tokenization-encode-batch-0-"),
        "{body}"
    );
    assert!(body.contains("](<https://example.org/demo/compare/"), "{body}");
    assert!(body.contains("To find the commit: <code>perfgate bisect "), "{body}");
    assert!(body.contains(&format!(" --bench &#39;{ID}&#39;</code>")), "{body}");

    let writes = github.writes().len();
    settled(&github, &slower());
    assert_eq!(github.writes().len(), writes, "the same status wrote again");

    settled(&github, &status_after(61, Some((40, 1.10))));
    let [edited] = github.issues().try_into().unwrap();
    assert_eq!((&edited["state"], &edited["title"]), (&json!("open"), &issue["title"]));
    assert_ne!(edited["body"], issue["body"]);

    settled(&github, &steady());
    let [closed] = github.issues().try_into().unwrap();
    assert_eq!(
        (&closed["state"], &closed["state_reason"]),
        (&json!("closed"), &json!("completed"))
    );
    assert!(text(&closed["body"]).contains("**Recovered.**"), "{closed}");
    let writes = github.writes().len();
    settled(&github, &steady());
    assert_eq!(github.writes().len(), writes, "a closed issue was written to");
    settled(&github, &slower());
    assert_eq!(github.issues().len(), 2, "another slowdown after a recovery is another issue");
}

#[test]
fn a_drift_has_one_issue_that_is_closed_when_the_level_is_back() {
    let github = GitHub::new();
    let drifting =
        |nights: usize| status_of(&History { nights, creep: 0.002, ..History::default() });
    settled(&github, &drifting(80));
    let [issue] = github.issues().try_into().unwrap();
    assert_eq!(text(&issue["title"]), format!("Slower: {ID}"));
    let body = text(&issue["body"]);
    assert!(body.contains("** compared with its level before 2026-01-01"), "{body}");
    assert!(body.contains("It drifts by +1.4 % per week (+1."), "{body}");
    assert!(body.contains("no single commit explains it"), "{body}");
    assert!(body.contains("](<https://example.org/demo/compare/"), "{body}");
    assert!(!body.contains("| since |"), "a table without rows: {body}");
    settled(&github, &drifting(85));
    let [edited] = github.issues().try_into().unwrap();
    assert_ne!(edited["body"], issue["body"]);
    settled(&github, &steady());
    let [closed] = github.issues().try_into().unwrap();
    assert_eq!(closed["state"], "closed");
}

#[test]
fn an_issue_that_was_closed_by_hand_stays_closed_until_another_slowdown() {
    let github = GitHub::new();
    settled(&github, &slower());
    let mut closed = github.issues().remove(0);
    closed["state"] = json!("closed");
    let github = GitHub::new().with_issue(closed);
    settled(&github, &slower());
    assert_eq!(github.issues().len(), 1);
    settled(&github, &status_after(60, Some((50, 1.10))));
    assert_eq!(github.issues().len(), 2);
}

#[test]
fn an_issue_of_somebody_else_that_copies_the_marker_is_left_alone() {
    let github = GitHub::new();
    settled(&github, &slower());
    let copies = [("mallory", "User"), ("evil-app[bot]", "Bot")].map(|(login, kind)| {
        let mut copied = github.issues().remove(0);
        copied["user"] = json!({ "login": login, "type": kind });
        copied
    });
    let mut pull = github.issues().remove(0);
    pull["pull_request"] = json!({});
    let [by_user, by_bot] = copies;
    let github = GitHub::new().with_issue(by_user).with_issue(by_bot).with_issue(pull);
    settled(&github, &steady());
    assert!(github.writes().is_empty());
}

#[test]
fn a_benchmark_that_is_absent_neither_opens_nor_closes() {
    let github = GitHub::new();
    settled(&github, &slower());
    let mut status = steady();
    for benchmark in status.as_array_mut().unwrap() {
        benchmark["state"] = json!("absent");
    }
    let writes = github.writes().len();
    settled(&github, &status);
    assert_eq!(github.writes().len(), writes);
}

#[test]
fn a_machine_that_changed_does_not_open_an_issue_for_each_of_fifty_benchmarks() {
    let all = slower();
    let slow = all.as_array().unwrap().iter().find(|one| one["id"] == ID).unwrap();
    let numbered = |number: usize| {
        let mut one = slow.clone();
        one["id"] = json!(format!("group/{number}"));
        one["page"] = json!(format!("bench/group-{number}-00000000.html"));
        one["open_ratio"] = json!(1.1 + number as f64 / 1000.0);
        one
    };
    let status: Value = (0..50).map(numbered).collect();
    let github = GitHub::new();
    let output = publish(&github, &status, &["--dry-run"]);
    let documents = String::from_utf8(output.stdout).unwrap();
    assert_eq!(documents.lines().count(), 10);
    assert!(documents.lines().next().unwrap().contains("group/49"), "the worst comes first");
    assert!(github.requests().is_empty());
}

#[test]
fn hostile_names_and_messages_do_nothing_in_an_issue() {
    let mut status = slower();
    let slow = status.as_array_mut().unwrap().iter_mut().find(|one| one["id"] == ID).unwrap();
    slow["id"] = json!("@octocat <!-- --> `x` [a](http://evil.example)\u{202e}\n# big");
    slow["package"] = json!("</code><script>alert(1)</script>");
    slow["open"][0]["host"] = json!("| a | b |\n");
    slow["open"][0]["suspects"] = json!([{ "id": "f".repeat(40), "subject": "closes #1 @octocat ![](http://evil.example/x.png) -->" }]);
    let github = GitHub::new();
    settled(&github, &status);
    let [issue] = github.issues().try_into().unwrap();
    let body = text(&issue["body"]);
    assert!(
        !body.contains("@octocat") && !body.contains("#1 ") && !body.contains("](http://evil"),
        "{body}"
    );
    assert!(!body.contains("<script") && !body.contains('\u{202e}'), "{body}");
    // The two markers, and what breaks an address.
    assert_eq!(body.replace("<!-- -->", "").matches("-->").count(), 2, "{body}");
    assert!(!text(&issue["title"]).contains(['\n', '\u{202e}']), "{issue}");
    // The issue is found again.
    settled(&github, &status);
    assert_eq!(github.issues().len(), 1);
}

#[test]
fn a_token_that_may_not_write_issues_is_said_once() {
    let github = GitHub::new().read_only();
    let said = settled(&github, &slower());
    assert_eq!(said.matches("issues: write").count(), 1, "{said}");
    let said = settled(&GitHub::new().without_labels(), &slower());
    assert!(said.contains("could not be labelled"), "{said}");
}

#[test]
fn an_issue_whose_answer_was_lost_is_not_opened_twice() {
    let lost = Trouble::DoneBut(ResponseTemplate::new(502));
    let github = GitHub::new().with_trouble("POST", "/issues", vec![lost]);
    settled(&github, &slower());
    assert_eq!(github.issues().len(), 1);
}

#[test]
fn an_issue_that_github_rejects_does_not_stop_the_others() {
    let invalid = Trouble::Instead(crate::github::answer(422, &json!({ "message": "Invalid." })));
    let github = GitHub::new().with_trouble("POST", "/issues", vec![invalid]);
    let mut status = slower();
    let slow = status.as_array().unwrap().iter().find(|one| one["id"] == ID).unwrap();
    let mut other = slow.clone();
    other["id"] = json!("another/benchmark");
    other["page"] = json!("bench/another-benchmark-1.html");
    status.as_array_mut().unwrap().push(other);
    let output = publish(&github, &status, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(github.issues().len(), 1, "the second issue is opened: {output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("issue `Slower: "));
}

#[test]
fn a_status_that_is_none_is_refused() {
    let github = GitHub::new();
    for bad in [json!({}), json!([{ "id": "a" }]), json!("x")] {
        let output = publish(&github, &bad, &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    let mut status = slower();
    status[0]["page"] = json!("bench/--><x>.html");
    let output = publish(&github, &status, &["--dry-run"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(github.writes().is_empty());
}
