//! The report for terminals: aligned columns, colour only if requested.

use minijinja::{Value, context};
use unicode_width::UnicodeWidthStr;

use super::{RenderError, list_explained, render_template, serialize_report, serialize_rows};
use crate::report::Report;

/// Maximum number of rows, so that the whole report fits on a screen. If there are more, the text names
/// the formats that show all of them.
const MAX_ROWS: usize = 20;
/// Maximum number of rows of the table of figures.
const MAX_FIGURE_ROWS: usize = 20;
/// Number of spaces between two columns.
const COLUMN_GAP: usize = 3;

/// Whether the reader's terminal shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Verdicts and their reasons are coloured.
    On,
    /// Plain text.
    Off,
}

/// Returns the report for a terminal. Fails if the template and its values do not fit.
pub(crate) fn render_text(report: &Report<'_>, colour: Colour) -> Result<String, RenderError> {
    let shown = &report.notable[..report.notable.len().min(MAX_ROWS)];
    let measured: Vec<_> = report.rows().filter(|row| row.candidate.is_some()).collect();
    let figures = measured.iter().take(MAX_FIGURE_ROWS).map(Value::from_serialize);
    let text = render_template(
        "report.txt.j2",
        context! {
            report => serialize_report(report),
            notable => serialize_rows(shown),
            explained => list_explained(report),
            left_out => report.notable.len() - shown.len(),
            figures_rows => figures.collect::<Value>(),
            figures_left_out => measured.len().saturating_sub(MAX_FIGURE_ROWS),
            colour => colour == Colour::On,
        },
    )?;
    Ok(align_columns(&text))
}

/// Aligns the columns of tab-separated lines. Each block of adjacent lines with tabs is aligned
/// separately.
pub(super) fn align_columns(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let lines: Vec<&str> = text.lines().collect();
    for block in lines.chunk_by(|a, b| a.contains('\t') == b.contains('\t')) {
        let rows: Vec<Vec<&str>> = block.iter().map(|line| line.split('\t').collect()).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths = (0..columns).map(|column| {
            // The last cell of a row has no column to its right, so its width does not matter.
            let cells = rows.iter().filter(|row| row.len() > column + 1);
            cells.map(|row| measure_width(row[column])).max().unwrap_or(0)
        });
        let widths: Vec<usize> = widths.collect();
        for row in rows {
            out.push_str(align_row(&row, &widths).trim_end());
            out.push('\n');
        }
    }
    out
}

fn align_row(row: &[&str], widths: &[usize]) -> String {
    let mut line = String::new();
    for (place, (cell, width)) in row.iter().zip(widths).enumerate() {
        line.push_str(cell);
        if place + 1 < row.len() {
            let missing = width - measure_width(cell);
            line.extend(std::iter::repeat_n(' ', missing + COLUMN_GAP));
        }
    }
    line
}

/// Returns the width of the cell in terminal columns. Colour codes have no width.
fn measure_width(cell: &str) -> usize {
    let mut parts = cell.split('\u{1b}');
    let plain = parts.next().unwrap_or_default();
    let coloured = parts.map(|part| part.split_once('m').map_or("", |(_, shown)| shown));
    plain.width() + coloured.map(UnicodeWidthStr::width).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_the_cells_are_written_in() {
        let given = "a\tx\n編碼/批次\tx\n\u{1b}[31mred\u{1b}[0m\tx\ne\u{301}\tx\n";
        let expected = "a           x\n編碼/批次   x\n\u{1b}[31mred\u{1b}[0m         x\ne\u{301}           x\n";
        assert_eq!(align_columns(given), expected);
    }
}
