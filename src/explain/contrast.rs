//! Sets the counts of both sides against each other.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use super::attribute::{AttributedCounts, FunctionCounts, LineKey};
use super::frames::FunctionKey;
use super::stacks::contrast_stacks;
use crate::decision::{
    ExplainedCause, ExplainedScope, Explanation, FunctionChange, FunctionPresence, InliningChange,
    InstructionCounts, LineChange, SideCounts,
};
use crate::units::Ratio;

/// Maximum number of functions, and of lines, in an explanation.
const MAX_ROWS: usize = 20;
/// Maximum number of functions of the standard library in an explanation.
const MAX_STANDARD_ROWS: usize = 5;
/// Functions and lines are left out if they changed by less than this share of a call.
const MIN_CHANGED_SHARE: f64 = 0.001;
/// Instructions explain a slowdown if they grew by at least this share of it, in logarithms.
const MIN_EXPLAINED_SHARE: f64 = 0.5;
/// A function counts as one that grew like the others if it grew by at least this share of the
/// growth of all, in logarithms, and at most by its inverse.
const ALIKE_SHARE: f64 = 0.5;
/// All functions grew alike if this share of the instructions is in functions that did.
const MIN_ALIKE_INSTRUCTIONS: f64 = 0.9;
/// Fewer functions than this do not show that all grew alike.
const MIN_ALIKE_FUNCTIONS: usize = 3;
/// Functions with less than this share of a call are not asked whether they grew like the others.
const MIN_FUNCTION_SHARE: f64 = 0.02;

/// What may explain a slowdown that instructions do not. Empty if they do.
#[derive(Clone, Debug, Default)]
pub(crate) struct HiddenEvents {
    /// Events of a simulated processor by callgrind's name.
    pub(crate) simulated: BTreeMap<String, SideCounts>,
    /// Events of this machine by the names of `perf stat`.
    pub(crate) hardware: BTreeMap<String, SideCounts>,
}

/// Returns whether the instructions of both sides explain most of a slowdown by `ratio`.
pub(crate) fn explains_time(instructions: InstructionCounts, ratio: Ratio) -> bool {
    let growth = (instructions.candidate / instructions.baseline).ln();
    growth > 0.0 && growth >= MIN_EXPLAINED_SHARE * ratio.get().ln()
}

/// Returns where the instructions of `sides`, baseline and candidate, differ. `scope` is what they
/// are the instructions of, `ratio` is the slowdown that is explained, and `events` are what else
/// was counted.
pub(crate) fn contrast_sides(
    sides: &[AttributedCounts; 2],
    scope: ExplainedScope,
    ratio: Ratio,
    events: HiddenEvents,
) -> Explanation {
    let [baseline, candidate] = sides;
    let instructions = InstructionCounts { baseline: baseline.total, candidate: candidate.total };
    let apart = find_distinct_instances(sides);
    let mut functions = contrast_functions([&baseline.functions, &candidate.functions], &apart);
    let mut standard = contrast_functions([&baseline.standard, &candidate.standard], &apart);
    let mut lines = contrast_lines([&baseline.lines, &candidate.lines], &apart);
    let cause = if !explains_time(instructions, ratio) {
        ExplainedCause::NotInstructions
    } else if have_grown_alike(&functions, instructions) {
        ExplainedCause::Everywhere
    } else {
        ExplainedCause::Instructions
    };
    let least = MIN_CHANGED_SHARE * instructions.baseline.max(instructions.candidate);
    keep_largest(&mut functions, least, MAX_ROWS, |change| change.own.added());
    keep_largest(&mut standard, least, MAX_STANDARD_ROWS, |change| change.own.added());
    keep_largest(&mut lines, least, MAX_ROWS, |change| change.own.added());
    let HiddenEvents { simulated: events, hardware } = events;
    let stacks =
        contrast_stacks([&baseline.stacks, &candidate.stacks], &|key| name_function(key, &apart));
    Explanation { cause, scope, instructions, functions, lines, standard, events, hardware, stacks }
}

/// Keeps at most `count` rows that changed by at least `least`, those that changed most, and sorts
/// them: the most added first.
fn keep_largest<T>(rows: &mut Vec<T>, least: f64, count: usize, added: impl Fn(&T) -> f64) {
    rows.retain(|row| added(row).abs() >= least);
    rows.sort_by(|one, other| added(other).abs().total_cmp(&added(one).abs()));
    rows.truncate(count);
    rows.sort_by(|one, other| added(other).total_cmp(&added(one)));
}

