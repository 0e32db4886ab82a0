//! Comparing a run with stored runs of the same machine, which differ from each other by more than
//! their launches do.

use super::Undefined;
use super::components::Components;
use super::summary::Summary;
use super::welch::{StandardError, TTest, with_errors};

/// Fewest stored runs from which the variance between runs is estimated.
pub(crate) const LEAST_RUNS: usize = 3;

/// Level of the stored runs, and how far another run of the same code may be from it.
///
/// A random-effects model (`DerSimonian` & Laird 1986): each run has its own level, around which its
/// launches scatter. Values are one number per launch, on the log scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// Mean over the runs' means.
    pub(crate) mean: f64,
    /// Standard deviation between the true levels of runs.
    pub(crate) between_runs: f64,
    /// Degrees of freedom of `between_runs`; infinite when it is known or assumed.
    pub(crate) degrees_of_freedom: f64,
    /// Number of runs.
    pub(crate) runs: usize,
    /// Variance of launches within a run, pooled over the runs; `None` where each run has one launch.
    within: Option<f64>,
    /// What the launches of a run leave uncertain of its own mean: within-run variance ÷ launches.
    launch_error: f64,
}

impl Level {
    /// Estimates the level of `runs`, each the values of its launches; at least [`LEAST_RUNS`].
    ///
    /// The variance between runs is what the run means vary more than their launches explain, and not
    /// less than within-run variance ÷ launches.
    pub(crate) fn of(runs: &[&[f64]]) -> Result<Self, Undefined> {
        if runs.len() < LEAST_RUNS {
            return Err(Undefined::TooFew { needed: LEAST_RUNS, got: runs.len() });
        }
        let level = Self::with_known_deviation(runs, 0.0)?;
        let of_means = Components::of(runs)?.standard_error * (runs.len() as f64).sqrt();
        let between = (of_means * of_means - level.launch_error).max(level.launch_error);
        Ok(Self {
            between_runs: between.sqrt(),
            degrees_of_freedom: runs.len() as f64 - 1.0,
            ..level
        })
    }

    /// The level of one or more `runs` where the standard deviation `between_runs` is known or assumed.
    pub(crate) fn with_known_deviation(
        runs: &[&[f64]],
        between_runs: f64,
    ) -> Result<Self, Undefined> {
        let parts: Vec<Summary> =
            runs.iter().map(|launches| Summary::of(launches)).collect::<Result<_, _>>()?;
        let means: Vec<f64> = parts.iter().map(Summary::mean).collect();
        let mean = Summary::of(&means)?.mean();
        let degrees: f64 = parts.iter().map(|run| run.count() as f64 - 1.0).sum();
        let squares: f64 =
            parts.iter().map(|run| run.variance() * (run.count() as f64 - 1.0)).sum();
        let within = (degrees > 0.0).then(|| squares / degrees);
        let per_launch: f64 = parts.iter().map(|run| 1.0 / run.count() as f64).sum();
        Ok(Self {
            mean,
            between_runs,
            degrees_of_freedom: f64::INFINITY,
            runs: runs.len(),
            within,
            launch_error: within.unwrap_or(0.0) * per_launch / runs.len() as f64,
        })
    }

    /// The test of `candidate − level` for another run with these launches.
    ///
    /// Its squared standard error is the variance between runs times `1 + 1 ÷ runs`, the launch error of
    /// the level, and that of the candidate's own launches; degrees of freedom by Satterthwaite. A single
    /// launch borrows the stored within-run variance, and is an error where there is none.
    pub(crate) fn compare(&self, candidate: &[f64]) -> Result<TTest, Undefined> {
        let summary = Summary::of(candidate)?;
        let launches = match (summary.count(), self.within) {
            (2.., _) => StandardError {
                value: summary.standard_error(),
                degrees_of_freedom: summary.count() as f64 - 1.0,
            },
            (_, Some(within)) => {
                StandardError { value: within.sqrt(), degrees_of_freedom: f64::INFINITY }
            }
            (got, None) => return Err(Undefined::TooFew { needed: 2, got }),
        };
        let k = self.runs as f64;
        let variance = self.between_runs.powi(2) * (1.0 + 1.0 / k) + self.launch_error / k;
        let runs =
            StandardError { value: variance.sqrt(), degrees_of_freedom: self.degrees_of_freedom };
        Ok(with_errors(summary.mean() - self.mean, runs, launches))
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    // Three runs of two launches; by hand: run means 1, 3, 8, their variance 13; within-run variances 2.
    const RUNS: [&[f64]; 3] = [&[0.0, 2.0], &[2.0, 4.0], &[7.0, 9.0]];

    #[test]
    fn the_variance_between_runs_leaves_out_what_their_launches_explain() {
        let level = Level::of(&RUNS).expect("three runs");
        assert!((level.mean - 4.0).abs() < 1e-12);
        assert!((level.between_runs.powi(2) - 12.0).abs() < 1e-12);
    }

    #[test]
    fn a_comparison_adds_runs_level_and_launches() {
        let level = Level::of(&RUNS).expect("three runs");
        let test = level.compare(&[10.0, 14.0]).expect("two launches");
        // 12 · 4/3 + 1/3 with 2 degrees of freedom, and 8/2 with 1: 20.33² / (16.33²/2 + 4²/1)
        assert!((test.standard_error.powi(2) - 61.0 / 3.0).abs() < 1e-12);
        assert!((test.degrees_of_freedom - 2.767_571_587_950_911).abs() < 1e-12);
        assert!((test.difference - 8.0).abs() < 1e-12);
    }

    #[test]
    fn runs_that_agree_by_chance_are_not_taken_for_exact() {
        let level = Level::of(&[&[0.0, 2.0], &[0.0, 2.0], &[0.0, 2.0]]).expect("three runs");
        assert!((level.between_runs.powi(2) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn two_runs_are_too_few_to_estimate_but_not_to_assume() {
        assert!(Level::of(&RUNS[..2]).is_err());
        let level = Level::with_known_deviation(&RUNS[..1], 0.02).expect("one run");
        assert!(level.compare(&[5.0]).is_ok());
        let single = Level::with_known_deviation(&[&[1.0]], 0.02).expect("one run");
        assert!(single.compare(&[5.0]).is_err());
    }
}
