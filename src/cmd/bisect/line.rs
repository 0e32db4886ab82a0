//! The commits of a search in order, by position.

use anyhow::Result;

use crate::bisect::NamedCommit;
use crate::git::{CommitId, RangeObstacle, Repository};
use crate::session::CommandError;

/// The commits of a search: the good one at position 0, the bad one at the end.
pub(super) struct SearchLine {
    /// The commits, oldest first.
    pub(super) commits: Vec<CommitId>,
}

impl SearchLine {
    /// Finds the commits from `good` to `bad`, along first parents.
    ///
    /// # Errors
    ///
    /// Fails if `good` is not an ancestor of `bad`, or if the history cannot be read.
    pub(super) fn find(repository: &Repository, good: &CommitId, bad: &CommitId) -> Result<Self> {
        let found = repository.list_first_parents(good, bad).map_err(CommandError::from)?;
        let mut commits = vec![good.clone()];
        commits.extend(found.map_err(|obstacle| explain_obstacle(obstacle, good, bad))?);
        Ok(Self { commits })
    }

    /// Returns the ids of all commits as text.
    pub(super) fn list_ids(&self) -> Vec<String> {
        self.commits.iter().map(CommitId::to_string).collect()
    }

    /// Returns the commit at `position` as readers know it.
    pub(super) fn name_commit(&self, repository: &Repository, position: usize) -> NamedCommit {
        let commit = &self.commits[position];
        NamedCommit {
            id: commit.to_string(),
            subject: repository.read_subject(commit),
            author_date: repository.read_author_date(commit),
        }
    }
}

/// Returns the error for two commits without a range, with its remedy.
fn explain_obstacle(obstacle: RangeObstacle, good: &CommitId, bad: &CommitId) -> CommandError {
    let (good, bad) = (good.short_id(), bad.short_id());
    match obstacle {
        RangeObstacle::SameCommit => {
            CommandError::new_usage(format!("GOOD and BAD are the same commit, {good}"))
        }
        RangeObstacle::Swapped => {
            CommandError::new_usage(format!("GOOD ({good}) comes after BAD ({bad}) in the history"))
                .with_help(format!("perfgate bisect {bad} {good} also finds what became faster"))
        }
        RangeObstacle::Unrelated => {
            CommandError::new_usage(format!("GOOD ({good}) is not an ancestor of BAD ({bad})"))
                .with_help(format!("`git merge-base {good} {bad}` names the last commit of both"))
        }
        RangeObstacle::Shallow => CommandError::new_usage(format!(
            "this clone does not have the history between GOOD ({good}) and BAD ({bad})"
        ))
        .with_help("git fetch --unshallow"),
    }
}
