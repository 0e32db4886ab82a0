//! Finds the change points of a series of runs (such as one median per night): the places where its
//! level shifts.

use super::multiplicity;
use super::summary::{self, Moments};
use super::test::t::TTest;

/// Smallest shift that is reported by default, as a share of the level. Callers may pass a smaller
/// one.
pub(crate) const MIN_SHIFT: f64 = 0.02;

/// Smallest number of values on one level.
pub(crate) const MIN_SEGMENT: usize = 3;

/// Smallest number of values on the first level. With fewer, there is no established level from
/// which a change could start.
pub(crate) const MIN_FIRST_SEGMENT: usize = 5;

/// Window length of the rolling median against which outliers are judged, in values. It is odd.
const MEDIAN_WINDOW: usize = 7;

/// Distance from the rolling median to which an outlier is clamped, in robust standard deviations.
const OUTLIER_DEVIATIONS: f64 = 2.0;

/// A further change point must lower the scaled squared error by this many times `ln n`.
const CHANGE_PENALTY: f64 = 6.0;

/// Largest p-value of a shift that is reported.
pub(super) const MAX_P_VALUE: f64 = 1e-3;

/// Lags of the differences from which the noise is estimated. Slow noise shows in the longer lags.
const NOISE_LAGS: [usize; 3] = [1, 2, 3];

/// Smallest noise that is assumed, on the log scale. It prevents a division by zero when all values
/// are equal.
const MIN_NOISE: f64 = 1e-9;

/// A shift of the level of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ChangePoint {
    /// Index of the first value of the new level.
    pub(crate) index: usize,
    /// New level ÷ old level.
    pub(crate) ratio: f64,
    /// Interval `(low, high)` of the ratio, at the confidence that the caller requested.
    pub(crate) interval: (f64, f64),
    /// P-value of "the levels differ", Holm-adjusted over the change points of the series.
    ///
    /// The position was chosen from the same values, so the p-value understates the chance of a
    /// false change point.
    pub(crate) p_value: f64,
}

/// Finds the steps of a series, in ascending order of index.
///
/// `logs` are the logarithms of the values in order of time, after outliers are clamped by
/// [`winsorize`]. Shifts below `min_shift` (a share of the level, such as [`MIN_SHIFT`]) are merged
/// away. Returns an empty list for fewer than twice [`MIN_SEGMENT`] values.
///
/// The model is a piecewise constant level on the log scale. The chosen partition has the least
/// squared error plus a penalty per change. This is the exact optimum that PELT finds (Jackson et
/// al. 2005; Killick, Fearnhead & Eckley 2012), in `n²/2` steps. The noise that scales the error
/// contains the shifts themselves. Therefore, if several large shifts occur within a few nights, the
/// smaller ones appear only later.
///
/// Intervals and p-values are those of a t test for the difference of two means. Its variance is
/// pooled over the series and inflated for the autocorrelation of the residuals. The weakest change
/// point is dropped until none has a p-value above 0.001, because slow noise alone would otherwise
/// exceed that level.
///
/// A change before the first [`MIN_FIRST_SEGMENT`] values is not reported. At the end of the
/// series, two values on a new level would need a value of the old level to reach the minimum
/// length. They are reported only when a third value on the new level follows.
pub(super) fn find_steps(logs: &[f64], min_shift: f64, confidence: f64) -> Vec<ChangePoint> {
    // Plan: find the best partition, and drop ends that are too short. Then merge small shifts and
    // remove the weakest change point, until every remaining one is significant.
    if logs.len() < 2 * MIN_SEGMENT {
        return Vec::new();
    }
    let mut starts =
        find_best_partition(logs, estimate_series_noise(logs), charge_changes(logs, 1));
    drop_short_ends(logs, &mut starts);
    loop {
        merge_small_shifts(logs, &mut starts, min_shift.ln_1p());
        let points = describe_change_points(logs, &starts, confidence);
        let weakest = points.iter().enumerate().max_by(|a, b| a.1.p_value.total_cmp(&b.1.p_value));
        match weakest {
            Some((weakest, point)) if point.p_value > MAX_P_VALUE => starts.remove(weakest),
            _ => return points,
        };
    }
}

