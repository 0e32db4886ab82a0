//! Adjusts several p-values for multiplicity; results keep the order of the input.

/// Returns, for each hypothesis, the lowest false discovery rate at which it would be rejected
/// (Benjamini & Hochberg 1995).
///
/// Assumes p-values in `[0, 1]` that are independent or positively dependent. Returns an empty list
/// for an empty input.
pub(crate) fn adjust_benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    adjust_step_up(p_values)
}

/// Returns, for each hypothesis, the lowest family-wise error rate at which it would be rejected
/// (Holm 1979).
pub(crate) fn adjust_holm(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len();
    let mut adjusted = vec![0.0; count];
    let mut running_max = 0.0_f64;
    for (rank, index) in sort_indices(p_values).into_iter().enumerate() {
        running_max = running_max.max(p_values[index] * (count - rank) as f64).min(1.0);
        adjusted[index] = running_max;
    }
    adjusted
}

fn adjust_step_up(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len();
    let mut adjusted = vec![0.0; count];
    let mut running_min = 1.0_f64;
    for (rank, index) in sort_indices(p_values).into_iter().enumerate().rev() {
        running_min = running_min.min(p_values[index] * count as f64 / (rank + 1) as f64);
        adjusted[index] = running_min;
    }
    adjusted
}

fn sort_indices(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    order
}

#[cfg(test)]
mod tests {
    use super::{adjust_benjamini_hochberg, adjust_holm};

    #[track_caller]
    fn close(got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        for (g, e) in got.iter().zip(expected) {
            assert!((g - e).abs() <= 1e-12 * e, "{got:?} is not {expected:?}");
        }
    }

    #[test]
    fn adjusted_p_values_are_those_of_their_definitions() {
        // By hand, as p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.5), method = "BH" | "holm") of R
        let p = [0.01, 0.04, 0.03, 0.005, 0.5];
        close(&adjust_benjamini_hochberg(&p), &[0.025, 0.05, 0.05, 0.025, 0.5]);
        close(&adjust_holm(&p), &[0.04, 0.09, 0.09, 0.025, 0.5]);
    }

    #[test]
    fn no_p_values_give_none() {
        assert!(adjust_benjamini_hochberg(&[]).is_empty() && adjust_holm(&[]).is_empty());
    }
}
