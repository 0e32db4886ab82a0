//! Exports the whole history as rows: one per run, benchmark and metric.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use super::night::{Night, NightCell, NightFigure, SHOWN_METRICS};
use super::track::BenchmarkTrack;

/// One metric of one benchmark in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ExportRow<'a> {
    /// Id of the run.
    pub(crate) run: &'a str,
    /// Time of the measurement, RFC 3339.
    pub(crate) created: String,
    /// Id of the measured commit; `None` if unknown.
    pub(crate) commit: Option<&'a str>,
    /// Branch that was measured; `None` if unknown.
    pub(crate) branch: Option<&'a str>,
    /// Fingerprint of the host.
    pub(crate) host: &'a str,
    /// Processor model of the host.
    pub(crate) cpu_model: &'a str,
    /// Cargo package of the benchmark; `None` if it has none.
    pub(crate) package: Option<&'a str>,
    /// Benchmark id, `group/function/parameter`.
    pub(crate) benchmark: &'a str,
    /// What one sample is.
    pub(crate) sampling: crate::run::Sampling,
    /// `p50`, `p95`, `p99` or `mean`.
    pub(crate) metric: &'static str,
    /// Point estimate in nanoseconds.
    pub(crate) ns: f32,
    /// Lower end of the interval over launches, in nanoseconds; `None` for a single launch.
    pub(crate) low_ns: Option<f32>,
    /// Upper end of the interval over launches, in nanoseconds; `None` for a single launch.
    pub(crate) high_ns: Option<f32>,
    /// Number of launches that the estimate is computed from.
    pub(crate) launches: u32,
    /// Number of samples in all launches.
    pub(crate) samples: u64,
}

/// Header line with the names of the columns, in the order of the fields of [`ExportRow`].
const COLUMN_NAMES: &str = "run,created,commit,branch,host,cpu_model,package,benchmark,sampling,metric,\
                       ns,low_ns,high_ns,launches,samples\n";

/// Returns the rows of all nights, in the order of the nights.
pub(crate) fn list_export_rows(nights: &[Night]) -> impl Iterator<Item = ExportRow<'_>> {
    nights.iter().flat_map(|night| {
        night.cells.iter().flat_map(move |cell| {
            let figures = SHOWN_METRICS.iter().zip(cell.figures);
            figures.filter_map(move |(metric, figure)| {
                Some(build_export_row(night, cell, metric.name(), figure?))
            })
        })
    })
}

fn build_export_row<'a>(
    night: &'a Night,
    cell: &'a NightCell,
    metric: &'static str,
    figure: NightFigure,
) -> ExportRow<'a> {
    ExportRow {
        run: &night.id,
        created: night.created.to_string(),
        commit: night.commit_id(),
        branch: night.commit.as_ref().and_then(|commit| commit.branch.as_deref()),
        host: &night.host.fingerprint,
        cpu_model: &night.host.cpu_model,
        package: cell.package.as_deref(),
        benchmark: &cell.id,
        sampling: cell.sampling,
        metric,
        ns: figure.point,
        low_ns: figure.low,
        high_ns: figure.high,
        launches: cell.launches,
        samples: cell.samples,
    }
}

/// Returns a comma-separated table (RFC 4180) with one line per row. Unknown values are empty.
pub(crate) fn export_csv<'a>(rows: impl Iterator<Item = ExportRow<'a>>) -> String {
    let mut text = COLUMN_NAMES.to_owned();
    for row in rows {
        let words = [Some(row.run), Some(&row.created), row.commit, row.branch, Some(row.host)];
        let names = [Some(row.cpu_model), row.package, Some(row.benchmark)];
        for word in words.into_iter().chain(names) {
            push_field(&mut text, word.unwrap_or_default());
            text.push(',');
        }
        let sampling = match row.sampling {
            crate::run::Sampling::Call => "call",
            crate::run::Sampling::Batch => "batch",
        };
        let _ = write!(text, "{sampling},{},{},", row.metric, row.ns);
        push_number(&mut text, row.low_ns);
        push_number(&mut text, row.high_ns);
        let _ = writeln!(text, "{},{}", row.launches, row.samples);
    }
    text
}

/// Returns a JSON array of objects, one per line.
///
/// Fails if a row cannot be serialized.
pub(crate) fn export_json<'a>(
    rows: impl Iterator<Item = ExportRow<'a>>,
) -> Result<String, serde_json::Error> {
    let mut text = String::from("[");
    for (place, row) in rows.enumerate() {
        text.push_str(if place == 0 { "\n" } else { ",\n" });
        text.push_str(&serde_json::to_string(&row)?);
    }
    text.push_str("\n]\n");
    Ok(text)
}

/// Returns the figures of one benchmark as a table with one line per night: the data file next to
/// its page.
pub(super) fn export_track_csv(track: &BenchmarkTrack<'_>, nights: &[Night]) -> String {
    let mut text = String::from("created,commit,host,launches,samples");
    for metric in SHOWN_METRICS.map(crate::policy::Metric::name) {
        let _ = write!(text, ",{metric}_ns,{metric}_low_ns,{metric}_high_ns");
    }
    let cells = track.cells.iter().flatten();
    let reported: BTreeSet<&String> = cells.flat_map(|cell| cell.metrics.keys()).collect();
    for name in &reported {
        text.push(',');
        push_field(&mut text, name);
    }
    text.push('\n');
    for (night, cell) in nights.iter().zip(&track.cells) {
        // A night without the benchmark has no line.
        let Some(cell) = cell else { continue };
        let _ = write!(text, "{},{},", night.created, night.commit_id().unwrap_or_default());
        push_field(&mut text, &night.host.fingerprint);
        let _ = write!(text, ",{},{}", cell.launches, cell.samples);
        // A missing figure or interval end is an empty field.
        for figure in cell.figures {
            let ends =
                [figure.map(|f| f.point), figure.and_then(|f| f.low), figure.and_then(|f| f.high)];
            for end in ends {
                text.push(',');
                if let Some(end) = end {
                    let _ = write!(text, "{end}");
                }
            }
        }
        for name in &reported {
            text.push(',');
            if let Some(value) = cell.metrics.get(*name) {
                let _ = write!(text, "{value}");
            }
        }
        text.push('\n');
    }
    text
}

fn push_number(text: &mut String, number: Option<f32>) {
    if let Some(number) = number {
        let _ = write!(text, "{number}");
    }
    text.push(',');
}

/// Appends one field. A field that a spreadsheet would read as a formula gets a leading single
/// quote, which the spreadsheet hides.
fn push_field(text: &mut String, field: &str) {
    let is_formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !is_formula && !field.contains([',', '"', '\n', '\r']) {
        text.push_str(field);
        return;
    }
    let guard = if is_formula { "'" } else { "" };
    let _ = write!(text, "\"{guard}{}\"", field.replace('"', "\"\""));
}
