//! Splits variance into the part between processes and the part within them: one-way random
//! effects.

use super::StatsError;
use super::summary::Moments;

/// Variance components of values in groups, such as the samples of each launch (Searle 1971,
/// chapter 9).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct VarianceComponents {
    /// Number of groups.
    pub(crate) group_count: usize,
    /// Mean square between groups.
    pub(crate) between_mean_square: f64,
    /// Mean square within groups; zero if each group has one value.
    pub(crate) within_mean_square: f64,
    /// Number of values per group; the adjusted mean of these numbers if groups differ in size.
    pub(crate) group_size: f64,
    /// Mean of the group means.
    pub(crate) mean: f64,
    /// Standard error of `mean`, from the spread of the group means alone.
    pub(crate) standard_error: f64,
}

impl VarianceComponents {
    /// Splits the variance of `groups`.
    ///
    /// # Errors
    ///
    /// Fails if there are fewer than two groups, if a group is empty, or if a value is not finite.
    pub(crate) fn from_groups(groups: &[&[f64]]) -> Result<Self, StatsError> {
        if groups.len() < 2 {
            return Err(StatsError::TooFew { needed: 2, got: groups.len() });
        }
        // Plan: summarize each group, then form the sums of squares between the group means
        // (weighted by size, around their weighted mean) and within the groups.
        let parts: Vec<Moments> =
            groups.iter().map(|group| Moments::from_values(group)).collect::<Result<_, _>>()?;
        let means: Vec<f64> = parts.iter().map(Moments::mean).collect();
        let means_moments = Moments::from_values(&means)?;
        let k = groups.len() as f64;
        let total: f64 = parts.iter().map(|part| part.count() as f64).sum();
        let squares: f64 = parts.iter().map(|part| (part.count() as f64).powi(2)).sum();
        let weighted =
            parts.iter().map(|p| p.count() as f64 * means_moments.difference_to(p)).sum::<f64>()
                / total;
        let between = parts
            .iter()
            .map(|part| {
                part.count() as f64 * (means_moments.difference_to(part) - weighted).powi(2)
            })
            .sum::<f64>();
        let within =
            parts.iter().map(|part| part.variance() * (part.count() as f64 - 1.0)).sum::<f64>();
        Ok(Self {
            group_count: groups.len(),
            between_mean_square: between / (k - 1.0),
            within_mean_square: if total > k { within / (total - k) } else { 0.0 },
            group_size: (total - squares / total) / (k - 1.0),
            mean: means_moments.mean(),
            standard_error: means_moments.standard_error(),
        })
    }

    /// Returns the variance between the true means of groups, at least zero.
    pub(crate) fn group_variance(&self) -> f64 {
        ((self.between_mean_square - self.within_mean_square) / self.group_size).max(0.0)
    }

    /// Returns the number of values per group that gives the most precise mean for the time spent
    /// (Kalibera & Jones 2013, eq. 4).
    ///
    /// Starting a group costs as much as `group_cost` values. The result is infinite without
    /// variance between groups.
    pub(crate) fn compute_optimal_group_size(&self, group_cost: f64) -> f64 {
        (group_cost * self.within_mean_square / self.group_variance()).sqrt()
    }
}