/// Returns whether most instructions are in functions that grew like the benchmark as a whole.
fn have_grown_alike(functions: &[FunctionChange], instructions: InstructionCounts) -> bool {
    let growth = (instructions.candidate / instructions.baseline).ln();
    let least = MIN_FUNCTION_SHARE * instructions.candidate;
    let large = functions.iter().filter(|change| change.own.candidate >= least);
    let alike = large.filter(|change| {
        let own = (change.own.candidate / change.own.baseline).ln();
        change.own.baseline > 0.0 && (ALIKE_SHARE * growth..=growth / ALIKE_SHARE).contains(&own)
    });
    let (count, sum) =
        alike.fold((0, 0.0), |(count, sum), change| (count + 1, sum + change.own.candidate));
    count >= MIN_ALIKE_FUNCTIONS && sum >= MIN_ALIKE_INSTRUCTIONS * instructions.candidate
}

/// Returns the paths of functions of which one side has several instances with different generic
/// arguments. Their instances are kept apart.
///
/// Instances of other functions are the same function, even if the change gives it another argument.
fn find_distinct_instances(sides: &[AttributedCounts; 2]) -> BTreeSet<String> {
    let mut apart = BTreeSet::new();
    for side in sides {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        let keys = side.functions.keys().chain(side.standard.keys());
        for key in keys.filter(|key| !key.arguments.is_empty()) {
            if seen.insert(&key.path, &key.arguments).is_some_and(|other| other != key.arguments) {
                apart.insert(key.path.clone());
            }
        }
    }
    apart
}

/// Returns the name of a function in a report.
fn name_function(key: &FunctionKey, apart: &BTreeSet<String>) -> String {
    if apart.contains(&key.path) {
        format!("{}{}", key.path, key.arguments)
    } else {
        key.path.clone()
    }
}

fn contrast_functions(
    sides: [&BTreeMap<FunctionKey, FunctionCounts>; 2],
    apart: &BTreeSet<String>,
) -> Vec<FunctionChange> {
    let mut pairs: BTreeMap<String, [Option<FunctionCounts>; 2]> = BTreeMap::new();
    for (at, side) in sides.into_iter().enumerate() {
        for (key, counts) in side {
            let sum = &mut pairs.entry(name_function(key, apart)).or_default()[at];
            let before = sum.unwrap_or_default();
            *sum = Some(FunctionCounts {
                own: before.own + counts.own,
                inclusive: before.inclusive.max(counts.inclusive),
                calls: before.calls + counts.calls,
                is_inlined: before.is_inlined || counts.is_inlined,
                is_called: before.is_called || counts.is_called,
            });
        }
    }
    pairs.into_iter().map(|(function, pair)| contrast_function(function, pair)).collect()
}

fn contrast_function(function: String, pair: [Option<FunctionCounts>; 2]) -> FunctionChange {
    let presence = match pair {
        [None, _] => FunctionPresence::New,
        [_, None] => FunctionPresence::Vanished,
        _ => FunctionPresence::Both,
    };
    let [baseline, candidate] = pair.map(Option::unwrap_or_default);
    let is_both = presence == FunctionPresence::Both;
    let inlining = match (baseline.is_inlined, candidate.is_inlined) {
        (true, false) if is_both && !baseline.is_called => Some(InliningChange::NoLongerInlined),
        (false, true) if is_both && !candidate.is_called => Some(InliningChange::NowInlined),
        _ => None,
    };
    let pick = |of: fn(&FunctionCounts) -> f64| SideCounts {
        baseline: of(&baseline),
        candidate: of(&candidate),
    };
    let is_inlined = baseline.is_inlined || candidate.is_inlined;
    FunctionChange {
        function,
        presence,
        inlining,
        own: pick(|counts| counts.own),
        inclusive: pick(|counts| counts.inclusive),
        calls: (!is_inlined).then(|| pick(|counts| counts.calls)),
    }
}

/// The lines of both sides by function, text, and place among the lines of the same function with
/// the same text.
type LinePairs<'a> = BTreeMap<LineIdentity, [Option<(&'a LineKey, f64)>; 2]>;

/// Function, text, and place among the lines of the same function with the same text.
type LineIdentity = (String, String, usize);

