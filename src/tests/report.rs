//! The rendered reports: snapshots of every fixture in every format, and what a report must never
//! contain.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::decision::{Change, Decision, Judgement, OriginEvidence, SlowdownOrigin};
use crate::render::{self, COMMENT_LIMIT, Colour};
use crate::report::{Report, ReportContext};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::{Value, json};

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
}

fn decision(name: &str) -> Decision {
    Decision::from_json(&fs::read(fixtures().join("decisions").join(name)).unwrap()).unwrap()
}

/// Returns a context with every link that a report can contain.
fn context() -> ReportContext {
    ReportContext {
        id: Some("suites".to_owned()),
        full_report: Some("https://example.com/report.html?a=1&b=(2)".to_owned()),
        report_artifact: None,
        pages: std::collections::HashMap::new(),
        methodology: Some("https://example.com/METHODOLOGY.md".to_owned()),
        repository: Some("https://github.com/example/tokens".to_owned()),
    }
}

macro_rules! snapshots {
    ($($name:ident: $suffix:literal, |$report:ident, $decision:ident| $shown:expr;)*) => {$(
        #[test]
        fn $name() {
            insta::glob!("../../fixtures/decisions", "*.json", |path| {
                let $decision = Decision::from_json(&fs::read(path).unwrap()).unwrap();
                let context = context();
                let $report = Report::new(&$decision, &context);
                insta::with_settings!({ snapshot_suffix => format!("{}.{}", path.file_stem().unwrap().display(), $suffix) }, {
                    insta::assert_snapshot!($shown.unwrap());
                });
            });
        }
    )*};
}

snapshots! {
    text_says_the_verdict_first: "txt", |report, _decision| render::render_text(&report, Colour::Off);
    markdown_says_the_verdict_first: "md", |report, _decision| render::render_markdown(&report, COMMENT_LIMIT);
    html_says_the_verdict_first: "html", |report, _decision| render::render_html(&report);
    csv_has_a_row_per_benchmark: "csv", |report, _decision| render::render_csv(&report);
    junit_has_a_case_per_benchmark: "xml", |report, _decision| render::render_junit(&report);
}

