//! Reads the waivers from the trailers of the judged commits' messages.

use super::inputs::CheckInputs;
use crate::git::{CommitId, CommitMessages, GitError};
use crate::note::Note;
use crate::policy::trailer::parse_trailers;
use crate::verdict::TrailerEvidence;

/// Reads the waivers from the messages of the commits between `base` and the head.
///
/// A trailer counts as long as its commit is in that range; the next baseline ends it. A head that
/// is not a commit of this repository has no messages. If the messages cannot be read, there are no
/// waivers and one note.
pub(super) fn read_trailers(check: &CheckInputs<'_>, base: Option<&CommitId>) -> TrailerEvidence {
    let mut evidence =
        TrailerEvidence { accepted: Vec::new(), notes: Vec::new(), is_complete: true };
    let messages = match read_messages(check, base) {
        Ok(Some(messages)) => messages,
        Ok(None) => return evidence,
        Err(error) => {
            evidence.notes.push(Note::MessagesNotRead { cause: error.to_string() });
            return evidence;
        }
    };
    evidence.is_complete = messages.is_complete;
    let trailers = parse_trailers(messages.texts.iter().map(String::as_str));
    if trailers.unread > 0 {
        let count = u32::try_from(trailers.unread).unwrap_or(u32::MAX);
        evidence.notes.push(Note::TrailersNotRead { count });
    }
    for trailer in trailers.parsed {
        match trailer {
            Ok(waiver) => evidence.accepted.push(waiver),
            Err(error) => {
                evidence.notes.push(Note::TrailerInvalid { cause: error.to_string() });
            }
        }
    }
    evidence
}

/// Reads the messages of the commits after `base` up to the head.
///
/// Returns `None` if there is no repository or the head is not a commit of it. Fails if git fails.
fn read_messages(
    check: &CheckInputs<'_>,
    base: Option<&CommitId>,
) -> Result<Option<CommitMessages>, GitError> {
    let head = check.head.as_ref().and_then(|head| CommitId::parse(&head.id));
    let Some((repository, head)) = check.session.project.repository.as_ref().zip(head) else {
        return Ok(None);
    };
    if !repository.has_commit(&head) {
        return Ok(None);
    }
    repository.read_messages(base, &head).map(Some)
}
