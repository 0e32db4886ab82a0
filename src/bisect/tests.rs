//! Searches in simulated histories, and the log.

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::grid::BUILD_OFFSET;
use super::{
    BisectLog, BisectRequest, BisectSearch, CommitResult, LogError, PositionState, SearchLog,
    SearchStep, SearchSummary, SkipReason,
};

/// A history whose levels are known, with the noise of its rounds.
struct SimulatedHistory {
    /// Level of each commit as a log ratio; that of the good commit is zero.
    levels: Vec<f64>,
    /// Standard deviation of a round.
    noise: f64,
    /// Share of rounds in which something else disturbs one side.
    bursts: f64,
    random: Pcg64,
}

impl SimulatedHistory {
    /// Creates a history with `changes`: the first commit with the change, and its ratio. Each build
    /// has an offset of its own.
    fn new(commits: usize, changes: &[(usize, f64)], noise: f64, seed: u64) -> Self {
        let mut random = Pcg64::seed_from_u64(seed);
        let mut levels = vec![0.0; commits + 1];
        for (at, ratio) in changes {
            for level in &mut levels[*at..] {
                *level += ratio.ln();
            }
        }
        for level in &mut levels {
            *level += BUILD_OFFSET * draw_normal(&mut random);
        }
        let good = levels[0];
        for level in &mut levels {
            *level -= good;
        }
        Self { levels, noise, bursts: 0.0, random }
    }

    fn measure(&mut self, at: usize) -> f64 {
        let round = self.levels[at] + self.noise * draw_normal(&mut self.random);
        if self.random.random::<f64>() >= self.bursts {
            return round;
        }
        round + 0.3 * (2.0 * self.random.random::<f64>() - 1.0)
    }

    /// Searches for at most `most` rounds, and returns what is known then with the number of rounds.
    fn search(&mut self, search: &mut BisectSearch, most: usize) -> (SearchSummary, usize) {
        let (mut rounds, mut built) = (0, None);
        while let SearchStep::Measure(at) = search.next_step(built) {
            if rounds == most {
                break;
            }
            let mut differences = match &search.states()[at] {
                PositionState::Measured(differences) => differences.clone(),
                _ => Vec::new(),
            };
            differences.push(self.measure(at));
            search.set_state(at, PositionState::Measured(differences));
            (rounds, built) = (rounds + 1, Some(at));
        }
        (search.summarize(), rounds)
    }
}

/// Draws a standard normal number (Box & Muller 1958).
fn draw_normal(random: &mut Pcg64) -> f64 {
    let (one, other): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * other).cos()
}

/// Returns the first and the last suspect of each change.
fn list_suspects(summary: &SearchSummary) -> Vec<(usize, usize)> {
    summary.changes.iter().map(|gap| (gap.after + 1, gap.until)).collect()
}

#[track_caller]
fn assert_found(changes: &[(usize, f64)], noise: f64, bursts: f64, most: usize) {
    for seed in 0..4 {
        let mut history = SimulatedHistory::new(32, changes, noise, seed);
        history.bursts = bursts;
        let (summary, rounds) = history.search(&mut BisectSearch::new(32), 1000);
        let expected: Vec<_> = changes.iter().map(|(at, _)| (*at, *at)).collect();
        assert_eq!(list_suspects(&summary), expected, "seed {seed}: {summary:#?}");
        assert!(rounds <= most, "seed {seed}: {rounds} rounds");
        for (gap, (_, ratio)) in summary.changes.iter().zip(changes) {
            let change = gap.change;
            assert!(change.low < change.point && change.point < change.high, "{gap:?}");
            assert!((change.point - ratio.ln()).abs() < 3.0 * noise + 0.01, "{gap:?}");
        }
    }
}

#[test]
fn a_change_is_found_in_few_rounds_wherever_it_is() {
    assert_found(&[(1, 1.1)], 0.01, 0.0, 30);
    assert_found(&[(19, 1.05)], 0.01, 0.0, 45);
    assert_found(&[(32, 0.9)], 0.01, 0.0, 30);
    assert_found(&[(12, 5.0)], 0.01, 0.0, 30);
}

#[test]
fn bursts_do_not_lead_the_search_astray() {
    assert_found(&[(19, 1.1)], 0.01, 0.1, 60);
}

#[test]
fn several_changes_are_distinguished() {
    assert_found(&[(6, 1.1), (20, 1.0 / 1.1)], 0.005, 0.0, 90);
    assert_found(&[(6, 1.1), (25, 1.1)], 0.005, 0.0, 90);
}

#[test]
fn without_a_change_nothing_is_named() {
    for seed in 0..4 {
        let mut history = SimulatedHistory::new(32, &[], 0.01, seed);
        let (summary, _) = history.search(&mut BisectSearch::new(32), 1000);
        assert_eq!(list_suspects(&summary), []);
        assert!(summary.unchanged > 0.5 && summary.longest_gap <= 8, "{summary:#?}");
    }
}

#[test]
fn commits_that_cannot_be_measured_stay_together() {
    let mut history = SimulatedHistory::new(16, &[(9, 1.1)], 0.005, 1);
    let mut search = BisectSearch::new(16);
    for at in [8, 9] {
        search.set_state(at, PositionState::Skipped);
    }
    let (summary, _) = history.search(&mut search, 1000);
    assert_eq!(list_suspects(&summary), [(8, 10)]);
    assert!(summary.is_settled && summary.changes[0].is_narrow, "{summary:#?}");
}

