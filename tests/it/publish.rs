//! `perfgate publish` against a stand-in for GitHub.

use serde_json::{Value, json};

use crate::github::{GitHub, decision};

pub(crate) const HEAD: &str = "ec26c3e57ca3a959ca5aad62de7213c562f8c821";
pub(crate) const REPOSITORY: &str = "Codertocat/Hello-World";
pub(crate) const MARKER: &str = "<!-- perfgate:gate -->";
pub(crate) use crate::github::BOT;

pub(crate) fn github() -> GitHub {
    GitHub::new().with_pull(2, HEAD, REPOSITORY, REPOSITORY)
}

#[track_caller]
pub(crate) fn published(github: &GitHub, name: &str) -> String {
    published_with(github, name, &[])
}

#[track_caller]
pub(crate) fn published_with(github: &GitHub, name: &str, arguments: &[&str]) -> String {
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
fn an_inconclusive_verdict_is_not_a_success() {
    let github = github();
    published(&github, "inconclusive");
    assert_eq!(github.statuses()[0]["state"], "error");
    assert_eq!(github.comments().len(), 1);
}

#[test]
fn a_check_that_could_tell_nothing_is_published_as_that_and_does_not_block() {
    let github = github();
    let log = published_with(&github, "undecided", &["--check-run"]);
    let status = &github.statuses()[0];
    assert_eq!(status["state"], "success");
    let description = status["description"].as_str().unwrap();
    assert!(description.starts_with("inconclusive: "), "{description}");
    let [(_, comment)] = github.comments().try_into().unwrap();
    assert!(comment.contains("is inconclusive: 24 of 27"), "{comment}");
    assert_eq!(conclusions(&github), ["neutral"]);
    // Four reasons, not one warning per benchmark.
    assert_eq!(log.lines().filter(|line| line.starts_with("::warning")).count(), 4, "{log}");
    // One that blocks is not neutral, because GitHub would let it merge.
    let blocking = crate::publish::github();
    published_with(&blocking, "inconclusive", &["--check-run"]);
    assert_eq!(conclusions(&blocking), ["failure"]);
}

/// Returns the conclusions of the check runs that were created.
fn conclusions(github: &GitHub) -> Vec<Value> {
    let requests = github.requests();
    let created = requests.iter().filter(|request| {
        request.url.path().ends_with("/check-runs") && request.method.as_str() == "POST"
    });
    created.map(|request| request.body_json::<Value>().unwrap()["conclusion"].clone()).collect()
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
        text[0].starts_with("**perfgate**: resolved") && text[0].contains("as of ec26c3e"),
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

/// Returns a comment with our marker, and without anything that it reported.
fn copied_comment() -> String {
    format!("{MARKER}\n<!-- perfgate-state {{\"wrong\":[]}} -->\nold")
}

#[test]
fn a_comment_of_another_bot_with_our_marker_is_left_alone() {
    for (viewer, user) in [(Some(BOT), None), (None, None)] {
        let github = github()
            .with_account(viewer, user)
            .with_comment(3, &copied_comment(), "evil-app[bot]", "Bot")
            .with_comment(4, &copied_comment(), "github-actions", "User");
        published(&github, "waived");
        let comments = github.comments();
        assert_eq!(comments.len(), 3, "{comments:?}");
        assert_eq!([&comments[0].1, &comments[1].1], [&copied_comment(), &copied_comment()]);
        published(&github, "fail");
        assert!(github.comments()[2].1.starts_with("<!-- perfgate:gate:folded -->"));
        assert_eq!(github.comments()[0].1, copied_comment());
    }
}

#[test]
fn the_account_of_any_token_finds_its_own_comment_and_nobody_elses() {
    for (viewer, user) in
        [(Some("our-app[bot]"), None), (Some("octocat"), Some("octocat")), (None, Some("octocat"))]
    {
        let own = viewer.or(user).unwrap();
        let github = github()
            .with_account(viewer, user)
            .with_comment(3, &copied_comment(), own, "User")
            .with_comment(4, &copied_comment(), BOT, "Bot");
        published(&github, "waived");
        let comments = github.comments();
        assert_eq!((comments.len(), &comments[1].1), (2, &copied_comment()), "{own}");
        assert!(comments[0].1.contains("accepted"), "{own}: {}", comments[0].1);
    }
}

#[test]
fn the_account_is_asked_for_at_most_once_and_beside_the_api_of_an_enterprise() {
    let queries = |github: &GitHub| {
        let paths = github.requests().into_iter().map(|request| request.url.path().to_owned());
        paths.filter(|path| path.ends_with("graphql")).collect::<Vec<_>>()
    };
    let without = github();
    published(&without, "fail");
    assert_eq!(queries(&without), [""; 0], "there was no comment with the marker");
    let github = GitHub::enterprise()
        .with_pull(2, HEAD, REPOSITORY, REPOSITORY)
        .with_comment(3, &copied_comment(), BOT, "Bot")
        .with_comment(4, &copied_comment(), "evil-app[bot]", "Bot");
    published(&github, "waived");
    assert_eq!(queries(&github), ["/api/graphql"]);
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
    assert!(comment.len() < 65_536 && comment.contains("runcated"), "{}", comment.len());
    assert!(comment.contains("tokenization/gpt2/batch/32"));
    let summary = github.summary();
    assert!((65_536..1 << 20).contains(&summary.len()), "{}", summary.len());
}

#[test]
fn three_thousand_rows_with_wide_characters_are_cut_by_bytes_as_github_counts() {
    let github = github();
    let mut whole: Value =
        serde_json::from_slice(&std::fs::read(decision("fail")).unwrap()).unwrap();
    let slow = &whole["benchmarks"].as_array().unwrap().clone()[0];
    let many = (0..3000).map(|number| {
        let mut one = slow.clone();
        one["id"] = json!(format!("größe/{number}/{}", "ü".repeat(30)));
        one
    });
    whole["benchmarks"] = json!(many.collect::<Vec<_>>());
    let path = github.file("decision.json");
    std::fs::write(&path, whole.to_string()).unwrap();
    let output = github.publish("pull_request", &["--check-run", path.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let [(_, comment)] = github.comments().try_into().unwrap();
    assert!(comment.len() > 50_000 && comment.len() < 65_536, "{}", comment.len());
    assert_eq!(github.statuses().len(), 1);
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
fn a_workflow_run_that_no_pull_request_started_sets_a_status_and_comments_nowhere() {
    let (head, base) = ("3484a3fb816e0859fd6e1cea078d76385ff50625", "octo-org/octo-repo");
    let github = GitHub::new().with_pull(7, head, base, base);
    let output = github.publish("workflow_run", &[&decision("fail")]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(github.writes(), [format!("POST /repos/{base}/statuses/{head}")]);
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

#[test]
fn a_benchmark_links_to_its_trend_page() {
    let github = github();
    published_with(&github, "fail", &["--site", "https://octo.github.test/pages/"]);
    let [(_, comment)] = github.comments().try_into().unwrap();
    let link = "<a href=\"https://octo.github.test/pages/bench/";
    assert!(comment.contains(link) && comment.contains(".html\"><code>"), "{comment}");
    let github = self::github();
    published(&github, "fail");
    let [(_, comment)] = github.comments().try_into().unwrap();
    assert!(!comment.contains("<a href"), "{comment}");
}

#[test]
fn where_another_workflow_publishes_nothing_is_sent_and_no_permission_is_missed() {
    let github = github().read_only();
    let output = github.publish("pull_request", &["--summary-only", &decision("fail")]);
    assert!(output.status.success(), "{output:?}");
    assert!(github.requests().is_empty());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("::error ") && !said.contains("lacks"), "{said}");
    assert!(github.summary().contains("regressed"));
    assert!(std::fs::read_to_string(github.file("output")).unwrap().contains("verdict=fail"));
}
