//! The gate: turns evidence and a policy into a decision.
//!
//! The file types are in `decision`. Nothing here makes text; what weakens an answer becomes a
//! typed note.

pub(crate) mod look_plan;
pub(crate) mod test_form;
mod change;
mod looks;
mod evidence;
mod counts;
mod open;
mod screen;
mod short_launches;
mod target;
mod setup;
mod judge;
mod release;
mod waivers;
mod decide;

pub(crate) use decide::decide;
pub(crate) use evidence::{
    BaselineEvidence, CountEvidence, Evidence, ReleaseEvidence, RoundsEvidence, TrailerEvidence,
};
pub(crate) use looks::{NoiseHistory, find_next_look};
pub(crate) use open::{find_unconfirmed, find_undecided};
