//! Prints how many steps are found that are injected into the histories of cloud machines, and how
//! many change points and drifts are false: the tables of `docs/error-rates/change-points.md`.
//!
//! ```sh
//! cargo run --release --features internals --example injected_steps -- FOLDER
//! ```
//!
//! `FOLDER` has the recordings: gzip files `WORKLOAD__long….csv.gz` of `VM_id,t_min,value`.
#![expect(clippy::print_stdout, reason = "the tables are the purpose of the program")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use perfgate::internals::{
    LEAST_SHIFT, compute_binomial_interval, locate_change_points, locate_drifts,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

/// Maximum distance in nights at which a step counts as found.
const NEAR: usize = 3;

/// Number of series into which each machine's history is cut.
const PARTS: usize = 5;

/// Number of nights on each side whose medians the naive rule compares.
const NAIVE_WINDOW: usize = 7;

/// Number of times the places of the steps are drawn in each series.
const DRAWS: usize = 20;

/// Confidence of the intervals in the table.
const CONFIDENCE: f64 = 0.95;

/// A part of the history of an unchanged machine.
struct Series {
    workload: String,
    values: Vec<f64>,
}

/// Steps to inject into a series.
struct Case {
    name: &'static str,
    steps: &'static [f64],
    /// Position of the step in nights before the end; `None` if the position is drawn at random.
    before_end: Option<usize>,
}

const CASES: [Case; 6] = [
    Case { name: "none", steps: &[], before_end: None },
    Case { name: "+2 %", steps: &[1.02], before_end: None },
    Case { name: "+5 %", steps: &[1.05], before_end: None },
    Case { name: "−5 %", steps: &[0.95], before_end: None },
    Case { name: "+5 % twice", steps: &[1.05, 1.05], before_end: None },
    Case { name: "+5 %, five nights ago", steps: &[1.05], before_end: Some(5) },
];

/// Rule that finds the change points in the table.
#[derive(Clone, Copy)]
enum Rule {
    /// perfgate, which merges shifts below this share.
    Perfgate(f64),
    /// Medians of the nights before and after that differ by more than this share.
    Naive(f64),
}

const RULES: [Rule; 4] = [
    Rule::Perfgate(LEAST_SHIFT),
    Rule::Perfgate(0.03),
    Rule::Naive(LEAST_SHIFT),
    Rule::Naive(0.04),
];

impl Rule {
    fn name(self) -> String {
        match self {
            Self::Perfgate(least) => format!("perfgate, from {:.0} %", 100.0 * least),
            Self::Naive(limit) => format!("difference of medians above {:.0} %", 100.0 * limit),
        }
    }

    fn found(self, values: &[f64]) -> Vec<usize> {
        match self {
            Self::Perfgate(least) => {
                locate_change_points(values, least, CONFIDENCE).expect("positive values")
            }
            Self::Naive(limit) => naive(values, limit),
        }
    }

    /// Returns whether the rule reports a drift. The simple rule knows none.
    fn is_drifting(self, values: &[f64]) -> bool {
        match self {
            Self::Perfgate(least) => {
                !locate_drifts(values, least, CONFIDENCE).expect("positive values").is_empty()
            }
            Self::Naive(_) => false,
        }
    }
}

#[derive(Default)]
struct Score {
    series: usize,
    nights: usize,
    steps: usize,
    found: usize,
    reported: usize,
    drifting: usize,
}

impl Score {
    fn add(&mut self, found: &[usize], is_drifting: bool, steps: &[usize], nights: usize) {
        let is_found = |step: &&usize| found.iter().any(|index| index.abs_diff(**step) <= NEAR);
        self.series += 1;
        self.nights += nights;
        self.steps += steps.len();
        self.found += steps.iter().filter(is_found).count();
        self.reported += found.len();
        self.drifting += usize::from(is_drifting);
    }

    fn cells(&self) -> String {
        let missed = self.reported - self.found.min(self.reported);
        format!(
            "{} | {} | {} | {} | {}",
            self.series / DRAWS,
            share(self.found, self.steps, 1),
            share(self.found.min(self.reported), self.reported, 1),
            share(missed, self.nights, 2),
            share(self.drifting, self.series, 1),
        )
    }
}

/// Formats a share in percent with its Clopper-Pearson interval. Repeated draws in the same series
/// are not additional evidence, so that the interval is that of a single draw.
fn share(part: usize, whole: usize, digits: usize) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let once = |count: usize| ((count + DRAWS / 2) / DRAWS) as u64;
    let percent = 100.0 * part as f64 / whole as f64;
    if once(whole) == 0 {
        return format!("{percent:.digits$}");
    }
    let (low, high) = compute_binomial_interval(once(part), once(whole), CONFIDENCE);
    format!("{percent:.digits$} ({:.digits$}–{:.digits$})", 100.0 * low, 100.0 * high)
}

