//! Two runs side by side, benchmark by benchmark. Knows no threshold.

mod summary;

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

pub use summary::{Axis, Estimate, Histogram, Summary};

use crate::run::{Benchmark, BenchmarkId, Digest, Launch};

/// One benchmark in both runs, or in one of them.
#[derive(Clone, Debug)]
pub struct Comparison<'a> {
    /// Which benchmark.
    pub id: BenchmarkId,
    /// What the baseline measured.
    pub baseline: Option<Side<'a>>,
    /// What the candidate measured.
    pub candidate: Option<Side<'a>>,
}

/// One side of a comparison.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// What was measured.
    pub benchmark: &'a Benchmark,
    /// Made when first asked for: not every comparison that is made is kept.
    digests: OnceCell<Vec<Digest>>,
}

/// The logarithms of launch medians of both sides, partners at the same index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Partners {
    /// Of the baseline.
    pub baseline: Vec<f64>,
    /// Of the candidate.
    pub candidate: Vec<f64>,
}

/// Puts the benchmarks of two runs side by side: the candidate's in their order, then what only the
/// baseline has.
pub fn compare<'a>(
    baseline: impl IntoIterator<Item = &'a Benchmark>,
    candidate: impl IntoIterator<Item = &'a Benchmark>,
) -> Vec<Comparison<'a>> {
    let baseline: Vec<&Benchmark> = baseline.into_iter().collect();
    let candidate: Vec<&Benchmark> = candidate.into_iter().collect();
    let key = |benchmark: &&'a Benchmark| (&benchmark.id, &benchmark.package);
    let known: HashMap<_, _> = baseline.iter().map(|b| (key(b), *b)).collect();
    let present: HashSet<_> = candidate.iter().map(key).collect();
    let judged = candidate.iter().map(|new| Comparison {
        id: new.identity(),
        baseline: known.get(&key(new)).map(|old| Side::new(old)),
        candidate: Some(Side::new(new)),
    });
    let gone = baseline.iter().filter(|old| !present.contains(&key(old))).map(|old| Comparison {
        id: old.identity(),
        baseline: Some(Side::new(old)),
        candidate: None,
    });
    judged.chain(gone).collect()
}

impl<'a> Side<'a> {
    /// The side that `benchmark` is.
    pub fn new(benchmark: &'a Benchmark) -> Self {
        Self { benchmark, digests: OnceCell::new() }
    }

    /// The logarithms of the launch medians, in the order of the file.
    pub fn levels(&self) -> Vec<f64> {
        self.digests().iter().map(Digest::ln_median).collect()
    }

    /// The digest of each launch, in the order of the file.
    pub fn digests(&self) -> &[Digest] {
        let digests = || self.benchmark.launches.iter().map(Launch::digest).collect();
        self.digests.get_or_init(digests)
    }
}

impl Comparison<'_> {
    /// A benchmark that is in neither run.
    pub fn unmeasured(id: BenchmarkId) -> Self {
        Self { id, baseline: None, candidate: None }
    }

    /// The launches that were measured next to each other: same session and round, in the order of
    /// rounds. Empty where the sides share none.
    pub fn partners(&self) -> Partners {
        let (Some(baseline), Some(candidate)) = (&self.baseline, &self.candidate) else {
            return Partners::default();
        };
        let old: HashMap<_, _> = baseline.rounds().collect();
        let mut pairs: Vec<_> = candidate
            .rounds()
            .filter_map(|(round, level)| Some((round, *old.get(&round)?, level)))
            .collect();
        pairs.sort_by(|one, other| one.0.cmp(&other.0));
        Partners {
            baseline: pairs.iter().map(|pair| pair.1).collect(),
            candidate: pairs.iter().map(|pair| pair.2).collect(),
        }
    }
}

impl<'a> Side<'a> {
    fn rounds(&self) -> impl Iterator<Item = ((&'a str, u32), f64)> + use<'_, 'a> {
        self.benchmark.launches.iter().zip(self.digests()).filter_map(|(launch, digest)| {
            Some(((launch.session.as_deref()?, launch.round), digest.ln_median()))
        })
    }
}
