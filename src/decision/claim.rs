//! What a check finds out about more than the time of one benchmark: metrics of launches, sums of
//! benchmarks, and ratios of two benchmarks.

use serde::{Deserialize, Serialize};

use super::{Change, RatioInterval, TargetStatus, Waiver};
use crate::note::Note;
use crate::policy::{BetterDirection, LimitSide, Metric};
use crate::run::deserialize_or_default;
use crate::units::{Amount, Nanos, Percent, Ratio};

/// A metric of one benchmark on both sides, and what the data say about its change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricJudgement {
    /// Value of a typical launch of the baseline. `None` if it does not report the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) baseline: Option<Amount>,
    /// Value of a typical launch of the candidate. `None` if it does not report the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) candidate: Option<Amount>,
    /// Candidate ÷ baseline, with the plain two-sided interval. `None` if a side is zero or was not
    /// measured, or if there are too few launches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<RatioInterval>,
    /// What the data say. `None` if the metric is shown and not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<Change>,
    /// Worsening up to which a change was tolerated. `None` if it was not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) threshold: Option<Percent>,
    /// Worsening that had to be found. `None` if it was not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detect: Option<Percent>,
    /// Whether less or more is better.
    #[serde(default, skip_serializing_if = "BetterDirection::is_lower")]
    pub(crate) better: BetterDirection,
    /// The waiver that accepts the change. `None` if it is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) waiver: Option<Waiver>,
    /// What weakens the answer.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) notes: Vec<Note>,
}

/// A target on the time of a sum of benchmarks, and what the data say about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SumJudgement {
    /// Name of the target.
    pub(crate) name: String,
    /// Ids of the benchmarks that are added up.
    pub(crate) sum: Vec<String>,
    /// How many times the parts follow each other.
    pub(crate) times: u32,
    /// What is limited.
    pub(crate) metric: Metric,
    /// Largest time of the sum that meets the target.
    pub(crate) limit: Nanos,
    /// One-sided lower bound. `None` if the data do not bound the sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) low: Option<Nanos>,
    /// Best estimate. `None` if the data do not give one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<Nanos>,
    /// One-sided upper bound. `None` if the data do not bound the sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) high: Option<Nanos>,
    /// What the data say.
    pub(crate) status: TargetStatus,
    /// Why the target is unproven. `None` if it is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<Note>,
}

/// A claim about the ratio of two benchmarks of one run, and what the data say about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectationJudgement {
    /// Name of the claim.
    pub(crate) name: String,
    /// Ids of the two benchmarks: the first is divided by the second.
    pub(crate) ratio: [String; 2],
    /// On which side of the bound the ratio must be.
    pub(crate) side: LimitSide,
    /// The bound.
    pub(crate) bound: Ratio,
    /// One-sided lower bound of the ratio. `None` if the data do not bound it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) low: Option<Ratio>,
    /// Best estimate. `None` if a benchmark was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<Ratio>,
    /// One-sided upper bound of the ratio. `None` if the data do not bound it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) high: Option<Ratio>,
    /// Number of launches that measured both benchmarks next to each other. 0 if they were compared
    /// as two groups of launches.
    #[serde(default)]
    pub(crate) pairs: u32,
    /// What the data say.
    pub(crate) status: TargetStatus,
    /// Why the claim is unproven. `None` if it is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<Note>,
}
