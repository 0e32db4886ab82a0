//! The bodies of requests, within GitHub's limits, and the requests of a dry run.

use std::str::FromStr;

use serde_json::{Value, json};
use thiserror::Error;

use crate::decision::Verdict;
use crate::publish::annotation::Annotation;
use crate::publish::comment::{self, CommentPolicy, CommentStep};
use crate::publish::event::{PullReference, WorkflowEvent};
use crate::publish::limits::{
    ANNOTATION_REQUESTS, ANNOTATIONS_PER_REQUEST, BODY_LIMIT, DESCRIPTION_LIMIT, TITLE_LIMIT,
};
use crate::publish::page::PublishPage;
use crate::publish::summary;
use crate::text::cut_text;

/// Id that distinguishes the comments, statuses and check runs of perfgate on the same commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishId(String);

/// A text that is not a valid id.
#[derive(Debug, Error)]
#[error("`{0}` is not an id: use up to 100 letters, digits, `.`, `_` and `-`")]
pub(crate) struct PublishIdError(String);

impl FromStr for PublishId {
    type Err = PublishIdError;

    fn from_str(text: &str) -> Result<Self, PublishIdError> {
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        // Two hyphens would end the HTML comment that the marker is.
        let is_valid =
            (1..=100).contains(&text.len()) && text.bytes().all(is_legal) && !text.contains("--");
        if is_valid { Ok(Self(text.to_owned())) } else { Err(PublishIdError(text.to_owned())) }
    }
}

impl PublishId {
    /// Default id.
    pub(crate) const DEFAULT: &str = "gate";

    /// Returns the id as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the context of the commit status, which is also the name of the check run.
    pub(crate) fn context(&self) -> String {
        if self.0 == Self::DEFAULT { "perfgate".to_owned() } else { format!("perfgate/{}", self.0) }
    }
}

/// Settings of the user for `publish`.
#[derive(Clone, Debug)]
pub(crate) struct PublishSettings {
    /// Id of the comment, the status and the check run.
    pub(crate) id: PublishId,
    /// When to write a comment.
    pub(crate) comment: CommentPolicy,
    /// Whether to create a check run.
    pub(crate) check_run: bool,
    /// Address of the workflow run that measured; `None` if it is not known.
    pub(crate) run_url: Option<String>,
}

/// Returns the body of `POST /repos/…/statuses/{sha}`.
///
/// A status cannot be neutral. A check that is inconclusive and does not block is a success whose
/// description begins with *inconclusive*.
pub(crate) fn build_commit_status(page: &PublishPage, settings: &PublishSettings) -> Value {
    let state = match page.verdict {
        Verdict::Fail => "failure",
        Verdict::Inconclusive if page.is_blocking => "error",
        Verdict::Pass | Verdict::Inconclusive => "success",
    };
    let mut body = json!({
        "state": state,
        "context": settings.id.context(),
        "description": cut_text(&describe_outcome(page), DESCRIPTION_LIMIT),
    });
    if let Some(url) = &settings.run_url {
        body["target_url"] = json!(url);
    }
    body
}

/// Returns the counts in words. The word *inconclusive* comes first if that is the verdict, and then
/// whether anything was compared.
fn describe_outcome(page: &PublishPage) -> String {
    let counts = &page.counts;
    let is_compared = counts.total > counts.new + counts.failed;
    match page.verdict {
        Verdict::Inconclusive if !is_compared && counts.new > 0 => {
            format!("inconclusive: not compared with a baseline ({})", page.describe_counts())
        }
        Verdict::Inconclusive => format!("inconclusive: {}", page.describe_counts()),
        Verdict::Pass | Verdict::Fail => page.describe_counts(),
    }
}

