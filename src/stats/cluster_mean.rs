//! The arithmetic mean of units that were drawn in clusters, such as calls in launches.
//!
//! Units of one cluster are alike, so the clusters are the independent draws. The mean of all units
//! is a ratio estimator: sum of all units ÷ number of units (Cochran 1977, section 2.11, and section
//! 9A.1 for clusters of unequal size). Its bounds use Student's t with one degree of freedom less
//! than there are clusters.

use super::StatsError;
use super::distribution::t::t_upper_quantile;
use super::summary::Moments;

/// The mean and the size of one cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ClusterSummary {
    /// Mean of the units of the cluster.
    pub(crate) mean: f64,
    /// Number of units, above zero.
    pub(crate) size: f64,
}

/// The arithmetic mean of all units, with bounds over clusters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ClusterMean {
    /// Mean of all units.
    pub(crate) mean: f64,
    /// Lower and upper bound, each one-sided; `None` for a single cluster.
    pub(crate) bounds: Option<(f64, f64)>,
}

/// Estimates the mean of all units of `clusters`. Each bound is wrong with probability `tail`.
///
/// The bounds are the outer ones of two kinds: one weights clusters by their size, the other weights
/// them alike. Without the second kind, a cluster much larger than all others would hide how they
/// differ. For clusters of equal size both are Student's interval of the cluster means.
///
/// # Errors
///
/// Fails if there is no cluster, or if a value is not finite.
pub(crate) fn estimate_cluster_mean(
    clusters: &[ClusterSummary],
    tail: f64,
) -> Result<ClusterMean, StatsError> {
    let means: Vec<f64> = clusters.iter().map(|cluster| cluster.mean).collect();
    let sizes: Vec<f64> = clusters.iter().map(|cluster| cluster.size).collect();
    let (mean, error) = estimate_weighted_mean(&means, &sizes)?;
    let (plain_mean, plain_error) = estimate_weighted_mean(&means, &vec![1.0; means.len()])?;
    let bounds = (clusters.len() > 1).then(|| {
        let quantile = t_upper_quantile(tail, clusters.len() as f64 - 1.0);
        let low = (mean - quantile * error).min(plain_mean - quantile * plain_error);
        let high = (mean + quantile * error).max(plain_mean + quantile * plain_error);
        (low, high)
    });
    Ok(ClusterMean { mean, bounds })
}

/// Returns the mean of `means` with these `weights`, and its standard error. The error of a single
/// mean is zero.
///
/// Fails if there is no mean, or if a value or the sum of the weights is not finite.
fn estimate_weighted_mean(means: &[f64], weights: &[f64]) -> Result<(f64, f64), StatsError> {
    // Distances from the first mean keep the digits that sums of large means would lose.
    let reference = *means.first().ok_or(StatsError::TooFew { needed: 1, got: 0 })?;
    let total: f64 = weights.iter().sum();
    let parts =
        means.iter().zip(weights).map(|(mean, weight)| (mean - reference) * (weight / total));
    let offset: f64 = parts.sum();
    let count = means.len() as f64;
    // A residual is the share of one cluster in the error of the mean. Its scale makes the variance
    // of equal weights that of Student's interval.
    let residuals: Vec<f64> = means
        .iter()
        .zip(weights)
        .map(|(mean, weight)| (mean - reference - offset) * (weight / total) * count)
        .collect();
    Ok((reference + offset, Moments::from_values(&residuals)?.standard_error()))
}

#[cfg(test)]
mod tests {
    use super::{ClusterSummary, estimate_cluster_mean};

    fn clusters(values: &[(f64, f64)]) -> Vec<ClusterSummary> {
        values.iter().map(|&(mean, size)| ClusterSummary { mean, size }).collect()
    }

    #[test]
    fn clusters_of_equal_size_have_the_interval_of_their_means() {
        // By hand: the standard error is sqrt(5/12), and t(0.95, 3) is 2.353363434801823.
        let four = clusters(&[(1.0, 60.0), (2.0, 60.0), (3.0, 60.0), (4.0, 60.0)]);
        let estimate = estimate_cluster_mean(&four, 0.05).expect("four clusters");
        let (low, high) = estimate.bounds.expect("four clusters");
        assert!((estimate.mean - 2.5).abs() < 1e-12);
        assert!((low - 0.980_910_434_9).abs() < 1e-9, "{low}");
        assert!((high - 4.019_089_565_1).abs() < 1e-9, "{high}");
    }

    #[test]
    fn the_mean_is_that_of_all_units_and_the_bounds_are_the_outer_ones() {
        let unequal = clusters(&[(1.0, 30.0), (1.0, 20.0), (5.0, 50.0)]);
        let estimate = estimate_cluster_mean(&unequal, 0.05).expect("three clusters");
        assert!((estimate.mean - 3.0).abs() < 1e-12);
        // One cluster of nearly all units does not make the mean certain: by hand, the means 1, 1, 5
        // alone have the mean 7/3, the error 4/3 and the quantile 2.919986.
        let one_large = clusters(&[(1.0, 1.0), (1.0, 1.0), (5.0, 1e9)]);
        let (low, high) =
            estimate_cluster_mean(&one_large, 0.05).expect("three clusters").bounds.unwrap();
        assert!((low - (7.0 / 3.0 - 2.919_985_58 * 4.0 / 3.0)).abs() < 1e-6, "{low}");
        assert!((high - (7.0 / 3.0 + 2.919_985_58 * 4.0 / 3.0)).abs() < 1e-6, "{high}");
    }

    #[test]
    fn one_cluster_has_a_mean_and_no_bounds() {
        let estimate = estimate_cluster_mean(&clusters(&[(7.0, 3.0)]), 0.05).expect("one cluster");
        assert_eq!((estimate.mean, estimate.bounds), (7.0, None));
        assert!(estimate_cluster_mean(&[], 0.05).is_err());
    }

    #[test]
    fn large_means_keep_their_digits() {
        let large = clusters(&[(1e15, 2.0), (1e15 + 1.0, 2.0), (1e15 + 2.0, 2.0)]);
        let (low, high) = estimate_cluster_mean(&large, 0.05).expect("three").bounds.unwrap();
        assert!((high - low - 2.0 * 2.919_985_58 / 3.0_f64.sqrt()).abs() < 0.5);
    }
}
