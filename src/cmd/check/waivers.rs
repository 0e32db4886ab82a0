//! What the messages of the commits that are judged accept.

use super::CheckSession;
use crate::git::{CommitId, CommitMessages, GitError};
use crate::policy::Policy;
use crate::policy::trailer::parse_trailers;
use crate::run::MeasuredCommit;
use crate::verdict::{Change, Decision};

/// Trailers that are read; whoever needs more means a pattern.
const MOST: usize = 100;

/// The policy with what commit messages accept, and what has to be said about them.
pub(super) struct JudgedPolicy {
    /// What is judged by.
    pub(super) policy: Policy,
    notes: Vec<String>,
    is_whole: bool,
}

impl JudgedPolicy {
    /// Reads the messages of the commits between `base` and `head`.
    ///
    /// A trailer counts for as long as its commit is in that range: the next baseline ends it. What
    /// is no commit of this repository has no messages.
    pub(super) fn read(
        check: &CheckSession<'_>,
        head: Option<&MeasuredCommit>,
        base: Option<&CommitId>,
    ) -> Self {
        let messages = match read_messages(check, head, base) {
            Ok(messages) => {
                messages.unwrap_or(CommitMessages { texts: Vec::new(), is_complete: true })
            }
            Err(error) => {
                let note = format!("commit messages could not be read: {error}");
                let policy = check.policy.clone();
                return Self { policy, notes: vec![note], is_whole: true };
            }
        };
        let mut notes = Vec::new();
        let mut accepted = Vec::new();
        let trailers: Vec<_> =
            messages.texts.iter().flat_map(|text| parse_trailers(text)).collect();
        if trailers.len() > MOST {
            let left = trailers.len() - MOST;
            notes.push(format!("{left} more `Perfgate-Accept` trailers are not read"));
        }
        for trailer in trailers.into_iter().take(MOST) {
            match trailer {
                Ok(waiver) => accepted.push(waiver),
                Err(error) => {
                    notes.push(format!("a `Perfgate-Accept` trailer does not count: {error}"));
                }
            }
        }
        let policy = check.policy.clone().with_trailers(accepted);
        Self { policy, notes, is_whole: messages.is_complete }
    }

    /// Adds what the reader should know; that messages are missing only where one could have helped.
    pub(super) fn add_warnings(self, decision: &mut Decision) {
        decision.warnings.extend(self.notes);
        let is_open = decision.benchmarks.iter().any(|judgement| {
            matches!(judgement.change, Change::Regressed | Change::Missing)
                && judgement.waiver.is_none()
        });
        if is_open && !self.is_whole {
            let warning = "only some of the commit messages could be read, so a `Perfgate-Accept` \
                           in the others does not count: check out with `fetch-depth: 0`";
            decision.warnings.push(warning.to_owned());
        }
    }
}

fn read_messages(
    check: &CheckSession<'_>,
    head: Option<&MeasuredCommit>,
    base: Option<&CommitId>,
) -> Result<Option<CommitMessages>, GitError> {
    let head = head.and_then(|head| CommitId::parse(&head.id));
    let Some((repository, head)) = check.project.repository.as_ref().zip(head) else {
        return Ok(None);
    };
    if !repository.has_commit(&head) {
        return Ok(None);
    }
    repository.read_messages(base, &head).map(Some)
}
