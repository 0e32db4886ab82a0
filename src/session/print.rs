//! Prints answers to standard output, and notes to standard error.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result};

use crate::cli::DecisionFormat;
use crate::decision::Decision;
use crate::render::notes::describe_failure;
use crate::render::{self, COMMENT_LIMIT, Colour, escape_for_terminal};
use crate::report::{Report, ReportContext};
use crate::run::{Benchmark, Run};
use crate::store::RunKey;

/// Number of last lines of a failed benchmark's output that are shown.
const LAST_LINES: usize = 5;

/// Prints the decision in this format.
///
/// # Errors
///
/// Fails if it cannot be rendered or written.
pub(crate) fn print_decision(decision: &Decision, format: DecisionFormat) -> Result<()> {
    print_answer(&render_decision(decision, format, &ReportContext::default(), choose_colour())?)
}

/// Renders the decision in this format. Only the text format uses `colour`.
///
/// # Errors
///
/// Fails if a template or the JSON fails.
pub(crate) fn render_decision(
    decision: &Decision,
    format: DecisionFormat,
    context: &ReportContext,
    colour: Colour,
) -> Result<String> {
    let build_report = || Report::new(decision, context);
    Ok(match format {
        DecisionFormat::Text => render::render_text(&build_report(), colour)?,
        DecisionFormat::Markdown => render::render_markdown(&build_report(), COMMENT_LIMIT)?,
        DecisionFormat::Html => render::render_html(&build_report())?,
        DecisionFormat::Json => render::render_json(decision)?,
        DecisionFormat::Csv => render::render_csv(&build_report())?,
        DecisionFormat::Junit => render::render_junit(&build_report())?,
    })
}

/// Returns whether standard output is a terminal that accepts colours.
fn choose_colour() -> Colour {
    let is_unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    if io::stdout().is_terminal() && !is_unwanted && !is_dumb { Colour::On } else { Colour::Off }
}

/// Writes an answer to standard output.
///
/// A reader that closes the pipe is not an error.
///
/// # Errors
///
/// Fails if the write fails in another way.
pub(crate) fn print_answer(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("failed to write to standard output"),
    }
}

/// Prints which benchmarks failed, and the last lines of their output, to standard error.
pub(crate) fn print_failures<'a>(benchmarks: impl IntoIterator<Item = &'a Benchmark>) {
    for benchmark in benchmarks {
        let Some(failure) = &benchmark.failure else { continue };
        print_note(&format!(
            "failed: {}: {}",
            escape_for_terminal(&benchmark.id),
            escape_for_terminal(&describe_failure(&failure.reason))
        ));
        let lines: Vec<&str> = failure.output.lines().collect();
        for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
            print_note(&format!("  {}", escape_for_terminal(line)));
        }
    }
}

/// Describes the stored run: what was done with it, its id and its commit, and how many benchmarks
/// of `run` are not in it.
pub(crate) fn describe_saved_run(done: &str, key: &RunKey, run: &Run) -> String {
    let failed = run.benchmarks.iter().filter(|benchmark| benchmark.failure.is_some()).count();
    let without = match failed {
        0 => String::new(),
        failed => format!(", without {} that failed", format_plural(failed, "benchmark")),
    };
    format!("{done} {} of {}{without}", key.id(), key.commit().short_id())
}

/// Prints a message that is not part of the answer, to standard error.
///
/// A message that cannot be written is lost: there is nowhere else to report that.
pub(crate) fn print_note(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// Returns the number with its noun, in the singular for 1 and else in the plural.
pub(crate) fn format_plural(number: usize, noun: &str) -> String {
    match (number, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "launch" | "process") => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
    }
}
