//! The cache folder: where both sides of a pair are checked out and built.
//!
//! It lies outside of every repository, because Cargo, rustup and build scripts search the parents
//! of the folder that they run in. Inside the working tree they would find the candidate's settings
//! for both sides.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf, absolute};

use anyhow::Result;
use etcetera::base_strategy::{BaseStrategy as _, choose_native_strategy};
use sha2::{Digest as _, Sha256};

use super::super::error::CommandError;
use crate::files;

/// Variable that names the cache folder instead of the system's own convention.
const CACHE_VARIABLE: &str = "PERFGATE_CACHE_DIR";

/// Name of the file in the folder of a checkout that holds the path of the checkout.
const CHECKOUT_FILE: &str = "checkout";

/// Name of the file that the process that uses a folder keeps locked.
const LOCK_FILE: &str = "lock";

/// Number of bytes of the hash that names the folder of a checkout. A collision would only mix two
/// build folders, whose files Cargo distinguishes.
const KEY_BYTES: usize = 8;

/// Permissions of the folder of a checkout: for its owner only.
const PRIVATE_MODE: u32 = 0o700;

/// The folder of one checkout in the cache, and the lock on its fixed paths.
pub(super) struct CheckoutCache {
    /// Canonical path of the folder.
    pub(super) folder: PathBuf,
    /// The lock on the fixed paths; `None` if another process holds it.
    pub(super) lock: Option<File>,
}

/// Returns the folder that holds the folders of all checkouts.
///
/// # Errors
///
/// Fails if [`CACHE_VARIABLE`] is not set and the user has no home folder.
fn locate_cache() -> Result<PathBuf> {
    if let Some(folder) = env::var_os(CACHE_VARIABLE).filter(|folder| !folder.is_empty()) {
        return Ok(absolute(folder)?);
    }
    let strategy = choose_native_strategy().map_err(|error| {
        CommandError::new_usage(format!("there is no place for a cache: {error}"))
            .with_help(format!("set {CACHE_VARIABLE} to a folder outside of the repository"))
    })?;
    Ok(strategy.cache_dir().join("perfgate"))
}

/// Returns `path` without symbolic links, as far as it exists.
fn resolve_missing(path: &Path) -> PathBuf {
    let mut ancestors = path.ancestors();
    let found = ancestors.find_map(|folder| Some((folder, folder.canonicalize().ok()?)));
    match found {
        Some((folder, resolved)) => {
            path.strip_prefix(folder).map_or_else(|_| path.to_owned(), |rest| resolved.join(rest))
        }
        None => path.to_owned(),
    }
}

/// Locks the file in `folder` that marks it as used, and returns it. Returns `None` if another
/// process uses the folder.
///
/// # Errors
///
/// Fails if the file cannot be created.
pub(super) fn try_lock_folder(folder: &Path) -> io::Result<Option<File>> {
    let lock = File::create(folder.join(LOCK_FILE))?;
    Ok(lock.try_lock().is_ok().then_some(lock))
}

/// Returns whether a process has locked `folder`, now or earlier.
pub(super) fn has_lock_file(folder: &Path) -> bool {
    folder.join(LOCK_FILE).exists()
}

impl CheckoutCache {
    /// Creates the folder of the checkout at the canonical path `root`, and tries to lock its fixed
    /// paths. Removes the folders of checkouts that no longer exist.
    ///
    /// The key is the path of the checkout, not of its repository: linked worktrees of one
    /// repository are built at different paths, and paths become part of programs.
    ///
    /// # Errors
    ///
    /// Fails if there is no place for the cache, if that place is inside the checkout, or if the
    /// folder cannot be created.
    pub(super) fn claim(root: &Path) -> Result<Self> {
        let cache = locate_cache()?;
        let help = format!("set {CACHE_VARIABLE} to another folder, outside of the repository");
        if resolve_missing(&cache).starts_with(root) {
            let message = format!("the cache folder `{}` is in the checkout", cache.display());
            return Err(CommandError::new_usage(message).with_help(help).into());
        }
        Self::create(&cache, root).map_err(|error| {
            let message = format!("failed to create a folder in `{}`: {error}", cache.display());
            CommandError::new_failure(message).with_help(help).into()
        })
    }

    /// Creates the folder in `cache` for the checkout at `root`.
    fn create(cache: &Path, root: &Path) -> io::Result<Self> {
        fs::create_dir_all(cache)?;
        let cache = cache.canonicalize()?;
        remove_orphans(&cache);
        let hash = Sha256::digest(root.as_os_str().as_bytes());
        let folder = cache.join(hex::encode(&hash[..KEY_BYTES]));
        // It holds the source, which may be hidden from other users where it comes from.
        DirBuilder::new().recursive(true).mode(PRIVATE_MODE).create(&folder)?;
        let lock = try_lock_folder(&folder)?;
        files::write_atomically(&folder.join(CHECKOUT_FILE), root.as_os_str().as_bytes())?;
        Ok(Self { folder, lock })
    }
}

/// Removes the folders in `cache` whose checkout no longer exists, unless a process uses them. What
/// cannot be removed stays.
fn remove_orphans(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else { return };
    for folder in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        // A folder without this file is not one of perfgate's.
        let Ok(checkout) = fs::read(folder.join(CHECKOUT_FILE)) else { continue };
        let checkout = Path::new(OsStr::from_bytes(&checkout));
        if matches!(checkout.try_exists(), Ok(false)) {
            remove_if_unused(&folder);
        }
    }
}

/// Removes `folder` with everything in it, unless a process uses it.
pub(super) fn remove_if_unused(folder: &Path) {
    if let Ok(Some(_lock)) = try_lock_folder(folder) {
        let _ = fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_checkout_that_is_gone_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let cache = place.path().join("cache");
        let [gone, used, kept] = ["gone", "used", "kept"].map(|name| place.path().join(name));
        let claims = [&gone, &used, &kept].map(|root| CheckoutCache::create(&cache, root).unwrap());
        let folders = claims.each_ref().map(|claim| claim.folder.clone());
        fs::create_dir(&kept).unwrap();
        fs::create_dir(cache.join("foreign")).unwrap();
        let [first, held, last] = claims;
        drop((first, last));
        remove_orphans(&cache.canonicalize().unwrap());
        assert_eq!(folders.map(|folder| folder.exists()), [false, true, true]);
        assert!(cache.join("foreign").exists());
        drop(held);
    }

    #[test]
    fn a_path_is_resolved_as_far_as_it_exists() {
        let place = tempfile::tempdir().unwrap();
        let real = place.path().canonicalize().unwrap().join("real");
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, place.path().join("link")).unwrap();
        assert_eq!(resolve_missing(&place.path().join("link/a/b")), real.join("a/b"));
    }

    #[test]
    fn a_second_process_does_not_get_the_fixed_paths() {
        let place = tempfile::tempdir().unwrap();
        let claim = || {
            CheckoutCache::create(&place.path().join("cache"), place.path().join("r").as_path())
                .unwrap()
        };
        let first = claim();
        let second = claim();
        assert!(first.lock.is_some() && second.lock.is_none());
        assert_eq!(first.folder, second.folder);
    }
}
