//! Runs of a branch in order: how the level of each benchmark went from commit to commit.
//!
//! Made from what the store found along an ancestry; trend pages and the screen read it.

use std::collections::BTreeMap;

use crate::git::CommitId;
use crate::run::{Benchmark, BenchmarkId};
use crate::stats::summary::Summary;
use crate::store::Stored;

/// Runs of one line of commits on one kind of host, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// One place a run.
    pub points: Vec<Point>,
    levels: BTreeMap<BenchmarkId, Vec<Option<Level>>>,
}

/// Which run a place in the history is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The commit that was measured.
    pub commit: CommitId,
    /// When the measurement began, RFC 3339.
    pub created: String,
}

/// Where one benchmark stood in one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// The natural logarithm of the median of each launch; at least one, all finite.
    pub launches: Vec<f64>,
    /// Their mean.
    pub mean: f64,
}

impl Level {
    /// `None` where the benchmark has no launches, or one too short for the clock.
    pub fn of(benchmark: &Benchmark) -> Option<Self> {
        let launches = benchmark.levels();
        let mean = Summary::of(&launches).ok()?.mean();
        Some(Self { launches, mean })
    }
}

impl History {
    /// The history of `runs`, which come newest first, as the store gives them.
    pub fn of(runs: &[Stored]) -> Self {
        let mut history = Self::default();
        for (place, Stored { key, run }) in runs.iter().rev().enumerate() {
            let commit = key.commit().clone();
            history.points.push(Point { commit, created: run.created.clone() });
            for benchmark in &run.benchmarks {
                let levels = history.levels.entry(benchmark.identity()).or_default();
                levels.resize(runs.len(), None);
                levels[place] = Level::of(benchmark);
            }
        }
        history
    }

    /// Every benchmark with its levels: one for each point, `None` where it was not measured.
    pub fn benchmarks(&self) -> impl Iterator<Item = (&BenchmarkId, &[Option<Level>])> {
        self.levels.iter().map(|(id, levels)| (id, levels.as_slice()))
    }

    /// The levels of one benchmark; empty where no run has it.
    pub fn levels(&self, benchmark: &BenchmarkId) -> &[Option<Level>] {
        self.levels.get(benchmark).map_or(&[], Vec::as_slice)
    }
}
