//! Issues of benchmarks that got slower: found by label and marker, opened, edited, closed.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{ApiError, Client, Connection, block_on};
use super::{PAGE, User, is_author, unless_refused};
use crate::publish::issues::{self, Issue, IssueError, LABEL, Plan, Step};
use crate::site::Status;

/// Why the issues could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssuesError {
    /// GitHub did not do it.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The status cannot be told.
    #[error(transparent)]
    Status(#[from] IssueError),
}

#[derive(Deserialize)]
struct IssueAnswer {
    number: u64,
    state: String,
    body: Option<String>,
    user: Option<User>,
    pull_request: Option<Value>,
}

#[derive(Deserialize)]
struct Opened {
    labels: Vec<Label>,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

/// Opens, edits and closes what `status` asks for in `repository`; says what GitHub would not take.
pub(crate) fn settle(
    connection: &Connection,
    repository: &str,
    status: &[Status],
    site: Option<&str>,
) -> Result<Vec<String>, IssuesError> {
    block_on(async {
        let tracker = Tracker { client: Client::new(connection)?, repository };
        let mut notices = Vec::new();
        let ours = tracker.ours().await?;
        let Plan { steps, left_out } = issues::plan(status, &ours, site)?;
        if left_out > 0 {
            notices.push(format!("{left_out} slowdowns have no issue yet: {} are opened at once, the others another night", issues::MOST_AT_ONCE));
        }
        let before = ours.iter().map(|issue| issue.number).max().unwrap_or(0);
        for step in steps {
            let done = tracker.take(step, before, &mut notices).await;
            let count = notices.len();
            unless_refused(done, "issue", "issues: write", &mut notices)?;
            // What was refused once is refused for the next one too.
            if notices.len() > count {
                break;
            }
        }
        Ok(notices)
    })?
}

struct Tracker<'a> {
    client: Client,
    repository: &'a str,
}

impl Tracker<'_> {
    async fn take(
        &self,
        step: Step,
        before: u64,
        notices: &mut Vec<String>,
    ) -> Result<(), ApiError> {
        match step {
            Step::Open { marker, title, body } => {
                let body = json!({ "title": title, "body": body, "labels": [LABEL] });
                if !self.open(&marker, before, &body).await? {
                    let lost = format!(
                        "an issue could not be given the label `{LABEL}` and will not be found again"
                    );
                    if !notices.contains(&lost) {
                        notices.push(lost);
                    }
                }
                Ok(())
            }
            Step::Edit { number, body } => self.patch(number, &json!({ "body": body })).await,
            Step::Close { number, body } => {
                let closed =
                    json!({ "body": body, "state": "closed", "state_reason": "completed" });
                self.patch(number, &closed).await
            }
        }
    }

    async fn patch(&self, number: u64, body: &Value) -> Result<(), ApiError> {
        self.client.patch(&self.path(&format!("issues/{number}")), body).await
    }

    /// True when it carries the label.
    async fn open(&self, marker: &str, before: u64, body: &Value) -> Result<bool, ApiError> {
        let already_there = async || {
            let ours = self.ours().await?;
            let is_it = |issue: &&Issue| issue.number > before && issue.body.starts_with(marker);
            Ok(ours.iter().find(is_it).map(|_| true))
        };
        let labelled = |answer: super::client::Answer| {
            Ok(answer.parse::<Opened>()?.labels.iter().any(|label| label.name == LABEL))
        };
        self.client.create(&self.path("issues"), body, labelled, already_there).await
    }

    /// Our issues, open and closed, from all pages.
    async fn ours(&self) -> Result<Vec<Issue>, ApiError> {
        let (mut ours, mut ourselves) = (Vec::new(), HashMap::new());
        for page in 1.. {
            let query = format!("labels={LABEL}&state=all&per_page={PAGE}&page={page}");
            let answer = self.client.get(&self.path(&format!("issues?{query}"))).await?;
            let is_last = !answer.has_next;
            for issue in answer.parse::<Vec<IssueAnswer>>()? {
                let IssueAnswer { number, state, body, user, pull_request } = issue;
                let (Some(body), Some(user), None) = (body, user, pull_request) else { continue };
                if issues::is_ours(&body) && is_author(&self.client, user, &mut ourselves).await? {
                    ours.push(Issue { number, is_open: state == "open", body });
                }
            }
            if is_last {
                break;
            }
        }
        Ok(ours)
    }

    fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{rest}", self.repository)
    }
}
