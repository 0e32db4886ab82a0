//! What was found about a condition that measurements depend on, as values. `render` has the words.

use std::collections::BTreeSet;

use serde::Serialize;

use super::counters::MAX_STOLEN_SHARE;
use crate::units::Percent;

/// Other processes disturb measurements if they use this share of the processors or more.
const MAX_OTHERS_SHARE: f64 = 0.1;
/// On a fit machine, a clock reading takes fewer nanoseconds than this, and the clock's step is
/// not larger.
const MAX_READING_NANOS: f64 = 100.0;
/// The frequency governor under which a processor keeps its clock rate.
const FIT_GOVERNOR: &str = "performance";

/// Whether one condition of the machine is fit for measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HostFitness {
    /// The condition is as it should be.
    Fine,
    /// The condition disturbs measurements, or something that is needed is missing.
    Unfit,
    /// The system does not report the condition.
    Unknown,
}

/// A condition that some systems do not report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SilentCondition {
    /// Use of the processors by other processes.
    Load,
    /// Processor time that other guests of the machine took.
    StolenTime,
    /// The policy by which the system sets the clock rate.
    Governor,
    /// Clock rates above the nominal one.
    Turbo,
    /// Limit on the processor time of the container.
    Quota,
}

/// A program that perfgate starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequiredTool {
    /// Builds the benches.
    Cargo,
    /// Compiles the benches.
    Rustc,
    /// Keeps baselines and worktrees.
    Git,
    /// Counts instructions.
    Valgrind,
}

impl RequiredTool {
    /// All programs that perfgate starts.
    pub(crate) const ALL: [Self; 4] = [Self::Cargo, Self::Rustc, Self::Git, Self::Valgrind];

    /// Returns whether only Criterion benches need the program.
    pub(crate) fn is_for_benches(self) -> bool {
        match self {
            Self::Cargo | Self::Rustc | Self::Valgrind => true,
            Self::Git => false,
        }
    }

    /// Returns the name of the program.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Rustc => "rustc",
            Self::Git => "git",
            Self::Valgrind => "valgrind",
        }
    }
}

/// The state of one condition that measurements depend on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum HostFinding {
    /// The system does not report the condition.
    Unreported(SilentCondition),
    /// Use of the processors by other processes.
    Load {
        /// Share of the processors that other processes use.
        others: Percent,
        /// Load average of the last minute. It is shown but not judged, because it still includes
        /// the build that has just ended.
        average: String,
    },
    /// Processor time that other guests of the machine took since the start of the system.
    StolenTime {
        /// Share of the busy time.
        share: Percent,
    },
    /// Throttling since the start of the system.
    Throttling {
        /// Number of times.
        times: u64,
    },
    /// The frequency governors of the processors.
    Governors(BTreeSet<String>),
    /// Clock rates above the nominal one.
    Turbo {
        /// True if they are switched off.
        is_off: bool,
    },
    /// The quota of the container.
    Quota {
        /// Number of processors that it allows; `None` if there is no quota.
        processors: Option<f64>,
    },
    /// The clock that durations are read from.
    Clock {
        /// Time of one reading in nanoseconds.
        reading_nanos: f64,
        /// Smallest observed step in nanoseconds.
        step_nanos: f64,
        /// Name of the source; `None` if it is not known.
        source: Option<String>,
    },
    /// The repository has its whole history.
    WholeHistory,
    /// The repository is a shallow clone.
    ShallowHistory,
    /// There is no repository.
    NoRepository,
    /// The repository cannot be read.
    RepositoryUnreadable {
        /// The error.
        cause: String,
    },
    /// The stored runs.
    StoredRuns {
        /// Number of runs of this machine.
        own: usize,
        /// Fingerprints of other machines, each with its number of runs.
        others: Vec<(String, usize)>,
    },
    /// Time that the bench targets of the last check spend on their own set-up.
    BenchSetups {
        /// The bench targets whose set-up takes longer than their calls, each with the seconds of
        /// set-up per launch.
        long: Vec<(String, f64)>,
    },
    /// The stored runs cannot be read.
    StoreUnreadable {
        /// The error.
        cause: String,
    },
    /// A program that perfgate starts.
    Tool {
        /// The program.
        tool: RequiredTool,
        /// What it prints as its version; `None` if it is not installed.
        version: Option<String>,
    },
    /// The library that runs ONNX models.
    OnnxRuntime {
        /// Its path; `None` if it was not found.
        library: Option<String>,
        /// Whether it belongs to a Python package.
        is_from_python: bool,
    },
}

impl HostFinding {
    /// Returns whether the condition is fit for measuring.
    pub(crate) fn judge_fitness(&self) -> HostFitness {
        let is_fine = match self {
            Self::Unreported(_) => return HostFitness::Unknown,
            Self::Load { others, .. } => !is_busy(*others),
            Self::StolenTime { share } => share.get() <= MAX_STOLEN_SHARE,
            Self::Throttling { times } => *times == 0,
            Self::Governors(governors) => governors.iter().all(|one| one == FIT_GOVERNOR),
            Self::Turbo { is_off } => *is_off,
            Self::Quota { processors } => processors.is_none(),
            Self::Clock { reading_nanos, step_nanos, .. } => {
                *reading_nanos < MAX_READING_NANOS && *step_nanos <= MAX_READING_NANOS
            }
            Self::WholeHistory => true,
            Self::ShallowHistory
            | Self::NoRepository
            | Self::RepositoryUnreadable { .. }
            | Self::StoreUnreadable { .. } => false,
            // An empty store is fine.
            Self::StoredRuns { own, others } => *own > 0 || others.is_empty(),
            Self::BenchSetups { long } => long.is_empty(),
            Self::Tool { version, .. } => version.is_some(),
            Self::OnnxRuntime { library, .. } => library.is_some(),
        };
        if is_fine { HostFitness::Fine } else { HostFitness::Unfit }
    }
}

/// True if other processes use so much of the processors that they disturb measurements.
pub(super) fn is_busy(others: Percent) -> bool {
    others.get() >= MAX_OTHERS_SHARE
}
