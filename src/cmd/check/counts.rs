//! `--counts`: counts instructions as a second opinion on inconclusive benchmarks.

use std::collections::BTreeMap;

use anyhow::Result;

use super::CheckSession;
use crate::host::detect_program_version;
use crate::measure::MeasureSubject;
use crate::measure::criterion::{BuiltBenches, VALGRIND, count_instructions};
use crate::session::CommandError;
use crate::session::pair::Pair;
use crate::session::progress::ProgressOutput;
use crate::verdict::{Change, CountEvidence, Decision, InstructionCounts, Judgement};

impl CheckSession<'_> {
    /// Fails before anything is measured if `--counts` is given and valgrind is not installed.
    pub(super) fn require_counts(&self) -> Result<()> {
        if self.args.counts && detect_program_version(VALGRIND).is_none() {
            let help = "install it, for example: sudo apt install valgrind";
            return Err(CommandError::new_unavailable("--counts needs valgrind")
                .with_help(help)
                .into());
        }
        Ok(())
    }

    /// Counts the instructions per call of both sides for each benchmark that `decision` leaves
    /// inconclusive. `pair` is `None` if there were no rounds.
    ///
    /// Fails if counting is interrupted or a process cannot be started.
    pub(super) fn count_inconclusive(
        &self,
        pair: Option<&Pair>,
        decision: &Decision,
    ) -> Result<CountEvidence> {
        let Some(pair) = pair else { return Ok(CountEvidence::WithoutRounds) };
        let (MeasureSubject::Criterion(baseline), MeasureSubject::Criterion(candidate)) =
            (&pair.baseline, &pair.candidate)
        else {
            return Ok(CountEvidence::NotCriterion);
        };
        let stages = ProgressOutput::new();
        let is_open = |judgement: &&Judgement| judgement.change == Change::Inconclusive;
        let mut counts = BTreeMap::new();
        for judgement in decision.benchmarks.iter().filter(is_open) {
            stages.print_line(&format!("counting the instructions of {}", judgement.id));
            let counted = self.count_instructions(&[baseline, candidate], judgement)?;
            counts.insert(judgement.to_id(), counted);
        }
        Ok(CountEvidence::Counted(counts))
    }

    /// Counts the instructions per call of one benchmark on both sides.
    ///
    /// The inner `Err` says why the benchmark cannot be counted.
    fn count_instructions(
        &self,
        sides: &[&BuiltBenches; 2],
        judgement: &Judgement,
    ) -> Result<Result<InstructionCounts, String>> {
        let id = judgement.to_id();
        let Some(target) = &judgement.target else {
            return Ok(Err("its bench is not known".into()));
        };
        let mut counted = [0.0; 2];
        for (count, side) in counted.iter_mut().zip(sides) {
            match count_instructions(side, target, &id, &self.effort.effort, &self.interrupt)? {
                Ok(per_call) => *count = per_call,
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(InstructionCounts { baseline: counted[0], candidate: counted[1] }))
    }
}
