//! Showing that nothing of importance changed: two one-sided tests.

use super::welch::TTest;

/// The two one-sided tests of "the difference lies within ± margin" (Schuirmann 1987).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Equivalence {
    /// P-value against "the difference is at or below −margin".
    pub p_lower: f64,
    /// P-value against "the difference is at or above +margin".
    pub p_upper: f64,
}

impl Equivalence {
    /// Tests `test` against `margin`, both in the same unit (on a log ratio: `ln(1 + margin)`).
    ///
    /// ```
    /// use perfgate::stats::{equivalence::Equivalence, welch::TTest};
    /// let test = TTest { difference: 0.001, standard_error: 0.005, degrees_of_freedom: 18.0 };
    /// assert!(Equivalence::of(&test, 1.05_f64.ln()).p_value() < 1e-6);
    /// ```
    pub fn of(test: &TTest, margin: f64) -> Self {
        Self { p_lower: test.p_greater(-margin), p_upper: test.p_less(margin) }
    }

    /// P-value against "the difference is outside the margin": the larger of the two.
    pub fn p_value(&self) -> f64 {
        self.p_lower.max(self.p_upper)
    }
}
