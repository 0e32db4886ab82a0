//! `perfgate trend`: the pages, and what they are made from.

mod changes;
mod history;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use self::history::History;
use super::{ExitStatus, print};
use crate::cli::{ExportFormat, HistoryArgs, PlotFormat, TrendAction, TrendArgs, TrendFormat};
use crate::files;
use crate::render::plot;
use crate::site::{self, Status};

/// Runs `perfgate trend`.
pub(super) fn run(args: &TrendArgs) -> Result<ExitStatus> {
    match &args.action {
        None => build(&args.history, &args.out)?,
        Some(TrendAction::Changes { file, least_shift, confidence, format }) => {
            changes::print(file, *least_shift, *confidence, *format)?;
        }
        Some(TrendAction::Status { history, format }) => status(history, *format)?,
        Some(TrendAction::Export { history, format, output }) => export(history, *format, output)?,
        Some(TrendAction::Plot { history, format, out }) => draw(history, *format, out)?,
    }
    Ok(ExitStatus::Pass)
}

fn build(args: &HistoryArgs, out: &Path) -> Result<()> {
    let history = History::read(args, Some(out))?;
    let written = history.with_material(Timestamp::now(), |material| {
        let tracks = site::tracks(&material.nights);
        site::build(material, &tracks, out)
    })?;
    history.remember(out)?;
    let site::Written { files, written, removed } = written;
    let removed = if removed > 0 { format!(", {removed} removed") } else { String::new() };
    print::answer(&format!(
        "{} with {} runs: {files} files, {written} written{removed}\n",
        out.join("index.html").display(),
        history.runs(),
    ))
}

fn status(args: &HistoryArgs, format: TrendFormat) -> Result<()> {
    let history = History::read(args, None)?;
    let status = history.with_material(Timestamp::now(), |material| {
        site::status(material, &site::tracks(&material.nights))
    });
    match format {
        TrendFormat::Json => print::answer(&(serde_json::to_string_pretty(&status)? + "\n")),
        TrendFormat::Text => print::answer(&as_text(&status)),
    }
}

fn as_text(status: &[Status]) -> String {
    let mut text = String::new();
    for benchmark in status {
        let state = format!("{:?}", benchmark.state).to_lowercase();
        let _ = writeln!(text, "{state:13} {}", benchmark.id.escape_debug());
        for open in &benchmark.open {
            let commit = |id: &Option<String>| {
                id.as_deref().map_or("unknown", |id| id.get(..7).unwrap_or(id)).to_owned()
            };
            let _ = writeln!(
                text,
                "{:13} {:+.1} % since {}, {}..{}",
                "",
                (open.ratio - 1.0) * 100.0,
                open.since.get(..10).unwrap_or(&open.since),
                commit(&open.from),
                commit(&open.to),
            );
        }
    }
    text
}

fn export(args: &HistoryArgs, format: ExportFormat, output: &Path) -> Result<()> {
    let history = History::read(args, None)?;
    let nights = history.nights();
    let content = match format {
        ExportFormat::Csv => site::csv(site::rows(nights)).into_bytes(),
        ExportFormat::Json => site::json(site::rows(nights))?.into_bytes(),
        ExportFormat::Parquet => parquet(nights)?,
    };
    files::write(output, &content)
        .with_context(|| format!("failed to write `{}`", output.display()))
}

#[cfg(feature = "parquet")]
fn parquet(nights: &[site::Night]) -> Result<Vec<u8>> {
    site::parquet(site::rows(nights)).context("failed to write Parquet")
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: &[site::Night]) -> Result<Vec<u8>> {
    Err(super::Refusal::unavailable("this perfgate was built without Parquet")
        .help("build it with `--features parquet`, or export csv or json")
        .into())
}

#[cfg(feature = "png")]
fn png(figure: &plot::Figure) -> Result<Vec<u8>> {
    plot::png(figure).context("failed to draw a chart")
}

#[cfg(not(feature = "png"))]
fn png(_: &plot::Figure) -> Result<Vec<u8>> {
    Err(super::Refusal::unavailable("this perfgate was built without PNG")
        .help("build it with `--features png`, or draw svg")
        .into())
}

fn draw(args: &HistoryArgs, format: PlotFormat, out: &Path) -> Result<()> {
    let history = History::read(args, None)?;
    let plots = history.with_material(Timestamp::now(), |material| {
        site::plots(material, &site::tracks(&material.nights))
    });
    for (name, figure) in &plots {
        let (path, content) = match format {
            PlotFormat::Svg => (out.join(format!("{name}.svg")), plot::svg(figure).into_bytes()),
            PlotFormat::Png => (out.join(format!("{name}.png")), png(figure)?),
        };
        files::write(&path, &content)
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    print::answer(&format!("{} charts in {}\n", plots.len(), out.display()))
}
