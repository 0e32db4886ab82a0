//! Where things lie in a chart: percentages of its width and paths, for the templates to draw.

use std::fmt::Write as _;

use serde::Serialize;

use crate::report::{Figure, Figures, Row};
use crate::units::{Ratio, Share};
use crate::verdict::Change;

use super::filters;

/// With more benchmarks than this, lines have no room for names.
const MOST_NAMED: usize = 60;
/// More lines than this are no longer lines.
const MOST_LINES: usize = 5_000;
/// Ratios beyond these are drawn at the edge: one benchmark ten times slower must not squeeze all
/// others into one point.
const WIDEST: (f64, f64) = (0.4, 2.5);
/// Width and height of a path's own coordinates.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// A logarithmic axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    low: f64,
    high: f64,
}

/// A mark on an axis, in percent of its width.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Tick {
    at: f64,
    label: String,
}

/// A stretch of an axis, in percent of its width.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Stretch {
    at: f64,
    width: f64,
}

impl Axis {
    fn at(self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        (share.clamp(0.0, 1.0) * 10_000.0).round() / 100.0
    }

    fn stretch(self, low: f64, high: f64) -> Stretch {
        let at = self.at(low);
        Stretch { at, width: ((self.at(high) - at) * 100.0).round() / 100.0 }
    }

    fn duration_ticks(self) -> Vec<Tick> {
        const WANTED: f64 = 4.0;
        let step = round_step((self.high - self.low) / WANTED);
        let first = (self.low / step).ceil();
        let values = (0..12).map(|place| (first + f64::from(place)) * step);
        let shown = values.take_while(|value| *value <= self.high);
        spaced(shown.map(|value| Tick { at: self.at(value), label: filters::duration_tick(value) }))
    }

    fn percent_ticks(self) -> Vec<Tick> {
        const PERCENT: [f64; 19] = [
            0.0, 5.0, -5.0, 10.0, -10.0, 20.0, -20.0, 50.0, -40.0, 2.0, -2.0, 1.0, -1.0, 100.0,
            -50.0, 30.0, -30.0, 0.5, -0.5,
        ];
        let ratios = PERCENT.iter().map(|percent| 1.0 + percent / 100.0);
        let inside = ratios.filter(|ratio| (self.low..=self.high).contains(ratio));
        spaced(
            inside.map(|ratio| Tick { at: self.at(ratio), label: filters::slowdown_tick(ratio) }),
        )
    }
}

/// The first of the ticks that leave each other room for their labels.
fn spaced(ticks: impl Iterator<Item = Tick>) -> Vec<Tick> {
    const ROOM: f64 = 13.0;
    let mut kept: Vec<Tick> = Vec::new();
    for tick in ticks {
        let edge = 4.0..=96.0;
        if edge.contains(&tick.at) && kept.iter().all(|other| (other.at - tick.at).abs() >= ROOM) {
            kept.push(tick);
        }
    }
    kept
}

/// The next larger of 1, 2 or 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10.0_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step);
    factor.unwrap_or(10.0) * power
}

/// All ratios, the largest first.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RatioPlot<'a> {
    ticks: Vec<Tick>,
    /// One line a benchmark, where there is room for names.
    lines: Vec<RatioLine<'a>>,
    /// All lines in one drawing, where there is none.
    dense: Option<Dense>,
    /// How many ratios there are, and how many of them are not drawn.
    count: usize,
    left_out: usize,
}

#[derive(Clone, Debug, Serialize)]
struct RatioLine<'a> {
    id: &'a str,
    change: Change,
    is_reason: bool,
    ratio: Ratio,
    interval: Stretch,
    point: f64,
    tolerated: Stretch,
    detectable: Stretch,
    goes_on_below: bool,
    goes_on_above: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Dense {
    rows: usize,
    bands: Vec<Band>,
    paths: Vec<DensePath>,
}

#[derive(Clone, Debug, Serialize)]
struct Band {
    top: usize,
    rows: usize,
    tolerated: Stretch,
    detectable: Stretch,
}

#[derive(Clone, Debug, Serialize)]
struct DensePath {
    change: Change,
    intervals: String,
    points: String,
}

