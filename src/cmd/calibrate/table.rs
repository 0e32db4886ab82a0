//! Tables of a calibration, as text for people.

use unicode_width::UnicodeWidthStr as _;

use crate::calibrate::{BenchmarkNoise, Calibration, LISTED_ROUNDS};
use crate::render::escape_for_terminal;

/// Returns two tables: the noise of each benchmark, and the slowdowns that rounds can detect.
pub(super) fn format_tables(calibration: &Calibration) -> String {
    let benchmarks = calibration.benchmarks.iter();
    let noise_rows = benchmarks.clone().map(format_noise_row).collect();
    let detectable_rows = benchmarks.map(format_detectable_row).collect();
    let rounds = calibration.benchmarks.first().map_or(0, |benchmark| benchmark.rounds);
    format!(
        "noise of single launches, from {rounds} rounds of the same code\n{}\n\
         slowdown beyond the tolerated one that is found with 80 % power, and the advised launches × calls\n{}",
        align_table(&NOISE_COLUMNS, noise_rows),
        align_table(&list_detectable_columns(), detectable_rows),
    )
}

/// Headers of the noise table.
const NOISE_COLUMNS: [&str; 9] = [
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

fn format_noise_row(benchmark: &BenchmarkNoise) -> Vec<String> {
    vec![
        format_name(benchmark),
        print_percent(benchmark.noise_floor),
        print_percent(benchmark.launch_variance.sqrt()),
        print_deviation(benchmark.within_variance),
        print_deviation(benchmark.between_variance),
        benchmark.autocorrelation.map_or_else(format_missing, |value| format!("{value:+.2}")),
        format!("{:+.2}", benchmark.correlation),
        format!("{:+.3} %", benchmark.drift * 100.0),
        benchmark.modes.map_or_else(format_missing, |modes| {
            format!("{} {} slower", print_percent(modes.slower), print_percent(modes.slowdown))
        }),
    ]
}

/// Returns the headers of the table of detectable slowdowns. The first number has the unit.
fn list_detectable_columns() -> Vec<String> {
    // Only the first number names its unit, because the columns are narrow.
    ["benchmark".to_owned(), format!("{} rounds", LISTED_ROUNDS[0])]
        .into_iter()
        .chain(LISTED_ROUNDS[1..].iter().map(ToString::to_string))
        .chain(["launches × calls".to_owned()])
        .collect()
}

fn format_detectable_row(benchmark: &BenchmarkNoise) -> Vec<String> {
    let slowdowns = LISTED_ROUNDS.map(|rounds| {
        let detectable = benchmark.minimum_detectable.iter().find(|at| at.rounds == rounds);
        detectable.map_or_else(format_missing, |at| print_percent(at.slowdown))
    });
    let advice = benchmark
        .advice
        .map_or_else(format_missing, |advice| format!("{} × {}", advice.launches, advice.calls));
    [format_name(benchmark)].into_iter().chain(slowdowns).chain([advice]).collect()
}

fn format_missing() -> String {
    "–".to_owned()
}

/// Formats the standard deviation that belongs to `variance` as a share.
fn print_deviation(variance: Option<f64>) -> String {
    variance.map_or_else(format_missing, |variance| print_percent(variance.sqrt()))
}

/// Formats a share, where 1 is 100 %.
fn print_percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn format_name(benchmark: &BenchmarkNoise) -> String {
    escape_for_terminal(&benchmark.id.chars().take(40).collect::<String>())
}

/// Aligns the first column to the left and the others to the right.
fn align_table(header: &[impl ToString], rows: Vec<Vec<String>>) -> String {
    let header: Vec<String> = header.iter().map(ToString::to_string).collect();
    let rows: Vec<Vec<String>> = [header].into_iter().chain(rows).collect();
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].width()).max().unwrap_or(0))
        .collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            let padding = " ".repeat(width - cell.width());
            if column == 0 { format!("  {cell}{padding}") } else { padding + cell }
        });
        cells.collect::<Vec<_>>().join("  ") + "\n"
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::align_table;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let row = |name: &str| vec![name.to_owned(), "1 %".to_owned()];
        let rows = vec![row("a/long/name"), row("推論")];
        let shown = "  name         floor\n  a/long/name    1 %\n  推論           1 %\n";
        assert_eq!(align_table(&["name", "floor"], rows), shown);
    }
}
