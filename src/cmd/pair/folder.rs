//! Where both sides are checked out and built.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context as _, Result};

use super::super::{CommandError, print};
use crate::files;
use crate::git::{CommitId, Repository, Worktree};

/// The folder of both sides, and this process's part in it.
///
/// The paths end up in the programs and in Cargo's idea of what is built already: one process at a time
/// has those that are the same each time, so that what did not change since its last check is not
/// compiled again; a second one has paths of its own, and compiles.
pub(super) struct PairFolder {
    folder: PathBuf,
    /// The paths are this process's while it holds this.
    lock: Option<File>,
}

impl PairFolder {
    /// Below `folder`, which is created.
    pub(super) fn claim(folder: &Path) -> Result<Self> {
        let create_lock = || -> io::Result<(PathBuf, File)> {
            let build_root = folder.join("build");
            fs::create_dir_all(&build_root)?;
            Ok((folder.canonicalize()?, File::create(build_root.join("lock"))?))
        };
        let (folder, lock) =
            create_lock().with_context(|| format!("failed to create `{}`", folder.display()))?;
        let is_ours = lock.try_lock().is_ok();
        Ok(Self { folder, lock: is_ours.then_some(lock) })
    }

    /// Checks `commit` out for the side `name`. Names of equal length make paths of equal length.
    pub(super) fn check_out(
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

    /// Lets `name`, if it was never built here, begin with what `other` has built: most dependencies are
    /// the same, and Cargo knows by itself which are not.
    ///
    /// To Cargo the sources of both sides are the same files, of which it asks only whether they are newer
    /// than what was built: so this comes before the checkout of `name`, whose files must not get the times
    /// of an earlier one. Where copying fails, the dependencies are compiled.
    pub(super) fn seed_build(&self, side: &str, other_side: &str) -> Result<()> {
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

    /// What the files of the last checkout of this side were, and their times.
    fn times_path(&self, side: &str) -> PathBuf {
        self.build_folder(side).with_extension("times.json")
    }

    /// Where the side `name` is built, kept from one check to the next.
    pub(super) fn build_folder(&self, side: &str) -> PathBuf {
        self.folder.join("build").join(side)
    }
}
