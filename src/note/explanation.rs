//! Why the instructions of benchmarks could not be counted or explained, as values.

use serde::{Deserialize, Serialize};

use super::FailureReason;

/// Why the instructions of a benchmark could not be counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "obstacle", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum CountObstacle {
    /// The bench target of the benchmark is not known or was not built.
    UnknownTarget,
    /// The symbols that name the functions of the program were stripped.
    NoSymbols,
    /// The thread that calls the benchmark runs no instruction of it.
    NothingCounted,
    /// The time for counting is over.
    BudgetSpent,
    /// A sample is more than one call.
    SeveralCallsPerSample,
    /// The process under callgrind failed.
    ProcessFailed {
        /// Why it failed.
        reason: FailureReason,
    },
    /// Benches are started through a program that callgrind cannot follow.
    StartedByRunner {
        /// The program and its arguments.
        runner: String,
    },
    /// callgrind wrote no total.
    NoTotal,
    /// An interpreter runs the benchmark, whose functions are not those of the script.
    Interpreted {
        /// File name of the interpreter or of its library.
        program: String,
    },
    /// The two commands make different numbers of calls, and not those that they are asked for.
    OtherCalls,
}

/// Why no regression of a decision can be explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "obstacle", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum ExplainObstacle {
    /// valgrind is not installed.
    NoValgrind,
    /// The decision names no commit of the baseline or of the candidate, or there is no repository.
    NoCommits,
    /// Another commit is checked out than the one that was judged.
    OtherCommit {
        /// Abbreviated id of the judged commit.
        judged: String,
    },
    /// What was measured is neither a bench of Criterion nor, in a check, a pair of commands.
    NotCriterion,
    /// A side could not be built with line tables, or counting failed.
    Failed {
        /// The error.
        cause: String,
    },
}
