//! Tests across the modules of the crate. The tests that run the command are in `tests/it`.
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

mod change_points;
mod checkout;
mod decide;
mod evaluate;
mod examples;
mod git;
#[path = "../tests/it/git_server.rs"]
mod git_server;
mod metrics;
mod outcome;
mod reference;
mod report;
#[path = "../tests/it/repositories.rs"]
mod repositories;
mod restless;
mod rounds;
mod schemas;
mod standing;
mod store;
mod store_shared;
#[path = "../tests/it/synthetic.rs"]
mod synthetic;
mod targets;
mod waivers;

use crate::git::Repository;
use crate::host::Host;
use crate::run::{Run, SampleSource};

/// The types from which the files that the unit tests share with `tests/it` build runs.
mod formats {
    pub(super) use crate::git::CommitId;
    pub(super) use crate::host::Host;
    pub(super) use crate::run::{
        Benchmark, BenchmarkFailure, Digest, Launch, LaunchData, MeasuredCommit, Run, SampleSource,
        Samples, Sampling,
    };
    pub(super) use crate::units::Nanos;
}

impl repositories::Bed {
    fn repository(&self, folder: &str) -> Repository {
        Repository::discover(&self.path(folder)).unwrap().unwrap()
    }
}

/// Returns a run of `source` without benchmarks, measured on a machine that does not exist.
fn create_test_run(source: SampleSource) -> Run {
    let host = Host {
        fingerprint: "f".to_owned(),
        cpu_model: "c".to_owned(),
        cores: 1,
        memory_bytes: 0,
        os: "o".to_owned(),
        kernel: "k".to_owned(),
        image: None,
        rustc: None,
    };
    Run::new("2026-11-28T00:00:00Z".to_owned(), source, host)
}
