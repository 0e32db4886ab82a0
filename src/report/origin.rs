//! Since which commit a benchmark is slower, prepared for readers.

use serde::Serialize;

use super::typed_words::build_bisect_command;
use crate::decision::{Judgement, OriginEvidence};

/// Between which commits a benchmark became slower, and how to find the one.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OriginLine<'a> {
    /// Id of the last commit without the slowdown.
    pub(crate) good: &'a str,
    /// Id of the first commit with it.
    pub(crate) bad: &'a str,
    /// Number of commits after `good` up to `bad`; `None` if unknown.
    pub(crate) commits: Option<u64>,
    /// What shows the range.
    pub(crate) evidence: OriginEvidence,
    /// The command that finds the commit. `None` if there is only one, or if the command cannot be
    /// typed.
    pub(crate) command: Option<String>,
}

impl<'a> OriginLine<'a> {
    /// Prepares the origin of `judgement`; `None` if it has none.
    pub(super) fn from_judgement(judgement: &'a Judgement) -> Option<Self> {
        let origin = judgement.origin.as_ref()?;
        let command = build_bisect_command(&origin.good, &origin.bad, &judgement.id);
        Some(Self {
            good: &origin.good,
            bad: &origin.bad,
            commits: origin.commits,
            evidence: origin.evidence,
            command: command.filter(|_| origin.commits != Some(1)),
        })
    }
}
