//! Everything that a reader may see of a decision, as one typed value. Notable benchmarks come
//! first, worst first; the others are counted and their rows folded away.
//!
//! A report is built only from a decision. `render` decides how it looks.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use crate::decision::{BaselineKind, Change, Decision, Judgement, Verdict};
use crate::note::Note;
use crate::policy::HourPrice;
use crate::run::BenchmarkId;
use crate::units::Percent;

mod claim;
mod counts;
mod doubt;
mod explanation;
mod typed_words;
mod origin;
mod row;
mod repeat;
mod source;
mod figures;

pub(crate) use claim::{CallPrice, ExpectationLine, MetricLine, SumLine};
pub(crate) use counts::{ChangeCounts, TargetCounts};
pub(crate) use doubt::{DoubtGroup, group_undecided, group_unproven};
use doubt::{DoubtGrouping, group_met};
pub(crate) use figures::{FigureColumns, RunReport, compute_run_figures};
use row::CaseOutcome;
pub(crate) use row::{ReportFigure, ReportRow, ReportSide};
pub(crate) use source::{BaselineLine, CommitLine, HostLine};
pub(crate) use typed_words::build_bisect_command;

/// Maximum number of groups of unchanged benchmarks, and of groups of remarks about them.
const MAX_GROUPS: usize = 10;

/// Where a decision is shown, and what the report links to.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReportContext {
    /// Name of this report among several of one pull request; `None` for the default.
    pub(crate) id: Option<String>,
    /// Address or path of the whole report; `None` if there is none.
    pub(crate) full_report: Option<String>,
    /// Name of the artifact at that address that holds the whole report; `None` if the address is
    /// that of the report.
    pub(crate) report_artifact: Option<String>,
    /// Addresses of the pages of benchmarks.
    pub(crate) pages: HashMap<BenchmarkId, String>,
    /// Address of the text that explains how the decision is made and how often it is wrong; `None`
    /// if there is none.
    pub(crate) methodology: Option<String>,
    /// Address of the repository's web pages, as in `https://github.com/owner/name`; `None` if it is
    /// unknown.
    pub(crate) repository: Option<String>,
}

impl ReportContext {
    /// Returns the address of the benchmark's page; `None` if it has none.
    fn find_page(&self, judgement: &Judgement) -> Option<&str> {
        if self.pages.is_empty() {
            return None;
        }
        let id = BenchmarkId { name: judgement.id.clone(), package: judgement.package.clone() };
        self.pages.get(&id).map(String::as_str)
    }
}

