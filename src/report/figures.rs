//! The table of figures: mean, percentiles, throughput and targets of each benchmark, of a decision
//! or of a run alone.

use std::collections::BTreeMap;

use serde::Serialize;

use super::row::TargetLine;
use super::{CallPrice, CommitLine, HostLine, MetricLine, ReportSide, find_ambiguous_ids};
use crate::compare::{HistogramAxis, SideFigures};
use crate::note::Note;
use crate::run::{Benchmark, BenchmarkFailure, Run, Sampling};
use crate::units::Confidence;

/// Which columns a table of figures has, beside those that it always has.
#[expect(clippy::struct_excessive_bools, reason = "each is about a column of its own")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct FigureColumns {
    /// Number of benchmarks that were measured.
    pub(crate) row_count: usize,
    /// Whether a benchmark has a throughput.
    pub(crate) has_throughput: bool,
    /// Whether a benchmark has a target.
    pub(crate) has_targets: bool,
    /// Whether a benchmark has a cost.
    pub(crate) has_costs: bool,
    /// Whether a benchmark reports a metric.
    pub(crate) has_metrics: bool,
    /// Whether a benchmark was measured in batches, so that some cells are empty.
    pub(crate) has_batches: bool,
}

/// The figures of one benchmark of a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FigureRow<'a> {
    /// Benchmark id, `group/function/parameter`.
    pub(crate) id: &'a str,
    /// Cargo package of the benchmark; `None` if it has none.
    pub(crate) package: Option<&'a str>,
    /// The package, if another benchmark of the run has the same id; `None` otherwise.
    pub(crate) shown_package: Option<&'a str>,
    /// Number of launches.
    pub(crate) launches: usize,
    /// What one sample is.
    pub(crate) sampling: Sampling,
    /// The figures; `None` if it was not measured. The name is that of a row of a decision.
    pub(crate) candidate: Option<ReportSide<'a>>,
    /// The figures as they are in a file.
    #[serde(skip)]
    pub(crate) figures: Option<&'a SideFigures>,
    /// Always empty: a run has no targets. The name is that of a row of a decision.
    pub(crate) targets: [TargetLine<'a>; 0],
    /// Always `None`: a run has no price. The name is that of a row of a decision.
    pub(crate) cost: Option<CallPrice>,
    /// The first metrics that its launches report.
    pub(crate) metrics: Vec<MetricLine<'a>>,
    /// Why it could not be measured; `None` if it was.
    pub(crate) failure: Option<&'a BenchmarkFailure>,
}

/// A run, prepared for its readers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RunReport<'a> {
    /// When the run was measured.
    pub(crate) created: &'a str,
    /// The commit that was measured; `None` if unknown.
    pub(crate) commit: Option<CommitLine<'a>>,
    /// The machine that measured.
    pub(crate) host: HostLine<'a>,
    /// What must be alike for another run to be comparable, by name.
    pub(crate) conditions: &'a BTreeMap<String, String>,
    /// Circumstances that weaken the figures.
    pub(crate) notes: &'a [Note],
    /// Whether the measurement is complete.
    pub(crate) is_complete: bool,
    /// Number of benchmarks that could not be measured.
    pub(crate) failed: usize,
    /// What the table of figures has.
    pub(crate) figures: FigureColumns,
    /// The run itself.
    #[serde(skip)]
    pub(crate) run: &'a Run,
    /// The benchmarks, in the order of the run.
    #[serde(skip)]
    pub(crate) rows: Vec<FigureRow<'a>>,
}

impl FigureColumns {
    /// Finds the columns from the figures of each row, and whether it has targets.
    pub(super) fn from_rows<'a>(
        rows: impl Iterator<Item = (Option<&'a ReportSide<'a>>, bool)>,
    ) -> Self {
        let mut columns = Self::default();
        for (side, has_targets) in rows {
            let Some(side) = side else { continue };
            columns.row_count += 1;
            columns.has_targets |= has_targets;
            columns.has_throughput |= !side.throughput.is_empty();
            columns.has_batches |= side.is_batch;
        }
        columns
    }
}

/// Returns the figures of each benchmark of a run, in its order. A benchmark without launches has
/// none. There are no histograms.
pub(crate) fn compute_run_figures(run: &Run) -> Vec<Option<SideFigures>> {
    let compute = |benchmark: &Benchmark| {
        let axis = HistogramAxis::from_sides([benchmark]);
        let figures = SideFigures::from_runs(&[benchmark], axis, Confidence::DEFAULT)?;
        Some(SideFigures { histogram: None, ..figures })
    };
    run.benchmarks.iter().map(compute).collect()
}

impl<'a> RunReport<'a> {
    /// Builds the report of `run`, whose benchmarks have these `figures`.
    pub(crate) fn new(run: &'a Run, figures: &'a [Option<SideFigures>]) -> Self {
        let ids = run.benchmarks.iter().map(|benchmark| benchmark.id.as_str());
        let ambiguous = find_ambiguous_ids(ids);
        let build_row = |(benchmark, figures): (&'a Benchmark, &'a Option<SideFigures>)| {
            let is_ambiguous = ambiguous.contains(benchmark.id.as_str());
            let is_batch = benchmark.sampling == Sampling::Batch;
            FigureRow {
                id: &benchmark.id,
                package: benchmark.package.as_deref(),
                shown_package: benchmark.package.as_deref().filter(|_| is_ambiguous),
                launches: benchmark.launches.len(),
                sampling: benchmark.sampling,
                figures: figures.as_ref(),
                candidate: figures.as_ref().map(|figures| ReportSide::new(figures, is_batch)),
                targets: [],
                cost: None,
                metrics: MetricLine::list_measured(benchmark),
                failure: benchmark.failure.as_ref(),
            }
        };
        let rows: Vec<_> = run.benchmarks.iter().zip(figures).map(build_row).collect();
        Self {
            created: &run.created,
            commit: run.commit.as_ref().map(CommitLine::new),
            host: HostLine::new(&run.host),
            conditions: &run.conditions,
            notes: &run.notes,
            is_complete: run.complete,
            failed: rows.iter().filter(|row| row.failure.is_some()).count(),
            figures: FigureColumns {
                has_metrics: rows.iter().any(|row| !row.metrics.is_empty()),
                ..FigureColumns::from_rows(rows.iter().map(|row| (row.candidate.as_ref(), false)))
            },
            run,
            rows,
        }
    }
}
