//! The Mann–Whitney test, which peers use.

use super::normal;

/// How far the candidate tends to exceed the baseline, in counts of pairs (Mann & Whitney 1947).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MannWhitney {
    /// Pairs in which the candidate is greater; ties count one half.
    pub(crate) u: f64,
    baseline: usize,
    candidate: usize,
    /// Sum of `t³ − t` over groups of `t` equal values.
    ties: f64,
}

impl MannWhitney {
    /// Ranks the two sides together; `None` when one is empty or holds a NaN.
    pub(crate) fn of(baseline: &[f64], candidate: &[f64]) -> Option<Self> {
        let pooled: Vec<f64> = baseline.iter().chain(candidate).copied().collect();
        if baseline.is_empty() || candidate.is_empty() || pooled.iter().any(|x| x.is_nan()) {
            return None;
        }
        let (ranks, ties) = midranks(&pooled);
        let sum: f64 = ranks[baseline.len()..].iter().sum();
        let n = candidate.len() as f64;
        let u = sum - n * (n + 1.0) / 2.0;
        Some(Self { u, baseline: baseline.len(), candidate: candidate.len(), ties })
    }

    /// Exact p-value of "the candidate is greater"; `None` with ties.
    pub(crate) fn p_exact_greater(&self) -> Option<f64> {
        self.has_no_ties().then(|| self.exact_tail(self.pairs() - self.u))
    }

    /// Exact p-value of "the candidate is less"; `None` with ties.
    pub(crate) fn p_exact_less(&self) -> Option<f64> {
        self.has_no_ties().then(|| self.exact_tail(self.u))
    }

    /// Exact two-sided p-value: twice the smaller tail; `None` with ties.
    pub(crate) fn p_exact_two_sided(&self) -> Option<f64> {
        Some((2.0 * self.p_exact_greater()?.min(self.p_exact_less()?)).min(1.0))
    }

    /// Two-sided p-value by the normal approximation, corrected for ties.
    ///
    /// `correction` is taken off the distance from the mean: one half for continuity, or zero.
    pub(crate) fn p_asymptotic_two_sided(&self, correction: f64) -> f64 {
        let n = (self.baseline + self.candidate) as f64;
        let variance = self.pairs() / 12.0 * (n + 1.0 - self.ties / (n * (n - 1.0)));
        let distance = (self.u - self.pairs() / 2.0).abs() - correction;
        if variance <= 0.0 || distance <= 0.0 {
            return 1.0;
        }
        2.0 * normal::upper_tail(distance / variance.sqrt())
    }

    fn has_no_ties(&self) -> bool {
        self.ties == 0.0
    }

    fn pairs(&self) -> f64 {
        self.baseline as f64 * self.candidate as f64
    }

    /// `P(U ≤ u)` without ties, from the number of arrangements with each `U`.
    fn exact_tail(&self, u: f64) -> f64 {
        let counts = gaussian_binomial(self.baseline, self.candidate);
        share_up_to(&counts, u)
    }
}

/// Ranks from one, equal values sharing the mean of theirs, and the sum of `t³ − t` over such groups.
fn midranks(values: &[f64]) -> (Vec<f64>, f64) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let (mut ranks, mut ties) = (vec![0.0; values.len()], 0.0);
    let mut before = 0.0;
    // In ascending order a value that is not below its neighbour equals it.
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

/// Number of ways to arrange `m` and `n` values for each `U` from zero to `m · n`: the coefficients of
/// the Gaussian binomial, built by one factor `(1 − x^(n + i)) ÷ (1 − x^i)` at a time.
fn gaussian_binomial(m: usize, n: usize) -> Vec<f64> {
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

fn share_up_to(counts: &[f64], value: f64) -> f64 {
    let up_to: f64 =
        counts.iter().zip(0_u32..).filter(|(_, u)| f64::from(*u) <= value).map(|(c, _)| c).sum();
    up_to / counts.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::MannWhitney;

    #[test]
    fn mann_whitney_agrees_with_r() {
        // R: wilcox.test(c(.80,.83,1.89,1.04,1.45,1.38,1.91,1.64,.73,1.46), c(1.15,.88,.90,.74,1.21), alternative = "g")
        let at_term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let early = [1.15, 0.88, 0.90, 0.74, 1.21];
        let test = MannWhitney::of(&early, &at_term).expect("two sides");
        assert!((test.u - 35.0).abs() < 1e-12);
        assert!((test.p_exact_greater().expect("no ties") - 0.127_206_127_2).abs() < 1e-9);
    }

    #[test]
    fn swapping_the_sides_mirrors_the_test() {
        let (a, b) = ([1.0, 4.0, 7.5, 3.0], [2.0, 5.0, 9.0]);
        let (forth, back) =
            (MannWhitney::of(&a, &b).expect("two"), MannWhitney::of(&b, &a).expect("two"));
        assert_eq!(forth.p_exact_greater(), back.p_exact_less());
    }

    #[test]
    fn ties_have_no_exact_p_value() {
        let test = MannWhitney::of(&[1.0, 2.0], &[2.0, 3.0]).expect("two sides");
        assert_eq!(test.p_exact_two_sided(), None);
    }

    #[test]
    fn equal_values_everywhere_are_no_evidence() {
        let test = MannWhitney::of(&[2.0, 2.0], &[2.0, 2.0]).expect("two sides");
        assert!((test.p_asymptotic_two_sided(0.0) - 1.0).abs() < 1e-15);
    }
}
