//! What is published about one or several decisions, as one typed value.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::render::{COMMENT_LIMIT, RenderError, render_markdown};
use crate::report::{Report, ReportContext};
use crate::verdict::{Change, Decision, Judgement, TargetStatus, Verdict};

/// Characters of a step summary: room for two bytes each below GitHub's limit of 1 MiB.
const SUMMARY_LENGTH: usize = 500_000;
/// Characters a suite's heading takes at most, its name being of limited length.
const HEADING_LENGTH: usize = 110;

/// One decision under the name of its suite.
#[derive(Clone, Debug)]
pub(crate) struct SuiteDecision {
    /// What tells it from the others, an [`Id`](super::request::Id); empty where it is the only one.
    pub(crate) name: String,
    /// What was decided.
    pub(crate) decision: Decision,
}

/// How many benchmarks and targets came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SuiteCounts {
    /// Slower than is tolerated, and not accepted.
    pub(crate) regressed: usize,
    /// Slower or gone, and accepted by a waiver.
    pub(crate) waived: usize,
    /// In the baseline only.
    pub(crate) missing: usize,
    /// Not measured.
    pub(crate) failed: usize,
    /// The data do not tell.
    pub(crate) inconclusive: usize,
    /// Faster.
    pub(crate) improved: usize,
    /// In the candidate only.
    pub(crate) new: usize,
    /// No slowdown.
    pub(crate) unchanged: usize,
    /// Targets that hold.
    pub(crate) targets_met: usize,
    /// Targets that do not.
    pub(crate) targets_missed: usize,
    /// Targets that the data do not decide.
    pub(crate) targets_unproven: usize,
}

/// Everything that `publish` says, before it is known what is there already.
#[derive(Clone, Debug)]
pub(crate) struct PublishPage {
    /// The worst verdict of all suites.
    pub(crate) verdict: Verdict,
    /// The counts of all suites together.
    pub(crate) counts: SuiteCounts,
    /// What is wrong, each as a short hash: so that a later push can tell what is new.
    pub(crate) faults: BTreeSet<String>,
    /// The commit that was judged, where the decision names it.
    pub(crate) commit: Option<String>,
    /// The Markdown of the comment, without marker.
    pub(crate) comment: String,
    /// The Markdown of the step summary.
    pub(crate) summary: String,
}

impl SuiteCounts {
    /// Over all benchmarks of `suites`.
    pub(crate) fn from_suites(suites: &[SuiteDecision]) -> Self {
        let mut counts = Self::default();
        for judgement in list_judgements(suites).map(|(_, judgement)| judgement) {
            *counts.select_counter(judgement) += 1;
            for target in &judgement.targets {
                *match target.status {
                    TargetStatus::Met => &mut counts.targets_met,
                    TargetStatus::Missed => &mut counts.targets_missed,
                    TargetStatus::Unproven => &mut counts.targets_unproven,
                } += 1;
            }
        }
        counts
    }

    fn select_counter(&mut self, judgement: &Judgement) -> &mut usize {
        match judgement.change {
            Change::Regressed | Change::Missing if judgement.waiver.is_some() => &mut self.waived,
            Change::Regressed => &mut self.regressed,
            Change::Missing => &mut self.missing,
            Change::Failed => &mut self.failed,
            Change::Inconclusive => &mut self.inconclusive,
            Change::Improved => &mut self.improved,
            Change::New => &mut self.new,
            Change::Unchanged => &mut self.unchanged,
        }
    }

    /// Each count with its name, in the order a reader needs them.
    pub(crate) fn list_named(&self) -> [(&'static str, usize); 11] {
        [
            ("regressed", self.regressed),
            ("missing", self.missing),
            ("failed", self.failed),
            ("targets-missed", self.targets_missed),
            ("targets-unproven", self.targets_unproven),
            ("inconclusive", self.inconclusive),
            ("waived", self.waived),
            ("improved", self.improved),
            ("new", self.new),
            ("unchanged", self.unchanged),
            ("targets-met", self.targets_met),
        ]
    }

    /// In words, leaving out what there is none of.
    pub(crate) fn describe(&self) -> String {
        let words: Vec<_> = self
            .list_named()
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

impl PublishPage {
    /// What is said about `suites`, judged at the commit `head`; `run_url` has the files.
    pub(crate) fn new(
        suites: &[SuiteDecision],
        head: Option<&str>,
        run_url: Option<&str>,
    ) -> Result<Self, RenderError> {
        let verdicts = suites.iter().map(|suite| suite.decision.verdict);
        Ok(Self {
            verdict: verdicts.max().unwrap_or(Verdict::Inconclusive),
            counts: SuiteCounts::from_suites(suites),
            faults: list_judgements(suites)
                .flat_map(|(suite, judgement)| hash_faults(suite, judgement))
                .collect(),
            commit: head.map(str::to_owned),
            comment: render_suites(suites, run_url, COMMENT_LIMIT)?,
            summary: render_suites(suites, run_url, SUMMARY_LENGTH)?,
        })
    }

    /// Whether a reader of the pull request should be told: something is wrong, undecided though it
    /// was asked for, accepted on purpose, or better.
    pub(crate) fn deserves_comment(&self) -> bool {
        self.verdict != Verdict::Pass
            || !self.faults.is_empty()
            || self.counts.waived > 0
            || self.counts.improved > 0
    }
}

/// The reports of all suites one below the other, in at most `limit` characters.
fn render_suites(
    suites: &[SuiteDecision],
    run_url: Option<&str>,
    limit: usize,
) -> Result<String, RenderError> {
    let context =
        ReportContext { full_report: run_url.map(str::to_owned), ..ReportContext::default() };
    let each = limit / suites.len().max(1) - HEADING_LENGTH;
    let reports: Result<Vec<_>, RenderError> = suites
        .iter()
        .map(|suite| {
            let report = render_markdown(&Report::new(&suite.decision, &context), each)?;
            // The first line is the marker of a comment of its own.
            let report = report.split_once('\n').map_or("", |(_, report)| report).trim();
            let heading = if suite.name.is_empty() {
                String::new()
            } else {
                format!("## {}\n\n", suite.name)
            };
            Ok(format!("{heading}{report}\n"))
        })
        .collect();
    Ok(reports?.join("\n"))
}

pub(crate) fn list_judgements(
    suites: &[SuiteDecision],
) -> impl Iterator<Item = (&SuiteDecision, &Judgement)> {
    suites
        .iter()
        .flat_map(|suite| suite.decision.benchmarks.iter().map(move |judgement| (suite, judgement)))
}

/// Whether the change itself is wrong: slower, gone or broken, and not accepted.
pub(crate) fn is_unwaived_fault(judgement: &Judgement) -> bool {
    matches!(judgement.change, Change::Regressed | Change::Missing | Change::Failed)
        && judgement.waiver.is_none()
}

fn hash_faults<'a>(
    suite: &'a SuiteDecision,
    judgement: &'a Judgement,
) -> impl Iterator<Item = String> + 'a {
    let change = is_unwaived_fault(judgement).then(|| format!("{:?}", judgement.change));
    let missed = judgement.targets.iter().filter(|target| target.status == TargetStatus::Missed);
    let targets = missed.map(|target| format!("{:?}", target.metric));
    change.into_iter().chain(targets).map(move |fault| {
        let parts =
            [&suite.name, &judgement.package.clone().unwrap_or_default(), &judgement.id, &fault];
        let hash = Sha256::digest(parts.map(String::as_str).join("\0"));
        hash.iter().take(4).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    })
}
