//! The step of a clock, found from the times that it measured.
//!
//! A coarse clock measures only multiples of its step, so its times fall on few, equally spaced
//! values, and most of them appear several times. Times of a fine clock hardly ever repeat.

/// Values that differ by less than this share are the same value, written with other rounding.
const SAME_VALUE_SHARE: f64 = 1e-9;
/// Least share of the times that must appear more than once if the clock has a visible step.
const MIN_REPEATED_SHARE: f64 = 0.5;
/// Gaps that exceed the smallest one by up to this factor are one step as well. The times of a clock
/// whose step is not a whole number of nanoseconds are cut to whole ones.
const ONE_STEP_FACTOR: f64 = 1.25;
/// Gaps of up to this number of steps show whether values are equally spaced. In longer gaps the
/// error of the step adds up.
const MAX_CHECKED_STEPS: f64 = 8.0;
/// Largest distance of a gap from a whole number of steps, in steps.
const MAX_STEP_ERROR: f64 = 0.1;
/// Least share of the gaps that must be whole numbers of steps.
const MIN_WHOLE_SHARE: f64 = 0.9;
/// Remainders of a division below this share of the smaller value are rounding errors.
const REMAINDER_SHARE: f64 = 1e-9;

/// Returns the step of the clock that measured the times `sorted`, in their unit, or `None` if they
/// do not show one.
///
/// `sorted` is in ascending order, finite and not negative. If all times are the same, the step may
/// be as large as this time, and it is returned. Returns `None` for fewer than two times.
pub(crate) fn find_clock_step(sorted: &[f64]) -> Option<f64> {
    // Plan: find the values that repeat. Three or more must be equally spaced, and a few others may
    // stray. One or two are weak evidence: one may be a single step, two have a greatest common
    // divisor, but the step is not larger than the smallest distance of any two values, whether they
    // repeat or not.
    let values = count_values(sorted);
    let repeated: Vec<f64> =
        values.iter().filter(|(_, count)| *count > 1).map(|(value, _)| *value).collect();
    let repeats: usize = values.iter().map(|(_, count)| count).filter(|count| **count > 1).sum();
    if repeats == 0 || (repeats as f64) < MIN_REPEATED_SHARE * sorted.len() as f64 {
        return None;
    }
    let gaps = values.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let step = match repeated.as_slice() {
        // Zero is a multiple of every step, so only the distance to other values shows it.
        [0.0] => gaps.fold(f64::INFINITY, f64::min),
        [only] => gaps.fold(*only, f64::min),
        [low, high] => gaps.fold(compute_common_divisor(*low, *high), f64::min),
        more => find_spacing(more)?,
    };
    (step.is_finite() && step > 0.0).then_some(step)
}

/// Returns the distinct values of `sorted` in ascending order, each with its number of times.
fn count_values(sorted: &[f64]) -> Vec<(f64, usize)> {
    let mut values: Vec<(f64, usize)> = Vec::new();
    for &time in sorted {
        match values.last_mut() {
            Some((value, count)) if time - *value <= SAME_VALUE_SHARE * time => *count += 1,
            _ => values.push((time, 1)),
        }
    }
    values
}

/// Returns the largest value of which both are multiples. `low` is at most `high`; zero is a
/// multiple of every value.
fn compute_common_divisor(low: f64, high: f64) -> f64 {
    let tolerance = REMAINDER_SHARE * if low > 0.0 { low } else { high };
    let (mut smaller, mut larger) = (low, high);
    while smaller > tolerance {
        // A remainder just below the divisor is a rounding error, too.
        let remainder = larger % smaller;
        (larger, smaller) = (smaller, remainder.min(smaller - remainder));
    }
    larger
}

/// Returns the spacing of three or more `values` in ascending order, or `None` if they are not
/// equally spaced. Values may be left out in between.
fn find_spacing(values: &[f64]) -> Option<f64> {
    let gaps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let smallest = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    let single: Vec<f64> =
        gaps.iter().copied().filter(|gap| *gap <= smallest * ONE_STEP_FACTOR).collect();
    let step = single.iter().sum::<f64>() / single.len() as f64;
    let checked = gaps.iter().map(|gap| gap / step).filter(|steps| *steps <= MAX_CHECKED_STEPS);
    let (mut count, mut whole) = (0, 0);
    for steps in checked {
        count += 1;
        whole += u32::from((steps - steps.round()).abs() <= MAX_STEP_ERROR);
    }
    (f64::from(whole) >= MIN_WHOLE_SHARE * f64::from(count)).then_some(step)
}

