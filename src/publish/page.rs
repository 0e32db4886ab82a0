//! The content to publish about one or several decisions, as one typed value.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::decision::{Change, Decision, Judgement, TargetStatus, Verdict};
use crate::render::{COMMENT_LIMIT, RenderError, render_markdown_body};
use crate::report::{ChangeCounts, Report, ReportContext, TargetCounts};

/// Maximum length of a step summary in bytes. Other steps of the job need some of GitHub's 1 MiB.
const SUMMARY_LENGTH: usize = 500_000;
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
    /// `run_url` is the address of the workflow run with the full report. Fails if a report cannot
    /// be rendered.
    pub(crate) fn new(
        suites: &[SuiteDecision],
        head: Option<&str>,
        run_url: Option<&str>,
    ) -> Result<Self, RenderError> {
        let verdicts = suites.iter().map(|suite| suite.decision.verdict);
        Ok(Self {
            verdict: verdicts.max().unwrap_or(Verdict::Inconclusive),
            is_blocking: suites.iter().any(|suite| suite.decision.is_blocking()),
            counts: ChangeCounts::from_judgements(
                list_judgements(suites).map(|(_, judged)| judged),
            ),
            targets: TargetCounts::from_judgements(
                list_judgements(suites).map(|(_, judged)| judged),
            )
            .with_unmatched(suites.iter().flat_map(|suite| &suite.decision.notes)),
            faults: list_judgements(suites)
                .flat_map(|(suite, judgement)| hash_faults(suite, judgement))
                .collect(),
            commit: head.map(str::to_owned),
            comment: render_suites(suites, run_url, COMMENT_LIMIT)?,
            summary: render_suites(suites, run_url, SUMMARY_LENGTH)?,
        })
    }

    /// Returns whether the result is worth a comment on the pull request: the verdict is not a
    /// pass, something is wrong, a regression was accepted, or something is faster.
    pub(crate) fn deserves_comment(&self) -> bool {
        self.verdict != Verdict::Pass
            || !self.faults.is_empty()
            || self.counts.accepted > 0
            || self.counts.improved > 0
    }

    /// Returns each count with the name of its step output, the most important first.
    pub(crate) fn list_named_counts(&self) -> [(&'static str, usize); 11] {
        let (counts, targets) = (&self.counts, &self.targets);
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

    /// Returns the counts above zero in words.
    pub(crate) fn describe_counts(&self) -> String {
        let words: Vec<_> = self
            .list_named_counts()
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
}

/// Returns the reports of all suites, one below the other, in at most `limit` bytes, unless the
/// parts without tables are longer.
fn render_suites(
    suites: &[SuiteDecision],
    run_url: Option<&str>,
    limit: usize,
) -> Result<String, RenderError> {
    let context = ReportContext {
        full_report: run_url.map(str::to_owned),
        repository: run_url.and_then(find_repository_of_run).map(str::to_owned),
        ..ReportContext::default()
    };
    let each = (limit / suites.len().max(1)).saturating_sub(HEADING_LENGTH);
    let reports: Result<Vec<_>, RenderError> = suites
        .iter()
        .map(|suite| {
            let report = render_markdown_body(&Report::new(&suite.decision, &context), each)?;
            let heading = if suite.name.is_empty() {
                String::new()
            } else {
                format!("## {}\n\n", suite.name)
            };
            Ok(format!("{heading}{}\n", report.trim()))
        })
        .collect();
    Ok(reports?.join("\n"))
}

/// Returns the address of the repository that a workflow run belongs to.
fn find_repository_of_run(run_url: &str) -> Option<&str> {
    Some(run_url.split_once("/actions/runs/")?.0)
}

/// Returns the judgements of all suites, each with its suite.
pub(crate) fn list_judgements(
    suites: &[SuiteDecision],
) -> impl Iterator<Item = (&SuiteDecision, &Judgement)> {
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
    let change = is_unwaived_fault(judgement).then(|| judgement.change.name());
    let missed = judgement.targets.iter().filter(|target| target.status == TargetStatus::Missed);
    let targets = missed.map(|target| target.metric.name());
    change.into_iter().chain(targets).map(move |fault| {
        let parts =
            [&suite.name, judgement.package.as_deref().unwrap_or_default(), &judgement.id, fault];
        let hash = Sha256::digest(parts.join("\0"));
        hex::encode(&hash[..4])
    })
}
