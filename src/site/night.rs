//! A run reduced to the figures that the pages need, small enough to be cached next to them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::compare::{Estimate, HistogramAxis, SideFigures};
use crate::host::Host;
use crate::note::{FailureReason, Note};
use crate::policy::Metric;
use crate::run::{Benchmark, BenchmarkId, MeasuredCommit, Run, Sampling};
use crate::stats::summary::compute_median_in_place;
use crate::units::Confidence;

/// The metrics on the pages, in the order of [`NightCell::figures`].
pub(crate) const SHOWN_METRICS: [Metric; 4] = [Metric::P50, Metric::P95, Metric::P99, Metric::Mean];

/// One run of the history, reduced to figures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Night {
    /// Id of the run, which names its page: 12 hexadecimal digits.
    pub(crate) id: String,
    /// Time when the measurement began.
    pub(crate) created: Timestamp,
    /// The measured commit; `None` if unknown.
    pub(crate) commit: Option<MeasuredCommit>,
    /// The machine that measured the run.
    pub(crate) host: Host,
    /// Whether the run was measured to its end.
    pub(crate) complete: bool,
    /// Problems and surprises during the measurement.
    pub(crate) notes: Vec<Note>,
    /// The command that repeats the measurement; `None` if unknown.
    pub(crate) command: Option<String>,
    /// The benchmarks of the run.
    pub(crate) cells: Vec<NightCell>,
}

/// One benchmark on one night.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NightCell {
    /// Benchmark id, `group/function/parameter`.
    pub(crate) id: String,
    /// Cargo package of the benchmark; `None` if it has none.
    pub(crate) package: Option<String>,
    /// The conditions it was measured under, in one line; empty if none were recorded.
    pub(crate) conditions: String,
    /// What one sample is.
    pub(crate) sampling: Sampling,
    /// Number of launches that the figures are computed from.
    pub(crate) launches: u32,
    /// Number of samples in all launches.
    pub(crate) samples: u64,
    /// The figures of [`SHOWN_METRICS`]. `None` if the metric has no meaning for the sampling, or
    /// if nothing was measured.
    pub(crate) figures: [Option<NightFigure>; 4],
    /// The metrics that its launches report: the median over launches of each, to seven digits.
    pub(crate) metrics: BTreeMap<String, f32>,
    /// Why the benchmark could not be measured; `None` if it was.
    pub(crate) failure: Option<FailureReason>,
}

/// A duration in nanoseconds with its interval over launches, to seven digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct NightFigure {
    /// Point estimate in nanoseconds.
    pub(crate) point: f32,
    /// Lower end of the interval; `None` for a single launch.
    pub(crate) low: Option<f32>,
    /// Upper end of the interval; `None` for a single launch.
    pub(crate) high: Option<f32>,
}

impl NightFigure {
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough to draw from")]
    fn from_estimate(estimate: Estimate) -> Self {
        let to_f32 = |value: crate::units::Nanos| value.get() as f32;
        Self {
            point: to_f32(estimate.point),
            low: estimate.low.map(to_f32),
            high: estimate.high.map(to_f32),
        }
    }

    /// Returns the natural logarithm of the point estimate. Values below 0.1 ns, including zero,
    /// count as 0.1 ns.
    pub(crate) fn ln(self) -> f64 {
        const LEAST: f64 = 0.1;
        f64::from(self.point).max(LEAST).ln()
    }
}

impl NightCell {
    fn from_benchmark(run: &Run, benchmark: &Benchmark, confidence: Confidence) -> Self {
        let summary = SideFigures::from_runs(
            &[benchmark],
            HistogramAxis::from_sides([benchmark]),
            confidence,
        );
        let figures = summary.as_ref().map_or([None; 4], |summary| {
            let estimates = [Some(summary.median), summary.p95, summary.p99, Some(summary.mean)];
            estimates.map(|estimate| estimate.map(NightFigure::from_estimate))
        });
        Self {
            id: benchmark.id.clone(),
            package: benchmark.package.clone(),
            conditions: format_conditions(run, benchmark),
            sampling: benchmark.sampling,
            launches: u32::try_from(benchmark.launches.len()).unwrap_or(u32::MAX),
            samples: summary.map_or(0, |summary| summary.samples),
            figures,
            metrics: reduce_metrics(benchmark),
            failure: benchmark.failure.as_ref().map(|failure| failure.reason.clone()),
        }
    }

    /// Returns the name and package of the benchmark.
    pub(crate) fn benchmark_id(&self) -> BenchmarkId {
        BenchmarkId { name: self.id.clone(), package: self.package.clone() }
    }

    /// Returns the median with its interval, or `None` if nothing was measured.
    pub(crate) fn median(&self) -> Option<NightFigure> {
        self.figures[0]
    }
}

/// Returns the median over launches of each metric.
#[expect(clippy::cast_possible_truncation, reason = "seven digits are enough to draw from")]
fn reduce_metrics(benchmark: &Benchmark) -> BTreeMap<String, f32> {
    let mut values: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
    for (name, value) in benchmark.launches.iter().flat_map(|launch| &launch.metrics) {
        values.entry(name).or_default().push(*value);
    }
    let medians = values.into_iter().filter_map(|(name, mut values)| {
        let median = compute_median_in_place(&mut values)? as f32;
        median.is_finite().then(|| (name.clone(), median))
    });
    medians.collect()
}

/// Returns the conditions of a benchmark of `run` in one line: `provider cpu, threads 1`.
fn format_conditions(run: &Run, benchmark: &Benchmark) -> String {
    let conditions = run.list_conditions(benchmark);
    let conditions = conditions.iter().map(|(key, value)| format!("{key} {value}"));
    conditions.collect::<Vec<_>>().join(", ")
}

impl Night {
    /// Reduces a run to figures with intervals at `confidence`. Returns `None` if the time of the
    /// run cannot be parsed.
    pub(crate) fn from_run(run: &Run, confidence: Confidence) -> Option<Self> {
        let created: Timestamp = run.created.parse().ok()?;
        let commit = run.commit.as_ref().map_or("", |commit| &commit.id);
        let mut hash = Sha256::new();
        for part in [run.created.as_str(), commit, &run.host.fingerprint] {
            hash.update(part);
            hash.update([0]);
        }
        // Two suites measured in the same second on the same machine are still two runs.
        for benchmark in &run.benchmarks {
            hash.update(&benchmark.id);
            hash.update([0]);
        }
        Some(Self {
            id: hex::encode(&hash.finalize()[..6]),
            created,
            commit: run.commit.clone(),
            host: run.host.clone(),
            complete: run.complete,
            notes: run.notes.clone(),
            command: run.settings.command.clone(),
            cells: run
                .benchmarks
                .iter()
                .map(|b| NightCell::from_benchmark(run, b, confidence))
                .collect(),
        })
    }

    /// Returns the id of the commit, or `None` if it is unknown.
    pub(crate) fn commit_id(&self) -> Option<&str> {
        self.commit.as_ref().map(|commit| commit.id.as_str())
    }
}