#[cfg(test)]
mod tests {
    use super::find_clock_step;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_pcg::Pcg64;

    /// Draws times with a mean of `mean` and a standard deviation of about `sd`.
    fn draw_times(seed: u64, count: usize, mean: f64, sd: f64) -> Vec<f64> {
        let mut random = Pcg64::seed_from_u64(seed);
        let mut draw = || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        (0..count).map(|_| mean + sd * draw()).collect()
    }

    fn sort(mut times: Vec<f64>) -> Vec<f64> {
        times.sort_by(f64::total_cmp);
        times
    }

    #[track_caller]
    fn finds(times: Vec<f64>, expected: Option<f64>) {
        let found = find_clock_step(&sort(times));
        let is_near = match (found, expected) {
            (Some(found), Some(expected)) => (found / expected - 1.0).abs() < 0.01,
            (found, expected) => found == expected,
        };
        assert!(is_near, "{found:?}, not {expected:?}");
    }

    #[test]
    fn values_that_do_not_repeat_show_that_the_clock_is_finer_than_those_that_do() {
        let mut times = vec![100_000.0; 10];
        times.extend([200_000.0; 10]);
        finds(times.clone(), Some(100_000.0));
        times.extend([100_003.0, 100_005.0, 200_004.0]);
        finds(times, Some(2.0));
    }

    #[test]
    fn times_rounded_to_a_millisecond_show_it() {
        for (mean, sd) in [(8.5e6, 1e5), (8.5e6, 2e6), (50e6, 5e6), (1e6, 1e6)] {
            let times = draw_times(1, 400, mean, sd);
            finds(times.iter().map(|time| (time.abs() / 1e6).round() * 1e6).collect(), Some(1e6));
        }
    }

    #[test]
    fn a_tick_that_is_not_a_whole_number_is_found() {
        // Apple's processors tick every 125/3 ns, and the times are cut to nanoseconds.
        let times = draw_times(2, 1000, 6000.0, 150.0);
        let tick = 125.0 / 3.0;
        finds(
            times.iter().map(|time| ((time / tick).floor() * tick).floor()).collect(),
            Some(tick),
        );
        // Windows' old timer, printed in milliseconds.
        let times = draw_times(3, 100, 100.0, 20.0);
        finds(times.iter().map(|time| (time / 15.625).floor() * 15.625).collect(), Some(15.625));
    }

    #[test]
    fn a_few_stray_times_do_not_hide_the_step() {
        let mut times: Vec<f64> =
            draw_times(4, 200, 20e6, 2e6).iter().map(|time| (time / 1e6).round() * 1e6).collect();
        times.extend([20_000_300.0, 20_000_650.0, 31_234_567.0]);
        finds(times, Some(1e6));
    }

    #[test]
    fn continuous_times_show_no_step() {
        for seed in 0..200 {
            for count in [2, 3, 5, 20, 200, 2000] {
                finds(draw_times(seed, count, 1e6, 1e4), None);
            }
        }
    }

    #[test]
    fn whole_nanoseconds_show_no_larger_step_than_one() {
        for seed in 0..200 {
            let times = draw_times(seed, 1000, 8000.0, 40.0);
            let step = find_clock_step(&sort(times.iter().map(|time| time.round()).collect()));
            assert!(step.is_none_or(|step| step <= 1.0), "{step:?}");
        }
    }

    #[test]
    fn two_values_have_the_step_that_divides_both() {
        finds([vec![8e6; 100], vec![9e6; 100]].concat(), Some(1e6));
        finds([vec![0.0; 100], vec![1e6; 100]].concat(), Some(1e6));
        finds([vec![8e6; 100], vec![11e6; 100]].concat(), Some(1e6));
        finds([vec![0.1 + 0.2; 9], vec![0.6; 9]].concat(), Some(0.3));
        finds([vec![12_345_678.0; 5], vec![13_345_679.0; 5]].concat(), Some(1.0));
    }

    #[test]
    fn equal_times_may_be_one_step() {
        finds(vec![12e6; 50], Some(12e6));
        finds([vec![12e6; 50], vec![13e6]].concat(), Some(1e6));
        finds(vec![0.0; 50], None);
        finds([vec![0.0; 50], vec![1e6, 3e6]].concat(), Some(1e6));
        finds(vec![12e6], None);
        finds(vec![], None);
    }

    #[test]
    fn constant_launches_at_uneven_levels_are_not_a_clock() {
        let levels = [1.0, 1.013, 1.031, 1.038, 1.052, 1.077];
        finds(levels.iter().flat_map(|level| [level * 1e6; 10]).collect(), None);
    }
}
