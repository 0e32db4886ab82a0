//! Finds drifts of a series of runs: stretches in which its level rises or falls a little from run to
//! run, beside the steps that `change_points` finds.

use std::ops::Range;

use super::change_points::{
    ChangePoint, MAX_P_VALUE, MIN_FIRST_SEGMENT, MIN_SEGMENT, WindowEnds, charge_changes,
    estimate_series_noise, find_best_partition, find_steps, split_segments, winsorize,
};
use super::test::t::TTest;
use super::{StatsError, summary};

/// Smallest number of values in a drift: enough for two levels from which a change could start. A
/// shorter one is a step whose place is not sharp.
const MIN_DRIFT: usize = 2 * MIN_FIRST_SEGMENT;

/// What a change costs in the comparison of explanations, times `ln n`: three halves of a parameter's
/// share for position and size, as in the modified criterion of Zhang & Siegmund (2007).
const RATING_PENALTY: f64 = 3.0;

/// Smallest noise that is assumed when lines are fitted, on the log scale: 0.01 %. What is smaller
/// is rounding.
const MIN_LINE_NOISE: f64 = 1e-4;

/// Steps and drifts of a series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TrendChanges {
    /// Steps of the level, in ascending order of index.
    pub(crate) steps: Vec<ChangePoint>,
    /// Drifts, in ascending order. They do not overlap.
    pub(crate) drifts: Vec<LevelDrift>,
}

/// A stretch of a series in which the level rises or falls from value to value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LevelDrift {
    /// Index of the first value of the stretch.
    pub(crate) start: usize,
    /// Index after the last value of the stretch. It is the length of the series if the drift goes
    /// on.
    pub(crate) end: usize,
    /// Ratio of one value to the one before.
    pub(crate) ratio: f64,
    /// Interval `(low, high)` of the ratio, at the confidence that the caller requested.
    pub(crate) interval: (f64, f64),
    /// P-value of "there is no drift in the stretch". The stretch was chosen from the same values, so
    /// the p-value understates the chance of a false drift.
    pub(crate) p_value: f64,
}

impl LevelDrift {
    /// Returns level at the end ÷ level at the start.
    pub(crate) fn total_ratio(&self) -> f64 {
        self.ratio.powf((self.end - 1 - self.start) as f64)
    }
}

/// Finds the steps and the drifts of `values`, which are positive and finite, in order of time.
///
/// Without a drift, the steps are those of [`find_steps`] alone. A drift must reach `min_shift` in
/// all, as a step must, and have at least ten values.
///
/// Candidates are the lines of the partition into levels and lines that has the least squared error
/// plus penalty. A line costs as much as a further step. The candidates are then compared with
/// steps alone by a criterion that knows autocorrelated noise: `n` times the logarithm of the
/// variance that is left after first-order autocorrelation is taken out, plus a penalty per change. Noise that wanders is explained by autocorrelation, which is free, and a staircase by its
/// steps. What rises for longer than either explains is a drift.
///
/// The slope and its interval are those of generalized least squares with autocorrelation of first
/// order, as Perron and Yabu (2009) do: the autocorrelation is corrected for its bias, and is one if
/// it cannot be told from one. Then the slope is the mean of the differences between neighbours, as
/// for a random walk.
///
/// # Errors
///
/// Fails if a value is not positive and finite.
pub(crate) fn find_trend_changes(
    values: &[f64],
    min_shift: f64,
    confidence: f64,
) -> Result<TrendChanges, StatsError> {
    // Plan: find the steps alone, propose drifts, and drop the weakest drift until the rest explains
    // the series better than what is simpler.
    let Some(&first) = values.first() else { return Ok(TrendChanges::default()) };
    let logs = summary::compute_log_ratios(values, first)?;
    let steps = find_steps(&winsorize(&logs, WindowEnds::Short), min_shift, confidence);
    if logs.len() < MIN_DRIFT {
        return Ok(TrendChanges { steps, drifts: Vec::new() });
    }
    let series = winsorize(&logs, WindowEnds::Symmetric);
    let mut ramps = propose_ramps(&series);
    let mut best = (rate_steps(&series, &steps), TrendChanges { steps, drifts: Vec::new() });
    while !ramps.is_empty() {
        let explained = explain_by_ramps(&series, &ramps, min_shift, confidence);
        let is_unfit = |drift: &LevelDrift| {
            drift.p_value > MAX_P_VALUE || drift.total_ratio().ln().abs() < min_shift.ln_1p()
        };
        let weakest = explained.changes.drifts.iter().enumerate().max_by(|(_, a), (_, b)| {
            is_unfit(a).cmp(&is_unfit(b)).then(a.p_value.total_cmp(&b.p_value))
        });
        let Some((weakest, drift)) = weakest else { break };
        ramps.remove(weakest);
        if !is_unfit(drift) && explained.rating < best.0 {
            best = (explained.rating, explained.changes);
        }
    }
    Ok(best.1)
}

