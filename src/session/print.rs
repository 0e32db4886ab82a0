//! Prints answers to standard output, and notes to standard error.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::CommandError;
use crate::cli::DecisionFormat;
use crate::decision::Decision;
use crate::render::notes::describe_failure;
use crate::render::{self, COMMENT_LIMIT, Colour, escape_for_terminal};
use crate::report::{Report, ReportContext, RunReport, compute_run_figures};
use crate::run::{Benchmark, Run};
use crate::store::RunKey;
use crate::text::{disarm_commands, replace_invisible};

/// Number of last lines of a failed benchmark's output that are shown.
const LAST_LINES: usize = 5;

/// Prints the decision in this format.
///
/// # Errors
///
/// Fails if it cannot be rendered or written.
pub(crate) fn print_decision(decision: &Decision, format: DecisionFormat) -> Result<()> {
    let shown = render_decision(decision, format, &ReportContext::default(), choose_colour())?;
    print_rendered(&shown, format)
}

/// Writes a rendered document of this format to standard output.
///
/// # Errors
///
/// Fails as [`print_answer`] does.
pub(crate) fn print_rendered(document: &str, format: DecisionFormat) -> Result<()> {
    if format == DecisionFormat::Json { print_json(document) } else { print_answer(document) }
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

/// Renders the figures of a run in this format.
///
/// # Errors
///
/// Fails if a template or the JSON fails, or if the format judges benchmarks, as JUnit does.
pub(crate) fn render_run(run: &Run, format: DecisionFormat) -> Result<String> {
    let figures = compute_run_figures(run);
    let report = RunReport::new(run, &figures);
    Ok(match format {
        DecisionFormat::Text => render::render_run_text(&report)?,
        DecisionFormat::Markdown => render::render_run_markdown(&report)?,
        DecisionFormat::Html => render::render_run_html(&report)?,
        DecisionFormat::Json => render::render_run_figures(&report)?,
        DecisionFormat::Csv => render::render_run_csv(&report)?,
        DecisionFormat::Junit => {
            return Err(CommandError::new_usage("a run has no results for a test reporter")
                .with_help("`perfgate check --run FILE` judges it, and writes decision.json")
                .into());
        }
    })
}

/// Returns whether standard output is a terminal that accepts colours.
pub(crate) fn choose_colour() -> Colour {
    let is_unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    if io::stdout().is_terminal() && !is_unwanted && !is_dumb { Colour::On } else { Colour::Off }
}

/// Writes an answer to standard output. Nothing in it is a workflow command, whatever names are in
/// it.
///
/// A reader that closes the pipe is not an error.
///
/// # Errors
///
/// Fails if the write fails in another way.
pub(crate) fn print_answer(text: &str) -> Result<()> {
    write_answer(&disarm_commands(text))
}

/// Writes JSON to standard output. Nothing in it is a workflow command.
///
/// Strings are quoted, so no line begins with one. `##[` can only be inside of a string.
///
/// # Errors
///
/// Fails as [`print_answer`] does.
pub(crate) fn print_json(json: &str) -> Result<()> {
    write_answer(&json.replace("##[", "##\\u005b"))
}

/// Writes each document as one line of JSON to standard output.
///
/// # Errors
///
/// Fails as [`print_answer`] does.
pub(crate) fn print_json_lines(documents: impl IntoIterator<Item = Value>) -> Result<()> {
    print_json(
        &documents.into_iter().map(|document| document.to_string() + "\n").collect::<String>(),
    )
}

/// Writes lines to standard output that may be workflow commands of perfgate's own.
///
/// # Errors
///
/// Fails as [`print_answer`] does.
pub(crate) fn print_commands(lines: impl IntoIterator<Item = String>) -> Result<()> {
    write_answer(&lines.into_iter().map(|line| line + "\n").collect::<String>())
}

fn write_answer(text: &str) -> Result<()> {
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

/// Prints a message that is not part of the answer, to standard error. All messages pass here.
///
/// Names, files and the output of processes may be in it, so a terminal and GitHub's runner find
/// nothing to obey in it. A message that cannot be written is lost: there is nowhere else to report
/// that.
pub(crate) fn print_note(message: &str) {
    let _ = writeln!(io::stderr(), "{}", make_message_safe(message));
}

/// Returns the message without control characters and without workflow commands. Its lines stay.
pub(super) fn make_message_safe(message: &str) -> String {
    disarm_commands(&replace_invisible(message)).into_owned()
}

/// Returns the number with its noun, in the singular for 1 and else in the plural.
pub(crate) fn format_plural(number: usize, noun: &str) -> String {
    match (number, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "launch" | "process") => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
    }
}
