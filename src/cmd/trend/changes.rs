//! `perfgate trend changes`: change points of series from anywhere.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::cli::TrendFormat;
use crate::cmd::{Refusal, print};
use crate::stats::changes::{self, LEAST_SHIFT};
use crate::units::{Confidence, Share};

/// Confidence of the intervals unless something else is asked for.
const CONFIDENCE: f64 = 0.95;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Series {
    id: String,
    values: Vec<f64>,
}

#[derive(Serialize)]
struct Found {
    id: String,
    change_points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    index: usize,
    ratio: f64,
    interval: (f64, f64),
    p_value: f64,
}

/// Prints the change points of every series in `file`.
pub(super) fn print(
    file: &Path,
    least_shift: Option<Share>,
    confidence: Option<Confidence>,
    format: TrendFormat,
) -> Result<()> {
    let least_shift = least_shift.map_or(LEAST_SHIFT, Share::get);
    let confidence = confidence.map_or(CONFIDENCE, Confidence::get);
    let mut all = Vec::new();
    for (number, line) in read(file)?.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let found = search(line, least_shift, confidence).map_err(|why| {
            Refusal::usage(format!("line {} of `{}`: {why}", number + 1, file.display()))
                .help(r#"write one series a line: {"id": "name", "values": [1.5, 1.6]}"#)
        })?;
        all.push(found);
    }
    match format {
        TrendFormat::Json => print::answer(&(serde_json::to_string_pretty(&all)? + "\n")),
        TrendFormat::Text => print::answer(&as_text(&all)),
    }
}

fn read(file: &Path) -> Result<String> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    text.map_err(|error| {
        Refusal::usage(format!("failed to read series `{}`: {error}", file.display())).into()
    })
}

fn search(line: &str, least_shift: f64, confidence: f64) -> Result<Found, String> {
    let series: Series = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let refused = |value: &&f64| !(value.is_finite() && **value > 0.0);
    if let Some(value) = series.values.iter().find(refused) {
        return Err(format!("`{value}` in `{}` is not above zero", series.id.escape_debug()));
    }
    let points = changes::change_points(&series.values, least_shift, confidence)
        .map_err(|error| error.to_string())?;
    let point = |point: changes::ChangePoint| Point {
        index: point.index,
        ratio: point.ratio,
        interval: point.interval,
        p_value: point.p_value,
    };
    Ok(Found { id: series.id, change_points: points.into_iter().map(point).collect() })
}

fn as_text(all: &[Found]) -> String {
    let mut text = String::new();
    for series in all {
        let id = series.id.escape_debug();
        if series.change_points.is_empty() {
            let _ = writeln!(text, "{id}: no change");
        }
        for point in &series.change_points {
            let percent = |ratio: f64| (ratio - 1.0) * 100.0;
            let (low, high) = point.interval;
            let _ = writeln!(
                text,
                "{id}: {:+.1} % [{:+.1}, {:+.1}] from value {} on",
                percent(point.ratio),
                percent(low),
                percent(high),
                point.index,
            );
        }
    }
    text
}
