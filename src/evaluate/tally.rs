//! Answers counted, and what the counts say about rates.

use serde::Serialize;

use crate::stats::proportion::compute_clopper_pearson;
use crate::verdict::Change;

/// Confidence of the intervals around rates.
const RATE_CONFIDENCE: f64 = 0.95;

/// What was said of one benchmark, after how many rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BenchmarkAnswer {
    /// What the decision says.
    pub(super) change: Change,
    /// Launches of the candidate that it rests on.
    pub(super) rounds: u32,
}

/// How often each answer was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct AnswerTally {
    /// Suites judged.
    pub(crate) suites: u64,
    /// Suites in which a benchmark was called regressed.
    pub(crate) failing_suites: u64,
    /// Benchmarks judged.
    pub(crate) benchmarks: u64,
    /// Called regressed.
    pub(crate) regressed: u64,
    /// Called improved.
    pub(crate) improved: u64,
    /// Called unchanged.
    pub(crate) unchanged: u64,
    /// Called inconclusive.
    pub(crate) inconclusive: u64,
    /// Rounds of all benchmarks together.
    pub(crate) rounds: u64,
    /// Rounds of the longest benchmark of each suite, together.
    pub(crate) suite_rounds: u64,
}

/// How often something happened.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct ObservedRate {
    /// Times it happened.
    pub(crate) count: u64,
    /// Times it could have happened.
    pub(crate) of: u64,
    /// Lower end of the 95 % interval (Clopper & Pearson 1934).
    pub(crate) low: f64,
    /// Upper end.
    pub(crate) high: f64,
}

/// One row of a table: one kind of data, one effect, one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RateCell {
    /// Which data.
    pub(crate) data: String,
    /// The slowdown that is in them.
    pub(crate) effect: f64,
    /// Which policy: threshold and detect.
    pub(crate) policy: String,
    /// What was known beforehand, or how the data were put.
    pub(crate) given: String,
    /// The answers.
    pub(crate) tally: AnswerTally,
}

/// What a simple rule said of the same data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PeerCell {
    /// Which data.
    pub(crate) data: String,
    /// The slowdown that is in them.
    pub(crate) effect: f64,
    /// The rule.
    pub(crate) rule: String,
    /// The answers: regressed or unchanged.
    pub(crate) tally: AnswerTally,
}

impl ObservedRate {
    pub(super) fn new(count: u64, of: u64) -> Self {
        let (low, high) = compute_clopper_pearson(count, of, RATE_CONFIDENCE);
        Self { count, of, low, high }
    }

    /// The share itself; NaN of nothing.
    pub(crate) fn point(&self) -> f64 {
        self.count as f64 / self.of as f64
    }
}

impl AnswerTally {
    /// Counts the answers on one suite.
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

    /// Both together.
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

    /// Benchmarks called regressed.
    pub(crate) fn regressed_rate(&self) -> ObservedRate {
        ObservedRate::new(self.regressed, self.benchmarks)
    }

    /// Suites with at least one of them.
    pub(crate) fn failing_suite_rate(&self) -> ObservedRate {
        ObservedRate::new(self.failing_suites, self.suites)
    }

    /// Benchmarks called unchanged.
    pub(crate) fn unchanged_rate(&self) -> ObservedRate {
        ObservedRate::new(self.unchanged, self.benchmarks)
    }

    /// Benchmarks of which nothing could be told.
    pub(crate) fn inconclusive_rate(&self) -> ObservedRate {
        ObservedRate::new(self.inconclusive, self.benchmarks)
    }

    /// Rounds until a benchmark is decided, on average.
    pub(crate) fn mean_rounds(&self) -> f64 {
        self.rounds as f64 / self.benchmarks as f64
    }

    /// Rounds until the last benchmark of a suite is decided, on average.
    pub(crate) fn mean_suite_rounds(&self) -> f64 {
        self.suite_rounds as f64 / self.suites as f64
    }
}
