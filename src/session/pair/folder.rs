//! The folders in which both sides are checked out and built.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context as _, Result};

use super::super::error::CommandError;
use super::super::print;
use crate::files;
use crate::git::{CommitId, Repository, Worktree};

/// The folder of both sides, and the lock on its fixed paths.
///
/// Paths become part of the programs, and Cargo uses them to decide what is already built. One
/// process at a time holds the lock and uses fixed paths, so that code that did not change since
/// the last check is not compiled again. A second process uses paths with its own process id, and
/// compiles everything.
pub(crate) struct PairFolder {
    folder: PathBuf,
    /// The lock on the fixed paths; `None` if another process holds it.
    lock: Option<File>,
}

/// Creates `folder` and its lock file. Returns the folder's absolute path and the open file.
fn create_lock(folder: &Path) -> io::Result<(PathBuf, File)> {
    let build_root = folder.join("build");
    fs::create_dir_all(&build_root)?;
    Ok((folder.canonicalize()?, File::create(build_root.join("lock"))?))
}

impl PairFolder {
    /// Creates `folder` and tries to lock its fixed paths.
    ///
    /// # Errors
    ///
    /// Fails if the folder or the lock file cannot be created.
    pub(crate) fn claim(folder: &Path) -> Result<Self> {
        let (folder, lock) = create_lock(folder)
            .with_context(|| format!("failed to create `{}`", folder.display()))?;
        let is_ours = lock.try_lock().is_ok();
        Ok(Self { folder, lock: is_ours.then_some(lock) })
    }

    /// Checks out `commit` in a worktree for this side. Side names of equal length give paths of
    /// equal length.
    ///
    /// # Errors
    ///
    /// Fails if git cannot add the worktree, or if the times of its files cannot be restored.
    pub(crate) fn check_out(
        &self,
        repository: &Repository,
        side: &str,
        commit: &CommitId,
    ) -> Result<Worktree> {
        let folder_name = match self.lock {
            Some(_) => side.to_owned(),
            None => format!("{side}-{}", process::id()),
        };
        let worktree = repository
            .add_worktree(&self.folder.join(folder_name), commit)
            .map_err(CommandError::from)?;
        if self.lock.is_some() {
            worktree.restore_times(&self.times_path(side)).map_err(CommandError::from)?;
        }
        Ok(worktree)
    }

    /// Copies the build of `other_side` to `side` if `side` was never built here. Most dependencies
    /// are the same, and Cargo detects which are not.
    ///
    /// For Cargo, the sources of both sides are the same files, and it checks only whether they are
    /// newer than the build. Call this before the checkout of `side`, whose files must not get the
    /// times of an earlier checkout. If copying fails, the dependencies are compiled.
    ///
    /// # Errors
    ///
    /// Fails if the file of the earlier times cannot be removed.
    pub(crate) fn seed_build(&self, side: &str, other_side: &str) -> Result<()> {
        let (from, to) = (self.build_folder(other_side), self.build_folder(side));
        if self.lock.is_none() || to.exists() {
            return Ok(());
        }
        let times_path = self.times_path(side);
        files::remove_if_present(&times_path)
            .with_context(|| format!("failed to remove `{}`", times_path.display()))?;
        if let Err(error) = files::copy_folder(&from, &to) {
            print::print_note(&format!("dependencies are compiled twice: {error}"));
        }
        Ok(())
    }

    /// Returns the path of the file that records the files of the last checkout of this side, with
    /// their times.
    fn times_path(&self, side: &str) -> PathBuf {
        self.build_folder(side).with_extension("times.json")
    }

    /// Returns the folder in which this side is built. It is kept from one check to the next.
    pub(crate) fn build_folder(&self, side: &str) -> PathBuf {
        self.folder.join("build").join(side)
    }
}
