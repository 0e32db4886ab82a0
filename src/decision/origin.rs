//! Between which commits a slowdown came into a branch.

use serde::{Deserialize, Serialize};

/// Between which commits of the default branch a benchmark became slower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlowdownOrigin {
    /// Id of the last commit that was measured without the slowdown.
    pub(crate) good: String,
    /// Id of the first commit that was measured with it.
    pub(crate) bad: String,
    /// Number of commits after `good` up to `bad`. `None` if the history does not show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commits: Option<u64>,
    /// What shows the range.
    pub(crate) evidence: OriginEvidence,
}

/// What shows between which commits a slowdown came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OriginEvidence {
    /// A change point in the stored runs of the branch.
    History,
    /// The two sides of this check.
    Check,
}
