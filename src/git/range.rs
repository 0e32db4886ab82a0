//! The commits between two commits, as a search for a change follows them.

use std::collections::HashSet;

use git2::{ErrorCode, Oid};

use super::{CommitId, FollowedParents, GitError, Repository, format_seconds};

/// Largest number of commits of a range.
const MAX_RANGE_LENGTH: usize = 100_000;

/// Why two commits have no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeObstacle {
    /// Both are the same commit.
    SameCommit,
    /// The second is an ancestor of the first.
    Swapped,
    /// Neither is an ancestor of the other.
    Unrelated,
    /// The clone ends before the first commit.
    Shallow,
}

impl Repository {
    /// Returns the commits after `good` up to `bad`, oldest first, along first parents.
    ///
    /// If `good` was merged, the range begins after the last first parent that is also an ancestor of
    /// `good`. The inner `Err` is why there is no range.
    ///
    /// # Errors
    ///
    /// Fails if libgit2 cannot read the history.
    pub(crate) fn list_first_parents(
        &self,
        good: &CommitId,
        bad: &CommitId,
    ) -> Result<Result<Vec<CommitId>, RangeObstacle>, GitError> {
        if good == bad {
            return Ok(Err(RangeObstacle::SameCommit));
        }
        if !self.is_ancestor(good, bad)? {
            return Ok(Err(if self.is_ancestor(bad, good)? {
                RangeObstacle::Swapped
            } else if self.is_shallow() {
                RangeObstacle::Shallow
            } else {
                RangeObstacle::Unrelated
            }));
        }
        let mut line: Vec<CommitId> =
            self.walk_ancestry(bad, FollowedParents::First).take(MAX_RANGE_LENGTH).collect();
        let end = if let Some(end) = line.iter().position(|commit| commit == good) {
            end
        } else {
            let older: HashSet<CommitId> = self.walk_ancestry(good, FollowedParents::All).collect();
            line.iter().position(|commit| older.contains(commit)).unwrap_or(line.len())
        };
        line.truncate(end);
        if line.iter().any(|commit| !self.has_commit(commit)) {
            return Ok(Err(RangeObstacle::Shallow));
        }
        line.reverse();
        Ok(Ok(line))
    }

    /// Returns whether `old` is a proper ancestor of `new`.
    fn is_ancestor(&self, old: &CommitId, new: &CommitId) -> Result<bool, GitError> {
        let [old, new] = [old, new].map(|id| Oid::from_str(id.as_str()));
        Ok(self.inner.graph_descendant_of(new?, old?)?)
    }

    /// Returns the commit at which the first two parents of a merge parted, and the second parent.
    /// Returns `None` for a commit that is not a merge, or if its parents have no common ancestor.
    ///
    /// # Errors
    ///
    /// Fails if libgit2 cannot read the history.
    pub(crate) fn find_merged_range(
        &self,
        merge: &CommitId,
    ) -> Result<Option<(CommitId, CommitId)>, GitError> {
        let parents = self.read_parents(merge)?;
        let [first, second, ..] = parents.as_slice() else { return Ok(None) };
        let ids = (Oid::from_str(first.as_str())?, Oid::from_str(second.as_str())?);
        match self.inner.merge_base(ids.0, ids.1) {
            Ok(parted) => Ok(Some((parted.into(), second.clone()))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns when the author wrote the commit. Returns `None` if the commit is not in the
    /// repository or its date is not valid.
    pub(crate) fn read_author_date(&self, id: &CommitId) -> Option<String> {
        let commit = self.inner.find_commit(Oid::from_str(id.as_str()).ok()?).ok()?;
        format_seconds(commit.author().when().seconds())
    }

    /// Returns the id of the commit's files. Two commits with the same id have the same files.
    ///
    /// # Errors
    ///
    /// Fails if the commit is not in the repository.
    pub(crate) fn read_tree_id(&self, id: &CommitId) -> Result<String, GitError> {
        Ok(self.inner.find_commit(Oid::from_str(id.as_str())?)?.tree_id().to_string())
    }
}
