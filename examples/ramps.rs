//! Prints how often a ramp is found as one drift, how often the interval of its slope holds the true
//! slope, and how often noise alone passes for a drift: the tables of
//! `docs/error-rates/drifts.md`. Every number is drawn from a seed.
//!
//! ```sh
//! cargo run --release --features internals --example ramps
//! ```
#![expect(clippy::print_stdout, reason = "the tables are the purpose of the program")]

use perfgate::internals::{
    LEAST_SHIFT, compute_binomial_interval, locate_change_points, locate_drifts,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

/// Number of series in each row.
const SERIES: usize = 1000;

/// Confidence of the intervals in the tables.
const CONFIDENCE: f64 = 0.95;

/// First-order autocorrelated noise.
#[derive(Clone, Copy)]
struct Noise {
    /// Autocorrelation of neighbours. One is a random walk.
    correlation: f64,
    /// Standard deviation; of a step for a random walk.
    deviation: f64,
}

impl Noise {
    fn draw(self, count: usize, random: &mut Pcg64) -> Vec<f64> {
        let innovation = match self.correlation {
            one if one >= 1.0 => self.deviation,
            below => self.deviation * (1.0 - below * below).sqrt(),
        };
        let mut value =
            if self.correlation < 1.0 { self.deviation * draw_normal(random) } else { 0.0 };
        let values = (0..count).map(|_| {
            value = self.correlation * value + innovation * draw_normal(random);
            value
        });
        values.collect()
    }
}

/// Returns a standard normal random number (Box and Muller).
fn draw_normal(random: &mut Pcg64) -> f64 {
    let (first, second): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    (-2.0 * first.ln()).sqrt() * (std::f64::consts::TAU * second).cos()
}

/// A level that rises from value to value, after `flat` values without a rise.
struct Ramp {
    flat: usize,
    rising: usize,
    rise: f64,
}

impl Ramp {
    fn count(&self) -> usize {
        self.flat + self.rising
    }

    fn values(&self, noise: &[f64]) -> Vec<f64> {
        let rises = (0..self.count()).map(|at| at.saturating_sub(self.flat) as f64);
        rises.zip(noise).map(|(at, noise)| (self.rise.ln_1p() * at + noise).exp()).collect()
    }
}

fn show_share(part: usize, whole: usize) -> String {
    let (low, high) = compute_binomial_interval(part as u64, whole as u64, CONFIDENCE);
    let percent = 100.0 * part as f64 / whole as f64;
    format!("{percent:.1} ({:.1}–{:.1})", 100.0 * low, 100.0 * high)
}

fn print_ramps() {
    println!(
        "| rise per run | runs | noise | autocorrelation | one drift, no step % | slope in its interval % |"
    );
    println!("|---|---|---|---|---|---|");
    let ramps = [
        Ramp { flat: 0, rising: 80, rise: 0.002 },
        Ramp { flat: 0, rising: 80, rise: 0.004 },
        Ramp { flat: 40, rising: 40, rise: 0.004 },
        Ramp { flat: 0, rising: 40, rise: 0.01 },
        Ramp { flat: 0, rising: 20, rise: 0.01 },
        Ramp { flat: 0, rising: 40, rise: 0.05 },
    ];
    for ramp in ramps {
        for (deviation, correlation) in [(0.0, 0.0), (0.003, 0.0), (0.01, 0.0), (0.01, 0.5)] {
            let (mut found, mut held, mut drifting) = (0, 0, 0);
            for seed in 0..SERIES {
                let mut random = Pcg64::seed_from_u64(seed as u64);
                let noise = Noise { correlation, deviation }.draw(ramp.count(), &mut random);
                let values = ramp.values(&noise);
                let drifts = locate_drifts(&values, LEAST_SHIFT, CONFIDENCE).expect("positive");
                let steps =
                    locate_change_points(&values, LEAST_SHIFT, CONFIDENCE).expect("positive");
                found += usize::from(drifts.len() == 1 && steps.is_empty());
                let Some((_, [low, _, high])) = drifts.first() else { continue };
                drifting += 1;
                held += usize::from((*low..=*high).contains(&(1.0 + ramp.rise)));
            }
            let runs = match ramp.flat {
                0 => ramp.rising.to_string(),
                flat => format!("{} after {flat} flat", ramp.rising),
            };
            println!(
                "| {:+.1} % | {runs} | {:.1} % | {correlation} | {} | {} |",
                100.0 * ramp.rise,
                100.0 * deviation,
                show_share(found, SERIES),
                show_share(held, drifting),
            );
        }
    }
}

fn print_noise() {
    println!("| noise | autocorrelation | runs | drifting % | with a change point % |");
    println!("|---|---|---|---|---|");
    for correlation in [0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0] {
        let is_walk = correlation >= 1.0;
        let deviation = if is_walk { 0.01 } else { 0.02 };
        for count in [40, 80, 200] {
            let (mut drifting, mut stepping) = (0, 0);
            for seed in 0..SERIES {
                let mut random = Pcg64::seed_from_u64(seed as u64);
                let noise = Noise { correlation, deviation }.draw(count, &mut random);
                let values: Vec<f64> = noise.iter().map(|noise| noise.exp()).collect();
                let drifts = locate_drifts(&values, LEAST_SHIFT, CONFIDENCE).expect("positive");
                let steps =
                    locate_change_points(&values, LEAST_SHIFT, CONFIDENCE).expect("positive");
                drifting += usize::from(!drifts.is_empty());
                stepping += usize::from(!steps.is_empty());
            }
            let unit = if is_walk { " per run" } else { "" };
            println!(
                "| {:.0} %{unit} | {correlation} | {count} | {} | {} |",
                100.0 * deviation,
                show_share(drifting, SERIES),
                show_share(stepping, SERIES),
            );
        }
    }
}

/// Prints both tables.
fn main() {
    println!("\nramps\n");
    print_ramps();
    println!("\nnoise without a ramp\n");
    print_noise();
}