/// One decision, prepared for its readers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// Name of this report among several of one pull request.
    pub(crate) id: String,
    /// What the gate decides.
    pub(crate) verdict: Verdict,
    /// The exit status of `check`.
    pub(crate) exit_status: u8,
    /// Whether the check blocks.
    pub(crate) is_blocking: bool,
    /// Reasons for the verdict, most important first.
    pub(crate) headline: Vec<HeadlineReason>,
    /// Number of notable benchmarks that are a reason for a verdict other than pass.
    pub(crate) reasons: usize,
    /// Number of benchmarks that a test reporter shows as failures.
    pub(crate) failures: usize,
    /// Number of benchmarks that a test reporter shows as skipped.
    pub(crate) skipped: usize,
    /// Numbers of benchmarks by change.
    pub(crate) counts: ChangeCounts,
    /// Numbers of targets by status.
    pub(crate) targets: TargetCounts,
    /// Number of judged metrics that are worse than tolerated, or gone, without a waiver.
    pub(crate) worse_metrics: usize,
    /// Number of judged metrics whose change is not known.
    pub(crate) open_metrics: usize,
    /// The targets on sums of benchmarks.
    pub(crate) sums: Vec<SumLine<'a>>,
    /// The claims about ratios of benchmarks.
    pub(crate) expectations: Vec<ExpectationLine<'a>>,
    /// What an hour of the machine costs; `None` if it is unknown.
    pub(crate) cost: Option<&'a HourPrice>,
    /// The inconclusive benchmarks, grouped by their reason. Empty if each has a line of its own.
    pub(crate) undecided: Vec<DoubtGroup<'a>>,
    /// The unproven targets, grouped by their reason. Empty if each has a line of its own.
    pub(crate) unproven: Vec<DoubtGroup<'a>>,
    /// The targets that are met for a reason that their figures do not show, grouped by it.
    pub(crate) met: Vec<DoubtGroup<'a>>,
    /// The unchanged benchmarks, grouped by the slowdown that is excluded for them.
    pub(crate) unchanged: Vec<UnchangedGroup>,
    /// What the sides of unchanged benchmarks differ in besides the code under test.
    pub(crate) remarks: Vec<RemarkGroup<'a>>,
    /// Number of benchmarks that were not measured because both sides build the same program.
    pub(crate) same: usize,
    /// Benchmarks that were not built because the change does not touch them; `None` without any.
    pub(crate) unaffected: Option<UnaffectedGroup<'a>>,
    /// What the table of figures has.
    pub(crate) figures: FigureColumns,
    /// Circumstances that weaken the decision.
    pub(crate) notes: &'a [Note],
    /// The data that the candidate was compared with.
    pub(crate) baseline: BaselineLine<'a>,
    /// The commit that was judged; `None` if unknown.
    pub(crate) candidate: Option<CommitLine<'a>>,
    /// The machine that measured the candidate.
    pub(crate) host: HostLine<'a>,
    /// What had to be alike on both sides, by name, as it was for the candidate.
    pub(crate) conditions: &'a BTreeMap<String, String>,
    /// Median over the benchmarks of the change that unchanged code shows: half of them show this
    /// change or a larger one. `None` if no benchmark has a noise floor.
    pub(crate) noise_floor: Option<Percent>,
    /// The slowdowns that would have been detected in the unchanged and the inconclusive
    /// benchmarks; `None` if unknown.
    pub(crate) detectable: Option<DetectionLimits>,
    /// The command that repeats the check on another machine; `None` if there is no usable one.
    pub(crate) again: Option<String>,
    /// Address or path of the whole report; `None` if there is none.
    pub(crate) full_report: Option<&'a str>,
    /// Name of the artifact at that address that holds the whole report; `None` if the address is
    /// that of the report.
    pub(crate) report_artifact: Option<&'a str>,
    /// Address of the text that explains how the decision is made; `None` if there is none.
    pub(crate) methodology: Option<&'a str>,
    /// The benchmarks that deserve a line, worst first.
    #[serde(skip)]
    pub(crate) notable: Vec<ReportRow<'a>>,
    /// All other benchmarks, those of a group of inconclusive ones first.
    #[serde(skip)]
    pub(crate) folded: Vec<ReportRow<'a>>,
}

/// A reason for the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct HeadlineReason {
    /// Kind of the reason.
    pub(crate) kind: HeadlineReasonKind,
    /// Number of benchmarks or targets that it applies to.
    pub(crate) count: usize,
    /// Number of benchmarks that were compared; `None` unless this explains the verdict.
    pub(crate) of: Option<usize>,
    /// The slowdown that is excluded for all of them; `None` if it differs or is unknown, and for
    /// every other kind than unchanged.
    pub(crate) detect: Option<Percent>,
}

/// Kinds of reasons for a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HeadlineReasonKind {
    /// Benchmarks regressed.
    Regressed,
    /// Benchmarks are missing from the candidate.
    Missing,
    /// Benchmarks could not be measured.
    Failed,
    /// Judged metrics are worse than tolerated, or gone.
    MetricWorse,
    /// Targets are missed.
    TargetMissed,
    /// Changes are inconclusive.
    Inconclusive,
    /// Changes of judged metrics are inconclusive.
    MetricInconclusive,
    /// Targets are unproven.
    TargetUnproven,
    /// No benchmark was measured.
    NothingMeasured,
    /// There is a baseline, and no benchmark is measured on both sides.
    NothingCompared,
    /// There is no baseline.
    NoBaseline,
    /// There is no baseline, because the base commit could not be measured.
    BaseNotMeasured,
    /// Stored runs could not be read.
    StoreUnreadable,
    /// Benchmarks improved.
    Improved,
    /// Regressions were accepted by a waiver.
    Accepted,
    /// Benchmarks have no slowdown of a size that matters.
    Unchanged,
}

