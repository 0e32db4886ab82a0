//! What goes to standard output.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result};

use crate::cli::Format;
use crate::render::{self, COMMENT_LIMIT, Colour, plain};
use crate::report::{Context, Report};
use crate::run::Benchmark;
use crate::verdict::Decision;

/// Lines of the output of what failed that are shown.
const LAST_LINES: usize = 5;

/// Prints the decision in this format.
pub(super) fn decision(decision: &Decision, format: Format) -> Result<()> {
    answer(&shown(decision, format, &Context::default(), colour())?)
}

/// The decision in this format.
pub(super) fn shown(
    decision: &Decision,
    format: Format,
    context: &Context,
    colour: Colour,
) -> Result<String> {
    let report = || Report::new(decision, context);
    Ok(match format {
        Format::Text => render::text(&report(), colour)?,
        Format::Markdown => render::markdown(&report(), COMMENT_LIMIT)?,
        Format::Html => render::html(&report())?,
        Format::Json => render::json(decision)?,
        Format::Csv => render::csv(&report())?,
        Format::Junit => render::junit(&report())?,
    })
}

/// Colours for a terminal that wants them.
fn colour() -> Colour {
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    if io::stdout().is_terminal() && !unwanted && !dumb { Colour::On } else { Colour::Off }
}

/// Writes an answer to standard output; a reader that has seen enough is no failure.
pub(super) fn answer(answer: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(answer.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("failed to write to standard output"),
    }
}

/// Says which benchmarks could not be measured, and the end of what they wrote.
pub(super) fn failures<'a>(benchmarks: impl IntoIterator<Item = &'a Benchmark>) {
    for benchmark in benchmarks {
        let Some(failure) = &benchmark.failure else { continue };
        note(&format!("failed: {}: {}", plain(&benchmark.id), plain(&failure.reason)));
        let lines: Vec<&str> = failure.output.lines().collect();
        for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
            note(&format!("  {}", plain(line)));
        }
    }
}

/// Says something that is not the answer.
#[expect(clippy::print_stderr, reason = "messages go to standard error")]
pub(super) fn note(message: &str) {
    eprintln!("{message}");
}
