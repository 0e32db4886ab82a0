//! The reasons for which a check does not pass.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::PolicyError;

/// A reason for which a check does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FailOn {
    /// A benchmark is slower than tolerated.
    Regressed,
    /// A target is missed.
    TargetMissed,
    /// A benchmark of the baseline is gone.
    Missing,
    /// A benchmark could not be measured.
    Failed,
    /// A target cannot be shown to hold.
    TargetUnproven,
    /// The data do not show whether a benchmark changed.
    Inconclusive,
}

impl FailOn {
    /// All reasons.
    pub(crate) const ALL: [Self; 6] = [
        Self::Regressed,
        Self::TargetMissed,
        Self::Missing,
        Self::Failed,
        Self::TargetUnproven,
        Self::Inconclusive,
    ];

    /// Returns the word that the command line and files use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::TargetMissed => "target-missed",
            Self::Missing => "missing",
            Self::Failed => "failed",
            Self::TargetUnproven => "target-unproven",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl FromStr for FailOn {
    type Err = PolicyError;

    fn from_str(word: &str) -> Result<Self, PolicyError> {
        let known = Self::ALL.into_iter().find(|reason| reason.name() == word);
        known.ok_or_else(|| PolicyError::FailOn(word.to_owned()))
    }
}