/// Unchanged benchmarks for which the same slowdown is excluded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct UnchangedGroup {
    /// Number of benchmarks.
    pub(crate) count: usize,
    /// The slowdown that is excluded; `None` if the decision does not name it.
    pub(crate) detect: Option<Percent>,
}

/// Benchmarks that were not built because the change does not touch them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UnaffectedGroup<'a> {
    /// Number of these benchmarks.
    pub(crate) count: usize,
    /// The reason, if it is the same for all of them.
    pub(crate) note: Option<&'a Note>,
}

impl<'a> UnaffectedGroup<'a> {
    /// Returns the benchmarks of `judgements` that the change does not touch, or `None` if it touches
    /// all.
    fn from_judgements(judgements: &'a [Judgement]) -> Option<Self> {
        let notes = judgements.iter().flat_map(|judgement| &judgement.notes);
        let reasons: Vec<&Note> =
            notes.filter(|note| matches!(note, Note::Unaffected { .. })).collect();
        let note = reasons.first().copied()?;
        let is_shared = reasons.iter().all(|reason| *reason == note);
        Some(Self { count: reasons.len(), note: is_shared.then_some(note) })
    }
}

/// Unchanged benchmarks that the same note is about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct RemarkGroup<'a> {
    /// Number of benchmarks.
    pub(crate) count: usize,
    /// In what the sides differ besides the code under test.
    pub(crate) note: &'a Note,
}

/// The slowdowns that are detected with 80 % power at the measured noise, over the benchmarks that
/// are unchanged or inconclusive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct DetectionLimits {
    /// Detected in the better half of these benchmarks; `None` if it is the same as in all.
    pub(crate) half: Option<Percent>,
    /// Detected in every one of these benchmarks.
    pub(crate) all: Percent,
}

impl<'a> Report<'a> {
    /// Builds the report of `decision`.
    pub(crate) fn new(decision: &'a Decision, context: &'a ReportContext) -> Self {
        let ids = decision.benchmarks.iter().map(|judgement| judgement.id.as_str());
        let ambiguous = find_ambiguous_ids(ids);
        let grouping = DoubtGrouping::choose(decision);
        let source = find_source_address(decision, context);
        let judgements = decision.benchmarks.iter();
        let rows = judgements.map(|judgement| {
            let is_ambiguous = ambiguous.contains(judgement.id.as_str());
            let row =
                ReportRow::new(judgement, decision, grouping, is_ambiguous, source.as_deref());
            ReportRow { page: context.find_page(judgement), ..row }
        });
        let (mut notable, mut folded): (Vec<_>, Vec<_>) = rows.partition(ReportRow::is_notable);
        notable.sort_by(ReportRow::compare_severity);
        folded.sort_by_key(|row| row.change != Change::Inconclusive);
        let count_outcomes = |outcomes: &[CaseOutcome]| {
            let rows = notable.iter().chain(&folded);
            rows.filter(|row| outcomes.contains(&row.outcome)).count()
        };
        let all_rows = || notable.iter().chain(&folded);
        let figures = FigureColumns::from_rows(
            all_rows().map(|row| (row.candidate.as_ref(), !row.targets.is_empty())),
        );
        let figures = FigureColumns {
            has_costs: all_rows().any(|row| row.cost.is_some()),
            has_metrics: all_rows().any(|row| !row.metrics.is_empty()),
            ..figures
        };
        let counts = ChangeCounts::from_judgements(&decision.benchmarks);
        let targets = TargetCounts::from_decisions(std::iter::once(decision));
        let judgements = decision.benchmarks.iter();
        let worse_metrics = judgements.clone().flat_map(Judgement::worse_metrics).count();
        let open_metrics = judgements.map(Judgement::count_open_metrics).sum();
        let unchanged = group_unchanged(decision);
        Self {
            id: context.id.clone().unwrap_or_else(|| "report".to_owned()),
            verdict: decision.verdict,
            exit_status: decision.exit_status,
            is_blocking: decision.is_blocking(),
            headline: build_headline(
                decision,
                &counts,
                &targets,
                [worse_metrics, open_metrics],
                &unchanged,
            ),
            reasons: notable.iter().filter(|row| row.is_reason).count(),
            failures: count_outcomes(&[CaseOutcome::Failure]),
            skipped: count_outcomes(&[CaseOutcome::New, CaseOutcome::Undecided]),
            counts,
            targets,
            worse_metrics,
            open_metrics,
            sums: claim::list_sums(decision),
            expectations: claim::list_expectations(decision),
            cost: decision.cost.as_ref(),
            undecided: group_undecided(decision),
            unproven: group_unproven(decision),
            met: group_met(decision),
            unchanged,
            remarks: group_remarks(&folded),
            same: decision
                .benchmarks
                .iter()
                .filter(|judgement| judgement.notes.contains(&Note::SameProgram))
                .count(),
            unaffected: UnaffectedGroup::from_judgements(&decision.benchmarks),
            figures,
            notes: &decision.notes,
            baseline: BaselineLine::new(decision),
            candidate: decision.candidate.commit.as_ref().map(CommitLine::new),
            host: HostLine::new(&decision.candidate.host),
            conditions: &decision.candidate.conditions,
            noise_floor: find_middle(decision, |judgement| judgement.noise_floor),
            detectable: find_detection_limits(decision),
            again: repeat::build_repeat_command(decision, &notable),
            full_report: context.full_report.as_deref(),
            report_artifact: context.report_artifact.as_deref(),
            methodology: context.methodology.as_deref(),
            notable,
            folded,
        }
    }

