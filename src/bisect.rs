//! Finds the commit that changed a benchmark, in noise: the posterior over histories, which commit is
//! measured next, the log of a search and its report.
//!
//! Pure: it reads no clock, starts nothing and knows neither git nor a benchmark. Building and
//! measuring are the command's.

mod grid;
mod posterior;
mod search;
mod log;
mod report;
#[cfg(test)]
mod tests;

pub(crate) use log::{BisectLog, BisectRequest, CommitResult, LogError, SearchLog, SkipReason};
pub(crate) use report::{
    BisectOutcome, BisectReport, NamedCommit, ReportedChange, SearchReport, SkippedCommit,
};
pub(crate) use search::{BisectSearch, PositionState, SearchStep, SearchSummary, SuspectGap};
