//! Formats rates as tables.

use super::tally::{ObservedRate, PeerCell, RateCell};

/// Layout of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableLayout {
    /// Columns of equal width.
    Text,
    /// A Markdown table.
    Markdown,
}

const RATE_HEAD: [&str; 13] = [
    "data",
    "effect",
    "policy",
    "given",
    "suites",
    "regressed",
    "suites failing",
    "unchanged",
    "inconclusive",
    "improved",
    "rounds",
    "rounds per suite",
    "seconds",
];

const PEER_HEAD: [&str; 5] = ["data", "effect", "rule", "called slower", "suites failing"];

/// Formats the answers of the decision, one row per cell. Rates have 95 % intervals.
pub(crate) fn format_rate_cells(cells: &[RateCell], layout: TableLayout) -> String {
    let rows = cells.iter().map(|cell| {
        let tally = &cell.tally;
        vec![
            cell.data.clone(),
            format_effect(cell.effect),
            cell.policy.clone(),
            cell.given.clone(),
            tally.suites.to_string(),
            format_rate(tally.regressed_rate()),
            format_rate(tally.failing_suite_rate()),
            format_rate(tally.unchanged_rate()),
            format_rate(tally.inconclusive_rate()),
            tally.improved.to_string(),
            format!("{:.2}", tally.mean_rounds()),
            format!("{:.1}", tally.mean_suite_rounds()),
            format!("{:.1}", tally.mean_seconds()),
        ]
    });
    format_table(&RATE_HEAD, &rows.collect::<Vec<_>>(), layout)
}

/// Formats the answers of the simple rules, one row per cell.
pub(crate) fn format_peer_cells(cells: &[PeerCell], layout: TableLayout) -> String {
    let rows = cells.iter().map(|cell| {
        vec![
            cell.data.clone(),
            format_effect(cell.effect),
            cell.rule.clone(),
            format_rate(cell.tally.regressed_rate()),
            format_rate(cell.tally.failing_suite_rate()),
        ]
    });
    format_table(&PEER_HEAD, &rows.collect::<Vec<_>>(), layout)
}

fn format_effect(effect: f64) -> String {
    if effect == 0.0 { "none".to_owned() } else { format!("{:+.0} %", effect * 100.0) }
}

/// Formats the share and its interval, in percent.
fn format_rate(rate: ObservedRate) -> String {
    if rate.of == 0 {
        return "–".to_owned();
    }
    let (point, low, high) = (rate.point(), rate.low, rate.high);
    format!("{} ({}–{})", format_share(point), format_share(low), format_share(high))
}

/// Formats a share in percent, without the sign. Shares below one percent get more digits.
fn format_share(share: f64) -> String {
    let digits = if share > 0.0 && share < 0.01 { 3 } else { 1 };
    format!("{:.digits$}", share * 100.0)
}

fn format_table(head: &[&str], rows: &[Vec<String>], layout: TableLayout) -> String {
    let widths = head.iter().enumerate().map(|(column, name)| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([name.chars().count()]).max().unwrap_or(0)
    });
    let widths: Vec<usize> = widths.collect();
    let mut table = format_line(head.iter().copied(), &widths, layout);
    if layout == TableLayout::Markdown {
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        table += &format_line(rules.iter().map(String::as_str), &widths, layout);
    }
    for row in rows {
        table += &format_line(row.iter().map(String::as_str), &widths, layout);
    }
    table
}

/// Formats one line of a table, with each cell filled up to the width of its column.
fn format_line<'a>(
    cells: impl Iterator<Item = &'a str>,
    widths: &[usize],
    layout: TableLayout,
) -> String {
    let padded = cells.zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    let padded: Vec<String> = padded.collect();
    match layout {
        TableLayout::Text => format!("{}\n", padded.join("  ").trim_end()),
        TableLayout::Markdown => format!("| {} |\n", padded.join(" | ")),
    }
}