/// Returns the places where the medians of the nights before and after differ by more than the
/// limit and more than at the places around.
fn naive(values: &[f64], limit: f64) -> Vec<usize> {
    let median = |nights: &[f64]| compute_median(nights.to_vec());
    let rise = |at: usize| {
        let (before, after) = (&values[at - NAIVE_WINDOW..at], &values[at..at + NAIVE_WINDOW]);
        (median(after) / median(before)).ln().abs()
    };
    let places = NAIVE_WINDOW..=values.len() - NAIVE_WINDOW;
    let rises: Vec<(usize, f64)> = places.map(|at| (at, rise(at))).collect();
    let is_peak = |place: usize| {
        let around = place.saturating_sub(NAIVE_WINDOW)..rises.len().min(place + NAIVE_WINDOW + 1);
        let (_, rise) = rises[place];
        rise > limit.ln_1p()
            && rises[around]
                .iter()
                .all(|(at, other)| *other < rise || (*other <= rise && *at >= rises[place].0))
    };
    (0..rises.len()).filter(|place| is_peak(*place)).map(|place| rises[place].0).collect()
}

impl Case {
    /// Returns the series with the steps injected, each in its own part of the series, and their
    /// places.
    fn inject(&self, values: &[f64], random: &mut Pcg64) -> (Vec<f64>, Vec<usize>) {
        let mut values = values.to_vec();
        let stretch = values.len() / (self.steps.len() + 2);
        let mut places = Vec::new();
        for (number, step) in self.steps.iter().enumerate() {
            let from = stretch / 2 + stretch * number + stretch / 2;
            let drawn = random.random_range(from..from + stretch / 2);
            let place = self.before_end.map_or(drawn, |nights| values.len() - nights);
            values[place..].iter_mut().for_each(|value| *value *= step);
            places.push(place);
        }
        (values, places)
    }

    /// Scores one rule on every series, by workload; the total over all workloads comes last.
    fn scores(&self, series: &[Series], rule: Rule) -> BTreeMap<String, Score> {
        let mut scores: BTreeMap<String, Score> = BTreeMap::new();
        for draw in 0..DRAWS {
            let mut random = Pcg64::seed_from_u64(1 + draw as u64);
            for one in series {
                let (values, places) = self.inject(&one.values, &mut random);
                let found = rule.found(&values);
                let is_drifting = rule.is_drifting(&values);
                for name in [one.workload.as_str(), "~all"] {
                    let score = scores.entry(name.to_owned()).or_default();
                    score.add(&found, is_drifting, &places, values.len());
                }
            }
        }
        scores
    }
}

/// Prints the tables of the recordings in the folder that the command line names.
fn main() {
    let folder = std::env::args_os().nth(1).expect("the folder of the recordings is an argument");
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.to_string_lossy().contains("__long"));
    files.sort();
    let series: Vec<Series> = files.iter().flat_map(|file| cut(file)).collect();
    for (title, by_workload) in [("all series", false), ("by workload", true)] {
        println!("\n{title}, a step counts as found within {NEAR} nights\n");
        println!(
            "| step | rule | workload | series | recall % | precision % | false per 100 nights | drifting % |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        for case in &CASES {
            for rule in if by_workload { &RULES[..1] } else { &RULES[..] } {
                for (workload, score) in case.scores(&series, *rule) {
                    if by_workload != workload.starts_with('~') {
                        let (rule, workload) = (rule.name(), workload.trim_start_matches('~'));
                        println!("| {} | {rule} | {workload} | {} |", case.name, score.cells());
                    }
                }
            }
        }
    }
}

/// Reads a file of `VM_id,t_min,value` and returns the daily medians of each machine, cut into
/// equal parts.
fn cut(file: &Path) -> Vec<Series> {
    let output = Command::new("gzip").arg("-dc").arg(file).output().expect("gzip is there");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut machines: BTreeMap<&str, BTreeMap<u64, Vec<f64>>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let day = fields[1].parse::<u64>().expect("minutes") / (24 * 60);
        let value = fields[2].parse().expect("a number");
        machines.entry(fields[0]).or_default().entry(day).or_default().push(value);
    }
    let name = file.file_name().expect("a file").to_string_lossy();
    let workload = name.split("__").next().expect("a first part").to_owned();
    let histories =
        machines.into_values().map(|days| days.into_values().map(compute_median).collect());
    let parts = |history: Vec<f64>| -> Vec<Series> {
        let length = (history.len() / PARTS).max(1);
        let parts = history.chunks_exact(length).take(PARTS);
        parts.map(|p| Series { workload: workload.clone(), values: p.to_vec() }).collect()
    };
    histories.flat_map(parts).collect()
}

/// Returns the median of at least one value.
fn compute_median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}
