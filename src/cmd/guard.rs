//! What a killed perfgate leaves behind, removed by its guard.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{ExitStatus, print};
use crate::git::Repository;
use crate::measure::Interrupt;
use crate::measure::guard::outlive_parent;

/// Where Linux has the program that runs: started by this name it does not go by the name of perfgate, so
/// that whoever kills all of that name spares the guard.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Waits for the end of the perfgate that started it, and cleans up.
pub(super) fn run() -> ExitStatus {
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

/// Listens for signals from now on, and has a guard for those that nobody can listen for.
pub(super) fn watch_signals() -> Result<Interrupt> {
    let own_program = Path::new(OWN_PROGRAM);
    let program =
        if own_program.exists() { PathBuf::from(own_program) } else { env::current_exe()? };
    Interrupt::watch_signals(&program).context("failed to listen for signals")
}
