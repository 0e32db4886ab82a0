//! Charts to keep, for papers and wikis: SVG with its colours in it, black on white.

#[cfg(feature = "png")]
mod png;

use std::fmt::Write as _;

#[cfg(feature = "png")]
pub(crate) use png::png;

use super::{escape, filters};

const WIDTH: f64 = 800.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 44.0;
const COURSE_HEIGHT: f64 = 400.0;
const ROW: f64 = 26.0;
const NAME_WIDTH: f64 = 300.0;
/// A name of so many characters fits beside the dots.
const NAME_LENGTH: usize = 42;

/// Common fonts; wikis and papers embed their own.
const FONT: &str = "DejaVu Sans, Verdana, sans-serif";

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Figure {
    /// A benchmark over its runs.
    Course(Course),
    /// Many benchmarks against an earlier level.
    Comparison(Comparison),
}

/// Lower and upper end of an interval, where one is known.
pub(crate) type Ends = Option<(f64, f64)>;

/// A benchmark over its runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Course {
    /// The benchmark.
    pub(crate) title: String,
    /// Host and range.
    pub(crate) subtitle: String,
    /// First and last day.
    pub(crate) days: (String, String),
    /// One line a metric.
    pub(crate) lines: Vec<Line>,
    /// Places of change points, between the runs `x − 1` and `x`, with their ratio.
    pub(crate) changes: Vec<(usize, f64)>,
}

/// One metric: a value in nanoseconds for each run that has one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// Its name.
    pub(crate) name: String,
    /// Place, value, and interval; a line is broken where places are left out.
    pub(crate) points: Vec<(usize, f64, Ends)>,
}

/// Many benchmarks against an earlier level.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// What is compared with what.
    pub(crate) title: String,
    /// Name, ratio and interval of each.
    pub(crate) rows: Vec<(String, f64, Ends)>,
}

/// The chart as SVG.
pub(crate) fn svg(figure: &Figure) -> String {
    match figure {
        Figure::Course(course) => course_svg(course),
        Figure::Comparison(comparison) => comparison_svg(comparison),
    }
}

const COLOURS: [&str; 4] = ["#0b62c4", "#b45309", "#a21caf", "#0f766e"];

fn open(height: f64, title: &str, subtitle: &str) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"{FONT}\" font-size=\"12\" fill=\"#1b1f24\">\n<title>"
    );
    let title = filters::shortened(title, 80);
    push(&mut out, &title);
    out.push_str("</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
    text(&mut out, (LEFT - 60.0, 26.0), "font-size=\"16\" font-weight=\"bold\"", &title);
    text(&mut out, (LEFT - 60.0, 46.0), "fill=\"#59636e\"", subtitle);
    out
}

fn push(out: &mut String, words: &str) {
    escape::xml(out, words).expect("a string takes all that is written to it");
}

fn text(out: &mut String, (x, y): (f64, f64), attributes: &str, words: &str) {
    let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>");
    push(out, words);
    out.push_str("</text>\n");
}

fn rule(out: &mut String, from: (f64, f64), to: (f64, f64), attributes: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        out,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {attributes}/>"
    );
}

/// Round numbers inside a range: about five, a step of 1, 2 or 5 times a power of ten.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    const WANTED: f64 = 5.0;
    let rough = (high - low) / WANTED;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = step.into_iter().find(|step| *step >= rough).unwrap_or(power);
    let first = (low / step).ceil();
    let place = |number: u8| (first + f64::from(number)) * step;
    (0..20).map(place).take_while(|value| *value <= high).collect()
}

/// Where a place and a value stand on a course.
struct Axes {
    low: f64,
    high: f64,
    last: usize,
}

impl Axes {
    fn of(course: &Course) -> Option<Self> {
        let ends =
            |(_, value, ends): &(usize, f64, Option<(f64, f64)>)| ends.unwrap_or((*value, *value));
        let points = || course.lines.iter().flat_map(|line| &line.points);
        let low = points().map(ends).map(|ends| ends.0).reduce(f64::min)?;
        let high = points().map(ends).map(|ends| ends.1).reduce(f64::max)?;
        let last = points().map(|point| point.0).max()?;
        let margin = (0.08 * (high - low)).max(0.02 * high);
        Some(Self { low: (low - margin).max(0.0), high: high + margin, last })
    }

    fn x(&self, place: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (place / self.last.max(1) as f64)
    }

    fn y(&self, value: f64) -> f64 {
        TOP + (COURSE_HEIGHT - TOP - BOTTOM) * (self.high - value) / (self.high - self.low)
    }
}

