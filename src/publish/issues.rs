//! One issue a benchmark that got slower: opened, kept up to date, closed when it recovers.
//!
//! What `perfgate trend status --format json` says comes in, what has to be asked of GitHub goes out.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::render::RenderError;
use crate::render::issue::{self, IssueFrame};
use crate::site::{BenchmarkState, BenchmarkStatus};

/// The label that our issues carry and are found by.
pub(crate) const ISSUE_LABEL: &str = "perfgate";
/// So many issues are opened in one night; a machine that changed would open one for every benchmark.
pub(crate) const MOST_ISSUES_AT_ONCE: usize = 10;
/// GitHub's limit on the body of an issue, in characters.
const ISSUE_BODY_LIMIT: usize = 65_536;
/// A slowdown whose place moved by less than this, as nights are added, is still the same one.
const SAME_SLOWDOWN_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Why a status cannot be told in issues.
#[derive(Debug, Error)]
pub(crate) enum IssuePlanError {
    /// Not what `trend status` writes.
    #[error("the page `{0}` is not one of a benchmark")]
    Page(String),
    /// A time that is none.
    #[error("`{0}` is not a time")]
    Time(String),
    /// It cannot be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// It does not fit into an issue.
    #[error("the text on `{0}` is too long for an issue")]
    TooLong(String),
}

/// An issue that carries one of our markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrendIssue {
    /// GitHub's number; a later issue has a higher one.
    pub(crate) number: u64,
    /// Whether it is open.
    pub(crate) is_open: bool,
    /// Its Markdown.
    pub(crate) body: String,
}

/// What has to be asked of GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IssueStep {
    /// A new issue.
    Open {
        /// First line of the body, by which it is found again.
        marker: String,
        /// Its title.
        title: String,
        /// Its Markdown.
        body: String,
    },
    /// Another text, in silence.
    Edit {
        /// Which issue.
        number: u64,
        /// Its new Markdown.
        body: String,
    },
    /// Another text, and closed.
    Close {
        /// Which issue.
        number: u64,
        /// Its new Markdown.
        body: String,
    },
}

/// What has to happen, and how many issues were not opened because there are too many at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IssuePlan {
    /// What has to be asked of GitHub, the worst slowdown first.
    pub(crate) steps: Vec<IssueStep>,
    /// Slowdowns without an issue tonight.
    pub(crate) left_out: usize,
}

/// What an issue says, in its second line, for the next night to compare with.
#[derive(Serialize, Deserialize)]
struct IssueState {
    since: Timestamp,
}

/// Whether `body` is of an issue of ours: its first line is a marker.
#[cfg(any(feature = "github", test))]
pub(crate) fn is_own_issue(body: &str) -> bool {
    body.lines().next().is_some_and(|line| line.starts_with("<!-- perfgate-trend:"))
}

/// Turns the issues that are there into what `status` says; `site` is the address of the trend pages.
///
/// A slowdown whose issue was closed by hand stays closed; another one that began more than a week
/// later opens a new one. Absent benchmarks and those with too few runs leave their issues alone.
pub(crate) fn plan_issues(
    status: &[BenchmarkStatus],
    own_issues: &[TrendIssue],
    site: Option<&str>,
) -> Result<IssuePlan, IssuePlanError> {
    let mut worst_first: Vec<&BenchmarkStatus> = status.iter().collect();
    worst_first.sort_by(|a, b| b.open_ratio.total_cmp(&a.open_ratio).then(a.id.cmp(&b.id)));
    let mut plan = IssuePlan::default();
    for benchmark in worst_first {
        let text = IssueText::from_status(benchmark, site)?;
        let existing = own_issues.iter().filter(|issue| text.is_marked_in(&issue.body));
        let newest = existing.clone().max_by_key(|issue| issue.number);
        match (benchmark.open.last(), benchmark.state) {
            (_, BenchmarkState::Absent | BenchmarkState::Insufficient) => {}
            (None, _) => {
                for issue in existing.filter(|issue| issue.is_open) {
                    let body = text.render_body("{}", false)?;
                    plan.steps.push(IssueStep::Close { number: issue.number, body });
                }
            }
            (Some(open), _) => plan.add_slowdown(&text, parse_time(&open.since)?, newest)?,
        }
    }
    Ok(plan)
}

impl IssuePlan {
    /// What has to happen for a slowdown since `since`.
    fn add_slowdown(
        &mut self,
        text: &IssueText<'_>,
        since: Timestamp,
        newest: Option<&TrendIssue>,
    ) -> Result<(), IssuePlanError> {
        let state = serde_json::to_string(&IssueState { since }).unwrap_or_default();
        let body = text.render_body(&state, true)?;
        match newest {
            Some(issue) if issue.is_open => {
                if body.trim_end() != issue.body.replace("\r\n", "\n").trim_end() {
                    self.steps.push(IssueStep::Edit { number: issue.number, body });
                }
            }
            Some(issue) if is_known(&issue.body, since) => {}
            _ if self.count_opened() == MOST_ISSUES_AT_ONCE => self.left_out += 1,
            _ => self.steps.push(IssueStep::Open {
                marker: text.marker(),
                title: issue::render_issue_title(&text.status.id),
                body,
            }),
        }
        Ok(())
    }

    fn count_opened(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, IssueStep::Open { .. })).count()
    }
}

/// What is written about one benchmark.
struct IssueText<'a> {
    status: &'a BenchmarkStatus,
    key: &'a str,
    page: Option<String>,
}

impl<'a> IssueText<'a> {
    fn from_status(
        status: &'a BenchmarkStatus,
        site: Option<&str>,
    ) -> Result<Self, IssuePlanError> {
        let key = status.page.strip_prefix("bench/").and_then(|page| page.strip_suffix(".html"));
        let is_plain = |key: &&str| {
            key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !key.contains("--")
        };
        let key = key.filter(is_plain).ok_or_else(|| IssuePlanError::Page(status.page.clone()))?;
        let page = site.map(|site| format!("{}/{}", site.trim_end_matches('/'), status.page));
        Ok(Self { status, key, page })
    }

    fn marker(&self) -> String {
        format!("<!-- perfgate-trend:{} -->", self.key)
    }

    fn is_marked_in(&self, body: &str) -> bool {
        body.lines().next().is_some_and(|line| line.trim_end() == self.marker())
    }

    fn render_body(&self, state: &str, is_open: bool) -> Result<String, IssuePlanError> {
        let frame = IssueFrame { key: self.key, state, is_open, page: self.page.as_deref() };
        let body = issue::render_issue(self.status, frame)?;
        if body.chars().count() > ISSUE_BODY_LIMIT {
            return Err(IssuePlanError::TooLong(self.status.id.clone()));
        }
        Ok(body)
    }
}

/// Whether the issue with this body was about a slowdown since `since`, or a later one.
fn is_known(body: &str, since: Timestamp) -> bool {
    let line = body.lines().nth(1).unwrap_or_default().trim_end();
    let json = line.strip_prefix("<!-- perfgate-state ").and_then(|rest| rest.strip_suffix(" -->"));
    let remembered = json.and_then(|json| serde_json::from_str::<IssueState>(json).ok());
    remembered
        .is_some_and(|remembered| since.duration_since(remembered.since) <= SAME_SLOWDOWN_WITHIN)
}

fn parse_time(text: &str) -> Result<Timestamp, IssuePlanError> {
    text.parse().map_err(|_| IssuePlanError::Time(text.to_owned()))
}