/// Returns by how much `changes` changes must lower the scaled squared error of `series`.
pub(super) fn charge_changes(series: &[f64], changes: usize) -> f64 {
    CHANGE_PENALTY * (series.len() as f64).ln() * changes as f64
}

/// What a rolling window is at the ends of a series, where it does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WindowEnds {
    /// Cut off at the end, so that the value is no longer in its middle.
    Short,
    /// Cut off on both sides alike. The median of a series that only rises is then the series.
    Symmetric,
}

/// Returns the series with each value clamped to within two robust standard deviations of its
/// rolling median.
pub(super) fn winsorize(series: &[f64], ends: WindowEnds) -> Vec<f64> {
    let medians = compute_rolling_median(series, ends);
    let mut distances: Vec<f64> = series.iter().zip(&medians).map(|(x, m)| (x - m).abs()).collect();
    let deviation = summary::compute_robust_deviation(&mut distances).unwrap_or(0.0);
    let reach = (OUTLIER_DEVIATIONS * deviation).max(MIN_NOISE);
    series.iter().zip(&medians).map(|(x, m)| x.clamp(m - reach, m + reach)).collect()
}

/// Returns, for each value, the median of the window around it. The window is shorter at both ends.
fn compute_rolling_median(series: &[f64], ends: WindowEnds) -> Vec<f64> {
    let half = MEDIAN_WINDOW / 2;
    let mut scratch = Vec::with_capacity(MEDIAN_WINDOW);
    let medians = (0..series.len()).map(|i| {
        scratch.clear();
        let (before, after) = (i.min(half), (series.len() - 1 - i).min(half));
        let (before, after) = match ends {
            WindowEnds::Short => (before, after),
            WindowEnds::Symmetric => (before.min(after), before.min(after)),
        };
        scratch.extend_from_slice(&series[i - before..=i + after]);
        summary::compute_median_in_place(&mut scratch).unwrap_or(series[i])
    });
    medians.collect()
}

/// Estimates the standard deviation of one value around its level, from differences. A few shifts
/// hardly affect it.
pub(super) fn estimate_series_noise(series: &[f64]) -> f64 {
    NOISE_LAGS
        .iter()
        .filter_map(|lag| {
            let differences: Vec<f64> =
                series.iter().zip(&series[*lag..]).map(|(x, y)| y - x).collect();
            let spread = Moments::from_values(&differences).ok()?.standard_deviation();
            Some(spread / std::f64::consts::SQRT_2)
        })
        .fold(MIN_NOISE, f64::max)
}

/// Returns the starts of all segments after the first, for the partition with the least squared
/// error ÷ `scale`² plus `penalty` per change.
///
/// The squared error of all segments together is one sum of squares minus, for each segment, its
/// squared sum ÷ its length. Only the second part depends on where the segments are cut.
pub(super) fn find_best_partition(series: &[f64], scale: f64, penalty: f64) -> Vec<usize> {
    let n = series.len();
    let sums = compute_running_sums(series, scale);
    let inverse_lengths: Vec<f64> = (0..=n).map(|length| 1.0 / length as f64).collect();
    // For each index: the least cost of the values before it (without their sum of squares), and
    // the start of the last segment of that partition.
    let mut least_costs = vec![f64::INFINITY; n + 1];
    let mut last_start = vec![0; n + 1];
    least_costs[0] = 0.0;
    for end in MIN_SEGMENT..=n {
        let starts = end - MIN_SEGMENT + 1;
        let lengths = inverse_lengths[MIN_SEGMENT..=end].iter().rev();
        let mut best = (f64::INFINITY, 0);
        for (start, ((before, sum), inverse_length)) in
            least_costs[..starts].iter().zip(&sums).zip(lengths).enumerate()
        {
            let rise = sums[end] - sum;
            let cost = before - rise * rise * inverse_length;
            if cost < best.0 {
                best = (cost, start);
            }
        }
        least_costs[end] = best.0 + penalty;
        last_start[end] = best.1;
    }
    let mut starts: Vec<usize> =
        std::iter::successors(Some(last_start[n]), |start| Some(last_start[*start]))
            .take_while(|start| *start > 0)
            .collect();
    starts.reverse();
    starts
}

