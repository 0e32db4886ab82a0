//! Why a benchmark failed, as a value.

use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::recorded::{RecordedValue, RecordedVisitor};
use crate::units::Nanos;

/// Why a benchmark could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case", deny_unknown_fields, remote = "Self")]
pub(crate) enum FailureReason {
    /// The reason in a file of schema 1, or as the harness reported it.
    Reported {
        /// The reason as it was reported.
        sentence: String,
    },
    /// The process panicked.
    Panicked,
    /// The process exceeded its time limit.
    TimedOut {
        /// Time limit.
        limit: Nanos,
    },
    /// The process ended with an exit status other than 0.
    Exited {
        /// Exit status.
        status: i32,
    },
    /// A signal ended the process.
    Killed {
        /// Number of the signal.
        signal: i32,
    },
    /// The system does not report how the process ended.
    EndedUnknown,
    /// The bench lists the benchmark and did not run it.
    ListedNotRun,
    /// The process wrote no samples for the benchmark.
    NoSamplesWritten,
    /// The benchmark ran, but its results are not in the folder that Criterion was given.
    WrittenElsewhere,
    /// The command printed no samples at all.
    NoSamplesPrinted,
    /// The command printed the benchmark without samples.
    EmptySamples,
    /// The command printed the benchmark twice in one launch.
    PrintedTwice,
    /// The command printed a time that is not a duration.
    InvalidSample {
        /// The error.
        cause: String,
    },
    /// The command printed a line that does not follow the protocol.
    InvalidLine {
        /// Number of the line, from 1.
        line: u64,
        /// The error.
        cause: String,
    },
    /// Criterion's files cannot be read or contradict themselves.
    InvalidResult {
        /// The error.
        cause: String,
    },
    /// What another harness printed or wrote cannot be read.
    UnreadableOutput {
        /// Name of the adapter.
        adapter: String,
        /// The error.
        cause: String,
    },
    /// One bench target has several benchmarks with this id.
    RepeatedId {
        /// Name of the bench target.
        bench: String,
        /// Number of benchmarks with the id.
        count: u64,
    },
    /// Several bench targets have a benchmark with this id.
    SharedId {
        /// Names of the bench targets.
        benches: Vec<String>,
    },
}

impl FailureReason {
    /// Returns whether the process itself ended with an error, which its output may explain.
    pub(crate) fn is_end_of_process(&self) -> bool {
        matches!(self, Self::Panicked | Self::Exited { .. })
    }
}

impl<'de> Deserialize<'de> for FailureReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = RecordedVisitor(|value| Self::deserialize(value.into_deserializer()));
        Ok(match deserializer.deserialize_any(visitor)? {
            RecordedValue::Sentence(sentence) => Self::Reported { sentence },
            RecordedValue::Value(reason) => reason,
        })
    }
}

impl Serialize for FailureReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}
