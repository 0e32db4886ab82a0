//! Which benchmarks of a process share a start. All benchmarks of a start make the same number of
//! calls, so the faster ones would take too few, or the slower ones longer than they need to.

use std::time::Duration;

use super::{MeasureMode, PlannedBenchmark, START_NANOS};
use crate::measure::effort::is_too_long;

/// Raises the numbers of calls of `benchmarks`, which belong to one process, where another start
/// would take longer than the additional calls. A start takes `startup`, besides its benchmarks.
pub(super) fn share_starts(benchmarks: &mut [&mut PlannedBenchmark], startup: Duration) {
    // Plan: sort by the wanted number of calls. A start takes neighbours, all of which make the
    // largest number among them. `best[n]` is the least time of the first n benchmarks, and where
    // the last start begins in it.
    let start_nanos = START_NANOS + startup.as_secs_f64() * 1e9;
    let mut by_calls: Vec<(u32, &mut PlannedBenchmark)> = benchmarks
        .iter_mut()
        .filter_map(|planned| match planned.mode {
            MeasureMode::Call(calls) => Some((calls, &mut **planned)),
            MeasureMode::Batch => None,
        })
        .collect();
    by_calls.sort_by_key(|(calls, _)| *calls);
    let mut best: Vec<(f64, usize)> = vec![(0.0, 0)];
    for end in 0..by_calls.len() {
        let calls = by_calls[end].0;
        let (mut extra_nanos, mut least) = (0.0, (f64::INFINITY, end));
        for begin in (0..=end).rev() {
            let (wanted, planned) = &by_calls[begin];
            if calls > *wanted && is_too_long(calls, planned.cost) {
                break;
            }
            extra_nanos += f64::from(calls - wanted) * planned.cost.pace.max(planned.cost.call);
            let nanos = best[begin].0 + start_nanos + extra_nanos;
            if nanos < least.0 {
                least = (nanos, begin);
            }
        }
        best.push(least);
    }
    let mut end = by_calls.len();
    while end > 0 {
        let (begin, calls) = (best[end].1, by_calls[end - 1].0);
        for (_, planned) in &mut by_calls[begin..end] {
            planned.mode = MeasureMode::Call(calls);
        }
        end = begin;
    }
}
