//! `--counts`: counts instructions as a second opinion on inconclusive benchmarks.

use std::collections::BTreeMap;

use anyhow::Result;

use super::confirm::PairRounds;
use super::inputs::CheckInputs;
use crate::cli::CheckArgs;
use crate::decision::{Change, InstructionCounts, Judgement};
use crate::host::detect_program_version;
use crate::measure::MeasureSubject;
use crate::measure::criterion::{BuiltBenches, CountDetail, CountRequest, VALGRIND, profile_calls};
use crate::note::CountObstacle;
use crate::session::CommandError;
use crate::session::explanation::VALGRIND_REMEDY;
use crate::session::progress::ProgressOutput;
use crate::verdict::{CountEvidence, Evidence, decide};

/// Fails before anything is measured if `--counts` is given and valgrind is not installed.
pub(super) fn require_valgrind(args: &CheckArgs) -> Result<()> {
    if args.counts && detect_program_version(VALGRIND).is_none() {
        return Err(CommandError::new_unavailable("--counts needs valgrind")
            .with_help(VALGRIND_REMEDY)
            .into());
    }
    Ok(())
}

/// With `--counts`, counts the instructions per call of both sides for each benchmark that is
/// inconclusive by `evidence`. `rounds` is `None` if there were none.
///
/// Fails if counting is interrupted or a process cannot be started.
pub(super) fn second_opinion(
    check: &CheckInputs<'_>,
    evidence: &Evidence<'_>,
    rounds: Option<&PairRounds>,
) -> Result<CountEvidence> {
    // Only benches of Criterion that were measured in rounds can be counted on both sides. Decide
    // once without counts to find out which benchmarks need them.
    if !check.args.counts {
        return Ok(CountEvidence::NotWanted);
    }
    let Some(PairRounds { pair, .. }) = rounds else { return Ok(CountEvidence::WithoutRounds) };
    let (MeasureSubject::Criterion(baseline), MeasureSubject::Criterion(candidate)) =
        (&pair.baseline, &pair.candidate)
    else {
        return Ok(CountEvidence::NotCriterion);
    };
    let decision = decide(evidence, &check.session.policy);
    let stages = ProgressOutput::new();
    let mut open = decision.benchmarks;
    open.retain(|judgement| judgement.change == Change::Inconclusive);
    let mut counts = BTreeMap::new();
    for judgement in &open {
        stages.print_line(&format!("counting the instructions of {}", judgement.id));
        let counted = count_both_sides(check, &[baseline, candidate], judgement)?;
        counts.insert(judgement.to_id(), counted);
    }
    Ok(CountEvidence::Counted(counts))
}

/// Counts the instructions per call of one benchmark on both sides.
///
/// The inner `Err` is the obstacle if the benchmark cannot be counted.
fn count_both_sides(
    check: &CheckInputs<'_>,
    sides: &[&BuiltBenches; 2],
    judgement: &Judgement,
) -> Result<Result<InstructionCounts, CountObstacle>> {
    let session = &check.session;
    let id = judgement.to_id();
    let Some(target) = &judgement.target else {
        return Ok(Err(CountObstacle::UnknownTarget));
    };
    let mut counted = [0.0; 2];
    for (count, side) in counted.iter_mut().zip(sides) {
        let request = CountRequest {
            built: side,
            target,
            id: &id,
            detail: CountDetail::Instructions,
            effort: &session.effort.effort,
            deadline: None,
            interrupt: &session.interrupt,
        };
        match profile_calls(&request)? {
            Ok(profile) => *count = profile.count_instructions(),
            Err(obstacle) => return Ok(Err(obstacle)),
        }
    }
    Ok(Ok(InstructionCounts { baseline: counted[0], candidate: counted[1] }))
}
