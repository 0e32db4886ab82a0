//! Mann–Whitney test, which other tools use.

use crate::stats::distribution::normal;

/// Tendency of the candidate to exceed the baseline, in counts of value pairs (Mann & Whitney
/// 1947).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MannWhitney {
    /// Number of value pairs in which the candidate is greater; ties count one half.
    pub(crate) u: f64,
    baseline_count: usize,
    candidate_count: usize,
    /// Sum of `t³ − t` over groups of `t` equal values.
    tie_correction: f64,
}

impl MannWhitney {
    /// Ranks the two sides together. Returns `None` if a side is empty or holds a NaN.
    pub(crate) fn compute(baseline: &[f64], candidate: &[f64]) -> Option<Self> {
        let pooled: Vec<f64> = baseline.iter().chain(candidate).copied().collect();
        if baseline.is_empty() || candidate.is_empty() || pooled.iter().any(|x| x.is_nan()) {
            return None;
        }
        let (ranks, ties) = compute_midranks(&pooled);
        let sum: f64 = ranks[baseline.len()..].iter().sum();
        let n = candidate.len() as f64;
        let u = sum - n * (n + 1.0) / 2.0;
        Some(Self {
            u,
            baseline_count: baseline.len(),
            candidate_count: candidate.len(),
            tie_correction: ties,
        })
    }

    /// Returns the exact p-value of "the candidate is greater", or `None` with ties.
    pub(crate) fn p_exact_greater(&self) -> Option<f64> {
        self.has_no_ties().then(|| self.compute_exact_tail(self.pair_count() - self.u))
    }

    /// Returns the exact p-value of "the candidate is less", or `None` with ties.
    pub(crate) fn p_exact_less(&self) -> Option<f64> {
        self.has_no_ties().then(|| self.compute_exact_tail(self.u))
    }

    /// Returns the exact two-sided p-value: twice the smaller tail, or `None` with ties.
    pub(crate) fn p_exact_two_sided(&self) -> Option<f64> {
        Some((2.0 * self.p_exact_greater()?.min(self.p_exact_less()?)).min(1.0))
    }

    /// Returns the two-sided p-value by the normal approximation, corrected for ties.
    ///
    /// `correction` is subtracted from the distance from the mean: one half for continuity, or
    /// zero.
    pub(crate) fn p_asymptotic_two_sided(&self, correction: f64) -> f64 {
        let n = (self.baseline_count + self.candidate_count) as f64;
        let variance = self.pair_count() / 12.0 * (n + 1.0 - self.tie_correction / (n * (n - 1.0)));
        let distance = (self.u - self.pair_count() / 2.0).abs() - correction;
        if variance <= 0.0 || distance <= 0.0 {
            return 1.0;
        }
        2.0 * normal::normal_upper_tail(distance / variance.sqrt())
    }

    fn has_no_ties(&self) -> bool {
        self.tie_correction == 0.0
    }

    fn pair_count(&self) -> f64 {
        self.baseline_count as f64 * self.candidate_count as f64
    }

    /// Returns `P(U ≤ u)` without ties, from the number of arrangements with each `U`.
    fn compute_exact_tail(&self, u: f64) -> f64 {
        let counts = count_arrangements(self.baseline_count, self.candidate_count);
        compute_share_up_to(&counts, u)
    }
}

/// Returns the ranks (from one) and the sum of `t³ − t` over groups of `t` equal values. Equal
/// values share the mean of their ranks.
fn compute_midranks(values: &[f64]) -> (Vec<f64>, f64) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let (mut ranks, mut ties) = (vec![0.0; values.len()], 0.0);
    let mut before = 0.0;
    // In ascending order, a value that is not below its neighbour equals it.
    for group in order.chunk_by(|a, b| values[*a] >= values[*b]) {
        let size = group.len() as f64;
        for index in group {
            ranks[*index] = before + 0.5 * (size + 1.0);
        }
        before += size;
        ties += size * size * size - size;
    }
    (ranks, ties)
}

/// Returns the number of ways to arrange `m` and `n` values for each `U` from zero to `m · n`.
///
/// These are the coefficients of the Gaussian binomial. Each step of the loop multiplies by one
/// factor `(1 − x^(n + i)) ÷ (1 − x^i)`.
fn count_arrangements(m: usize, n: usize) -> Vec<f64> {
    let mut counts = vec![0.0; m * n + 1];
    counts[0] = 1.0;
    for i in 1..=m {
        for u in (n + i..counts.len()).rev() {
            counts[u] -= counts[u - n - i];
        }
        for u in i..counts.len() {
            counts[u] += counts[u - i];
        }
    }
    counts
}

fn compute_share_up_to(counts: &[f64], value: f64) -> f64 {
    let up_to: f64 =
        counts.iter().zip(0_u32..).filter(|(_, u)| f64::from(*u) <= value).map(|(c, _)| c).sum();
    up_to / counts.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::MannWhitney;

    #[test]
    fn mann_whitney_agrees_with_r() {
        // R: wilcox.test(c(.80,.83,1.89,1.04,1.45,1.38,1.91,1.64,.73,1.46),
        // c(1.15,.88,.90,.74,1.21), alternative = "g")
        let at_term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let early = [1.15, 0.88, 0.90, 0.74, 1.21];
        let test = MannWhitney::compute(&early, &at_term).expect("two sides");
        assert!((test.u - 35.0).abs() < 1e-12);
        assert!((test.p_exact_greater().expect("no ties") - 0.127_206_127_2).abs() < 1e-9);
    }

    #[test]
    fn swapping_the_sides_mirrors_the_test() {
        let (a, b) = ([1.0, 4.0, 7.5, 3.0], [2.0, 5.0, 9.0]);
        let (forth, back) = (
            MannWhitney::compute(&a, &b).expect("two"),
            MannWhitney::compute(&b, &a).expect("two"),
        );
        assert_eq!(forth.p_exact_greater(), back.p_exact_less());
    }

    #[test]
    fn ties_have_no_exact_p_value() {
        let test = MannWhitney::compute(&[1.0, 2.0], &[2.0, 3.0]).expect("two sides");
        assert_eq!(test.p_exact_two_sided(), None);
    }

    #[test]
    fn equal_values_everywhere_are_not_evidence() {
        let test = MannWhitney::compute(&[2.0, 2.0], &[2.0, 2.0]).expect("two sides");
        assert!((test.p_asymptotic_two_sided(0.0) - 1.0).abs() < 1e-15);
    }
}