    /// Iterates over every benchmark, the notable ones first.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &ReportRow<'a>> {
        self.notable.iter().chain(&self.folded)
    }
}

/// Returns the address of the files of the candidate's commit. Returns `None` if the repository or
/// the commit is unknown, or if the working tree differed from the commit.
fn find_source_address(decision: &Decision, context: &ReportContext) -> Option<String> {
    let commit = decision.candidate.commit.as_ref().filter(|commit| !commit.dirty)?;
    Some(format!("{}/blob/{}", context.repository.as_ref()?, commit.id))
}

/// Returns the ids that more than one benchmark has.
fn find_ambiguous_ids<'a>(ids: impl Iterator<Item = &'a str>) -> HashSet<&'a str> {
    let mut seen = HashSet::new();
    ids.filter(|id| !seen.insert(*id)).collect()
}

/// Returns the reasons that explain the verdict and apply to at least one benchmark or target. A
/// fail lists only what fails; a pass also lists what the gate ignored.
fn build_headline(
    decision: &Decision,
    counts: &ChangeCounts,
    targets: &TargetCounts,
    [worse_metrics, open_metrics]: [usize; 2],
    unchanged: &[UnchangedGroup],
) -> Vec<HeadlineReason> {
    let measured = counts.total - counts.missing - counts.failed;
    let bad = [
        (HeadlineReasonKind::Regressed, counts.regressed),
        (HeadlineReasonKind::Missing, counts.missing),
        (HeadlineReasonKind::Failed, counts.failed),
        (HeadlineReasonKind::MetricWorse, worse_metrics),
        (HeadlineReasonKind::TargetMissed, targets.missed),
    ];
    let unsure = [
        (HeadlineReasonKind::Inconclusive, counts.inconclusive),
        (HeadlineReasonKind::MetricInconclusive, open_metrics),
        (HeadlineReasonKind::TargetUnproven, targets.unproven),
    ];
    let has_baseline = decision.baseline.kind != BaselineKind::None;
    let judgements = decision.benchmarks.iter();
    let compared = judgements.filter(|judgement| judgement.change.is_compared()).count();
    let no_baseline = if decision.notes.iter().any(Note::is_base_obstacle) {
        HeadlineReasonKind::BaseNotMeasured
    } else {
        HeadlineReasonKind::NoBaseline
    };
    let is_unreadable = |note: &&Note| matches!(note, Note::StoredRunIgnored { .. });
    let unreadable = decision.notes.iter().filter(is_unreadable).count();
    let nothing = [
        (HeadlineReasonKind::NothingMeasured, usize::from(measured == 0)),
        (
            HeadlineReasonKind::NothingCompared,
            usize::from(measured > 0 && has_baseline && compared == 0),
        ),
        (no_baseline, usize::from(!has_baseline)),
        (HeadlineReasonKind::StoreUnreadable, unreadable),
    ];
    let good = [
        (HeadlineReasonKind::Unchanged, counts.unchanged),
        (HeadlineReasonKind::Improved, counts.improved),
        (HeadlineReasonKind::Accepted, counts.accepted),
    ];
    let reasons = match decision.verdict {
        Verdict::Fail => bad.to_vec(),
        Verdict::Inconclusive => [nothing.as_slice(), &unsure, &bad].concat(),
        Verdict::Pass => [&nothing[1..3], &good, &bad, &unsure].concat(),
    };
    let detect = match unchanged {
        [group] => group.detect,
        _ => None,
    };
    let present = reasons.into_iter().filter(|(_, count)| *count > 0);
    let add_detect = |(kind, count)| HeadlineReason {
        kind,
        count,
        of: (kind == HeadlineReasonKind::Inconclusive && decision.verdict == Verdict::Inconclusive)
            .then_some(compared),
        detect: detect.filter(|_| kind == HeadlineReasonKind::Unchanged),
    };
    present.map(add_detect).collect()
}

