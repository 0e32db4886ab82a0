//! A run in figures: what the pages need of it, small enough to be kept beside them.

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::names;
use crate::compare::{Axis, Estimate};
use crate::host::Host;
use crate::policy::Metric;
use crate::run::{Benchmark, BenchmarkId, Commit, Run, Sampling};
use crate::units::Confidence;

/// The figures that are followed, in the order of [`Cell::figures`].
pub(crate) const SHOWN: [Metric; 4] = [Metric::P50, Metric::P95, Metric::P99, Metric::Mean];

/// One run of the history, in figures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Night {
    /// Names the run's page: 12 hexadecimal digits.
    pub(crate) id: String,
    /// When the measurement began.
    pub(crate) created: Timestamp,
    /// What was measured.
    pub(crate) commit: Option<Commit>,
    /// Where.
    pub(crate) host: Host,
    /// Whether it ran to its end.
    pub(crate) complete: bool,
    /// What was unfit or surprising.
    pub(crate) warnings: Vec<String>,
    /// The command that measures the same again.
    pub(crate) command: Option<String>,
    /// What was measured.
    pub(crate) cells: Vec<Cell>,
}

/// One benchmark on one night.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    /// `group/function/parameter`.
    pub(crate) id: String,
    /// The Cargo package it belongs to.
    pub(crate) package: Option<String>,
    /// What one sample is.
    pub(crate) sampling: Sampling,
    /// Launches it rests on.
    pub(crate) launches: u32,
    /// Samples of all launches.
    pub(crate) samples: u64,
    /// The figures of [`SHOWN`]; none where they mean nothing or nothing was measured.
    pub(crate) figures: [Option<Figure>; 4],
    /// Why it could not be measured.
    pub(crate) failure: Option<String>,
}

/// A duration in nanoseconds with its interval over launches, to seven digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// Best guess.
    pub(crate) point: f32,
    /// Lower end; none for a single launch.
    pub(crate) low: Option<f32>,
    /// Upper end; none for a single launch.
    pub(crate) high: Option<f32>,
}

impl Figure {
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough to draw from")]
    fn of(estimate: Estimate) -> Self {
        let short = |value: crate::units::Nanos| value.get() as f32;
        Self {
            point: short(estimate.point),
            low: estimate.low.map(short),
            high: estimate.high.map(short),
        }
    }

    /// Natural logarithm of the best guess; a zero counts as a tenth of a nanosecond.
    pub(crate) fn ln(self) -> f64 {
        const LEAST: f64 = 0.1;
        f64::from(self.point).max(LEAST).ln()
    }
}

impl Cell {
    fn of(benchmark: &Benchmark, confidence: Confidence) -> Self {
        let summary = benchmark.summarize(Axis::over([benchmark]), confidence);
        let figures = summary.as_ref().map_or([None; 4], |summary| {
            let known = [Some(summary.median), summary.p95, summary.p99, Some(summary.mean)];
            known.map(|estimate| estimate.map(Figure::of))
        });
        Self {
            id: benchmark.id.clone(),
            package: benchmark.package.clone(),
            sampling: benchmark.sampling,
            launches: u32::try_from(benchmark.launches.len()).unwrap_or(u32::MAX),
            samples: summary.map_or(0, |summary| summary.samples),
            figures,
            failure: benchmark.failure.as_ref().map(|failure| failure.reason.clone()),
        }
    }

    /// Which benchmark.
    pub(crate) fn identity(&self) -> BenchmarkId {
        BenchmarkId { id: self.id.clone(), package: self.package.clone() }
    }

    /// The median with its interval.
    pub(crate) fn median(&self) -> Option<Figure> {
        self.figures[0]
    }
}

impl Night {
    /// The run in figures, intervals at `confidence`; none when its time cannot be read.
    pub(crate) fn of(run: &Run, confidence: Confidence) -> Option<Self> {
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
            id: names::hex(&hash.finalize()[..6]),
            created,
            commit: run.commit.clone(),
            host: run.host.clone(),
            complete: run.complete,
            warnings: run.warnings.clone(),
            command: run.settings.command.clone(),
            cells: run.benchmarks.iter().map(|b| Cell::of(b, confidence)).collect(),
        })
    }

    /// Id of the commit, where it is known.
    pub(crate) fn commit_id(&self) -> Option<&str> {
        self.commit.as_ref().map(|commit| commit.id.as_str())
    }
}
