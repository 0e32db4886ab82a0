//! What was compared, and on which machine it was measured.

use serde::Serialize;

use crate::decision::{BaselineKind, CheckStage, Decision, ScreenOutcome};
use crate::host::Host;
use crate::run::MeasuredCommit;

/// The data that the candidate was compared with.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BaselineLine<'a> {
    /// How the baseline was obtained.
    pub(crate) kind: BaselineKind,
    /// Commit of the baseline; `None` if unknown.
    pub(crate) commit: Option<CommitLine<'a>>,
    /// Number of stored runs in the baseline; `None` if it has none.
    pub(crate) runs: Option<u32>,
    /// Whether rounds confirmed what this baseline suggested. Never true for a baseline that was
    /// itself measured in rounds.
    pub(crate) is_confirmed: bool,
    /// What stored runs decided without rounds.
    pub(crate) screen: Option<ScreenOutcome>,
    /// Machine of the baseline; `None` if it is the candidate's or unknown.
    pub(crate) other_host: Option<HostLine<'a>>,
    /// Release of the compiler of the baseline; `None` if it is the candidate's or unknown.
    pub(crate) other_rustc: Option<&'a str>,
    /// Launches of the candidate in the benchmark that has the most; `None` without a baseline or
    /// launches. Benchmarks whose program is the same on both sides were not launched for this
    /// comparison, and those that the baseline lacks have nothing to compare with.
    pub(crate) launches: Option<u32>,
}

/// A commit in one line.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct CommitLine<'a> {
    /// Id of the commit.
    pub(crate) id: &'a str,
    /// The branch it was measured on; `None` if unknown.
    pub(crate) branch: Option<&'a str>,
    /// Whether the working tree differed from the commit.
    pub(crate) is_dirty: bool,
}

/// A machine in one line.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct HostLine<'a> {
    /// Fingerprint of the machine; it must match for two runs to be comparable.
    pub(crate) fingerprint: &'a str,
    /// Processor model.
    pub(crate) cpu_model: &'a str,
    /// Number of logical processors.
    pub(crate) cores: u32,
    /// Installed memory in bytes.
    pub(crate) memory_bytes: u64,
    /// Operating system.
    pub(crate) os: &'a str,
    /// Kernel release.
    pub(crate) kernel: &'a str,
    /// Machine image; `None` if unknown.
    pub(crate) image: Option<&'a str>,
    /// Compiler release; `None` if unknown.
    pub(crate) rustc: Option<&'a str>,
}

impl<'a> BaselineLine<'a> {
    pub(super) fn new(decision: &'a Decision) -> Self {
        let baseline = &decision.baseline;
        let candidate_host = &decision.candidate.host;
        let other_host =
            baseline.host.as_ref().filter(|host| host.fingerprint != candidate_host.fingerprint);
        let built_otherwise = other_host.filter(|host| host.differs_by_compiler(candidate_host));
        let other_host = other_host.filter(|_| built_otherwise.is_none());
        let compared = decision
            .benchmarks
            .iter()
            .filter(|judgement| !judgement.is_same_program() && judgement.launches.baseline > 0);
        let launches = compared.map(|judgement| judgement.launches.candidate);
        Self {
            kind: baseline.kind,
            commit: baseline.commit.as_ref().map(CommitLine::new),
            runs: baseline.runs,
            is_confirmed: baseline.kind != BaselineKind::Rounds
                && baseline.stages.contains(&CheckStage::Confirmed),
            screen: baseline.screen,
            other_host: other_host.map(HostLine::new),
            other_rustc: built_otherwise.and_then(|host| host.rustc.as_deref()),
            launches: launches
                .max()
                .filter(|launches| baseline.kind != BaselineKind::None && *launches > 0),
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
