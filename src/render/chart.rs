//! Geometry of the charts of the HTML report: percentages of the width and SVG paths. The templates
//! draw them.

use std::fmt::Write as _;

use serde::Serialize;

use crate::decision::Change;
use crate::policy::Metric;
use crate::report::{ReportFigure, ReportRow, ReportSide};
use crate::units::{Amount, Percent, Ratio};

use super::numbers;

/// Maximum number of benchmarks with a named line each; more are drawn without names.
const MAX_NAMED: usize = 60;
/// Maximum number of lines in the plot of all ratios; more cannot be told apart.
const MAX_LINES: usize = 5_000;
/// Smallest and largest ratio on the axis. Ratios beyond them are drawn at the edge, so that one
/// benchmark that is ten times slower does not squeeze all others into one point.
const RATIO_LIMITS: (f64, f64) = (0.4, 2.5);
/// Width of the coordinate system of a path.
const WIDTH: f64 = 1000.0;
/// Height of the coordinate system of a path.
const HEIGHT: f64 = 100.0;

/// A logarithmic axis from `low` to `high`.
#[derive(Clone, Copy, Debug)]
struct ChartAxis {
    low: f64,
    high: f64,
}

/// A labelled mark on an axis; `at` is in percent of the axis's width.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AxisTick {
    at: f64,
    label: String,
}

/// A part of an axis; `at` and `width` are in percent of the axis's width.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct AxisSpan {
    at: f64,
    width: f64,
}

impl ChartAxis {
    /// Returns the position of `value` in percent of the width, rounded to 0.01 and clamped to the
    /// axis.
    fn locate(self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        (share.clamp(0.0, 1.0) * 10_000.0).round() / 100.0
    }

    fn locate_span(self, low: f64, high: f64) -> AxisSpan {
        let at = self.locate(low);
        AxisSpan { at, width: ((self.locate(high) - at) * 100.0).round() / 100.0 }
    }

    fn choose_duration_ticks(self) -> Vec<AxisTick> {
        const WANTED: f64 = 4.0;
        let step = round_step_up((self.high - self.low) / WANTED);
        let first = (self.low / step).ceil();
        let values = (0..12).map(|place| (first + f64::from(place)) * step);
        let shown = values.take_while(|value| *value <= self.high);
        drop_crowded_ticks(shown.map(|value| AxisTick {
            at: self.locate(value),
            label: numbers::format_duration_tick(value),
        }))
    }

    fn choose_percent_ticks(self) -> Vec<AxisTick> {
        // In order of preference: an earlier tick displaces later ones that are too close to it.
        const PERCENT: [f64; 19] = [
            0.0, 5.0, -5.0, 10.0, -10.0, 20.0, -20.0, 50.0, -40.0, 2.0, -2.0, 1.0, -1.0, 100.0,
            -50.0, 30.0, -30.0, 0.5, -0.5,
        ];
        let ratios = PERCENT.iter().map(|percent| 1.0 + percent / 100.0);
        let inside = ratios.filter(|ratio| (self.low..=self.high).contains(ratio));
        drop_crowded_ticks(inside.map(|ratio| AxisTick {
            at: self.locate(ratio),
            label: numbers::format_slowdown_tick(ratio),
        }))
    }
}

/// Returns the ticks that have room for their labels. Earlier ticks take precedence.
fn drop_crowded_ticks(ticks: impl Iterator<Item = AxisTick>) -> Vec<AxisTick> {
    const ROOM: f64 = 13.0;
    let mut kept: Vec<AxisTick> = Vec::new();
    for tick in ticks {
        let edge = 4.0..=96.0;
        if edge.contains(&tick.at) && kept.iter().all(|other| (other.at - tick.at).abs() >= ROOM) {
            kept.push(tick);
        }
    }
    kept
}

/// Rounds `step` up to 1, 2 or 5 times a power of ten.
fn round_step_up(step: f64) -> f64 {
    let power = 10.0_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step);
    factor.unwrap_or(10.0) * power
}

