//! The folders in which both sides are checked out and built.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::super::error::CommandError;
use super::super::print;
use super::cache::{CheckoutCache, has_lock_file, remove_if_unused, try_lock_folder};
use super::parents::ParentFolders;
use crate::files;
use crate::git::{CommitId, Repository, Worktree};
use crate::process::Interrupt;

/// Beginning of the name of a folder that is used by one check only.
const SINGLE_USE_PREFIX: &str = "once-";

/// The folder of both sides, outside of the working tree.
///
/// Paths become part of the programs, and Cargo uses them to decide what is already built. One
/// process at a time holds the lock and uses fixed paths, so that code that did not change since
/// the last check is not compiled again. A second process uses a folder of its own, and compiles
/// everything. It removes that folder when it ends.
pub(crate) struct PairFolder {
    folder: PathBuf,
    /// Canonical path of the checkout that the sides stand for.
    root: PathBuf,
    /// The folder, if this process alone uses it; `None` with the fixed paths.
    single_use: Option<TempDir>,
    _lock: File,
}

/// A side that is checked out.
pub(crate) struct SideCheckout {
    /// The checkout, removed when dropped.
    pub(crate) worktree: Worktree,
    /// The folder of the side, which contains the worktree and its parents.
    pub(crate) folder: PathBuf,
    /// The folder in which the side is built. It is kept from one check to the next.
    pub(crate) build_folder: PathBuf,
}

impl PairFolder {
    /// Claims the folder of `repository` in the cache, or a new one if another process uses it.
    ///
    /// # Errors
    ///
    /// Fails if there is no place for the cache, or if a folder or a lock file cannot be created.
    pub(crate) fn claim(repository: &Repository, interrupt: &Interrupt) -> Result<Self> {
        let root = repository.folder().canonicalize()?;
        let CheckoutCache { folder, lock } = CheckoutCache::claim(&root)?;
        if let Some(lock) = lock {
            remove_stale_folders(&folder);
            return Ok(Self { folder, root, single_use: None, _lock: lock });
        }
        let single_use = tempfile::Builder::new().prefix(SINGLE_USE_PREFIX).tempdir_in(&folder)?;
        interrupt.guard_folder(single_use.path());
        let lock = try_lock_folder(single_use.path())?;
        let lock = lock.context("another process locked a new folder")?;
        Ok(Self {
            folder: single_use.path().to_owned(),
            root,
            single_use: Some(single_use),
            _lock: lock,
        })
    }

    /// Checks out `commit` in a worktree for this side. Side names of equal length give paths of
    /// equal length.
    ///
    /// # Errors
    ///
    /// Fails if the parents of the worktree cannot be created, if git cannot add the worktree, or
    /// if the times of its files cannot be restored.
    pub(crate) fn check_out(
        &self,
        repository: &Repository,
        side: &str,
        commit: &CommitId,
    ) -> Result<SideCheckout> {
        let side_folder = self.folder.join(side);
        let parents =
            ParentFolders { root: &self.root, cache: &self.folder, cargo_home: find_cargo_home() };
        let path = parents
            .build_in(&side_folder)
            .with_context(|| format!("failed to prepare `{}`", side_folder.display()))?;
        let worktree = repository.add_worktree(&path, commit).map_err(CommandError::from)?;
        if self.single_use.is_none() {
            worktree.restore_times(&self.times_path(side)).map_err(CommandError::from)?;
        }
        Ok(SideCheckout { worktree, folder: side_folder, build_folder: self.build_folder(side) })
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
        if to.exists() {
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

    /// Returns the folder of both sides.
    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder of the records of builds; `None` if this process alone uses its folder,
    /// which does not outlive it.
    pub(super) fn locate_records(&self) -> Option<PathBuf> {
        self.single_use.is_none().then(|| self.folder.join("build").join("records"))
    }

    /// Returns the path of the file that records the files of the last checkout of this side, with
    /// their times.
    fn times_path(&self, side: &str) -> PathBuf {
        self.build_folder(side).with_extension("times.json")
    }

    fn build_folder(&self, side: &str) -> PathBuf {
        self.folder.join("build").join(side)
    }
}

/// Removes the single-use folders in `folder` that killed processes left behind.
///
/// A folder without a lock file stays: the process that created it may be about to lock it.
fn remove_stale_folders(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let is_single_use =
            entry.file_name().as_encoded_bytes().starts_with(SINGLE_USE_PREFIX.as_bytes());
        if is_single_use && has_lock_file(&entry.path()) {
            remove_if_unused(&entry.path());
        }
    }
}

/// Returns the canonical path of Cargo's home folder, or `None` if there is none.
pub(super) fn find_cargo_home() -> Option<PathBuf> {
    let named = env::var_os("CARGO_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = named.or_else(|| Some(etcetera::home_dir().ok()?.join(".cargo")));
    home?.canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_use_folder_that_is_not_locked_yet_is_not_removed() {
        let cache = tempfile::tempdir().unwrap();
        let [new, held, left] = ["once-new", "once-held", "once-left"].map(|name| {
            let folder = cache.path().join(name);
            fs::create_dir(&folder).unwrap();
            folder
        });
        let lock = try_lock_folder(&held).unwrap();
        drop(try_lock_folder(&left).unwrap());
        remove_stale_folders(cache.path());
        assert_eq!([&new, &held, &left].map(|folder| folder.exists()), [true, true, false]);
        drop(lock);
    }
}
