//! The layout of the trend pages: self-contained HTML that runs only its own scripts.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fmt::Write as _;
use std::sync::LazyLock;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{RenderError, escape, filters};

const TREND_TEMPLATES: [(&str, &str); 4] = [
    ("trend/_page.html.j2", include_str!("../../templates/trend/_page.html.j2")),
    ("trend/overview.html.j2", include_str!("../../templates/trend/overview.html.j2")),
    ("trend/benchmark.html.j2", include_str!("../../templates/trend/benchmark.html.j2")),
    ("trend/run.html.j2", include_str!("../../templates/trend/run.html.j2")),
];
const STYLE: &str = include_str!("../../templates/trend/style.css");
const OVERVIEW_SCRIPT: &str = include_str!("../../templates/trend/overview.js");
const BENCHMARK_SCRIPT: &str = include_str!("../../templates/trend/benchmark.js");
const UPLOT_SCRIPT: &str = include_str!("../../assets/uplot/uPlot.iife.min.js");
const UPLOT_STYLE: &str = include_str!("../../assets/uplot/uPlot.min.css");

/// Width and height of a sparkline, in its own units.
const SPARKLINE_SIZE: (f64, f64) = (120.0, 28.0);

/// Smallest share of the level that a sparkline spans, so that noise does not look like a change.
const MIN_SPAN: f64 = 0.04;

/// Kind of a trend page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageLayout {
    /// All benchmarks.
    Overview,
    /// One benchmark.
    Benchmark,
    /// One run.
    Run,
}

impl PageLayout {
    fn template(self) -> &'static str {
        match self {
            Self::Overview => "trend/overview.html.j2",
            Self::Benchmark => "trend/benchmark.html.j2",
            Self::Run => "trend/run.html.j2",
        }
    }

    fn scripts(self) -> &'static [&'static str] {
        match self {
            Self::Overview => &[OVERVIEW_SCRIPT],
            Self::Benchmark => &[UPLOT_SCRIPT, BENCHMARK_SCRIPT],
            Self::Run => &[],
        }
    }

    fn styles(self) -> &'static [&'static str] {
        match self {
            Self::Benchmark => &[STYLE, UPLOT_STYLE],
            Self::Overview | Self::Run => &[STYLE],
        }
    }
}

/// The parts of a page that are the same for all pages of a kind.
#[derive(Serialize)]
struct PageFrame {
    policy: String,
    scripts: Vec<&'static str>,
    styles: Vec<&'static str>,
}

static TREND_ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(escape::write_escaped);
    filters::register_filters(&mut environment);
    environment
        .add_filter("sparkline", |lns: Vec<f64>| Value::from_safe_string(draw_sparkline(&lns)));
    environment.add_filter("spark_places", locate_spark_marks);
    for (name, source) in TREND_TEMPLATES {
        environment.add_template(name, source).expect("the embedded templates are tested");
    }
    environment
});

static PAGE_FRAMES: LazyLock<[PageFrame; 3]> = LazyLock::new(|| {
    [PageLayout::Overview, PageLayout::Benchmark, PageLayout::Run].map(|layout| PageFrame {
        policy: build_content_policy(layout.scripts(), layout.styles()),
        scripts: layout.scripts().to_vec(),
        styles: layout.styles().to_vec(),
    })
});

static LAYOUT_VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    let texts = [STYLE, OVERVIEW_SCRIPT, BENCHMARK_SCRIPT, UPLOT_SCRIPT, UPLOT_STYLE];
    for text in TREND_TEMPLATES.iter().map(|(_, text)| *text).chain(texts) {
        hash.update(text);
    }
    BASE64_STANDARD.encode(hash.finalize())
});

/// Returns a hash that changes when the layout, and so a page of the same values, changes.
pub(crate) fn compute_layout_version() -> &'static str {
    &LAYOUT_VERSION
}

/// Returns the HTML of the page of `values`. Fails if the values do not fit the template.
pub(crate) fn render_page(
    layout: PageLayout,
    values: &impl Serialize,
) -> Result<String, RenderError> {
    let frame = Value::from_serialize(&PAGE_FRAMES[layout as usize]);
    let values = Value::from_serialize(values);
    let template = TREND_ENVIRONMENT.get_template(layout.template())?;
    Ok(template.render(context! { frame, page => values })?)
}

/// Returns the content security policy of a page: it loads nothing and runs only these scripts.
fn build_content_policy(scripts: &[&str], styles: &[&str]) -> String {
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; \
         form-action 'none'",
        list_hashes(scripts),
        list_hashes(styles)
    )
}

/// Returns the hashes of `texts` as sources of a content policy, or `'none'` without texts.
fn list_hashes(texts: &[&str]) -> String {
    let hashes = texts
        .iter()
        .map(|text| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text))));
    let hashes: Vec<String> = hashes.collect();
    if hashes.is_empty() { "'none'".to_owned() } else { hashes.join(" ") }
}

fn scale_spark_x(place: usize, count: usize) -> f64 {
    place as f64 * SPARKLINE_SIZE.0 / count.saturating_sub(1).max(1) as f64
}

/// Returns the SVG path of a line through evenly spaced logarithms, the largest at the top.
fn draw_sparkline(lns: &[f64]) -> String {
    let low = lns.iter().copied().fold(f64::INFINITY, f64::min);
    let high = lns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = (high - low).max(MIN_SPAN);
    let bottom = (high + low - span) / 2.0;
    let mut path = String::new();
    for (place, ln) in lns.iter().enumerate() {
        let y = 1.0 + (SPARKLINE_SIZE.1 - 2.0) * (1.0 - (ln - bottom) / span);
        let command = if place == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{:.1} {y:.1}", scale_spark_x(place, lns.len()));
    }
    path
}

/// Returns the x coordinates of marks in a sparkline of `count` points.
///
/// Each mark is halfway between the point at its place and the point before it.
fn locate_spark_marks(places: Vec<usize>, count: usize) -> Vec<String> {
    let marks = places.into_iter().map(|place| {
        let before = scale_spark_x(place - 1, count);
        format!("{:.1}", f64::midpoint(scale_spark_x(place, count), before))
    });
    marks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_of_noise_stays_in_the_middle() {
        assert_eq!(draw_sparkline(&[0.0, 0.0]), "M0.0 14.0L120.0 14.0");
        assert_eq!(draw_sparkline(&[0.0, 1.0]), "M0.0 27.0L120.0 1.0");
    }
}
