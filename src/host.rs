//! The machine: what must match for two runs to be comparable, and what makes it unfit to measure.

mod counters;
mod fitness;
mod probe;

use serde::{Deserialize, Serialize};

pub use self::counters::{Counters, Disturbance};
pub use self::fitness::{Finding, Fitness, Watch, fitness};
pub use self::probe::{Surroundings, rustc, version_of};

/// The machine a run was measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Short hash of everything that must match for two runs to be comparable.
    pub fingerprint: String,
    /// Processor model, as the system names it.
    pub cpu_model: String,
    /// Logical processors this process may use.
    pub cores: u32,
    /// Installed memory in bytes.
    pub memory_bytes: u64,
    /// Operating system and its release.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// Name and version of the machine image, where a hosted runner tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Compiler release that built the benchmarks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rustc: Option<String>,
}
