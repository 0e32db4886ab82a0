//! One launch of several: what perfgate starts once is one launch, whatever its output divides it
//! into.

use std::collections::{BTreeMap, HashMap};

use crate::measure::{Observation, ObservedBenchmarks};
use crate::run::{BenchmarkId, CallsPerSample, Samples, Sampling};
use crate::units::Nanos;

/// Beginning of the names of metrics that are peaks: of several, the highest counts.
const PEAK_PREFIX: &str = "peak_";

/// Merges the launches of one file into one. Samples stand in the order of the launches, and a
/// metric is their mean, or the highest if it is a peak. A benchmark that failed in one of them
/// failed.
pub(crate) fn merge_launches(launches: Vec<ObservedBenchmarks>) -> ObservedBenchmarks {
    let mut merged: ObservedBenchmarks = Vec::new();
    let mut places: HashMap<BenchmarkId, usize> = HashMap::new();
    let mut counts: Vec<f64> = Vec::new();
    for (id, observed) in launches.into_iter().flatten() {
        let Some(&at) = places.get(&id) else {
            places.insert(id.clone(), merged.len());
            merged.push((id, observed));
            counts.push(1.0);
            continue;
        };
        match (&mut merged[at].1, observed) {
            (Ok(first), Ok(other)) => {
                join_observations(first, &other, counts[at]);
                counts[at] += 1.0;
            }
            (Ok(_), Err(failure)) => merged[at].1 = Err(failure),
            (Err(_), _) => {}
        }
    }
    merged
}

/// Adds another observation to one that has `count` observations already.
fn join_observations(first: &mut Observation, other: &Observation, count: f64) {
    let calls = join_calls(first, other);
    let samples: Vec<Nanos> = first.samples.iter().chain(other.samples.iter()).copied().collect();
    if let Some(samples) = Samples::new(samples) {
        first.samples = samples;
        first.calls_per_sample = calls;
    }
    if other.sampling == Sampling::Batch {
        first.sampling = Sampling::Batch;
    }
    first.metrics = join_metrics(&first.metrics, &other.metrics, count);
}

/// Returns the number of calls of each sample of both. Returns `None` if one of them does not have it.
fn join_calls(first: &Observation, other: &Observation) -> Option<CallsPerSample> {
    let list = |observation: &Observation| match &observation.calls_per_sample {
        Some(CallsPerSample::Same(calls)) => Some(vec![*calls; observation.samples.len()]),
        Some(CallsPerSample::Each(calls)) => Some(calls.clone()),
        None => None,
    };
    CallsPerSample::new([list(first)?, list(other)?].concat())
}

fn join_metrics(
    first: &BTreeMap<String, f64>,
    other: &BTreeMap<String, f64>,
    count: f64,
) -> BTreeMap<String, f64> {
    let both = first.iter().filter_map(|(name, value)| Some((name, *value, *other.get(name)?)));
    let join = |name: &str, value: f64, next: f64| {
        if name.starts_with(PEAK_PREFIX) {
            value.max(next)
        } else {
            (value * count + next) / (count + 1.0)
        }
    };
    both.map(|(name, value, next)| (name.clone(), join(name, value, next))).collect()
}
