//! What makes the figures of a loaded service weaker than they look, and what a soak found.

use serde::{Deserialize, Serialize};

use crate::units::{Ratio, RequestRate};

/// Why the figures of a loaded service do not answer the question that a target asks at a rate of
/// requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "issue", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum LoadIssue {
    /// Requests were sent when answers had come, so a slow service was asked less.
    ClosedLoop,
    /// Requests that waited for a free connection count from when they were sent.
    WaitNotCounted {
        /// Largest number of requests at a time.
        concurrency: f64,
    },
    /// Nobody states how requests were sent and from when they count.
    UnknownLoad,
    /// Nobody states the rate that was asked for.
    UnknownRate,
    /// Another rate was asked for.
    OtherRate {
        /// The rate that was asked for.
        measured: RequestRate,
    },
    /// The load generator or the service did not reach the rate.
    RateNotReached {
        /// The rate that was reached.
        reached: RequestRate,
    },
}

/// What the course of one launch shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "course", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum CourseFinding {
    /// The latency grew from the beginning of the launch to its end.
    LatencyGrew {
        /// Name of the benchmark.
        benchmark: String,
        /// Lower end of the interval of end ÷ beginning.
        low: Ratio,
        /// Best estimate of end ÷ beginning.
        point: Ratio,
        /// Upper end of the interval of end ÷ beginning.
        high: Ratio,
    },
    /// The memory of the service grew from the beginning of the launch to its end.
    MemoryGrew {
        /// Lower end of the interval of the growth, in bytes.
        low: f64,
        /// Best estimate of the growth, in bytes.
        point: f64,
        /// Upper end of the interval of the growth, in bytes.
        high: f64,
    },
    /// The load generator did not send some of its requests, or gave up on them.
    RequestsDropped {
        /// Name of the benchmark.
        benchmark: String,
        /// Number of requests.
        dropped: u64,
    },
}
