//! Renders a report as text, Markdown, HTML, CSV or JUnit, and a decision as JSON.
//!
//! The templates in `templates/` hold the layout, and filters format the typed values. Every value
//! is escaped for its format unless a filter marks it as safe. This module decides nothing.

use std::sync::LazyLock;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use thiserror::Error;

use crate::decision::Decision;
use crate::report::{Report, ReportRow};
use crate::text::write_visible;

mod escape;
mod numbers;
mod markdown;
pub(crate) mod notes;
mod filters;
mod findings;
mod chart;
mod flame;
mod html;
pub(crate) mod issue;
mod rows;
mod run_json;
pub(crate) mod plot;
pub(crate) mod site;
mod text;
mod run_report;
mod bisect;

pub(crate) use bisect::{
    describe_commit_rounds, describe_skip, render_bisect_json, render_bisect_text,
};
pub(crate) use findings::{FindingWords, describe_finding};
pub(crate) use flame::{FlameFile, draw_flame_files};
pub(crate) use html::render_html;
pub(crate) use markdown::{
    COMMENT_LIMIT, format_comment_marker, render_markdown, render_markdown_body,
};
pub(crate) use numbers::format_duration;
pub(crate) use rows::{render_csv, render_junit};
pub(crate) use run_json::{RunDocument, render_run_json};
pub(crate) use run_report::{
    render_run_csv, render_run_figures, render_run_html, render_run_markdown, render_run_text,
};
pub(crate) use text::{Colour, render_text};

/// All templates by file name. The extension before `.j2` selects how values are escaped.
const TEMPLATES: [(&str, &str); 21] = [
    ("_words.j2", include_str!("../templates/_words.j2")),
    ("_figures.txt.j2", include_str!("../templates/_figures.txt.j2")),
    ("_figures.md.j2", include_str!("../templates/_figures.md.j2")),
    ("_figures.html.j2", include_str!("../templates/_figures.html.j2")),
    ("_explanation.txt.j2", include_str!("../templates/_explanation.txt.j2")),
    ("_explanation.md.j2", include_str!("../templates/_explanation.md.j2")),
    ("_explanation.html.j2", include_str!("../templates/_explanation.html.j2")),
    ("_claims.txt.j2", include_str!("../templates/_claims.txt.j2")),
    ("_claims.md.j2", include_str!("../templates/_claims.md.j2")),
    ("_claims.html.j2", include_str!("../templates/_claims.html.j2")),
    ("run.txt.j2", include_str!("../templates/run.txt.j2")),
    ("run.md.j2", include_str!("../templates/run.md.j2")),
    ("run.html.j2", include_str!("../templates/run.html.j2")),
    ("run.csv.j2", include_str!("../templates/run.csv.j2")),
    ("report.txt.j2", include_str!("../templates/report.txt.j2")),
    ("comment.md.j2", include_str!("../templates/comment.md.j2")),
    ("_chart.html.j2", include_str!("../templates/_chart.html.j2")),
    ("report.html.j2", include_str!("../templates/report.html.j2")),
    ("issue.md.j2", include_str!("../templates/issue.md.j2")),
    ("report.csv.j2", include_str!("../templates/report.csv.j2")),
    ("report.xml.j2", include_str!("../templates/report.xml.j2")),
];

/// A mismatch between a template and its values, which is a defect of perfgate.
#[derive(Debug, Error)]
#[error("a report cannot be rendered")]
pub(crate) struct RenderError(#[from] minijinja::Error);

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_keep_trailing_newline(true);
    environment.set_auto_escape_callback(|name| {
        match name.trim_end_matches(".j2").rsplit('.').next() {
            Some("html") => AutoEscape::Html,
            Some("md") => AutoEscape::Custom(escape::MARKDOWN_ESCAPE),
            Some("csv") => AutoEscape::Custom(escape::CSV_ESCAPE),
            Some("xml") => AutoEscape::Custom(escape::XML_ESCAPE),
            _ => AutoEscape::Custom(escape::TEXT_ESCAPE),
        }
    });
    environment.set_formatter(escape::write_escaped);
    filters::register_filters(&mut environment);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).expect("the embedded templates are tested");
    }
    environment
});

/// Returns untrusted text for a terminal. Characters that would move the cursor, change the writing
/// direction or be invisible are spelled out.
pub(crate) fn escape_for_terminal(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    write_visible(&mut shown, text).expect("a string takes everything");
    shown
}

fn render_template(template: &str, values: impl Serialize) -> Result<String, RenderError> {
    Ok(ENVIRONMENT.get_template(template)?.render(values)?)
}

/// Maximum number of benchmarks whose added instructions are shown outside of the HTML page.
const MAX_EXPLAINED: usize = 5;

/// Returns the worst rows that have an explanation, as values for templates.
fn list_explained(report: &Report<'_>) -> Value {
    let explained = report.notable.iter().filter(|row| row.explanation.is_some());
    explained.take(MAX_EXPLAINED).map(Value::from_serialize).collect()
}

fn serialize_rows(rows: &[ReportRow<'_>]) -> Value {
    rows.iter().map(Value::from_serialize).collect()
}

/// Returns the decision as JSON. Notes and failure reasons have a `text` for people. Equal decisions
/// give equal bytes.
///
/// # Errors
///
/// Fails if the decision cannot be serialized.
pub(crate) fn render_json(decision: &Decision) -> Result<String, serde_json::Error> {
    let mut document = serde_json::to_value(decision)?;
    notes::add_texts(&mut document);
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// Returns the report as a value for templates.
fn serialize_report(report: &Report<'_>) -> Value {
    Value::from_serialize(report)
}
