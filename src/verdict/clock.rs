//! What the samples show about the clock that measured them, and what this means for a comparison.

use crate::compare::BenchmarkComparison;
use crate::note::Note;
use crate::policy::BenchmarkRules;
use crate::run::{Benchmark, Launch, LaunchData, Sampling};
use crate::stats::clock_step::find_clock_step;
use crate::stats::summary;
use crate::stats::test::t::TTest;
use crate::units::Nanos;

/// Largest step of the clock that allows a conclusion, as a share of the slowdown that must be found.
const MAX_STEP_SHARE: f64 = 0.5;

/// Largest standard error that a step of the clock causes. A log ratio that is known no better is not
/// known at all.
const MAX_ERROR_FLOOR: f64 = 10.0;

/// The step of a clock, in nanoseconds. Zero if the clock is taken to be exact.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ClockStep {
    /// The step of the times that the clock measured: of calls, or of whole batches.
    pub(super) per_time: f64,
    /// The step divided by the number of calls of a typical batch; the step itself where single
    /// calls are measured.
    pub(super) per_call: f64,
}

/// How well the clock resolves the calls of one benchmark.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ClockResolution {
    /// Least standard error of a log ratio: half a step of the clock on each side.
    error_floor: f64,
    /// Largest shift of a log ratio that rounding to the clock's step causes: half a step on each
    /// side.
    largest_rounding: f64,
    /// Why the clock allows no conclusion. `None` if it is fine enough.
    doubt: Option<Note>,
}

impl ClockResolution {
    /// Finds the step of the clock from the samples of both sides, and compares it with the medians.
    ///
    /// Both sides are assumed to have the same clock. Without launches on a side, the clock is taken
    /// to be fine enough.
    pub(super) fn from_comparison(
        comparison: &BenchmarkComparison<'_>,
        rules: &BenchmarkRules,
    ) -> Self {
        let sides = [comparison.baseline, comparison.candidate];
        let sides: Vec<&Benchmark> = sides.into_iter().flatten().collect();
        if sides.iter().any(|side| side.has_median_of_zero()) {
            return Self { doubt: Some(Note::SamplesOfZero), ..Self::default() };
        }
        let medians: Vec<f64> =
            sides.iter().filter_map(|side| side.compute_typical_median()).map(Nanos::get).collect();
        let smallest = medians.iter().copied().fold(f64::INFINITY, f64::min);
        let step = find_step(&sides).map(|step| step.per_call);
        let Some(step) = step.filter(|_| smallest.is_finite()) else {
            return Self::default();
        };
        let errors = medians.iter().map(|median| 0.5 * step / median);
        let error_floor = errors.clone().fold(0.0, f64::hypot).min(MAX_ERROR_FLOOR);
        let largest_rounding = errors.sum::<f64>().min(MAX_ERROR_FLOOR);
        let is_coarse = step > MAX_STEP_SHARE * rules.detect.get() * smallest;
        let doubt = is_coarse.then(|| note_coarse_clock(&sides, step, smallest));
        Self { error_floor, largest_rounding, doubt }
    }

    /// Returns `test` with a standard error of at least half a step of the clock on each side.
    ///
    /// The samples of all launches are rounded alike, so this error does not become smaller with
    /// more launches.
    pub(super) fn widen(&self, test: TTest) -> TTest {
        TTest { standard_error: test.standard_error.max(self.error_floor), ..test }
    }

    /// Returns the largest shift of a log ratio that the clock's rounding causes; zero for a fine
    /// clock.
    pub(super) fn largest_rounding(&self) -> f64 {
        self.largest_rounding
    }

    /// Returns why the clock allows no conclusion, or `None` if it is fine enough.
    pub(super) fn doubt(&self) -> Option<&Note> {
        self.doubt.as_ref()
    }
}

/// Returns the note that the clock is too coarse for samples whose median is `median` nanoseconds.
fn note_coarse_clock(sides: &[&Benchmark], step: f64, median: f64) -> Note {
    let digests = || sides.iter().flat_map(|side| side.digests());
    let smallest = digests().map(|digest| digest.min).min();
    let largest = digests().map(|digest| digest.max).max();
    match smallest {
        Some(value) if smallest == largest => Note::SamplesAlike { value },
        _ => Note::ClockTooCoarse { step: Nanos::saturate(step), median: Nanos::saturate(median) },
    }
}

/// Returns the step of the clock, or `None` if the samples show none.
fn find_step(sides: &[&Benchmark]) -> Option<ClockStep> {
    find_clock_step(&collect_clock_times(sides)).and_then(|step| divide_step(step, sides))
}

/// Returns the largest step that the clock of a benchmark may have, or `None` if the samples show no
/// step.
///
/// A time of zero is less than a step, and every other time is at least a step. So if the samples
/// show no step and one is zero, the step may be as large as the smallest other one. Times that are
/// all alike show no step: a source of such times need not be a clock.
pub(super) fn bound_step(benchmark: &Benchmark) -> Option<ClockStep> {
    let times = collect_clock_times(&[benchmark]);
    if times.first() == times.last() {
        return None;
    }
    let has_zero = times.first() == Some(&0.0);
    let smallest = || times.iter().copied().find(|time| *time > 0.0).filter(|_| has_zero);
    find_clock_step(&times).or_else(smallest).and_then(|step| divide_step(step, &[benchmark]))
}

/// Returns all times that the clock measured, in ascending order.
fn collect_clock_times(sides: &[&Benchmark]) -> Vec<f64> {
    let launches = sides.iter().flat_map(|side| &side.launches);
    let mut times: Vec<f64> = launches.flat_map(list_clock_times).collect();
    // The stable sort sees that the times of each launch are sorted already, and merges them.
    times.sort_by(f64::total_cmp);
    times
}

/// Returns a step of the times of a clock together with the step per call, or `None` if that is
/// infinite. The clock measures a batch as a whole, so its step counts once per batch.
fn divide_step(per_time: f64, sides: &[&Benchmark]) -> Option<ClockStep> {
    let mut calls: Vec<f64> = sides
        .iter()
        .filter(|side| side.sampling == Sampling::Batch)
        .flat_map(|side| &side.launches)
        .filter_map(Launch::list_batches)
        .flatten()
        .map(|batch| batch.calls)
        .collect();
    let per_call = per_time / summary::compute_median_in_place(&mut calls).unwrap_or(1.0);
    per_call.is_finite().then_some(ClockStep { per_time, per_call })
}

/// Returns the times that the clock measured in a launch: of batches if their numbers of calls are
/// known, else of samples. Of a digest only the smallest and the largest sample are times.
fn list_clock_times(launch: &Launch) -> Vec<f64> {
    match (&launch.data, launch.list_batches()) {
        (_, Some(batches)) => batches.iter().map(|batch| batch.time).collect(),
        (LaunchData::Samples(samples), None) => samples.sorted_nanos().to_vec(),
        (LaunchData::Digest(digest), None) => vec![digest.min.get(), digest.max.get()],
    }
}
