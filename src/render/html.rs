//! The report as one self-contained HTML page, without scripts and without network access.

use minijinja::{Value, context};
use sha2::{Digest as _, Sha256};

use super::{RenderError, chart, render_template, serialize_report};
use crate::report::{Report, ReportRow};

/// Maximum number of charts. The worst benchmarks get them; with more, the page is too large for
/// browsers.
const MOST_CHARTS: usize = 300;
/// Maximum number of rows in the tables; with more, the page is too large for browsers.
const MOST_ROWS: usize = 5_000;
/// The style sheet of the page.
const STYLE: &str = include_str!("../../templates/report.css");

/// Returns the report as one HTML page. Fails if the template and its values do not fit.
pub(crate) fn render_html(report: &Report<'_>) -> Result<String, RenderError> {
    let total = report.notable.len() + report.folded.len();
    let notable = &report.notable[..report.notable.len().min(MOST_ROWS)];
    let folded = &report.folded[..report.folded.len().min(MOST_ROWS - notable.len())];
    let chart_count = notable.len().min(MOST_CHARTS);
    render_template(
        "report.html.j2",
        context! {
            report => serialize_report(report),
            style => Value::from_safe_string(STYLE.to_owned()),
            style_hash => hash_style(),
            plot => chart::draw_ratio_plot(report.rows()),
            notable => row_values(notable, chart_count),
            folded => row_values(folded, MOST_CHARTS - chart_count),
            left_out => total - notable.len() - folded.len(),
            uncharted => total.saturating_sub(MOST_CHARTS),
        },
    )
}

/// Returns the rows as values for the template. The first `charts` of them have charts.
fn row_values(rows: &[ReportRow<'_>], charts: usize) -> Value {
    let drawn = rows.iter().enumerate().map(|(place, row)| {
        let distribution = if place < charts { chart::draw_distribution(row) } else { None };
        context! { row, distribution, is_charted => place < charts }
    });
    drawn.collect()
}

/// Returns the base64 SHA-256 hash by which the content security policy allows the style.
fn hash_style() -> String {
    encode_base64(&Sha256::digest(STYLE.as_bytes()))
}

fn encode_base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) as usize & 63;
            text.push(if place <= group.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}
