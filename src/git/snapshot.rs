//! Snapshots: the working tree as a commit that no branch names.

use std::fs;
use std::path::Path;

use git2::{ErrorCode, Oid, Signature, Time};

use super::command::GitCommand;
use super::{CommitId, GitError, Repository, resolve_path};

/// Name and address of the author of a snapshot. No ref names the commit, so nobody pushes it.
const SNAPSHOT_AUTHOR: (&str, &str) = ("perfgate", "perfgate@localhost");

impl Repository {
    /// Writes the working tree as a commit, and returns its id. The user's index, branches and
    /// files do not change, and git removes the commit at some later time.
    ///
    /// The commit has all changes of tracked files, staged or not, and untracked files that git
    /// does not ignore. It has no untracked file in the folder `left_out`. `scratch` is an empty
    /// folder. The same working tree on the same commit gives the same id.
    ///
    /// Fails if the repository is bare, if git cannot read a file of the working tree, or if
    /// libgit2 cannot write the commit.
    pub(crate) fn snapshot_working_tree(
        &self,
        left_out: &Path,
        scratch: &Path,
    ) -> Result<CommitId, GitError> {
        // Fill a copy of the user's index, which spares git from reading files that did not change,
        // and commit its tree.
        let root = self.folder();
        let index = scratch.join("index");
        if let Some(own) = self.inner.index()?.path().filter(|own| own.exists()) {
            fs::copy(own, &index).map_err(|error| GitError::Io(own.to_owned(), error))?;
        }
        let git = GitCommand::new(root).with_index(&index);
        let mut add = ["-c", "advice.addEmbeddedRepo=false", "-c", "core.fsmonitor=false", "add"]
            .map(str::to_owned)
            .to_vec();
        add.extend(["--all", "--", ":/"].map(str::to_owned));
        // Git rejects the name of an ignored path, and leaves such a path out by itself.
        if let Ok(inside) = resolve_path(left_out).strip_prefix(resolve_path(root))
            && !self.inner.is_path_ignored(inside)?
        {
            add.push(format!(":(top,exclude,literal){}", inside.display()));
        }
        git.run(&add)?;
        let tree = self.inner.find_tree(Oid::from_str(git.run(&["write-tree"])?.trim())?)?;
        let parent = match self.inner.head() {
            Ok(head) => Some(head.peel_to_commit()?),
            Err(error) if error.code() == ErrorCode::UnbornBranch => None,
            Err(error) => return Err(error.into()),
        };
        let time = parent.as_ref().map_or(Time::new(0, 0), git2::Commit::time);
        let author = Signature::new(SNAPSHOT_AUTHOR.0, SNAPSHOT_AUTHOR.1, &time)?;
        let parents: Vec<_> = parent.iter().collect();
        let message = "working tree, measured by perfgate";
        Ok(self.inner.commit(None, &author, &author, message, &tree, &parents)?.into())
    }
}
