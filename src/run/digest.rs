//! The digest: a summary of the samples of one launch.

use serde::{Deserialize, Serialize};

use crate::stats::{quantile::compute_quantile, summary::Moments};
use crate::units::Nanos;

/// A summary of the samples of one launch. All times are in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Digest {
    /// Number of samples; at least one.
    pub(crate) count: u64,
    /// Arithmetic mean of the samples.
    pub(crate) mean: Nanos,
    /// Standard deviation with `n − 1` in the denominator; zero for a single sample.
    pub(crate) sd: Nanos,
    /// Smallest sample.
    pub(crate) min: Nanos,
    /// Median of the samples.
    pub(crate) p50: Nanos,
    /// 90th percentile of the samples.
    pub(crate) p90: Nanos,
    /// 95th percentile of the samples.
    pub(crate) p95: Nanos,
    /// 99th percentile of the samples.
    pub(crate) p99: Nanos,
    /// Largest sample.
    pub(crate) max: Nanos,
}

impl Digest {
    /// Computes the digest of `sorted`: at least one sample, in nanoseconds, in ascending order.
    pub(super) fn from_sorted(sorted: &[f64]) -> Self {
        let moments =
            Moments::from_values(sorted).expect("a launch has samples, and samples are finite");
        let compute_at =
            |q| Nanos::saturate(compute_quantile(sorted, q).expect("a launch has samples"));
        Self {
            count: sorted.len() as u64,
            mean: Nanos::saturate(moments.mean()),
            sd: Nanos::saturate(moments.standard_deviation()),
            min: Nanos::saturate(sorted[0]),
            p50: compute_at(0.5),
            p90: compute_at(0.9),
            p95: compute_at(0.95),
            p99: compute_at(0.99),
            max: Nanos::saturate(sorted[sorted.len() - 1]),
        }
    }

    /// Returns the natural logarithm of the median in nanoseconds. The tests use only this number
    /// of a launch.
    pub(crate) fn ln_median(&self) -> f64 {
        self.p50.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn the_digest_of_one_sample_is_that_sample() {
        let digest = Digest::from_sorted(&[7.0]);
        assert_eq!((digest.count, digest.sd.get(), digest.p99.get()), (1, 0.0, 7.0));
    }
}
