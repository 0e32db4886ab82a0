//! A report as text, Markdown, HTML, CSV or `JUnit`, and a decision as JSON.
//!
//! `templates/` hold the layout, filters format the typed values, and every value is escaped for
//! its format unless a filter says that it is safe. Nothing is decided here.

use std::sync::LazyLock;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use thiserror::Error;

use crate::report::{Report, Row};
use crate::verdict::Decision;

mod chart;
mod escape;
mod filters;
mod html;
pub(crate) mod issue;
mod markdown;
mod rows;
pub(crate) mod plot;
pub(crate) mod site;
mod text;

pub(crate) use html::html;
pub(crate) use markdown::{COMMENT_LIMIT, markdown};
pub(crate) use rows::{csv, junit};
pub(crate) use text::{Colour, text};

/// Every template, by its file name; the last extension but one tells how values are escaped.
const TEMPLATES: [(&str, &str); 8] = [
    ("_words.j2", include_str!("../templates/_words.j2")),
    ("report.txt.j2", include_str!("../templates/report.txt.j2")),
    ("comment.md.j2", include_str!("../templates/comment.md.j2")),
    ("_chart.html.j2", include_str!("../templates/_chart.html.j2")),
    ("report.html.j2", include_str!("../templates/report.html.j2")),
    ("issue.md.j2", include_str!("../templates/issue.md.j2")),
    ("report.csv.j2", include_str!("../templates/report.csv.j2")),
    ("report.xml.j2", include_str!("../templates/report.xml.j2")),
];

/// A template and its values do not fit: a defect of perfgate.
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
            Some("md") => AutoEscape::Custom(escape::MARKDOWN),
            Some("csv") => AutoEscape::Custom(escape::CSV),
            Some("xml") => AutoEscape::Custom(escape::XML),
            _ => AutoEscape::Custom(escape::TEXT),
        }
    });
    environment.set_formatter(escape::format);
    filters::add_to(&mut environment);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).expect("the embedded templates are tested");
    }
    environment
});

/// Text of others for a terminal: what would move a cursor, turn writing around or be invisible is spelled out.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    escape::visible(&mut shown, text).expect("a string takes everything");
    shown
}

fn fill(template: &str, values: impl Serialize) -> Result<String, RenderError> {
    Ok(ENVIRONMENT.get_template(template)?.render(values)?)
}

fn values_of(rows: &[Row<'_>]) -> Value {
    rows.iter().map(Value::from_serialize).collect()
}

/// The decision itself; the same bytes for the same decision.
pub(crate) fn json(decision: &Decision) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(decision)? + "\n")
}

/// What all templates but those of single rows are given.
fn head(report: &Report<'_>) -> Value {
    Value::from_serialize(report)
}
