//! Instruction counts as a second opinion. They do not change the verdict, because more
//! instructions do not always take more time.

use super::evidence::CountEvidence;
use crate::decision::{InstructionCounts, Judgement};
use crate::note::Note;

/// Adds the counts to the judgements that were counted, or why they could not be counted.
pub(super) fn apply_counts(judgements: &mut [Judgement], counts: &CountEvidence) {
    let CountEvidence::Counted(counts) = counts else { return };
    for judgement in judgements {
        match counts.get(&judgement.to_id()) {
            Some(Ok(counted)) => {
                let InstructionCounts { baseline, candidate } = *counted;
                judgement.notes.push(Note::InstructionsCounted { baseline, candidate });
                judgement.instructions = Some(*counted);
            }
            Some(Err(obstacle)) => {
                let obstacle = obstacle.clone();
                judgement.notes.push(Note::InstructionsNotCounted { obstacle });
            }
            None => {}
        }
    }
}

/// Returns why nothing was counted, or `None` if something was or if nobody asked.
pub(super) fn explain_missing_counts(counts: &CountEvidence) -> Option<Note> {
    match counts {
        CountEvidence::WithoutRounds => Some(Note::CountsWithoutRounds),
        CountEvidence::NotCriterion => Some(Note::CountsNeedCriterion),
        CountEvidence::NotWanted | CountEvidence::Counted(_) => None,
    }
}
