//! The report as one self-contained HTML page, without scripts and without network access.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minijinja::{Value, context};
use sha2::{Digest as _, Sha256};

use super::{RenderError, chart, flame, render_template, serialize_report};
use crate::report::{Report, ReportRow};

/// Maximum number of charts. The worst benchmarks get them; with more, the page is too large for
/// browsers.
const MAX_CHARTS: usize = 300;
/// Maximum number of rows in the tables; with more, the page is too large for browsers.
const MAX_ROWS: usize = 5_000;
/// Maximum number of rows in a table of figures that is not folded away.
const MAX_OPEN_FIGURES: usize = 30;
/// Maximum number of flame graphs. The worst benchmarks get them.
const MAX_FLAME_GRAPHS: usize = 20;
/// The style sheet of the page.
pub(super) const STYLE: &str = include_str!("../../templates/report.css");

/// Returns the report as one HTML page. Fails if the template and its values do not fit.
pub(crate) fn render_html(report: &Report<'_>) -> Result<String, RenderError> {
    let total = report.notable.len() + report.folded.len();
    let notable = &report.notable[..report.notable.len().min(MAX_ROWS)];
    let folded = &report.folded[..report.folded.len().min(MAX_ROWS - notable.len())];
    let chart_count = notable.len().min(MAX_CHARTS);
    render_template(
        "report.html.j2",
        context! {
            report => serialize_report(report),
            style => Value::from_safe_string(STYLE.to_owned()),
            style_hash => hash_style(),
            plot => chart::draw_ratio_plot(report.rows()),
            notable => row_values(notable, chart_count),
            folded => row_values(folded, MAX_CHARTS - chart_count),
            figures_open => report.figures.row_count <= MAX_OPEN_FIGURES,
            figures_rows => list_measured(notable.iter().chain(folded)),
            left_out => total - notable.len() - folded.len(),
            uncharted => total.saturating_sub(MAX_CHARTS),
        },
    )
}

/// Returns the rows as values for the template. The first `charts` of them have charts.
fn row_values(rows: &[ReportRow<'_>], charts: usize) -> Value {
    let mut flames_left = MAX_FLAME_GRAPHS;
    let drawn = rows.iter().enumerate().map(|(place, row)| {
        let distribution = if place < charts { chart::draw_distribution(row) } else { None };
        let is_open = row.is_reason && row.is_notable();
        let explanation = row.explanation.as_ref().filter(|_| flames_left > 0);
        let flame = explanation.and_then(|it| flame::draw_on_page(it.stacks));
        flames_left -= usize::from(flame.is_some());
        context! { row, distribution, is_open, flame, is_charted => place < charts }
    });
    drawn.collect()
}

/// Returns the rows that have figures, as values for the template.
fn list_measured<'a>(rows: impl Iterator<Item = &'a ReportRow<'a>>) -> Value {
    rows.filter(|row| row.candidate.is_some()).map(Value::from_serialize).collect()
}

/// Returns the base64 SHA-256 hash by which the content security policy allows the style.
pub(super) fn hash_style() -> String {
    BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()))
}
