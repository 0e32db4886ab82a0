//! Tests and estimates by ranks, which peers use: Mann–Whitney, Hodges–Lehmann, Wilcoxon.

use super::{normal, summary};

/// How far the candidate tends to exceed the baseline, in counts of pairs (Mann & Whitney 1947).
#[derive(Clone, Debug, PartialEq)]
pub struct MannWhitney {
    /// Pairs in which the candidate is greater; ties count one half.
    pub u: f64,
    baseline: usize,
    candidate: usize,
    /// Sum of `t³ − t` over groups of `t` equal values.
    ties: f64,
}

impl MannWhitney {
    /// Ranks the two sides together; `None` when one is empty or holds a NaN.
    ///
    /// ```
    /// use perfgate::stats::rank::MannWhitney;
    /// let test = MannWhitney::of(&[1.0, 2.0, 3.0], &[2.5, 4.0, 5.0]).expect("two sides");
    /// assert_eq!(test.u, 8.0);
    /// assert_eq!(test.p_exact_two_sided(), Some(0.2));
    /// ```
    pub fn of(baseline: &[f64], candidate: &[f64]) -> Option<Self> {
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
    pub fn p_exact_greater(&self) -> Option<f64> {
        self.has_no_ties().then(|| self.exact_tail(self.pairs() - self.u))
    }

    /// Exact p-value of "the candidate is less"; `None` with ties.
    pub fn p_exact_less(&self) -> Option<f64> {
        self.has_no_ties().then(|| self.exact_tail(self.u))
    }

    /// Exact two-sided p-value: twice the smaller tail; `None` with ties.
    pub fn p_exact_two_sided(&self) -> Option<f64> {
        Some((2.0 * self.p_exact_greater()?.min(self.p_exact_less()?)).min(1.0))
    }

    /// Two-sided p-value by the normal approximation, corrected for ties.
    ///
    /// `correction` is taken off the distance from the mean: one half for continuity, or zero.
    ///
    /// ```
    /// use perfgate::stats::rank::MannWhitney;
    /// let test = MannWhitney::of(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]).expect("two sides");
    /// assert_eq!(test.p_asymptotic_two_sided(0.5), 1.0);
    /// ```
    pub fn p_asymptotic_two_sided(&self, correction: f64) -> f64 {
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

/// Median of all differences `candidate − baseline`, the shift that Mann–Whitney tests (Hodges & Lehmann 1963).
///
/// `None` when a side is empty.
///
/// ```
/// use perfgate::stats::rank::hodges_lehmann;
/// assert_eq!(hodges_lehmann(&[1.0, 2.0, 3.0], &[2.0, 3.0, 9.0]), Some(1.0));
/// ```
pub fn hodges_lehmann(baseline: &[f64], candidate: &[f64]) -> Option<f64> {
    let mut differences: Vec<f64> =
        candidate.iter().flat_map(|b| baseline.iter().map(move |a| b - a)).collect();
    summary::median_in_place(&mut differences)
}

/// Wilcoxon's signed-rank statistic of paired differences (Wilcoxon 1945).
#[derive(Clone, Debug, PartialEq)]
pub struct SignedRank {
    /// Sum of the ranks of the positive differences.
    pub positive: f64,
    count: usize,
    ties: f64,
}

impl SignedRank {
    /// Ranks `differences` by size, leaving out zeros; `None` when nothing is left or one is NaN.
    ///
    /// ```
    /// use perfgate::stats::rank::SignedRank;
    /// let test = SignedRank::of(&[0.3, -0.1, 0.2]).expect("three differences");
    /// assert_eq!((test.positive, test.p_exact_greater()), (5.0, Some(0.25)));
    /// ```
    pub fn of(differences: &[f64]) -> Option<Self> {
        let kept: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
        if kept.is_empty() || kept.iter().any(|d| d.is_nan()) {
            return None;
        }
        let sizes: Vec<f64> = kept.iter().map(|d| d.abs()).collect();
        let (ranks, ties) = midranks(&sizes);
        let positive = ranks.iter().zip(&kept).filter(|(_, d)| **d > 0.0).map(|(r, _)| r).sum();
        Some(Self { positive, count: kept.len(), ties })
    }

    /// Exact p-value of "differences are positive"; `None` with ties.
    pub fn p_exact_greater(&self) -> Option<f64> {
        let most = (self.count * (self.count + 1) / 2) as f64;
        (self.ties == 0.0).then(|| share_up_to(&subset_sums(self.count), most - self.positive))
    }

    /// Exact p-value of "differences are negative"; `None` with ties.
    pub fn p_exact_less(&self) -> Option<f64> {
        (self.ties == 0.0).then(|| share_up_to(&subset_sums(self.count), self.positive))
    }

    /// Exact two-sided p-value: twice the smaller tail; `None` with ties.
    pub fn p_exact_two_sided(&self) -> Option<f64> {
        Some((2.0 * self.p_exact_greater()?.min(self.p_exact_less()?)).min(1.0))
    }
}

/// Median of the means of all pairs of values, each with itself included (Hodges & Lehmann 1963).
///
/// `None` when there are none.
///
/// ```
/// use perfgate::stats::rank::pseudomedian;
/// assert_eq!(pseudomedian(&[1.0, 2.0, 9.0]), Some(3.5));
/// ```
pub fn pseudomedian(values: &[f64]) -> Option<f64> {
    let mut means: Vec<f64> = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
    for (i, x) in values.iter().enumerate() {
        means.extend(values[i..].iter().map(|y| 0.5 * x + 0.5 * y));
    }
    summary::median_in_place(&mut means)
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

/// Number of subsets of `1..=count` for each sum.
fn subset_sums(count: usize) -> Vec<f64> {
    let mut counts = vec![0.0; count * (count + 1) / 2 + 1];
    counts[0] = 1.0;
    for rank in 1..=count {
        for sum in (rank..counts.len()).rev() {
            counts[sum] += counts[sum - rank];
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
    use super::{MannWhitney, SignedRank, hodges_lehmann};

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
        assert_eq!(hodges_lehmann(&a, &b), hodges_lehmann(&b, &a).map(|shift| -shift));
    }

    #[test]
    fn ties_have_no_exact_p_value() {
        let test = MannWhitney::of(&[1.0, 2.0], &[2.0, 3.0]).expect("two sides");
        assert_eq!(test.p_exact_two_sided(), None);
        assert_eq!(SignedRank::of(&[1.0, -1.0]).and_then(|test| test.p_exact_greater()), None);
    }

    #[test]
    fn equal_values_everywhere_are_no_evidence() {
        let test = MannWhitney::of(&[2.0, 2.0], &[2.0, 2.0]).expect("two sides");
        assert!((test.p_asymptotic_two_sided(0.0) - 1.0).abs() < 1e-15);
        assert_eq!(SignedRank::of(&[0.0, 0.0]), None);
    }
}
