//! What the pilot launch found about each bench target, as the run keeps it.

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// What the pilot launch found about one bench target, and the effort that follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PilotRecord {
    /// Package of the bench target; `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    /// Name of the bench target.
    pub(crate) target: String,
    /// Time that a launch takes besides its benchmarks: the start of the process and its own set-up.
    pub(crate) setup: Nanos,
    /// Least time of the calls per benchmark and launch.
    pub(crate) launch_time: Nanos,
    /// Number of process starts per launch.
    pub(crate) starts: u32,
    /// The benchmarks of the target that are measured.
    pub(crate) benchmarks: Vec<PilotedBenchmark>,
}

/// What the pilot launch found about one benchmark, and its effort.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PilotedBenchmark {
    /// Name of the benchmark.
    pub(crate) id: String,
    /// Time of one call; zero if it was too short to be measured.
    pub(crate) call: Nanos,
    /// Number of calls per launch; `None` if the benchmark is measured in batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) calls: Option<u32>,
}

/// Set-ups that are shorter than this are not long, in nanoseconds.
const LONG_SETUP_NANOS: f64 = 1e9;

impl PilotRecord {
    /// Returns the time of the measured calls of one launch, in nanoseconds.
    fn sum_call_nanos(&self) -> f64 {
        let nanos = self.benchmarks.iter().map(|benchmark| match benchmark.calls {
            Some(calls) => f64::from(calls) * benchmark.call.get(),
            None => self.launch_time.get(),
        });
        nanos.sum()
    }

    /// Returns whether a launch takes at least a second besides its benchmarks, and more than their
    /// calls.
    pub(crate) fn has_long_setup(&self) -> bool {
        let setup = self.setup.get();
        setup >= LONG_SETUP_NANOS && setup * f64::from(self.starts) > self.sum_call_nanos()
    }
}
