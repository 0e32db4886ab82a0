//! How often the decision is wrong: data whose truth is known, through the code that ships.
//!
//! Nothing here decides anything. Scenarios and recordings are turned into runs, the runs go through
//! [`verdict::decide`](crate::verdict::decide), and what comes out is counted.

mod judge;
mod peers;
mod recorded;
mod scenario;
mod simulate;
pub(crate) mod table;
mod tally;

pub(crate) use recorded::{
    Expected, Labelled, MACHINES_HEAD, RecordingError, Replay, SERIES_HEAD, Table, labelled,
    launches_of_one_code, machines, series,
};
pub(crate) use scenario::{SCENARIOS, Scenario};
pub(crate) use simulate::{Extent, simulate};
pub(crate) use tally::{Cell, PeerCell};
