//! How far the outputs of two models are apart.

use std::collections::BTreeMap;

/// An output of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OutputData {
    /// Its name in the model.
    pub(super) name: String,
    /// Sizes of the dimensions.
    pub(super) shape: Vec<u64>,
    /// Its values in row-major order.
    pub(super) values: OutputValues,
}

/// The values of an output.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum OutputValues {
    /// Numbers of any type, and 0 and 1 for false and true.
    Numbers(Vec<f64>),
    /// Text.
    Texts(Vec<String>),
    /// Something that is not a tensor, or has a type that cannot be read. It is not compared.
    Opaque,
}

/// Part of the largest value of an output below which errors are not measured against the value
/// itself: what is nearly zero has no meaningful relative error.
const SMALLEST_SCALE: f64 = 1e-3;

/// Returns the first output of `outputs` with a value that is not a number, as a sentence.
pub(super) fn find_nan(outputs: &[OutputData]) -> Option<String> {
    let is_nan = |output: &&OutputData| match &output.values {
        OutputValues::Numbers(numbers) => numbers.iter().any(|number| number.is_nan()),
        OutputValues::Texts(_) | OutputValues::Opaque => false,
    };
    let output = outputs.iter().find(is_nan)?;
    Some(format!("the output `{}` has NaN", output.name))
}

/// Returns how far `candidate` is from `baseline`, the worst of all outputs, by the name of the metric.
///
/// `max_abs_error` and `max_rel_error` are 0 and `cosine` is 1 if all numbers are the same.
/// `top1_disagreement` is the share of rows whose largest number is at another place. It is there only
/// if an output has rows of several floats.
///
/// # Errors
///
/// Returns as a sentence what makes the outputs wrong, whatever the limits are: another shape, a
/// missing output, NaN, an infinity, or other text.
pub(super) fn compare_outputs(
    baseline: &[OutputData],
    candidate: &[OutputData],
) -> Result<BTreeMap<String, f64>, String> {
    let mut worst = BTreeMap::new();
    for reference in baseline {
        let name = &reference.name;
        let Some(output) = candidate.iter().find(|output| output.name == *name) else {
            return Err(format!("the output `{name}` of the baseline is missing"));
        };
        if output.shape != reference.shape {
            return Err(format!(
                "the output `{name}` has the shape {:?}, and {:?} in the baseline",
                output.shape, reference.shape
            ));
        }
        match (&reference.values, &output.values) {
            (OutputValues::Numbers(before), OutputValues::Numbers(after)) => {
                compare_numbers(name, before, after, &mut worst)?;
                let width = usize::try_from(reference.shape.last().copied().unwrap_or(0));
                if let Some(share) = compute_disagreement(before, after, width.unwrap_or(0)) {
                    keep_larger(&mut worst, "top1_disagreement", share);
                }
            }
            (OutputValues::Texts(before), OutputValues::Texts(after)) if before != after => {
                return Err(format!("the text of the output `{name}` differs from the baseline"));
            }
            (OutputValues::Texts(_), OutputValues::Texts(_)) | (OutputValues::Opaque, _) => {}
            _ => return Err(format!("the output `{name}` has another type than in the baseline")),
        }
    }
    Ok(worst)
}

/// Adds the errors of one output to `worst`.
fn compare_numbers(
    name: &str,
    before: &[f64],
    after: &[f64],
    worst: &mut BTreeMap<String, f64>,
) -> Result<(), String> {
    let largest = before.iter().filter(|value| value.is_finite()).map(|value| value.abs());
    let floor = largest.fold(0.0, f64::max) * SMALLEST_SCALE;
    let (mut absolute, mut relative) = (0.0_f64, 0.0_f64);
    let (mut product, mut squares) = (0.0, [0.0, 0.0]);
    for (before, after) in before.iter().zip(after) {
        #[expect(clippy::float_cmp, reason = "the same infinity on both sides is no error")]
        if before == after && before.is_infinite() {
            continue;
        }
        if after.is_nan() {
            return Err(format!("the output `{name}` has NaN"));
        }
        let error = (before - after).abs();
        if !error.is_finite() {
            return Err(format!("the output `{name}` is infinite on one side only"));
        }
        absolute = absolute.max(error);
        let scale = before.abs().max(floor);
        if scale > 0.0 {
            relative = relative.max(error / scale);
        } else if error > 0.0 {
            // Everything was zero, so the error has nothing to be measured against.
            relative = relative.max(1.0);
        }
        product += before * after;
        squares[0] += before * before;
        squares[1] += after * after;
    }
    keep_larger(worst, "max_abs_error", absolute);
    keep_larger(worst, "max_rel_error", relative);
    let norms = (squares[0] * squares[1]).sqrt();
    // Two outputs of zeros point the same way. A metric is not negative.
    let cosine = match (squares, norms > 0.0) {
        (_, true) => (product / norms).clamp(0.0, 1.0),
        ([0.0, 0.0], false) => 1.0,
        _ => 0.0,
    };
    let kept = worst.entry("cosine".to_owned()).or_insert(1.0);
    *kept = kept.min(cosine);
    Ok(())
}

