//! The benchmarks that targets list, without measuring anything.

use crate::measure::MeasureError;
use crate::measure::criterion::output::BenchListing;
use crate::measure::criterion::{BenchTarget, BuiltBenches, is_cut_title};
use crate::measure::effort::Effort;
use crate::note::Note;
use crate::process::{self, Interrupt, OutputStream, ProcessError, StderrTarget};
use crate::run::BenchmarkFailure;
use crate::selection::Selection;

/// Benchmarks that were not started yet, each with the titles it may have.
pub(super) type PendingTitles = Vec<Vec<String>>;
/// Returns the ids of all selected benchmarks, in the order in which the targets list them, and the
/// notes on the targets. Nothing is measured.
///
/// # Errors
///
/// Fails if a process cannot be started or perfgate was asked to end.
pub(crate) fn list_benchmark_ids(
    built: &BuiltBenches,
    selection: &Selection,
    effort: &Effort,
    interrupt: &Interrupt,
) -> Result<(Vec<String>, Vec<Note>), MeasureError> {
    let listed = list_targets(built, effort, interrupt)?;
    let mut notes = built.notes.clone();
    notes.extend(note_unlisted(built, &listed));
    for (target, listing) in built.targets.iter().zip(&listed) {
        if listing.failure.is_none() && listing.benchmarks.is_empty() {
            notes.push(target.note_empty());
        }
    }
    let selected = listed.iter().flat_map(|listing| listing.select(selection));
    let ids: Vec<String> = selected.map(pick_name).collect();
    if ids.is_empty() && !selection.selects_all() {
        notes.extend(describe_nothing_selected(selection, &listed));
    }
    Ok((ids, notes))
}
/// The benchmarks that a target lists.
pub(super) struct TargetListing {
    pub(super) benchmarks: PendingTitles,
    /// Why the listing may be incomplete; `None` if it is complete.
    pub(super) failure: Option<BenchmarkFailure>,
}

impl TargetListing {
    /// Returns whether the listing is complete and has no benchmark left.
    pub(super) fn is_finished(&self) -> bool {
        self.benchmarks.is_empty() && self.failure.is_none()
    }

    /// Returns the benchmarks that may be selected. The id of a cut title is not known.
    pub(super) fn select(&self, selection: &Selection) -> PendingTitles {
        let may_be_selected = |titles: &&Vec<String>| {
            titles.iter().any(|title| is_cut_title(title) || selection.selects(title))
        };
        self.benchmarks.iter().filter(may_be_selected).cloned().collect()
    }
}

pub(super) fn list_targets(
    built: &BuiltBenches,
    effort: &Effort,
    interrupt: &Interrupt,
) -> Result<Vec<TargetListing>, ProcessError> {
    built.targets.iter().map(|target| target.list_benchmarks(effort, interrupt)).collect()
}

/// Returns a note for each target that failed before it listed its benchmarks.
pub(super) fn note_unlisted<'a>(
    built: &'a BuiltBenches,
    listed: &'a [TargetListing],
) -> impl Iterator<Item = Note> {
    let failed = built.targets.iter().zip(listed);
    failed.filter_map(|(target, listing)| {
        let failure = listing.failure.as_ref()?;
        Some(Note::BenchNotListed {
            bench: target.name.clone(),
            package: target.package.clone(),
            reason: failure.reason.clone(),
            message: Some(failure.last_message()).filter(|message| !message.is_empty()),
        })
    })
}

/// Returns a note that the patterns select nothing. Returns `None` if a target failed before it
/// listed its benchmarks, which may be those that the patterns mean.
pub(super) fn describe_nothing_selected(
    selection: &Selection,
    listed: &[TargetListing],
) -> Option<Note> {
    if listed.iter().any(|listing| listing.failure.is_some()) {
        return None;
    }
    let ids = listed.iter().flat_map(|listing| &listing.benchmarks);
    let ids = ids.filter_map(|titles| titles.first()).map(String::as_str);
    Some(Note::NothingSelected { nearest: selection.find_nearest_ids(ids) })
}

/// Returns the first title of a benchmark, which is the shortest.
pub(super) fn pick_name(titles: Vec<String>) -> String {
    titles.into_iter().next().unwrap_or_default()
}
impl BenchTarget {
    pub(super) fn note_empty(&self) -> Note {
        Note::BenchEmpty { bench: self.name.clone(), package: self.package.clone() }
    }

    /// Lists all benchmarks of the target, each with the titles it may have.
    pub(super) fn list_benchmarks(
        &self,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<TargetListing, ProcessError> {
        let folder = interrupt.create_temporary_folder()?;
        let mut command = self.build_command(folder.path());
        command.args(["--bench", "--list"]);
        let mut listing = BenchListing::default();
        let stderr = StderrTarget::Lines;
        let ended = process::run_process(&mut command, stderr, effort.timeout, interrupt, |line| {
            if line.stream == OutputStream::Stdout {
                listing.take_line(&String::from_utf8_lossy(line.bytes));
            }
            line.stream == OutputStream::Stderr
        })
        .map_err(|error| self.explain_start_error(error))?;
        let failure = ended.to_failure(effort.timeout);
        Ok(TargetListing { benchmarks: listing.benchmarks, failure })
    }
}
