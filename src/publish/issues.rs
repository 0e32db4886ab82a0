//! Plan of the issues about slower benchmarks, one per benchmark: open, update, and close after a
//! recovery.
//!
//! The input is the output of `perfgate trend status --format json`; the result is a list of steps
//! for GitHub.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::publish::limits::{BODY_LIMIT, TITLE_LIMIT};
use crate::render::RenderError;
use crate::render::issue::{self, IssueFrame};
use crate::site::{BenchmarkState, BenchmarkStatus};
use crate::text::cut_text;

/// Label of perfgate's issues, by which they are found.
pub(crate) const ISSUE_LABEL: &str = "perfgate";
/// Maximum number of issues that are opened per call. Without it, a change of the machine would
/// open an issue for every benchmark.
pub(crate) const MAX_ISSUES_AT_ONCE: usize = 10;
/// Maximum shift of a slowdown's start that still counts as the same slowdown. The start can move
/// as nights are added.
const SAME_SLOWDOWN_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Why the issues could not be planned.
#[derive(Debug, Error)]
pub(crate) enum IssuePlanError {
    /// The page is not an address that `trend status` writes.
    #[error("`{0}` is not the page of a benchmark")]
    Page(String),
    /// The text is not a time.
    #[error("`{0}` is not a time")]
    Time(String),
    /// The text of an issue could not be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
}

/// An issue that carries one of perfgate's markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrendIssue {
    /// GitHub's number of the issue; later issues have higher numbers.
    pub(crate) number: u64,
    /// Whether the issue is open.
    pub(crate) is_open: bool,
    /// Markdown of the issue.
    pub(crate) body: String,
}

/// One change of the issues on GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IssueStep {
    /// Opens an issue.
    Open {
        /// First line of the body, by which the issue is found again.
        marker: String,
        /// Title of the issue.
        title: String,
        /// Markdown of the issue.
        body: String,
    },
    /// Replaces the text of an issue, without a notification.
    Edit {
        /// GitHub's number of the issue.
        number: u64,
        /// New Markdown of the issue.
        body: String,
    },
    /// Replaces the text of an issue and closes it.
    Close {
        /// GitHub's number of the issue.
        number: u64,
        /// New Markdown of the issue.
        body: String,
    },
}

impl IssueStep {
    /// Returns what the step is about, for messages.
    #[cfg(any(feature = "github", test))]
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Open { title, .. } => format!("issue `{title}`"),
            Self::Edit { number, .. } | Self::Close { number, .. } => format!("issue #{number}"),
        }
    }
}

/// The steps for GitHub, and the number of issues that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IssuePlan {
    /// Steps for GitHub, the worst slowdown first.
    pub(crate) steps: Vec<IssueStep>,
    /// Number of slowdowns that get no issue because [`MAX_ISSUES_AT_ONCE`] is reached.
    pub(crate) left_out: usize,
}

/// The state that an issue stores in its second line for the next night to compare with.
#[derive(Serialize, Deserialize)]
struct IssueState {
    since: Timestamp,
}

/// Returns whether `body` belongs to an issue of perfgate: its first line is a marker.
#[cfg(any(feature = "github", test))]
pub(crate) fn is_own_issue(body: &str) -> bool {
    body.lines().next().is_some_and(|line| line.starts_with("<!-- perfgate-trend:"))
}

/// Plans the steps that bring the existing issues in line with `status`.
///
/// `site` is the address of the trend pages. If an issue was closed by hand, its slowdown gets no
/// other issue; a slowdown that began more than a week later opens a new issue. The issues of
/// absent benchmarks and of benchmarks with too few runs are not changed.
///
/// Fails if a page or a time in `status` is malformed, or if a text cannot be rendered.
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
        let steps = benchmark.open.iter().map(|open| &open.since);
        let drifts = benchmark.drifts.iter().map(|drift| &drift.since);
        let begins: Result<Vec<_>, _> =
            steps.chain(drifts).map(|since| parse_time(since)).collect();
        match (begins?.into_iter().max(), benchmark.state) {
            (_, BenchmarkState::Absent | BenchmarkState::Insufficient) => {}
            (None, _) => {
                for issue in existing.filter(|issue| issue.is_open) {
                    let body = text.render_body("{}", false)?;
                    plan.steps.push(IssueStep::Close { number: issue.number, body });
                }
            }
            (Some(since), _) => plan.add_slowdown(&text, since, newest)?,
        }
    }
    Ok(plan)
}

impl IssuePlan {
    /// Adds the step for a slowdown that began at `since`, if a step is needed.
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
            _ if self.count_opened() == MAX_ISSUES_AT_ONCE => self.left_out += 1,
            _ => self.steps.push(IssueStep::Open {
                marker: text.marker(),
                title: cut_text(&issue::render_issue_title(&text.status.id), TITLE_LIMIT),
                body,
            }),
        }
        Ok(())
    }

    fn count_opened(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, IssueStep::Open { .. })).count()
    }
}

/// The text of the issue about one benchmark.
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
        Ok(cut_text(&issue::render_issue(self.status, frame)?, BODY_LIMIT))
    }
}

/// Returns whether the issue with this body covers a slowdown that began at `since`: the slowdown
/// began at most [`SAME_SLOWDOWN_WITHIN`] after the one in the issue.
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
