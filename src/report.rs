//! Everything a reader may see, as one typed value: what is worth a line comes first, worst first,
//! and the rest is a number with its rows folded away.
//!
//! Built from a decision alone; how it looks is the business of `render`.

use std::collections::HashMap;

use serde::Serialize;

use crate::units::Percent;
use crate::verdict::{BaselineKind, Change, Decision, Judgement, TargetStatus, Verdict};

mod repeat;
mod row;
mod source;

pub(crate) use row::{ReportFigure, ReportRow, ReportSide};
pub(crate) use source::{BaselineLine, CommitLine, HostLine};

/// What surrounds a decision where it is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReportContext {
    /// Which of several reports of one pull request this is.
    pub(crate) id: Option<String>,
    /// Where the whole report can be had: an address or a path.
    pub(crate) full_report: Option<String>,
    /// Where it is written how this is decided, and how often it is wrong.
    pub(crate) methodology: Option<String>,
}

/// One decision as its readers see it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// Which of several reports of one pull request this is.
    pub(crate) id: String,
    /// What the gate decides.
    pub(crate) verdict: Verdict,
    /// The status `check` ends with.
    pub(crate) exit_status: u8,
    /// Why the verdict is what it is, the weightiest first.
    pub(crate) headline: Vec<HeadlineReason>,
    /// How many benchmarks are a reason for a verdict other than pass.
    pub(crate) reasons: usize,
    /// How many benchmarks changed, and how.
    pub(crate) counts: ChangeCounts,
    /// How many targets hold.
    pub(crate) targets: TargetCounts,
    /// The unchanged benchmarks by the slowdown that they do not have.
    pub(crate) unchanged: Vec<UnchangedGroup>,
    /// How many of them were not measured, because both sides have the same program.
    pub(crate) same: usize,
    /// What weakens the answer.
    pub(crate) warnings: &'a [String],
    /// What was compared with.
    pub(crate) baseline: BaselineLine<'a>,
    /// What was judged.
    pub(crate) candidate: Option<CommitLine<'a>>,
    /// Where it was measured.
    pub(crate) host: HostLine<'a>,
    /// The change that unchanged code shows here: half of the benchmarks show this or more.
    pub(crate) noise_floor: Option<Percent>,
    /// Which slowdowns would have been seen.
    pub(crate) detectable: Option<DetectionLimits>,
    /// The command that shows the same on another machine.
    pub(crate) again: Option<String>,
    /// Where the whole report can be had.
    pub(crate) full_report: Option<&'a str>,
    /// Where it is written how this is decided.
    pub(crate) methodology: Option<&'a str>,
    /// The benchmarks worth a line, worst first.
    #[serde(skip)]
    pub(crate) notable: Vec<ReportRow<'a>>,
    /// All others, in the order of the decision.
    #[serde(skip)]
    pub(crate) folded: Vec<ReportRow<'a>>,
}

/// A reason for the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct HeadlineReason {
    /// What is the matter.
    pub(crate) kind: HeadlineReasonKind,
    /// With how many benchmarks or targets.
    pub(crate) count: usize,
}

/// What can be the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HeadlineReasonKind {
    /// Benchmarks got slower.
    Regressed,
    /// Benchmarks are gone.
    Missing,
    /// Benchmarks could not be measured.
    Failed,
    /// Targets do not hold.
    TargetMissed,
    /// Changes that cannot be told.
    Inconclusive,
    /// Targets that cannot be told.
    TargetUnproven,
    /// There is no benchmark at all.
    NothingMeasured,
    /// Nothing to compare with.
    NoBaseline,
    /// Benchmarks got faster.
    Improved,
    /// Regressions that were accepted.
    Accepted,
    /// No slowdown of a size that matters.
    Unchanged,
}

