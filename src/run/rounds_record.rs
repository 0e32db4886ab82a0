//! What a measurement in rounds fixes about its looks.

use serde::{Deserialize, Serialize};

/// Largest number of rounds that a benchmark may take. The looks of a benchmark share its error
/// rates, so the number is fixed before the first look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub(crate) enum LookHorizon {
    /// At most 20 rounds; also the horizon of files that name none.
    #[default]
    Rounds20 = 20,
    /// At most 40 rounds.
    Rounds40 = 40,
    /// At most 80 rounds.
    Rounds80 = 80,
    /// At most 160 rounds.
    Rounds160 = 160,
}

/// What was fixed before the first look at a measurement in rounds. Both sides have the same record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoundsRecord {
    /// Largest number of rounds that a benchmark may take.
    pub(crate) horizon: LookHorizon,
    /// Number of benchmarks that entered the rounds, and therefore share the false-alarm rate.
    pub(crate) entered: u32,
}

impl LookHorizon {
    /// All horizons, in ascending order.
    pub(crate) const ALL: [Self; 4] =
        [Self::Rounds20, Self::Rounds40, Self::Rounds80, Self::Rounds160];

    /// Returns the largest horizon that `affordable_rounds` rounds reach, or the smallest if they
    /// reach none.
    ///
    /// Must be called before the first look, with a number that does not depend on how the sides
    /// differ.
    pub(crate) fn choose(affordable_rounds: usize) -> Self {
        let reached = Self::ALL.into_iter().rfind(|horizon| horizon.rounds() <= affordable_rounds);
        reached.unwrap_or_default()
    }

    /// Returns the number of rounds.
    pub(crate) const fn rounds(self) -> usize {
        self as usize
    }
}

impl TryFrom<u32> for LookHorizon {
    type Error = String;

    /// Fails if no plan of looks ends after this number of rounds.
    fn try_from(rounds: u32) -> Result<Self, String> {
        let horizon = Self::ALL.into_iter().find(|horizon| horizon.rounds() == rounds as usize);
        horizon.ok_or_else(|| format!("a horizon is 20, 40, 80 or 160 rounds, not `{rounds}`"))
    }
}

impl From<LookHorizon> for u32 {
    fn from(horizon: LookHorizon) -> Self {
        horizon as Self
    }
}

#[cfg(test)]
mod tests {
    use super::LookHorizon;

    #[test]
    fn the_horizon_is_the_largest_that_the_budget_reaches() {
        for (affordable, rounds) in
            [(0, 20), (19, 20), (39, 20), (40, 40), (79, 40), (80, 80), (159, 80), (5000, 160)]
        {
            assert_eq!(LookHorizon::choose(affordable).rounds(), rounds, "{affordable}");
        }
    }

    #[test]
    fn a_file_may_name_no_other_horizon() {
        for horizon in LookHorizon::ALL {
            let json = serde_json::to_string(&horizon).unwrap();
            assert_eq!(json, horizon.rounds().to_string());
            assert_eq!(serde_json::from_str::<LookHorizon>(&json).unwrap(), horizon);
        }
        assert!(serde_json::from_str::<LookHorizon>("30").is_err());
    }
}
