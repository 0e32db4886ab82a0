//! What was compared, and where it was measured.

use serde::Serialize;

use crate::host::Host;
use crate::run::MeasuredCommit;
use crate::verdict::{BaselineKind, CheckStage, Decision, ScreenOutcome};

/// What was compared with.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BaselineLine<'a> {
    /// How it was had.
    pub(crate) kind: BaselineKind,
    /// Its commit.
    pub(crate) commit: Option<CommitLine<'a>>,
    /// Stored runs it rests on.
    pub(crate) runs: Option<u32>,
    /// Whether any answer came from rounds of both sides.
    pub(crate) is_confirmed: bool,
    /// What stored runs settled without rounds.
    pub(crate) screen: Option<ScreenOutcome>,
    /// Its machine, where that is another than the candidate's.
    pub(crate) other_host: Option<HostLine<'a>>,
    /// Launches per side of the benchmark that has most of them.
    pub(crate) launches: u32,
}

/// A commit in one line.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct CommitLine<'a> {
    /// Its id.
    pub(crate) id: &'a str,
    /// The branch it was measured on.
    pub(crate) branch: Option<&'a str>,
    /// Whether the working tree differed from it.
    pub(crate) is_dirty: bool,
}

/// A machine in one line.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct HostLine<'a> {
    /// What must match for two runs to be comparable.
    pub(crate) fingerprint: &'a str,
    /// Processor model.
    pub(crate) cpu_model: &'a str,
    /// Logical processors.
    pub(crate) cores: u32,
    /// Installed memory in bytes.
    pub(crate) memory_bytes: u64,
    /// Operating system.
    pub(crate) os: &'a str,
    /// Kernel release.
    pub(crate) kernel: &'a str,
    /// Machine image.
    pub(crate) image: Option<&'a str>,
    /// Compiler release.
    pub(crate) rustc: Option<&'a str>,
}

impl<'a> BaselineLine<'a> {
    pub(super) fn new(decision: &'a Decision) -> Self {
        let baseline = &decision.baseline;
        let candidate_host = &decision.candidate.host;
        let other_host =
            baseline.host.as_ref().filter(|host| host.fingerprint != candidate_host.fingerprint);
        let launches = decision.benchmarks.iter().map(|judgement| judgement.launches.candidate);
        Self {
            kind: baseline.kind,
            commit: baseline.commit.as_ref().map(CommitLine::new),
            runs: baseline.runs,
            is_confirmed: baseline.stages.contains(&CheckStage::Confirmed),
            screen: baseline.screen,
            other_host: other_host.map(HostLine::new),
            launches: launches.max().unwrap_or(0),
        }
    }
}

impl<'a> CommitLine<'a> {
    pub(super) fn new(commit: &'a MeasuredCommit) -> Self {
        Self { id: &commit.id, branch: commit.branch.as_deref(), is_dirty: commit.dirty }
    }
}

impl<'a> HostLine<'a> {
    pub(super) fn new(host: &'a Host) -> Self {
        Self {
            fingerprint: &host.fingerprint,
            cpu_model: &host.cpu_model,
            cores: host.cores,
            memory_bytes: host.memory_bytes,
            os: &host.os,
            kernel: &host.kernel,
            image: host.image.as_deref(),
            rustc: host.rustc.as_deref(),
        }
    }
}