/// A chart of all ratios, the largest first.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RatioPlot<'a> {
    ticks: Vec<AxisTick>,
    /// One line per benchmark; empty if there is no room for names.
    lines: Vec<RatioLine<'a>>,
    /// All lines in one drawing; `None` if there is room for names.
    dense: Option<DensePlot>,
    /// Number of ratios.
    count: usize,
    /// Number of ratios that are not drawn.
    left_out: usize,
}

/// The line of one benchmark: its ratio, the interval, and the zones of its threshold.
#[derive(Clone, Debug, Serialize)]
struct RatioLine<'a> {
    id: &'a str,
    change: Change,
    is_reason: bool,
    ratio: Ratio,
    interval: AxisSpan,
    point: f64,
    tolerated: AxisSpan,
    detectable: AxisSpan,
    /// Whether the interval extends beyond the low end of the axis.
    goes_on_below: bool,
    /// Whether the interval extends beyond the high end of the axis.
    goes_on_above: bool,
}

/// All lines of a ratio plot without names; one unit of height per line.
#[derive(Clone, Debug, Serialize)]
struct DensePlot {
    rows: usize,
    bands: Vec<ToleranceBand>,
    paths: Vec<DensePath>,
}

/// Adjacent lines with the same thresholds.
#[derive(Clone, Debug, Serialize)]
struct ToleranceBand {
    top: usize,
    rows: usize,
    tolerated: AxisSpan,
    detectable: AxisSpan,
}

/// SVG paths of all lines with the same change.
#[derive(Clone, Debug, Serialize)]
struct DensePath {
    change: Change,
    intervals: String,
    points: String,
}

/// Returns the chart of all rows with a ratio, or `None` if no row has one.
pub(super) fn draw_ratio_plot<'a>(
    rows: impl Iterator<Item = &'a ReportRow<'a>>,
) -> Option<RatioPlot<'a>> {
    let mut rows: Vec<_> = rows.filter(|row| row.ratio.is_some()).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.ratio.map(|ratio| ratio.point)));
    let count = rows.len();
    rows.truncate(MAX_LINES);
    let axis = fit_ratio_axis(&rows)?;
    let lines: Vec<_> = rows.iter().filter_map(|row| draw_ratio_line(axis, row)).collect();
    let dense = (lines.len() > MAX_NAMED).then(|| draw_dense_plot(&lines));
    Some(RatioPlot {
        ticks: axis.choose_percent_ticks(),
        left_out: count - lines.len(),
        count,
        lines: if dense.is_some() { Vec::new() } else { lines },
        dense,
    })
}

