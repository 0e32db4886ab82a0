//! Comparison of a run with stored runs of the same machine. Such runs differ from each other by
//! more than their launches explain.

use super::StatsError;
use super::components::VarianceComponents;
use super::summary::Moments;
use super::test::t::{StandardError, TTest, combine_standard_errors};

/// Smallest number of stored runs from which the variance between runs is estimated.
pub(crate) const MIN_BASELINE_RUNS: usize = 3;

/// Level of the stored runs, and the distance from it at which another run of the same code may
/// lie.
///
/// This is a random-effects model (`DerSimonian` & Laird 1986): each run has its own level, around
/// which its launches scatter. Values are one number per launch, on the log scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BaselineLevel {
    /// Mean of the runs' means.
    pub(crate) mean: f64,
    /// Standard deviation between the true levels of runs.
    pub(crate) between_run_deviation: f64,
    /// Degrees of freedom of `between_run_deviation`; infinite if the deviation is known or
    /// assumed.
    pub(crate) degrees_of_freedom: f64,
    /// Number of stored runs.
    pub(crate) run_count: usize,
    /// Variance of launches within a run, pooled over the runs; `None` if each run has one launch.
    within_variance: Option<f64>,
    /// Variance of a run's mean due to its launches: within-run variance ÷ launches.
    run_mean_variance: f64,
}

impl BaselineLevel {
    /// Estimates the level of `runs`, each the values of its launches.
    ///
    /// The variance between runs is the variance of the run means that their launches do not
    /// explain. It is at least within-run variance ÷ launches.
    ///
    /// # Errors
    ///
    /// Fails if there are fewer than [`MIN_BASELINE_RUNS`] runs, if a run is empty, or if a value
    /// is not finite.
    pub(crate) fn estimate(runs: &[&[f64]]) -> Result<Self, StatsError> {
        if runs.len() < MIN_BASELINE_RUNS {
            return Err(StatsError::TooFew { needed: MIN_BASELINE_RUNS, got: runs.len() });
        }
        let level = Self::with_known_deviation(runs, 0.0)?;
        let means_deviation =
            VarianceComponents::from_groups(runs)?.standard_error * (runs.len() as f64).sqrt();
        let between = (means_deviation * means_deviation - level.run_mean_variance)
            .max(level.run_mean_variance);
        Ok(Self {
            between_run_deviation: between.sqrt(),
            degrees_of_freedom: runs.len() as f64 - 1.0,
            ..level
        })
    }

    /// Returns the level of one or more `runs` if the standard deviation between runs is known or
    /// assumed.
    ///
    /// # Errors
    ///
    /// Fails if there is no run, if a run is empty, or if a value is not finite.
    pub(crate) fn with_known_deviation(
        runs: &[&[f64]],
        between_run_deviation: f64,
    ) -> Result<Self, StatsError> {
        let parts: Vec<Moments> =
            runs.iter().map(|launches| Moments::from_values(launches)).collect::<Result<_, _>>()?;
        let means: Vec<f64> = parts.iter().map(Moments::mean).collect();
        let mean = Moments::from_values(&means)?.mean();
        let degrees: f64 = parts.iter().map(|run| run.count() as f64 - 1.0).sum();
        let squares: f64 =
            parts.iter().map(|run| run.variance() * (run.count() as f64 - 1.0)).sum();
        let within_variance = (degrees > 0.0).then(|| squares / degrees);
        let inverse_counts: f64 = parts.iter().map(|run| 1.0 / run.count() as f64).sum();
        Ok(Self {
            mean,
            between_run_deviation,
            degrees_of_freedom: f64::INFINITY,
            run_count: runs.len(),
            within_variance,
            run_mean_variance: within_variance.unwrap_or(0.0) * inverse_counts / runs.len() as f64,
        })
    }

    /// Returns the test of `candidate − level` for another run with these launches.
    ///
    /// The squared standard error has three parts: the variance between runs times `1 + 1 ÷ runs`,
    /// the launch error of the level, and that of the candidate's own launches. Degrees of freedom
    /// follow Satterthwaite. A single launch uses the stored within-run variance.
    ///
    /// # Errors
    ///
    /// Fails if `candidate` is empty or holds a value that is not finite, or if it has a single
    /// launch and no within-run variance is stored.
    pub(crate) fn compare(&self, candidate: &[f64]) -> Result<TTest, StatsError> {
        let summary = Moments::from_values(candidate)?;
        let launch_error = match (summary.count(), self.within_variance) {
            (2.., _) => StandardError {
                value: summary.standard_error(),
                degrees_of_freedom: summary.count() as f64 - 1.0,
            },
            (_, Some(within)) => {
                StandardError { value: within.sqrt(), degrees_of_freedom: f64::INFINITY }
            }
            (got, None) => return Err(StatsError::TooFew { needed: 2, got }),
        };
        let k = self.run_count as f64;
        let variance =
            self.between_run_deviation.powi(2) * (1.0 + 1.0 / k) + self.run_mean_variance / k;
        let run_error =
            StandardError { value: variance.sqrt(), degrees_of_freedom: self.degrees_of_freedom };
        Ok(combine_standard_errors(summary.mean() - self.mean, run_error, launch_error))
    }
}

#[cfg(test)]
mod tests {
    use super::BaselineLevel;

    // Three runs of two launches. By hand: run means 1, 3, 8, their variance 13; within-run
    // variances 2.
    const RUNS: [&[f64]; 3] = [&[0.0, 2.0], &[2.0, 4.0], &[7.0, 9.0]];

    #[test]
    fn the_variance_between_runs_leaves_out_what_their_launches_explain() {
        let level = BaselineLevel::estimate(&RUNS).expect("three runs");
        assert!((level.mean - 4.0).abs() < 1e-12);
        assert!((level.between_run_deviation.powi(2) - 12.0).abs() < 1e-12);
    }

    #[test]
    fn a_comparison_adds_runs_level_and_launches() {
        let level = BaselineLevel::estimate(&RUNS).expect("three runs");
        let test = level.compare(&[10.0, 14.0]).expect("two launches");
        // 12 · 4/3 + 1/3 with 2 degrees of freedom, and 8/2 with 1: 20.33² / (16.33²/2 + 4²/1)
        assert!((test.standard_error.powi(2) - 61.0 / 3.0).abs() < 1e-12);
        assert!((test.degrees_of_freedom - 2.767_571_587_950_911).abs() < 1e-12);
        assert!((test.difference - 8.0).abs() < 1e-12);
    }

    #[test]
    fn runs_that_agree_by_chance_are_not_taken_for_exact() {
        let level =
            BaselineLevel::estimate(&[&[0.0, 2.0], &[0.0, 2.0], &[0.0, 2.0]]).expect("three runs");
        assert!((level.between_run_deviation.powi(2) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn two_runs_are_too_few_to_estimate_but_not_to_assume() {
        assert!(BaselineLevel::estimate(&RUNS[..2]).is_err());
        let level = BaselineLevel::with_known_deviation(&RUNS[..1], 0.02).expect("one run");
        assert!(level.compare(&[5.0]).is_ok());
        let single = BaselineLevel::with_known_deviation(&[&[1.0]], 0.02).expect("one run");
        assert!(single.compare(&[5.0]).is_err());
    }
}
