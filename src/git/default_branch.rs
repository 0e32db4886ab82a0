//! The branch that changes go into, and which commits are in it.

use git2::Oid;

use super::remote::is_reference_missing;
use super::{CommitId, GitError, Remote, Repository};

/// Name of the remote that the code comes from.
pub(crate) const ORIGIN: &str = "origin";

/// Names of a default branch if no remote names one.
const USUAL_NAMES: [&str; 2] = ["main", "master"];

/// The default branch of a repository, as this clone knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DefaultBranch {
    /// Name of the branch, without `refs/heads/`.
    pub(crate) name: String,
    /// The commit that it is at: on `origin` when it was fetched last, else in this clone.
    pub(crate) tip: CommitId,
}

impl Repository {
    /// Returns the default branch: the one called `named`, else the head of `origin`, else `main` or
    /// `master`. Returns `None` if this clone has no such branch.
    pub(crate) fn find_default_branch(&self, named: Option<&str>) -> Option<DefaultBranch> {
        let names: Vec<String> = match named.map(str::to_owned).or_else(|| self.find_origin_head())
        {
            Some(name) => vec![name],
            None => USUAL_NAMES.map(str::to_owned).to_vec(),
        };
        names.into_iter().find_map(|name| {
            let tip = self.find_branch_tip(&format!("refs/remotes/{ORIGIN}/{name}"));
            let tip = tip.or_else(|| self.find_branch_tip(&format!("refs/heads/{name}")))?;
            Some(DefaultBranch { name, tip })
        })
    }

    /// Returns the name of the branch that `origin` has checked out, if this clone knows it.
    fn find_origin_head(&self) -> Option<String> {
        let head = self.inner.find_reference(&format!("refs/remotes/{ORIGIN}/HEAD")).ok()?;
        let target = head.symbolic_target().ok()??.to_owned();
        target.strip_prefix(&format!("refs/remotes/{ORIGIN}/")).map(str::to_owned)
    }

    fn find_branch_tip(&self, reference: &str) -> Option<CommitId> {
        Some(self.inner.refname_to_id(reference).ok()?.into())
    }

    /// Returns the tip of the local branch `name`, or `None` if there is none.
    pub(crate) fn find_local_branch(&self, name: &str) -> Option<CommitId> {
        self.find_branch_tip(&format!("refs/heads/{name}"))
    }

    /// Returns the commit at which `one` and `other` parted, as far as the history of this clone and
    /// the fetched history show it. Returns `None` if they do not show it.
    pub(crate) fn find_merge_base(&self, one: &CommitId, other: &CommitId) -> Option<CommitId> {
        let [one, other] = [one, other].map(|id| Oid::from_str(id.as_str()).ok());
        let (one, other) = (one?, other?);
        let in_clone = self.inner.merge_base(one, other).ok();
        let found = in_clone.or_else(|| {
            let history = self.open_fetched_history().ok()??;
            history.inner.merge_base(one, other).ok()
        });
        found.map(CommitId::from)
    }

    /// Returns whether `commit` is `tip` or an ancestor of it, as far as the history of this clone
    /// and the fetched history show it.
    pub(crate) fn is_contained(&self, commit: &CommitId, tip: &CommitId) -> bool {
        commit == tip || self.find_merge_base(commit, tip).as_ref() == Some(commit)
    }
}

impl Remote<'_> {
    /// Fetches the last `depth` commits of a branch, without files, into the separate repository,
    /// and returns the tip. Without a name, it is the branch that the remote has checked out.
    /// Returns `None` if the remote has no such branch.
    ///
    /// Fails if the fetch fails or the separate repository cannot be created.
    pub(crate) fn fetch_branch_history(
        &self,
        name: Option<&str>,
        depth: usize,
    ) -> Result<Option<CommitId>, GitError> {
        const FETCHED: &str = "refs/perfgate/default-branch";
        let from = name.map_or_else(|| "HEAD".to_owned(), |name| format!("refs/heads/{name}"));
        let history = self.open_history()?;
        let message = self.fetch_history(&[&format!("+{from}:{FETCHED}")], depth)?;
        match message {
            None => Ok(Some(history.refname_to_id(FETCHED)?.into())),
            Some(message) if is_reference_missing(&message, &from) => Ok(None),
            Some(message) => Err(self.explain_failure("fetch", &message)),
        }
    }
}
