//! Rates as tables.

use std::fmt::Write as _;

use super::tally::{Cell, PeerCell, Rate};

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Columns of equal width.
    Text,
    /// A Markdown table.
    Markdown,
}

const HEAD: [&str; 12] = [
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
    "rounds a suite",
];

const PEER_HEAD: [&str; 5] = ["data", "effect", "rule", "called slower", "suites failing"];

/// The answers of the decision, one row a cell; rates with 95 % intervals.
pub(crate) fn cells(cells: &[Cell], layout: Layout) -> String {
    let row = |cell: &Cell| {
        let tally = &cell.tally;
        vec![
            cell.data.clone(),
            effect(cell.effect),
            cell.policy.clone(),
            cell.given.clone(),
            tally.suites.to_string(),
            rate(tally.regressed()),
            rate(tally.failing()),
            rate(tally.unchanged()),
            rate(tally.inconclusive()),
            tally.improved.to_string(),
            format!("{:.2}", tally.mean_rounds()),
            format!("{:.1}", tally.mean_suite_rounds()),
        ]
    };
    write(&HEAD, &cells.iter().map(row).collect::<Vec<_>>(), layout)
}

/// The answers of the simple rules.
pub(crate) fn peers(cells: &[PeerCell], layout: Layout) -> String {
    let row = |cell: &PeerCell| {
        vec![
            cell.data.clone(),
            effect(cell.effect),
            cell.rule.clone(),
            rate(cell.tally.regressed()),
            rate(cell.tally.failing()),
        ]
    };
    write(&PEER_HEAD, &cells.iter().map(row).collect::<Vec<_>>(), layout)
}

fn effect(effect: f64) -> String {
    if effect == 0.0 { "none".to_owned() } else { format!("{:+.0} %", effect * 100.0) }
}

/// The share and its interval, in percent.
fn rate(rate: Rate) -> String {
    if rate.of == 0 {
        return "–".to_owned();
    }
    let percent = |share: f64| {
        let digits = if share > 0.0 && share < 0.01 { 3 } else { 1 };
        format!("{:.digits$}", share * 100.0)
    };
    format!("{} ({}–{})", percent(rate.point()), percent(rate.low), percent(rate.high))
}

fn write(head: &[&str], rows: &[Vec<String>], layout: Layout) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let padded: Vec<String> = padded.collect();
        match layout {
            Layout::Text => padded.join("  ").trim_end().to_owned(),
            Layout::Markdown => format!("| {} |", padded.join(" | ")),
        }
    };
    let mut table = line(&mut head.iter().copied());
    if layout == Layout::Markdown {
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let _ = write!(table, "\n{}", line(&mut rules.iter().map(String::as_str)));
    }
    for row in rows {
        let _ = write!(table, "\n{}", line(&mut row.iter().map(String::as_str)));
    }
    table.push('\n');
    table
}