fn fit_ratio_axis(rows: &[&ReportRow<'_>]) -> Option<ChartAxis> {
    const MARGIN: f64 = 1.01;
    let lows = rows.iter().filter_map(|row| Some(row.ratio?.low.get()));
    let highs = rows.iter().filter_map(|row| Some(row.ratio?.high.get()));
    let detected = rows.iter().filter_map(|row| Some(1.0 + row.detect?.get()));
    let low = lows.reduce(f64::min)?.clamp(RATIO_LIMITS.0, 0.95);
    let high = highs.chain(detected).reduce(f64::max)?.clamp(1.05, RATIO_LIMITS.1);
    Some(ChartAxis { low: low / MARGIN, high: high * MARGIN })
}

fn draw_ratio_line<'a>(axis: ChartAxis, row: &'a ReportRow<'a>) -> Option<RatioLine<'a>> {
    let ratio = row.ratio?;
    let tolerated = 1.0 + row.threshold.map_or(0.0, Percent::get);
    let detect = row.detect.map_or(tolerated, |detect| 1.0 + detect.get()).max(tolerated);
    Some(RatioLine {
        id: row.id,
        change: row.change,
        is_reason: row.is_reason,
        ratio: ratio.point,
        interval: axis.locate_span(ratio.low.get(), ratio.high.get()),
        point: axis.locate(ratio.point.get()),
        tolerated: axis.locate_span(tolerated.recip(), tolerated),
        detectable: axis.locate_span(tolerated, detect),
        goes_on_below: ratio.low.get() < axis.low,
        goes_on_above: ratio.high.get() > axis.high,
    })
}

fn draw_dense_plot(lines: &[RatioLine<'_>]) -> DensePlot {
    // Adjacent lines with equal thresholds share a band, and all lines with the same change share
    // two paths. The page stays small with thousands of lines.
    let mut bands: Vec<ToleranceBand> = Vec::new();
    let mut paths: Vec<DensePath> = Vec::new();
    for (top, line) in lines.iter().enumerate() {
        let RatioLine { tolerated, detectable, change, .. } = *line;
        match bands.last_mut() {
            Some(band) if band.tolerated == tolerated && band.detectable == detectable => {
                band.rows += 1;
            }
            _ => bands.push(ToleranceBand { top, rows: 1, tolerated, detectable }),
        }
        let place = paths.iter().position(|path| path.change == change).unwrap_or_else(|| {
            paths.push(DensePath { change, intervals: String::new(), points: String::new() });
            paths.len() - 1
        });
        let AxisSpan { at, width } = line.interval;
        let y = top as f64 + 0.5;
        let _ = write!(paths[place].intervals, "M{at:.2} {y}h{width:.2}");
        let _ = write!(paths[place].points, "M{:.2} {y}h.4", line.point - 0.2);
    }
    DensePlot { rows: lines.len(), bands, paths }
}

/// The distributions of the calls of both sides of one benchmark.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DistributionChart {
    ticks: Vec<AxisTick>,
    sides: Vec<SideDrawing>,
    limits: Vec<TargetMark>,
}

#[derive(Clone, Debug, Serialize)]
struct SideDrawing {
    name: &'static str,
    samples: u64,
    /// Outline of the histogram as an SVG path, in a box of [`WIDTH`] by [`HEIGHT`].
    path: String,
    launches: Vec<LaunchMark>,
    marks: Vec<FigureMark>,
}

/// The median of one launch.
#[derive(Clone, Debug, Serialize)]
struct LaunchMark {
    at: f64,
    label: String,
}

/// A percentile of one side; `bounds` is `None` if the percentile has no interval.
#[derive(Clone, Debug, Serialize)]
struct FigureMark {
    name: &'static str,
    at: f64,
    bounds: Option<AxisSpan>,
    figure: ReportFigure,
}

/// The limit of a target; `is_beyond` if the limit is outside the axis.
#[derive(Clone, Debug, Serialize)]
struct TargetMark {
    at: f64,
    metric: Metric,
    limit: Amount,
    is_beyond: bool,
    /// Which end of the label is at the limit, so that the label stays inside the chart.
    side: LabelSide,
}

/// The end of a label that is at its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum LabelSide {
    /// The label begins at its mark.
    Start,
    /// The label ends at its mark.
    End,
}

impl LabelSide {
    /// Returns the side with more room for a mark at `at` percent of the width.
    fn choose(at: f64) -> Self {
        if at > 50.0 { Self::End } else { Self::Start }
    }
}

/// Returns the chart of one benchmark, or `None` if neither side has a histogram with samples.
pub(super) fn draw_distribution(row: &ReportRow<'_>) -> Option<DistributionChart> {
    let named = [("baseline", &row.baseline), ("candidate", &row.candidate)];
    let sides: Vec<_> =
        named.iter().filter_map(|(name, side)| Some((*name, side.as_ref()?))).collect();
    let axis = fit_duration_axis(row, &sides)?;
    let tallest = sides.iter().filter_map(|(_, side)| find_tallest_bin(side)).reduce(f64::max)?;
    let limits = list_time_limits(row).map(|(metric, limit)| TargetMark {
        at: axis.locate(limit.get()),
        side: LabelSide::choose(axis.locate(limit.get())),
        metric,
        limit,
        is_beyond: !(axis.low..=axis.high).contains(&limit.get()),
    });
    Some(DistributionChart {
        ticks: axis.choose_duration_ticks(),
        sides: sides.iter().map(|(name, side)| draw_side(axis, tallest, name, side)).collect(),
        limits: limits.collect(),
    })
}

/// Yields the limits of the row on times of a call, which are on the axis of the chart.
fn list_time_limits(row: &ReportRow<'_>) -> impl Iterator<Item = (Metric, Amount)> {
    row.targets.iter().filter_map(|target| Some((target.metric.time()?, target.limit)))
}

