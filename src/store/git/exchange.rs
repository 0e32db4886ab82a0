//! The exchange with remotes: runs that this clone lacks are fetched, and runs that wait are pushed.

use std::collections::HashSet;
use std::time::Instant;

use super::{GitStore, MAX_ATTEMPTS};
use crate::git::{Branch, CommitId, GitError, PushOutcome, Remote};
use crate::store::backoff::RetryBackoff;
use crate::store::key::compute_short_hash;
use crate::store::{PruneSummary, RetentionPolicy, RunKey, StoreError};

/// The result of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PushSummary {
    /// Number of runs that the remote did not have.
    pub(crate) runs: usize,
    /// Number of attempts, including the last.
    pub(crate) attempts: u32,
}

/// The runs of the remote and those of this clone that wait to be pushed.
struct JoinedBranch {
    /// Tip of the branch in this clone; `None` if the branch does not exist.
    local: Option<CommitId>,
    /// The joined commits; `None` if neither the remote nor this clone has a run.
    tips: Option<JoinedTips>,
    /// Number of runs that wait to be pushed.
    waiting_count: usize,
}

/// Two commits with the same runs, whose lists of pruned runs can differ.
struct JoinedTips {
    /// For the remote: the runs that only this clone has pruned are not listed as pruned.
    shared: CommitId,
    /// For the branch of this clone: all runs that it or the remote has pruned are listed.
    own: CommitId,
}
impl GitStore {
    /// Fetches the runs of the remote, and keeps the local runs that wait to be pushed. Runs that
    /// were pruned in this clone stay pruned in it.
    ///
    /// Fails if the fetch fails, or with [`StoreError::Contended`] if other processes kept changing
    /// the branch.
    pub(crate) fn fetch(&self, remote: &Remote<'_>) -> Result<(), StoreError> {
        let Some(incoming) = self.fetch_incoming(remote)? else { return Ok(()) };
        let mut backoff = RetryBackoff::new(Some(&incoming));
        for _ in 0..MAX_ATTEMPTS {
            let joined = self.join_waiting(remote, Some(&incoming))?;
            let commit = joined.tips.as_ref().map_or(&incoming, |tips| &tips.own);
            match self.open_own_branch()?.compare_and_swap(joined.local.as_ref(), commit) {
                Err(GitError::BranchMoved(_)) => backoff.pause(),
                swapped => {
                    swapped?;
                    return self.mark_synced(&format_remote_name(remote), &incoming);
                }
            }
        }
        Err(self.build_contended_error())
    }

    /// Pushes the runs that the remote does not have, on top of the remote's branch. Runs of the
    /// remote that were pruned in this clone alone stay there.
    ///
    /// Fails if the server refuses, or with [`StoreError::Contended`] if other processes kept
    /// pushing first.
    pub(crate) fn push(&self, remote: &Remote<'_>) -> Result<PushSummary, StoreError> {
        self.push_with_retries(remote, Ok)
    }

    /// Prunes the branch of the remote and the branch of this clone.
    ///
    /// Fails like [`GitStore::push`].
    pub(crate) fn prune_remote(
        &self,
        remote: &Remote<'_>,
        policy: &RetentionPolicy,
    ) -> Result<PruneSummary, StoreError> {
        let mut pruned = PruneSummary { removed: Vec::new(), kept_count: 0 };
        self.push_with_retries(remote, |tips| {
            let (remaining, summary) = self.squash_runs(&tips.own, policy)?;
            pruned = summary;
            Ok(match remaining {
                Some(remaining) => JoinedTips { shared: remaining.clone(), own: remaining },
                None => tips,
            })
        })?;
        Ok(pruned)
    }

    /// Fetches, joins, edits and pushes, and repeats this until no other process was faster.
    fn push_with_retries(
        &self,
        remote: &Remote<'_>,
        mut edit: impl FnMut(JoinedTips) -> Result<JoinedTips, StoreError>,
    ) -> Result<PushSummary, StoreError> {
        // Per attempt: fetch the remote's tip, put the waiting runs on top, apply `edit`, and push
        // under the condition that the remote has not moved. After a success, move the local
        // branch.
        let mut backoff: Option<RetryBackoff> = None;
        for attempts in 1..=MAX_ATTEMPTS {
            let began = Instant::now();
            let incoming = self.fetch_incoming(remote)?;
            let joined = self.join_waiting(remote, incoming.as_ref())?;
            let Some(tips) = joined.tips.map(&mut edit).transpose()? else {
                return Ok(PushSummary { runs: 0, attempts });
            };
            let JoinedTips { shared, own } = tips;
            let push = if Some(&shared) == incoming.as_ref() {
                PushOutcome::Done
            } else {
                remote.push(&shared, &self.branch, incoming.as_ref())?
            };
            match push {
                PushOutcome::Done => {
                    match self.open_own_branch()?.compare_and_swap(joined.local.as_ref(), &own) {
                        // `BranchMoved`: another process of this clone saved a run in between. Its
                        // record still waits to be pushed.
                        Ok(()) | Err(GitError::BranchMoved(_)) => {
                            self.mark_synced(&format_remote_name(remote), &shared)?;
                        }
                        Err(error) => return Err(error.into()),
                    }
                    return Ok(PushSummary { runs: joined.waiting_count, attempts });
                }
                PushOutcome::TryAgain => {
                    let pauses = backoff.get_or_insert_with(|| RetryBackoff::new(Some(&shared)));
                    pauses.pause_after_attempt(began.elapsed());
                }
            }
        }
        Err(self.build_contended_error())
    }

