//! The toolchain that rustup chooses by the path of a folder, which the sides of a pair do not have.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measure::criterion::TOOLCHAIN_VARIABLE;
use crate::secrets::hide_secrets;

/// Names of the files by which a folder chooses its toolchain.
const TOOLCHAIN_FILES: [&str; 2] = ["rust-toolchain", "rust-toolchain.toml"];

/// A toolchain that the user has set for a folder with `rustup override`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToolchainOverride {
    /// Name of the toolchain.
    toolchain: String,
    /// The folder that it is set for.
    folder: PathBuf,
}

impl ToolchainOverride {
    /// Returns the override that rustup applies in `folder`. Returns `None` if another rule chooses
    /// the toolchain there, or if rustup is not installed.
    pub(super) fn find(folder: &Path) -> Option<Self> {
        if env::var_os(TOOLCHAIN_VARIABLE).is_some() {
            return None;
        }
        let mut rustup = Command::new("rustup");
        rustup.args(["show", "active-toolchain"]).current_dir(folder);
        hide_secrets(&mut rustup);
        Self::parse(&String::from_utf8_lossy(&rustup.output().ok()?.stdout))
    }

    /// Parses the line that rustup prints for the active toolchain.
    fn parse(line: &str) -> Option<Self> {
        let (toolchain, reason) = line.trim().split_once(" (directory override for '")?;
        Some(Self { toolchain: toolchain.to_owned(), folder: reason.strip_suffix("')")?.into() })
    }

    /// Returns the name of the toolchain if it also applies to a side: a checkout of the repository
    /// `root` in `worktree`, with the workspace in its folder `inside`.
    ///
    /// As in the original folder, a toolchain file is stronger if it is nearer to the workspace than
    /// the folder of the override.
    pub(super) fn apply_to(&self, root: &Path, worktree: &Path, inside: &Path) -> Option<String> {
        let workspace = worktree.join(inside);
        let place = self.folder.strip_prefix(root).map(|part| worktree.join(part));
        let has_file =
            |folder: &Path| TOOLCHAIN_FILES.iter().any(|name| folder.join(name).exists());
        let folders = workspace.ancestors().take_while(|folder| folder.starts_with(worktree));
        for folder in folders {
            if place.as_deref() == Ok(folder) {
                break;
            }
            if has_file(folder) {
                return None;
            }
        }
        Some(self.toolchain.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_override_is_read_from_what_rustup_prints() {
        // rustup 1.29 show active-toolchain
        let line = "nightly-x86_64-unknown-linux-gnu (directory override for '/home/a b/x')\n";
        let found = ToolchainOverride::parse(line).unwrap();
        assert_eq!(found.toolchain, "nightly-x86_64-unknown-linux-gnu");
        assert_eq!(found.folder, Path::new("/home/a b/x"));
        for other in ["stable (default)", "1.90 (overridden by '/x/rust-toolchain.toml')", ""] {
            assert_eq!(ToolchainOverride::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_nearest_of_override_and_toolchain_file_counts() {
        let place = tempfile::tempdir().unwrap();
        let worktree = place.path();
        fs::create_dir_all(worktree.join("a/b")).unwrap();
        let apply = |folder: &str| {
            let toolchain = "set".to_owned();
            let set = ToolchainOverride { toolchain, folder: folder.into() };
            set.apply_to(Path::new("/r"), worktree, Path::new("a/b")).is_some()
        };
        assert!(apply("/") && apply("/r") && apply("/r/a"));
        fs::write(worktree.join("a/rust-toolchain.toml"), "").unwrap();
        assert!(!apply("/") && !apply("/r") && apply("/r/a") && apply("/r/a/b"));
    }
}
