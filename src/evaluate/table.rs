//! Formats rates as tables.

use std::fmt::Write as _;

use super::tally::{ObservedRate, PeerCell, RateCell};

/// Layout of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableLayout {
    /// Columns of equal width.
    Text,
    /// A Markdown table.
    Markdown,
}

const RATE_HEAD: [&str; 12] = [
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
];

const PEER_HEAD: [&str; 5] = ["data", "effect", "rule", "called slower", "suites failing"];

/// Formats the answers of the decision, one row per cell. Rates have 95 % intervals.
pub(crate) fn format_rate_cells(cells: &[RateCell], layout: TableLayout) -> String {
    let format_row = |cell: &RateCell| {
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
        ]
    };
    format_table(&RATE_HEAD, &cells.iter().map(format_row).collect::<Vec<_>>(), layout)
}

/// Formats the answers of the simple rules, one row per cell.
pub(crate) fn format_peer_cells(cells: &[PeerCell], layout: TableLayout) -> String {
    let format_row = |cell: &PeerCell| {
        vec![
            cell.data.clone(),
            format_effect(cell.effect),
            cell.rule.clone(),
            format_rate(cell.tally.regressed_rate()),
            format_rate(cell.tally.failing_suite_rate()),
        ]
    };
    format_table(&PEER_HEAD, &cells.iter().map(format_row).collect::<Vec<_>>(), layout)
}

fn format_effect(effect: f64) -> String {
    if effect == 0.0 { "none".to_owned() } else { format!("{:+.0} %", effect * 100.0) }
}

/// Formats the share and its interval, in percent.
fn format_rate(rate: ObservedRate) -> String {
    if rate.of == 0 {
        return "–".to_owned();
    }
    let format_percent = |share: f64| {
        let digits = if share > 0.0 && share < 0.01 { 3 } else { 1 };
        format!("{:.digits$}", share * 100.0)
    };
    format!(
        "{} ({}–{})",
        format_percent(rate.point()),
        format_percent(rate.low),
        format_percent(rate.high)
    )
}

fn format_table(head: &[&str], rows: &[Vec<String>], layout: TableLayout) -> String {
    let find_width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(find_width).collect();
    let format_line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let padded: Vec<String> = padded.collect();
        match layout {
            TableLayout::Text => padded.join("  ").trim_end().to_owned(),
            TableLayout::Markdown => format!("| {} |", padded.join(" | ")),
        }
    };
    let mut table = format_line(&mut head.iter().copied());
    if layout == TableLayout::Markdown {
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let _ = write!(table, "\n{}", format_line(&mut rules.iter().map(String::as_str)));
    }
    for row in rows {
        let _ = write!(table, "\n{}", format_line(&mut row.iter().map(String::as_str)));
    }
    table.push('\n');
    table
}
