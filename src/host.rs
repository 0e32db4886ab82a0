//! The machine that measures: what must match for two runs to be comparable, and what makes a
//! machine unfit to measure.

mod counters;
mod finding;
mod probe;
mod fitness;

use serde::{Deserialize, Serialize};

pub(crate) use self::counters::HostCounters;
pub(crate) use self::finding::{HostFinding, HostFitness, RequiredTool, SilentCondition};
pub(crate) use self::fitness::{HostWatch, check_host_fitness};
pub(crate) use self::probe::{BuildEnvironment, detect_program_version, detect_rustc};

/// The machine a run was measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Host {
    /// Short hash of everything that must match for two runs to be comparable.
    pub(crate) fingerprint: String,
    /// Processor model, as the system names it.
    pub(crate) cpu_model: String,
    /// Logical processors this process may use.
    pub(crate) cores: u32,
    /// Memory of the machine in bytes; 0 if the system does not report it.
    pub(crate) memory_bytes: u64,
    /// Operating system and its release.
    pub(crate) os: String,
    /// Kernel release; `unknown` if the system does not report it.
    pub(crate) kernel: String,
    /// Name and version of the machine image; `None` if no hosted runner reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<String>,
    /// Release of the compiler that built the benchmarks; `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rustc: Option<String>,
}

impl Host {
    /// Returns whether `other` is this machine with another release of the compiler, as far as the
    /// descriptions show it.
    pub(crate) fn differs_by_compiler(&self, other: &Self) -> bool {
        let alike = Self {
            fingerprint: other.fingerprint.clone(),
            rustc: other.rustc.clone(),
            ..self.clone()
        };
        self.rustc != other.rustc && alike == *other
    }
}
