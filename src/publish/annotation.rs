//! Annotations, as workflow commands and for a check run. GitHub shows them beside the diff.

use serde_json::{Value, json};

use crate::decision::{Change, Judgement, TargetStatus, Verdict};
use crate::publish::limits::{MESSAGE_LIMIT, TITLE_LIMIT};
use crate::publish::page::{SuiteDecision, is_unwaived_fault};
use crate::publish::source::{SourceFile, SourceIndex, SourceLocation};
use crate::render::notes::{describe_failure, describe_note};
use crate::report::{DoubtGroup, group_undecided, group_unproven};
use crate::text::{cut_text, replace_invisible};
use crate::units::Ratio;

/// Number of annotations that GitHub shows per level and step. It drops the others silently.
const SHOWN_PER_LEVEL: usize = 10;

/// Outcome of a benchmark that the data do not decide.
const INCONCLUSIVE: &str = "inconclusive";
/// Outcome of a benchmark with a target that the data do not decide.
const TARGET_UNPROVEN: &str = "target unproven";

/// Severity of an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnnotationLevel {
    /// A reason for a failure.
    Error,
    /// Worth a look.
    Warning,
}

/// A remark about one benchmark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Annotation {
    /// Severity.
    pub(crate) level: AnnotationLevel,
    /// Title of a few words.
    pub(crate) title: String,
    /// The message: benchmark, outcome and reasons.
    pub(crate) message: String,
    /// Line that declares the benchmark; `None` if it is not unique.
    pub(crate) location: Option<SourceLocation>,
}

impl Annotation {
    /// Returns the workflow command that creates the annotation.
    pub(crate) fn to_command(&self) -> String {
        let level = match self.level {
            AnnotationLevel::Error => "error",
            AnnotationLevel::Warning => "warning",
        };
        let place = self
            .location
            .as_ref()
            .map(|place| format!("file={},line={},", escape_property(&place.path), place.line));
        let place = place.unwrap_or_default();
        let title = escape_property(&self.title);
        format!(
            "::{level} {place}title={title}::{}",
            escape_data(&cut_text(&self.message, MESSAGE_LIMIT))
        )
    }

    /// Returns the annotation for a check run, or `None` without a location, which a check run
    /// requires.
    pub(crate) fn to_check_run(&self) -> Option<Value> {
        let SourceLocation { path, line } = self.location.as_ref()?;
        let level = match self.level {
            AnnotationLevel::Error => "failure",
            AnnotationLevel::Warning => "warning",
        };
        Some(json!({
            "path": path, "start_line": line, "end_line": line,
            "annotation_level": level, "title": cut_text(&self.title, TITLE_LIMIT),
            "message": cut_text(&self.message, MESSAGE_LIMIT),
        }))
    }
}

/// Returns the annotations for `suites`, errors first. Locations are searched in `sources`.
pub(crate) fn collect_annotations(
    suites: &[SuiteDecision],
    sources: &[SourceFile],
) -> Vec<Annotation> {
    let index = SourceIndex::new(sources);
    let mut found: Vec<_> = suites.iter().flat_map(|suite| annotate_suite(suite, &index)).collect();
    found.sort_by_key(|annotation| annotation.level == AnnotationLevel::Warning);
    found
}

/// Returns the annotations for one suite. Many undecided benchmarks, and many unproven targets, get
/// one for each reason.
fn annotate_suite(suite: &SuiteDecision, sources: &SourceIndex<'_>) -> Vec<Annotation> {
    let is_failing = suite.decision.verdict == Verdict::Fail;
    let (undecided, unproven) = (group_undecided(&suite.decision), group_unproven(&suite.decision));
    let is_grouped = |outcome: &str| match outcome {
        INCONCLUSIVE => !undecided.is_empty(),
        TARGET_UNPROVEN => !unproven.is_empty(),
        _ => false,
    };
    let single = suite.decision.benchmarks.iter().filter_map(|judgement| {
        let (level, outcome) = classify_judgement(judgement, is_failing)?;
        (!is_grouped(outcome)).then(|| Annotation {
            level,
            title: format!("perfgate: {outcome}"),
            message: write_message(suite, judgement, outcome),
            location: sources.locate_benchmark(&judgement.id),
        })
    });
    let changes = undecided
        .iter()
        .map(|group| annotate_group(suite, group, INCONCLUSIVE, "benchmarks inconclusive"));
    let targets = unproven
        .iter()
        .map(|group| annotate_group(suite, group, TARGET_UNPROVEN, "targets unproven"));
    single.chain(changes).chain(targets).collect()
}

/// Returns the annotation for a group of undecided benchmarks or unproven targets. `counted` follows
/// their number.
fn annotate_group(
    suite: &SuiteDecision,
    group: &DoubtGroup<'_>,
    outcome: &str,
    counted: &str,
) -> Annotation {
    let more = if group.has_more { ", …" } else { "" };
    let reason = group.note.map(|note| format!("\n{}", describe_note(note))).unwrap_or_default();
    Annotation {
        level: AnnotationLevel::Warning,
        title: format!("perfgate: {outcome}"),
        message: format!(
            "{}{} {counted}: {}{more}{reason}",
            prefix_suite(suite),
            group.count,
            group.examples.join(", ")
        ),
        location: None,
    }
}

