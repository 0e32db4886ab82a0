//! What a check reports about metrics, sums of benchmarks and claims about ratios.

use serde::{Deserialize, Serialize};

/// Why a metric, a target or a claim is not decided, or matches nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "issue", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum ClaimIssue {
    /// The file with the metrics that a bench reports cannot be used.
    MetricsUnusable {
        /// The error.
        cause: String,
    },
    /// A `[[metric]]` names a metric that none of its benchmarks reports.
    MetricUnreported {
        /// Name of the metric.
        metric: String,
        /// Pattern of its benchmarks.
        pattern: String,
    },
    /// The launches do not show whether a metric changed.
    MetricUndecided {
        /// Launches per side.
        launches: u32,
    },
    /// The launches of the baseline report a metric, and those of the candidate do not.
    MetricGone,
    /// A target limits a metric that no launch reports.
    MetricAbsent {
        /// Name of the metric.
        metric: String,
    },
    /// A target limits a throughput, and the benchmark does not state how much a call handles.
    AmountUnknown {
        /// Unit of the throughput.
        unit: String,
    },
    /// Launches that report the same value need to be more before they show a limit.
    FewLaunches {
        /// Number of launches.
        launches: u32,
        /// Number of launches that are enough.
        needed: u32,
    },
    /// A claim names a benchmark that there is not, so it is unproven.
    ExpectationUnmatched {
        /// Name of the claim.
        name: String,
        /// Id of the benchmark.
        benchmark: String,
        /// The id that is most like it. `None` if there is no benchmark.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nearest: Option<String>,
    },
    /// A target on a sum names a benchmark that there is not, so it is unproven.
    SumUnmatched {
        /// Name of the target.
        name: String,
        /// Id of the benchmark.
        benchmark: String,
        /// The id that is most like it. `None` if there is no benchmark.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nearest: Option<String>,
    },
    /// A benchmark of a sum or of a ratio could not be measured.
    PartUnmeasured {
        /// Id of the benchmark.
        benchmark: String,
    },
    /// A percentile of a sum needs single calls, and a part of it is measured in batches.
    PartInBatches {
        /// Id of the benchmark.
        benchmark: String,
    },
    /// A percentile of a sum needs more calls of a part.
    PartNeedsCalls {
        /// Id of the benchmark.
        benchmark: String,
        /// Number of calls.
        calls: u64,
        /// Number of calls without which the sum has no upper bound.
        needed: u64,
    },
}

impl ClaimIssue {
    /// Returns whether a claim or a target is unproven because it names a benchmark that there is
    /// not.
    pub(crate) fn is_unmatched(&self) -> bool {
        matches!(self, Self::ExpectationUnmatched { .. } | Self::SumUnmatched { .. })
    }
}
