//! A soak: how latency and memory grow while a service is under load, as metrics of the launch.

use std::collections::BTreeMap;

use super::ObservedBenchmarks;
use crate::note::{CourseFinding, Note};
use crate::run::DROPPED_METRIC;
use crate::stats::growth::{LevelGrowth, estimate_growth};
use crate::stats::summary::compute_median_in_place;
use crate::units::{Nanos, Ratio};

/// Confidence of the intervals of a growth.
const GROWTH_CONFIDENCE: f64 = 0.99;
/// Names of the metrics of latency at the end ÷ at the beginning: lower end, estimate, upper end.
const LATENCY_METRICS: [&str; 3] =
    ["latency_slope_low_ratio", "latency_slope_ratio", "latency_slope_high_ratio"];
/// Names of the metrics of the growth of memory: lower end, estimate, upper end.
const MEMORY_METRICS: [&str; 3] =
    ["rss_slope_low_bytes", "rss_slope_bytes", "rss_slope_high_bytes"];

/// Adds how much the latency of calls grew over the launch. `starts` has the second at which each
/// call began, on any clock. Adds nothing if the launch is too short, or if a time is zero.
pub(super) fn add_latency_growth(
    metrics: &mut BTreeMap<String, f64>,
    starts: &[f64],
    calls: &[Nanos],
) {
    let logarithms = calls.iter().map(|call| call.get().ln());
    let points: Vec<(f64, f64)> = starts.iter().copied().zip(logarithms).collect();
    let Some(growth) = estimate_growth(&points, GROWTH_CONFIDENCE) else { return };
    let LevelGrowth { low, point, high } = growth;
    let ratios = [low, point, high].map(|growth| Ratio::from_ln(growth).get());
    metrics.extend(LATENCY_METRICS.map(str::to_owned).into_iter().zip(ratios));
}

/// Adds how much the resident memory of the service grew over the launch, to all its benchmarks.
/// `course` has times in seconds and bytes. A memory that shrinks has no growth.
pub(super) fn add_memory_growth(observed: &mut ObservedBenchmarks, course: &[(f64, f64)]) {
    let mut sizes: Vec<f64> = course.iter().map(|(_, bytes)| *bytes).collect();
    let Some(level) = compute_median_in_place(&mut sizes).filter(|level| *level > 0.0) else {
        return;
    };
    let points: Vec<(f64, f64)> =
        course.iter().map(|(time, bytes)| (*time, bytes / level)).collect();
    let Some(growth) = estimate_growth(&points, GROWTH_CONFIDENCE) else { return };
    let LevelGrowth { low, point, high } = growth;
    let bytes = [low, point, high].map(|growth| (growth * level).max(0.0));
    for observation in observed.iter_mut().filter_map(|(_, observed)| observed.as_mut().ok()) {
        observation.metrics.extend(MEMORY_METRICS.map(str::to_owned).into_iter().zip(bytes));
    }
}

/// Returns a note for each growth that is certain, and for requests that were dropped.
pub(crate) fn list_course_notes(observed: &ObservedBenchmarks) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    let mut add = |finding: CourseFinding| {
        let note = Note::Course { finding };
        if !notes.contains(&note) {
            notes.push(note);
        }
    };
    for (id, observation) in observed {
        let Ok(observation) = observation else { continue };
        let benchmark = || id.name.clone();
        let find = |names: [&str; 3]| {
            let [low, point, high] = names.map(|name| observation.metrics.get(name).copied());
            Some([low?, point?, high?])
        };
        if let Some(ratios @ [low, ..]) = find(LATENCY_METRICS)
            && low > 1.0
            && let [Ok(low), Ok(point), Ok(high)] = ratios.map(Ratio::new)
        {
            add(CourseFinding::LatencyGrew { benchmark: benchmark(), low, point, high });
        }
        if let Some([low, point, high]) = find(MEMORY_METRICS)
            && low > 0.0
        {
            add(CourseFinding::MemoryGrew { low, point, high });
        }
        let dropped = observation.metrics.get(DROPPED_METRIC).filter(|count| **count > 0.0);
        if let Some(count) = dropped {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count, and the cast saturates"
            )]
            let dropped = *count as u64;
            add(CourseFinding::RequestsDropped { benchmark: benchmark(), dropped });
        }
    }
    notes
}
