//! The figures of one side, in the form that every report shows.

use serde::{Deserialize, Serialize};

use crate::run::{Benchmark, Digest, LaunchData, Sampling};
use crate::stats::test::t::compute_mean_interval;
use crate::stats::{order_statistics, summary};
use crate::units::{Confidence, Nanos};

/// Number of bins of a histogram: enough to distinguish two modes, few enough for a file of many
/// benchmarks.
const BIN_COUNT: usize = 40;

/// The figures of one side of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SideFigures {
    /// Number of samples in all launches.
    pub(crate) samples: u64,
    /// Median of a typical launch.
    pub(crate) median: Estimate,
    /// Mean of a typical launch.
    pub(crate) mean: Estimate,
    /// 95th percentile of a typical launch. `None` if samples are batches or too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p95: Option<Estimate>,
    /// 99th percentile of a typical launch. `None` if samples are batches or too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p99: Option<Estimate>,
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
    fn build_histogram(self, side: &Benchmark) -> Option<Histogram> {
        let mut counts = vec![0; BIN_COUNT];
        let edges = self.compute_inner_edges();
        for launch in &side.launches {
            let LaunchData::Samples(samples) = &launch.data else { return None };
            for sample in samples.iter() {
                counts[edges.partition_point(|edge| *edge <= sample.get())] += 1;
            }
        }
        Some(Histogram {
            low: to_nanos(self.low),
            high: to_nanos(self.high),
            counts,
            launch_medians: side.digests().map(|digest| digest.p50).collect(),
        })
    }
}

impl Benchmark {
    /// Returns the figures of this benchmark as one side of a comparison. Returns `None` without
    /// launches.
    pub(crate) fn compute_figures(
        &self,
        axis: HistogramAxis,
        confidence: Confidence,
    ) -> Option<SideFigures> {
        let digests: Vec<Digest> = self.digests().collect();
        if digests.is_empty() {
            return None;
        }
        let samples = digests.iter().map(|digest| digest.count).sum();
        let tail = 0.5 * (1.0 - confidence.get());
        let estimate =
            |figure: fn(&Digest) -> Nanos| estimate_over_launches(&digests, tail, figure);
        // A percentile that a handful of calls cannot bound is not shown either.
        let estimate_percentile = |q, figure| {
            let is_known = self.sampling == Sampling::Call
                && samples >= order_statistics::find_min_sample_count(q, confidence.get()) as u64;
            is_known.then(|| estimate(figure))
        };
        Some(SideFigures {
            samples,
            median: estimate(|digest| digest.p50),
            mean: estimate(|digest| digest.mean),
            p95: estimate_percentile(0.95, |digest| digest.p95),
            p99: estimate_percentile(0.99, |digest| digest.p99),
            histogram: axis.build_histogram(self),
        })
    }
}

/// Returns the geometric mean over launches, with the interval that leaves out `tail` on each side.
/// A single launch has no interval.
///
/// Zero has no logarithm. If the figure of a launch is zero because its clock is too coarse, the
/// median of the launches is returned instead, without an interval.
fn estimate_over_launches(digests: &[Digest], tail: f64, figure: fn(&Digest) -> Nanos) -> Estimate {
    let mut figures: Vec<Nanos> = digests.iter().map(figure).collect();
    figures.sort_unstable();
    if figures.first().is_some_and(|smallest| smallest.get() == 0.0) {
        return Estimate { low: None, point: figures[(figures.len() - 1) / 2], high: None };
    }
    let lns: Vec<f64> = digests.iter().map(|digest| figure(digest).ln()).collect();
    let lns = summary::Moments::from_values(&lns)
        .expect("a benchmark has launches, and logarithms of durations are finite");
    let (low, high) = compute_mean_interval(&lns, tail).unzip();
    Estimate {
        low: low.map(exponentiate),
        point: exponentiate(lns.mean()),
        high: high.map(exponentiate),
    }
}

/// Returns the duration with the natural logarithm `ln`, or the longest one if it would be infinite.
fn exponentiate(ln: f64) -> Nanos {
    to_nanos(ln.exp().min(f64::MAX))
}

fn to_nanos(ns: f64) -> Nanos {
    Nanos::new(ns).expect("a duration between two durations is one")
}
