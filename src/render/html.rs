//! One self-contained page: no script, no network, its own style and nothing else.

use minijinja::{Value, context};
use sha2::{Digest as _, Sha256};

use super::{RenderError, chart, fill, head};
use crate::report::{Report, Row};

/// Charts are drawn for the worst benchmarks; more would make a page that no browser likes.
const MOST_CHARTS: usize = 300;
/// Rows of a table that a browser still likes.
const MOST_ROWS: usize = 5_000;
/// The whole style of the page.
const STYLE: &str = include_str!("../../templates/report.css");

/// The report as one HTML page.
pub(crate) fn html(report: &Report<'_>) -> Result<String, RenderError> {
    let total = report.notable.len() + report.folded.len();
    let notable = &report.notable[..report.notable.len().min(MOST_ROWS)];
    let folded = &report.folded[..report.folded.len().min(MOST_ROWS - notable.len())];
    let charted = notable.len().min(MOST_CHARTS);
    fill(
        "report.html.j2",
        context! {
            report => head(report),
            style => Value::from_safe_string(STYLE.to_owned()),
            style_hash => style_hash(),
            plot => chart::ratio_plot(report.rows()),
            notable => drawn(notable, charted),
            folded => drawn(folded, MOST_CHARTS - charted),
            left_out => total - notable.len() - folded.len(),
            uncharted => total.saturating_sub(MOST_CHARTS),
        },
    )
}

/// The rows, the first of them with their charts.
fn drawn(rows: &[Row<'_>], charts: usize) -> Value {
    let drawn = rows.iter().enumerate().map(|(place, row)| {
        let distribution = if place < charts { chart::distribution(row) } else { None };
        context! { row, distribution, is_charted => place < charts }
    });
    drawn.collect()
}

/// What the content policy knows the style by.
fn style_hash() -> String {
    base64(&Sha256::digest(STYLE.as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
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
