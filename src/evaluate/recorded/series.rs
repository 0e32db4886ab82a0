//! Replays launches of the same program on many days, as recorded by benchmark series of the Go
//! project.

use std::collections::BTreeMap;

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::{RecordingError, RecordingTable, ReplayPlan, parse_logarithm};
use crate::calibrate;
use crate::compare::PartnerMedians;
use crate::evaluate::judge::{self, NoiseHistories};
use crate::evaluate::tally::{AnswerTally, BenchmarkAnswer, RateCell};
use crate::policy::Policy;
use crate::run::{Benchmark, BenchmarkId, Run, Sampling};
use crate::verdict::BaselineEvidence;

/// Header line of a series file.
pub(crate) const SERIES_HEAD: &str = "runstamp,toolchain,bench,rep,ns_per_op";

/// Toolchain that is the same on all days.
const UNCHANGED_TOOLCHAIN: &str = "Go1.17";

/// Number of benchmarks in a suite.
const SUITE_SIZE: usize = 50;

/// Launches per side of the small and the large comparison with one look.
const ONE_LOOK_LAUNCHES: [usize; 2] = [5, 12];

/// Number of earlier days from which a history is learned, with twelve rounds per day.
const HISTORY_DAYS: usize = 2;

/// Number of stored runs with which a new day is compared.
const STORED_RUNS: usize = 10;

/// Number of launches of a stored run and of its candidate.
const RUN_LAUNCHES: usize = 5;

/// Logarithms of the durations of all launches of one benchmark on one day.
type LaunchLevels = Vec<f64>;

/// All benchmarks of one day, by name.
type RecordedDay = BTreeMap<String, LaunchLevels>;

/// How the launches of unchanged code are presented to the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SeriesComparison {
    /// Rounds of one day, without history.
    Rounds,
    /// Rounds of one day, with a history from earlier days.
    RoundsWithHistory,
    /// Two files of one day, with this number of launches per side.
    OneLook(usize),
    /// Stored runs of earlier days against a new day.
    Stored,
    /// Stored runs of earlier days, used as a screen only.
    Screen,
}

impl SeriesComparison {
    const ALL: [Self; 6] = [
        Self::Rounds,
        Self::RoundsWithHistory,
        Self::OneLook(ONE_LOOK_LAUNCHES[0]),
        Self::OneLook(ONE_LOOK_LAUNCHES[1]),
        Self::Stored,
        Self::Screen,
    ];

    fn name(self) -> String {
        match self {
            Self::Rounds => "in rounds, without history".to_owned(),
            Self::RoundsWithHistory => format!("in rounds, history of {HISTORY_DAYS} earlier days"),
            Self::OneLook(launches) => format!("files, {launches} vs {launches}"),
            Self::Stored => format!("{STORED_RUNS} stored days vs a new day"),
            Self::Screen => format!("{STORED_RUNS} stored days as a screen"),
        }
    }
}

/// Returns the rates on a series: within each day, and for each day against earlier days.
///
/// # Errors
///
/// Fails if a line has an unknown shape, or if there are no launches of the unchanged toolchain.
pub(crate) fn evaluate_series(
    table: &RecordingTable,
    replay: &ReplayPlan<'_>,
) -> Result<Vec<RateCell>, RecordingError> {
    let days = read_days(table)?;
    let mut cells = Vec::new();
    for comparison in SeriesComparison::ALL {
        for effect in replay.effects.iter().copied() {
            for (name, policy) in replay.policies {
                let tally = replay_days(&days, comparison, effect, policy, replay);
                cells.push(RateCell {
                    data: table.name().to_owned(),
                    effect,
                    policy: name.clone(),
                    given: comparison.name(),
                    tally,
                });
            }
        }
    }
    Ok(cells)
}

fn read_days(table: &RecordingTable) -> Result<Vec<RecordedDay>, RecordingError> {
    let mut days: BTreeMap<&str, RecordedDay> = BTreeMap::new();
    for (index, row) in table.rows::<5>().enumerate() {
        let [stamp, toolchain, bench, _, value] = row?;
        if toolchain == UNCHANGED_TOOLCHAIN {
            let level =
                parse_logarithm(value).map_err(|why| table.build_shape_error(index + 1, why))?;
            days.entry(stamp).or_default().entry(bench.to_owned()).or_default().push(level);
        }
    }
    if days.is_empty() {
        return Err(table.build_too_little_error("no launches of `Go1.17`"));
    }
    Ok(days.into_values().collect())
}

fn replay_days(
    days: &[RecordedDay],
    comparison: SeriesComparison,
    effect: f64,
    policy: &Policy,
    replay: &ReplayPlan<'_>,
) -> AnswerTally {
    let mut tally = AnswerTally::default();
    for deal in 0..replay.deals {
        for today in 0..days.len() {
            // Every effect and policy gets the same deal, so that rows differ by nothing else.
            let mut random = Pcg64::new(u128::from(replay.seed ^ deal), today as u128);
            random = Pcg64::from_rng(&mut random);
            let answers = replay_day(&days[..=today], comparison, effect, policy, &mut random);
            if let Some(answers) = answers.filter(|answers| !answers.is_empty()) {
                tally.add_suite(&answers);
            }
        }
    }
    tally
}