/// Returns the body of `POST /repos/…/check-runs`, and the bodies of the `PATCH` requests after it.
///
/// Each body holds at most [`ANNOTATIONS_PER_REQUEST`] annotations, and there are at most
/// [`ANNOTATION_REQUESTS`] bodies; the summary counts the annotations that are left out. Annotations
/// without a location are left out too.
pub(crate) fn build_check_run(
    head: &str,
    page: &PublishPage,
    settings: &PublishSettings,
    annotations: &[Annotation],
) -> (Value, Vec<Value>) {
    let conclusion = match page.verdict {
        Verdict::Pass => "success",
        // GitHub lets a neutral check run merge, so a check that blocks is not neutral.
        Verdict::Inconclusive if !page.is_blocking => "neutral",
        Verdict::Fail | Verdict::Inconclusive => "failure",
    };
    let mut placed: Vec<_> = annotations.iter().filter_map(Annotation::to_check_run).collect();
    let left_out = placed.len().saturating_sub(ANNOTATIONS_PER_REQUEST * ANNOTATION_REQUESTS);
    placed.truncate(placed.len() - left_out);
    let more = match left_out {
        0 => String::new(),
        left_out => format!("{left_out} more annotations are left out.\n\n"),
    };
    let summary = cut_text(&format!("{more}{}", page.comment), BODY_LIMIT);
    let build_output = |annotations: &[Value]| {
        json!({
            "title": cut_text(&describe_outcome(page), TITLE_LIMIT),
            "summary": summary,
            "annotations": annotations,
        })
    };
    let mut batches = placed.chunks(ANNOTATIONS_PER_REQUEST);
    let mut first = json!({
        "name": settings.id.context(), "head_sha": head, "status": "completed",
        "conclusion": conclusion, "output": build_output(batches.next().unwrap_or_default()),
    });
    if let Some(url) = &settings.run_url {
        first["details_url"] = json!(url);
        first["external_id"] = json!(url);
    }
    (first, batches.map(|batch| json!({ "output": build_output(batch) })).collect())
}

/// Returns all requests that would be sent if GitHub had nothing of perfgate yet, and the length of
/// the step summary. Does not ask GitHub.
pub(crate) fn build_dry_run(
    event: &WorkflowEvent,
    page: &PublishPage,
    settings: &PublishSettings,
    annotations: &[Annotation],
) -> Vec<Value> {
    let repository = &event.repository;
    let post = |path: String, body: Value| json!({ "method": "POST", "path": path, "body": body });
    let number = match &event.pull {
        PullReference::None => None,
        PullReference::Number(number) => Some(number.to_string()),
        PullReference::Branch { .. } => Some("{issue_number}".to_owned()),
    };
    let comments = number.into_iter().flat_map(|number| {
        let steps = comment::plan_comment_steps(settings.id.as_str(), &[], page, settings.comment);
        let path = format!("/repos/{repository}/issues/{number}/comments");
        steps.into_iter().filter_map(move |step| match step {
            CommentStep::Create { body } => Some(post(path.clone(), json!({ "body": body }))),
            CommentStep::Edit { .. } | CommentStep::Fold { .. } => None,
        })
    });
    let on_commit = event.head.iter().flat_map(|head| {
        let status = post(format!("/repos/{repository}/statuses/{head}"), build_commit_status(page, settings));
        let check = settings.check_run.then(|| build_check_run(head, page, settings, annotations));
        let checks = check.into_iter().flat_map(|(first, further)| {
            let path = format!("/repos/{repository}/check-runs");
            let patch = |body| {
                json!({ "method": "PATCH", "path": format!("/repos/{repository}/check-runs/{{check_run_id}}"), "body": body })
            };
            [post(path, first)].into_iter().chain(further.into_iter().map(patch)).collect::<Vec<_>>()
        });
        [status].into_iter().chain(checks).collect::<Vec<_>>()
    });
    let summary = json!({ "step_summary_bytes": summary::choose_summary(page).len() });
    on_commit.chain(comments).chain([summary]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_leave_its_marker() {
        for bad in ["", "a b", "a-->", "a--b", "<x", "ü", &"x".repeat(101)] {
            assert!(bad.parse::<PublishId>().is_err(), "{bad}");
        }
        assert_eq!("gpu.linux-1".parse::<PublishId>().unwrap().context(), "perfgate/gpu.linux-1");
        assert_eq!("gate".parse::<PublishId>().unwrap().context(), "perfgate");
    }
}
