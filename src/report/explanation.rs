//! Where the added instructions of a benchmark are, prepared for readers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::decision::{
    ExplainedCause, ExplainedScope, Explanation, FunctionChange, FunctionPresence, InliningChange,
    LineChange, SideCounts, StackNode,
};

/// Maximum number of functions, and of lines, where only the worst are shown.
const WORST_ROWS: usize = 5;
/// A number of calls counts as the same if it differs by less than this share.
const SAME_CALLS_SHARE: f64 = 0.005;

/// Where the added instructions of one benchmark are.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ExplanationView<'a> {
    /// What the instructions explain.
    pub(crate) cause: ExplainedCause,
    /// What the numbers are of.
    pub(crate) scope: ExplainedScope,
    /// Instructions of a call of the baseline.
    pub(crate) baseline: f64,
    /// Instructions of a call of the candidate.
    pub(crate) candidate: f64,
    /// Growth of the instructions of a call, as a share; negative if there are fewer.
    pub(crate) growth: f64,
    /// The function with most of the added instructions; `None` if no function has more than before.
    pub(crate) worst: Option<WorstFunction<'a>>,
    /// Another function that the candidate calls and the baseline inlines; `None` if there is none.
    pub(crate) outlined: Option<FunctionRow<'a>>,
    /// The functions, the most added first.
    pub(crate) functions: Vec<FunctionRow<'a>>,
    /// The source lines, the most added first.
    pub(crate) lines: Vec<LineRow<'a>>,
    /// The functions of the standard library, the most added first.
    pub(crate) standard: Vec<FunctionRow<'a>>,
    /// The functions with the most added instructions.
    pub(crate) worst_functions: Vec<FunctionRow<'a>>,
    /// The lines with the most added instructions.
    pub(crate) worst_lines: Vec<LineRow<'a>>,
    /// The events of a simulated processor that are misses; empty if nothing was simulated.
    pub(crate) misses: Vec<MissRow>,
    /// Events of this machine's processor and system; empty if nothing was counted.
    pub(crate) hardware: Vec<EventRow>,
    /// The call stacks, which are drawn and not listed.
    #[serde(skip)]
    pub(crate) stacks: &'a [StackNode],
}

/// The function with most of the added instructions.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct WorstFunction<'a> {
    /// The function.
    pub(crate) row: FunctionRow<'a>,
    /// Its part of the instructions that functions gained, as a share. What other functions lost does
    /// not count.
    pub(crate) share: f64,
}

/// How the instructions of one function changed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FunctionRow<'a> {
    /// Path of the function.
    pub(crate) function: &'a str,
    /// Added own instructions of a call of the benchmark; negative if there are fewer.
    pub(crate) added: f64,
    /// Own instructions of both sides.
    pub(crate) own: SideCounts,
    /// Instructions of both sides with those of everything that the function calls.
    pub(crate) inclusive: SideCounts,
    /// Number of calls of both sides; `None` if a side inlines the function.
    pub(crate) calls: Option<SideCounts>,
    /// Growth of the own instructions, as a share; `None` without any in the baseline.
    pub(crate) growth: Option<f64>,
    /// The most important fact about the calls of the function.
    pub(crate) standing: FunctionStanding,
    /// Candidate ÷ baseline of the number of calls; `None` if it is unknown.
    pub(crate) call_ratio: Option<f64>,
}

/// The most important fact about the calls of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FunctionStanding {
    /// The baseline does not run it.
    New,
    /// The candidate does not run it.
    Vanished,
    /// The candidate calls it, and the baseline inlines it.
    NoLongerInlined,
    /// The candidate inlines it, and the baseline calls it.
    NowInlined,
    /// It is called as often as before.
    CalledAsOften,
    /// It is called more often or less often.
    CalledDifferently,
    /// A side inlines it, so its calls are not counted.
    Inlined,
}

/// How the instructions of one source line changed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LineRow<'a> {
    /// Path of the file.
    pub(crate) file: &'a str,
    /// Line in the file.
    pub(crate) line: u32,
    /// Whether the candidate has the line. Another one may have its number there.
    pub(crate) is_in_candidate: bool,
    /// Content of the line; empty if it is not known.
    pub(crate) text: &'a str,
    /// Path of the function that contains the line.
    pub(crate) function: &'a str,
    /// Instructions of both sides.
    pub(crate) own: SideCounts,
    /// Added instructions; negative if there are fewer.
    pub(crate) added: f64,
    /// Address of the line in the candidate's commit; `None` if it is unknown or if the candidate
    /// does not have the line.
    pub(crate) address: Option<String>,
}

/// Misses of a simulated processor.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct MissRow {
    /// What was missed.
    pub(crate) kind: MissKind,
    /// Misses of a call on both sides.
    pub(crate) counts: SideCounts,
}

/// An event of this machine's processor or system.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct EventRow {
    /// Name of the event, as `perf stat` has it.
    pub(crate) event: &'static str,
    /// Events of a call on both sides.
    pub(crate) counts: SideCounts,
}