/// Returns the answers on one deal of the last of `days`, or `None` if there are too few earlier
/// days.
fn replay_day(
    days: &[RecordedDay],
    comparison: SeriesComparison,
    effect: f64,
    policy: &Policy,
    random: &mut Pcg64,
) -> Option<Vec<BenchmarkAnswer>> {
    // Draw the benchmarks of the suite first, then deal their launches of the day to the two sides
    // in the way that the comparison needs. History and stored runs come from the days before.
    let (today, earlier) = days.split_last()?;
    let benches = draw_suite(today, random);
    match comparison {
        SeriesComparison::Rounds => {
            let [baseline, candidate] = deal_sides(today, &benches, usize::MAX, effect, random);
            Some(judge::decide_in_rounds(
                judge::end_rounds(&baseline, &candidate),
                &NoiseHistories::new(),
                policy,
            ))
        }
        SeriesComparison::RoundsWithHistory => {
            let first_day = earlier.len().checked_sub(HISTORY_DAYS)?;
            let noise = learn_history(&earlier[first_day..], &benches, random);
            let [baseline, candidate] = deal_sides(today, &benches, usize::MAX, effect, random);
            Some(judge::decide_in_rounds(judge::end_rounds(&baseline, &candidate), &noise, policy))
        }
        SeriesComparison::OneLook(launches) => {
            let [baseline, candidate] = deal_sides(today, &benches, launches, effect, random);
            Some(judge::decide_without_rounds(
                BaselineEvidence::File(&baseline),
                &candidate,
                policy,
            ))
        }
        SeriesComparison::Stored | SeriesComparison::Screen => {
            let first_day = earlier.len().checked_sub(STORED_RUNS)?;
            let stored = earlier[first_day..].iter().rev();
            let stored: Vec<Run> = stored.map(|day| draw_run(day, &benches, 0.0, random)).collect();
            let candidate = draw_run(today, &benches, effect, random);
            let baseline = match comparison {
                SeriesComparison::Screen => BaselineEvidence::Screen(&stored),
                _ => BaselineEvidence::Stored(&stored),
            };
            Some(judge::decide_without_rounds(baseline, &candidate, policy))
        }
    }
}

/// Draws the benchmarks of one suite from those of the day.
fn draw_suite(day: &RecordedDay, random: &mut Pcg64) -> Vec<String> {
    let mut benches: Vec<String> = day.keys().cloned().collect();
    benches.shuffle(random);
    benches.truncate(SUITE_SIZE);
    benches
}

/// Deals the launches of a day to both sides at random, with at most `most_rounds` launches per
/// side.
fn deal_sides(
    day: &RecordedDay,
    benches: &[String],
    most_rounds: usize,
    effect: f64,
    random: &mut Pcg64,
) -> [Run; 2] {
    let (mut baseline, mut candidate) = (Vec::new(), Vec::new());
    for bench in benches {
        let PartnerMedians { baseline: baseline_levels, candidate: candidate_levels } =
            deal_partners(&day[bench], most_rounds, random);
        baseline.push(build_dealt_benchmark(bench, &baseline_levels, 0.0));
        candidate.push(build_dealt_benchmark(bench, &candidate_levels, effect));
    }
    [baseline, candidate].map(|side| judge::build_run("one machine", side))
}

fn deal_partners(
    launches: &LaunchLevels,
    most_rounds: usize,
    random: &mut Pcg64,
) -> PartnerMedians {
    let mut launches = launches.clone();
    launches.shuffle(random);
    let rounds = (launches.len() / 2).min(most_rounds);
    let candidate = launches[rounds..2 * rounds].to_vec();
    launches.truncate(rounds);
    PartnerMedians { baseline: launches, candidate }
}

/// Returns the noise that rounds of earlier days show. Days differ in level, so each day's level is
/// subtracted.
fn learn_history(days: &[RecordedDay], benches: &[String], random: &mut Pcg64) -> NoiseHistories {
    let mut histories = NoiseHistories::new();
    for bench in benches {
        let mut all_days = PartnerMedians::default();
        for launches in days.iter().filter_map(|day| day.get(bench)) {
            let mut day = deal_partners(launches, usize::MAX, random);
            let sum: f64 = day.baseline.iter().chain(&day.candidate).sum();
            let level = sum / (2 * day.baseline.len()) as f64;
            day.baseline.iter_mut().chain(&mut day.candidate).for_each(|launch| *launch -= level);
            all_days.baseline.extend(day.baseline);
            all_days.candidate.extend(day.candidate);
        }
        let id = BenchmarkId { name: bench.clone(), package: None };
        histories.extend(calibrate::estimate_noise(&all_days).map(|noise| (id, noise)));
    }
    histories
}

/// Draws a run of [`RUN_LAUNCHES`] launches per benchmark from a day.
fn draw_run(day: &RecordedDay, benches: &[String], effect: f64, random: &mut Pcg64) -> Run {
    let drawn = benches.iter().filter_map(|bench| {
        let launches = day.get(bench)?;
        let levels = (0..RUN_LAUNCHES).map(|_| launches[random.random_range(0..launches.len())]);
        Some(build_dealt_benchmark(bench, &levels.collect::<Vec<f64>>(), effect))
    });
    judge::build_run("one machine", drawn.collect())
}

fn build_dealt_benchmark(id: &str, launches: &[f64], effect: f64) -> Benchmark {
    let digests = launches.iter().map(|level| judge::compute_digest(&[level + effect.ln_1p()]));
    judge::build_benchmark(id.to_owned(), Sampling::Batch, Some("dealt"), digests)
}
