//! Launches of the same program on many days, as recorded by benchmark series of the Go project.

use std::collections::BTreeMap;

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::{RecordingError, Replay, Table, logarithm};
use crate::calibrate;
use crate::compare::Partners;
use crate::evaluate::judge::{self, Known};
use crate::evaluate::tally::{Answer, Cell, Tally};
use crate::policy::Policy;
use crate::run::{Benchmark, BenchmarkId, Run, Sampling};
use crate::verdict::Baseline;

/// Columns of a series.
pub(crate) const SERIES_HEAD: &str = "runstamp,toolchain,bench,rep,ns_per_op";

/// The program that is the same on all days.
const UNCHANGED: &str = "Go1.17";

/// Benchmarks of a suite.
const SUITE: usize = 50;

/// Launches a side of the small and the large comparison in one look.
const ONE_LOOK: [usize; 2] = [5, 12];

/// Earlier days from which a history is learnt: twelve rounds a day.
const HISTORY_DAYS: usize = 2;

/// Stored runs that a new day is compared with.
const STORED_RUNS: usize = 10;

/// Launches of a stored run, and of its candidate.
const RUN_LAUNCHES: usize = 5;

/// Logarithms of the launches of one benchmark on one day.
type Launches = Vec<f64>;

/// All benchmarks of a day.
type Day = BTreeMap<String, Launches>;

/// How the launches of unchanged code are put to the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    Rounds,
    RoundsWithHistory,
    OneLook(usize),
    Stored,
    Screen,
}

impl Put {
    const ALL: [Self; 6] = [
        Self::Rounds,
        Self::RoundsWithHistory,
        Self::OneLook(ONE_LOOK[0]),
        Self::OneLook(ONE_LOOK[1]),
        Self::Stored,
        Self::Screen,
    ];

    fn name(self) -> String {
        match self {
            Self::Rounds => "in rounds, without history".to_owned(),
            Self::RoundsWithHistory => format!("in rounds, history of {HISTORY_DAYS} earlier days"),
            Self::OneLook(launches) => format!("files, {launches} v {launches}"),
            Self::Stored => format!("{STORED_RUNS} stored days v a new day"),
            Self::Screen => format!("{STORED_RUNS} stored days as a screen"),
        }
    }
}

/// The rates on a series: within each day, and of each day against earlier ones.
pub(crate) fn series(table: &Table, replay: &Replay<'_>) -> Result<Vec<Cell>, RecordingError> {
    let days = read(table)?;
    let mut cells = Vec::new();
    for put in Put::ALL {
        for effect in replay.effects.iter().copied() {
            for (name, policy) in replay.policies {
                let tally = replay_days(&days, put, effect, policy, replay);
                cells.push(Cell {
                    data: table.name().to_owned(),
                    effect,
                    policy: name.clone(),
                    given: put.name(),
                    tally,
                });
            }
        }
    }
    Ok(cells)
}

fn read(table: &Table) -> Result<Vec<Day>, RecordingError> {
    let mut days: BTreeMap<&str, Day> = BTreeMap::new();
    for (index, row) in table.rows::<5>().enumerate() {
        let [stamp, toolchain, bench, _, value] = row?;
        if toolchain == UNCHANGED {
            let level = logarithm(value).map_err(|why| table.shape(index + 1, why))?;
            days.entry(stamp).or_default().entry(bench.to_owned()).or_default().push(level);
        }
    }
    if days.is_empty() {
        return Err(table.too_little("no launches of `Go1.17`"));
    }
    Ok(days.into_values().collect())
}

fn replay_days(days: &[Day], put: Put, effect: f64, policy: &Policy, replay: &Replay<'_>) -> Tally {
    let mut tally = Tally::default();
    for deal in 0..replay.deals {
        for today in 0..days.len() {
            // The same deal for every effect and policy, so that rows differ by nothing else.
            let mut random = Pcg64::new(u128::from(replay.seed ^ deal), today as u128);
            random = Pcg64::from_rng(&mut random);
            let answers = one_day(&days[..=today], put, effect, policy, &mut random);
            if let Some(answers) = answers.filter(|answers| !answers.is_empty()) {
                tally.add(&answers);
            }
        }
    }
    tally
}