fn keep_larger(worst: &mut BTreeMap<String, f64>, metric: &str, value: f64) {
    let kept = worst.entry(metric.to_owned()).or_insert(0.0);
    *kept = kept.max(value);
}

/// Returns the share of rows of `width` numbers whose first largest number is at another place. `None`
/// without rows of several numbers.
fn compute_disagreement(before: &[f64], after: &[f64], width: usize) -> Option<f64> {
    if width < 2 || before.len() < width {
        return None;
    }
    let find_top = |row: &[f64]| {
        let mut top = 0;
        for (at, value) in row.iter().enumerate() {
            if *value > row[top] {
                top = at;
            }
        }
        top
    };
    let rows = before.chunks_exact(width).zip(after.chunks_exact(width));
    let count = rows.len();
    let other = rows.filter(|(before, after)| find_top(before) != find_top(after)).count();
    Some(other as f64 / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(shape: &[u64], numbers: &[f64]) -> Vec<OutputData> {
        let values = OutputValues::Numbers(numbers.to_vec());
        vec![OutputData { name: "y".to_owned(), shape: shape.to_vec(), values }]
    }

    #[test]
    fn equal_outputs_have_no_error() {
        let same = output(&[2, 2], &[1.0, 2.0, f64::INFINITY, 0.0]);
        let metrics = compare_outputs(&same, &same).unwrap();
        let expected = [
            ("cosine", 1.0),
            ("max_abs_error", 0.0),
            ("max_rel_error", 0.0),
            ("top1_disagreement", 0.0),
        ];
        assert_eq!(metrics, expected.map(|(name, value)| (name.to_owned(), value)).into());
    }

    #[test]
    fn each_metric_is_that_of_the_worst_place() {
        // The errors are 0.5, 0, 1 and 0.5, and 0.5 of 1 is the largest relative one. Only the second
        // row has its largest number at another place.
        let before = output(&[2, 2], &[1.0, 2.0, 4.0, 3.0]);
        let after = output(&[2, 2], &[1.5, 2.0, 3.0, 3.5]);
        let metrics = compare_outputs(&before, &after).unwrap();
        let expected = [1.0, 0.5, 0.5];
        let names = ["max_abs_error", "max_rel_error", "top1_disagreement"];
        for (name, expected) in names.into_iter().zip(expected) {
            assert!((metrics[name] - expected).abs() < 1e-12, "{name}: {}", metrics[name]);
        }
        // Python: sum of products by root of sums of squares, of [1, 2, 4, 3] and [1.5, 2, 3, 3.5].
        assert!((metrics["cosine"] - 0.974_834_873_4).abs() < 1e-9, "{metrics:?}");
    }

    #[test]
    fn outputs_that_are_wrong_by_any_limit_fail() {
        let before = output(&[2], &[1.0, 2.0]);
        let fails = |after: &[OutputData], cause: &str| {
            assert_eq!(compare_outputs(&before, after).unwrap_err(), cause);
        };
        fails(&output(&[2], &[1.0, f64::NAN]), "the output `y` has NaN");
        fails(&output(&[2], &[1.0, f64::INFINITY]), "the output `y` is infinite on one side only");
        let cause = "the output `y` has the shape [1, 2], and [2] in the baseline";
        fails(&output(&[1, 2], &[1.0, 2.0]), cause);
        fails(&[], "the output `y` of the baseline is missing");
        let texts = OutputValues::Texts(vec!["a".to_owned(), "b".to_owned()]);
        let text = OutputData { values: texts, ..before[0].clone() };
        fails(&[text], "the output `y` has another type than in the baseline");
    }
}
