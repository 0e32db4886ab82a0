//! What the change did to the benchmark itself, so that the two sides may measure different things.

use std::collections::BTreeMap;

use super::evidence::EditedBenches;
use crate::compare::BenchmarkComparison;
use crate::note::Note;
use crate::run::Benchmark;

/// Returns a note if the change edits the source of the bench, and one for each amount of work per
/// call that the sides declare differently. Returns none unless both sides have the benchmark.
pub(super) fn list_bench_changes(
    comparison: &BenchmarkComparison<'_>,
    edited: &EditedBenches,
) -> Vec<Note> {
    let Some((baseline, candidate)) = comparison.baseline.zip(comparison.candidate) else {
        return Vec::new();
    };
    let target = candidate.package.clone().zip(candidate.target.clone());
    let files = target.and_then(|target| edited.get(&target));
    let edit = files.map(|files| Note::BenchEdited { files: files.clone() });
    edit.into_iter().chain(list_work_changes(baseline, candidate)).collect()
}

fn list_work_changes(baseline: &Benchmark, candidate: &Benchmark) -> Vec<Note> {
    let sides = [baseline, candidate].map(Benchmark::collect_amounts);
    if sides[0] == sides[1] {
        return Vec::new();
    }
    let mut units: Vec<&String> = sides.iter().flat_map(BTreeMap::keys).collect();
    units.sort();
    units.dedup();
    let amounts = units.into_iter().map(|unit| {
        let [baseline, candidate] = sides.each_ref().map(|side| side.get(unit).copied());
        (unit, baseline, candidate)
    });
    amounts
        .filter(|(_, baseline, candidate)| baseline != candidate)
        .map(|(unit, baseline, candidate)| Note::WorkChanged {
            unit: unit.clone(),
            baseline,
            candidate,
        })
        .collect()
}