/// The answers on one deal of the last of `days`; none where earlier days are missing.
fn one_day(
    days: &[Day],
    put: Put,
    effect: f64,
    policy: &Policy,
    random: &mut Pcg64,
) -> Option<Vec<Answer>> {
    let (today, earlier) = days.split_last()?;
    let benches = suite(today, random);
    match put {
        Put::Rounds => {
            let [baseline, candidate] = dealt(today, &benches, usize::MAX, effect, random);
            Some(judge::in_rounds(&baseline, &candidate, &Known::new(), policy))
        }
        Put::RoundsWithHistory => {
            let first = earlier.len().checked_sub(HISTORY_DAYS)?;
            let noise = history(&earlier[first..], &benches, random);
            let [baseline, candidate] = dealt(today, &benches, usize::MAX, effect, random);
            Some(judge::in_rounds(&baseline, &candidate, &noise, policy))
        }
        Put::OneLook(launches) => {
            let [baseline, candidate] = dealt(today, &benches, launches, effect, random);
            Some(judge::as_it_is(Baseline::File(&baseline), &candidate, policy))
        }
        Put::Stored | Put::Screen => {
            let first = earlier.len().checked_sub(STORED_RUNS)?;
            let stored = earlier[first..].iter().rev();
            let stored: Vec<Run> = stored.map(|day| drawn(day, &benches, 0.0, random)).collect();
            let candidate = drawn(today, &benches, effect, random);
            let baseline = match put {
                Put::Screen => Baseline::Screen(&stored),
                _ => Baseline::Stored(&stored),
            };
            Some(judge::as_it_is(baseline, &candidate, policy))
        }
    }
}

/// The benchmarks of one suite, drawn from those of the day.
fn suite(day: &Day, random: &mut Pcg64) -> Vec<String> {
    let mut benches: Vec<String> = day.keys().cloned().collect();
    benches.shuffle(random);
    benches.truncate(SUITE);
    benches
}

/// Both sides from the launches of a day, dealt at random, at most `most` a side.
fn dealt(day: &Day, benches: &[String], most: usize, effect: f64, random: &mut Pcg64) -> [Run; 2] {
    let (mut baseline, mut candidate) = (Vec::new(), Vec::new());
    for bench in benches {
        let Partners { baseline: one, candidate: other } = partners(&day[bench], most, random);
        baseline.push(benchmark(bench, &one, 0.0));
        candidate.push(benchmark(bench, &other, effect));
    }
    [baseline, candidate].map(|side| judge::run("one machine", side))
}

fn partners(launches: &Launches, most: usize, random: &mut Pcg64) -> Partners {
    let mut launches = launches.clone();
    launches.shuffle(random);
    let rounds = (launches.len() / 2).min(most);
    let candidate = launches[rounds..2 * rounds].to_vec();
    launches.truncate(rounds);
    Partners { baseline: launches, candidate }
}

/// What rounds of earlier days tell; days differ in level, so that each day's is taken off.
fn history(days: &[Day], benches: &[String], random: &mut Pcg64) -> Known {
    let mut known = Known::new();
    for bench in benches {
        let mut all = Partners::default();
        for launches in days.iter().filter_map(|day| day.get(bench)) {
            let mut day = partners(launches, usize::MAX, random);
            let both: f64 = day.baseline.iter().chain(&day.candidate).sum();
            let level = both / (2 * day.baseline.len()) as f64;
            day.baseline.iter_mut().chain(&mut day.candidate).for_each(|launch| *launch -= level);
            all.baseline.extend(day.baseline);
            all.candidate.extend(day.candidate);
        }
        let id = BenchmarkId { id: bench.clone(), package: None };
        known.extend(calibrate::noise(&all).map(|noise| (id, noise)));
    }
    known
}

/// A run of a few launches of a day.
fn drawn(day: &Day, benches: &[String], effect: f64, random: &mut Pcg64) -> Run {
    let with_launches = |bench: &String| {
        let launches = day.get(bench)?;
        let mut draw = || launches[random.random_range(0..launches.len())];
        let few: Vec<f64> = (0..RUN_LAUNCHES).map(|_| draw()).collect();
        Some(benchmark(bench, &few, effect))
    };
    judge::run("one machine", benches.iter().filter_map(with_launches).collect())
}

fn benchmark(id: &str, launches: &[f64], effect: f64) -> Benchmark {
    let digests = launches.iter().map(|level| judge::digest(&[level + effect.ln_1p()]));
    judge::benchmark(id.to_owned(), Sampling::Batch, Some("dealt"), digests)
}