#[test]
fn a_program_that_is_known_is_not_measured_again() {
    // Commits up to 7 are the good program, and all from 9 on are one program.
    let mut history = SimulatedHistory::new(16, &[(8, 1.1)], 0.005, 1);
    let mut search = BisectSearch::new(16);
    for at in 1..8 {
        search.set_state(at, PositionState::SameProgram(0));
        search.set_state(at + 8, PositionState::SameProgram(16));
    }
    let (summary, rounds) = history.search(&mut search, 1000);
    assert_eq!(list_suspects(&summary), [(8, 8)]);
    assert!(rounds <= 8, "{rounds} rounds");
}

#[test]
fn a_program_that_returns_is_a_change_and_its_repair() {
    let mut history = SimulatedHistory::new(8, &[(4, 1.1)], 0.005, 1);
    let mut search = BisectSearch::new(8);
    search.set_state(7, PositionState::SameProgram(0));
    search.set_state(8, PositionState::SameProgram(0));
    let (summary, _) = history.search(&mut search, 1000);
    assert_eq!(list_suspects(&summary), [(4, 4), (7, 7)], "{summary:#?}");
    // Without rounds there is nothing but the good program.
    let mut search = BisectSearch::new(1);
    assert!(!search.summarize().is_settled);
    search.set_state(1, PositionState::SameProgram(0));
    assert_eq!(search.next_step(None), SearchStep::Finish);
    assert!(search.summarize().unchanged > 0.999 && search.summarize().is_settled);
}

#[test]
fn a_stated_probability_is_right_about_as_often_as_it_states() {
    // Histories like those of the prior, searched for a random number of rounds: the gaps that are
    // named then have probabilities of all sizes.
    const TRIALS: u64 = 150;
    const COMMITS: usize = 8;
    let mut bins = [(0.0, 0.0, 0.0); 4];
    for seed in 0..TRIALS {
        let mut random = Pcg64::seed_from_u64(1000 + seed);
        let count = [0, 0, 1, 1, 1, 2][random.random_range(0..6)];
        let mut places: Vec<usize> = (0..count).map(|_| random.random_range(1..=COMMITS)).collect();
        places.sort_unstable();
        places.dedup();
        let changes: Vec<(usize, f64)> =
            places.iter().map(|at| (*at, (0.02 + 0.08 * random.random::<f64>()).exp())).collect();
        let noise = 0.005 + 0.02 * random.random::<f64>();
        let mut history = SimulatedHistory::new(COMMITS, &changes, noise, seed);
        let most = random.random_range(2..20);
        let (summary, _) = history.search(&mut BisectSearch::new(COMMITS), most);
        for gap in summary.changes.iter().chain(&summary.others) {
            let is_right = places.iter().any(|at| (gap.after + 1..=gap.until).contains(at));
            let bin = match gap.probability {
                ..0.2 => 0,
                ..0.6 => 1,
                ..0.95 => 2,
                _ => 3,
            };
            let (number, stated, right) = &mut bins[bin];
            *number += 1.0;
            *stated += gap.probability;
            *right += f64::from(u8::from(is_right));
        }
    }
    for (number, stated, right) in bins {
        let (stated, right) = (stated / number, right / number);
        let error = (stated * (1.0 - stated) / number).sqrt();
        assert!(number > 10.0, "{bins:?}");
        assert!((stated - right).abs() < 4.0 * error + 0.03, "{stated} {right}: {bins:?}");
    }
}

fn request() -> BisectRequest {
    BisectRequest {
        good: "a".to_owned(),
        bad: "d".to_owned(),
        bench: "encode".to_owned(),
        all: false,
        fingerprint: "f".to_owned(),
        source: Vec::new(),
    }
}

#[test]
fn a_log_is_read_as_it_was_written() {
    let mut log = BisectLog::new(request());
    let mut search = SearchLog::new("a".to_owned(), "d".to_owned());
    search.set_result("d", CommitResult::Measured(vec![0.1]));
    search.set_program("d", "hash".to_owned());
    search.set_result("d", CommitResult::Measured(vec![0.1, 0.11]));
    search.set_result("b", CommitResult::Skipped(SkipReason::NoBenchmark));
    search.set_result("c", CommitResult::SameProgram("d".to_owned()));
    log.searches.push(search);
    let read = BisectLog::from_json(&serde_json::to_vec(&log).unwrap()).unwrap();
    assert_eq!(read, log);
    let history = ["a", "b", "c", "d"].map(str::to_owned);
    let restored = read.searches[0].restore_search(&history).unwrap();
    assert_eq!(restored.states()[1], PositionState::Skipped);
    assert_eq!(restored.states()[2], PositionState::SameProgram(3));
    assert_eq!(restored.states()[3], PositionState::Measured(vec![0.1, 0.11]));
}

#[test]
fn a_log_that_contradicts_the_history_is_refused() {
    let history = ["a", "b"].map(str::to_owned);
    let refused = |results: &[(&str, CommitResult)]| {
        let mut search = SearchLog::new("a".to_owned(), "b".to_owned());
        for (commit, result) in results {
            search.set_result(commit, result.clone());
        }
        matches!(search.restore_search(&history), Err(LogError::Commit(_)))
    };
    assert!(refused(&[("c", CommitResult::Measured(vec![0.1]))]));
    assert!(refused(&[("a", CommitResult::Measured(vec![0.1]))]));
    assert!(refused(&[("b", CommitResult::Measured(Vec::new()))]));
    assert!(refused(&[("b", CommitResult::Measured(vec![1e300]))]));
    assert!(refused(&[("b", CommitResult::SameProgram("b".to_owned()))]));
    assert!(!refused(&[("b", CommitResult::SameProgram("a".to_owned()))]));
    let other = br#"{"schema": "perfgate.bisect/2"}"#;
    assert!(BisectLog::from_json(other).is_err());
}
