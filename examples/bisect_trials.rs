//! Prints how often `perfgate bisect` names the right commit of simulated histories, and how many
//! launches it takes, or the same of plain halving with the decision of `perfgate check`: the tables
//! of `docs/bisect.md`.
//!
//! ```sh
//! cargo run --release --features internals --example bisect_trials -- search 200
//! cargo run --release --features internals --example bisect_trials -- halving 50
//! ```
#![expect(clippy::print_stdout, reason = "the tables are the purpose of the program")]

use std::ops::RangeInclusive;

use perfgate::internals::{ChangeSearch, ParsedRun};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;
use serde_json::{Value, json};

/// Number of commits after the good one.
const COMMITS: usize = 32;
/// Number of trials per row, if the command line names none.
const TRIALS: u64 = 100;
/// Largest number of rounds of one check in plain halving.
const HALVING_ROUNDS: usize = 20;
/// Largest number of rounds of a search.
const SEARCH_ROUNDS: usize = 2000;
/// Standard deviation of the offset of each build, as a log ratio.
const BUILD_SPREAD: f64 = 0.002;
/// Share of rounds with a burst, and its largest size, in histories with bursts.
const BURSTS: (f64, f64) = (0.1, 0.3);
/// Distances of a slowdown and its repair in commits.
const REPAIR_DISTANCES: RangeInclusive<usize> = 9..=20;
/// Nanoseconds of the good commit. Only ratios count.
const NANOS: f64 = 1e6;

/// What changes in a history.
#[derive(Clone, Copy)]
enum Change {
    Step(f64),
    Nothing,
    Repaired(f64),
}

const CHANGES: [(&str, Change); 4] = [
    ("+10 %", Change::Step(1.1)),
    ("+5 %", Change::Step(1.05)),
    ("nothing", Change::Nothing),
    ("+10 %, repaired", Change::Repaired(1.1)),
];

/// Noise of a round: name, standard deviation of the log ratio, and whether there are bursts.
const NOISES: [(&str, f64, bool); 4] = [
    ("1 %", 0.01, false),
    ("2 %", 0.02, false),
    ("3 %", 0.03, false),
    ("1 % and bursts in a tenth", 0.01, true),
];

/// A simulated history.
struct History {
    levels: Vec<f64>,
    /// The commits that change something.
    places: Vec<usize>,
    noise: f64,
    has_bursts: bool,
    random: Pcg64,
}

impl History {
    fn draw(change: Change, noise: f64, has_bursts: bool, seed: u64) -> Self {
        let mut random = Pcg64::seed_from_u64(seed);
        let steps: Vec<(usize, f64)> = match change {
            Change::Nothing => Vec::new(),
            Change::Step(ratio) => vec![(random.random_range(1..=COMMITS), ratio.ln())],
            Change::Repaired(ratio) => {
                let distance = random.random_range(REPAIR_DISTANCES);
                let first = random.random_range(1..=COMMITS - distance);
                vec![(first, ratio.ln()), (first + distance, -ratio.ln())]
            }
        };
        let mut levels: Vec<f64> =
            (0..=COMMITS).map(|_| BUILD_SPREAD * draw_normal(&mut random)).collect();
        for (place, step) in &steps {
            for level in &mut levels[*place..] {
                *level += step;
            }
        }
        let places = steps.iter().map(|(place, _)| *place).collect();
        Self { levels, places, noise, has_bursts, random }
    }

    /// Returns the log times of the good commit and of `commit` in a new round.
    fn measure(&mut self, commit: usize) -> [f64; 2] {
        // Half of the variance of a round comes from either side.
        let launch = self.noise / f64::sqrt(2.0);
        let mut sides = [self.levels[0], self.levels[commit]];
        for side in &mut sides {
            *side += launch * draw_normal(&mut self.random);
            if self.has_bursts && self.random.random::<f64>() < BURSTS.0 / 2.0 {
                *side += BURSTS.1 * self.random.random::<f64>();
            }
        }
        sides
    }
}

/// Draws a standard normal number.
fn draw_normal(random: &mut Pcg64) -> f64 {
    let (one, other): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * other).cos()
}

/// What a search names, with how sure it is, and what that cost.
struct Answer {
    /// The named commits; `None` for a change that is not narrowed to one commit.
    places: Vec<Option<usize>>,
    probability: f64,
    rounds: usize,
    builds: usize,
}

