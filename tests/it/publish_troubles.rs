//! `perfgate publish` when GitHub refuses, fails temporarily, or answers something other than it
//! did.

use serde_json::json;
use wiremock::ResponseTemplate;

use crate::github::{TOKEN, Trouble, answer, decision};
use crate::publish::{BOT, HEAD, MARKER, REPOSITORY, github, published, published_with};

#[test]
fn a_read_only_token_degrades_to_the_summary() {
    let github = github().read_only();
    let log = published(&github, "fail");
    let notices: Vec<_> = log.lines().filter(|line| line.starts_with("::notice")).collect();
    assert_eq!(notices.len(), 2, "{log}");
    assert!(
        notices.iter().all(|line| line.contains("Resource not accessible by integration")),
        "{log}"
    );
    assert!(
        notices[0].contains("statuses%3A write") || notices[0].contains("statuses: write"),
        "{log}"
    );
    assert!(github.summary().contains("tokenization/gpt2/batch/32"));
    assert!(github.statuses().is_empty() && github.comments().is_empty());
}

#[test]
fn without_a_token_only_the_summary_is_written() {
    let github = github();
    let output = github
        .command("pull_request", &[&decision("fail")])
        .env_remove("GITHUB_TOKEN")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(github.requests().is_empty() && !github.summary().is_empty());
}

#[test]
fn a_wait_that_github_asks_for_is_waited_and_done_once() {
    let limited = answer(403, &json!({ "message": "You have exceeded a secondary rate limit." }));
    let limited = limited.insert_header("retry-after", "0");
    let github = github().with_trouble("POST", "/comments", vec![Trouble::Instead(limited)]);
    published(&github, "fail");
    assert_eq!(github.comments().len(), 1);
}

#[test]
fn a_wait_that_is_too_long_is_an_error_at_once() {
    let limited =
        answer(429, &json!({ "message": "slow down" })).insert_header("retry-after", "3600");
    let github = github().with_trouble("POST", "/comments", vec![Trouble::Instead(limited)]);
    let output = github.publish("pull_request", &[&decision("fail")]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("asks to wait 3600 s"), "{said}");
    assert!(!github.summary().is_empty(), "the summary does not depend on GitHub's API");
}

#[test]
fn a_comment_that_was_accepted_with_a_5xx_is_not_posted_twice() {
    let lost =
        || Trouble::DoneBut(ResponseTemplate::new(502).set_body_string("<html>Bad Gateway</html>"));
    let github = github()
        .with_trouble("POST", "/comments", vec![lost()])
        .with_trouble("POST", HEAD, vec![lost()])
        .with_trouble("POST", "/check-runs", vec![lost()]);
    published_with(&github, "fail", &["--check-run"]);
    assert_eq!((github.comments().len(), github.statuses().len()), (1, 1));
    let posts = github.writes();
    assert_eq!(posts.len(), 3, "{posts:?}");
}

#[test]
fn a_comment_that_was_lost_with_a_5xx_is_posted_again() {
    let lost = Trouble::Instead(ResponseTemplate::new(503));
    let github = github().with_trouble("POST", "/comments", vec![lost]);
    published(&github, "fail");
    assert_eq!(github.comments().len(), 1);
}

#[test]
fn a_github_that_stays_down_is_an_error_that_names_the_request() {
    let down = (0..9).map(|_| Trouble::Instead(ResponseTemplate::new(500))).collect();
    let github = github().with_trouble("GET", "/pulls/2", down);
    let output = github.publish("pull_request", &[&decision("fail")]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("GET /repos/{REPOSITORY}/pulls/2: status 500")), "{said}");
}

#[test]
fn a_comment_deleted_in_between_is_made_anew() {
    let body = format!("{MARKER}\n<!-- perfgate-state {{\"wrong\":[],\"more\":true}} -->\nold");
    let gone = Trouble::Instead(answer(404, &json!({ "message": "Not Found" })));
    let github = github().with_comment(9, &body, BOT, "Bot").with_trouble(
        "PATCH",
        "/comments/9",
        vec![gone],
    );
    published(&github, "fail");
    let comments = github.comments();
    assert_eq!(comments.len(), 2);
    assert!(comments[1].1.contains("tokenization/gpt2/batch/32"));
}

#[test]
fn what_github_calls_invalid_is_an_error_with_its_words() {
    let invalid = answer(
        422,
        &json!({ "message": "Validation Failed", "errors": [{ "message": "Body is odd" }] }),
    );
    let github = github().with_trouble("POST", "/comments", vec![Trouble::Instead(invalid)]);
    let output = github.publish("pull_request", &[&decision("fail")]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("status 422: Validation Failed: Body is odd"), "{said}");
}

#[test]
fn a_check_run_that_github_rejects_does_not_take_the_comment_with_it() {
    let invalid = || Trouble::Instead(answer(422, &json!({ "message": "Invalid request." })));
    let github = github().with_trouble("POST", HEAD, vec![invalid()]).with_trouble(
        "POST",
        "/check-runs",
        vec![invalid()],
    );
    let output = github.publish("pull_request", &["--check-run", &decision("fail")]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(github.comments().len(), 1, "the comment is tried whatever happened before");
    assert!(!github.summary().is_empty());
    let printed = String::from_utf8(output.stderr).unwrap();
    for kind in ["commit status: POST", "check run: POST"] {
        assert!(printed.contains(kind), "{printed}");
    }
}

#[test]
fn a_summary_that_cannot_be_written_does_not_take_the_rest_with_it() {
    let github = github();
    std::fs::create_dir(github.file("summary")).unwrap();
    let output = github.command("pull_request", &[&decision("fail")]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((github.comments().len(), github.statuses().len()), (1, 1));
    let printed = String::from_utf8(output.stderr).unwrap();
    assert!(printed.contains("step summary `"), "{printed}");
}

#[test]
fn a_wrong_token_is_an_error_that_does_not_show_it() {
    let wrong = || Trouble::Instead(answer(401, &json!({ "message": "Bad credentials" })));
    let github = github().with_trouble("POST", HEAD, vec![wrong()]);
    let output = github.publish("pull_request", &[&decision("fail")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("Bad credentials"));
}

#[test]
fn nobody_at_the_address_is_an_error_that_does_not_show_the_token() {
    let github = github();
    let mut command = github.command("pull_request", &[&decision("fail")]);
    let output = command.env("GITHUB_API_URL", "http://127.0.0.1:1").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!format!("{output:?}").contains(TOKEN));
}