/// Pairs the lines that only one side has if both sides have as many of them in a function: their
/// text was edited.
fn pair_edited_lines(pairs: &mut LinePairs<'_>) {
    let mut alone: BTreeMap<String, [Vec<(u32, LineIdentity)>; 2]> = BTreeMap::new();
    for (identity, pair) in &*pairs {
        let side = match pair {
            [Some((key, _)), None] => Some((0, key.line)),
            [None, Some((key, _))] => Some((1, key.line)),
            _ => None,
        };
        if let Some((side, line)) = side {
            alone.entry(identity.0.clone()).or_default()[side].push((line, identity.clone()));
        }
    }
    for mut sides in alone.into_values().filter(|sides| sides[0].len() == sides[1].len()) {
        for lines in &mut sides {
            lines.sort();
        }
        let [before, after] = sides;
        for ((_, old), (_, new)) in before.into_iter().zip(after) {
            if let Some([line, _]) = pairs.remove(&old)
                && let Some(pair) = pairs.get_mut(&new)
            {
                pair[0] = line;
            }
        }
    }
}

/// Sets the lines of both sides against each other. A change moves lines, so they are the same if
/// their function and their text are the same, in their order.
fn contrast_lines(
    sides: [&BTreeMap<LineKey, (f64, String)>; 2],
    apart: &BTreeSet<String>,
) -> Vec<LineChange> {
    let mut pairs: LinePairs<'_> = BTreeMap::new();
    for (at, side) in sides.into_iter().enumerate() {
        let mut seen: BTreeMap<(String, &str), usize> = BTreeMap::new();
        for (key, (own, text)) in side {
            let function = name_function(&key.function, apart);
            // Without its text, a line is known by its number alone.
            let (content, place) = match text.as_str() {
                "" => (String::new(), key.line as usize),
                text => {
                    let count = seen.entry((function.clone(), text)).or_default();
                    *count += 1;
                    (text.to_owned(), *count)
                }
            };
            pairs.entry((function, content, place)).or_default()[at] = Some((key, *own));
        }
    }
    pair_edited_lines(&mut pairs);
    let lines = pairs.into_iter().filter_map(|((function, text, _), pair)| {
        let (key, _) = pair[1].or(pair[0])?;
        let [baseline, candidate] = pair.map(|side| side.map_or(0.0, |(_, own)| own));
        Some(LineChange {
            file: key.file.clone(),
            line: key.line,
            is_in_candidate: pair[1].is_some(),
            is_in_repository: key.is_in_repository,
            text,
            function,
            own: SideCounts { baseline, candidate },
        })
    });
    merge_same_lines(lines)
}

