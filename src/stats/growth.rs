//! How much a level grows while a process runs: a line through its course, with an interval.

use super::drift::fit_slope;
use super::summary::compute_median_in_place;

/// Shortest course whose growth is estimated, in seconds.
pub(crate) const MIN_COURSE_SECONDS: f64 = 30.0;
/// Part of the course at its beginning that is left out: caches fill, and pools grow to their size.
const WARM_UP_SHARE: f64 = 0.2;
/// Fewest stretches of a course.
const MIN_STRETCHES: usize = 20;
/// Most stretches of a course. More of them would only make their noise depend on each other.
const MAX_STRETCHES: usize = 40;
/// Fewest points per stretch, on average.
const POINTS_PER_STRETCH: usize = 2;
/// A growth goes on if the second half has at least this part of the rise of the first half.
const STEADY_SHARE: f64 = 0.5;

/// How much a level grows over a course, in the unit of its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LevelGrowth {
    /// Lower end of the interval. It is not above zero if the growth ends before the course does: a
    /// level that rises and then stays does not grow.
    pub(crate) low: f64,
    /// Best estimate.
    pub(crate) point: f64,
    /// Upper end of the interval.
    pub(crate) high: f64,
}

/// Estimates by how much a level grows from the first point to the last. A point is a time in seconds
/// and a value. Values are logarithms, or in units of their level.
///
/// The first fifth is left out. The rest is cut into 20 to 40 stretches of equal time, each with its
/// median. A line is fitted to the medians by [`fit_slope`], which knows that neighbours correlate,
/// up to a random walk. The growth is the slope over the whole course.
///
/// Returns `None` if the course is shorter than [`MIN_COURSE_SECONDS`], if a stretch has no point, or
/// if a number is not finite.
pub(crate) fn estimate_growth(points: &[(f64, f64)], confidence: f64) -> Option<LevelGrowth> {
    if !points.iter().all(|(time, value)| time.is_finite() && value.is_finite()) {
        return None;
    }
    let first = points.iter().map(|point| point.0).reduce(f64::min)?;
    let last = points.iter().map(|point| point.0).reduce(f64::max)?;
    let length = last - first;
    if length < MIN_COURSE_SECONDS {
        return None;
    }
    let begin = first + WARM_UP_SHARE * length;
    let kept: Vec<(f64, f64)> = points.iter().copied().filter(|point| point.0 >= begin).collect();
    let count = (kept.len() / POINTS_PER_STRETCH).min(MAX_STRETCHES);
    if count < MIN_STRETCHES {
        return None;
    }
    let mut stretches: Vec<Vec<f64>> = vec![Vec::new(); count];
    for (time, value) in kept {
        let place = (time - begin) / (last - begin) * count as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to the number of stretches"
        )]
        stretches[(place as usize).min(count - 1)].push(value);
    }
    let medians: Option<Vec<f64>> =
        stretches.iter_mut().map(|stretch| compute_median_in_place(stretch)).collect();
    let medians = medians?;
    let test = fit_slope(&medians);
    let whole_course = count as f64 / (1.0 - WARM_UP_SHARE);
    let (low, high) = test.confidence_interval(confidence);
    let low = if goes_on(&medians) { low } else { low.min(0.0) };
    Some(LevelGrowth {
        low: low * whole_course,
        point: test.difference * whole_course,
        high: high * whole_course,
    })
}

