//! `perfgate guard`: removes what a killed perfgate leaves behind.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{ExitStatus, print};
use crate::git::Repository;
use crate::process::Interrupt;
use crate::process::guard::outlive_parent;

/// Path of the running program on Linux. A guard that is started by this path does not have the
/// process name perfgate, so a command that kills all processes of that name spares the guard.
const OWN_PROGRAM: &str = "/proc/self/exe";

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

/// Starts to listen for signals, and starts a guard for signals that cannot be caught.
///
/// Fails if the signal handlers or the guard cannot be set up.
pub(super) fn watch_signals() -> Result<Interrupt> {
    let own_program = Path::new(OWN_PROGRAM);
    let program =
        if own_program.exists() { PathBuf::from(own_program) } else { env::current_exe()? };
    Interrupt::watch_signals(&program).context("failed to listen for signals")
}