fn search(history: &mut History) -> Answer {
    let mut search = ChangeSearch::new(COMMITS);
    let (mut rounds, mut builds, mut built) = (0, 0, None);
    while let Some(commit) = search.next_commit(built).filter(|_| rounds < SEARCH_ROUNDS) {
        builds += usize::from(built != Some(commit));
        built = Some(commit);
        let [good, other] = history.measure(commit);
        search.add_round(commit, other - good);
        rounds += 1;
    }
    let suspects = search.list_suspects();
    let places = suspects.iter().map(|(first, last, _)| (first == last).then_some(*first));
    // An empty product is one: what is stated about a history without a named change is elsewhere.
    let probability = suspects.iter().map(|(_, _, probability)| probability).product();
    Answer { places: places.collect(), probability, rounds, builds }
}

/// Halves the history, with one check of at most [`HALVING_ROUNDS`] rounds per step.
fn halve(history: &mut History) -> Answer {
    let (mut rounds, mut builds) = (0, 0);
    let mut regressed = |commit: usize| {
        builds += 1;
        let mut sides = [Vec::new(), Vec::new()];
        for round in 0..HALVING_ROUNDS {
            let times = history.measure(commit);
            sides.iter_mut().zip(times).for_each(|(side, log)| side.push(NANOS * log.exp()));
            rounds += 1;
            let change = judge(&sides);
            if round > 1 && change != "inconclusive" {
                return change == "regressed";
            }
        }
        false
    };
    let mut places = Vec::new();
    if regressed(COMMITS) {
        let (mut good, mut bad) = (0, COMMITS);
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            if regressed(middle) { bad = middle } else { good = middle }
        }
        places.push(Some(bad));
    }
    Answer { places, probability: 1.0, rounds, builds }
}

/// Returns what `check` concludes from launches with these medians.
fn judge(sides: &[Vec<f64>; 2]) -> &'static str {
    let [baseline, candidate] = sides.each_ref().map(|side| {
        let launches: Vec<Value> = side
            .iter()
            .enumerate()
            .map(|(round, ns)| {
                let samples = [ns * 0.999_987, *ns, ns * 1.000_013_7];
                json!({ "round": round, "session": "s", "samples": samples })
            })
            .collect();
        let host = json!({ "fingerprint": "f", "cpu_model": "c", "cores": 1, "memory_bytes": 1,
                           "os": "o", "kernel": "k" });
        let run = json!({
            "schema": "perfgate.run/2", "created": "2026-11-22T00:00:00Z", "source": "command",
            "host": host,
            "benchmarks": [{ "id": "a", "sampling": "call", "launches": launches }],
        });
        ParsedRun::parse(run.to_string().as_bytes()).expect("a made run is valid")
    });
    candidate.decide_in_rounds(&baseline).list_changes()[0]
}

/// Counts of one row.
#[derive(Default)]
struct Tally {
    right: usize,
    stated: f64,
    rounds: usize,
    builds: usize,
}

impl Tally {
    fn add(&mut self, answer: &Answer, history: &History) {
        let expected: Vec<Option<usize>> = history.places.iter().copied().map(Some).collect();
        self.right += usize::from(answer.places == expected);
        self.stated += answer.probability;
        self.rounds += answer.rounds;
        self.builds += answer.builds;
    }

    fn format(&self, trials: u64) -> String {
        let share = |count: usize| count as f64 / trials as f64;
        format!(
            "{:.1} | {:.1} | {:.1} | {:.1}",
            100.0 * share(self.right),
            2.0 * share(self.rounds),
            share(self.builds),
            100.0 * self.stated / trials as f64
        )
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let method = words.next().unwrap_or_default();
    let find: fn(&mut History) -> Answer = match method.as_str() {
        "search" => search,
        "halving" => halve,
        _ => return println!("usage: bisect_trials search|halving TRIALS"),
    };
    let trials = words.next().map_or(TRIALS, |text| text.parse().expect("a number of trials"));
    println!("{method}, {trials} trials per row, {COMMITS} commits\n");
    println!("| noise of a round | change | right, % | launches | builds | stated, % |");
    println!("|---|---|---|---|---|---|");
    for (noise_name, noise, has_bursts) in NOISES {
        for (name, change) in CHANGES {
            let mut tally = Tally::default();
            for seed in 0..trials {
                let mut history = History::draw(change, noise, has_bursts, seed);
                let answer = find(&mut history);
                tally.add(&answer, &history);
            }
            println!("| {noise_name} | {name} | {} |", tally.format(trials));
        }
    }
}
