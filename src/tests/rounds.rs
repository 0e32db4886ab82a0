//! The failed benchmarks that a check in rounds reports.

use super::repositories::{Bed, benchmark};
use crate::git::CommitId;
use crate::note::FailureReason;
use crate::rounds::MeasuredRounds;
use crate::run::BenchmarkFailure;

#[test]
fn what_failed_on_the_base_alone_is_said_too() {
    let commit = CommitId::parse(&"a".repeat(40)).unwrap();
    let side = |failing: &[&str]| {
        let mut run = Bed::run(&commit, "2026-11-22T00:00:00Z", 1.0);
        run.benchmarks = ["both", "base", "none"].map(|id| benchmark(id, &[1.0])).to_vec();
        for one in run.benchmarks.iter_mut().filter(|one| failing.contains(&one.id.as_str())) {
            one.failure =
                Some(BenchmarkFailure { reason: FailureReason::Panicked, output: String::new() });
        }
        run
    };
    let (baseline, candidate) = (side(&["both", "base"]), side(&["both"]));
    let measured = MeasuredRounds {
        baseline,
        candidate,
        entered_count: 1,
        same_program: vec![],
        postponed: vec![],
        horizon: crate::run::LookHorizon::default(),
        is_budget_spent: false,
    };
    let failed: Vec<&str> = measured.list_failed().iter().map(|one| one.id.as_str()).collect();
    assert_eq!(failed, ["both", "base"]);
}
