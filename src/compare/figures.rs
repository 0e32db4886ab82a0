//! The figures of one side, in the form that every report shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::{Benchmark, Digest, Launch, LaunchData, Sampling, deserialize_or_default};
use crate::stats::cluster_mean::{ClusterMean, ClusterSummary, estimate_cluster_mean};
use crate::stats::test::t::compute_mean_interval;
use crate::stats::{order_statistics, summary};
use crate::units::{Confidence, Nanos};

/// Number of bins of a histogram: enough to distinguish two modes, few enough for a file of many
/// benchmarks.
const BIN_COUNT: usize = 40;

/// The figures of one side of a comparison.
///
/// The side is one measurement, or several stored runs that are compared as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SideFigures {
    /// Number of samples in all launches.
    pub(crate) samples: u64,
    /// Median of a typical launch.
    pub(crate) median: Estimate,
    /// Arithmetic mean of all calls.
    pub(crate) mean: Estimate,
    /// 90th percentile of a typical launch. `None` if samples are batches or too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p90: Option<Estimate>,
    /// 95th percentile of a typical launch. `None` if samples are batches or too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p95: Option<Estimate>,
    /// 99th percentile of a typical launch. `None` if samples are batches or too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p99: Option<Estimate>,
    /// Shortest call. `None` if samples are batches, or in a file that does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<Nanos>,
    /// Longest call. `None` if samples are batches, or in a file that does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<Nanos>,
    /// Amounts that are handled per second, by unit: the amount per call ÷ the mean. Empty if no
    /// amount per call is known.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) throughput: BTreeMap<String, f64>,
    /// Distribution of the samples. `None` if only digests are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) histogram: Option<Histogram>,
}

/// A figure with its confidence interval over launches. With a single launch there is no interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Estimate {
    /// Lower end of the interval. `None` with a single launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) low: Option<Nanos>,
    /// Best estimate.
    pub(crate) point: Nanos,
    /// Upper end of the interval. `None` with a single launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) high: Option<Nanos>,
}

impl Estimate {
    /// Returns the estimate with its point at the duration with the natural logarithm `ln`. The
    /// interval keeps its width in relation to the point.
    pub(crate) fn move_to(self, ln: f64) -> Self {
        let shift = ln - self.point.ln();
        let move_bound = |bound: Nanos| exponentiate(bound.ln() + shift);
        Self {
            low: self.low.map(move_bound),
            point: exponentiate(ln),
            high: self.high.map(move_bound),
        }
    }
}

/// Counts of samples in bins of equal width on a logarithmic axis.
///
/// The last bin also holds the samples above the axis, so that a single outlier does not squeeze
/// the rest into one bin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Histogram {
    /// Lower edge of the first bin.
    pub(crate) low: Nanos,
    /// Upper edge of the last bin.
    pub(crate) high: Nanos,
    /// Number of samples in each bin, from the lowest bin.
    pub(crate) counts: Vec<u64>,
    /// Median of each launch, in the order of the launches.
    pub(crate) launch_medians: Vec<Nanos>,
}

/// The range of a histogram, in nanoseconds, common to both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistogramAxis {
    low: f64,
    high: f64,
}

impl HistogramAxis {
    /// Returns the axis from the smallest sample to a little above the largest 95th percentile of a
    /// launch.
    pub(crate) fn from_sides<'a>(sides: impl IntoIterator<Item = &'a Benchmark>) -> Self {
        const HEADROOM: f64 = 1.1;
        let digests = sides.into_iter().flat_map(Benchmark::digests);
        let (low, high) = digests.fold((f64::MAX, 0.0_f64), |(low, high), digest| {
            (low.min(digest.min.get()), high.max(digest.p95.get()))
        });
        let low = low.min(high).max(f64::MIN_POSITIVE);
        Self { low, high: (high * HEADROOM).clamp(low * (1.0 + 1e-9), f64::MAX) }
    }

    /// Returns the edges between bins, in nanoseconds.
    fn compute_inner_edges(self) -> [f64; BIN_COUNT - 1] {
        let width = (self.high / self.low).ln() / BIN_COUNT as f64;
        std::array::from_fn(|bin| self.low * ((bin + 1) as f64 * width).exp())
    }

    /// Counts the samples of a side. Returns `None` if only digests are stored.
    fn build_histogram(self, side: &[&Benchmark]) -> Option<Histogram> {
        let mut counts = vec![0; BIN_COUNT];
        let edges = self.compute_inner_edges();
        for launch in side.iter().flat_map(|run| &run.launches) {
            let LaunchData::Samples(samples) = &launch.data else { return None };
            for sample in samples.iter() {
                counts[edges.partition_point(|edge| *edge <= sample.get())] += 1;
            }
        }
        let digests = side.iter().flat_map(|run| run.digests());
        Some(Histogram {
            low: Nanos::saturate(self.low),
            high: Nanos::saturate(self.high),
            counts,
            launch_medians: digests.map(|digest| digest.p50).collect(),
        })
    }
}

