//! The whole history as rows: one for each run, benchmark and metric.

use std::fmt::Write as _;

use serde::Serialize;

use super::night::{Night, NightCell, NightFigure, SHOWN_METRICS};
use super::track::BenchmarkTrack;

/// One metric of one benchmark in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ExportRow<'a> {
    /// Names the run.
    pub(crate) run: &'a str,
    /// When it was measured, RFC 3339.
    pub(crate) created: String,
    /// What was measured.
    pub(crate) commit: Option<&'a str>,
    /// Branch it was measured on.
    pub(crate) branch: Option<&'a str>,
    /// Fingerprint of the host.
    pub(crate) host: &'a str,
    /// Processor of the host.
    pub(crate) cpu_model: &'a str,
    /// The Cargo package.
    pub(crate) package: Option<&'a str>,
    /// `group/function/parameter`.
    pub(crate) benchmark: &'a str,
    /// What one sample is.
    pub(crate) sampling: crate::run::Sampling,
    /// `p50`, `p95`, `p99` or `mean`.
    pub(crate) metric: &'static str,
    /// Best guess in nanoseconds.
    pub(crate) ns: f32,
    /// Lower end of its interval over launches.
    pub(crate) low_ns: Option<f32>,
    /// Upper end.
    pub(crate) high_ns: Option<f32>,
    /// Launches it rests on.
    pub(crate) launches: u32,
    /// Samples of all launches.
    pub(crate) samples: u64,
}

/// Names of the columns, in the order of the fields of [`Row`].
const COLUMN_NAMES: &str = "run,created,commit,branch,host,cpu_model,package,benchmark,sampling,metric,\
                       ns,low_ns,high_ns,launches,samples\n";

/// The rows of all nights, in their order.
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

/// A table with a line for each row, comma-separated (RFC 4180), nothing for what is not known.
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

/// A list of objects, one a line.
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

/// The figures of one benchmark, one line a night: the data file beside its page.
pub(super) fn export_track_csv(track: &BenchmarkTrack<'_>, nights: &[Night]) -> String {
    let mut text = String::from("created,commit,host,launches,samples");
    for metric in SHOWN_METRICS.map(crate::policy::Metric::name) {
        let _ = write!(text, ",{metric}_ns,{metric}_low_ns,{metric}_high_ns");
    }
    text.push('\n');
    for (night, cell) in nights.iter().zip(&track.cells) {
        let Some(cell) = cell else { continue };
        let _ = write!(text, "{},{},", night.created, night.commit_id().unwrap_or_default());
        push_field(&mut text, &night.host.fingerprint);
        let _ = write!(text, ",{},{}", cell.launches, cell.samples);
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

/// One field. What a spreadsheet would take for a formula gets a quote in front, which it hides.
fn push_field(text: &mut String, field: &str) {
    let is_formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !is_formula && !field.contains([',', '"', '\n', '\r']) {
        text.push_str(field);
        return;
    }
    let guard = if is_formula { "'" } else { "" };
    let _ = write!(text, "\"{guard}{}\"", field.replace('"', "\"\""));
}