/// Returns an axis of durations that covers both histograms, the bounds of all percentiles, and the
/// limits of targets that are above them by less than a factor of 1.5.
///
/// Returns `None` if there is no histogram.
fn fit_duration_axis(
    row: &ReportRow<'_>,
    sides: &[(&'static str, &ReportSide<'_>)],
) -> Option<ChartAxis> {
    const NEAR: f64 = 1.5;
    // Cover both sides first, then reach out to the targets that are near, with a small margin.
    let histograms = sides.iter().filter_map(|(_, side)| side.histogram);
    histograms.clone().next()?;
    let figures: Vec<_> = sides
        .iter()
        .flat_map(|(_, side)| list_percentiles(side))
        .map(|(_, figure)| figure)
        .collect();
    let lows = histograms
        .clone()
        .map(|histogram| histogram.low)
        .chain(figures.iter().filter_map(|figure| figure.low));
    let highs = histograms
        .map(|histogram| histogram.high)
        .chain(figures.iter().filter_map(|figure| figure.high));
    let low = lows.min()?.get().max(f64::MIN_POSITIVE);
    let high = highs.max()?.get();
    let limits = list_time_limits(row).map(|(_, limit)| limit.get());
    let near = limits.filter(|limit| *limit > high && *limit < high * NEAR);
    let high = near.fold(high, f64::max) * 1.02;
    (high / low).is_finite().then_some(ChartAxis { low: low / 1.01, high: high.max(low * 1.02) })
}

fn list_percentiles(side: &ReportSide<'_>) -> Vec<(&'static str, ReportFigure)> {
    let percentiles = [("p50", Some(side.median)), ("p95", side.p95), ("p99", side.p99)];
    percentiles.into_iter().filter_map(|(name, figure)| Some((name, figure?))).collect()
}

/// Returns the share of all samples that are in the fullest bin, or `None` without samples.
fn find_tallest_bin(side: &ReportSide<'_>) -> Option<f64> {
    let histogram = side.histogram?;
    let most = histogram.counts.iter().max()?;
    let all: u64 = histogram.counts.iter().sum();
    (all > 0).then(|| *most as f64 / all as f64)
}

fn draw_side(
    axis: ChartAxis,
    tallest: f64,
    name: &'static str,
    side: &ReportSide<'_>,
) -> SideDrawing {
    // Positions are percentages of the width, so that a chart fits any page.
    let medians = side.histogram.map(|histogram| histogram.launch_medians.as_slice());
    let launches =
        medians.unwrap_or_default().iter().enumerate().map(|(launch, median)| LaunchMark {
            at: axis.locate(median.get()),
            label: format!(
                "launch {}: median {}",
                launch + 1,
                numbers::format_duration(median.get())
            ),
        });
    let marks = list_percentiles(side).into_iter().map(|(name, figure)| FigureMark {
        name,
        at: axis.locate(figure.point.get()),
        bounds: figure
            .low
            .zip(figure.high)
            .map(|(low, high)| axis.locate_span(low.get(), high.get())),
        figure,
    });
    SideDrawing {
        name,
        samples: side.samples,
        path: draw_outline(axis, tallest, side),
        launches: launches.collect(),
        marks: marks.collect(),
    }
}

/// Returns the outline of the histogram as an SVG path, with one step per bin.
///
/// `tallest` is the share of samples that fills the height.
fn draw_outline(axis: ChartAxis, tallest: f64, side: &ReportSide<'_>) -> String {
    let Some(histogram) = side.histogram else { return String::new() };
    let all: u64 = histogram.counts.iter().sum();
    let bins = histogram.counts.len() as f64;
    let (low, high) = (histogram.low.get().max(f64::MIN_POSITIVE), histogram.high.get());
    let edge = |place: f64| axis.locate(low * (high / low).powf(place / bins)) / 100.0 * WIDTH;
    let mut path = format!("M{:.1} {HEIGHT}", edge(0.0));
    for (place, count) in histogram.counts.iter().enumerate() {
        let share = *count as f64 / all.max(1) as f64 / tallest;
        let top = HEIGHT * (1.0 - share);
        let _ = write!(path, "V{top:.1}H{:.1}", edge(place as f64 + 1.0));
    }
    path + &format!("V{HEIGHT}Z")
}
