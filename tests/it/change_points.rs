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

#[derive(Default)]
struct Score {
    series: usize,
    nights: usize,
    found: usize,
    reported: usize,
    off: usize,
}

impl Score {
    fn add(&mut self, found: &[usize], step: Option<usize>, nights: usize) {
        let near = |index: &&usize| step.is_some_and(|step| index.abs_diff(step) <= NEAR);
        let hit = found.iter().find(near);
        self.series += 1;
        self.nights += nights;
        self.reported += found.len();
        self.found += usize::from(hit.is_some());
        self.off += hit.map_or(0, |index| index.abs_diff(step.unwrap_or(0)));
    }

    fn line(&self, name: &str) -> String {
        let false_points = self.reported - self.found;
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        format!(
            "{name:24} {:6} {:7} {:7.1} {:9.1} {:12.3} {:9.2}",
            self.series,
            self.nights,
            share(self.found, self.series),
            share(self.found, self.reported),
            share(false_points, self.nights),
            self.off as f64 / self.found.max(1) as f64,
        )
    }
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
    say("                         series  nights  recall  precision  false per 100  nights off");
    for step in [1.0, 1.02, 1.03, 1.05, 1.10] {
        let (mut score, mut random) = (Score::default(), Pcg64::seed_from_u64(1));
        for values in &series {
            let third = values.len() / 3;
            let place = random.random_range(third..2 * third);
            let mut values = values.clone();
            values[place..].iter_mut().for_each(|value| *value *= step);
            let found = change_points(&values, LEAST_SHIFT, 0.95).expect("positive values");
            let found: Vec<usize> = found.iter().map(|point| point.index).collect();
            score.add(&found, (step > 1.0).then_some(place), values.len());
        }
        say(&score.line(&format!("step {:+.0} %", 100.0 * (step - 1.0))));
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
