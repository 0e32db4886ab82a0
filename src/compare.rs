//! Places two runs side by side, benchmark by benchmark. This module knows no threshold.

mod figures;

use std::collections::{HashMap, HashSet};

pub(crate) use figures::{Estimate, Histogram, HistogramAxis, SideFigures, compute_throughput};

use crate::run::{Benchmark, BenchmarkId, Launch};

/// A benchmark with its data in both runs, or in one of them.
#[derive(Clone, Debug)]
pub(crate) struct BenchmarkComparison<'a> {
    /// Id of the benchmark.
    pub(crate) id: BenchmarkId,
    /// Data of the baseline. `None` if the baseline does not have the benchmark.
    pub(crate) baseline: Option<&'a Benchmark>,
    /// Data of the candidate. `None` if the candidate does not have the benchmark.
    pub(crate) candidate: Option<&'a Benchmark>,
}

/// Log medians of the launches of both sides, or the levels of a metric of theirs. Partners have the
/// same index.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PartnerMedians {
    /// Natural logarithms of the launch medians of the baseline, which are in nanoseconds.
    pub(crate) baseline: Vec<f64>,
    /// Natural logarithms of the launch medians of the candidate, which are in nanoseconds.
    pub(crate) candidate: Vec<f64>,
}

impl PartnerMedians {
    /// Returns candidate minus baseline of each round: the logarithms of the ratios of partners.
    pub(crate) fn compute_differences(&self) -> Vec<f64> {
        self.candidate.iter().zip(&self.baseline).map(|(new, old)| new - old).collect()
    }
}

/// Places the benchmarks of two runs side by side: those of the candidate in their order, then
/// those that only the baseline has.
pub(crate) fn compare_benchmarks<'a>(
    baseline: impl IntoIterator<Item = &'a Benchmark>,
    candidate: impl IntoIterator<Item = &'a Benchmark>,
) -> Vec<BenchmarkComparison<'a>> {
    let baseline: Vec<&Benchmark> = baseline.into_iter().collect();
    let candidate: Vec<&Benchmark> = candidate.into_iter().collect();
    let get_key = |benchmark: &&'a Benchmark| (&benchmark.id, &benchmark.package);
    let baseline_by_key: HashMap<_, _> = baseline.iter().map(|b| (get_key(b), *b)).collect();
    let candidate_keys: HashSet<_> = candidate.iter().map(get_key).collect();
    let in_candidate = candidate.iter().map(|new| BenchmarkComparison {
        id: new.to_id(),
        baseline: baseline_by_key.get(&get_key(new)).copied(),
        candidate: Some(new),
    });
    let only_in_baseline = baseline
        .iter()
        .filter(|old| !candidate_keys.contains(&get_key(old)))
        .map(|old| BenchmarkComparison { id: old.to_id(), baseline: Some(old), candidate: None });
    in_candidate.chain(only_in_baseline).collect()
}

impl BenchmarkComparison<'_> {
    /// Creates the comparison of a benchmark that is in neither run.
    pub(crate) fn new_unmeasured(id: BenchmarkId) -> Self {
        Self { id, baseline: None, candidate: None }
    }

    /// Returns whether both sides have launches and neither failed.
    pub(crate) fn is_testable(&self) -> bool {
        [self.baseline, self.candidate].into_iter().all(|side| {
            side.is_some_and(|side| side.failure.is_none() && !side.launches.is_empty())
        })
    }

    /// Returns the log medians of the launches that were measured next to each other: same session and
    /// same round, in the order of rounds. Empty if the sides share no round.
    pub(crate) fn match_partners(&self) -> PartnerMedians {
        self.match_partner_levels(|launch| Some(launch.digest().ln_median()))
    }

    /// Returns the levels of the launches that were measured next to each other, as
    /// [`match_partners`](Self::match_partners) does. Leaves out rounds in which a launch has none.
    pub(crate) fn match_partner_levels(
        &self,
        find_level: impl Fn(&Launch) -> Option<f64>,
    ) -> PartnerMedians {
        let (Some(baseline), Some(candidate)) = (self.baseline, self.candidate) else {
            return PartnerMedians::default();
        };
        let baseline_levels: HashMap<_, _> = list_round_levels(baseline, &find_level).collect();
        let mut partners: Vec<_> = list_round_levels(candidate, &find_level)
            .filter_map(|(round, level)| Some((round, *baseline_levels.get(&round)?, level)))
            .collect();
        partners.sort_by(|a, b| a.0.cmp(&b.0));
        PartnerMedians {
            baseline: partners.iter().map(|pair| pair.1).collect(),
            candidate: partners.iter().map(|pair| pair.2).collect(),
        }
    }
}

/// Yields the session and round of each launch with its level. Launches without a session have no
/// partner and are left out, and so are launches without a level.
fn list_round_levels<'a>(
    benchmark: &'a Benchmark,
    find_level: &impl Fn(&Launch) -> Option<f64>,
) -> impl Iterator<Item = ((&'a str, u32), f64)> {
    benchmark.launches.iter().filter_map(move |launch| {
        let place = (launch.session.as_deref()?, launch.round);
        Some((place, find_level(launch)?))
    })
}
