//! Annotations: as workflow commands, which GitHub shows beside the diff, and for a check run.

use serde_json::{Value, json};

use crate::publish::page::{Suite, is_bad, judgements};
use crate::publish::source::{Place, SourceFile, locate};
use crate::units::Ratio;
use crate::verdict::{Change, Judgement, TargetStatus, Verdict};

/// GitHub shows so many annotations of each level a step, and drops the rest without a word.
const SHOWN_A_LEVEL: usize = 10;

/// How loud an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// A reason to fail.
    Error,
    /// Worth a look.
    Warning,
}

/// One remark about one benchmark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Annotation {
    /// How loud.
    pub(crate) level: Level,
    /// A few words.
    pub(crate) title: String,
    /// A sentence.
    pub(crate) message: String,
    /// The line the benchmark is declared on, where only one can be meant.
    pub(crate) place: Option<Place>,
}

impl Annotation {
    /// The workflow command that makes it.
    pub(crate) fn command(&self) -> String {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let place = self
            .place
            .as_ref()
            .map(|place| format!("file={},line={},", escaped_property(&place.path), place.line));
        let place = place.unwrap_or_default();
        let title = escaped_property(&self.title);
        format!("::{level} {place}title={title}::{}", escaped(&self.message))
    }

    /// The same in a check run, which takes none without a place.
    pub(crate) fn for_check_run(&self) -> Option<Value> {
        let Place { path, line } = self.place.as_ref()?;
        let level = match self.level {
            Level::Error => "failure",
            Level::Warning => "warning",
        };
        Some(json!({
            "path": path, "start_line": line, "end_line": line,
            "annotation_level": level, "title": self.title, "message": self.message,
        }))
    }
}

/// What is to be remarked about `suites`, reasons to fail first, with lines found in `sources`.
pub(crate) fn annotations(suites: &[Suite], sources: &[SourceFile]) -> Vec<Annotation> {
    let mut found: Vec<_> = judgements(suites)
        .filter_map(|(suite, judgement)| {
            let failing = suite.decision.verdict == Verdict::Fail;
            let (level, what) = remark(judgement, failing)?;
            Some(Annotation {
                level,
                title: format!("perfgate: {what}"),
                message: sentence(suite, judgement, what),
                place: locate(&judgement.id, sources),
            })
        })
        .collect();
    found.sort_by_key(|annotation| annotation.level == Level::Warning);
    found
}

/// The workflow commands of `annotations`; where GitHub would drop some, the last one shown counts them.
pub(crate) fn commands(annotations: &[Annotation]) -> Vec<String> {
    [Level::Error, Level::Warning]
        .into_iter()
        .flat_map(|level| {
            let of_level: Vec<_> =
                annotations.iter().filter(|annotation| annotation.level == level).collect();
            let shown =
                if of_level.len() > SHOWN_A_LEVEL { SHOWN_A_LEVEL - 1 } else { of_level.len() };
            let (shown, rest) = of_level.split_at(shown);
            let more = rest.first().map(|first| Annotation {
                place: None,
                message: format!("{} more: the step summary lists them all", rest.len()),
                ..(*first).clone()
            });
            shown
                .iter()
                .map(|annotation| annotation.command())
                .chain(more.map(|one| one.command()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// A notice in the log and on the summary page of the run.
pub(crate) fn notice(message: &str) -> String {
    format!("::notice title=perfgate::{}", escaped(message))
}

fn remark(judgement: &Judgement, failing: bool) -> Option<(Level, &'static str)> {
    let missed = judgement.targets.iter().any(|target| target.status == TargetStatus::Missed);
    let unproven = judgement.targets.iter().any(|target| target.status == TargetStatus::Unproven);
    let loud = if failing { Level::Error } else { Level::Warning };
    match judgement.change {
        Change::Regressed if is_bad(judgement) => Some((loud, "regressed")),
        Change::Missing if is_bad(judgement) => Some((loud, "missing")),
        Change::Failed => Some((loud, "failed")),
        _ if missed => Some((loud, "target missed")),
        Change::Inconclusive => Some((Level::Warning, "inconclusive")),
        _ if unproven => Some((Level::Warning, "target unproven")),
        _ => None,
    }
}

fn sentence(suite: &Suite, judgement: &Judgement, what: &str) -> String {
    let suite = if suite.name.is_empty() { String::new() } else { format!("{}: ", suite.name) };
    let ratio = judgement.ratio.filter(|_| matches!(what, "regressed" | "inconclusive"));
    let ratio = ratio.map(|ratio| {
        let [low, point, high] = [ratio.low, ratio.point, ratio.high].map(percent);
        format!(", {point} (between {low} and {high})")
    });
    let reasons = judgement.failure.iter().map(|failure| &failure.reason).chain(&judgement.reasons);
    let reasons: Vec<_> = reasons.map(String::as_str).collect();
    let reasons =
        if reasons.is_empty() { String::new() } else { format!("\n{}", reasons.join("\n")) };
    format!("{suite}{} {what}{}{reasons}", judgement.identity(), ratio.unwrap_or_default())
}

fn percent(ratio: Ratio) -> String {
    format!("{:+.1} %", (ratio.get() - 1.0) * 100.0)
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escaped_property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotation(level: Level, message: &str) -> Annotation {
        Annotation { level, title: "a: b, c".to_owned(), message: message.to_owned(), place: None }
    }

    #[test]
    fn a_name_cannot_begin_another_command() {
        let line = annotation(Level::Error, "100%\r\n::set-output name=x::y").command();
        assert_eq!(line, "::error title=a%3A b%2C c::100%25%0D%0A::set-output name=x::y");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn a_place_stands_before_the_title() {
        let place = Some(Place { path: "benches/a,b.rs".to_owned(), line: 7 });
        let line = Annotation { place, ..annotation(Level::Warning, "m") }.command();
        assert_eq!(line, "::warning file=benches/a%2Cb.rs,line=7,title=a%3A b%2C c::m");
    }

    #[test]
    fn ten_of_each_level_and_the_last_counts_the_rest() {
        let many: Vec<_> = (0..25)
            .map(|n| {
                annotation(if n < 12 { Level::Error } else { Level::Warning }, &format!("m{n}"))
            })
            .collect();
        let lines = commands(&many);
        let errors: Vec<_> = lines.iter().filter(|line| line.starts_with("::error")).collect();
        assert_eq!((errors.len(), lines.len() - errors.len()), (10, 10));
        assert!(errors[9].ends_with("3 more: the step summary lists them all"), "{}", errors[9]);
        assert!(lines[19].ends_with("4 more: the step summary lists them all"), "{}", lines[19]);
    }
}