pub(super) fn ratio_plot<'a>(rows: impl Iterator<Item = &'a Row<'a>>) -> Option<RatioPlot<'a>> {
    let mut rows: Vec<_> = rows.filter(|row| row.ratio.is_some()).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.ratio.map(|ratio| ratio.point)));
    let count = rows.len();
    rows.truncate(MOST_LINES);
    let axis = ratio_axis(&rows)?;
    let lines: Vec<_> = rows.iter().filter_map(|row| ratio_line(axis, row)).collect();
    let dense = (lines.len() > MOST_NAMED).then(|| dense(&lines));
    Some(RatioPlot {
        ticks: axis.percent_ticks(),
        left_out: count - lines.len(),
        count,
        lines: if dense.is_some() { Vec::new() } else { lines },
        dense,
    })
}

fn ratio_axis(rows: &[&Row<'_>]) -> Option<Axis> {
    const MARGIN: f64 = 1.01;
    let lows = rows.iter().filter_map(|row| Some(row.ratio?.low.get()));
    let highs = rows.iter().filter_map(|row| Some(row.ratio?.high.get()));
    let detected = rows.iter().filter_map(|row| Some(1.0 + row.detect?.get()));
    let low = lows.reduce(f64::min)?.clamp(WIDEST.0, 0.95);
    let high = highs.chain(detected).reduce(f64::max)?.clamp(1.05, WIDEST.1);
    Some(Axis { low: low / MARGIN, high: high * MARGIN })
}

fn ratio_line<'a>(axis: Axis, row: &'a Row<'a>) -> Option<RatioLine<'a>> {
    let ratio = row.ratio?;
    let tolerated = 1.0 + row.threshold.map_or(0.0, Share::get);
    let detect = row.detect.map_or(tolerated, |detect| 1.0 + detect.get()).max(tolerated);
    Some(RatioLine {
        id: row.id,
        change: row.change,
        is_reason: row.is_reason,
        ratio: ratio.point,
        interval: axis.stretch(ratio.low.get(), ratio.high.get()),
        point: axis.at(ratio.point.get()),
        tolerated: axis.stretch(tolerated.recip(), tolerated),
        detectable: axis.stretch(tolerated, detect),
        goes_on_below: ratio.low.get() < axis.low,
        goes_on_above: ratio.high.get() > axis.high,
    })
}

fn dense(lines: &[RatioLine<'_>]) -> Dense {
    let mut bands: Vec<Band> = Vec::new();
    let mut paths: Vec<DensePath> = Vec::new();
    for (top, line) in lines.iter().enumerate() {
        let RatioLine { tolerated, detectable, change, .. } = *line;
        match bands.last_mut() {
            Some(band) if band.tolerated == tolerated && band.detectable == detectable => {
                band.rows += 1;
            }
            _ => bands.push(Band { top, rows: 1, tolerated, detectable }),
        }
        let place = paths.iter().position(|path| path.change == change).unwrap_or_else(|| {
            paths.push(DensePath { change, intervals: String::new(), points: String::new() });
            paths.len() - 1
        });
        let Stretch { at, width } = line.interval;
        let y = top as f64 + 0.5;
        let _ = write!(paths[place].intervals, "M{at:.2} {y}h{width:.2}");
        let _ = write!(paths[place].points, "M{:.2} {y}h.4", line.point - 0.2);
    }
    Dense { rows: lines.len(), bands, paths }
}

/// The calls of both sides of one benchmark.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Distribution {
    ticks: Vec<Tick>,
    sides: Vec<SideDrawing>,
    limits: Vec<TargetMark>,
}

#[derive(Clone, Debug, Serialize)]
struct SideDrawing {
    name: &'static str,
    samples: u64,
    /// Outline of the histogram in its own coordinates.
    path: String,
    launches: Vec<LaunchMark>,
    marks: Vec<Mark>,
}

#[derive(Clone, Debug, Serialize)]
struct LaunchMark {
    at: f64,
    label: String,
}

#[derive(Clone, Debug, Serialize)]
struct Mark {
    name: &'static str,
    at: f64,
    bounds: Option<Stretch>,
    figure: Figure,
}

#[derive(Clone, Debug, Serialize)]
struct TargetMark {
    at: f64,
    metric: crate::policy::Metric,
    limit: crate::units::Nanos,
    is_beyond: bool,
}

pub(super) fn distribution(row: &Row<'_>) -> Option<Distribution> {
    let named = [("baseline", &row.baseline), ("candidate", &row.candidate)];
    let sides: Vec<_> =
        named.iter().filter_map(|(name, side)| Some((*name, side.as_ref()?))).collect();
    let axis = duration_axis(row, &sides)?;
    let tallest = sides.iter().filter_map(|(_, side)| tallest_bin(side)).reduce(f64::max)?;
    let limits = row.targets.iter().map(|target| TargetMark {
        at: axis.at(target.limit.get()),
        metric: target.metric,
        limit: target.limit,
        is_beyond: !(axis.low..=axis.high).contains(&target.limit.get()),
    });
    Some(Distribution {
        ticks: axis.duration_ticks(),
        sides: sides.iter().map(|(name, side)| drawing(axis, tallest, name, side)).collect(),
        limits: limits.collect(),
    })
}

/// Both histograms, all figures with their bounds, and limits that are not far away.
fn duration_axis(row: &Row<'_>, sides: &[(&'static str, &Figures<'_>)]) -> Option<Axis> {
    const NEAR: f64 = 1.5;
    let histograms = || sides.iter().filter_map(|(_, side)| side.histogram);
    let figures = || sides.iter().flat_map(|(_, side)| figures(side)).map(|(_, figure)| figure);
    let lows =
        histograms().map(|histogram| histogram.low).chain(figures().filter_map(|one| one.low));
    let highs = histograms().map(|it| it.high).chain(figures().filter_map(|one| one.high));
    let low = lows.min()?.get().max(f64::MIN_POSITIVE);
    let high = highs.max()?.get();
    histograms().next()?;
    let limits = row.targets.iter().map(|target| target.limit.get());
    let near = limits.filter(|limit| *limit > high && *limit < high * NEAR);
    let high = near.fold(high, f64::max) * 1.02;
    (high / low).is_finite().then_some(Axis { low: low / 1.01, high: high.max(low * 1.02) })
}

fn figures(side: &Figures<'_>) -> Vec<(&'static str, Figure)> {
    let percentiles = [("p50", Some(side.median)), ("p95", side.p95), ("p99", side.p99)];
    percentiles.into_iter().filter_map(|(name, figure)| Some((name, figure?))).collect()
}

fn tallest_bin(side: &Figures<'_>) -> Option<f64> {
    let histogram = side.histogram?;
    let most = histogram.counts.iter().max()?;
    let all: u64 = histogram.counts.iter().sum();
    (all > 0).then(|| *most as f64 / all as f64)
}

fn drawing(axis: Axis, tallest: f64, name: &'static str, side: &Figures<'_>) -> SideDrawing {
    let medians = side.histogram.map(|histogram| histogram.launch_medians.as_slice());
    let launches =
        medians.unwrap_or_default().iter().enumerate().map(|(launch, median)| LaunchMark {
            at: axis.at(median.get()),
            label: format!("launch {}: median {}", launch + 1, filters::duration(median.get())),
        });
    let marks = figures(side).into_iter().map(|(name, figure)| Mark {
        name,
        at: axis.at(figure.point.get()),
        bounds: figure.low.zip(figure.high).map(|(low, high)| axis.stretch(low.get(), high.get())),
        figure,
    });
    SideDrawing {
        name,
        samples: side.samples,
        path: outline(axis, tallest, side),
        launches: launches.collect(),
        marks: marks.collect(),
    }
}

/// Steps from bin to bin.
fn outline(axis: Axis, tallest: f64, side: &Figures<'_>) -> String {
    let Some(histogram) = side.histogram else { return String::new() };
    let all: u64 = histogram.counts.iter().sum();
    let bins = histogram.counts.len() as f64;
    let (low, high) = (histogram.low.get().max(f64::MIN_POSITIVE), histogram.high.get());
    let edge = |place: f64| axis.at(low * (high / low).powf(place / bins)) / 100.0 * WIDTH;
    let mut path = format!("M{:.1} {HEIGHT}", edge(0.0));
    for (place, count) in histogram.counts.iter().enumerate() {
        let share = *count as f64 / all.max(1) as f64 / tallest;
        let top = HEIGHT * (1.0 - share);
        let _ = write!(path, "V{top:.1}H{:.1}", edge(place as f64 + 1.0));
    }
    path + &format!("V{HEIGHT}Z")
}
