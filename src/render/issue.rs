//! The text of the issue about one slower benchmark.

use minijinja::context;
use serde::Serialize;

use super::{RenderError, render_template};
use crate::text::shorten;

/// Maximum number of commits in the issue. The comparison on GitHub shows all of them.
const MAX_SUSPECTS: usize = 20;
/// Maximum length of the benchmark's id in the title, in characters. GitHub's limit on a title is
/// 256.
const TITLE_WIDTH: usize = 120;

/// The parts of an issue besides the status of the benchmark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IssueFrame<'a> {
    /// Key that distinguishes the issues of different benchmarks; letters, digits and dashes.
    pub(crate) key: &'a str,
    /// State for the next night to compare with, as JSON without `>`.
    pub(crate) state: &'a str,
    /// Whether the benchmark is slower; otherwise it has recovered.
    pub(crate) is_open: bool,
    /// Address of the benchmark's trend page; `None` if it is not known.
    pub(crate) page: Option<&'a str>,
}

/// Returns the body of the issue about a benchmark.
///
/// `status` is the status of one benchmark as `perfgate trend status` writes it. Fails if the
/// template and its values do not fit.
pub(crate) fn render_issue(
    status: &impl Serialize,
    frame: IssueFrame<'_>,
) -> Result<String, RenderError> {
    let IssueFrame { key, state, is_open, page } = frame;
    let state = minijinja::Value::from_safe_string(state.to_owned());
    let most_suspects = MAX_SUSPECTS;
    let it = minijinja::Value::from_serialize(status);
    render_template("issue.md.j2", context! { it, key, state, is_open, page, most_suspects })
}

/// Returns the title of the issue. It contains no figures, so that it stays the same every night.
pub(crate) fn render_issue_title(id: &str) -> String {
    format!("Slower: {}", shorten(id, TITLE_WIDTH))
}
