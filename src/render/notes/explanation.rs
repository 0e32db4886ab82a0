//! Words for why instructions could not be counted or explained.

use super::describe_failure;
use crate::note::{CountObstacle, ExplainObstacle};

/// Returns the clause for why instructions could not be counted.
pub(super) fn describe_obstacle(obstacle: &CountObstacle) -> String {
    match obstacle {
        CountObstacle::UnknownTarget => "its bench target is not known".to_owned(),
        CountObstacle::NoSymbols => {
            "the program has no symbols of Criterion's `Bencher`, because it was stripped"
                .to_owned()
        }
        CountObstacle::NothingCounted => {
            "the thread that calls it runs no instructions of it".to_owned()
        }
        CountObstacle::BudgetSpent => "the time for counting is over".to_owned(),
        CountObstacle::SeveralCallsPerSample => "each sample has more than one call".to_owned(),
        CountObstacle::ProcessFailed { reason } => {
            format!("the process failed under callgrind: {}", describe_failure(reason))
        }
        CountObstacle::StartedByRunner { runner } => format!(
            "Cargo's configuration starts benches with `{runner}`, and callgrind counts only what \
             perfgate starts directly"
        ),
        CountObstacle::NoTotal => "callgrind wrote no total".to_owned(),
        CountObstacle::Interpreted { program } => format!(
            "`{program}` interprets it, and callgrind knows the functions of the interpreter, not \
             those of the script"
        ),
        CountObstacle::OtherCalls => {
            "the two commands make different numbers of calls and do not follow PERFGATE_CALLS"
                .to_owned()
        }
    }
}

/// Returns the clause for why no slowdown can be explained.
pub(super) fn describe_explain_obstacle(obstacle: &ExplainObstacle) -> String {
    match obstacle {
        ExplainObstacle::NoValgrind => "valgrind is not installed".to_owned(),
        ExplainObstacle::NoCommits => {
            "the decision does not name two commits of a repository".to_owned()
        }
        ExplainObstacle::OtherCommit { judged } => {
            format!("the decision is about {judged}, and another commit is checked out")
        }
        ExplainObstacle::NotCriterion => {
            "only benches of Criterion, and the two commands of a check with --explain, can be \
             explained"
                .to_owned()
        }
        ExplainObstacle::Failed { cause } => super::join_lines(cause),
    }
}