impl EventRow {
    /// The events that are shown, in their order.
    const SHOWN: [&'static str; 6] = [
        "cycles",
        "instructions",
        "cache-misses",
        "branch-misses",
        "page-faults",
        "context-switches",
    ];

    /// Returns a row for each known event in `counted`.
    fn list(counted: &BTreeMap<String, SideCounts>) -> Vec<Self> {
        let known = Self::SHOWN.into_iter();
        known.filter_map(|event| Some(Self { event, counts: *counted.get(event)? })).collect()
    }
}

/// What a simulated processor missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MissKind {
    /// Instructions in the first-level cache.
    FirstLevelInstructions,
    /// Data in the first-level cache.
    FirstLevelData,
    /// Data in the last-level cache.
    LastLevelData,
    /// The direction or the destination of a branch.
    Branches,
}

impl MissKind {
    /// All kinds, in the order in which they are shown.
    const ALL: [Self; 4] =
        [Self::FirstLevelInstructions, Self::FirstLevelData, Self::LastLevelData, Self::Branches];

    /// Returns the events by callgrind's names that make up this kind.
    fn events(self) -> &'static [&'static str] {
        match self {
            Self::FirstLevelInstructions => &["I1mr"],
            Self::FirstLevelData => &["D1mr", "D1mw"],
            Self::LastLevelData => &["DLmr", "DLmw"],
            Self::Branches => &["Bcm", "Bim"],
        }
    }
}

impl<'a> ExplanationView<'a> {
    /// Prepares `explanation`. `source` is the address of the files of the candidate's commit, to
    /// which the path of a file is added; `None` if it is unknown.
    pub(super) fn new(explanation: &'a Explanation, source: Option<&str>) -> Self {
        let (baseline, candidate) =
            (explanation.instructions.baseline, explanation.instructions.candidate);
        let added = candidate - baseline;
        let functions: Vec<_> = explanation.functions.iter().map(FunctionRow::new).collect();
        let lines: Vec<_> =
            explanation.lines.iter().map(|line| LineRow::new(line, source)).collect();
        // Functions that are gone do not make the others smaller.
        let gained: f64 = functions.iter().map(|row| row.added.max(0.0)).sum();
        let worst = functions
            .first()
            .filter(|row| row.added > 0.0 && added > 0.0)
            .map(|row| WorstFunction { row: row.clone(), share: row.added / gained });
        let outlined = functions
            .iter()
            .skip(usize::from(worst.is_some()))
            .find(|row| row.standing == FunctionStanding::NoLongerInlined);
        let misses = MissKind::ALL.into_iter().filter(|_| !explanation.events.is_empty());
        let sum = |kind: MissKind, side: fn(&SideCounts) -> f64| {
            kind.events().iter().filter_map(|event| explanation.events.get(*event)).map(side).sum()
        };
        let misses = misses.map(|kind| MissRow {
            kind,
            counts: SideCounts {
                baseline: sum(kind, |counts| counts.baseline),
                candidate: sum(kind, |counts| counts.candidate),
            },
        });
        Self {
            cause: explanation.cause,
            scope: explanation.scope,
            baseline,
            candidate,
            growth: candidate / baseline - 1.0,
            worst,
            outlined: outlined.cloned(),
            worst_functions: pick_largest(&functions, |row| row.added),
            worst_lines: pick_largest(&lines, |row| row.added),
            functions,
            lines,
            standard: explanation.standard.iter().map(FunctionRow::new).collect(),
            misses: misses.collect(),
            hardware: EventRow::list(&explanation.hardware),
            stacks: &explanation.stacks,
        }
    }
}

/// Returns the rows that changed most, in their order.
fn pick_largest<T: Clone>(rows: &[T], added: impl Fn(&T) -> f64) -> Vec<T> {
    let mut places: Vec<usize> = (0..rows.len()).collect();
    places.sort_by(|one, other| added(&rows[*other]).abs().total_cmp(&added(&rows[*one]).abs()));
    places.truncate(WORST_ROWS);
    places.sort_unstable();
    places.into_iter().map(|place| rows[place].clone()).collect()
}

impl<'a> FunctionRow<'a> {
    fn new(change: &'a FunctionChange) -> Self {
        let SideCounts { baseline, candidate } = change.own;
        let call_ratio = change.calls.map(|calls| calls.candidate / calls.baseline);
        let call_ratio = call_ratio.filter(|ratio| ratio.is_finite());
        let standing = match (change.presence, change.inlining, call_ratio) {
            (FunctionPresence::New, ..) => FunctionStanding::New,
            (FunctionPresence::Vanished, ..) => FunctionStanding::Vanished,
            (_, Some(InliningChange::NoLongerInlined), _) => FunctionStanding::NoLongerInlined,
            (_, Some(InliningChange::NowInlined), _) => FunctionStanding::NowInlined,
            (_, None, Some(ratio)) if (ratio - 1.0).abs() < SAME_CALLS_SHARE => {
                FunctionStanding::CalledAsOften
            }
            (_, None, Some(_)) => FunctionStanding::CalledDifferently,
            (_, None, None) => FunctionStanding::Inlined,
        };
        Self {
            function: &change.function,
            added: change.own.added(),
            own: change.own,
            inclusive: change.inclusive,
            calls: change.calls,
            growth: (baseline > 0.0).then(|| candidate / baseline - 1.0),
            standing,
            call_ratio,
        }
    }
}