/// Benchmarks by change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ChangeCounts {
    /// All of them.
    pub(crate) total: usize,
    /// Slower, and nobody accepted it.
    pub(crate) regressed: usize,
    /// Gone, and nobody accepted it.
    pub(crate) missing: usize,
    /// Not measured.
    pub(crate) failed: usize,
    /// Cannot be told.
    pub(crate) inconclusive: usize,
    /// Faster.
    pub(crate) improved: usize,
    /// Slower or gone, and accepted.
    pub(crate) accepted: usize,
    /// Without a baseline.
    pub(crate) new: usize,
    /// Without a slowdown of a size that matters.
    pub(crate) unchanged: usize,
}

/// Targets by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TargetCounts {
    /// All of them.
    pub(crate) total: usize,
    /// Those that hold.
    pub(crate) met: usize,
    /// Those that do not.
    pub(crate) missed: usize,
    /// Those that cannot be told.
    pub(crate) unproven: usize,
}

/// Unchanged benchmarks for which the same slowdown is excluded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct UnchangedGroup {
    /// How many.
    pub(crate) count: usize,
    /// The slowdown they do not have, where the decision tells.
    pub(crate) detect: Option<Percent>,
}

/// The slowdowns that are found with 80 % power at the noise that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct DetectionLimits {
    /// In the better half of the benchmarks.
    pub(crate) half: Percent,
    /// In every benchmark.
    pub(crate) all: Percent,
}

impl<'a> Report<'a> {
    /// What is to be shown of `decision`.
    pub(crate) fn new(decision: &'a Decision, context: &'a ReportContext) -> Self {
        let ambiguous = find_ambiguous_ids(decision);
        let judgements = decision.benchmarks.iter();
        let rows = judgements.map(|judgement| {
            ReportRow::new(judgement, decision, ambiguous.contains_key(judgement.id.as_str()))
        });
        let (mut notable, folded): (Vec<_>, Vec<_>) = rows.partition(ReportRow::is_notable);
        notable.sort_by(ReportRow::compare_severity);
        let counts = ChangeCounts::from_decision(decision);
        let targets = TargetCounts::from_decision(decision);
        Self {
            id: context.id.clone().unwrap_or_else(|| "report".to_owned()),
            verdict: decision.verdict,
            exit_status: decision.exit_status,
            headline: build_headline(decision, &counts, &targets),
            reasons: notable.iter().filter(|row| row.is_reason).count(),
            counts,
            targets,
            unchanged: group_unchanged(decision),
            same: decision
                .benchmarks
                .iter()
                .filter(|judgement| judgement.is_same_program())
                .count(),
            warnings: &decision.warnings,
            baseline: BaselineLine::new(decision),
            candidate: decision.candidate.commit.as_ref().map(CommitLine::new),
            host: HostLine::new(&decision.candidate.host),
            noise_floor: find_middle(decision, |judgement| judgement.noise_floor),
            detectable: find_detection_limits(decision),
            again: repeat::build_repeat_command(decision, &notable),
            full_report: context.full_report.as_deref(),
            methodology: context.methodology.as_deref(),
            notable,
            folded,
        }
    }

    /// Every benchmark, those worth a line first.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &ReportRow<'a>> {
        self.notable.iter().chain(&self.folded)
    }
}

fn find_ambiguous_ids(decision: &Decision) -> HashMap<&str, usize> {
    let mut seen = HashMap::with_capacity(decision.benchmarks.len());
    for judgement in &decision.benchmarks {
        *seen.entry(judgement.id.as_str()).or_insert(0) += 1;
    }
    seen.retain(|_, count| *count > 1);
    seen
}

