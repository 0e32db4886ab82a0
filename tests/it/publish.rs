//! `perfgate publish` against a stand-in for GitHub.

use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::github::{GitHub, TOKEN, Trouble, answer, decision};

const HEAD: &str = "ec26c3e57ca3a959ca5aad62de7213c562f8c821";
const REPOSITORY: &str = "Codertocat/Hello-World";
const MARKER: &str = "<!-- perfgate:gate -->";
const BOT: &str = "github-actions[bot]";

fn github() -> GitHub {
    GitHub::new().with_pull(2, HEAD, REPOSITORY, REPOSITORY)
}

#[track_caller]
fn published(github: &GitHub, name: &str) -> String {
    published_with(github, name, &[])
}

#[track_caller]
fn published_with(github: &GitHub, name: &str, arguments: &[&str]) -> String {
    let decision = decision(name);
    let arguments: Vec<_> = arguments.iter().copied().chain([decision.as_str()]).collect();
    let output = github.publish("pull_request", &arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_regression_makes_a_comment_a_status_a_summary_and_annotations() {
    let github = github();
    let log = published(&github, "fail");
    let [(_, comment)] = github.comments().try_into().unwrap();
    assert!(comment.starts_with(MARKER), "{comment}");
    assert!(comment.contains("tokenization/gpt2/batch/32"), "{comment}");
    let [status] = github.statuses().try_into().unwrap();
    assert_eq!((&status["state"], &status["context"]), (&json!("failure"), &json!("perfgate")));
    let description = status["description"].as_str().unwrap();
    assert!(
        description.starts_with("1 regressed, ") && description.chars().count() <= 140,
        "{description}"
    );
    assert_eq!(status["target_url"], "https://github.com/Codertocat/Hello-World/actions/runs/77");
    assert!(github.summary().contains("tokenization/gpt2/batch/32"));
    let errors: Vec<_> = log.lines().filter(|line| line.starts_with("::error")).collect();
    assert_eq!(errors.len(), 1, "{log}");
    assert!(
        errors[0].starts_with("::error title=perfgate%3A regressed::tokenization/gpt2/batch/32"),
        "{log}"
    );
    let outputs = std::fs::read_to_string(github.file("output")).unwrap();
    assert!(outputs.contains("verdict=fail\nregressed=1\n"), "{outputs}");
}

#[test]
fn a_benchmark_declared_on_one_line_is_annotated_there() {
    let github = github();
    let benches = github.file("engine/benches");
    std::fs::create_dir_all(&benches).unwrap();
    std::fs::write(benches.join("t.rs"), "fn x() {\n    group(\"tokenization/gpt2\");\n}\n")
        .unwrap();
    let log = published(&github, "fail");
    assert!(log.contains("::error file=engine/benches/t.rs,line=2,title="), "{log}");
}

#[test]
fn nothing_worth_a_word_is_a_status_only() {
    for name in ["pass", "first"] {
        let github = github();
        published(&github, name);
        assert_eq!(github.comments(), [], "{name}");
        assert_eq!(github.statuses()[0]["state"], "success");
    }
}

#[test]
fn an_inconclusive_verdict_is_no_success() {
    let github = github();
    published(&github, "inconclusive");
    assert_eq!(github.statuses()[0]["state"], "error");
    assert_eq!(github.comments().len(), 1);
}

#[test]
fn the_same_again_is_silent() {
    let github = github();
    published(&github, "fail");
    let before = github.writes().len();
    published(&github, "fail");
    let again: Vec<_> = github.writes().drain(before..).collect();
    assert_eq!(again, [format!("POST /repos/{REPOSITORY}/statuses/{HEAD}")]);
}

#[test]
fn a_new_regression_notifies_and_a_mending_push_edits() {
    let github = github();
    published(&github, "missed");
    published(&github, "fail");
    let comments = github.comments();
    assert_eq!(comments.len(), 2, "{comments:?}");
    assert!(comments[0].1.starts_with("<!-- perfgate:gate:folded -->"), "{}", comments[0].1);
    assert!(comments[1].1.starts_with(MARKER));
    published(&github, "pass");
    let comments = github.comments();
    assert_eq!(comments.len(), 2);
    let text: Vec<_> = comments[1].1.lines().skip(2).collect();
    assert_eq!(text.len(), 1, "{text:?}");
    assert!(
        text[0].starts_with("**perfgate**: mended") && text[0].contains("as of ec26c3e"),
        "{text:?}"
    );
}

#[test]
fn our_comment_is_found_on_any_page_and_by_its_author() {
    let body = format!("{MARKER}\n<!-- perfgate-state {{\"wrong\":[]}} -->\nold");
    let mut github = github();
    for id in 1..=250 {
        github = github.with_comment(id, "chatter", "someone", "User");
    }
    let github =
        github.with_comment(3, &body, "impostor", "User").with_comment(245, &body, BOT, "Bot");
    published(&github, "waived");
    let comments = github.comments();
    assert_eq!(comments.len(), 250);
    assert_eq!(comments[2].1, body, "a comment of somebody else was edited");
    assert!(comments[244].1.contains("accepted"), "{}", comments[244].1);
}

#[test]
fn several_decisions_share_one_comment() {
    let github = github();
    let [one, two] = ["fail", "missed"].map(decision);
    let named = [format!("linux={one}"), format!("arm={two}")];
    let output = github.publish("pull_request", &[&named[0], &named[1]]);
    assert!(output.status.success(), "{output:?}");
    let [(_, comment)] = github.comments().try_into().unwrap();
    assert!(comment.contains("\n## linux\n") && comment.contains("\n## arm\n"), "{comment}");
    assert_eq!(comment.matches("<!-- perfgate:").count(), 1);
}

#[test]
fn another_id_is_another_comment() {
    let github = github();
    published(&github, "fail");
    published_with(&github, "fail", &["--id", "arm"]);
    assert_eq!(github.comments().len(), 2);
    assert_eq!(github.statuses()[1]["context"], "perfgate/arm");
}

#[test]
fn names_in_a_decision_can_neither_mention_nor_break_out() {
    let github = github();
    let log = published(&github, "hostile");
    let [(_, comment)] = github.comments().try_into().unwrap();
    for text in [comment.as_str(), &github.summary()] {
        assert!(
            !text.contains("<script")
                && !text.contains("<img")
                && !text.contains("javascript:alert(1))"),
            "{text}"
        );
        assert!(!text.contains('@'), "a mention: {text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    }
    assert_eq!(comment.matches("<!-- perfgate:").count(), 1);
    for line in log.lines() {
        assert!(
            ["::error ", "::warning ", "::notice "].iter().any(|begin| line.starts_with(begin)),
            "{line}"
        );
    }
}

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

#[test]
fn a_newer_push_is_not_commented_on() {
    let github = GitHub::new().with_pull(2, &"c".repeat(40), REPOSITORY, REPOSITORY);
    let log = published(&github, "fail");
    assert!(github.comments().is_empty() && log.contains("::notice"), "{log}");
    assert_eq!(
        github.statuses().len(),
        1,
        "the commit that was measured has its status all the same"
    );
}

#[test]
fn enterprise_is_asked_below_its_path() {
    let github = GitHub::enterprise().with_pull(2, HEAD, REPOSITORY, REPOSITORY);
    published(&github, "fail");
    assert_eq!(github.comments().len(), 1);
    assert!(
        github.requests().iter().all(|request| request.url.path().starts_with("/api/v3/repos/"))
    );
}

#[test]
fn annotations_of_a_check_run_come_fifty_at_a_time() {
    let github = github();
    let mut whole: Value =
        serde_json::from_slice(&std::fs::read(decision("fail")).unwrap()).unwrap();
    let benchmarks = whole["benchmarks"].as_array().unwrap();
    let slow = benchmarks.iter().find(|one| one["change"] == "regressed").unwrap();
    let many: Vec<_> = (0..120)
        .map(|number| {
            let mut one = slow.clone();
            one["id"] = json!(format!("tokenization/gpt2/batch/{number}"));
            one
        })
        .collect();
    whole["benchmarks"] = json!(many);
    let path = github.file("decision.json");
    std::fs::write(&path, whole.to_string()).unwrap();
    std::fs::create_dir_all(github.file("benches")).unwrap();
    std::fs::write(github.file("benches/t.rs"), "group(\"tokenization/gpt2\");\n").unwrap();
    let output = github
        .publish("pull_request", &["--check-run", "--comment", "never", path.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let sizes: Vec<_> = github
        .requests()
        .iter()
        .filter(|request| {
            request.url.path().contains("/check-runs") && request.method.as_str() != "GET"
        })
        .map(|request| {
            request.body_json::<Value>().unwrap()["output"]["annotations"].as_array().unwrap().len()
        })
        .collect();
    assert_eq!(sizes, [50, 50, 20]);
    let log = String::from_utf8(output.stdout).unwrap();
    assert_eq!(log.lines().filter(|line| line.starts_with("::error")).count(), 10);
}

#[test]
fn five_thousand_benchmarks_fit_one_comment_with_the_regressions_in_it() {
    let github = github();
    let mut whole: Value =
        serde_json::from_slice(&std::fs::read(decision("fail")).unwrap()).unwrap();
    let benchmarks = whole["benchmarks"].as_array().unwrap().clone();
    let quiet = benchmarks.iter().find(|one| one["change"] == "unchanged").unwrap();
    let many = (0..5000).map(|number| {
        let mut one = quiet.clone();
        one["id"] = json!(format!("group/{number}/{}", "x".repeat(60)));
        one
    });
    whole["benchmarks"] = json!(many.chain(benchmarks.iter().cloned()).collect::<Vec<_>>());
    let path = github.file("decision.json");
    std::fs::write(&path, whole.to_string()).unwrap();
    let output = github.publish("pull_request", &[path.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let [(_, comment)] = github.comments().try_into().unwrap();
    assert!(comment.chars().count() < 65_536 && comment.contains("runcated"), "{}", comment.len());
    assert!(comment.contains("tokenization/gpt2/batch/32"));
    let summary = github.summary();
    assert!((65_536..1 << 20).contains(&summary.len()), "{}", summary.len());
}

#[test]
fn every_other_event_sets_a_status_on_its_commit_and_comments_nowhere() {
    let group = "2ffea6db159f6b6c47a24e778fb9ef40cf6b1c7d";
    for (event, head) in [
        ("push", Some("6113728f27ae82c7b1a177c8d03f9e96e0adf246")),
        ("push_new_branch", Some("6113728f27ae82c7b1a177c8d03f9e96e0adf246")),
        ("push_deleted", None),
        ("merge_group", Some(group)),
        ("schedule", Some(HEAD)),
        ("workflow_dispatch", Some(HEAD)),
    ] {
        let github = GitHub::new();
        let mut command = github.command(event, &[&decision("fail")]);
        if event == "schedule" {
            command.env("GITHUB_REPOSITORY", REPOSITORY);
        }
        let output = command.env("GITHUB_SHA", HEAD).output().unwrap();
        assert!(output.status.success(), "{event}: {output:?}");
        let writes = github.writes();
        assert_eq!(writes.len(), usize::from(head.is_some()), "{event}: {writes:?}");
        assert!(writes.iter().all(|write| head.is_some_and(|head| write.ends_with(&format!("/statuses/{head}")))), "{event}: {writes:?}");
    }
}

#[test]
fn a_dry_run_asks_nothing_and_prints_what_it_would_send() {
    let github = github();
    let output =
        github.publish("pull_request_opened", &["--dry-run", "--check-run", &decision("fail")]);
    assert!(output.status.success(), "{output:?}");
    assert!(github.requests().is_empty() && github.summary().is_empty());
    let text = String::from_utf8(output.stdout).unwrap();
    let documents: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let paths: Vec<_> = documents.iter().filter_map(|one| one["path"].as_str()).collect();
    let base = format!("/repos/{REPOSITORY}");
    assert_eq!(
        paths,
        [
            format!("{base}/statuses/{HEAD}"),
            format!("{base}/check-runs"),
            format!("{base}/issues/2/comments")
        ]
    );
    assert!(documents[2]["body"]["body"].as_str().unwrap().starts_with(MARKER));
    assert!(documents[3]["step_summary_bytes"].as_u64().unwrap() > 1000);
}

#[test]
fn a_dry_run_needs_only_the_decision_and_the_event() {
    let event = crate::github::root().join("fixtures/github/events/pull_request.json");
    let output = crate::github::perfgate()
        .args(["publish", "--dry-run", &decision("pass"), "--event", event.to_str().unwrap()])
        .env("PATH", "")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
}

#[test]
fn what_cannot_be_read_is_a_usage_error_with_a_remedy() {
    let github = github();
    for (event, file) in
        [("pull_request", "nothing/there.json".to_owned()), ("nothing_there", decision("fail"))]
    {
        let output = github.command(event, &[&file]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    let outside = crate::github::perfgate().args(["publish", &decision("fail")]).output().unwrap();
    assert_eq!(outside.status.code(), Some(2));
    assert!(String::from_utf8(outside.stderr).unwrap().contains("help: "));
    assert!(github.requests().is_empty());
}
