//! For pull requests: the verdict and its reasons always fit, the tables as far as there is room.

use std::collections::HashSet;

use minijinja::context;

use super::{RenderError, fill, head, values_of};
use crate::report::{Report, Row};

/// Characters of a comment; GitHub refuses more than 65,536.
pub(crate) const COMMENT_LIMIT: usize = 60_000;
/// Reasons that are told in a sentence of their own.
const SENTENCES: usize = 3;
/// No row is shorter than this, so that more of them need not be tried.
const SHORTEST_ROW: usize = 60;

/// The report as Markdown of at most `limit` characters.
pub(crate) fn markdown(report: &Report<'_>, limit: usize) -> Result<String, RenderError> {
    let total = report.notable.len() + report.folded.len();
    // The largest number of rows that fits lies between these two.
    let (mut fits, mut too_many) = (0, total.min(limit / SHORTEST_ROW) + 1);
    let mut page = with_rows(report, too_many - 1)?;
    if page.chars().count() <= limit {
        return Ok(page);
    }
    too_many -= 1;
    page = with_rows(report, 0)?;
    while too_many - fits > 1 {
        let tried = fits + (too_many - fits) / 2;
        let candidate = with_rows(report, tried)?;
        if candidate.chars().count() <= limit {
            (fits, page) = (tried, candidate);
        } else {
            too_many = tried;
        }
    }
    Ok(page)
}

/// With so many rows in the tables, the worst first.
fn with_rows(report: &Report<'_>, rows: usize) -> Result<String, RenderError> {
    let notable = &report.notable[..report.notable.len().min(rows)];
    let folded = &report.folded[..report.folded.len().min(rows - notable.len())];
    let accepted = first_accepted(report);
    fill(
        "comment.md.j2",
        context! {
            report => head(report),
            marker => marker(&report.id),
            reasons => values_of(&first_reasons(report)),
            more_reasons => report.reasons.saturating_sub(SENTENCES),
            more_accepted => report.counts.accepted.saturating_sub(accepted.len()),
            accepted => values_of(&accepted),
            notable => values_of(notable),
            folded => values_of(folded),
            left_out => report.notable.len() + report.folded.len() - notable.len() - folded.len(),
        },
    )
}

fn first_reasons<'a>(report: &Report<'a>) -> Vec<Row<'a>> {
    let reasons = report.notable.iter().filter(|row| row.is_reason);
    reasons.take(SENTENCES).cloned().collect()
}

/// One benchmark for each reason that something was accepted for.
fn first_accepted<'a>(report: &Report<'a>) -> Vec<Row<'a>> {
    let mut seen = HashSet::new();
    let first = report
        .notable
        .iter()
        .filter(|row| row.waiver.is_some_and(|waiver| seen.insert(waiver.reason)));
    first.take(SENTENCES).cloned().collect()
}

/// `publish` finds its own comment by it, so that nothing in it may end the HTML comment.
fn marker(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/');
    id.chars().take(100).map(|c| if plain(c) { c } else { '-' }).collect()
}
