//! The content to publish about one or several decisions, as one typed value.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::decision::{Change, Decision, Judgement, TargetStatus, Verdict};
use crate::note::Note;
use crate::render::{COMMENT_LIMIT, RenderError, render_markdown_body};
use crate::report::{ChangeCounts, Report, ReportContext, TargetCounts};
use crate::run::BenchmarkId;
use crate::site::format_page_path;
use crate::text::cut_text;

/// Maximum length of a step summary in bytes. Other steps of the job need some of GitHub's 1 MiB.
const SUMMARY_LENGTH: usize = 500_000;
/// Minimum length of the report of one suite in bytes. If there is less room for each, only the worst
/// suites have a report, and the others a line.
const LEAST_SUITE_LENGTH: usize = 2_500;
/// Maximum length of the sentence that counts the suites without a line, in bytes.
const COUNT_LENGTH: usize = 100;
/// Maximum length of a suite's heading in bytes. The name of a suite has a limited length.
const HEADING_LENGTH: usize = 110;

/// A decision with the name of its suite.
#[derive(Clone, Debug)]
pub(crate) struct SuiteDecision {
    /// Name of the suite, a [`PublishId`](super::request::PublishId); empty if there is only one
    /// suite.
    pub(crate) name: String,
    /// Decision about the suite.
    pub(crate) decision: Decision,
    /// Name of the artifact that holds the report for people; `None` if none is known.
    pub(crate) report_artifact: Option<String>,
}

/// Where a page links to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PageLinks<'a> {
    /// Address of the workflow run that measured.
    pub(crate) run_url: Option<&'a str>,
    /// Address of the trend pages.
    pub(crate) site: Option<&'a str>,
}

/// Everything that `publish` reports, independent of what GitHub already has.
#[derive(Clone, Debug)]
pub(crate) struct PublishPage {
    /// Worst verdict of all suites; inconclusive if there is no suite.
    pub(crate) verdict: Verdict,
    /// Whether a suite blocks: the exit status of its check is not zero.
    pub(crate) is_blocking: bool,
    /// Numbers of benchmarks of all suites by change.
    pub(crate) counts: ChangeCounts,
    /// Numbers of targets of all suites by status.
    pub(crate) targets: TargetCounts,
    /// Whether a suite has a note that a reviewer must read even if the verdict is a pass.
    pub(crate) has_note_to_read: bool,
    /// Short hashes of everything that is wrong. A later push compares them to find what is new.
    pub(crate) faults: BTreeSet<String>,
    /// Id of the commit that was judged; `None` if it is not known.
    pub(crate) commit: Option<String>,
    /// Markdown of the comment, without the marker.
    pub(crate) comment: String,
    /// Markdown of the step summary.
    pub(crate) summary: String,
}

impl PublishPage {
    /// Builds the page for `suites`, which were judged at the commit `head`.
    ///
    /// Fails if a report cannot be rendered.
    pub(crate) fn new(
        suites: &[SuiteDecision],
        head: Option<&str>,
        links: PageLinks<'_>,
    ) -> Result<Self, RenderError> {
        let verdicts = suites.iter().map(|suite| suite.decision.verdict);
        Ok(Self {
            verdict: verdicts.max().unwrap_or(Verdict::Inconclusive),
            is_blocking: suites.iter().any(|suite| suite.decision.is_blocking()),
            counts: ChangeCounts::from_judgements(
                list_judgements(suites).map(|(_, judged)| judged),
            ),
            targets: TargetCounts::from_decisions(suites.iter().map(|suite| &suite.decision)),
            has_note_to_read: suites
                .iter()
                .flat_map(|suite| &suite.decision.notes)
                .any(Note::must_be_read),
            faults: list_judgements(suites)
                .flat_map(|(suite, judgement)| hash_faults(suite, judgement))
                .chain(suites.iter().flat_map(hash_missed_claims))
                .collect(),
            commit: head.map(str::to_owned),
            comment: render_suites(suites, links, COMMENT_LIMIT)?,
            summary: render_suites(suites, links, SUMMARY_LENGTH)?,
        })
    }

