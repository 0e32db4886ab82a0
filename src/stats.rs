//! Statistics behind a decision: pure functions on slices of `f64` and a seed.
//!
//! This module knows no benchmark, threshold or unit. Each function documents its input and output.
//! Every difference is `candidate − baseline`, the second argument minus the first.

pub(crate) mod distribution;
pub(crate) mod summary;
pub(crate) mod quantile;
pub(crate) mod proportion;
pub(crate) mod order_statistics;
pub(crate) mod batch_bound;
pub(crate) mod components;
pub(crate) mod bootstrap;
pub(crate) mod multiplicity;
pub(crate) mod test;
pub(crate) mod power;
pub(crate) mod random_effects;
pub(crate) mod cluster_mean;
pub(crate) mod clock_step;
pub(crate) mod shrinkage;
pub(crate) mod spending;
pub(crate) mod change_points;
pub(crate) mod drift;
pub(crate) mod growth;

use thiserror::Error;

/// Reason why a statistic has no value.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum StatsError {
    /// There are fewer values than the statistic needs.
    #[error("needs `{needed}` values, got `{got}`")]
    TooFew {
        /// Smallest number of values that the statistic needs.
        needed: usize,
        /// Number of values that was given.
        got: usize,
    },
    /// A value is NaN or infinite, or not positive where a logarithm is taken.
    #[error("a value is outside the range of the statistic")]
    OutOfRange,
    /// The two sides have different numbers of values.
    #[error("the sides have `{baseline}` and `{candidate}` values")]
    UnequalLengths {
        /// Number of values of the baseline.
        baseline: usize,
        /// Number of values of the candidate.
        candidate: usize,
    },
}