/// A stretch that may be a drift: lines that adjoin and all rise or all fall.
#[derive(Clone, Debug, PartialEq)]
struct Ramp {
    lines: Vec<RampLine>,
}

/// A line of a ramp.
#[derive(Clone, Copy, Debug, PartialEq)]
struct RampLine {
    start: usize,
    end: usize,
    /// Rise per value.
    slope: f64,
}

impl Ramp {
    fn start(&self) -> usize {
        self.lines[0].start
    }

    fn end(&self) -> usize {
        self.lines[self.lines.len() - 1].end
    }
}

/// Steps and drifts that explain a series, and how well they do.
struct Explanation {
    changes: TrendChanges,
    /// Less is better.
    rating: f64,
}

/// Returns the lines of the best partition into levels and lines; lines that adjoin and have the
/// same direction are one ramp.
fn propose_ramps(series: &[f64]) -> Vec<Ramp> {
    let mut ramps: Vec<Ramp> = Vec::new();
    for line in find_lines(series) {
        match ramps.last_mut() {
            Some(ramp)
                if ramp.end() == line.start
                    && ramp.lines[0].slope.is_sign_positive() == line.slope.is_sign_positive() =>
            {
                ramp.lines.push(line);
            }
            _ => ramps.push(Ramp { lines: vec![line] }),
        }
    }
    ramps
}

/// Returns the lines of the partition of `series` into levels and lines that has the least squared
/// error plus the penalty of [`charge_changes`] for each change and each line.
///
/// As with levels alone, the sum of all squares is left out, because every partition has it.
fn find_lines(series: &[f64]) -> Vec<RampLine> {
    let n = series.len();
    let scale = estimate_series_noise(series).max(MIN_LINE_NOISE);
    let penalty = charge_changes(series, 1);
    let sums = RunningSums::from_series(series, scale);
    // For each index: the least cost of the values before it, the start of the last segment of that
    // partition, and whether the segment is a line.
    let mut least_costs = vec![f64::INFINITY; n + 1];
    let mut last_segments = vec![(0, false); n + 1];
    least_costs[0] = 0.0;
    for end in MIN_SEGMENT..=n {
        let mut best = (f64::INFINITY, (0, false));
        for (start, before) in least_costs[..=end - MIN_SEGMENT].iter().enumerate() {
            let level = before - sums.explained_by_level(start, end);
            if level < best.0 {
                best = (level, (start, false));
            }
            if end - start >= MIN_DRIFT {
                let line = level + penalty - sums.explained_by_slope(start, end);
                if line < best.0 {
                    best = (line, (start, true));
                }
            }
        }
        least_costs[end] = best.0 + penalty;
        last_segments[end] = best.1;
    }
    let mut segments = Vec::new();
    let mut end = n;
    while end > 0 {
        let (start, is_line) = last_segments[end];
        segments.push((start..end, is_line));
        end = start;
    }
    segments.reverse();
    let lines = segments.iter().enumerate().filter(|(_, (_, is_line))| *is_line);
    lines
        .map(|(place, (range, _))| {
            let find_level = |place: Option<usize>| {
                let neighbour = segments.get(place?)?;
                (!neighbour.1).then(|| neighbour.0.clone())
            };
            let levels = [find_level(place.checked_sub(1)), find_level(Some(place + 1))];
            let Range { start, end } = sums.extend_to_levels(range.clone(), levels);
            RampLine { start, end, slope: sums.slope(range.start, range.end) * scale }
        })
        .collect()
}

