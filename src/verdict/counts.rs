//! Instruction counts as a second opinion. They do not change the verdict, because more
//! instructions do not always take more time.

use super::evidence::CountEvidence;
use super::{InstructionCounts, Judgement};

/// Adds the counts to the judgements that were counted, or why they could not be counted.
pub(super) fn apply_counts(judgements: &mut [Judgement], counts: &CountEvidence) {
    let CountEvidence::Counted(counts) = counts else { return };
    for judgement in judgements {
        match counts.get(&judgement.to_id()) {
            Some(Ok(counted)) => {
                judgement.reasons.push(describe_counts(*counted));
                judgement.instructions = Some(*counted);
            }
            Some(Err(why)) => judgement.reasons.push(format!("instructions not counted: {why}")),
            None => {}
        }
    }
}

/// Returns why nothing was counted, or `None` if something was or if nobody asked.
pub(super) fn explain_missing_counts(counts: &CountEvidence) -> Option<String> {
    let sentence = match counts {
        CountEvidence::WithoutRounds => "--counts counted nothing: there were no rounds",
        CountEvidence::NotCriterion => "--counts counts Criterion benches, and these are commands",
        CountEvidence::NotWanted | CountEvidence::Counted(_) => return None,
    };
    Some(sentence.to_owned())
}

fn describe_counts(counted: InstructionCounts) -> String {
    let InstructionCounts { baseline, candidate } = counted;
    format!(
        "a call takes {:.3} million instructions where the baseline takes {:.3} million ({:+.1} %): \
         callgrind's second opinion, no part of the verdict",
        candidate / 1e6,
        baseline / 1e6,
        (candidate / baseline - 1.0) * 100.0
    )
}
