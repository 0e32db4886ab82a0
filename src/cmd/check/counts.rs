//! `--counts`: counts instructions as a second opinion on inconclusive benchmarks.

use anyhow::Result;

use super::super::pair::Pair;
use super::super::progress::ProgressOutput;
use super::super::{CommandError, gate, measure as measuring};
use super::CheckSession;
use crate::host::detect_program_version;
use crate::measure::MeasureSubject;
use crate::measure::criterion::{BuiltBenches, VALGRIND, count_instructions};
use crate::note::{CountObstacle, Note};
use crate::render::notes::describe_note;
use crate::verdict::{Change, Decision, InstructionCounts, Judgement};

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

    /// Counts the instructions per call of both sides for each inconclusive benchmark, and adds
    /// them to its judgement.
    ///
    /// The counts do not change the verdict, because more instructions do not always take more
    /// time. A benchmark that cannot be counted gets a reason instead. Fails if counting is
    /// interrupted or a process cannot be started.
    pub(super) fn add_counts(&self, pair: &Pair, decision: &mut Decision) -> Result<()> {
        if !self.args.counts {
            return Ok(());
        }
        let (MeasureSubject::Criterion(baseline), MeasureSubject::Criterion(candidate)) =
            (&pair.baseline, &pair.candidate)
        else {
            let note = "--counts counts Criterion benches, and these are commands";
            decision.warnings.push(note.to_owned());
            return Ok(());
        };
        let stages = ProgressOutput::new();
        let open = |judgement: &&mut Judgement| judgement.change == Change::Inconclusive;
        for judgement in decision.benchmarks.iter_mut().filter(open) {
            stages.print_line(&format!("counting the instructions of {}", judgement.id));
            match self.count_instructions(&[baseline, candidate], judgement)? {
                Ok(counted) => {
                    judgement.reasons.push(describe_counts(counted));
                    judgement.instructions = Some(counted);
                }
                Err(obstacle) => {
                    let note = Note::InstructionsNotCounted { obstacle };
                    judgement.reasons.push(describe_note(&note));
                }
            }
        }
        Ok(())
    }

    /// Counts the instructions per call of one benchmark on both sides.
    ///
    /// The inner `Err` is the obstacle if the benchmark cannot be counted.
    fn count_instructions(
        &self,
        sides: &[&BuiltBenches; 2],
        judgement: &Judgement,
    ) -> Result<Result<InstructionCounts, CountObstacle>> {
        let effort =
            measuring::to_effort(&gate::resolve_effort(&self.args.effort, &self.config.measure));
        let id = judgement.to_id();
        let Some(target) = &judgement.target else {
            return Ok(Err(CountObstacle::UnknownTarget));
        };
        let mut counted = [0.0; 2];
        for (count, side) in counted.iter_mut().zip(sides) {
            match count_instructions(side, target, &id, &effort, &self.interrupt)? {
                Ok(per_call) => *count = per_call,
                Err(obstacle) => return Ok(Err(obstacle)),
            }
        }
        Ok(Ok(InstructionCounts { baseline: counted[0], candidate: counted[1] }))
    }
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
