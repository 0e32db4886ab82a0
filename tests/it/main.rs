//! The integration tests in one binary, with one module per subject.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cloned_ref_to_slice_refs,
    clippy::type_complexity,
    clippy::float_cmp,
    clippy::cmp_owned,
    reason = "helpers of tests fail by panicking, and say what is skipped"
)]

#[cfg(feature = "github")]
mod action;
mod adapters;
mod base_of_change;
mod bench_edits;
mod bisect;
mod cargo;
mod checkout;
mod command;
mod command_runs;
mod conditions;
mod errors;
mod explain;
mod explain_commands;
mod formats;
#[cfg(all(feature = "internals", feature = "github"))]
mod fuzz;
mod git_server;
#[cfg(feature = "github")]
mod github;
#[cfg(feature = "github")]
mod hostile;
#[cfg(feature = "github")]
mod init;
#[cfg(feature = "github")]
mod issues;
mod layers;
mod measure;
mod metrics;
mod names;
#[cfg(feature = "onnx")]
mod onnx;
#[cfg(feature = "github")]
mod openapi;
mod other_languages;
#[cfg(feature = "github")]
mod publish;
#[cfg(feature = "github")]
mod publish_limits;
mod publish_troubles;
mod output;
mod release;
mod report;
#[cfg(feature = "github")]
mod recording;
mod repositories;
mod rounds;
mod rules_by_path;
mod serving;
mod settings;
mod source;
mod store;
mod store_shared;
mod stored_history;
mod synthetic;
mod trend;
mod two_commits;
mod waivers;
mod words;
