//! The report for spreadsheets and test reporters. The benchmarks are rendered one at a time, so
//! that a million of them need no more memory than their text.

use minijinja::{Value, context};

use super::{ENVIRONMENT, RenderError};
use crate::report::Report;

/// Returns the report as CSV: a fixed header and one row per benchmark.
///
/// Fails if the template and its values do not fit.
pub(crate) fn render_csv(report: &Report<'_>) -> Result<String, RenderError> {
    render_rows("report.csv.j2", report)
}

/// Returns the report as JUnit XML: one test case per benchmark.
///
/// Fails if the template and its values do not fit.
pub(crate) fn render_junit(report: &Report<'_>) -> Result<String, RenderError> {
    render_rows("report.xml.j2", report)
}

fn render_rows(template: &str, report: &Report<'_>) -> Result<String, RenderError> {
    let template = ENVIRONMENT.get_template(template)?;
    let head = Value::from_serialize(report);
    let render_part = |part: &str, row: Value| {
        template.render(context! { part => part, row => row, report => head })
    };
    let mut out = render_part("head", Value::from(()))?;
    for row in report.rows() {
        out += &render_part("row", Value::from_serialize(row))?;
    }
    out += &render_part("foot", Value::from(()))?;
    Ok(out)
}
