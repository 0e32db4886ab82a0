//! Charts for papers and wikis: self-contained SVG with fixed colours, black on white.

#[cfg(feature = "png")]
mod png;

use std::fmt::Write as _;

#[cfg(feature = "png")]
pub(crate) use png::render_png;

use super::{escape, numbers};
use crate::text::shorten;

const WIDTH: f64 = 800.0;
const LEFT_MARGIN: f64 = 84.0;
const RIGHT_MARGIN: f64 = 24.0;
const TOP_MARGIN: f64 = 64.0;
const BOTTOM_MARGIN: f64 = 44.0;
const TREND_HEIGHT: f64 = 400.0;
const ROW_HEIGHT: f64 = 26.0;
const NAME_WIDTH: f64 = 300.0;
/// Maximum length of a benchmark's name beside its dot, in characters.
const NAME_LENGTH: usize = 42;

/// Common fonts. The SVG embeds no font.
const FONT: &str = "DejaVu Sans, Verdana, sans-serif";

/// A chart to export.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plot {
    /// One benchmark over its runs.
    Trend(TrendPlot),
    /// Changes of many benchmarks from an earlier level.
    Comparison(ComparisonPlot),
}

/// Lower and upper end of an interval; `None` if it is not known.
pub(crate) type PlotInterval = Option<(f64, f64)>;

/// A chart of one benchmark over its runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TrendPlot {
    /// Name of the benchmark.
    pub(crate) title: String,
    /// Host and range.
    pub(crate) subtitle: String,
    /// First and last day.
    pub(crate) days: (String, String),
    /// One line per metric.
    pub(crate) lines: Vec<PlotLine>,
    /// Change points: the index `x` of the first run after the change, and the ratio. The change is
    /// drawn between the runs `x − 1` and `x`.
    pub(crate) changes: Vec<(usize, f64)>,
}

/// One metric of a benchmark, in nanoseconds, for each run that has a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlotLine {
    /// Name of the metric.
    pub(crate) name: String,
    /// Index of the run, value and interval. The line is interrupted where indices are missing.
    pub(crate) points: Vec<(usize, f64, PlotInterval)>,
}

/// A chart of the changes of many benchmarks from an earlier level.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ComparisonPlot {
    /// What is compared with what.
    pub(crate) title: String,
    /// Name, ratio and interval of each benchmark.
    pub(crate) rows: Vec<(String, f64, PlotInterval)>,
}

/// Returns the chart as SVG.
pub(crate) fn render_svg(figure: &Plot) -> String {
    match figure {
        Plot::Trend(course) => render_trend_svg(course),
        Plot::Comparison(comparison) => render_comparison_svg(comparison),
    }
}

const COLOURS: [&str; 4] = ["#0b62c4", "#b45309", "#a21caf", "#0f766e"];

fn open_svg(height: f64, title: &str, subtitle: &str) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"{FONT}\" font-size=\"12\" fill=\"#1b1f24\">\n<title>"
    );
    let title = shorten(title, 80);
    push_escaped(&mut out, &title);
    out.push_str("</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
    draw_text(
        &mut out,
        (LEFT_MARGIN - 60.0, 26.0),
        "font-size=\"16\" font-weight=\"bold\"",
        &title,
    );
    draw_text(&mut out, (LEFT_MARGIN - 60.0, 46.0), "fill=\"#59636e\"", subtitle);
    out
}

fn push_escaped(out: &mut String, words: &str) {
    escape::write_xml(out, words).expect("a string takes all that is written to it");
}

fn draw_text(out: &mut String, (x, y): (f64, f64), attributes: &str, words: &str) {
    let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>");
    push_escaped(out, words);
    out.push_str("</text>\n");
}

fn draw_rule(out: &mut String, from: (f64, f64), to: (f64, f64), attributes: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        out,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {attributes}/>"
    );
}

/// Round numbers inside a range: about five, a step of 1, 2 or 5 times a power of ten.
fn choose_ticks(low: f64, high: f64) -> Vec<f64> {
    const WANTED: f64 = 5.0;
    let rough = (high - low) / WANTED;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = step.into_iter().find(|step| *step >= rough).unwrap_or(power);
    let first = (low / step).ceil();
    let ticks = (0..20_u8).map(|number| (first + f64::from(number)) * step);
    ticks.take_while(|value| *value <= high).collect()
}

