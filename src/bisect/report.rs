//! The answer of a search, as a document.

use serde::Serialize;

use super::log::{BISECT_SCHEMA, SkipReason};
use super::posterior::LevelChange;

/// The answer of `perfgate bisect`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct BisectReport {
    /// [`BISECT_SCHEMA`].
    pub(crate) schema: &'static str,
    /// Id of the benchmark.
    pub(crate) bench: String,
    /// The search between the two commits, then those inside of merges.
    pub(crate) searches: Vec<SearchReport>,
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BisectOutcome {
    /// One change was found, and no commit is left that could narrow it.
    Found,
    /// Several changes were found.
    Several,
    /// Nothing changes.
    NoChange,
    /// The budget ended before the answer was known.
    Unfinished,
}

/// The answer of one search.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SearchReport {
    /// How it ended.
    pub(crate) outcome: BisectOutcome,
    /// The commit that the others were compared with.
    pub(crate) good: NamedCommit,
    /// The last commit.
    pub(crate) bad: NamedCommit,
    /// Number of commits after the good one.
    pub(crate) commits: usize,
    /// Whether it is clear where something changes. If not, and the search has ended by itself, the
    /// difference is about as large as that of two builds.
    pub(crate) is_settled: bool,
    /// Probability that nothing changes.
    pub(crate) unchanged: f64,
    /// The changes, in the order of the history.
    pub(crate) changes: Vec<ReportedChange>,
    /// The next likely places of a change, the likeliest first.
    pub(crate) others: Vec<ReportedChange>,
    /// Commits that cannot be measured.
    pub(crate) skipped: Vec<SkippedCommit>,
    /// Number of commits that were measured.
    pub(crate) measured: usize,
    /// Number of commits whose program was known from another commit.
    pub(crate) same_program: usize,
    /// Number of rounds; each is one launch of either side.
    pub(crate) rounds: usize,
    /// Number of commits of the longest stretch in which none was measured.
    pub(crate) longest_gap: usize,
}

/// A change at one of some commits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ReportedChange {
    /// The commits, oldest first; nothing distinguishes them.
    pub(crate) commits: Vec<NamedCommit>,
    /// Probability that one of them changes the benchmark.
    pub(crate) probability: f64,
    /// Size of the change as a ratio, with its interval of 95 %.
    pub(crate) ratio: ChangeRatio,
}

/// Time after a change ÷ time before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct ChangeRatio {
    /// Median of the posterior.
    pub(crate) point: f64,
    /// Lower end of the interval.
    pub(crate) low: f64,
    /// Upper end of the interval.
    pub(crate) high: f64,
}

impl From<LevelChange> for ChangeRatio {
    fn from(change: LevelChange) -> Self {
        Self { point: change.point.exp(), low: change.low.exp(), high: change.high.exp() }
    }
}

/// A commit as readers know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NamedCommit {
    /// Full id.
    pub(crate) id: String,
    /// First line of the message.
    pub(crate) subject: String,
    /// When the author wrote it; `None` if the date is not valid.
    pub(crate) author_date: Option<String>,
}

/// A commit that cannot be measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SkippedCommit {
    /// The commit.
    pub(crate) commit: NamedCommit,
    /// Why it cannot be measured.
    pub(crate) why: SkipReason,
}

impl BisectReport {
    /// Creates the report of searches for a benchmark.
    pub(crate) fn new(bench: String, searches: Vec<SearchReport>) -> Self {
        Self { schema: BISECT_SCHEMA, bench, searches }
    }

    /// Returns whether every search found its changes.
    pub(crate) fn is_found(&self) -> bool {
        // A search inside of a merge may find nothing: then the merge itself is the change.
        let first = self.searches.first().map(|search| search.outcome);
        matches!(first, Some(BisectOutcome::Found | BisectOutcome::Several))
            && self.searches.iter().all(|search| search.outcome != BisectOutcome::Unfinished)
    }
}
