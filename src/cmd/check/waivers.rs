//! Reads the waivers from the trailers of the judged commits' messages.

use super::CheckSession;
use crate::git::{CommitId, CommitMessages, GitError};
use crate::policy::Policy;
use crate::policy::trailer::parse_trailers;
use crate::run::MeasuredCommit;
use crate::verdict::{Change, Decision};

/// Maximum number of trailers that are read. A change that needs more should use a pattern.
const MAX_TRAILERS: usize = 100;

/// The policy with the waivers of the commit messages, and the warnings about them.
pub(super) struct JudgedPolicy {
    /// The policy that decides, waivers included.
    pub(super) policy: Policy,
    /// Warnings about trailers that do not count.
    notes: Vec<String>,
    /// Whether all commit messages between base and head could be read.
    is_whole: bool,
}

impl JudgedPolicy {
    /// Reads the messages of the commits between `base` and `head`.
    ///
    /// A trailer counts as long as its commit is in that range; the next baseline ends it. A head
    /// that is not a commit of this repository has no messages. If the messages cannot be read,
    /// there are no waivers and one warning.
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
        if trailers.len() > MAX_TRAILERS {
            let left = trailers.len() - MAX_TRAILERS;
            notes.push(format!("{left} more `Perfgate-Accept` trailers are not read"));
        }
        for trailer in trailers.into_iter().take(MAX_TRAILERS) {
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

    /// Adds the warnings to `decision`. Warns about unread messages only if a waiver in them could
    /// have helped: if a benchmark is regressed or missing and has no waiver.
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

/// Reads the messages of the commits after `base` up to `head`.
///
/// Returns `None` if there is no repository or `head` is not a commit of it. Fails if git fails.
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