    /// Returns whether the result is worth a comment on the pull request: the verdict is not a
    /// pass, as if nothing was compared, something is wrong, a regression was accepted, something is
    /// faster, or a note must be read.
    pub(crate) fn deserves_comment(&self) -> bool {
        self.verdict != Verdict::Pass
            || !self.faults.is_empty()
            || self.counts.accepted > 0
            || self.counts.improved > 0
            || self.has_note_to_read
    }

    /// Returns each count with the name of its step output, the most important first.
    pub(crate) fn list_named_counts(&self) -> [(&'static str, usize); 11] {
        list_named_counts(&self.counts, &self.targets)
    }

    /// Returns the counts above zero in words.
    pub(crate) fn describe_counts(&self) -> String {
        describe_counts(&self.counts, &self.targets)
    }
}

fn list_named_counts(counts: &ChangeCounts, targets: &TargetCounts) -> [(&'static str, usize); 11] {
    [
        ("regressed", counts.regressed),
        ("missing", counts.missing),
        ("failed", counts.failed),
        ("targets-missed", targets.missed),
        ("targets-unproven", targets.unproven),
        ("inconclusive", counts.inconclusive),
        ("waived", counts.accepted),
        ("improved", counts.improved),
        ("new", counts.new),
        ("unchanged", counts.unchanged),
        ("targets-met", targets.met),
    ]
}

fn describe_counts(counts: &ChangeCounts, targets: &TargetCounts) -> String {
    let words: Vec<_> = list_named_counts(counts, targets)
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| match name.strip_prefix("targets-") {
            Some(status) if *count == 1 => format!("1 target {status}"),
            Some(status) => format!("{count} targets {status}"),
            None => format!("{count} {name}"),
        })
        .collect();
    if words.is_empty() { "nothing was measured".to_owned() } else { words.join(", ") }
}

/// Returns the reports of all suites, one below the other, in at most `limit` bytes.
///
/// If they do not fit, only the worst suites have a report, and the others a line as long as there
/// is room.
fn render_suites(
    suites: &[SuiteDecision],
    links: PageLinks<'_>,
    limit: usize,
) -> Result<String, RenderError> {
    let each = (limit / suites.len().max(1)).saturating_sub(HEADING_LENGTH);
    if each >= LEAST_SUITE_LENGTH {
        let reports: Result<Vec<_>, RenderError> =
            suites.iter().map(|suite| render_suite(suite, links, each)).collect();
        let page = reports?.join("\n");
        if page.len() <= limit {
            return Ok(page);
        }
    }
    let mut worst_first: Vec<_> = suites.iter().collect();
    worst_first.sort_by_key(|suite| std::cmp::Reverse(suite.decision.verdict));
    let mut waiting = worst_first.into_iter().peekable();
    // The reports take up to half of the room, but the worst suite has one in any case.
    let mut page = String::new();
    while let Some(suite) = waiting.peek() {
        let report = render_suite(suite, links, LEAST_SUITE_LENGTH)?;
        if !page.is_empty() && page.len() + report.len() > limit / 2 {
            break;
        }
        page += &report;
        waiting.next();
    }
    page.push('\n');
    while let Some(suite) = waiting.peek() {
        let line = describe_suite(suite);
        if page.len() + line.len() + COUNT_LENGTH > limit {
            break;
        }
        page += &line;
        waiting.next();
    }
    let more = waiting.count();
    if more > 0 {
        let count = format!("\n**Truncated**: {more} more suites are not shown here.\n");
        page.push_str(&count);
    }
    Ok(cut_text(&page, limit))
}

/// Returns the report of one suite with its heading, in at most `limit` bytes, unless the part
/// without tables is longer.
fn render_suite(
    suite: &SuiteDecision,
    links: PageLinks<'_>,
    limit: usize,
) -> Result<String, RenderError> {
    let context = build_context(suite, links);
    let report = render_markdown_body(&Report::new(&suite.decision, &context), limit)?;
    let heading =
        if suite.name.is_empty() { String::new() } else { format!("## {}\n\n", suite.name) };
    Ok(format!("{heading}{}\n", report.trim()))
}

/// Returns the line of a suite without a report.
fn describe_suite(suite: &SuiteDecision) -> String {
    let counts = ChangeCounts::from_judgements(&suite.decision.benchmarks);
    let targets = TargetCounts::from_decisions(std::iter::once(&suite.decision));
    let (name, verdict) = (&suite.name, suite.decision.verdict.name());
    format!("- <code>{name}</code> {verdict}: {}\n", describe_counts(&counts, &targets))
}

/// Returns what the report of one suite links to.
fn build_context(suite: &SuiteDecision, links: PageLinks<'_>) -> ReportContext {
    let has_report = suite.report_artifact.is_some();
    let full_report = links.run_url.map(|url| {
        // The list of artifacts is at this anchor of the run's page.
        if has_report { format!("{url}#artifacts") } else { url.to_owned() }
    });
    let pages = links.site.map(|site| {
        let judgements = suite.decision.benchmarks.iter();
        // A new benchmark has no history, so it has no page.
        let known = judgements.filter(|judgement| judgement.change != Change::New);
        known.map(|judgement| {
            let id = BenchmarkId { name: judgement.id.clone(), package: judgement.package.clone() };
            let page = format!("{}/{}", site.trim_end_matches('/'), format_page_path(&id));
            (id, page)
        })
    });
    ReportContext {
        full_report,
        repository: links.run_url.and_then(find_repository_of_run).map(str::to_owned),
        report_artifact: suite.report_artifact.clone(),
        pages: pages.into_iter().flatten().collect(),
        ..ReportContext::default()
    }
}

/// Returns the address of the repository that a workflow run belongs to.
fn find_repository_of_run(run_url: &str) -> Option<&str> {
    Some(run_url.split_once("/actions/runs/")?.0)
}

/// Returns the judgements of all suites, each with its suite.
fn list_judgements(suites: &[SuiteDecision]) -> impl Iterator<Item = (&SuiteDecision, &Judgement)> {
    suites
        .iter()
        .flat_map(|suite| suite.decision.benchmarks.iter().map(move |judgement| (suite, judgement)))
}

/// Returns whether the benchmark regressed, is missing or failed, and has no waiver.
pub(crate) fn is_unwaived_fault(judgement: &Judgement) -> bool {
    matches!(judgement.change, Change::Regressed | Change::Missing | Change::Failed)
        && judgement.waiver.is_none()
}

/// Returns a hash of 8 hexadecimal digits for each fault of one benchmark: the change, if it is a
/// fault, and each missed target.
fn hash_faults<'a>(
    suite: &'a SuiteDecision,
    judgement: &'a Judgement,
) -> impl Iterator<Item = String> + 'a {
    let change = is_unwaived_fault(judgement).then(|| judgement.change.name().to_owned());
    let missed = judgement.targets.iter().filter(|target| target.status == TargetStatus::Missed);
    let targets = missed.map(|target| target.metric.to_string());
    let metrics = judgement.worse_metrics().map(|(name, _)| format!("metric {name}"));
    change.into_iter().chain(targets).chain(metrics).map(move |fault| {
        let package = judgement.package.as_deref().unwrap_or_default();
        hash_fault([&suite.name, package, &judgement.id, &fault])
    })
}

/// Returns a hash for each missed target on a sum, and for each missed claim about a ratio.
fn hash_missed_claims(suite: &SuiteDecision) -> impl Iterator<Item = String> + '_ {
    let decision = &suite.decision;
    let sums = decision.sums.iter().map(|sum| (sum.status, &sum.name));
    let claims = decision.expectations.iter().map(|claim| (claim.status, &claim.name));
    let missed = sums.chain(claims).filter(|(status, _)| *status == TargetStatus::Missed);
    missed.map(|(_, name)| hash_fault([&suite.name, "", name, "claim"]))
}

fn hash_fault(parts: [&str; 4]) -> String {
    let hash = Sha256::digest(parts.join("\0"));
    hex::encode(&hash[..4])
}
