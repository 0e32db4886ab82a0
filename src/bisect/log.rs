//! The log of a search as a file: what it asks, and what each commit gave. A search that was
//! interrupted goes on from it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::search::{BisectSearch, PositionState};
use crate::note::FailureReason;

/// Name and number of the format of the log and of the report.
pub(crate) const BISECT_SCHEMA: &str = "perfgate.bisect/1";
/// Largest log ratio of a round that can be meant: a factor of more than 10⁸.
const MAX_DIFFERENCE: f64 = 20.0;

/// Why a log cannot be used.
#[derive(Debug, Error)]
pub(crate) enum LogError {
    /// It is not JSON of this format.
    #[error("it is not the log of a search: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version wrote it.
    #[error("its schema is `{0}`, not `{BISECT_SCHEMA}`")]
    Schema(String),
    /// It names a commit twice, one that is not in the range, or values that no measurement gives.
    #[error("what it has about commit `{0}` is not valid")]
    Commit(String),
}

/// What a search asks. Two searches with equal requests have the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BisectRequest {
    /// Full id of the good commit.
    pub(crate) good: String,
    /// Full id of the bad commit.
    pub(crate) bad: String,
    /// The benchmark as the command line names it.
    pub(crate) bench: String,
    /// Whether merged commits are searched, too.
    pub(crate) all: bool,
    /// The machine that measures.
    pub(crate) fingerprint: String,
    /// How benches are built, or the command that is started in their place.
    pub(crate) source: Vec<String>,
}

/// The log of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BisectLog {
    /// [`BISECT_SCHEMA`].
    pub(crate) schema: String,
    /// What is asked.
    pub(crate) request: BisectRequest,
    /// The search between the two commits, then those inside of merges.
    pub(crate) searches: Vec<SearchLog>,
}

/// What is known about the commits between two commits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchLog {
    /// Full id of the commit that the others are compared with.
    pub(crate) good: String,
    /// Full id of the last commit.
    pub(crate) bad: String,
    /// The commits that were looked at, in this order.
    pub(crate) commits: Vec<LoggedCommit>,
}

/// A commit that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoggedCommit {
    /// Full id.
    pub(crate) commit: String,
    /// Hash of the program that was measured; `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) program: Option<String>,
    /// What it gave.
    pub(crate) result: CommitResult,
}

/// What a commit gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CommitResult {
    /// Logarithms of its median ÷ that of the good commit, one per round.
    Measured(Vec<f64>),
    /// It cannot be measured.
    Skipped(SkipReason),
    /// Its program is that of this commit, which is the good one or was measured.
    SameProgram(String),
}

/// Why a commit cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub(crate) enum SkipReason {
    /// It cannot be prepared or built.
    NotBuilt {
        /// The error.
        cause: String,
    },
    /// It has no manifest at this path.
    NoManifest {
        /// The path in the repository.
        path: String,
    },
    /// It does not define the Cargo profile.
    NoProfile {
        /// Name of the profile.
        profile: String,
    },
    /// It does not have the benchmark.
    NoBenchmark,
    /// The benchmark fails.
    Failed {
        /// The reason.
        failure: FailureReason,
    },
}

impl BisectLog {
    /// Begins the log of a search.
    pub(crate) fn new(request: BisectRequest) -> Self {
        Self { schema: BISECT_SCHEMA.to_owned(), request, searches: Vec::new() }
    }

    /// Parses a log file.
    ///
    /// # Errors
    ///
    /// Fails if it is not a log of this schema.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, LogError> {
        let log: Self = serde_json::from_slice(json)?;
        if log.schema != BISECT_SCHEMA {
            return Err(LogError::Schema(log.schema));
        }
        Ok(log)
    }
}

impl SearchLog {
    /// Begins the log of a search between two commits.
    pub(crate) fn new(good: String, bad: String) -> Self {
        Self { good, bad, commits: Vec::new() }
    }

    /// Sets what `commit` gave. Its program stays as it was.
    pub(crate) fn set_result(&mut self, commit: &str, result: CommitResult) {
        let mut commits = self.commits.iter_mut();
        if let Some(logged) = commits.find(|logged| logged.commit == commit) {
            logged.result = result;
        } else {
            let commit = commit.to_owned();
            self.commits.push(LoggedCommit { commit, program: None, result });
        }
    }

    /// Sets the program of `commit`, which was looked at.
    pub(crate) fn set_program(&mut self, commit: &str, program: String) {
        if let Some(logged) = self.commits.iter_mut().find(|logged| logged.commit == commit) {
            logged.program = Some(program);
        }
    }

    /// Returns the rounds of `commit`; none if it was not measured.
    pub(crate) fn list_differences(&self, commit: &str) -> Vec<f64> {
        let logged = self.commits.iter().find(|logged| logged.commit == commit);
        match logged.map(|logged| &logged.result) {
            Some(CommitResult::Measured(differences)) => differences.clone(),
            _ => Vec::new(),
        }
    }

    /// Returns the search with everything that is logged. `history` has the ids of all commits, the
    /// good one first.
    ///
    /// # Errors
    ///
    /// Fails if the log has a commit twice, one that is not in `history`, or values that no
    /// measurement gives.
    pub(crate) fn restore_search(&self, history: &[String]) -> Result<BisectSearch, LogError> {
        let places: HashMap<&str, usize> =
            history.iter().enumerate().map(|(at, id)| (id.as_str(), at)).collect();
        let mut search = BisectSearch::new(history.len() - 1);
        let refuse = |commit: &str| LogError::Commit(commit.to_owned());
        for logged in &self.commits {
            let commit = logged.commit.as_str();
            let place = places.get(commit).copied().filter(|place| *place > 0);
            let place = place.ok_or_else(|| refuse(commit))?;
            if search.states()[place] != PositionState::Unknown {
                return Err(refuse(commit));
            }
            let state = match &logged.result {
                CommitResult::Measured(differences) => {
                    let is_valid = |difference: &f64| difference.abs() <= MAX_DIFFERENCE;
                    if differences.is_empty() || !differences.iter().all(is_valid) {
                        return Err(refuse(commit));
                    }
                    PositionState::Measured(differences.clone())
                }
                CommitResult::Skipped(_) => PositionState::Skipped,
                CommitResult::SameProgram(other) => {
                    // The other commit was measured before, or is the good one.
                    let root = places.get(other.as_str()).copied().filter(|root| {
                        *root == 0 || matches!(search.states()[*root], PositionState::Measured(_))
                    });
                    PositionState::SameProgram(root.ok_or_else(|| refuse(commit))?)
                }
            };
            search.set_state(place, state);
        }
        Ok(search)
    }
}
