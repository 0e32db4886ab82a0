//! The gate: turns evidence and a policy into a decision.
//!
//! The file types are in `decision`. Nothing here makes text; what weakens an answer becomes a
//! typed note.

pub(crate) mod look_plan;
pub(crate) mod test_form;
mod clock;
mod alike;
mod change;
mod witness;
mod looks;
mod evidence;
mod rounds_need;
mod conditions;
mod bench_changes;
mod counts;
mod open;
mod screen;
mod short_launches;
mod more_time;
mod target_bound;
mod open_loop;
mod batch_target;
mod target;
mod metric_target;
mod sum_target;
mod expectation;
mod claims;
mod setup;
mod metric;
mod judge;
mod release;
mod waivers;
mod unmatched;
mod outcome;
mod decide;

pub(crate) use conditions::keep_runs_like;
pub(crate) use decide::decide;
pub(crate) use evidence::{
    BaselineEvidence, CountEvidence, EditedBenches, Evidence, ReleaseEvidence, RoundsEvidence,
    SameBenchmark, TrailerEvidence,
};
pub(crate) use look_plan::MIN_ROUNDS;
pub(crate) use looks::{NoiseHistory, find_next_look};
pub(crate) use open::{find_unconfirmed, find_undecided};
pub(crate) use rounds_need::estimate_rounds_needs;
pub(crate) use target::count_needed_samples;
