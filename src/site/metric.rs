//! The metrics of a benchmark over time, on its page: the level of each, and where it changed.

use std::collections::BTreeSet;

use serde::Serialize;

use super::SiteInput;
use super::overview::NightName;
use super::track::{BenchmarkTrack, HostTrack};
use crate::stats::change_points::MIN_SHIFT;
use crate::stats::drift::find_trend_changes;
use crate::units::Confidence;

/// Maximum number of metrics on a page.
const MAX_METRICS: usize = 30;

/// Maximum number of change points that are listed per metric, the latest ones.
const MAX_CHANGES: usize = 10;

/// One metric of a benchmark on the host of its last run.
#[derive(Serialize)]
pub(super) struct MetricRow<'a> {
    name: &'a str,
    latest: f32,
    /// Natural logarithms of the values, one per run that reports the metric.
    lns: Vec<f64>,
    /// Places of the first runs on a new level, among those.
    marks: Vec<usize>,
    changes: Vec<MetricChange>,
}

/// A change of the level of a metric.
#[derive(Serialize)]
struct MetricChange {
    after: NightName,
    ratio: f64,
    low: f64,
    high: f64,
}

/// Returns the metrics of the benchmark on the host of its last run, by name.
pub(super) fn build_metric_rows<'a>(
    material: &SiteInput<'_>,
    track: &'a BenchmarkTrack<'_>,
) -> Vec<MetricRow<'a>> {
    let Some(host) = track.main_host() else { return Vec::new() };
    let cells = host.nights.iter().filter_map(|night| track.cells[*night]);
    let names: BTreeSet<&str> =
        cells.flat_map(|cell| cell.metrics.keys().map(String::as_str)).collect();
    let rows = names.into_iter().filter_map(|name| build_metric_row(material, track, host, name));
    rows.take(MAX_METRICS).collect()
}

fn build_metric_row<'a>(
    material: &SiteInput<'_>,
    track: &BenchmarkTrack<'_>,
    host: &HostTrack,
    name: &'a str,
) -> Option<MetricRow<'a>> {
    let reported: Vec<(usize, f32)> = host
        .nights
        .iter()
        .filter_map(|night| Some((*night, *track.cells[*night]?.metrics.get(name)?)))
        .collect();
    let latest = reported.last()?.1;
    // Zero has no logarithm. It counts as half of the smallest other value, as in a check.
    let smallest = reported.iter().map(|(_, value)| *value).filter(|value| *value > 0.0);
    let zero = smallest.reduce(f32::min).map_or(1.0, |smallest| 0.5 * smallest);
    let values: Vec<f64> = reported
        .iter()
        .map(|(_, value)| f64::from(if *value > 0.0 { *value } else { zero }))
        .collect();
    let found =
        find_trend_changes(&values, MIN_SHIFT, Confidence::DEFAULT.get()).unwrap_or_default();
    let changes = found.steps.iter().rev().take(MAX_CHANGES).map(|step| MetricChange {
        after: NightName::from_night(&material.nights[reported[step.index].0]),
        ratio: step.ratio,
        low: step.interval.0,
        high: step.interval.1,
    });
    Some(MetricRow {
        name,
        latest,
        changes: changes.collect(),
        marks: found.steps.iter().map(|step| step.index).collect(),
        lns: values.iter().map(|value| value.ln()).collect(),
    })
}
