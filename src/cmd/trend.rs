//! `perfgate trend`: builds the pages of the history, and prints or exports their data.

mod changes;
mod history;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use self::history::TrendHistory;
use crate::cli::{ExportFormat, HistoryArgs, PlotFormat, TrendAction, TrendArgs, TrendFormat};
use crate::files;
use crate::render::{escape_for_terminal, plot};
use crate::session::{ExitStatus, print};
use crate::site::{self, BenchmarkStatus, DriftPace, OpenDrift};

/// Runs `perfgate trend`.
///
/// Fails if the history cannot be read or the output cannot be written.
pub(super) fn run_trend(args: &TrendArgs) -> Result<ExitStatus> {
    match &args.action {
        None => build_pages(&args.history, &args.out)?,
        Some(TrendAction::Changes { file, least_shift, confidence, format }) => {
            changes::print_change_points(file, *least_shift, *confidence, *format)?;
        }
        Some(TrendAction::Status { history, format }) => print_status(history, *format)?,
        Some(TrendAction::Export { history, format, output }) => {
            export_history(history, *format, output)?;
        }
        Some(TrendAction::Plot { history, format, out }) => draw_plots(history, *format, out)?,
    }
    Ok(ExitStatus::Pass)
}

/// Builds the pages in `out` and saves the runs for the next build.
fn build_pages(args: &HistoryArgs, out: &Path) -> Result<()> {
    let history = TrendHistory::read(args, Some(out))?;
    let written = history.with_material(Timestamp::now(), |material| {
        let tracks = site::build_tracks(&material.nights);
        site::build_site(material, &tracks, out)
    })?;
    history.save_for_next_build(out)?;
    let site::SiteCounts { files, written, removed } = written;
    let removed = if removed > 0 { format!(", {removed} removed") } else { String::new() };
    print::print_answer(&format!(
        "{} with {}: {}, {written} written{removed}\n",
        out.join("index.html").display(),
        print::format_plural(history.run_count(), "run"),
        print::format_plural(files, "file"),
    ))
}

/// Prints the state of each benchmark.
fn print_status(args: &HistoryArgs, format: TrendFormat) -> Result<()> {
    let history = TrendHistory::read(args, None)?;
    let status = history.with_material(Timestamp::now(), |material| {
        site::assess(material, &site::build_tracks(&material.nights))
    });
    match format {
        TrendFormat::Json => print::print_json(&(serde_json::to_string_pretty(&status)? + "\n")),
        TrendFormat::Text => print::print_answer(&format_status(&status)),
    }
}

/// Returns one line per benchmark, and one more for each open slowdown and each open drift.
fn format_status(status: &[BenchmarkStatus]) -> String {
    let mut text = String::new();
    for benchmark in status {
        let state = format!("{:?}", benchmark.state).to_lowercase();
        let _ = writeln!(text, "{state:13} {}", escape_for_terminal(&benchmark.id));
        for slowdown in &benchmark.open {
            let [from, to] = [&slowdown.from, &slowdown.to]
                .map(|id| id.as_deref().map_or("unknown", |id| id.get(..7).unwrap_or(id)));
            let _ = writeln!(
                text,
                "{:13} {:+.1} % since {}, {from}..{to}",
                "",
                (slowdown.ratio - 1.0) * 100.0,
                slowdown.since.get(..10).unwrap_or(&slowdown.since),
            );
        }
        for drift in &benchmark.drifts {
            let _ = writeln!(text, "{:13} {}", "", format_drift(drift));
        }
    }
    text
}

/// Returns the line of an open drift, such as `+2.8 % [+2.6, +3.0] per week since 2026-01-01`.
fn format_drift(drift: &OpenDrift) -> String {
    let percent = |ratio: f64| (ratio - 1.0) * 100.0;
    let DriftPace { per_run, per_run_interval, per_week, per_week_interval, total } = drift.pace;
    let weekly = per_week.zip(per_week_interval).map(|(ratio, ends)| (ratio, ends, "per week"));
    let (ratio, (low, high), unit) = weekly.unwrap_or((per_run, per_run_interval, "per run"));
    let [since, until] = [&drift.since, &drift.until].map(|day| day.get(..10).unwrap_or(day));
    let end = if drift.is_ongoing { String::new() } else { format!(" until {until}") };
    format!(
        "{:+.1} % [{:+.1}, {:+.1}] {unit} since {since}{end}, {:+.1} % in all",
        percent(ratio),
        percent(low),
        percent(high),
        percent(total),
    )
}

/// Writes all measured values to `output`.
fn export_history(args: &HistoryArgs, format: ExportFormat, output: &Path) -> Result<()> {
    let history = TrendHistory::read(args, None)?;
    let nights = history.nights();
    let content = match format {
        ExportFormat::Csv => site::export_csv(site::list_export_rows(nights)).into_bytes(),
        ExportFormat::Json => site::export_json(site::list_export_rows(nights))?.into_bytes(),
        ExportFormat::Parquet => encode_parquet(nights)?,
    };
    files::write_atomically(output, &content)
        .with_context(|| format!("failed to write `{}`", output.display()))
}

#[cfg(feature = "parquet")]
fn encode_parquet(nights: &[site::Night]) -> Result<Vec<u8>> {
    site::export_parquet(site::list_export_rows(nights)).context("failed to write Parquet")
}

#[cfg(not(feature = "parquet"))]
fn encode_parquet(_: &[site::Night]) -> Result<Vec<u8>> {
    Err(crate::session::CommandError::new_unavailable("this perfgate was built without Parquet")
        .with_help("build it with `--features parquet`, or export csv or json")
        .into())
}

#[cfg(feature = "png")]
fn draw_png(figure: &plot::Plot) -> Result<Vec<u8>> {
    plot::render_png(figure).context("failed to draw a chart")
}

#[cfg(not(feature = "png"))]
fn draw_png(_: &plot::Plot) -> Result<Vec<u8>> {
    Err(crate::session::CommandError::new_unavailable("this perfgate was built without PNG")
        .with_help("build it with `--features png`, or draw svg")
        .into())
}

/// Draws the charts of the history into the folder `out`.
fn draw_plots(args: &HistoryArgs, format: PlotFormat, out: &Path) -> Result<()> {
    let history = TrendHistory::read(args, None)?;
    let plots = history.with_material(Timestamp::now(), |material| {
        site::build_plots(material, &site::build_tracks(&material.nights))
    });
    for (name, figure) in &plots {
        let (path, content) = match format {
            PlotFormat::Svg => {
                (out.join(format!("{name}.svg")), plot::render_svg(figure).into_bytes())
            }
            PlotFormat::Png => (out.join(format!("{name}.png")), draw_png(figure)?),
        };
        files::write_atomically(&path, &content)
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    print::print_answer(&format!("{} charts in {}\n", plots.len(), out.display()))
}