/// For each index, sums over the values before it, from which a line through any range is fitted in
/// constant time. Values are centred, and in units of the noise.
struct RunningSums {
    values: Vec<f64>,
    /// Values times their index, counted from the middle of the series.
    moments: Vec<f64>,
    middle: f64,
}

impl RunningSums {
    fn from_series(series: &[f64], scale: f64) -> Self {
        let n = series.len() as f64;
        let (centre, middle) = (series.iter().sum::<f64>() / n, 0.5 * n);
        let mut sums = Self { values: vec![0.0], moments: vec![0.0], middle };
        let (mut sum, mut moment) = (0.0, 0.0);
        for (index, value) in series.iter().enumerate() {
            let scaled = (value - centre) / scale;
            sum += scaled;
            moment += scaled * (index as f64 - middle);
            sums.values.push(sum);
            sums.moments.push(moment);
        }
        sums
    }

    /// Returns the squared error that the mean of the range takes away from zero.
    fn explained_by_level(&self, start: usize, end: usize) -> f64 {
        let sum = self.values[end] - self.values[start];
        sum * sum / (end - start) as f64
    }

    /// Returns the covariance of value and index in the range, and the variance of the index, both
    /// times the length.
    fn co_moments(&self, start: usize, end: usize) -> (f64, f64) {
        let length = (end - start) as f64;
        let mean_index = 0.5 * (start + end - 1) as f64 - self.middle;
        let moment = self.moments[end] - self.moments[start];
        let sum = self.values[end] - self.values[start];
        (moment - mean_index * sum, length * (length * length - 1.0) / 12.0)
    }

    /// Returns the squared error that the slope of a line takes away beyond the mean.
    fn explained_by_slope(&self, start: usize, end: usize) -> f64 {
        let (covariance, variance) = self.co_moments(start, end);
        covariance * covariance / variance
    }

    /// Moves the ends of a line to where it meets the level before and the level after it, if that is
    /// near. The noise moves the place at which a line begins by a few values, and the rise in them
    /// would pass for a step.
    fn extend_to_levels(
        &self,
        line: Range<usize>,
        [before, after]: [Option<Range<usize>>; 2],
    ) -> Range<usize> {
        let slope = self.slope(line.start, line.end);
        let middle = 0.5 * (line.start + line.end - 1) as f64;
        // Returns the index nearest to where the line meets the level, if it is near `end`.
        let find_meeting = |level: Option<Range<usize>>, end: usize| {
            let level = level?;
            let meeting = middle + (self.mean(&level) - self.mean(&line)) / slope;
            let distance = (meeting - end as f64).round();
            if distance.abs() > MIN_FIRST_SEGMENT as f64 {
                return None;
            }
            #[expect(clippy::cast_possible_truncation, reason = "a whole number of a few values")]
            end.checked_add_signed(distance as isize)
        };
        let start = find_meeting(before.clone(), line.start)
            .filter(|start| before.is_some_and(|before| *start > before.start))
            .unwrap_or(line.start);
        let end = find_meeting(after.clone(), line.end - 1)
            .map(|last| last + 1)
            .filter(|end| after.is_some_and(|after| *end < after.end))
            .unwrap_or(line.end);
        if end >= start + MIN_DRIFT { start..end } else { line }
    }

