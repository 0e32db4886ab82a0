//! For one benchmark that got slower: the text of its issue.

use minijinja::context;
use serde::Serialize;

use super::{RenderError, escape, filters, render_template};

/// Commits that are named; the comparison has them all.
const MOST_SUSPECTS: usize = 20;
/// Characters of a title; GitHub takes 256.
const TITLE_WIDTH: usize = 120;

/// What stands around the words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IssueFrame<'a> {
    /// What tells the issue of one benchmark from another; letters, digits and dashes.
    pub(crate) key: &'a str,
    /// What the next night has to know, JSON without `>`.
    pub(crate) state: &'a str,
    /// Whether it is slower; otherwise it has recovered.
    pub(crate) is_open: bool,
    /// Address of its trend page.
    pub(crate) page: Option<&'a str>,
}

/// The body of the issue of a benchmark; `status` is one of `perfgate trend status`.
pub(crate) fn render_issue(
    status: &impl Serialize,
    frame: IssueFrame<'_>,
) -> Result<String, RenderError> {
    let IssueFrame { key, state, is_open, page } = frame;
    let state = minijinja::Value::from_safe_string(state.to_owned());
    let most_suspects = MOST_SUSPECTS;
    let it = minijinja::Value::from_serialize(status);
    render_template("issue.md.j2", context! { it, key, state, is_open, page, most_suspects })
}

/// The title: without figures, so that it stays the same from night to night.
pub(crate) fn render_issue_title(id: &str) -> String {
    let mut title = String::from("Slower: ");
    escape::write_visible(&mut title, &filters::shorten(id, TITLE_WIDTH))
        .expect("a string takes all that is written to it");
    title
}
