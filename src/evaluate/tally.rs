//! Counts of answers, and the rates that follow from them.

use serde::Serialize;

use crate::decision::Change;
use crate::stats::proportion::compute_clopper_pearson;
use crate::units::Confidence;

/// Time to start a process of a bench, in seconds. It is that of a small Criterion bench.
const START_SECONDS: f64 = 0.12;

/// Factor of the start-up in the square of the best time of calls, in seconds.
const CALLS_FACTOR: f64 = 0.02;

/// Least time of the calls of a benchmark in a launch, in seconds.
const MIN_CALLS: f64 = 0.01;

/// Longest time of the calls of a benchmark in a launch, in seconds.
const MAX_CALLS: f64 = 0.2;

/// Answer on one benchmark, and the number of rounds after which it was given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BenchmarkAnswer {
    /// Change that the decision reports.
    pub(super) change: Change,
    /// Number of launches of the candidate on which the answer is based.
    pub(super) rounds: u32,
}

impl BenchmarkAnswer {
    /// Returns whether more rounds may decide the benchmark.
    pub(super) fn is_undecided(self) -> bool {
        self.change == Change::Inconclusive
    }
}

/// Number of times that each answer was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct AnswerTally {
    /// Number of suites judged.
    pub(crate) suites: u64,
    /// Number of suites in which at least one benchmark was called regressed.
    pub(crate) failing_suites: u64,
    /// Number of benchmarks judged.
    pub(crate) benchmarks: u64,
    /// Number of benchmarks called regressed.
    pub(crate) regressed: u64,
    /// Number of benchmarks called improved.
    pub(crate) improved: u64,
    /// Number of benchmarks called unchanged.
    pub(crate) unchanged: u64,
    /// Number of benchmarks without a definite answer.
    pub(crate) inconclusive: u64,
    /// Sum of the rounds of all benchmarks.
    pub(crate) rounds: u64,
    /// Sum, over the suites, of the rounds of the benchmark that took the most rounds.
    pub(crate) suite_rounds: u64,
}

/// Share of the cases in which an event occurred, with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct ObservedRate {
    /// Number of times that the event occurred.
    pub(crate) count: u64,
    /// Number of times that the event could have occurred.
    pub(crate) of: u64,
    /// Lower end of the 95 % interval (Clopper & Pearson 1934).
    pub(crate) low: f64,
    /// Upper end of the 95 % interval.
    pub(crate) high: f64,
}

/// One row of a table: one kind of data, one effect, one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RateCell {
    /// Name of the data.
    pub(crate) data: String,
    /// Slowdown that is put into the data: 0.03 is 3 %.
    pub(crate) effect: f64,
    /// Name of the policy: threshold and detect.
    pub(crate) policy: String,
    /// Knowledge that was available beforehand, or how the data were presented.
    pub(crate) given: String,
    /// Counts of the answers.
    pub(crate) tally: AnswerTally,
}

/// Answers of a simple rule on the same data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PeerCell {
    /// Name of the data.
    pub(crate) data: String,
    /// Slowdown that is put into the data: 0.03 is 3 %.
    pub(crate) effect: f64,
    /// Name of the rule.
    pub(crate) rule: String,
    /// Counts of the answers, which are regressed or unchanged.
    pub(crate) tally: AnswerTally,
}

impl ObservedRate {
    pub(super) fn new(count: u64, of: u64) -> Self {
        let (low, high) = compute_clopper_pearson(count, of, Confidence::DEFAULT.get());
        Self { count, of, low, high }
    }

    /// Returns the share itself; NaN if `of` is zero.
    pub(crate) fn point(&self) -> f64 {
        self.count as f64 / self.of as f64
    }
}

impl AnswerTally {
    /// Adds the answers on one suite.
    pub(super) fn add_suite(&mut self, answers: &[BenchmarkAnswer]) {
        self.suites += 1;
        let mut most_rounds = 0;
        let mut fails = false;
        for answer in answers {
            self.benchmarks += 1;
            self.rounds += u64::from(answer.rounds);
            most_rounds = most_rounds.max(answer.rounds);
            match answer.change {
                Change::Regressed => self.regressed += 1,
                Change::Improved => self.improved += 1,
                Change::Unchanged => self.unchanged += 1,
                Change::Inconclusive | Change::New | Change::Missing | Change::Failed => {
                    self.inconclusive += 1;
                }
            }
            fails |= answer.change == Change::Regressed;
        }
        self.failing_suites += u64::from(fails);
        self.suite_rounds += u64::from(most_rounds);
    }

    /// Adds the counts of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        self.suites += other.suites;
        self.failing_suites += other.failing_suites;
        self.benchmarks += other.benchmarks;
        self.regressed += other.regressed;
        self.improved += other.improved;
        self.unchanged += other.unchanged;
        self.inconclusive += other.inconclusive;
        self.rounds += other.rounds;
        self.suite_rounds += other.suite_rounds;
    }

    /// Returns the share of benchmarks called regressed.
    pub(crate) fn regressed_rate(&self) -> ObservedRate {
        ObservedRate::new(self.regressed, self.benchmarks)
    }

    /// Returns the share of suites with at least one benchmark called regressed.
    pub(crate) fn failing_suite_rate(&self) -> ObservedRate {
        ObservedRate::new(self.failing_suites, self.suites)
    }

    /// Returns the share of benchmarks called unchanged.
    pub(crate) fn unchanged_rate(&self) -> ObservedRate {
        ObservedRate::new(self.unchanged, self.benchmarks)
    }

    /// Returns the share of benchmarks without a definite answer.
    pub(crate) fn inconclusive_rate(&self) -> ObservedRate {
        ObservedRate::new(self.inconclusive, self.benchmarks)
    }

    /// Returns the mean number of rounds until a benchmark is decided; NaN without benchmarks.
    pub(crate) fn mean_rounds(&self) -> f64 {
        self.rounds as f64 / self.benchmarks as f64
    }

    /// Returns the mean number of seconds that a suite would take; NaN without suites.
    ///
    /// Assumes that all benchmarks share a process and leave when they are decided. A launch costs
    /// [`START_SECONDS`], and for each benchmark the time of calls that is best for a suite of this
    /// size: T = √(20 ms · start ÷ benchmarks), from 10 to 200 ms.
    pub(crate) fn mean_seconds(&self) -> f64 {
        let suites = self.suites as f64;
        let suite_size = self.benchmarks as f64 / suites;
        let call_seconds =
            (CALLS_FACTOR * START_SECONDS / suite_size).sqrt().clamp(MIN_CALLS, MAX_CALLS);
        let seconds_per_side =
            START_SECONDS * self.suite_rounds as f64 + call_seconds * self.rounds as f64;
        2.0 * seconds_per_side / suites
    }

    /// Returns the mean number of rounds until the last benchmark of a suite is decided; NaN
    /// without suites.
    pub(crate) fn mean_suite_rounds(&self) -> f64 {
        self.suite_rounds as f64 / self.suites as f64
    }
}