    fn mean(&self, range: &Range<usize>) -> f64 {
        (self.values[range.end] - self.values[range.start]) / range.len() as f64
    }

    /// Returns the slope of the line through the range.
    fn slope(&self, start: usize, end: usize) -> f64 {
        let (covariance, variance) = self.co_moments(start, end);
        covariance / variance
    }
}

/// Explains `series` by the given ramps and the steps that are left without them.
fn explain_by_ramps(
    series: &[f64],
    ramps: &[Ramp],
    min_shift: f64,
    confidence: f64,
) -> Explanation {
    let rises = add_up_ramps(series.len(), ramps);
    let flat: Vec<f64> = series.iter().zip(&rises).map(|(value, rise)| value - rise).collect();
    let steps = find_steps(&flat, min_shift, confidence);
    let starts: Vec<usize> = steps.iter().map(|step| step.index).collect();
    // The slope is fitted to the series without its steps. A jump inside the ramp is no part of it.
    let mut level = 0.0;
    let mut pending = steps.iter().peekable();
    let without_steps: Vec<f64> = series
        .iter()
        .enumerate()
        .map(|(index, value)| {
            if let Some(step) = pending.next_if(|step| step.index == index) {
                level += step.ratio.ln();
            }
            value - level
        })
        .collect();
    let drifts = ramps.iter().map(|ramp| {
        let test = fit_slope(&without_steps[ramp.start()..ramp.end()]);
        let (low, high) = test.confidence_interval(confidence);
        LevelDrift {
            start: ramp.start(),
            end: ramp.end(),
            ratio: test.difference.exp(),
            interval: (low.exp(), high.exp()),
            p_value: test.p_two_sided(0.0),
        }
    });
    let drifts = drifts.collect();
    let inner_ends = |ramp: &Ramp| {
        usize::from(ramp.start() > 0) + usize::from(ramp.end() < series.len()) + ramp.lines.len()
    };
    let changes = starts.len() + ramps.iter().map(inner_ends).sum::<usize>();
    let rating = rate_explanation(&flat, &starts, changes);
    Explanation { changes: TrendChanges { steps, drifts }, rating }
}

/// Returns the rise of all ramps together from the first value to each value.
fn add_up_ramps(length: usize, ramps: &[Ramp]) -> Vec<f64> {
    let mut slopes = vec![0.0; length];
    for line in ramps.iter().flat_map(|ramp| &ramp.lines) {
        // The first value of a ramp is still on the level before it, the first value of its further
        // lines is not.
        slopes[line.start..line.end].fill(line.slope);
    }
    for ramp in ramps {
        slopes[ramp.start()] = 0.0;
    }
    let mut rise = 0.0;
    let rises = slopes.into_iter().map(|slope| {
        rise += slope;
        rise
    });
    rises.collect()
}

/// Rates the best of three explanations without a drift: one level, the reported `steps`, and all
/// steps of the best partition into levels.
fn rate_steps(series: &[f64], steps: &[ChangePoint]) -> f64 {
    let reported: Vec<usize> = steps.iter().map(|step| step.index).collect();
    let noise = estimate_series_noise(series).max(MIN_LINE_NOISE);
    let all = find_best_partition(series, noise, charge_changes(series, 1));
    [Vec::new(), reported, all]
        .iter()
        .map(|starts| rate_explanation(series, starts, starts.len()))
        .fold(f64::INFINITY, f64::min)
}

/// Rates the explanation of `series` by levels that begin at `starts` and first-order autocorrelated
/// noise; less is better. `changes` is the number of changes that it needed in all.
fn rate_explanation(series: &[f64], starts: &[usize], changes: usize) -> f64 {
    let residuals: Vec<f64> = split_segments(series, starts)
        .flat_map(|segment| {
            let mean = segment.iter().sum::<f64>() / segment.len() as f64;
            segment.iter().map(move |value| value - mean)
        })
        .collect();
    let variance = compute_innovation_variance(&residuals).max(MIN_LINE_NOISE * MIN_LINE_NOISE);
    let n = series.len() as f64;
    n * variance.ln() + RATING_PENALTY * n.ln() * changes as f64
}

