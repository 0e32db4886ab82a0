//! `perfgate trend changes`: finds change points and drifts in series from any source.

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::cli::TrendFormat;
use crate::files;
use crate::render::escape_for_terminal;
use crate::session::{CommandError, print};
use crate::stats::change_points::MIN_SHIFT;
use crate::stats::drift::find_trend_changes;
use crate::units::{Confidence, Percent};

/// One line of the input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputSeries {
    id: String,
    /// Finite values above zero, oldest first, in any unit.
    values: Vec<f64>,
}

/// The change points and drifts of one series.
#[derive(Serialize)]
struct SeriesChanges {
    id: String,
    change_points: Vec<PrintedChangePoint>,
    drifts: Vec<PrintedDrift>,
    /// Number of values in the series. Not in the JSON output.
    #[serde(skip)]
    count: usize,
}

/// One drift, in the shape of the JSON output.
#[derive(Serialize)]
struct PrintedDrift {
    /// Index of the first value of the drift.
    index: usize,
    /// Index after the last value of the drift.
    end: usize,
    /// Ratio of a value to the one before.
    ratio_per_run: f64,
    /// Lower and upper bound of that ratio, at the requested confidence.
    interval: (f64, f64),
    /// Level at the end ÷ level at the start.
    total: f64,
    /// P-value of "there is no drift".
    p_value: f64,
}

/// One change point, in the shape of the JSON output.
#[derive(Serialize)]
struct PrintedChangePoint {
    /// Index of the first value of the new level.
    index: usize,
    /// New level ÷ old level.
    ratio: f64,
    /// Lower and upper bound of the ratio, at the requested confidence.
    interval: (f64, f64),
    /// P-value of "the levels differ", Holm-adjusted over the change points of the series.
    p_value: f64,
}

/// Prints the change points of every series in `file`; `-` is standard input.
///
/// Fails if the file cannot be read or a line is not a valid series.
pub(super) fn print_change_points(
    file: &Path,
    least_shift: Option<Percent>,
    confidence: Option<Confidence>,
    format: TrendFormat,
) -> Result<()> {
    // Read one series per line, and stop at the first line that is not one.
    let least_shift = least_shift.map_or(MIN_SHIFT, Percent::get);
    let confidence = confidence.unwrap_or(Confidence::DEFAULT).get();
    let mut all_changes = Vec::new();
    for (number, line) in read_series(file)?.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let found = find_series_changes(line, least_shift, confidence).map_err(|why| {
            CommandError::new_usage(format!("line {} of `{}`: {why}", number + 1, file.display()))
                .with_help(r#"write one series per line: {"id": "name", "values": [1.5, 1.6]}"#)
        })?;
        all_changes.push(found);
    }
    match format {
        TrendFormat::Json => {
            print::print_json(&(serde_json::to_string_pretty(&all_changes)? + "\n"))
        }
        TrendFormat::Text => print::print_answer(&format_changes(&all_changes)),
    }
}

/// Reads the file, or standard input if it is `-`.
fn read_series(file: &Path) -> Result<String> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        files::read_given_text(file)
    };
    text.map_err(|error| {
        CommandError::new_usage(format!("failed to read series `{}`: {error}", file.display()))
            .into()
    })
}

/// Parses one line and finds its change points and drifts. Fails if the line is not a series of
/// values above zero.
fn find_series_changes(
    line: &str,
    least_shift: f64,
    confidence: f64,
) -> Result<SeriesChanges, String> {
    let series: InputSeries = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let mut values = series.values.iter();
    if let Some(value) = values.find(|value| !(value.is_finite() && **value > 0.0)) {
        return Err(format!(
            "`{value}` in `{}` is not above zero",
            escape_for_terminal(&series.id)
        ));
    }
    let found = find_trend_changes(&series.values, least_shift, confidence)
        .map_err(|error| error.to_string())?;
    let drifts = found.drifts.into_iter().map(|drift| PrintedDrift {
        index: drift.start,
        end: drift.end,
        ratio_per_run: drift.ratio,
        interval: drift.interval,
        total: drift.total_ratio(),
        p_value: drift.p_value,
    });
    let change_points = found.steps.into_iter().map(|point| PrintedChangePoint {
        index: point.index,
        ratio: point.ratio,
        interval: point.interval,
        p_value: point.p_value,
    });
    Ok(SeriesChanges {
        id: series.id,
        change_points: change_points.collect(),
        drifts: drifts.collect(),
        count: series.values.len(),
    })
}

/// Returns one line per change point and per drift, or `no change`.
fn format_changes(all_changes: &[SeriesChanges]) -> String {
    let mut text = String::new();
    for series in all_changes {
        let id = escape_for_terminal(&series.id);
        if series.change_points.is_empty() && series.drifts.is_empty() {
            let _ = writeln!(text, "{id}: no change");
        }
        for drift in &series.drifts {
            let ratios = [drift.ratio_per_run, drift.interval.0, drift.interval.1, drift.total];
            let [slope, low, high, total] = ratios.map(|ratio| (ratio - 1.0) * 100.0);
            let end = match drift.end {
                end if end == series.count => "on".to_owned(),
                end => format!("to value {}", end - 1),
            };
            let _ = writeln!(
                text,
                "{id}: drifting {slope:+.2} % per run [{low:+.2}, {high:+.2}] from value {} {end}, \
                 {total:+.1} % in all",
                drift.index,
            );
        }
        for point in &series.change_points {
            let ratios = [point.ratio, point.interval.0, point.interval.1];
            let [point_percent, low, high] = ratios.map(|ratio| (ratio - 1.0) * 100.0);
            let _ = writeln!(
                text,
                "{id}: {point_percent:+.1} % [{low:+.1}, {high:+.1}] from value {} on",
                point.index,
            );
        }
    }
    text
}