#[test]
fn only_what_the_check_fails_on_is_a_reason() {
    let reasons = |fail_on: Option<&[&str]>| {
        let file = fs::read(fixtures().join("decisions/fail.json")).unwrap();
        let mut json: Value = serde_json::from_slice(&file).unwrap();
        if let Some(fail_on) = fail_on {
            json["fail_on"] = json!(fail_on);
        }
        let decision = Decision::from_json(json.to_string().as_bytes()).unwrap();
        let context = context();
        let report = Report::new(&decision, &context);
        let reasons = report.notable.iter().filter(|row| row.is_reason);
        reasons.map(|row| row.id.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(reasons(None), ["tokenization/gpt2/batch/32"]);
    assert_eq!(reasons(Some(&["regressed"])), ["tokenization/gpt2/batch/32"]);
    assert!(reasons(Some(&["missing", "inconclusive"])).is_empty());
}

#[test]
fn json_is_the_decision_and_the_same_bytes_each_time() {
    let decision = decision("fail.json");
    let json = render::render_json(&decision).unwrap();
    assert_eq!(Decision::from_json(json.as_bytes()).unwrap(), decision);
    assert_eq!(render::render_json(&Decision::from_json(json.as_bytes()).unwrap()).unwrap(), json);
}

#[test]
fn nothing_is_coloured_that_is_not_a_reason() {
    let (decision, context) = (decision("fail.json"), ReportContext::default());
    let text = render::render_text(&Report::new(&decision, &context), Colour::On).unwrap();
    let coloured: Vec<_> = text.lines().filter(|line| line.contains('\u{1b}')).collect();
    assert_eq!(coloured.len(), 2, "{coloured:#?}");
    assert!(coloured[0].contains("FAIL") && coloured[1].contains("tokenization/gpt2/batch/32"));
    let plain = render::render_text(&Report::new(&decision, &context), Colour::Off).unwrap();
    let stripped = text.replace("\u{1b}[1;31m", "").replace("\u{1b}[0m", "");
    assert_eq!(stripped, plain, "colour moves columns");
}

#[test]
fn a_terminal_gets_no_character_that_it_would_obey() {
    let decision = decision("hostile.json");
    let text = render::render_text(&Report::new(&decision, &ReportContext::default()), Colour::Off)
        .unwrap();
    let obeyed = |c: &char| {
        c.is_control() && *c != '\n'
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert_eq!(text.chars().find(obeyed), None);
    assert!(text.contains("\\u{1b}[31mred") && text.contains("xxx…xxx"), "{text}");
}

/// What a Markdown renderer with tables finds in a report: tags, links, columns of each table row.
struct Rendered {
    tags: BTreeSet<String>,
    links: Vec<String>,
    columns: BTreeSet<usize>,
    rows: usize,
    headings: usize,
}

fn rendered(markdown: &str) -> Rendered {
    let mut seen = Rendered {
        tags: BTreeSet::new(),
        links: Vec::new(),
        columns: BTreeSet::new(),
        rows: 0,
        headings: 0,
    };
    let mut columns = 0;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                for line in html.lines().filter(|line| !line.trim().is_empty()) {
                    let tags = line
                        .split('<')
                        .skip(1)
                        .map(|tag| tag.split('>').next().unwrap_or(tag).to_owned());
                    seen.tags.extend(tags);
                }
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                seen.links.push(dest_url.to_string());
            }
            Event::Start(Tag::Heading { .. }) => seen.headings += 1,
            Event::Start(Tag::TableRow) => columns = 0,
            Event::End(TagEnd::TableCell) => columns += 1,
            Event::End(TagEnd::TableRow) => {
                seen.rows += 1;
                seen.columns.insert(columns);
            }
            _ => {}
        }
    }
    seen
}

#[test]
fn hostile_names_stay_text_in_markdown() {
    let (decision, context) = (decision("hostile.json"), context());
    let markdown =
        render::render_markdown(&Report::new(&decision, &context), COMMENT_LIMIT).unwrap();
    let seen = rendered(&markdown);
    let tags: Vec<_> = seen.tags.iter().map(String::as_str).collect();
    assert_eq!(
        tags,
        [
            "!-- --",
            "!-- perfgate:suites --",
            "/code",
            "/details",
            "/sub",
            "/summary",
            "br",
            "code",
            "details",
            "sub",
            "summary"
        ]
    );
    assert_eq!(seen.links, [context.methodology.unwrap()]);
    // A table of changes, and one of the figures of those that were measured.
    let measured = decision.benchmarks.iter().filter(|judged| judged.candidate.is_some()).count();
    assert_eq!((seen.rows, seen.headings), (decision.benchmarks.len() + measured, 1));
    assert_eq!(seen.columns, BTreeSet::from([7, 10]));
    assert!(!markdown.contains('@') && !markdown.contains(" #1"), "somebody would be called");
}

#[test]
fn the_marker_cannot_be_ended_by_its_id() {
    let (decision, context) = (
        decision("pass.json"),
        ReportContext { id: Some("a --> <b>\n".to_owned()), ..ReportContext::default() },
    );
    let markdown =
        render::render_markdown(&Report::new(&decision, &context), COMMENT_LIMIT).unwrap();
    assert_eq!(markdown.lines().next(), Some("<!-- perfgate:a------b-- -->"));
}

