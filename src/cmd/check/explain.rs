//! `--explain`: explains the regressions of the decision that was made.

use anyhow::Result;

use super::inputs::{BaselineChoice, CheckInputs};
use crate::decision::Decision;
use crate::measure::command::SampleCommand;
use crate::note::{ExplainObstacle, Note};
use crate::session::explanation::{explain_commands, explain_decision};
use crate::session::output_files::write_decision_files;
use crate::session::settings::to_duration;

/// With `--explain`, adds to `decision` where the added instructions of its regressed benchmarks
/// are, or a note why nothing can be explained.
///
/// Fails if the decision cannot be written, or if a signal interrupts it.
pub(super) fn explain_if_wanted(check: &CheckInputs<'_>, decision: &mut Decision) -> Result<()> {
    if !check.args.explain {
        return Ok(());
    }
    // It takes a while, and what is decided must not be lost if perfgate is killed meanwhile.
    write_decision_files(&check.args.out, decision)?;
    let budget = to_duration(check.args.explain_budget);
    let explained = match &check.choice {
        BaselineChoice::Commands(baseline, candidate) => {
            let commands = [baseline, candidate].map(|text| SampleCommand::new(text.clone()));
            explain_commands(&check.session, commands.each_ref(), decision, budget)
        }
        _ => explain_decision(&check.session, decision, budget),
    };
    let obstacle = match explained {
        Ok(explained) => explained.err(),
        Err(error) if !check.session.interrupt.is_raised() => {
            Some(ExplainObstacle::Failed { cause: format!("{error:#}") })
        }
        Err(error) => return Err(error),
    };
    decision.notes.extend(obstacle.map(|obstacle| Note::NothingExplained { obstacle }));
    Ok(())
}
