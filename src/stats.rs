//! The statistics behind a decision: pure functions on slices of `f64` and a seed.
//!
//! Nothing here knows a benchmark, a threshold or a unit: what goes in and comes out is said by each
//! function. Where a difference is meant it is `candidate − baseline`, the second argument minus the first.

pub(crate) mod bootstrap;
pub(crate) mod change_points;
pub(crate) mod components;
pub(crate) mod f_distribution;
mod incomplete_beta;
pub(crate) mod multiplicity;
pub(crate) mod normal;
pub(crate) mod order_statistics;
pub(crate) mod power;
pub(crate) mod proportion;
pub(crate) mod quantile;
pub(crate) mod random_effects;
pub(crate) mod rank;
pub(crate) mod sequential;
pub(crate) mod shrinkage;
pub(crate) mod t_distribution;
pub(crate) mod summary;
pub(crate) mod welch;

use thiserror::Error;

/// Why a statistic has no value.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum StatsError {
    /// There are fewer values than the statistic needs.
    #[error("needs `{needed}` values, got `{got}`")]
    TooFew {
        /// The least number of values.
        needed: usize,
        /// The number that was given.
        got: usize,
    },
    /// A value is NaN or infinite, or not positive where a logarithm is taken.
    #[error("a value is outside the range of the statistic")]
    OutOfRange,
    /// The two sides must have the same number of values.
    #[error("the sides have `{baseline}` and `{candidate}` values")]
    UnequalLengths {
        /// Number of values of the baseline.
        baseline: usize,
        /// Number of values of the candidate.
        candidate: usize,
    },
}
