//! Finds the stored runs of the last release, because slow creep passes every comparison with the
//! commit before.

use anyhow::Result;

use super::compared_with::ComparedWith;
use super::inputs::{BaselineChoice, CheckInputs};
use crate::git::CommitId;
use crate::run::Run;
use crate::session::CommandError;
use crate::store::{BaselineMatch, RunKind, StoredBaseline as StoredRuns};
use crate::verdict::{ReleaseEvidence, keep_runs_like};

/// Finds the stored runs of the last release before the candidate.
///
/// Returns `None` if stored runs are not the baseline, if no run of the release is stored, or if
/// the release is the baseline already. Fails if the repository or the store cannot be read.
pub(super) fn find_release_evidence(
    check: &CheckInputs<'_>,
    candidate: &Run,
    compared_with: &ComparedWith,
) -> Result<Option<ReleaseEvidence>> {
    // Find the release in the ancestry of the candidate, then its stored runs.
    let is_asked = matches!(check.choice, BaselineChoice::Auto | BaselineChoice::Stored);
    if !is_asked {
        return Ok(None);
    }
    let repository = check.session.project.repository.as_ref();
    let Some((repository, store)) = repository.zip(check.session.store.open_if_present()?) else {
        return Ok(None);
    };
    let commit = candidate.commit.as_ref().and_then(|commit| CommitId::parse(&commit.id));
    let release = commit.map(|commit| repository.find_last_release(&commit)).transpose();
    let Some((tag, release)) = release.map_err(CommandError::from)?.flatten() else {
        return Ok(None);
    };
    if compared_with.commit.as_ref() == Some(&release) {
        return Ok(None);
    }
    let lookup =
        store.find_baseline([release], RunKind::from_run(candidate)).map_err(CommandError::from)?;
    Ok(match lookup.found {
        BaselineMatch::Baseline(StoredRuns { runs, .. }) => {
            let runs = keep_runs_like(runs, candidate, &check.session.policy);
            Some(ReleaseEvidence { tag, runs })
        }
        BaselineMatch::OtherHost { .. } | BaselineMatch::Nothing => None,
    })
}