/// Returns the beginning of a message that names the suite. Empty if there is only one suite.
fn prefix_suite(suite: &SuiteDecision) -> String {
    if suite.name.is_empty() { String::new() } else { format!("{}: ", suite.name) }
}

/// Returns the workflow commands for `annotations`.
///
/// If a level has more annotations than GitHub shows, its last command counts the ones left out.
pub(crate) fn format_commands(annotations: &[Annotation]) -> Vec<String> {
    [AnnotationLevel::Error, AnnotationLevel::Warning]
        .into_iter()
        .flat_map(|level| {
            let same_level: Vec<_> =
                annotations.iter().filter(|annotation| annotation.level == level).collect();
            let shown = if same_level.len() > SHOWN_PER_LEVEL {
                SHOWN_PER_LEVEL - 1
            } else {
                same_level.len()
            };
            let (shown, hidden) = same_level.split_at(shown);
            let more = hidden.first().map(|first| Annotation {
                location: None,
                message: format!("{} more: the step summary lists them all", hidden.len()),
                ..(*first).clone()
            });
            shown
                .iter()
                .map(|annotation| annotation.to_command())
                .chain(more.map(|annotation| annotation.to_command()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Returns the workflow command for a notice in the log and on the summary page of the run.
pub(crate) fn format_notice(message: &str) -> String {
    format!("::notice title=perfgate::{}", escape_data(message))
}

/// Returns the level and outcome of a judgement, or `None` if it needs no annotation.
fn classify_judgement(
    judgement: &Judgement,
    is_failing: bool,
) -> Option<(AnnotationLevel, &'static str)> {
    let missed = judgement.targets.iter().any(|target| target.status == TargetStatus::Missed);
    let unproven = judgement.targets.iter().any(|target| target.status == TargetStatus::Unproven);
    let level = if is_failing { AnnotationLevel::Error } else { AnnotationLevel::Warning };
    match judgement.change {
        Change::Regressed if is_unwaived_fault(judgement) => Some((level, "regressed")),
        Change::Missing if is_unwaived_fault(judgement) => Some((level, "missing")),
        Change::Failed => Some((level, "failed")),
        _ if judgement.worse_metrics().next().is_some() => Some((level, "metric worse")),
        _ if missed => Some((level, "target missed")),
        Change::Inconclusive => Some((AnnotationLevel::Warning, INCONCLUSIVE)),
        _ if unproven => Some((AnnotationLevel::Warning, TARGET_UNPROVEN)),
        _ => None,
    }
}

fn write_message(suite: &SuiteDecision, judgement: &Judgement, outcome: &str) -> String {
    let suite = prefix_suite(suite);
    let ratio = judgement.ratio.filter(|_| matches!(outcome, "regressed" | INCONCLUSIVE));
    let ratio = ratio.map(|ratio| {
        let [low, point, high] = [ratio.low, ratio.point, ratio.high].map(format_ratio_change);
        format!(", {point} (between {low} and {high})")
    });
    let failure = judgement.failure.iter().map(|failure| describe_failure(&failure.reason));
    let reasons: Vec<_> = failure.chain(judgement.notes.iter().map(describe_note)).collect();
    let reasons =
        if reasons.is_empty() { String::new() } else { format!("\n{}", reasons.join("\n")) };
    format!("{suite}{} {outcome}{}{reasons}", judgement.to_id(), ratio.unwrap_or_default())
}

fn format_ratio_change(ratio: Ratio) -> String {
    format!("{:+.1} %", (ratio.get() - 1.0) * 100.0)
}

/// Escapes the message of a workflow command. The text may come from a stranger, so it has no control
/// characters and no command of its own.
fn escape_data(text: &str) -> String {
    let text = replace_invisible(&text.replace("\r\n", "\n"));
    text.replace("##[", "##\\[").replace('%', "%25").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotation(level: AnnotationLevel, message: &str) -> Annotation {
        Annotation {
            level,
            title: "a: b, c".to_owned(),
            message: message.to_owned(),
            location: None,
        }
    }

    #[test]
    fn a_name_cannot_begin_another_command() {
        let line =
            annotation(AnnotationLevel::Error, "100%\r\n::set-output name=x::y").to_command();
        assert_eq!(line, "::error title=a%3A b%2C c::100%25%0A::set-output name=x::y");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn a_place_stands_before_the_title() {
        let place = Some(SourceLocation { path: "benches/a,b.rs".to_owned(), line: 7 });
        let line = Annotation { location: place, ..annotation(AnnotationLevel::Warning, "m") }
            .to_command();
        assert_eq!(line, "::warning file=benches/a%2Cb.rs,line=7,title=a%3A b%2C c::m");
    }

    #[test]
    fn ten_of_each_level_and_the_last_counts_the_rest() {
        let many: Vec<_> = (0..25)
            .map(|n| {
                annotation(
                    if n < 12 { AnnotationLevel::Error } else { AnnotationLevel::Warning },
                    &format!("m{n}"),
                )
            })
            .collect();
        let lines = format_commands(&many);
        let errors: Vec<_> = lines.iter().filter(|line| line.starts_with("::error")).collect();
        assert_eq!((errors.len(), lines.len() - errors.len()), (10, 10));
        assert!(errors[9].ends_with("3 more: the step summary lists them all"), "{}", errors[9]);
        assert!(lines[19].ends_with("4 more: the step summary lists them all"), "{}", lines[19]);
    }
}
