//! Rules about more than the time of one benchmark: judged metrics, sums of benchmarks, ratios of two
//! benchmarks, and the price of an hour.

use serde::{Deserialize, Serialize};

use super::Metric;
use crate::selection::IdPattern;
use crate::units::{Amount, Nanos, Percent};

/// Whether a metric is better if it is lower or higher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BetterDirection {
    /// Less is better: bytes, errors, allocations.
    #[default]
    Lower,
    /// More is better: accuracy.
    Higher,
}

impl BetterDirection {
    /// Returns whether less is better, which files leave out.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_lower(&self) -> bool {
        *self == Self::Lower
    }
}

/// A metric whose change the gate judges, like the median.
#[derive(Clone, Debug)]
pub(crate) struct MetricRule {
    /// Name of the metric.
    pub(crate) name: String,
    /// The benchmarks that it is judged for.
    pub(crate) pattern: IdPattern,
    /// Worsening that is tolerated.
    pub(crate) threshold: Percent,
    /// Worsening that must be found.
    pub(crate) detect: Percent,
    /// Whether less or more is better.
    pub(crate) better: BetterDirection,
}

/// A target on a sum: one call of each part after the other, all of it a number of times.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SumRule {
    /// Name of the target.
    pub(crate) name: String,
    /// The ids of the benchmarks that are added up. An id may appear several times.
    pub(crate) parts: Vec<String>,
    /// How many times the parts follow each other.
    pub(crate) times: u32,
    /// The limits.
    pub(crate) limits: Vec<(Metric, Nanos)>,
}

/// A claim about the ratio of two benchmarks of one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpectRule {
    /// Name of the claim.
    pub(crate) name: String,
    /// Id of the benchmark whose median is divided.
    pub(crate) numerator: String,
    /// Id of the benchmark by whose median it is divided.
    pub(crate) denominator: String,
    /// Least ratio. `None` if there is no least one.
    pub(crate) at_least: Option<f64>,
    /// Largest ratio. `None` if there is no largest one.
    pub(crate) at_most: Option<f64>,
}

/// What an hour of the machine costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HourPrice {
    /// Price of an hour.
    pub(crate) per_hour: Amount,
    /// What is paid for, such as a machine type. `None` if it was not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Currency of the price. `None` if it was not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) currency: Option<String>,
}