/// Where a place and a value stand on a course.
struct PlotAxes {
    low: f64,
    high: f64,
    last: usize,
}

impl PlotAxes {
    fn fit(course: &TrendPlot) -> Option<Self> {
        let points: Vec<_> = course.lines.iter().flat_map(|line| &line.points).collect();
        let ends = points.iter().map(|(_, value, ends)| ends.unwrap_or((*value, *value)));
        let low = ends.clone().map(|ends| ends.0).reduce(f64::min)?;
        let high = ends.map(|ends| ends.1).reduce(f64::max)?;
        let last = points.iter().map(|point| point.0).max()?;
        let margin = (0.08 * (high - low)).max(0.02 * high);
        Some(Self { low: (low - margin).max(0.0), high: high + margin, last })
    }

    fn scale_x(&self, place: f64) -> f64 {
        LEFT_MARGIN + (WIDTH - LEFT_MARGIN - RIGHT_MARGIN) * (place / self.last.max(1) as f64)
    }

    fn scale_y(&self, value: f64) -> f64 {
        TOP_MARGIN
            + (TREND_HEIGHT - TOP_MARGIN - BOTTOM_MARGIN) * (self.high - value)
                / (self.high - self.low)
    }
}

fn render_trend_svg(course: &TrendPlot) -> String {
    let mut out = open_svg(TREND_HEIGHT, &course.title, &course.subtitle);
    let Some(axes) = PlotAxes::fit(course) else { return out + "</svg>\n" };
    // The grid, with a label for each line.
    for value in choose_ticks(axes.low, axes.high) {
        let y = axes.scale_y(value);
        draw_rule(&mut out, (LEFT_MARGIN, y), (WIDTH - RIGHT_MARGIN, y), "stroke=\"#dfe3e8\"");
        draw_text(
            &mut out,
            (LEFT_MARGIN - 8.0, y + 4.0),
            "text-anchor=\"end\"",
            &numbers::format_duration(value),
        );
    }
    // The first and the last day.
    let foot = TREND_HEIGHT - BOTTOM_MARGIN + 20.0;
    draw_text(&mut out, (LEFT_MARGIN, foot), "", &course.days.0);
    draw_text(&mut out, (WIDTH - RIGHT_MARGIN, foot), "text-anchor=\"end\"", &course.days.1);
    // A change lies between two nights, so its line is half a step before the first night of the
    // new level.
    for (place, ratio) in &course.changes {
        let x = axes.scale_x(*place as f64 - 0.5);
        let colour = if *ratio > 1.0 { "#b42318" } else { "#146c2e" };
        let style = format!("stroke=\"{colour}\" stroke-dasharray=\"5 3\"");
        draw_rule(&mut out, (x, TOP_MARGIN), (x, TREND_HEIGHT - BOTTOM_MARGIN), &style);
        let fill = format!("fill=\"{colour}\"");
        draw_text(
            &mut out,
            (x + 4.0, TOP_MARGIN + 12.0),
            &fill,
            &numbers::format_signed_percent(ratio - 1.0),
        );
    }
    // The lines of the metrics, and the legend below them.
    for (number, line) in course.lines.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        draw_line(&mut out, &axes, line, colour);
        let x = LEFT_MARGIN + 80.0 * number as f64;
        let y = TREND_HEIGHT - 8.0;
        draw_rule(
            &mut out,
            (x, y - 4.0),
            (x + 18.0, y - 4.0),
            &format!("stroke=\"{colour}\" stroke-width=\"2\""),
        );
        draw_text(&mut out, (x + 24.0, y), "", &line.name);
    }
    out + "</svg>\n"
}

