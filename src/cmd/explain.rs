//! `perfgate explain`: adds to a decision where the added instructions of its regressed benchmarks
//! are.

use std::path::Path;

use anyhow::Result;

use crate::cli::{EffortArgs, ExplainArgs, GateArgs, StoreArgs};
use crate::decision::Change;
use crate::note::{ExplainObstacle, Note};
use crate::render::notes::describe_note;
use crate::session::explanation::{VALGRIND_REMEDY, explain_decision};
use crate::session::output_files::write_decision_files;
use crate::session::recipe::RequestedSource;
use crate::session::settings::to_duration;
use crate::session::{
    CommandError, ExitStatus, Session, SessionRequest, print, read_decision_file,
};

/// Explains a decision, writes it with its explanations, and prints it. The exit status is 0,
/// whatever the verdict.
///
/// Fails if the decision cannot be read, if valgrind or a build is missing, or if an output cannot
/// be written.
pub(super) fn run_explain(args: &ExplainArgs) -> Result<ExitStatus> {
    let mut decision = read_decision_file(&args.decision)?;
    let session = Session::open(&SessionRequest {
        selection: &args.selection,
        effort: &EffortArgs::default(),
        gate: &GateArgs { config: args.config.clone(), ..GateArgs::default() },
        store: &StoreArgs::default(),
        source: RequestedSource::Configured,
        given_run: None,
    })?;
    if !decision.benchmarks.iter().any(|judgement| judgement.change == Change::Regressed) {
        print::print_note("nothing regressed, so there is nothing to explain");
        return Ok(ExitStatus::Pass);
    }
    match explain_decision(&session, &mut decision, to_duration(args.explain_budget))? {
        Ok(()) => {}
        Err(obstacle) => return Err(explain_obstacle(obstacle).into()),
    }
    let beside = args.decision.parent().unwrap_or(Path::new(""));
    write_decision_files(args.out.as_deref().unwrap_or(beside), &decision)?;
    print::print_decision(&decision, args.format)?;
    Ok(ExitStatus::Pass)
}

/// Returns the error for an obstacle, with its remedy.
fn explain_obstacle(obstacle: ExplainObstacle) -> CommandError {
    let message = describe_note(&Note::NothingExplained { obstacle: obstacle.clone() });
    match obstacle {
        ExplainObstacle::NoValgrind => {
            CommandError::new_unavailable(message).with_help(VALGRIND_REMEDY)
        }
        ExplainObstacle::NotCriterion => CommandError::new_unavailable(message),
        ExplainObstacle::NoCommits => CommandError::new_usage(message)
            .with_help("`perfgate check --baseline REVISION` compares two commits"),
        ExplainObstacle::OtherCommit { judged } => {
            CommandError::new_usage(message).with_help(format!("git checkout {judged}"))
        }
        ExplainObstacle::Failed { .. } => CommandError::new_failure(message),
    }
}