impl<'a> LineRow<'a> {
    fn new(line: &'a LineChange, source: Option<&str>) -> Self {
        // The file comes from the decision, which may be a stranger's. Its address must stay in the
        // repository.
        let is_inside = !line.file.split('/').any(|part| part == "..")
            && !line.file.contains(['?', '#', '\\', '%']);
        let has_address = line.is_in_candidate && line.is_in_repository && is_inside;
        let address = source
            .filter(|_| has_address)
            .map(|source| format!("{source}/{}#L{}", line.file, line.line));
        Self {
            file: &line.file,
            line: line.line,
            is_in_candidate: line.is_in_candidate,
            text: &line.text,
            function: &line.function,
            own: line.own,
            added: line.own.added(),
            address,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(calls: Option<[f64; 2]>) -> FunctionChange {
        FunctionChange {
            function: "mix".to_owned(),
            presence: FunctionPresence::Both,
            inlining: None,
            own: SideCounts { baseline: 100.0, candidate: 200.0 },
            inclusive: SideCounts { baseline: 100.0, candidate: 200.0 },
            calls: calls.map(|[baseline, candidate]| SideCounts { baseline, candidate }),
        }
    }

    #[test]
    fn a_row_names_the_most_important_fact_about_its_calls() {
        let standing = |change: &FunctionChange| FunctionRow::new(change).standing;
        let often = FunctionStanding::CalledAsOften;
        assert_eq!(standing(&change(Some([300.0, 300.0]))), often);
        assert_eq!(standing(&change(Some([300.0, 301.0]))), often);
        let differently = FunctionStanding::CalledDifferently;
        assert_eq!(standing(&change(Some([300.0, 600.0]))), differently);
        assert_eq!(standing(&change(None)), FunctionStanding::Inlined);
        let no_longer = Some(InliningChange::NoLongerInlined);
        let row = FunctionChange { inlining: no_longer, ..change(None) };
        assert_eq!(standing(&row), FunctionStanding::NoLongerInlined);
        let row = FunctionChange { presence: FunctionPresence::New, ..change(Some([0.0, 3.0])) };
        assert_eq!(standing(&row), FunctionStanding::New);
    }

    #[test]
    fn a_function_that_replaces_others_has_a_part_of_what_was_gained_and_the_gone_ones_are_shown() {
        let row = |name: &str, baseline: f64, candidate: f64| FunctionChange {
            function: name.to_owned(),
            own: SideCounts { baseline, candidate },
            ..change(None)
        };
        let mut functions: Vec<_> = [60.0, 40.0, 4.0, 3.0, 2.0, 1.0]
            .iter()
            .map(|added| row(&format!("new {added}"), 0.0, *added))
            .collect();
        functions.push(row("gone", 70.0, 0.0));
        let explanation = Explanation {
            cause: ExplainedCause::Instructions,
            scope: ExplainedScope::Call,
            instructions: crate::decision::InstructionCounts { baseline: 100.0, candidate: 140.0 },
            functions,
            lines: Vec::new(),
            standard: Vec::new(),
            events: BTreeMap::new(),
            hardware: BTreeMap::new(),
            stacks: Vec::new(),
        };
        let view = ExplanationView::new(&explanation, None);
        let share = view.worst.as_ref().unwrap().share;
        assert!((share - 60.0 / 110.0).abs() < 1e-9, "{share}");
        let shown: Vec<_> = view.worst_functions.iter().map(|row| row.function).collect();
        assert_eq!(shown, ["new 60", "new 40", "new 4", "new 3", "gone"]);
    }

    #[test]
    fn only_a_line_that_the_candidate_has_in_the_repository_has_an_address() {
        let line = LineChange {
            file: "src/lib.rs".to_owned(),
            line: 7,
            is_in_candidate: true,
            is_in_repository: true,
            text: String::new(),
            function: "mix".to_owned(),
            own: SideCounts::default(),
        };
        let address = |line: &LineChange| LineRow::new(line, Some("https://h/o/r/blob/1")).address;
        assert_eq!(address(&line).as_deref(), Some("https://h/o/r/blob/1/src/lib.rs#L7"));
        assert_eq!(address(&LineChange { is_in_candidate: false, ..line.clone() }), None);
        assert_eq!(address(&LineChange { is_in_repository: false, ..line.clone() }), None);
        for file in ["../../../x/y", "src/..", "a?b", "a#b", "%2e%2e/%2e%2e"] {
            let line = LineChange { file: file.to_owned(), ..line.clone() };
            assert_eq!(address(&line), None, "{file}");
        }
        assert_eq!(LineRow::new(&line, None).address, None);
    }
}
