//! What calibration found, for a person to read.

use unicode_width::UnicodeWidthStr as _;

use crate::calibrate::{BenchmarkNoise, Calibration};
use crate::render::plain;

/// Two tables: the noise of each benchmark, and what it lets rounds find.
pub(super) fn table(calibration: &Calibration) -> String {
    let all = calibration.benchmarks.iter();
    let noise = all.clone().map(noise).collect();
    let found = all.map(found).collect();
    let rounds = calibration.benchmarks.first().map_or(0, |one| one.rounds);
    format!(
        "noise of single launches, from {rounds} rounds of the same code\n{}\n\
         slowdown beyond the tolerated one that is found with 80 % power, and the advised launches × calls\n{}",
        lines(&NOISE, noise),
        lines(&FOUND, found),
    )
}

const NOISE: [&str; 9] = [
    "benchmark",
    "noise floor",
    "launch sd",
    "calls sd",
    "between sd",
    "autocorrelation",
    "partners",
    "drift",
    "modes",
];

fn noise(one: &BenchmarkNoise) -> Vec<String> {
    let deviation = |variance: Option<f64>| variance.map_or_else(none, |it| percent(it.sqrt()));
    vec![
        name(one),
        percent(one.noise_floor),
        percent(one.launch_variance.sqrt()),
        deviation(one.within_variance),
        deviation(one.between_variance),
        one.autocorrelation.map_or_else(none, |it| format!("{it:+.2}")),
        format!("{:+.2}", one.correlation),
        format!("{:+.3} %", one.drift * 100.0),
        one.modes.map_or_else(none, |modes| {
            format!("{} {} slower", percent(modes.slower), percent(modes.slowdown))
        }),
    ]
}

const FOUND: [&str; 8] = ["benchmark", "3 rounds", "5", "7", "10", "14", "20", "launches × calls"];
const ROUNDS: [usize; 6] = [3, 5, 7, 10, 14, 20];

fn found(one: &BenchmarkNoise) -> Vec<String> {
    let at = |rounds: usize| {
        let found = one.minimum_detectable.iter().find(|at| at.rounds == rounds);
        found.map_or_else(none, |at| percent(at.slowdown))
    };
    let advice = |it: crate::calibrate::Advice| format!("{} × {}", it.launches, it.calls);
    let advice = one.advice.map_or_else(none, advice);
    [name(one)].into_iter().chain(ROUNDS.map(at)).chain([advice]).collect()
}

fn none() -> String {
    "–".to_owned()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn name(one: &BenchmarkNoise) -> String {
    plain(&one.id.chars().take(40).collect::<String>())
}

/// The first column to the left, the others to the right.
fn lines(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    let rows: Vec<Vec<String>> = [head].into_iter().chain(rows).collect();
    let length = |cell: &String| cell.width();
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| length(&row[column])).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            let fill = " ".repeat(width - cell.width());
            if column == 0 { format!("  {cell}{fill}") } else { fill + cell }
        });
        cells.collect::<Vec<_>>().join("  ") + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let row = |name: &str| vec![name.to_owned(), "1 %".to_owned()];
        let rows = vec![row("a/long/name"), row("推論")];
        let shown = "  name         floor\n  a/long/name    1 %\n  推論           1 %\n";
        assert_eq!(lines(&["name", "floor"], rows), shown);
    }
}
