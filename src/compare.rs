//! Two runs side by side, benchmark by benchmark. Knows no threshold.

mod summary;

use std::collections::{HashMap, HashSet};

pub(crate) use summary::{Axis, Estimate, Histogram, Summary};

use crate::run::{Benchmark, BenchmarkId};

/// One benchmark in both runs, or in one of them.
#[derive(Clone, Debug)]
pub(crate) struct Comparison<'a> {
    /// Which benchmark.
    pub(crate) id: BenchmarkId,
    /// What the baseline measured.
    pub(crate) baseline: Option<&'a Benchmark>,
    /// What the candidate measured.
    pub(crate) candidate: Option<&'a Benchmark>,
}

/// The logarithms of launch medians of both sides, partners at the same index.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Partners {
    /// Of the baseline.
    pub(crate) baseline: Vec<f64>,
    /// Of the candidate.
    pub(crate) candidate: Vec<f64>,
}

/// Puts the benchmarks of two runs side by side: the candidate's in their order, then what only the
/// baseline has.
pub(crate) fn compare<'a>(
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
        baseline: known.get(&key(new)).copied(),
        candidate: Some(new),
    });
    let gone = baseline.iter().filter(|old| !present.contains(&key(old))).map(|old| Comparison {
        id: old.identity(),
        baseline: Some(old),
        candidate: None,
    });
    judged.chain(gone).collect()
}

impl Comparison<'_> {
    /// A benchmark that is in neither run.
    pub(crate) fn unmeasured(id: BenchmarkId) -> Self {
        Self { id, baseline: None, candidate: None }
    }

    /// The launches that were measured next to each other: same session and round, in the order of
    /// rounds. Empty where the sides share none.
    pub(crate) fn partners(&self) -> Partners {
        let (Some(baseline), Some(candidate)) = (self.baseline, self.candidate) else {
            return Partners::default();
        };
        let old: HashMap<_, _> = rounds(baseline).collect();
        let mut pairs: Vec<_> = rounds(candidate)
            .filter_map(|(round, level)| Some((round, *old.get(&round)?, level)))
            .collect();
        pairs.sort_by(|one, other| one.0.cmp(&other.0));
        Partners {
            baseline: pairs.iter().map(|pair| pair.1).collect(),
            candidate: pairs.iter().map(|pair| pair.2).collect(),
        }
    }
}

/// The level of each launch that has partners, by its place.
fn rounds(benchmark: &Benchmark) -> impl Iterator<Item = ((&str, u32), f64)> {
    benchmark.launches.iter().filter_map(|launch| {
        let place = (launch.session.as_deref()?, launch.round);
        Some((place, launch.digest().ln_median()))
    })
}
