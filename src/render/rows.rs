//! For spreadsheets and test reporters: every benchmark, one at a time, so that a million of them
//! need no more memory than their text.

use minijinja::{Value, context};

use super::{ENVIRONMENT, RenderError};
use crate::report::Report;

/// One row a benchmark below a header that stays the same.
pub(crate) fn csv(report: &Report<'_>) -> Result<String, RenderError> {
    each("report.csv.j2", report)
}

/// `JUnit` XML: one test case a benchmark.
pub(crate) fn junit(report: &Report<'_>) -> Result<String, RenderError> {
    each("report.xml.j2", report)
}

fn each(template: &str, report: &Report<'_>) -> Result<String, RenderError> {
    let template = ENVIRONMENT.get_template(template)?;
    let head = Value::from_serialize(report);
    let part = |part: &str, row: Value| {
        template.render(context! { part => part, row => row, report => head })
    };
    let mut out = part("head", Value::from(()))?;
    for row in report.rows() {
        out += &part("row", Value::from_serialize(row))?;
    }
    out += &part("foot", Value::from(()))?;
    Ok(out)
}