impl ChangeCounts {
    fn from_decision(decision: &Decision) -> Self {
        let mut counts = Self { total: decision.benchmarks.len(), ..Self::default() };
        for judgement in &decision.benchmarks {
            *match (judgement.change, &judgement.waiver) {
                (Change::Regressed | Change::Missing, Some(_)) => &mut counts.accepted,
                (Change::Regressed, None) => &mut counts.regressed,
                (Change::Missing, None) => &mut counts.missing,
                (Change::Failed, _) => &mut counts.failed,
                (Change::Inconclusive, _) => &mut counts.inconclusive,
                (Change::Improved, _) => &mut counts.improved,
                (Change::New, _) => &mut counts.new,
                (Change::Unchanged, _) => &mut counts.unchanged,
            } += 1;
        }
        counts
    }
}

impl TargetCounts {
    fn from_decision(decision: &Decision) -> Self {
        let mut counts = Self::default();
        for target in decision.benchmarks.iter().flat_map(|judgement| &judgement.targets) {
            counts.total += 1;
            *match target.status {
                TargetStatus::Met => &mut counts.met,
                TargetStatus::Missed => &mut counts.missed,
                TargetStatus::Unproven => &mut counts.unproven,
            } += 1;
        }
        counts
    }
}

fn build_headline(
    decision: &Decision,
    counts: &ChangeCounts,
    targets: &TargetCounts,
) -> Vec<HeadlineReason> {
    let measured = counts.total - counts.missing - counts.failed;
    let bad = [
        (HeadlineReasonKind::Regressed, counts.regressed),
        (HeadlineReasonKind::Missing, counts.missing),
        (HeadlineReasonKind::Failed, counts.failed),
        (HeadlineReasonKind::TargetMissed, targets.missed),
    ];
    let unsure = [
        (HeadlineReasonKind::Inconclusive, counts.inconclusive),
        (HeadlineReasonKind::TargetUnproven, targets.unproven),
    ];
    let nothing = [
        (HeadlineReasonKind::NothingMeasured, usize::from(measured == 0)),
        (HeadlineReasonKind::NoBaseline, usize::from(decision.baseline.kind == BaselineKind::None)),
    ];
    let good = [
        (HeadlineReasonKind::Unchanged, counts.unchanged),
        (HeadlineReasonKind::Improved, counts.improved),
        (HeadlineReasonKind::Accepted, counts.accepted),
    ];
    let reasons = match decision.verdict {
        Verdict::Fail => bad.to_vec(),
        Verdict::Inconclusive => [nothing, unsure].concat(),
        Verdict::Pass => [&nothing[1..], &good, &bad, &unsure].concat(),
    };
    let present = reasons.into_iter().filter(|(_, count)| *count > 0);
    present.map(|(kind, count)| HeadlineReason { kind, count }).collect()
}

fn group_unchanged(decision: &Decision) -> Vec<UnchangedGroup> {
    let mut groups: Vec<UnchangedGroup> = Vec::new();
    let judgements =
        decision.benchmarks.iter().filter(|judgement| judgement.change == Change::Unchanged);
    for detect in judgements.map(|judgement| judgement.detect) {
        match groups.iter_mut().find(|group| group.detect == detect) {
            Some(group) => group.count += 1,
            None => groups.push(UnchangedGroup { count: 1, detect }),
        }
    }
    groups.sort_by_key(|group| group.detect);
    groups
}

fn collect_sorted(decision: &Decision, figure: impl Fn(&Judgement) -> Option<f64>) -> Vec<Percent> {
    let figures = decision.benchmarks.iter().filter_map(figure);
    let mut percents: Vec<Percent> = figures.filter_map(|share| Percent::new(share).ok()).collect();
    percents.sort_unstable();
    percents
}

fn find_middle(decision: &Decision, figure: impl Fn(&Judgement) -> Option<f64>) -> Option<Percent> {
    let percents = collect_sorted(decision, figure);
    percents.get(percents.len() / 2).copied()
}

fn find_detection_limits(decision: &Decision) -> Option<DetectionLimits> {
    let percents = collect_sorted(decision, |judgement| judgement.minimum_detectable);
    let all = *percents.last()?;
    Some(DetectionLimits { half: percents[(percents.len() - 1) / 2], all })
}
