//! The sticky comment: finding it, reading what it reported, and planning how to update it.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::publish::limits::BODY_LIMIT;
use crate::publish::page::PublishPage;
use crate::render::format_comment_marker;
use crate::text::cut_text;

/// Maximum number of faults that a comment remembers.
///
/// If there are more, every fault counts as known.
const MAX_REMEMBERED: usize = 300;

/// A comment on the pull request that carries perfgate's marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StickyComment {
    /// GitHub's number of the comment; later comments have higher numbers.
    pub(crate) id: u64,
    /// Markdown of the comment.
    pub(crate) body: String,
}

/// One change of the comments on GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CommentStep {
    /// Creates a comment, which notifies people.
    Create {
        /// Markdown of the comment.
        body: String,
    },
    /// Replaces the text of an existing comment, without a notification.
    Edit {
        /// GitHub's number of the comment.
        id: u64,
        /// New Markdown of the comment.
        body: String,
    },
    /// Replaces the text of a comment that a newer comment supersedes. A failure is ignored.
    Fold {
        /// GitHub's number of the comment.
        id: u64,
        /// New Markdown of the comment.
        body: String,
    },
}

/// When a comment is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CommentPolicy {
    /// If [`PublishPage::deserves_comment`] is true.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A word that is not a comment policy.
#[derive(Debug, Error)]
#[error("`{0}` is not one of auto, always, never")]
pub(crate) struct CommentPolicyError(String);

impl FromStr for CommentPolicy {
    type Err = CommentPolicyError;

    fn from_str(word: &str) -> Result<Self, CommentPolicyError> {
        match word {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => Err(CommentPolicyError(word.to_owned())),
        }
    }
}

/// What a comment reported, stored in its second line for the next push to compare with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct CommentState {
    /// Hashes of the reported faults, at most [`MAX_REMEMBERED`].
    wrong: BTreeSet<String>,
    /// Whether there were more faults than are remembered.
    #[serde(default)]
    more: bool,
    /// Whether the comment had nothing to report.
    #[serde(default)]
    quiet: bool,
}

impl CommentState {
    fn from_page(page: &PublishPage, quiet: bool) -> Self {
        Self {
            wrong: page.faults.iter().take(MAX_REMEMBERED).cloned().collect(),
            more: page.faults.len() > MAX_REMEMBERED,
            quiet,
        }
    }