fn course_svg(course: &Course) -> String {
    let mut out = open(COURSE_HEIGHT, &course.title, &course.subtitle);
    let Some(axes) = Axes::of(course) else { return out + "</svg>\n" };
    for value in ticks(axes.low, axes.high) {
        let y = axes.y(value);
        rule(&mut out, (LEFT, y), (WIDTH - RIGHT, y), "stroke=\"#dfe3e8\"");
        text(&mut out, (LEFT - 8.0, y + 4.0), "text-anchor=\"end\"", &filters::duration(value));
    }
    let foot = COURSE_HEIGHT - BOTTOM + 20.0;
    text(&mut out, (LEFT, foot), "", &course.days.0);
    text(&mut out, (WIDTH - RIGHT, foot), "text-anchor=\"end\"", &course.days.1);
    for (place, ratio) in &course.changes {
        let x = axes.x(*place as f64 - 0.5);
        let colour = if *ratio > 1.0 { "#b42318" } else { "#146c2e" };
        let style = format!("stroke=\"{colour}\" stroke-dasharray=\"5 3\"");
        rule(&mut out, (x, TOP), (x, COURSE_HEIGHT - BOTTOM), &style);
        let fill = format!("fill=\"{colour}\"");
        text(&mut out, (x + 4.0, TOP + 12.0), &fill, &filters::signed(ratio - 1.0));
    }
    for (number, line) in course.lines.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        draw_line(&mut out, &axes, line, colour);
        let x = LEFT + 80.0 * number as f64;
        let y = COURSE_HEIGHT - 8.0;
        rule(
            &mut out,
            (x, y - 4.0),
            (x + 18.0, y - 4.0),
            &format!("stroke=\"{colour}\" stroke-width=\"2\""),
        );
        text(&mut out, (x + 24.0, y), "", &line.name);
    }
    out + "</svg>\n"
}

fn draw_line(out: &mut String, axes: &Axes, line: &Line, colour: &str) {
    for stretch in line.points.chunk_by(|a, b| b.0 == a.0 + 1) {
        let ends = stretch.iter().filter_map(|(place, _, ends)| Some((*place as f64, (*ends)?)));
        let upper = ends.clone().map(|(place, (_, high))| (axes.x(place), axes.y(high)));
        let lower = ends.rev().map(|(place, (low, _))| (axes.x(place), axes.y(low)));
        let band = path(upper.chain(lower));
        let _ = writeln!(out, "<path d=\"{band}\" fill=\"{colour}\" fill-opacity=\"0.14\"/>");
        let course = path(stretch.iter().map(|p| (axes.x(p.0 as f64), axes.y(p.1))));
        let _ = writeln!(
            out,
            "<path d=\"{course}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" \
             stroke-linejoin=\"round\" stroke-linecap=\"round\"/>"
        );
    }
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (place, (x, y)) in points.enumerate() {
        let _ = write!(path, "{}{x:.1} {y:.1}", if place == 0 { 'M' } else { 'L' });
    }
    path
}

fn comparison_svg(comparison: &Comparison) -> String {
    let height = TOP + BOTTOM + ROW * comparison.rows.len() as f64;
    let subtitle = "change of the level with its 95 % interval; to the right is slower";
    let mut out = open(height, &comparison.title, subtitle);
    let ends =
        |(_, ratio, ends): &(String, f64, Option<(f64, f64)>)| ends.unwrap_or((*ratio, *ratio));
    let far = comparison.rows.iter().map(ends);
    let reach =
        far.map(|(low, high)| (low - 1.0).abs().max((high - 1.0).abs())).fold(0.02, f64::max);
    let (start, end) = (NAME_WIDTH + 24.0, WIDTH - 96.0);
    let x = |ratio: f64| start + (end - start) * ((ratio - 1.0) / reach + 1.0) / 2.0;
    for share in ticks(-reach, reach) {
        let at = x(1.0 + share);
        let style = if share.abs() < 1e-12 { "stroke=\"#59636e\"" } else { "stroke=\"#dfe3e8\"" };
        rule(&mut out, (at, TOP), (at, height - BOTTOM), style);
        let words = filters::signed(share);
        text(&mut out, (at, height - BOTTOM + 18.0), "text-anchor=\"middle\"", &words);
    }
    for (number, row) in comparison.rows.iter().enumerate() {
        let y = TOP + ROW * (number as f64 + 0.5);
        let (name, ratio, (low, high)) = (&row.0, row.1, ends(row));
        let name = filters::shortened(name, NAME_LENGTH);
        text(&mut out, (NAME_WIDTH + 12.0, y + 4.0), "text-anchor=\"end\"", &name);
        let colour = match () {
            () if low > 1.0 => "#b42318",
            () if high < 1.0 => "#146c2e",
            () => "#59636e",
        };
        rule(
            &mut out,
            (x(low), y),
            (x(high), y),
            &format!("stroke=\"{colour}\" stroke-width=\"2\""),
        );
        let _ = writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>",
            x(ratio)
        );
        text(
            &mut out,
            (WIDTH - 20.0, y + 4.0),
            "text-anchor=\"end\"",
            &filters::signed(ratio - 1.0),
        );
    }
    out + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(97.0, 112.0), [100.0, 105.0, 110.0]);
    }

    #[test]
    fn a_hostile_name_stays_text() {
        let course = Course {
            title: "</title><script>alert(1)</script>".to_owned(),
            subtitle: "\"><img src=x>".to_owned(),
            days: ("a".to_owned(), "b".to_owned()),
            lines: vec![Line {
                name: "<b>".to_owned(),
                points: vec![(0, 1.0, None), (1, 2.0, None)],
            }],
            changes: vec![(1, 2.0)],
        };
        let svg = svg(&Figure::Course(course));
        assert!(!svg.contains("<script") && !svg.contains("<img") && !svg.contains("<b>"), "{svg}");
    }
}
