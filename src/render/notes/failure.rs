//! The words of failure reasons.

use super::values::join_lines;
use crate::note::FailureReason;
use crate::render::numbers::format_duration_tick;

/// Returns the clause that names `reason`.
pub(crate) fn describe_failure(reason: &FailureReason) -> String {
    match reason {
        FailureReason::Reported { sentence } => sentence.clone(),
        FailureReason::Panicked => "panicked".to_owned(),
        FailureReason::TimedOut { limit } => {
            format!("timed out after {}", format_duration_tick(limit.get()))
        }
        FailureReason::Exited { status } => format!("exited with status {status}"),
        FailureReason::Killed { signal } => format!("killed by signal {signal}"),
        FailureReason::EndedUnknown => "ended in an unknown way".to_owned(),
        FailureReason::ListedNotRun => "listed but not run".to_owned(),
        FailureReason::NoSamplesWritten => "wrote no samples".to_owned(),
        FailureReason::WrittenElsewhere => {
            "ran, but wrote no results to the folder that Criterion gets \
                                            (`CRITERION_HOME`): does the bench set \
                                            `output_directory`?"
                .to_owned()
        }
        FailureReason::NoSamplesPrinted => "printed no samples".to_owned(),
        FailureReason::EmptySamples => "was printed without samples".to_owned(),
        FailureReason::PrintedTwice => "was printed twice in one launch".to_owned(),
        FailureReason::InvalidSample { cause } => {
            format!("printed an invalid time: {}", join_lines(cause))
        }
        FailureReason::InvalidLine { line, cause } => {
            format!("line {line} does not contain samples: {}", join_lines(cause))
        }
        FailureReason::InvalidResult { cause } => {
            format!("Criterion's results cannot be used: {}", join_lines(cause))
        }
        FailureReason::UnreadableOutput { adapter, cause } => {
            format!("its output cannot be read as that of {adapter}: {}", join_lines(cause))
        }
        FailureReason::RepeatedId { bench, count } => {
            format!("bench `{bench}` has {count} benchmarks with this id")
        }
        FailureReason::SharedId { benches } => {
            format!("benches `{}` have a benchmark with this id", benches.join("` and `"))
        }
    }
}

/// Returns the clause that names `reason`, with the error message of the process if it printed one.
pub(super) fn describe_setup_failure(reason: &FailureReason, message: &str) -> String {
    match message {
        "" => describe_failure(reason),
        message => format!("{}: {message}", describe_failure(reason)),
    }
}