/// Returns a decision on `count` benchmarks, of which every `each`th regressed.
fn many(count: usize, each: usize) -> Decision {
    let file = fs::read(fixtures().join("decisions/fail.json")).unwrap();
    let mut document: Value = serde_json::from_slice(&file).unwrap();
    let judged = document["benchmarks"].as_array().unwrap().clone();
    let find = |change: &str| judged.iter().find(|one| one["change"] == change).unwrap();
    let (regressed, unchanged) = (find("regressed"), find("unchanged"));
    let benchmarks = (0..count).map(|place| {
        let mut one = if place % each == 0 { regressed.clone() } else { unchanged.clone() };
        one["id"] = json!(format!("suite/of/many/benchmarks/with/a/long/name/{place}"));
        for end in ["low", "point", "high"] {
            let ratio = one["ratio"][end].as_f64().unwrap();
            one["ratio"][end] = json!(ratio * (1.0 + (place % 97) as f64 / 5000.0));
        }
        one
    });
    document["benchmarks"] = benchmarks.collect();
    Decision::from_json(document.to_string().as_bytes()).unwrap()
}

#[test]
fn five_thousand_benchmarks_fit_a_comment_with_the_regressions_in_it() {
    let (decision, context) = (many(5000, 250), context());
    let report = Report::new(&decision, &context);
    let markdown = render::render_markdown(&report, COMMENT_LIMIT).unwrap();
    let bytes = markdown.len();
    assert!((COMMENT_LIMIT - 400..=COMMENT_LIMIT).contains(&bytes), "{bytes}");
    for place in (0..5000).step_by(250) {
        assert!(markdown.contains(&format!("name/{place}</code>")), "{place} is not in it");
    }
    let truncated = markdown.find("**Truncated**").unwrap();
    assert!(truncated < 2000, "what is missing is said at {truncated}");
    assert_eq!(rendered(&markdown).columns, BTreeSet::from([7]));
}

#[test]
fn a_comment_of_regressions_alone_shows_the_worst() {
    let (decision, context) = (many(2000, 1), ReportContext::default());
    let report = Report::new(&decision, &context);
    let markdown = render::render_markdown(&report, COMMENT_LIMIT).unwrap();
    assert!(markdown.len() <= COMMENT_LIMIT);
    assert!(markdown.contains("2,000 benchmarks regressed") && markdown.contains("**Truncated**"));
    assert!(markdown.contains(&format!("<code>{}</code>", report.notable[0].id)));
}

#[test]
fn what_xml_cannot_hold_is_replaced() {
    let decision = decision("hostile.json");
    let xml = render::render_junit(&Report::new(&decision, &ReportContext::default())).unwrap();
    let allowed =
        |c: char| matches!(c, '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert_eq!(xml.chars().find(|c| !allowed(*c)), None);
    assert_eq!(xml.matches("<testcase ").count(), decision.benchmarks.len());
    assert!(!xml.contains("<script"));
}

#[test]
fn a_spreadsheet_runs_nothing() {
    let decision = decision("hostile.json");
    let csv = render::render_csv(&Report::new(&decision, &ReportContext::default())).unwrap();
    assert!(csv.contains("\"'=HYPERLINK(\"\"http://example.com\"\",\"\"click\"\")\""), "{csv}");
    assert!(csv.contains(",\"'-2+3 it's"), "{csv}");
    for line in csv.lines() {
        assert!(!line.split(',').any(|field| field.starts_with(['=', '@'])), "{line}");
    }
}

/// Opens the pages in a browser, which reports problems with them.
#[test]
fn a_browser_shows_every_page_without_a_complaint() {
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok());
    if found.is_none() && std::env::var_os("CI").is_none_or(|ci| ci != "true") {
        #[expect(clippy::print_stderr, reason = "a skip is said")]
        {
            eprintln!("skipped: no Chromium on this machine");
        }
        return;
    }
    let browser = found.expect("CI has a browser: install chromium");
    let folder = tempfile::tempdir().unwrap();
    let mut pages: Vec<_> = ["fail.json", "hostile.json", "inconclusive.json", "empty.json"]
        .map(|name| (name.to_owned(), decision(name)))
        .into();
    pages.push(("many".to_owned(), many(2500, 100)));
    for (name, decision) in pages {
        let page = folder.path().join(format!("{name}.html"));
        fs::write(
            &page,
            render::render_html(&Report::new(&decision, &ReportContext::default())).unwrap(),
        )
        .unwrap();
        let complaints = complaints(browser, folder.path(), &page);
        assert!(complaints.is_empty(), "{name}: {complaints:#?}");
    }
    let broken = folder.path().join("broken.html");
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">";
    fs::write(
        &broken,
        format!("<!doctype html>{policy}<p style=\"color:red\">x<script>1</script>"),
    )
    .unwrap();
    assert!(!complaints(browser, folder.path(), &broken).is_empty(), "complaints are not seen");
}

