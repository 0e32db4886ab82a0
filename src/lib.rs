//! perfgate decides on every pull request whether inference code got slower, and whether it still
//! meets its latency targets.
//!
//! ```text
//! measure ─► run ─► store ─► compare ─► verdict ─► report ─► render ─► publish
//! ```
//!
//! The arrows are the way of the data. Modules stand in flow order, and each imports only modules
//! declared above it.

pub mod units;
pub mod files;
pub mod stats;
pub mod host;
pub mod run;
pub mod git;
pub mod measure;
pub mod store;
pub mod history;
pub mod compare;
pub mod policy;
pub mod verdict;
pub mod rounds;
pub mod calibrate;
pub mod evaluate;
pub mod report;
pub mod render;
pub mod site;
pub mod publish;
pub mod init;
pub mod cli;
pub mod cmd;