    /// Returns the current tip of the remote's branch, or `None` if the remote does not have it.
    /// Temporary failures are retried.
    fn fetch_incoming(&self, remote: &Remote<'_>) -> Result<Option<CommitId>, StoreError> {
        let into = format!("refs/perfgate/incoming/{}/{}", format_remote_name(remote), self.branch);
        let mut backoff = RetryBackoff::new(None);
        for _ in 1..MAX_ATTEMPTS {
            match remote.fetch(&self.branch, &into) {
                Err(error) if Remote::is_transient(&error) => backoff.pause(),
                answer => return Ok(answer?),
            }
        }
        Ok(remote.fetch(&self.branch, &into)?)
    }

    /// Puts the local runs that wait to be pushed on top of `incoming`. If the remote has no
    /// branch, all local runs are waiting.
    fn join_waiting(
        &self,
        remote: &Remote<'_>,
        incoming: Option<&CommitId>,
    ) -> Result<JoinedBranch, StoreError> {
        // Plan: find the files that only this clone has, leave out what is pruned on either side,
        // and put the rest on top of `incoming`. Then add the lists of pruned runs.
        let local = self.open_own_branch()?.read_tip()?;
        let synced = self.open_synced(&format_remote_name(remote))?.read_tip()?;
        let pruned_here = self.read_pruned_of(local.as_ref())?;
        let pruned_there = self.read_pruned_of(incoming)?;
        let (mut elsewhere, mut remote_ids) = (HashSet::new(), HashSet::new());
        if let Some(incoming) = incoming {
            let files = self.list_files(incoming)?;
            let keys = files.iter().filter_map(|file| RunKey::parse(&file.path));
            remote_ids.extend(keys.map(|key| key.id().to_owned()));
            elsewhere.extend(files.into_iter().map(|file| file.path));
            if let Some(commit) = &synced {
                elsewhere.extend(self.list_files(commit)?.into_iter().map(|file| file.path));
            }
        }
        let mut waiting = local.as_ref().map_or(Ok(Vec::new()), |local| self.list_files(local))?;
        waiting.retain(|file| {
            let key = RunKey::parse(&file.path);
            let is_pruned = key.is_some_and(|key| {
                pruned_here.contains(key.id()) || pruned_there.contains(key.id())
            });
            !is_pruned && !elsewhere.contains(&file.path)
        });
        let waiting_count = waiting.len();
        let all_pruned = &pruned_here | &pruned_there;
        let mut shared_pruned = all_pruned.clone();
        shared_pruned.retain(|id| pruned_there.contains(id) || !remote_ids.contains(id));
        let shared = if waiting_count > 0 {
            if shared_pruned != pruned_there {
                waiting.push(self.write_pruned(&shared_pruned)?);
            }
            Some(self.add_files(incoming, waiting, &format!("{waiting_count} runs"))?)
        } else {
            shared_pruned = pruned_there;
            incoming.cloned()
        };
        let tips = shared.map(|shared| {
            let own = if all_pruned == shared_pruned {
                shared.clone()
            } else {
                let message = format!("{} runs pruned", all_pruned.len());
                self.add_files(Some(&shared), vec![self.write_pruned(&all_pruned)?], &message)?
            };
            Ok::<_, StoreError>(JoinedTips { shared, own })
        });
        Ok(JoinedBranch { local, tips: tips.transpose()?, waiting_count })
    }

    fn open_synced(&self, remote: &str) -> Result<Branch<'_>, GitError> {
        self.open_reference(&format!("refs/perfgate/synced/{remote}/{}", self.branch))
    }

    /// Records that `remote` has all runs of `commit`.
    pub(super) fn mark_synced(&self, remote: &str, commit: &CommitId) -> Result<(), StoreError> {
        let synced = self.open_synced(remote)?;
        let mut backoff = RetryBackoff::new(Some(commit));
        for _ in 0..MAX_ATTEMPTS {
            match synced.compare_and_swap(synced.read_tip()?.as_ref(), commit) {
                Err(GitError::BranchMoved(_)) => backoff.pause(),
                marked => return Ok(marked?),
            }
        }
        Err(self.build_contended_error())
    }
}

/// Returns the name of the remote, or a hash of its address, for use in a reference name.
fn format_remote_name(remote: &Remote<'_>) -> String {
    let shown = remote.display_name();
    let is_plain = shown.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain { shown } else { compute_short_hash(shown.as_bytes()) }
}