impl SideFigures {
    /// Computes the figures of one side: the same benchmark in one run, or in the stored runs that
    /// are compared as a whole. Returns `None` without launches.
    ///
    /// With several runs, intervals are over runs, because the launches of a run share its level.
    pub(crate) fn from_runs(
        runs: &[&Benchmark],
        axis: HistogramAxis,
        confidence: Confidence,
    ) -> Option<Self> {
        let runs: Vec<&Benchmark> =
            runs.iter().copied().filter(|run| !run.launches.is_empty()).collect();
        let first = runs.first()?;
        let tail = 0.5 * (1.0 - confidence.get());
        let groups: Vec<Vec<Digest>> = runs.iter().map(|run| run.digests().collect()).collect();
        let digests = || groups.iter().flatten();
        let samples = digests().map(|digest| digest.count).sum();
        let estimate = |figure: fn(&Digest) -> Nanos| estimate_typical(&groups, tail, figure);
        let is_call = first.sampling == Sampling::Call;
        // A percentile that a handful of calls cannot bound is not shown either.
        let estimate_percentile = |q, figure| {
            let least = order_statistics::find_min_sample_count(q, confidence.get()) as u64;
            (is_call && samples >= least).then(|| estimate(figure))
        };
        // A mean that cannot be computed is that of a typical launch.
        let mean = estimate_mean(&runs, tail).unwrap_or_else(|| estimate(|digest| digest.mean));
        Some(Self {
            samples,
            median: estimate(|digest| digest.p50),
            mean,
            p90: estimate_percentile(0.9, |digest| digest.p90),
            p95: estimate_percentile(0.95, |digest| digest.p95),
            p99: estimate_percentile(0.99, |digest| digest.p99),
            min: digests().map(|digest| digest.min).min().filter(|_| is_call),
            max: digests().map(|digest| digest.max).max().filter(|_| is_call),
            throughput: compute_throughput(&first.collect_amounts(), mean.point),
            histogram: axis.build_histogram(&runs),
        })
    }
}

/// Returns the amounts per second by unit, from the amounts per call and the mean time of a call.
/// Empty if the mean is zero.
pub(crate) fn compute_throughput(
    per_call: &BTreeMap<String, f64>,
    mean: Nanos,
) -> BTreeMap<String, f64> {
    const NANOS_PER_SECOND: f64 = 1e9;
    let rates = per_call
        .iter()
        .map(|(unit, amount)| (unit.clone(), amount / mean.get() * NANOS_PER_SECOND));
    rates.filter(|(_, per_second)| per_second.is_finite()).collect()
}

/// Returns the arithmetic mean of all calls, with the interval that leaves out `tail` on each side.
/// The interval is over launches, or over runs if there are several. A single launch has none.
///
/// Returns `None` if a sum of times is too large for a double.
fn estimate_mean(runs: &[&Benchmark], tail: f64) -> Option<Estimate> {
    let summarize = |run: &Benchmark| -> Vec<ClusterSummary> {
        run.launches.iter().map(Launch::summarize_calls).collect()
    };
    let pool = |run: &&Benchmark| {
        let launches = summarize(run);
        let size = launches.iter().map(|launch| launch.size).sum();
        Some(ClusterSummary { mean: estimate_cluster_mean(&launches, tail).ok()?.mean, size })
    };
    let clusters = match runs {
        [run] => summarize(run),
        runs => runs.iter().map(pool).collect::<Option<_>>()?,
    };
    let ClusterMean { mean, bounds } = estimate_cluster_mean(&clusters, tail).ok()?;
    let (low, high) = bounds.unzip();
    let to_bound = |bound: f64| Nanos::new(bound.clamp(0.0, f64::MAX)).ok();
    Some(Estimate {
        low: low.and_then(to_bound),
        point: to_bound(mean)?,
        high: high.and_then(to_bound),
    })
}

/// Returns the geometric mean of a figure over launches, with the interval that leaves out `tail` on
/// each side. Several runs count one each. A single launch has no interval.
///
/// Zero has no logarithm. If the figure of a launch is zero because its clock is too coarse, the
/// median of the launches is returned instead, without an interval.
fn estimate_typical(groups: &[Vec<Digest>], tail: f64, figure: fn(&Digest) -> Nanos) -> Estimate {
    let mut figures: Vec<Nanos> = groups.iter().flatten().map(figure).collect();
    figures.sort_unstable();
    if figures.first().is_some_and(|smallest| smallest.get() == 0.0) {
        return Estimate { low: None, point: figures[(figures.len() - 1) / 2], high: None };
    }
    let to_lns = |launches: &[Digest]| -> Vec<f64> {
        launches.iter().map(|digest| figure(digest).ln()).collect()
    };
    let summarize = |lns: &[f64]| {
        summary::Moments::from_values(lns)
            .expect("a benchmark has launches, and logarithms of durations are finite")
    };
    let lns = match groups {
        [launches] => to_lns(launches),
        runs => runs.iter().map(|launches| summarize(&to_lns(launches)).mean()).collect(),
    };
    let lns = summarize(&lns);
    let (low, high) = compute_mean_interval(&lns, tail).unzip();
    Estimate {
        low: low.map(exponentiate),
        point: exponentiate(lns.mean()),
        high: high.map(exponentiate),
    }
}

/// Returns the duration with the natural logarithm `ln`, or the longest one if it would be infinite.
fn exponentiate(ln: f64) -> Nanos {
    Nanos::saturate(ln.exp())
}
