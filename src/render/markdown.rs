//! The report for pull requests. It always contains the verdict and its first reasons; the tables
//! get as many rows as fit.

use std::collections::HashSet;

use minijinja::{Value, context};

use super::{RenderError, list_explained, render_template, serialize_report, serialize_rows};
use crate::decision::BaselineKind;
use crate::report::{Report, ReportRow};

/// Maximum length of a comment in bytes. GitHub refuses more than 65,535, and `publish` adds a state.
pub(crate) const COMMENT_LIMIT: usize = 60_000;
/// Maximum number of reasons with a sentence of their own; the same for waivers.
const MAX_SENTENCES: usize = 3;
/// Maximum number of rows in a table of figures that is not folded away.
const MAX_OPEN_FIGURES: usize = 12;
/// Lower bound on the length of a row in bytes. It limits how many rows are tried.
const SHORTEST_ROW: usize = 60;

/// Returns the report as Markdown that begins with its marker, as [`render_markdown_body`] does.
///
/// # Errors
///
/// Fails if the template and its values do not fit.
pub(crate) fn render_markdown(report: &Report<'_>, limit: usize) -> Result<String, RenderError> {
    let marker = format_comment_marker(&report.id) + "\n";
    let body = render_markdown_body(report, limit.saturating_sub(marker.len()))?;
    Ok(marker + &body)
}

/// Returns the report as Markdown of at most `limit` bytes, unless the part without tables is
/// longer. There is no marker.
///
/// # Errors
///
/// Fails if the template and its values do not fit.
pub(crate) fn render_markdown_body(
    report: &Report<'_>,
    limit: usize,
) -> Result<String, RenderError> {
    // The table of changes comes first. The table of figures gets the room that it leaves.
    let rows = count_changes(report);
    let (shown, page) =
        fit_rows(rows, limit, |shown| render_with_rows(report, RowCounts { shown, figures: 0 }))?;
    let measured = report.rows().filter(|row| row.candidate.is_some()).count();
    if shown < rows || measured == 0 {
        return Ok(page);
    }
    let (figures, with_figures) = fit_rows(measured, limit, |figures| {
        render_with_rows(report, RowCounts { shown, figures })
    })?;
    Ok(if figures == 0 { page } else { with_figures })
}

/// Numbers of rows that a page has.
#[derive(Clone, Copy, Debug)]
struct RowCounts {
    /// Rows in the tables of changes.
    shown: usize,
    /// Rows in the table of figures.
    figures: usize,
}

/// Returns the number of rows that the tables of changes can have. Without a baseline, the folded
/// rows are all new, so that a table of their changes would be empty.
fn count_changes(report: &Report<'_>) -> usize {
    let is_compared = report.baseline.kind != BaselineKind::None;
    report.notable.len() + if is_compared { report.folded.len() } else { 0 }
}

/// Finds the largest number of rows, up to `total`, with which the page fits, and renders it. The
/// page without rows is returned even if it is longer than `limit`.
fn fit_rows(
    total: usize,
    limit: usize,
    render: impl Fn(usize) -> Result<String, RenderError>,
) -> Result<(usize, String), RenderError> {
    // Try all rows first. If they do not fit, search by bisection: `fits` rows fit, and `too_many`
    // rows do not.
    let most = total.min(limit / SHORTEST_ROW);
    let page = render(most)?;
    if page.len() <= limit {
        return Ok((most, page));
    }
    let (mut fits, mut too_many) = (0, most);
    let mut page = render(0)?;
    while too_many - fits > 1 {
        let tried = fits + (too_many - fits) / 2;
        let candidate = render(tried)?;
        if candidate.len() <= limit {
            (fits, page) = (tried, candidate);
        } else {
            too_many = tried;
        }
    }
    Ok((fits, page))
}

/// Renders the report with the first rows of its tables, the worst first.
fn render_with_rows(report: &Report<'_>, counts: RowCounts) -> Result<String, RenderError> {
    let notable = &report.notable[..report.notable.len().min(counts.shown)];
    let folded = &report.folded[..report.folded.len().min(counts.shown - notable.len())];
    let measured = report.rows().filter(|row| row.candidate.is_some());
    let waived_rows = select_first_waived(report);
    render_template(
        "comment.md.j2",
        context! {
            report => serialize_report(report),
            reasons => serialize_rows(&select_first_reasons(report)),
            more_reasons => report.reasons.saturating_sub(MAX_SENTENCES),
            more_accepted => report.counts.accepted.saturating_sub(waived_rows.len()),
            accepted => serialize_rows(&waived_rows),
            explained => list_explained(report),
            notable => serialize_rows(notable),
            folded => serialize_rows(folded),
            figures_rows => measured.take(counts.figures).map(Value::from_serialize).collect::<Value>(),
            figures_open => counts.figures <= MAX_OPEN_FIGURES,
            left_out => count_changes(report) - notable.len() - folded.len(),
        },
    )
}

/// Returns the first rows that are a reason for the verdict.
fn select_first_reasons<'a>(report: &Report<'a>) -> Vec<ReportRow<'a>> {
    let reasons = report.notable.iter().filter(|row| row.is_reason);
    reasons.take(MAX_SENTENCES).cloned().collect()
}

/// Returns one benchmark for each of the first distinct reasons of waivers.
fn select_first_waived<'a>(report: &Report<'a>) -> Vec<ReportRow<'a>> {
    let mut seen = HashSet::new();
    let first = report
        .notable
        .iter()
        .filter(|row| row.waiver.is_some_and(|waiver| seen.insert(waiver.reason)));
    first.take(MAX_SENTENCES).cloned().collect()
}

/// Returns the marker: the first line of a comment, by which `publish` finds its own comment.
///
/// `id` is cut to 100 characters. Characters that could end the HTML comment become hyphens.
pub(crate) fn format_comment_marker(id: &str) -> String {
    let characters = id.chars().take(100).map(|c| match c {
        '.' | '_' | '/' => c,
        _ if c.is_ascii_alphanumeric() => c,
        _ => '-',
    });
    let id: String = characters.collect();
    format!("<!-- perfgate:{id} -->")
}
