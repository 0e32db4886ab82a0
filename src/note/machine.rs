//! What a note names of a machine.

use serde::{Deserialize, Serialize};

use crate::units::Percent;

/// What disturbed a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "disturbance", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Disturbance {
    /// The hypervisor gave processor time to other machines.
    StolenTime {
        /// Share of the processor time.
        share: Percent,
    },
    /// The processor lowered its clock rate or the quota of the container was used up.
    Throttled {
        /// Number of times.
        times: u64,
    },
}

/// Names a machine for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MachineName {
    /// Processor model.
    pub(crate) cpu_model: String,
    /// Kernel release.
    pub(crate) kernel: String,
}

/// A machine that has stored runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredMachine {
    /// Processor model.
    pub(crate) cpu_model: String,
    /// Number of logical processors.
    pub(crate) cores: u32,
    /// Kernel release.
    pub(crate) kernel: String,
}