/// Returns whether the level rises in the second half, too. A rise is the difference of the medians
/// of the quarters at both ends of a half.
fn goes_on(medians: &[f64]) -> bool {
    let quarter = medians.len() / 4;
    let middle = medians.len() / 2;
    let level = |from: usize| compute_median_in_place(&mut medians[from..from + quarter].to_vec());
    let levels = [0, middle - quarter / 2, medians.len() - quarter].map(level);
    let [Some(start), Some(middle), Some(end)] = levels else { return false };
    let [first, second] = [middle - start, end - middle];
    second > 0.0 && second >= STEADY_SHARE * first
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_pcg::Pcg64;

    use super::*;

    const CONFIDENCE: f64 = 0.99;
    /// Number of seeded series in each claim.
    const SERIES: u64 = 1000;

    /// Returns first-order autocorrelated noise; with a correlation of one, a random walk.
    fn draw_noise(count: usize, correlation: f64, seed: u64) -> Vec<f64> {
        let mut random = Pcg64::seed_from_u64(seed);
        let mut draw = || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        let mut value = if correlation < 1.0 { draw() } else { 0.0 };
        let weight = if correlation < 1.0 { (1.0 - correlation.powi(2)).sqrt() } else { 1.0 };
        let values = (0..count).map(|_| {
            value = correlation * value + weight * draw();
            value
        });
        values.collect()
    }

    /// Returns the course of a minute with 120 points: `level` by the share of the time, plus noise.
    fn make_course(level: impl Fn(f64) -> f64, noise: &[f64]) -> Vec<(f64, f64)> {
        let last = noise.len() - 1;
        let times = (0..).map(|place: u32| f64::from(place) / last as f64);
        times.zip(noise).map(|(share, noise)| (60.0 * share, level(share) + noise)).collect()
    }

    fn count_series(
        correlation: f64,
        growth: f64,
        is_counted: impl Fn(LevelGrowth) -> bool,
    ) -> usize {
        let series = (0..SERIES).filter(|seed| {
            // Each stretch has the noise of its own.
            let noise = draw_noise(50, correlation, *seed);
            let noise: Vec<f64> = noise.iter().flat_map(|noise| [0.01 * noise; 2]).collect();
            let course = make_course(|share| growth * share, &noise);
            is_counted(estimate_growth(&course, CONFIDENCE).unwrap())
        });
        series.count()
    }

    /// The numbers in METHODOLOGY.md.
    #[test]
    fn a_level_that_stays_is_hardly_ever_called_growing() {
        for (correlation, at_most) in [(0.0, 5), (0.5, 10), (0.8, 15), (0.95, 35), (1.0, 50)] {
            let growing = count_series(correlation, 0.0, |growth| growth.low > 0.0);
            assert!(growing <= at_most, "{growing} of {SERIES} at a correlation of {correlation}");
        }
    }

    /// The numbers in METHODOLOGY.md.
    #[test]
    fn a_level_that_grows_by_a_tenth_is_found_and_the_interval_holds_it() {
        for (correlation, at_least) in [(0.0, 970), (0.5, 850), (0.8, 400)] {
            let found = count_series(correlation, 0.1, |growth| growth.low > 0.0);
            assert!(found >= at_least, "{found} of {SERIES} at a correlation of {correlation}");
            let held =
                count_series(correlation, 0.1, |growth| growth.low <= 0.1 && 0.1 <= growth.high);
            assert!(held >= 960, "{held} of {SERIES} at a correlation of {correlation}");
        }
    }

    #[test]
    fn a_level_that_rises_and_then_stays_is_not_growing() {
        let quiet = vec![0.0; 120];
        for (name, level) in [
            ("one step", (|share| if share < 0.5 { 0.0 } else { 0.2 }) as fn(f64) -> f64),
            ("a late step", |share| if share < 0.9 { 0.0 } else { 0.2 }),
            ("a pool that fills", |share| 1.0 - (-10.0 * share).exp()),
            ("a warm-up", |share| share.min(0.15)),
            ("nothing", |_| 1.0),
        ] {
            let growth = estimate_growth(&make_course(level, &quiet), CONFIDENCE).unwrap();
            assert!(growth.low <= 0.0, "{name}: {growth:?}");
        }
        let growth = estimate_growth(&make_course(|share| share, &quiet), CONFIDENCE).unwrap();
        assert!(growth.low > 0.0 && (growth.point - 1.0).abs() < 0.03, "{growth:?}");
    }

    #[test]
    fn a_course_that_is_short_or_has_gaps_has_no_growth() {
        let course = make_course(|share| share, &[0.0; 120]);
        assert!(estimate_growth(&course, CONFIDENCE).is_some());
        let half: Vec<_> = course.iter().map(|(time, value)| (time * 0.4, *value)).collect();
        let gap: Vec<_> =
            course.iter().copied().filter(|(time, _)| !(20.0..30.0).contains(time)).collect();
        let infinite: Vec<_> = course.iter().map(|(time, _)| (*time, f64::INFINITY)).collect();
        for none in [&half[..], &gap, &infinite, &course[..40], &[]] {
            assert_eq!(estimate_growth(none, CONFIDENCE), None);
        }
    }

    #[test]
    fn the_order_of_the_points_and_the_start_of_the_clock_do_not_matter() {
        let course = make_course(|share| share, &draw_noise(120, 0.0, 1));
        let mut moved: Vec<_> =
            course.iter().map(|(time, value)| (time + 4096.0, *value)).collect();
        moved.reverse();
        let [one, other] =
            [course, moved].map(|course| estimate_growth(&course, CONFIDENCE).unwrap());
        assert!((one.point - other.point).abs() < 1e-9 && (one.low - other.low).abs() < 1e-9);
    }
}