    /// Reads the state from the second line of `body`.
    ///
    /// An unreadable state counts as a state without faults, so that the next fault notifies.
    fn read_from_body(body: &str) -> Self {
        let line = body.lines().nth(1).unwrap_or_default();
        let json =
            line.strip_prefix("<!-- perfgate-state ").and_then(|rest| rest.strip_suffix(" -->"));
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    fn knows_all_of(&self, page: &PublishPage) -> bool {
        self.more || page.faults.is_subset(&self.wrong)
    }
}

/// Returns whether `body` is a comment with this id that has not been folded.
#[cfg(any(feature = "github", test))]
pub(crate) fn is_own_comment(body: &str, id: &str) -> bool {
    body.lines().next().is_some_and(|line| line.trim_end() == format_comment_marker(id))
}

/// Returns the Markdown of the comment for `page`, with marker and state.
fn write_comment_body(id: &str, page: &PublishPage) -> String {
    prepend_state(id, &CommentState::from_page(page, !page.deserves_comment()), &page.comment)
}

/// Returns the steps that turn the existing `comments` with this id into the comment for `page`.
///
/// A fault that the newest comment does not know causes a new comment, which notifies people. Every
/// other change is an edit, which does not notify. If the text is the same, there is no step.
/// Comments that are superseded are folded.
pub(crate) fn plan_comment_steps(
    id: &str,
    comments: &[StickyComment],
    page: &PublishPage,
    policy: CommentPolicy,
) -> Vec<CommentStep> {
    let mut newest_first: Vec<_> = comments.iter().collect();
    newest_first.sort_by_key(|comment| std::cmp::Reverse(comment.id));
    let should_comment = policy == CommentPolicy::Always
        || (policy == CommentPolicy::Auto && page.deserves_comment());
    let Some((newest, older)) = newest_first.split_first() else {
        return if should_comment {
            vec![CommentStep::Create { body: write_comment_body(id, page) }]
        } else {
            Vec::new()
        };
    };
    let known_state = CommentState::read_from_body(&newest.body);
    let fold = |comment: &&StickyComment| CommentStep::Fold {
        id: comment.id,
        body: write_folded_body(id, &comment.body),
    };
    if should_comment && !known_state.knows_all_of(page) {
        let create = CommentStep::Create { body: write_comment_body(id, page) };
        return [create].into_iter().chain(newest_first.iter().map(fold)).collect();
    }
    let body = match (should_comment, known_state.quiet) {
        (true, _) => write_comment_body(id, page),
        (false, true) => newest.body.clone(),
        (false, false) => write_resolved_body(id, page, known_state.wrong.len()),
    };
    let edit =
        (!is_same_text(&body, &newest.body)).then_some(CommentStep::Edit { id: newest.id, body });
    edit.into_iter().chain(older.iter().map(fold)).collect()
}

fn prepend_state(id: &str, state: &CommentState, text: &str) -> String {
    let state = serde_json::to_string(state).expect("strings and truth values are always JSON");
    let body = format!(
        "{}\n<!-- perfgate-state {state} -->\n{}\n",
        format_comment_marker(id),
        text.trim()
    );
    cut_text(&body, BODY_LIMIT)
}

/// Returns the one line that replaces a comment whose reasons no longer exist.
fn write_resolved_body(id: &str, page: &PublishPage, faults: usize) -> String {
    let commit = page.commit.as_deref().and_then(|commit| commit.get(..7));
    let at = commit.map(|commit| format!(" as of {commit}")).unwrap_or_default();
    let resolution = match faults {
        0 => "nothing is left to report".to_owned(),
        1 => "resolved: the problem reported here is fixed".to_owned(),
        faults => format!("resolved: the {faults} problems reported here are fixed"),
    };
    let text = format!("**perfgate**: {resolution}{at} ({}).", page.describe_counts());
    prepend_state(id, &CommentState::from_page(page, true), &text)
}

/// Returns the old text in a collapsed section, without the marker, so that it is not found again.
fn write_folded_body(id: &str, body: &str) -> String {
    let text: Vec<_> = body.lines().skip_while(|line| line.starts_with("<!--")).collect();
    let text = text.join("\n");
    let head = format!("<!-- perfgate:{id}:folded -->");
    let summary = "<summary>perfgate: an earlier result; a newer comment is below</summary>";
    let whole = format!("{head}\n<details>{summary}\n\n{text}\n\n</details>\n");
    if whole.len() <= BODY_LIMIT {
        whole
    } else {
        format!("{head}\n*perfgate: an earlier result; a newer comment is below.*\n")
    }
}

/// Returns whether two texts differ only in line ends and in space at line ends.
///
/// GitHub stores comments with its own line ends and without trailing space.
fn is_same_text(first: &str, second: &str) -> bool {
    let lines =
        |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    lines(first.trim()) == lines(second.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Verdict;
    use crate::report::{ChangeCounts, TargetCounts};

    fn page(wrong: &[&str]) -> PublishPage {
        let verdict = if wrong.is_empty() { Verdict::Pass } else { Verdict::Fail };
        PublishPage {
            verdict,
            is_blocking: verdict == Verdict::Fail,
            counts: ChangeCounts {
                regressed: wrong.len(),
                unchanged: 5,
                ..ChangeCounts::default()
            },
            targets: TargetCounts::default(),
            has_note_to_read: false,
            faults: wrong.iter().map(|&fault| fault.to_owned()).collect(),
            commit: Some("0123456789abcdef".to_owned()),
            comment: format!("wrong: {wrong:?}"),
            summary: String::new(),
        }
    }

    fn comment(id: u64, page: &PublishPage) -> StickyComment {
        StickyComment { id, body: write_comment_body("it", page) }
    }

    #[test]
    fn a_first_regression_makes_a_comment() {
        let page = page(&["a"]);
        assert_eq!(
            plan_comment_steps("it", &[], &page, CommentPolicy::Auto),
            [CommentStep::Create { body: write_comment_body("it", &page) }]
        );
    }

    #[test]
    fn nothing_worth_a_word_makes_no_comment() {
        assert_eq!(plan_comment_steps("it", &[], &page(&[]), CommentPolicy::Auto), []);
        assert_eq!(plan_comment_steps("it", &[], &page(&["a"]), CommentPolicy::Never), []);
        assert_eq!(plan_comment_steps("it", &[], &page(&[]), CommentPolicy::Always).len(), 1);
    }

    #[test]
    fn an_unchanged_state_is_silent() {
        let page = page(&["a"]);
        let mut stored = comment(3, &page);
        stored.body = stored.body.replace('\n', "\r\n").trim_end().to_owned();
        assert_eq!(plan_comment_steps("it", &[stored], &page, CommentPolicy::Auto), []);
    }

    #[test]
    fn a_new_regression_notifies_and_folds_the_old_comment() {
        let steps = plan_comment_steps(
            "it",
            &[comment(3, &page(&["a"]))],
            &page(&["a", "b"]),
            CommentPolicy::Auto,
        );
        let [CommentStep::Create { body }, CommentStep::Fold { id: 3, body: old }] =
            steps.as_slice()
        else {
            panic!("{steps:?}")
        };
        assert!(is_own_comment(body, "it") && !is_own_comment(old, "it"), "{old}");
        assert!(old.contains("wrong: [\"a\"]") && old.contains("<details>"), "{old}");
    }

    #[test]
    fn a_regression_that_stays_while_another_goes_is_an_edit() {
        let steps = plan_comment_steps(
            "it",
            &[comment(3, &page(&["a", "b"]))],
            &page(&["b"]),
            CommentPolicy::Auto,
        );
        assert!(matches!(steps.as_slice(), [CommentStep::Edit { id: 3, .. }]), "{steps:?}");
    }

    #[test]
    fn a_push_that_fixes_it_is_reported_in_one_line_and_once() {
        let resolved =
            plan_comment_steps("it", &[comment(3, &page(&["a"]))], &page(&[]), CommentPolicy::Auto);
        let [CommentStep::Edit { id: 3, body }] = resolved.as_slice() else {
            panic!("{resolved:?}")
        };
        let text: Vec<_> = body.lines().skip(2).collect();
        assert_eq!(
            text,
            [
                "**perfgate**: resolved: the problem reported here is fixed as of 0123456 (5 unchanged)."
            ]
        );
        let later = PublishPage { commit: Some("fedcba9876".to_owned()), ..page(&[]) };
        let stored = StickyComment { id: 3, body: body.clone() };
        assert_eq!(plan_comment_steps("it", &[stored], &later, CommentPolicy::Auto), []);
    }

    #[test]
    fn a_regression_that_comes_back_notifies_again() {
        let resolved = StickyComment { id: 3, body: write_resolved_body("it", &page(&[]), 1) };
        let steps = plan_comment_steps("it", &[resolved], &page(&["a"]), CommentPolicy::Auto);
        assert!(matches!(
            steps.as_slice(),
            [CommentStep::Create { .. }, CommentStep::Fold { id: 3, .. }]
        ));
    }

    #[test]
    fn two_living_comments_become_one() {
        let both = [comment(9, &page(&["a"])), comment(3, &page(&["a"]))];
        let steps = plan_comment_steps("it", &both, &page(&["a"]), CommentPolicy::Auto);
        assert!(matches!(steps.as_slice(), [CommentStep::Fold { id: 3, .. }]), "{steps:?}");
    }

    #[test]
    fn a_folded_comment_stays_within_the_limit() {
        let long = format!("{}\n{}", format_comment_marker("it"), "ü".repeat(BODY_LIMIT / 2 - 15));
        assert!(write_folded_body("it", &long).len() < BODY_LIMIT);
    }

    #[test]
    fn a_marker_counts_on_the_first_line_only() {
        assert!(is_own_comment("<!-- perfgate:it -->\r\nx", "it"));
        assert!(!is_own_comment("> <!-- perfgate:it -->", "it"));
        assert!(!is_own_comment("hello\n<!-- perfgate:it -->", "it"));
        assert!(!is_own_comment("<!-- perfgate:it2 -->", "it"));
    }
}
