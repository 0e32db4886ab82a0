//! Issues about slower benchmarks: finds them by label and marker, opens, edits and closes them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{ApiClient, ApiConnection, ApiError, block_on};
use super::{AnswerUser, PAGE_SIZE};
use crate::publish::issues::{self, ISSUE_LABEL, IssuePlan, IssuePlanError, IssueStep, TrendIssue};
use crate::publish::outcome::PublishOutcome;
use crate::site::BenchmarkStatus;

/// Why the issues could not be updated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueUpdateError {
    /// A request to GitHub failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The issues could not be planned.
    #[error(transparent)]
    Status(#[from] IssuePlanError),
}

#[derive(Deserialize)]
struct IssueAnswer {
    number: u64,
    state: String,
    body: Option<String>,
    user: Option<AnswerUser>,
    pull_request: Option<Value>,
}

#[derive(Deserialize)]
struct OpenedIssue {
    labels: Vec<IssueLabel>,
}

#[derive(Deserialize)]
struct IssueLabel {
    name: String,
}

/// Opens, edits and closes the issues in `repository` as `status` requires.
///
/// The notices are about slowdowns without an issue, a missing label, and what GitHub refused. Each
/// issue is tried, whatever happened to the others. Fails if the issues cannot be planned or the
/// existing ones cannot be read.
pub(crate) fn update_issues(
    connection: &ApiConnection,
    repository: &str,
    status: &[BenchmarkStatus],
    site: Option<&str>,
) -> Result<PublishOutcome, IssueUpdateError> {
    block_on(async {
        let tracker = IssueTracker { client: ApiClient::new(connection)?, repository };
        let mut published = PublishOutcome::default();
        let own_issues = tracker.own_issues().await?;
        let IssuePlan { steps, left_out } = issues::plan_issues(status, &own_issues, site)?;
        if left_out > 0 {
            published.notices.push(format!("{left_out} slowdowns have no issue yet: at most {} are opened per run, the others by later runs", issues::MAX_ISSUES_AT_ONCE));
        }
        let before = own_issues.iter().map(|issue| issue.number).max().unwrap_or(0);
        for step in steps {
            let kind = step.describe();
            let sent = tracker.apply_step(step, before, &mut published.notices).await;
            // If GitHub refuses one step, it also refuses the next one.
            if published.note_refusal(sent, &kind, "issues: write") {
                break;
            }
        }
        Ok(published)
    })?
}

struct IssueTracker<'a> {
    client: ApiClient,
    repository: &'a str,
}

impl IssueTracker<'_> {
    async fn apply_step(
        &self,
        step: IssueStep,
        before: u64,
        notices: &mut Vec<String>,
    ) -> Result<(), ApiError> {
        match step {
            IssueStep::Open { marker, title, body } => {
                let body = json!({ "title": title, "body": body, "labels": [ISSUE_LABEL] });
                if !self.open_issue(&marker, before, &body).await? {
                    let warning = format!(
                        "an issue could not be labelled `{ISSUE_LABEL}`, so perfgate will not find it again"
                    );
                    if !notices.contains(&warning) {
                        notices.push(warning);
                    }
                }
                Ok(())
            }
            IssueStep::Edit { number, body } => {
                self.patch_issue(number, &json!({ "body": body })).await
            }
            IssueStep::Close { number, body } => {
                let closed =
                    json!({ "body": body, "state": "closed", "state_reason": "completed" });
                self.patch_issue(number, &closed).await
            }
        }
    }

    async fn patch_issue(&self, number: u64, body: &Value) -> Result<(), ApiError> {
        self.client.patch(&self.build_path(&format!("issues/{number}")), body).await
    }

    /// Opens an issue and returns whether it carries the label.
    ///
    /// `before` is the highest number of an issue before this call. After a temporary failure, an
    /// issue with a higher number and the same marker counts as the one that was opened.
    async fn open_issue(&self, marker: &str, before: u64, body: &Value) -> Result<bool, ApiError> {
        let find_existing = async || {
            let own_issues = self.own_issues().await?;
            let is_same_issue =
                |issue: &&TrendIssue| issue.number > before && issue.body.starts_with(marker);
            Ok(own_issues.iter().find(is_same_issue).map(|_| true))
        };
        let has_label = |answer: super::client::ApiAnswer| {
            Ok(answer.parse::<OpenedIssue>()?.labels.iter().any(|label| label.name == ISSUE_LABEL))
        };
        self.client.create(&self.build_path("issues"), body, has_label, find_existing).await
    }

    /// Returns the issues of perfgate, open and closed, from all pages. An issue counts only if the
    /// token's own account opened it.
    async fn own_issues(&self) -> Result<Vec<TrendIssue>, ApiError> {
        let mut ours = Vec::new();
        for page in 1.. {
            let query = format!("labels={ISSUE_LABEL}&state=all&per_page={PAGE_SIZE}&page={page}");
            let answer = self.client.get(&self.build_path(&format!("issues?{query}"))).await?;
            let is_last = !answer.has_next;
            for issue in answer.parse::<Vec<IssueAnswer>>()? {
                let IssueAnswer { number, state, body, user, pull_request } = issue;
                let (Some(body), Some(user), None) = (body, user, pull_request) else { continue };
                if issues::is_own_issue(&body) && self.client.find_own_login().await? == user.login
                {
                    ours.push(TrendIssue { number, is_open: state == "open", body });
                }
            }
            if is_last {
                break;
            }
        }
        Ok(ours)
    }

    fn build_path(&self, suffix: &str) -> String {
        format!("/repos/{}/{suffix}", self.repository)
    }
}
