//! perfgate decides on every pull request whether inference code got slower, and whether it still
//! meets its latency targets.
//!
//! ```text
//! measure ─► run ─► store ─► compare ─► verdict ─► report ─► render ─► publish
//! ```
//!
//! The arrows show the flow of the data. Modules are declared in flow order, and each imports only
//! modules declared above it.

mod units;
mod text;
mod files;
mod secrets;
mod symbols;
mod stats;
mod note;
mod host;
mod run;
mod process;
mod git;
mod selection;
mod model;
mod measure;
mod store;
mod compare;
mod policy;
mod decision;
mod verdict;
mod rounds;
mod explain;
mod bisect;
mod calibrate;
mod evaluate;
mod report;
mod render;
mod site;
mod publish;
mod init;
mod cli;
mod session;
mod cmd;
#[cfg(feature = "internals")]
pub mod internals;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Parser as _;

/// Runs the `perfgate` command with the arguments of the process, and returns its exit code.
///
/// The commands and the file formats are the interface of perfgate. This crate has no other stable
/// interface.
pub fn main() -> ExitCode {
    let result = cmd::dispatch(cli::Cli::parse());
    result.map_or_else(
        |error| {
            let (message, status) = session::explain_error(&error);
            session::print::print_note(&message);
            status.into()
        },
        ExitCode::from,
    )
}