/// Returns, for each index, the sum of the values before it, centred and in units of `scale`.
fn compute_running_sums(series: &[f64], scale: f64) -> Vec<f64> {
    let centre = series.iter().sum::<f64>() / series.len() as f64;
    let mut sum = 0.0;
    let rises = series.iter().map(|x| {
        sum += (x - centre) / scale;
        sum
    });
    std::iter::once(0.0).chain(rises).collect()
}

/// Drops changes that start from a first level that is too short. Also drops the last change if it
/// is not established yet.
///
/// The last two values are too few for a level of their own. The last change is dropped if, without
/// these two values, the last segment is nearer to the previous level than to its own.
fn drop_short_ends(series: &[f64], starts: &mut Vec<usize>) {
    starts.retain(|start| *start >= MIN_FIRST_SEGMENT);
    let Some(last) = starts.last().copied() else { return };
    let [.., old, new] = summarize_segments(series, starts)[..] else { return };
    let counted = &series[last..series.len() + 1 - MIN_SEGMENT];
    let [old_distance, new_distance] =
        [old, new].map(|level| counted.iter().map(|x| x - level.mean()).sum::<f64>().abs());
    if old_distance < new_distance {
        starts.pop();
    }
}

/// Repeatedly joins the two adjacent segments that differ least, until all differ by at least
/// `min_shift` on the log scale.
fn merge_small_shifts(series: &[f64], starts: &mut Vec<usize>, min_shift: f64) {
    loop {
        let levels = summarize_segments(series, starts);
        let shifts = levels.windows(2).map(|pair| (pair[1].mean() - pair[0].mean()).abs());
        let Some((smallest, shift)) = shifts.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)) else {
            return;
        };
        if shift >= min_shift {
            return;
        }
        starts.remove(smallest);
    }
}

fn summarize_segments(series: &[f64], starts: &[usize]) -> Vec<Moments> {
    split_segments(series, starts)
        .filter_map(|segment| Moments::from_values(segment).ok())
        .collect()
}

pub(super) fn split_segments<'a>(
    series: &'a [f64],
    starts: &'a [usize],
) -> impl Iterator<Item = &'a [f64]> {
    let from = std::iter::once(0).chain(starts.iter().copied());
    let to = starts.iter().copied().chain(std::iter::once(series.len()));
    from.zip(to).map(|(from, to)| &series[from..to])
}

fn describe_change_points(series: &[f64], starts: &[usize], confidence: f64) -> Vec<ChangePoint> {
    let levels = summarize_segments(series, starts);
    let residual = estimate_residual_variance(series, starts, &levels);
    let mut points: Vec<ChangePoint> = starts
        .iter()
        .zip(levels.windows(2))
        .map(|(index, pair)| {
            let test = residual.compare_levels(&pair[0], &pair[1]);
            let (low, high) = test.confidence_interval(confidence);
            ChangePoint {
                index: *index,
                ratio: test.difference.exp(),
                interval: (low.exp(), high.exp()),
                p_value: test.p_two_sided(0.0),
            }
        })
        .collect();
    let p_values: Vec<f64> = points.iter().map(|point| point.p_value).collect();
    for (point, adjusted) in points.iter_mut().zip(multiplicity::adjust_holm(&p_values)) {
        point.p_value = adjusted;
    }
    points
}

/// Variance of the values around the levels of their segments.
struct ResidualVariance {
    /// Variance on the log scale, inflated for autocorrelation.
    variance: f64,
    /// Degrees of freedom of `variance`, reduced for autocorrelation.
    degrees_of_freedom: f64,
}