/// Groups the remarks about unchanged benchmarks among the `folded` rows, in the order of the rows.
/// Leaves out remarks beyond [`MAX_GROUPS`] different ones; their rows have them.
fn group_remarks<'a>(folded: &[ReportRow<'a>]) -> Vec<RemarkGroup<'a>> {
    let mut groups: Vec<RemarkGroup<'a>> = Vec::new();
    let unchanged = folded.iter().filter(|row| row.change == Change::Unchanged);
    for &note in unchanged.flat_map(|row| &row.remarks) {
        let is_room = groups.len() < MAX_GROUPS;
        match groups.iter_mut().find(|group| group.note == note) {
            Some(group) => group.count += 1,
            None if is_room => groups.push(RemarkGroup { count: 1, note }),
            None => {}
        }
    }
    groups
}

/// Groups the unchanged benchmarks by their excluded slowdown, in ascending order. If there are more
/// than [`MAX_GROUPS`] different ones, they are one group without a slowdown.
fn group_unchanged(decision: &Decision) -> Vec<UnchangedGroup> {
    let mut groups: Vec<UnchangedGroup> = Vec::new();
    let judgements =
        decision.benchmarks.iter().filter(|judgement| judgement.change == Change::Unchanged);
    let detected: BTreeSet<_> = judgements.clone().map(|judgement| judgement.detect).collect();
    let is_one_group = detected.len() > MAX_GROUPS;
    for detect in judgements.map(|judgement| judgement.detect.filter(|_| !is_one_group)) {
        match groups.iter_mut().find(|group| group.detect == detect) {
            Some(group) => group.count += 1,
            None => groups.push(UnchangedGroup { count: 1, detect }),
        }
    }
    groups.sort_by_key(|group| group.detect);
    groups
}

/// Returns one figure of all benchmarks that have it, in ascending order.
fn collect_sorted(decision: &Decision, figure: impl Fn(&Judgement) -> Option<f64>) -> Vec<Percent> {
    let figures = decision.benchmarks.iter().filter_map(figure);
    let mut percents: Vec<Percent> = figures.filter_map(|share| Percent::new(share).ok()).collect();
    percents.sort_unstable();
    percents
}

/// Returns the upper median of one figure over the benchmarks, or `None` if no benchmark has it.
fn find_middle(decision: &Decision, figure: impl Fn(&Judgement) -> Option<f64>) -> Option<Percent> {
    let percents = collect_sorted(decision, figure);
    percents.get(percents.len() / 2).copied()
}

/// Returns the slowdowns that would have been detected where none was found. A benchmark that
/// changed was decided while its interval was still wide, so it does not count.
fn find_detection_limits(decision: &Decision) -> Option<DetectionLimits> {
    let percents = collect_sorted(decision, |judgement| {
        let is_open = matches!(judgement.change, Change::Unchanged | Change::Inconclusive);
        judgement.minimum_detectable.filter(|_| is_open)
    });
    let all = *percents.last()?;
    let half = percents[(percents.len() - 1) / 2];
    Some(DetectionLimits { half: Some(half).filter(|half| *half != all), all })
}
