//! The statistics behind a decision: pure functions on slices of `f64` and a seed.
//!
//! Nothing here knows a benchmark, a threshold or a unit: what goes in and comes out is said by each
//! function. Where a difference is meant it is `candidate − baseline`, the second argument minus the first.

pub mod bootstrap;
pub mod changes;
pub mod components;
pub mod fisher;
mod incomplete_beta;
pub mod multiplicity;
pub mod normal;
pub mod order;
pub mod power;
pub mod proportion;
pub mod quantile;
pub mod random_effects;
pub mod rank;
pub mod sequential;
pub mod shrinkage;
pub mod student;
pub mod summary;
pub mod welch;

use thiserror::Error;

/// Why a statistic has no value.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Undefined {
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
    Unequal {
        /// Number of values of the baseline.
        baseline: usize,
        /// Number of values of the candidate.
        candidate: usize,
    },
}