impl ResidualVariance {
    fn compare_levels(&self, before: &Moments, after: &Moments) -> TTest {
        let weight = 1.0 / before.count() as f64 + 1.0 / after.count() as f64;
        TTest {
            difference: before.difference_to(after),
            standard_error: (self.variance * weight).sqrt(),
            degrees_of_freedom: self.degrees_of_freedom,
        }
    }
}

/// Estimates the pooled variance around the levels, on the log scale.
///
/// If the lag-one autocorrelation `r` of the residuals is positive, the variance is inflated by
/// `(1 + r) ÷ (1 − r)`, and the degrees of freedom shrink by the same factor.
fn estimate_residual_variance(
    series: &[f64],
    starts: &[usize],
    levels: &[Moments],
) -> ResidualVariance {
    let residuals: Vec<f64> = split_segments(series, starts)
        .zip(levels)
        .flat_map(|(segment, level)| segment.iter().map(|x| x - level.mean()))
        .collect();
    let degrees = (residuals.len() - levels.len()) as f64;
    let variance = residuals.iter().map(|d| d * d).sum::<f64>() / degrees;
    let r = summary::compute_autocorrelation(&residuals, 1).unwrap_or(0.0).clamp(0.0, 0.9);
    let inflation = (1.0 + r) / (1.0 - r);
    ResidualVariance {
        variance: variance.max(MIN_NOISE * MIN_NOISE) * inflation,
        degrees_of_freedom: (degrees / inflation).max(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::{ChangePoint, MIN_SHIFT, WindowEnds, find_steps, winsorize};

    fn find(values: &[f64], min_shift: f64) -> Vec<ChangePoint> {
        let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
        find_steps(&winsorize(&logs, WindowEnds::Short), min_shift, 0.95)
    }

    #[track_caller]
    fn places(values: &[f64]) -> Vec<usize> {
        let found = find(values, MIN_SHIFT);
        found.iter().map(|point| point.index).collect()
    }

    #[test]
    fn a_level_without_noise_has_changes_only_where_it_shifts() {
        let mut values = vec![100.0; 60];
        assert!(places(&values).is_empty());
        values[25..].fill(110.0);
        assert_eq!(places(&values), [25]);
        values[40..].fill(95.0);
        assert_eq!(places(&values), [25, 40]);
    }

    #[test]
    fn single_outliers_are_not_a_change() {
        let mut values: Vec<f64> = (0..40).map(|i| 100.0 + f64::from(i % 3)).collect();
        values[7] = 300.0;
        values[23] = 20.0;
        values[24] = 250.0;
        assert!(places(&values).is_empty());
    }

    #[test]
    fn two_values_on_a_new_level_are_not_a_change_yet_and_three_are() {
        let mut values: Vec<f64> = (0..40).map(|i| 100.0 + 0.5 * f64::from(i % 3)).collect();
        values[38..].iter_mut().for_each(|value| *value *= 1.1);
        assert!(places(&values).is_empty());
        values[37] *= 1.1;
        assert_eq!(places(&values), [37]);
    }

    #[test]
    fn a_change_needs_five_values_to_change_from() {
        let mut values: Vec<f64> = (0..40).map(|i| 100.0 + 0.5 * f64::from(i % 3)).collect();
        values[4..].iter_mut().for_each(|value| *value *= 1.1);
        assert!(places(&values).is_empty());
        values[4] /= 1.1;
        assert_eq!(places(&values), [5]);
    }

    #[test]
    fn a_shift_below_the_least_is_merged_and_shown_on_request() {
        let values: Vec<f64> = (0..60)
            .map(|i| 100.0 + 0.1 * f64::from(i % 3) + if i < 25 { 0.0 } else { 1.0 })
            .collect();
        assert!(places(&values).is_empty());
        let found = find(&values, 0.0);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].index, 25);
        assert!(found[0].p_value < 1e-6 && found[0].interval.0 < 1.01 && 1.0 < found[0].interval.0);
    }

    #[test]
    fn too_little_is_not_a_change() {
        assert!(places(&[1.0, 1.0, 5.0, 5.0, 5.0]).is_empty() && places(&[]).is_empty());
    }
}
