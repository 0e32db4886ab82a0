//! The figures of a run, without a comparison, in every format that has a table.

use std::collections::BTreeMap;

use minijinja::{Value, context};
use serde_json::json;

use super::text::align_columns;
use super::{RenderError, html, notes, render_template};
use crate::report::RunReport;

/// The schema of the JSON document of a run's figures.
const FIGURES_SCHEMA: &str = "perfgate.figures/1";

/// Returns the figures of a run for a terminal, one row per benchmark.
///
/// # Errors
///
/// Fails if the template and its values do not fit.
pub(crate) fn render_run_text(report: &RunReport<'_>) -> Result<String, RenderError> {
    Ok(align_columns(&render_run("run.txt.j2", report)?))
}

/// Returns the figures of a run as Markdown.
///
/// # Errors
///
/// Fails if the template and its values do not fit.
pub(crate) fn render_run_markdown(report: &RunReport<'_>) -> Result<String, RenderError> {
    render_run("run.md.j2", report)
}

/// Returns the figures of a run as one HTML page.
///
/// # Errors
///
/// Fails if the template and its values do not fit.
pub(crate) fn render_run_html(report: &RunReport<'_>) -> Result<String, RenderError> {
    render_run("run.html.j2", report)
}

/// Returns the figures of a run as CSV: a fixed header and one row per benchmark.
///
/// # Errors
///
/// Fails if the template and its values do not fit.
pub(crate) fn render_run_csv(report: &RunReport<'_>) -> Result<String, RenderError> {
    render_run("run.csv.j2", report)
}

/// Returns the figures of a run as JSON. The figures of a benchmark have the fields that those of a
/// decision have.
///
/// # Errors
///
/// Fails if the figures cannot be serialized.
pub(crate) fn render_run_figures(report: &RunReport<'_>) -> Result<String, serde_json::Error> {
    let rows = report.rows.iter().map(|row| {
        json!({
            "id": row.id,
            "package": row.package,
            "sampling": row.sampling,
            "launches": row.launches,
            "figures": row.figures,
            "metrics": row.metrics.iter().map(|it| (it.name, it.candidate)).collect::<BTreeMap<_, _>>(),
            "failure": row.failure,
        })
    });
    let mut document = json!({
        "schema": FIGURES_SCHEMA,
        "created": report.run.created,
        "commit": report.run.commit,
        "host": report.run.host,
        "complete": report.run.complete,
        "notes": report.run.notes,
        "benchmarks": rows.collect::<Vec<_>>(),
    });
    notes::add_texts(&mut document);
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn render_run(template: &str, report: &RunReport<'_>) -> Result<String, RenderError> {
    render_template(
        template,
        context! {
            report => Value::from_serialize(report),
            rows => report.rows.iter().map(Value::from_serialize).collect::<Value>(),
            style => Value::from_safe_string(html::STYLE.to_owned()),
            style_hash => html::hash_style(),
        },
    )
}
