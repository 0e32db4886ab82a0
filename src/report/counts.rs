//! How many benchmarks and targets have which outcome.

use serde::Serialize;

use crate::decision::{Change, Decision, Judgement, TargetStatus};
use crate::note::Note;

/// Numbers of benchmarks by change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ChangeCounts {
    /// All benchmarks.
    pub(crate) total: usize,
    /// Benchmarks that regressed without a waiver.
    pub(crate) regressed: usize,
    /// Benchmarks that are missing without a waiver.
    pub(crate) missing: usize,
    /// Benchmarks that could not be measured.
    pub(crate) failed: usize,
    /// Benchmarks whose change is inconclusive.
    pub(crate) inconclusive: usize,
    /// Benchmarks that improved.
    pub(crate) improved: usize,
    /// Benchmarks that regressed or are missing, with a waiver.
    pub(crate) accepted: usize,
    /// Benchmarks without a baseline.
    pub(crate) new: usize,
    /// Benchmarks without a slowdown of a size that matters.
    pub(crate) unchanged: usize,
}

/// Numbers of targets by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TargetCounts {
    /// All targets.
    pub(crate) total: usize,
    /// Targets that are met.
    pub(crate) met: usize,
    /// Targets that are missed.
    pub(crate) missed: usize,
    /// Targets that are unproven.
    pub(crate) unproven: usize,
}

impl ChangeCounts {
    /// Counts the changes of `judgements`, of one decision or of several.
    pub(crate) fn from_judgements<'a>(judgements: impl IntoIterator<Item = &'a Judgement>) -> Self {
        let mut counts = Self::default();
        for judgement in judgements {
            counts.total += 1;
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
    /// Counts the statuses of all targets and claims of one decision or of several. A target that
    /// matches no benchmark, of which there is a note, is unproven.
    pub(crate) fn from_decisions<'a>(
        decisions: impl Iterator<Item = &'a Decision> + Clone,
    ) -> Self {
        let mut counts = Self::default();
        for status in decisions.clone().flat_map(Decision::target_statuses) {
            counts.total += 1;
            *match status {
                TargetStatus::Met => &mut counts.met,
                TargetStatus::Missed => &mut counts.missed,
                TargetStatus::Unproven => &mut counts.unproven,
            } += 1;
        }
        let is_unmatched = |note: &&Note| matches!(note, Note::TargetMatchesNothing { .. });
        let notes = decisions.flat_map(|decision| &decision.notes);
        let unmatched = notes.filter(is_unmatched).count();
        counts.total += unmatched;
        counts.unproven += unmatched;
        counts
    }
}