fn draw_line(out: &mut String, axes: &PlotAxes, line: &PlotLine, colour: &str) {
    for stretch in line.points.chunk_by(|a, b| b.0 == a.0 + 1) {
        let ends = stretch.iter().filter_map(|(place, _, ends)| Some((*place as f64, (*ends)?)));
        let upper =
            ends.clone().map(|(place, (_, high))| (axes.scale_x(place), axes.scale_y(high)));
        let lower = ends.rev().map(|(place, (low, _))| (axes.scale_x(place), axes.scale_y(low)));
        let band = build_path(upper.chain(lower));
        let _ = writeln!(out, "<path d=\"{band}\" fill=\"{colour}\" fill-opacity=\"0.14\"/>");
        let course =
            build_path(stretch.iter().map(|p| (axes.scale_x(p.0 as f64), axes.scale_y(p.1))));
        let _ = writeln!(
            out,
            "<path d=\"{course}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" \
             stroke-linejoin=\"round\" stroke-linecap=\"round\"/>"
        );
    }
}

fn build_path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (place, (x, y)) in points.enumerate() {
        let _ = write!(path, "{}{x:.1} {y:.1}", if place == 0 { 'M' } else { 'L' });
    }
    path
}

fn render_comparison_svg(comparison: &ComparisonPlot) -> String {
    let height = TOP_MARGIN + BOTTOM_MARGIN + ROW_HEIGHT * comparison.rows.len() as f64;
    let subtitle = "change of the level with its 95 % interval; to the right is slower";
    let mut out = open_svg(height, &comparison.title, subtitle);
    // The scale reaches equally far to both sides of "no change", far enough for every interval.
    let intervals = comparison.rows.iter().map(|(_, ratio, ends)| ends.unwrap_or((*ratio, *ratio)));
    let reach = intervals
        .clone()
        .map(|(low, high)| (low - 1.0).abs().max((high - 1.0).abs()))
        .fold(0.02, f64::max);
    let (start, end) = (NAME_WIDTH + 24.0, WIDTH - 96.0);
    let scale_x = |ratio: f64| start + (end - start) * ((ratio - 1.0) / reach + 1.0) / 2.0;
    for share in choose_ticks(-reach, reach) {
        let at = scale_x(1.0 + share);
        let style = if share.abs() < 1e-12 { "stroke=\"#59636e\"" } else { "stroke=\"#dfe3e8\"" };
        draw_rule(&mut out, (at, TOP_MARGIN), (at, height - BOTTOM_MARGIN), style);
        let words = numbers::format_signed_percent(share);
        draw_text(&mut out, (at, height - BOTTOM_MARGIN + 18.0), "text-anchor=\"middle\"", &words);
    }
    // One row per benchmark: its name, the interval as a line, the change as a dot and in words.
    for (number, ((name, ratio, _), (low, high))) in
        comparison.rows.iter().zip(intervals).enumerate()
    {
        let y = TOP_MARGIN + ROW_HEIGHT * (number as f64 + 0.5);
        let name = shorten(name, NAME_LENGTH);
        draw_text(&mut out, (NAME_WIDTH + 12.0, y + 4.0), "text-anchor=\"end\"", &name);
        let colour = match () {
            () if low > 1.0 => "#b42318",
            () if high < 1.0 => "#146c2e",
            () => "#59636e",
        };
        draw_rule(
            &mut out,
            (scale_x(low), y),
            (scale_x(high), y),
            &format!("stroke=\"{colour}\" stroke-width=\"2\""),
        );
        let _ = writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>",
            scale_x(*ratio)
        );
        draw_text(
            &mut out,
            (WIDTH - 20.0, y + 4.0),
            "text-anchor=\"end\"",
            &numbers::format_signed_percent(ratio - 1.0),
        );
    }
    out + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(choose_ticks(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(choose_ticks(97.0, 112.0), [100.0, 105.0, 110.0]);
    }

    #[test]
    fn a_hostile_name_stays_text() {
        let course = TrendPlot {
            title: "</title><script>alert(1)</script>".to_owned(),
            subtitle: "\"><img src=x>".to_owned(),
            days: ("a".to_owned(), "b".to_owned()),
            lines: vec![PlotLine {
                name: "<b>".to_owned(),
                points: vec![(0, 1.0, None), (1, 2.0, None)],
            }],
            changes: vec![(1, 2.0)],
        };
        let svg = render_svg(&Plot::Trend(course));
        assert!(!svg.contains("<script") && !svg.contains("<img") && !svg.contains("<b>"), "{svg}");
    }
}