/// Merges the rows of one source line. It has several if several functions contain it, such as the
/// instances of a generic function. The row names the one that added most.
fn merge_same_lines(lines: impl Iterator<Item = LineChange>) -> Vec<LineChange> {
    let mut merged: BTreeMap<(String, u32, bool), (f64, LineChange)> = BTreeMap::new();
    for line in lines {
        let place = (line.file.clone(), line.line, line.is_in_candidate);
        let added = line.own.added();
        match merged.entry(place) {
            Entry::Vacant(vacant) => {
                vacant.insert((added, line));
            }
            Entry::Occupied(mut occupied) => {
                let (most, row) = occupied.get_mut();
                row.own.baseline += line.own.baseline;
                row.own.candidate += line.own.candidate;
                if added > *most {
                    *most = added;
                    row.function = line.function;
                }
            }
        }
    }
    merged.into_values().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(own: f64) -> FunctionCounts {
        FunctionCounts { own, inclusive: own, calls: 1.0, is_inlined: false, is_called: true }
    }

    fn side(functions: &[(&str, &str, f64)]) -> AttributedCounts {
        let keyed = functions.iter().map(|&(path, arguments, own)| {
            let key = FunctionKey { path: path.to_owned(), arguments: arguments.to_owned() };
            (key, counts(own))
        });
        AttributedCounts {
            total: functions.iter().map(|&(.., own)| own).sum(),
            functions: keyed.collect(),
            ..Default::default()
        }
    }

    fn contrast(
        baseline: &[(&str, &str, f64)],
        candidate: &[(&str, &str, f64)],
        ratio: f64,
    ) -> Explanation {
        let ratio = Ratio::new(ratio).unwrap();
        let sides = [side(baseline), side(candidate)];
        contrast_sides(&sides, ExplainedScope::Call, ratio, HiddenEvents::default())
    }

    fn added(explanation: &Explanation) -> Vec<(&str, f64)> {
        let rows = explanation.functions.iter();
        rows.map(|change| (change.function.as_str(), change.own.added())).collect()
    }

    #[test]
    fn two_instances_of_a_generic_function_stay_apart() {
        let explanation = contrast(
            &[("sum", "<u32>", 100.0), ("sum", "<u64>", 100.0)],
            &[("sum", "<u32>", 100.0), ("sum", "<u64>", 160.0)],
            1.3,
        );
        assert_eq!(added(&explanation), [("sum<u64>", 60.0)]);
        // A single instance is the same function, whatever its argument.
        let explanation = contrast(&[("sum", "<u32>", 100.0)], &[("sum", "<u64>", 160.0)], 1.6);
        assert_eq!(added(&explanation), [("sum", 60.0)]);
    }

    #[test]
    fn time_without_instructions_is_not_explained_by_them() {
        let same = [("walk", "", 1000.0)];
        assert_eq!(contrast(&same, &same, 1.5).cause, ExplainedCause::NotInstructions);
        let more = [("walk", "", 1100.0)];
        assert_eq!(contrast(&same, &more, 1.5).cause, ExplainedCause::NotInstructions);
        assert_eq!(contrast(&same, &more, 1.12).cause, ExplainedCause::Instructions);
        assert_eq!(contrast(&more, &same, 1.12).cause, ExplainedCause::NotInstructions);
    }

    #[test]
    fn functions_that_grow_alike_are_no_cause_of_their_own() {
        let before = [("a", "", 100.0), ("b", "", 200.0), ("c", "", 300.0), ("d", "", 400.0)];
        let alike = [("a", "", 190.0), ("b", "", 410.0), ("c", "", 620.0), ("d", "", 790.0)];
        assert_eq!(contrast(&before, &alike, 2.0).cause, ExplainedCause::Everywhere);
        let one = [("a", "", 1100.0), ("b", "", 200.0), ("c", "", 300.0), ("d", "", 400.0)];
        assert_eq!(contrast(&before, &one, 2.0).cause, ExplainedCause::Instructions);
    }

    #[test]
    fn a_function_that_is_not_inlined_any_more_is_recognized() {
        let inlined = FunctionCounts { is_inlined: true, is_called: false, ..counts(80.0) };
        let change = contrast_function("small".to_owned(), [Some(inlined), Some(counts(120.0))]);
        assert_eq!(change.inlining, Some(InliningChange::NoLongerInlined));
        assert_eq!(change.calls, None);
        let change = contrast_function("small".to_owned(), [None, Some(counts(120.0))]);
        assert_eq!((change.presence, change.inlining), (FunctionPresence::New, None));
    }

    #[test]
    fn a_line_that_moved_is_the_same_line() {
        let function = FunctionKey { path: "walk".to_owned(), arguments: String::new() };
        let at = |line: u32, own: f64, text: &str| {
            let (function, file) = (function.clone(), "src/lib.rs".to_owned());
            (LineKey { function, file, line, is_in_repository: true }, (own, text.to_owned()))
        };
        let before = BTreeMap::from([at(10, 50.0, "step();"), at(11, 20.0, "more();")]);
        let after = BTreeMap::from([at(14, 90.0, "step();"), at(15, 20.0, "check();")]);
        let lines = contrast_lines([&before, &after], &BTreeSet::new());
        let rows = lines.iter().map(|line| (&*line.text, line.line, line.own.added()));
        // As many lines are gone as are new, so one became the other.
        assert_eq!(rows.collect::<Vec<_>>(), [("step();", 14, 40.0), ("check();", 15, 0.0)]);
        let after =
            BTreeMap::from([at(14, 90.0, "step();"), at(15, 20.0, "a();"), at(16, 9.0, "b();")]);
        let lines = contrast_lines([&before, &after], &BTreeSet::new());
        assert_eq!(
            lines.iter().map(|line| line.own.added()).collect::<Vec<_>>(),
            [-20.0, 40.0, 20.0, 9.0]
        );
    }

    #[test]
    fn a_line_of_two_instances_of_a_generic_function_is_in_the_table_once() {
        let at = |argument: &str, own: f64| {
            let function =
                FunctionKey { path: "sum".to_owned(), arguments: format!("<{argument}>") };
            let file = "src/lib.rs".to_owned();
            (
                LineKey { function, file, line: 7, is_in_repository: true },
                (own, "add();".to_owned()),
            )
        };
        let before = BTreeMap::from([at("u32", 50.0), at("u64", 50.0)]);
        let after = BTreeMap::from([at("u32", 60.0), at("u64", 90.0)]);
        let apart = BTreeSet::from(["sum".to_owned()]);
        let lines = contrast_lines([&before, &after], &apart);
        let rows = lines.iter().map(|line| (&*line.function, line.line, line.own.added()));
        assert_eq!(rows.collect::<Vec<_>>(), [("sum<u64>", 7, 50.0)]);
    }
}
