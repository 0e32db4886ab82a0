//! Ramps, steps and noise from seeds.

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::{TrendChanges, find_trend_changes, fit_slope};
use crate::stats::change_points::MIN_SHIFT;

/// Number of seeds that each claim about noise is tried with.
const SEEDS: u64 = 40;

fn find(logs: impl IntoIterator<Item = f64>) -> TrendChanges {
    let values: Vec<f64> = logs.into_iter().map(|log| 100.0 * log.exp()).collect();
    find_trend_changes(&values, MIN_SHIFT, 0.95).expect("positive values")
}

/// Returns first-order autocorrelated noise with mean zero.
fn noise(count: usize, correlation: f64, deviation: f64, seed: u64) -> Vec<f64> {
    let mut random = Pcg64::seed_from_u64(seed);
    let mut draw = || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    let innovation = deviation * (1.0 - correlation * correlation).sqrt();
    let mut value = deviation * draw();
    let values = (0..count).map(|_| {
        value = correlation * value + innovation * draw();
        value
    });
    values.collect()
}

/// Returns a level plus noise: the logarithm at each place, and independent noise.
fn noisy(count: usize, deviation: f64, seed: u64, level: impl Fn(usize) -> f64) -> Vec<f64> {
    let noise = noise(count, 0.0, deviation, seed);
    noise.into_iter().enumerate().map(|(place, noise)| level(place) + noise).collect()
}

#[track_caller]
fn is_one_drift(logs: Vec<f64>, what: &str) -> super::LevelDrift {
    let found = find(logs);
    assert!(found.steps.is_empty() && found.drifts.len() == 1, "{what}: {found:?}");
    found.drifts[0]
}

#[test]
fn a_ramp_is_one_drift_and_neither_nothing_nor_ten_steps() {
    for (rise, count) in [(0.002_f64, 80), (0.004, 80), (0.004, 40), (0.01, 40), (0.05, 40)] {
        for deviation in [0.0, 0.003, 0.01] {
            for seed in 0..if deviation > 0.0 { SEEDS } else { 1 } {
                let what = format!("{rise} over {count}, noise {deviation}, seed {seed}");
                let compound = noisy(count, deviation, seed, |place| rise.ln_1p() * place as f64);
                let drift = is_one_drift(compound, &what);
                assert_eq!((drift.start, drift.end), (0, count), "{what}");
                assert!((drift.ratio - 1.0 - rise).abs() < 0.0015, "{what}: {drift:?}");
            }
            // The same rise in nanoseconds, which is a curve on the log scale.
            let what = format!("{rise} of the first value over {count}, noise {deviation}");
            let linear = noisy(count, deviation, 1, |place| (rise * place as f64).ln_1p());
            let drift = is_one_drift(linear, &what);
            let total = 1.0 + rise * (count - 1) as f64;
            assert!((drift.total_ratio() / total).ln().abs() < 0.1, "{what}: {drift:?}");
        }
    }
}

#[test]
fn a_drift_begins_where_the_level_begins_to_move() {
    for seed in 0..SEEDS {
        let up = noisy(80, 0.003, seed, |place| 0.004 * place.saturating_sub(40) as f64);
        let drift = is_one_drift(up, "flat, then up");
        assert!(drift.start.abs_diff(40) <= 4 && drift.end == 80, "{drift:?}");
        let down = noisy(80, 0.003, seed, |place| -0.004 * place.min(40) as f64);
        let drift = is_one_drift(down, "down, then flat");
        assert!(drift.start == 0 && drift.end.abs_diff(41) <= 4, "{drift:?}");
        assert!(drift.interval.1 < 1.0, "{drift:?}");
    }
}

#[test]
fn a_series_with_steps_only_keeps_its_steps() {
    let one_step = |place: usize| if place >= 30 { 0.05 } else { 0.0 };
    let there_and_back = |place: usize| if (20..50).contains(&place) { 0.1 } else { 0.0 };
    let stairs = |place: usize| 0.04 * (place / 16) as f64;
    for seed in 0..SEEDS {
        let found = [
            find(noisy(80, 0.01, seed, one_step)),
            find(noisy(80, 0.01, seed, there_and_back)),
            find(noisy(80, 0.003, seed, stairs)),
        ];
        let places = found.map(|found| {
            assert!(found.drifts.is_empty(), "seed {seed}: {found:?}");
            found.steps.iter().map(|step| step.index).collect::<Vec<_>>()
        });
        assert!(places[0].len() == 1 && places[0][0].abs_diff(30) <= 1, "{places:?}");
        assert_eq!(places[1], [20, 50]);
        assert_eq!(places[2], [16, 32, 48, 64]);
    }
}

#[test]
fn a_jump_in_a_drift_is_a_step_beside_it() {
    for seed in 0..SEEDS {
        let jump = |place: usize| if place >= 40 { 0.1 } else { 0.0 };
        let found = find(noisy(80, 0.003, seed, |place| 0.004 * place as f64 + jump(place)));
        let places: Vec<usize> = found.steps.iter().map(|step| step.index).collect();
        assert_eq!((places, found.drifts.len()), (vec![40], 1), "seed {seed}");
        assert!((found.drifts[0].ratio.ln() - 0.004).abs() < 0.0005, "{found:?}");
    }
}

#[test]
fn noise_that_wanders_does_not_drift() {
    for correlation in [0.0, 0.5, 0.7, 0.9] {
        let drifting = |seed: &u64| !find(noise(80, correlation, 0.02, *seed)).drifts.is_empty();
        let count = (0..SEEDS).filter(drifting).count();
        assert!(count <= 1, "{count} of {SEEDS} at {correlation}");
    }
}

#[test]
fn the_interval_holds_the_slope_although_the_noise_is_autocorrelated() {
    let held = |seed: &u64| {
        let ramp = noise(80, 0.5, 0.005, *seed);
        let ramp = ramp.iter().enumerate().map(|(place, noise)| 0.004 * place as f64 + noise);
        let (low, high) = find(ramp).drifts[0].interval;
        low.ln() <= 0.004 && 0.004 <= high.ln()
    };
    let count = (0..SEEDS).filter(held).count();
    // Of 40 honest 95 % intervals, fewer than 34 hold the slope in one case of 2,000.
    assert!(count >= 34, "{count} of {SEEDS}");
}

#[test]
fn the_slope_of_a_walk_is_the_mean_of_its_steps() {
    // Long stretches on either side of the line leave no doubt that neighbours are alike.
    let values: Vec<f64> = (0..40).map(|place| f64::from(place - 20).abs()).collect();
    let test = fit_slope(&values);
    assert!((test.difference - (19.0 - 20.0) / 39.0).abs() < 1e-12, "{test:?}");
    // Steps of 1 and −1 have a standard deviation of one, so that 39 of them have this error.
    assert!((test.standard_error - 1.0 / 39_f64.sqrt()).abs() < 0.005, "{test:?}");
}

#[test]
fn what_cannot_be_a_duration_is_refused_and_too_little_is_no_drift() {
    assert!(find_trend_changes(&[1.0, 0.0, 1.0], MIN_SHIFT, 0.95).is_err());
    assert!(find_trend_changes(&[1.0, f64::NAN], MIN_SHIFT, 0.95).is_err());
    let found = find((0..9).map(|place| 0.05 * f64::from(place)));
    assert!(found.drifts.is_empty(), "{found:?}");
    assert_eq!(find([]), TrendChanges::default());
}
