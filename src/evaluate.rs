//! Measures how often the decision is wrong, with data whose truth is known and with the production
//! code.
//!
//! Nothing here decides anything. Scenarios and recordings become runs, the runs go through
//! [`verdict::decide`](crate::verdict::decide), and the answers are counted.

mod scenario;
mod tally;
mod judge;
mod peers;
mod recorded;
mod simulate;
pub(crate) mod table;

pub(crate) use recorded::{
    ExpectedChange, LabelledCounts, MACHINES_HEAD, RecordingError, RecordingTable, ReplayPlan,
    SERIES_HEAD, evaluate_labelled, evaluate_machines, evaluate_series,
    evaluate_unchanged_launches,
};
pub(crate) use scenario::{SCENARIOS, Scenario};
pub(crate) use simulate::{SimulationPlan, simulate_scenario};
pub(crate) use tally::{PeerCell, RateCell};
