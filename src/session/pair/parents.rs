//! The parents of a side: folders above its worktree that show what is above the checkout.
//!
//! Cargo and rustup read settings in every parent of the folder that they run in, and a path
//! dependency may lead out of the repository. The worktree of a side therefore lies in a copy of
//! the checkout's own path. Each folder on this path has links to everything that the original
//! has, so that a search upwards finds the same as in the checkout, and never the other commit.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

/// Names of the files and folders that Cargo and rustup search for in all parents.
const SETTINGS: [&str; 3] = [CARGO_FOLDER, "rust-toolchain", "rust-toolchain.toml"];

/// Name of the folder that holds Cargo's settings.
const CARGO_FOLDER: &str = ".cargo";

/// Name of the file in which Cargo records the versions of dependencies. Cargo may write it when it
/// builds a package below it.
pub(super) const LOCK_NAME: &str = "Cargo.lock";

/// The folders around a checkout, which decide what the parents of a side show.
pub(super) struct ParentFolders<'a> {
    /// Canonical path of the checkout.
    pub(super) root: &'a Path,
    /// Canonical path of a folder above the sides. The settings in it and in its parents are found
    /// from the sides as they are.
    pub(super) cache: &'a Path,
    /// Canonical path of Cargo's home folder, whose settings Cargo reads in any case.
    pub(super) cargo_home: Option<PathBuf>,
}

impl ParentFolders<'_> {
    /// Creates the parents of a worktree in `side`, and returns the path of the worktree, whose
    /// folder is empty. Links of an earlier check of the same checkout are replaced.
    ///
    /// # Errors
    ///
    /// Fails if a folder or a link cannot be created.
    pub(super) fn build_in(&self, side: &Path) -> io::Result<PathBuf> {
        let (mut original, mut copy) = (PathBuf::from("/"), side.to_owned());
        fs::create_dir_all(&copy)?;
        let names = self.root.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        for name in names {
            // Nobody refers to what is directly below `/` by a relative path.
            if original != Path::new("/") {
                remove_links(&copy)?;
                self.link_entries(&original, &copy, name)?;
            }
            original.push(name);
            copy.push(name);
            fs::create_dir_all(&copy)?;
        }
        Ok(copy)
    }

    /// Links everything in the folder `original` into `copy`, except for `next`, which is the next
    /// part of the checkout's path.
    fn link_entries(&self, original: &Path, copy: &Path, next: &OsStr) -> io::Result<()> {
        // A folder that cannot be listed has nothing to show.
        let Ok(entries) = fs::read_dir(original) else { return Ok(()) };
        for entry in entries.filter_map(Result::ok) {
            let (name, path) = (entry.file_name(), entry.path());
            if name == next || !self.is_shown(original, &name) {
                continue;
            }
            let link = copy.join(&name);
            if name == LOCK_NAME && path.is_file() {
                // Cargo writes this file, and the user's own must not change.
                fs::copy(&path, &link)?;
            } else {
                symlink(&path, &link)?;
            }
        }
        Ok(())
    }

    /// Returns whether a side needs to find the entry `name` of the parent `original`.
    fn is_shown(&self, original: &Path, name: &OsStr) -> bool {
        let path = original.join(name);
        if self.cache.starts_with(&path) {
            return false;
        }
        if SETTINGS.iter().any(|setting| name == *setting) {
            // Settings that are found anyway must not act twice.
            let is_found = self.cache.starts_with(original);
            let is_home = self.cargo_home.is_some() && path.canonicalize().ok() == self.cargo_home;
            return !is_found && !is_home;
        }
        !name.as_encoded_bytes().starts_with(b".")
    }
}

/// Removes the links and the copied lock file of an earlier check from `folder`.
fn remove_links(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_side_finds_above_it_what_the_checkout_finds() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().canonicalize().unwrap();
        for file in [
            "rust-toolchain",
            "beside/file",
            "projects/.cargo/config.toml",
            "projects/rust-toolchain.toml",
            "projects/.hidden",
            "projects/Cargo.lock",
            "projects/other/Cargo.toml",
            "projects/repo/inner/file",
            "home/.cargo/config.toml",
        ] {
            write(&top.join(file), file);
        }
        let cache = top.join("cache/0123");
        let build = |root: &str| {
            let cargo_home = Some(top.join("home/.cargo"));
            let parents = ParentFolders { root: &top.join(root), cache: &cache, cargo_home };
            parents.build_in(&cache.join(root).join("base")).unwrap()
        };
        for _ in 0..2 {
            let tree = build("projects/repo");
            let found = |name: &str| fs::read_to_string(tree.join(name)).ok();
            for name in ["projects/.cargo/config.toml", "projects/other/Cargo.toml", "beside/file"]
            {
                assert_eq!(found(&format!("../../{name}")).as_deref(), Some(name));
            }
            assert!(found("../rust-toolchain.toml").is_some());
            // These are found above the cache, the worktree comes from git, and the rest is hidden.
            for name in ["../../rust-toolchain", "../../cache/0123", "inner/file", "../.hidden"] {
                assert_eq!(found(name), None, "{name}");
            }
            // What Cargo writes is not the user's file.
            fs::write(tree.join("../Cargo.lock"), "written").unwrap();
            assert_eq!(
                fs::read_to_string(top.join("projects/Cargo.lock")).unwrap(),
                "projects/Cargo.lock"
            );
        }
        // The settings of Cargo's home do not act twice.
        let tree = build("home/repo");
        assert!(!tree.join("../.cargo").exists());
        assert!(tree.join("../../projects/repo/inner/file").exists());
    }
}