fn complaints(browser: &str, folder: &Path, page: &Path) -> Vec<String> {
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--screenshot={}", folder.join("page.png").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = String::from_utf8_lossy(&output.stderr);
    let bad = log.lines().filter(|line| line.contains("CONSOLE") || line.contains("violat"));
    bad.map(str::to_owned).collect()
}

#[test]
fn many_undecided_benchmarks_are_grouped_by_their_reason() {
    let (decision, context) = (decision("undecided.json"), ReportContext::default());
    let report = Report::new(&decision, &context);
    let text = render::render_text(&report, Colour::Off).unwrap();
    let count = |text: &str, part: &str| text.matches(part).count();
    assert_eq!(count(&text, "  inconclusive   "), 2, "{text}");
    assert_eq!(count(&text, "  unproven       "), 2, "{text}");
    assert!(text.contains("INCONCLUSIVE   24 of 27 benchmarks inconclusive"), "{text}");
    assert!(text.contains("does not block"), "{text}");
    let markdown = render::render_markdown(&report, COMMENT_LIMIT).unwrap();
    assert_eq!(count(&markdown, "\n- **"), 4, "{markdown}");
    let html = render::render_html(&report).unwrap();
    assert_eq!(count(&html, "<details class=\"benchmark inconclusive\" open"), 0);
    assert_eq!(count(&html, "reason\" open"), 0);
    let junit = render::render_junit(&report).unwrap();
    assert_eq!((count(&junit, "<failure"), count(&junit, "<skipped")), (0, 24));
}

#[test]
fn a_run_file_as_baseline_gives_no_command_that_measures_its_commit() {
    let file = fs::read(fixtures().join("decisions/fail.json")).unwrap();
    let mut json: Value = serde_json::from_slice(&file).unwrap();
    let repeat = |json: &Value| {
        let decision = Decision::from_json(json.to_string().as_bytes()).unwrap();
        Report::new(&decision, &ReportContext::default()).again
    };
    assert!(repeat(&json).is_some());
    json["baseline"]["kind"] = json!("file");
    assert_eq!(repeat(&json), None);
}

#[test]
fn the_label_of_a_target_stays_inside_the_chart() {
    let mut decision = decision("pass.json");
    for (limit, side) in [(1.0, "start"), (1e12, "end")] {
        for target in decision.benchmarks.iter_mut().flat_map(|judged| &mut judged.targets) {
            target.limit = crate::units::Amount::new(limit).unwrap();
        }
        let context = ReportContext::default();
        let html = render::render_html(&Report::new(&decision, &context)).unwrap();
        assert!(html.contains(&format!("<text class=\"limit {side}\"")), "{limit}");
    }
}

#[test]
fn a_hostile_unit_stays_in_its_cell() {
    let mut decision = decision("latencies.json");
    let candidate = decision.benchmarks[0].candidate.as_mut().unwrap();
    candidate.throughput = std::iter::once(("a,\"b".to_owned(), 45.5)).collect();
    let csv = render::render_csv(&Report::new(&decision, &ReportContext::default())).unwrap();
    assert!(csv.contains(",\"45.5 a,\"\"b/s\",,,,\n"), "{csv}");
}

