//! Failures that are no fault of the change: what a benchmark needs is not in the checkouts.

use super::evidence::{Evidence, RoundsEvidence};
use crate::compare::BenchmarkComparison;
use crate::note::{FailureReason, Note};
use crate::run::{Benchmark, Run, SampleSource};

/// Returns the note that a benchmark failed in rounds because of its surroundings: it was measured
/// in the working tree, or it failed in the same way on both sides. Returns `None` otherwise.
///
/// Commands are launched in the working tree on both sides, so their failures are their own.
pub(super) fn find_setup_failure(
    comparison: &BenchmarkComparison<'_>,
    evidence: &Evidence<'_>,
) -> Option<Note> {
    let rounds = evidence.rounds?;
    let candidate = comparison.candidate?;
    let failure = candidate.failure.as_ref()?;
    if rounds.candidate.source != SampleSource::Criterion || !has_failed_in(rounds, candidate) {
        return None;
    }
    let (reason, message) = (failure.reason.clone(), failure.last_message());
    if find_benchmark(evidence.candidate, candidate).is_some_and(|own| own.failure.is_none()) {
        return Some(Note::FailedInCheckout { reason, message });
    }
    let baseline = comparison.baseline?.failure.as_ref()?;
    (baseline.reason == reason && is_of_process(&reason))
        .then_some(Note::FailedOnBothSides { reason, message })
}

/// Returns whether `benchmark` failed on the candidate's side of the rounds.
fn has_failed_in(rounds: RoundsEvidence<'_>, benchmark: &Benchmark) -> bool {
    find_benchmark(rounds.candidate, benchmark).is_some_and(|own| own.failure.is_some())
}

fn find_benchmark<'a>(run: &'a Run, benchmark: &Benchmark) -> Option<&'a Benchmark> {
    let is_same = |own: &&Benchmark| own.id == benchmark.id && own.package == benchmark.package;
    run.benchmarks.iter().find(is_same)
}

/// Returns whether the process of the benchmark ended badly, which what it finds around it can
/// cause. Other reasons are mistakes in the bench itself.
fn is_of_process(reason: &FailureReason) -> bool {
    match reason {
        FailureReason::Panicked
        | FailureReason::TimedOut { .. }
        | FailureReason::Exited { .. }
        | FailureReason::Killed { .. }
        | FailureReason::EndedUnknown
        | FailureReason::NoSamplesWritten => true,
        FailureReason::Reported { .. }
        | FailureReason::ListedNotRun
        | FailureReason::WrittenElsewhere
        | FailureReason::NoSamplesPrinted
        | FailureReason::EmptySamples
        | FailureReason::PrintedTwice
        | FailureReason::InvalidSample { .. }
        | FailureReason::InvalidLine { .. }
        | FailureReason::InvalidResult { .. }
        | FailureReason::UnreadableOutput { .. }
        | FailureReason::RepeatedId { .. }
        | FailureReason::SharedId { .. } => false,
    }
}
