//! `perfgate guard`: removes what a killed perfgate leaves behind.

use std::fs;
use std::io;

use crate::git::Repository;
use crate::process::guard::outlive_parent;
use crate::session::{ExitStatus, print};

/// Waits until the perfgate that started this guard ends, then removes its folders and worktrees.
pub(super) fn run_guard() -> ExitStatus {
    let remains = outlive_parent(io::stdin().lock());
    for folder in &remains.folders {
        let _ = fs::remove_dir_all(folder);
    }
    for folder in &remains.repositories {
        let Ok(Some(repository)) = Repository::discover(folder) else { continue };
        for worktree in repository.remove_stale_worktrees().unwrap_or_default() {
            print::print_note(&format!(
                "removed worktree `{}` of a killed check",
                worktree.display()
            ));
        }
    }
    ExitStatus::Pass
}