#[test]
fn names_in_the_ratio_chart_are_not_cut() {
    let decision = decision("pass.json");
    let html = render::render_html(&Report::new(&decision, &ReportContext::default())).unwrap();
    let rule = html.lines().find(|line| line.starts_with(".ratios code {")).unwrap();
    assert!(!rule.contains("overflow") && !rule.contains("nowrap"), "{rule}");
}

#[test]
fn batches_are_not_called_calls_in_a_page() {
    let page = |name: &str| {
        let decision = decision(name);
        render::render_html(&Report::new(&decision, &ReportContext::default())).unwrap()
    };
    let batches = page("batch.json");
    assert!(batches.contains("<title>Batches of tokenization/wordpiece/vocabulary</title>"));
    assert!(batches.contains(" samples</text>") && batches.contains("mean times of batches"));
    assert!(page("missed.json").contains("<title>Calls of graphsage/batch/1</title>"));
}

#[test]
fn two_targets_of_a_benchmark_do_not_wrap_in_their_cell() {
    let decision = decision("latencies.json");
    let context = ReportContext::default();
    let report = Report::new(&decision, &context);
    let html = render::render_html(&report).unwrap();
    let line = "<br>p95\u{a0}≤\u{a0}10.0\u{a0}ms\u{a0}met";
    assert!(html.contains(&format!("{line}</td>")), "{html}");
    let markdown = render::render_markdown(&report, COMMENT_LIMIT).unwrap();
    assert!(markdown.contains(&format!("{line} |")), "{markdown}");
}

#[test]
fn the_last_line_of_a_panic_is_in_every_format() {
    let mut decision = decision("noted.json");
    let output =
        "thread 'main' panicked at a.rs:1:2:\nno model here\nnote: run with `RUST_BACKTRACE=1`";
    for failure in decision.benchmarks.iter_mut().filter_map(|judged| judged.failure.as_mut()) {
        failure.reason = crate::note::FailureReason::Panicked;
        output.clone_into(&mut failure.output);
    }
    let context = ReportContext::default();
    let report = Report::new(&decision, &context);
    for shown in [
        render::render_text(&report, Colour::Off).unwrap(),
        render::render_markdown(&report, COMMENT_LIMIT).unwrap(),
        render::render_html(&report).unwrap(),
        render::render_csv(&report).unwrap(),
        render::render_junit(&report).unwrap(),
        render::render_json(&decision).unwrap(),
    ] {
        assert!(shown.contains("no model here"), "{shown}");
    }
}

// Issue 17
#[test]
fn a_regression_names_the_commits_since_which_it_is_there_in_one_line() {
    let mut decision = decision("fail.json");
    let mut show = |good: &str, commits: u64| {
        let regressed = |judgement: &&mut Judgement| judgement.change == Change::Regressed;
        let judgement = decision.benchmarks.iter_mut().find(regressed).unwrap();
        judgement.origin = Some(SlowdownOrigin {
            good: good.to_owned(),
            bad: "b".repeat(40),
            commits: Some(commits),
            evidence: OriginEvidence::Check,
        });
        let context = context();
        let report = Report::new(&decision, &context);
        [
            render::render_text(&report, Colour::Off).unwrap(),
            render::render_markdown(&report, COMMENT_LIMIT).unwrap(),
            render::render_html(&report).unwrap(),
        ]
    };
    for shown in show(&"a".repeat(40), 12) {
        let line = shown.lines().find(|line| line.contains("perfgate bisect")).unwrap();
        assert!(line.contains("since one of 12 commits after aaaaaaa up to bbbbbbb"), "{line}");
        assert!(line.contains("perfgate bisect aaaaaaaaaa bbbbbbbbbb --bench "), "{line}");
    }
    for shown in show(&"a".repeat(40), 1) {
        assert!(shown.contains("since bbbbbbb") && !shown.contains("perfgate bisect"), "{shown}");
    }
    for shown in show("<i>\n`; rm", 12) {
        assert!(!shown.contains("perfgate bisect") && !shown.contains("after <i>\n"), "{shown}");
    }
}
