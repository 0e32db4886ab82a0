//! For pull requests: the verdict and its reasons always fit, the tables as far as there is room.

use std::collections::HashSet;

use minijinja::context;

use super::{RenderError, render_template, serialize_report, serialize_rows};
use crate::report::{Report, ReportRow};

/// Characters of a comment; GitHub refuses more than 65,536.
pub(crate) const COMMENT_LIMIT: usize = 60_000;
/// Reasons that are told in a sentence of their own.
const MOST_SENTENCES: usize = 3;
/// No row is shorter than this, so that more of them need not be tried.
const SHORTEST_ROW: usize = 60;

/// The report as Markdown of at most `limit` characters.
pub(crate) fn render_markdown(report: &Report<'_>, limit: usize) -> Result<String, RenderError> {
    let total = report.notable.len() + report.folded.len();
    // The largest number of rows that fits lies between these two.
    let (mut fits, mut too_many) = (0, total.min(limit / SHORTEST_ROW) + 1);
    let mut page = render_with_rows(report, too_many - 1)?;
    if page.chars().count() <= limit {
        return Ok(page);
    }
    too_many -= 1;
    page = render_with_rows(report, 0)?;
    while too_many - fits > 1 {
        let tried = fits + (too_many - fits) / 2;
        let candidate = render_with_rows(report, tried)?;
        if candidate.chars().count() <= limit {
            (fits, page) = (tried, candidate);
        } else {
            too_many = tried;
        }
    }
    Ok(page)
}

/// With so many rows in the tables, the worst first.
fn render_with_rows(report: &Report<'_>, rows: usize) -> Result<String, RenderError> {
    let notable = &report.notable[..report.notable.len().min(rows)];
    let folded = &report.folded[..report.folded.len().min(rows - notable.len())];
    let waived_rows = select_first_waived(report);
    render_template(
        "comment.md.j2",
        context! {
            report => serialize_report(report),
            marker => sanitize_marker_id(&report.id),
            reasons => serialize_rows(&select_first_reasons(report)),
            more_reasons => report.reasons.saturating_sub(MOST_SENTENCES),
            more_accepted => report.counts.accepted.saturating_sub(waived_rows.len()),
            accepted => serialize_rows(&waived_rows),
            notable => serialize_rows(notable),
            folded => serialize_rows(folded),
            left_out => report.notable.len() + report.folded.len() - notable.len() - folded.len(),
        },
    )
}

fn select_first_reasons<'a>(report: &Report<'a>) -> Vec<ReportRow<'a>> {
    let reasons = report.notable.iter().filter(|row| row.is_reason);
    reasons.take(MOST_SENTENCES).cloned().collect()
}

/// One benchmark for each reason that something was accepted for.
fn select_first_waived<'a>(report: &Report<'a>) -> Vec<ReportRow<'a>> {
    let mut seen = HashSet::new();
    let first = report
        .notable
        .iter()
        .filter(|row| row.waiver.is_some_and(|waiver| seen.insert(waiver.reason)));
    first.take(MOST_SENTENCES).cloned().collect()
}

/// `publish` finds its own comment by it, so that nothing in it may end the HTML comment.
fn sanitize_marker_id(id: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/');
    id.chars().take(100).map(|c| if is_plain(c) { c } else { '-' }).collect()
}