/// Returns the variance that is left of `residuals` when each is predicted from the one before.
fn compute_innovation_variance(residuals: &[f64]) -> f64 {
    let pairs = || residuals.windows(2).map(|pair| (pair[0], pair[1]));
    let products: f64 = pairs().map(|(before, after)| before * after).sum();
    let squares: f64 = pairs().map(|(before, _)| before * before).sum();
    let weight = if squares > 0.0 { (products / squares).clamp(0.0, 1.0) } else { 0.0 };
    let errors = pairs().map(|(before, after)| (after - weight * before).powi(2));
    errors.sum::<f64>() / residuals.len().saturating_sub(1).max(1) as f64
}

/// Fits a line to `values`, at least ten of them, whose noise may be autocorrelated. Returns the slope
/// per value as a test.
///
/// The values are logarithms, or in units of their own level: noise below 1e-4 counts as rounding.
pub(crate) fn fit_slope(values: &[f64]) -> TTest {
    let n = values.len() as f64;
    let weight = estimate_autocorrelation(values);
    // Values and indices without what the value before predicts (Prais and Winsten). With a weight
    // of one, the first value predicts nothing and drops out.
    let first_scale = (1.0 - weight * weight).sqrt();
    let first = values.first().map(|value| [first_scale, 0.0, first_scale * value]);
    let others = values.windows(2).enumerate().map(|(before, pair)| {
        let index = (before + 1) as f64;
        [1.0 - weight, index - weight * before as f64, pair[1] - weight * pair[0]]
    });
    let rows: Vec<[f64; 3]> = first.into_iter().chain(others).collect();
    let sum = |a: usize, b: usize| rows.iter().map(|row| row[a] * row[b]).sum::<f64>();
    let (constants, mixed, indices) = (sum(0, 0), sum(0, 1), sum(1, 1));
    let (level, slope) = if constants > 0.0 {
        let information = indices - mixed * mixed / constants;
        let slope = (sum(1, 2) - mixed * sum(0, 2) / constants) / information;
        ((sum(0, 2) - slope * mixed) / constants, slope)
    } else {
        (0.0, sum(1, 2) / indices)
    };
    let information = if constants > 0.0 { indices - mixed * mixed / constants } else { indices };
    let degrees = n - 2.0;
    let errors = rows.iter().map(|row| (row[2] - level * row[0] - slope * row[1]).powi(2));
    let variance = (errors.sum::<f64>() / degrees).max(MIN_LINE_NOISE * MIN_LINE_NOISE);
    TTest {
        difference: slope,
        standard_error: (variance / information).sqrt(),
        degrees_of_freedom: degrees,
    }
}

/// Estimates the lag-one autocorrelation of `values` around a line, corrected for its bias. Returns
/// one if it is nearer to one than the estimate is exact.
fn estimate_autocorrelation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let sums = RunningSums::from_series(values, 1.0);
    let slope = sums.slope(0, values.len());
    let residuals: Vec<f64> =
        values.iter().enumerate().map(|(index, value)| value - slope * index as f64).collect();
    let estimate = summary::compute_autocorrelation(&residuals, 1).unwrap_or(0.0);
    // The estimate around a line is too small by (2 + 4 r) ÷ n on average (van Giersbergen 2005).
    let corrected = (n * estimate + 2.0) / (n - 4.0);
    let corrected = corrected.clamp(0.0, 1.0);
    // One standard error (Bartlett 1946) is added, because a weight that is too small makes the
    // interval of the slope too narrow, and one that is too large only makes it wider.
    let cautious = corrected + ((1.0 - corrected * corrected) / n).sqrt();
    if cautious > 1.0 - 1.0 / n.sqrt() { 1.0 } else { cautious }
}

#[cfg(test)]
mod tests;
