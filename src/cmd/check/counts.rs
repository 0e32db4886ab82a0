//! `--counts`: instructions as a second witness where the times cannot tell.

use anyhow::Result;

use super::super::pair::Pair;
use super::super::progress::Stages;
use super::super::{Refusal, gate, measure as measuring};
use super::Check;
use crate::host::version_of;
use crate::measure::Subject;
use crate::measure::criterion::{Built, VALGRIND, instructions};
use crate::verdict::{Change, Decision, Instructions, Judgement};

impl Check<'_> {
    /// Refuses `--counts` before anything is measured where nothing can count.
    pub(super) fn require_counts(&self) -> Result<()> {
        if self.args.counts && version_of(VALGRIND).is_none() {
            let help = "install it, for example: sudo apt install valgrind";
            return Err(Refusal::unavailable("--counts needs valgrind").help(help).into());
        }
        Ok(())
    }

    /// Counts the instructions of a call on both sides of what is inconclusive, and says them beside it.
    /// They change no answer: more instructions are not always more time.
    pub(super) fn add_counts(&self, pair: &Pair, decision: &mut Decision) -> Result<()> {
        if !self.args.counts {
            return Ok(());
        }
        let (Subject::Criterion(baseline), Subject::Criterion(candidate)) =
            (&pair.baseline, &pair.candidate)
        else {
            let note = "--counts counts Criterion benches, and these are commands";
            decision.warnings.push(note.to_owned());
            return Ok(());
        };
        let stages = Stages::new();
        let open = |judgement: &&mut Judgement| judgement.change == Change::Inconclusive;
        for judgement in decision.benchmarks.iter_mut().filter(open) {
            stages.say(&format!("counting the instructions of {}", judgement.id));
            match self.count(&[baseline, candidate], judgement)? {
                Ok(counted) => {
                    judgement.reasons.push(said(counted));
                    judgement.instructions = Some(counted);
                }
                Err(why) => judgement.reasons.push(format!("instructions not counted: {why}")),
            }
        }
        Ok(())
    }

    fn count(
        &self,
        sides: &[&Built; 2],
        judgement: &Judgement,
    ) -> Result<Result<Instructions, String>> {
        let effort = measuring::settled(&gate::effort(&self.args.effort, &self.config.measure));
        let id = judgement.identity();
        let Some(target) = &judgement.target else {
            return Ok(Err("its bench is not known".into()));
        };
        let mut counted = [0.0; 2];
        for (count, side) in counted.iter_mut().zip(sides) {
            match instructions(side, target, &id, &effort, &self.interrupt)? {
                Ok(a_call) => *count = a_call,
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(Instructions { baseline: counted[0], candidate: counted[1] }))
    }
}

fn said(counted: Instructions) -> String {
    let Instructions { baseline, candidate } = counted;
    format!(
        "a call takes {:.3} million instructions where the baseline takes {:.3} million ({:+.1} %): \
         callgrind's second opinion, no part of the verdict",
        candidate / 1e6,
        baseline / 1e6,
        (candidate / baseline - 1.0) * 100.0
    )
}
