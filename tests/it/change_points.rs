//! Change points on shared series: the labelled one, and a table on cloud machines with injected steps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use perfgate::stats::changes::{LEAST_SHIFT, change_points};
use perfgate::stats::summary::median_in_place;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path)
}

#[expect(clippy::print_stderr, reason = "tables and skips are for a reader")]
fn say(line: &str) {
    eprintln!("{line}");
}

#[test]
fn labelled_series_of_other_tools_have_their_change_points() {
    let path = shared("change-points/series.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return say(&format!("skipped: there is no `{}`", path.display()));
    };
    let series: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for entry in series.as_array().expect("a list") {
        let numbers = |key: &str| -> Option<Vec<f64>> {
            entry[key].as_array()?.iter().map(serde_json::Value::as_f64).collect()
        };
        let found = change_points(&numbers("values").expect("values"), LEAST_SHIFT, 0.95);
        let found =
            found.expect("positive values").iter().map(|point| point.index as f64).collect();
        say(&format!("{}: {found:?}", entry["id"]));
        if let Some(expected) = numbers("change_points") {
            assert_eq!(Some(found), Some(expected), "{}", entry["id"]);
        }
    }
}

/// Nights within which a step counts as found.
const NEAR: usize = 3;

/// How many series each machine's history is cut into.
const PARTS: usize = 5;

/// Nights on either side whose medians the naive rule compares.
const NAIVE_WINDOW: usize = 7;

/// Difference of medians from which the naive rule reports a change: below the steps that it must find.
const NAIVE_LIMIT: f64 = 0.04;

#[derive(Default)]
struct Score {
    nights: usize,
    steps: usize,
    found: usize,
    reported: usize,
}

impl Score {
    fn add(&mut self, found: &[usize], steps: &[usize], nights: usize) {
        let is_found = |step: &&usize| found.iter().any(|index| index.abs_diff(**step) <= NEAR);
        self.nights += nights;
        self.steps += steps.len();
        self.found += steps.iter().filter(is_found).count();
        self.reported += found.len();
    }

    fn line(&self, name: &str) -> String {
        let missed = self.reported - self.found.min(self.reported);
        format!(
            "{name:36} {:>22} {:>22} {:>8.2}",
            share(self.found, self.steps),
            share(self.found, self.reported),
            100.0 * missed as f64 / self.nights as f64,
        )
    }
}

/// A share in percent with Wilson's interval at 95 %.
fn share(part: usize, whole: usize) -> String {
    const Z: f64 = 1.959_964;
    if whole == 0 {
        return "–".to_owned();
    }
    let (n, p) = (whole as f64, part as f64 / whole as f64);
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    format!("{:.1} [{:.1}, {:.1}]", 100.0 * p, 100.0 * (centre - half), 100.0 * (centre + half))
}

/// Where medians of the nights before and after differ by more than the limit, most in their surroundings.
fn naive(values: &[f64]) -> Vec<usize> {
    let median =
        |nights: &[f64]| median_in_place(&mut nights.to_vec()).expect("a window of nights");
    let rise = |at: usize| {
        let (before, after) = (&values[at - NAIVE_WINDOW..at], &values[at..at + NAIVE_WINDOW]);
        (median(after) / median(before)).ln().abs()
    };
    let places = NAIVE_WINDOW..=values.len() - NAIVE_WINDOW;
    let rises: Vec<(usize, f64)> = places.map(|at| (at, rise(at))).collect();
    let is_peak = |place: usize| {
        let around = place.saturating_sub(NAIVE_WINDOW)..rises.len().min(place + NAIVE_WINDOW + 1);
        let (_, rise) = rises[place];
        rise > NAIVE_LIMIT.ln_1p()
            && rises[around]
                .iter()
                .all(|(at, other)| *other < rise || (*other <= rise && *at >= rises[place].0))
    };
    (0..rises.len()).filter(|place| is_peak(*place)).map(|place| rises[place].0).collect()
}

fn with_pelt(values: &[f64]) -> Vec<usize> {
    let found = change_points(values, LEAST_SHIFT, 0.95).expect("positive values");
    found.iter().map(|point| point.index).collect()
}

/// Scores one rule on every series with these steps injected, each in a stretch of its own.
fn score(series: &[Vec<f64>], steps: &[f64], rule: fn(&[f64]) -> Vec<usize>) -> Score {
    let (mut score, mut random) = (Score::default(), Pcg64::seed_from_u64(1));
    for values in series {
        let mut values = values.clone();
        let stretch = values.len() / (steps.len() + 2);
        let mut places = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let from = stretch / 2 + stretch * number + stretch / 2;
            let place = random.random_range(from..from + stretch / 2);
            values[place..].iter_mut().for_each(|value| *value *= step);
            places.push(place);
        }
        score.add(&rule(&values), &places, values.len());
    }
    score
}

#[test]
#[ignore = "prints a table: cargo test --test it injected_steps -- --ignored --nocapture"]
fn injected_steps_on_long_lived_cloud_machines() {
    let folder = shared("azure-vm-noise");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return say(&format!("skipped: there is no `{}`", folder.display()));
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.to_string_lossy().contains("__long"));
    files.sort();
    let series: Vec<Vec<f64>> =
        files.iter().flat_map(|file| nightly(file)).flat_map(|history| cut(&history)).collect();
    say(&format!("{} series of {} files, found within {NEAR} nights", series.len(), files.len()));
    say(&format!("{:36} {:>22} {:>22} {:>8}", "", "recall %", "precision %", "false/100"));
    let cases: [(&str, &[f64]); 5] = [
        ("no step", &[]),
        ("+2 %", &[1.02]),
        ("+5 %", &[1.05]),
        ("−5 %", &[0.95]),
        ("+5 % twice", &[1.05, 1.05]),
    ];
    let rules: [(&str, fn(&[f64]) -> Vec<usize>); 2] =
        [("perfgate", with_pelt), ("difference of medians", naive)];
    for (case, steps) in cases {
        for (name, rule) in rules {
            say(&score(&series, steps, rule).line(&format!("{case}, {name}")));
        }
    }
}

/// The median of each day of each machine in a file of `VM_id,t_min,value`.
fn nightly(file: &Path) -> Vec<Vec<f64>> {
    let output = Command::new("gzip").arg("-dc").arg(file).output().expect("gzip is there");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut machines: BTreeMap<&str, BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let day = fields[1].parse::<u64>().expect("minutes") / (24 * 60);
        let value = fields[2].parse().expect("a number");
        machines.entry(fields[0]).or_default().entry(day).or_default().push(value);
    }
    let median = |day: &mut Vec<f64>| median_in_place(day).expect("a value a day");
    machines.into_values().map(|mut days| days.values_mut().map(median).collect()).collect()
}

fn cut(history: &[f64]) -> Vec<Vec<f64>> {
    history.chunks_exact((history.len() / PARTS).max(1)).take(PARTS).map(<[f64]>::to_vec).collect()
}

#[test]
#[ignore = "prints the cost: cargo test --test it cost_of -- --ignored --nocapture"]
fn cost_of_fifty_long_histories() {
    let mut random = Pcg64::seed_from_u64(1);
    let series: Vec<Vec<f64>> = (0..50)
        .map(|_| (0..2000).map(|_| 100.0 + random.random_range(-1.0..1.0)).collect())
        .collect();
    let started = std::time::Instant::now();
    let found: usize = series
        .iter()
        .map(|values| change_points(values, LEAST_SHIFT, 0.95).expect("positive values").len())
        .sum();
    say(&format!("50 series of 2,000 values: {:?}, {found} change points", started.elapsed()));
}
