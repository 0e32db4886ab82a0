//! Signals that ask perfgate to end.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::process::Interrupt;

/// Path of the running program on Linux. A guard that is started by this path does not have the
/// process name perfgate, so a command that kills all processes of that name spares the guard.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Starts to listen for signals, and starts a guard for signals that cannot be caught.
///
/// # Errors
///
/// Fails if the signal handlers or the guard cannot be set up.
pub(crate) fn watch_signals() -> Result<Interrupt> {
    let own_program = Path::new(OWN_PROGRAM);
    let program =
        if own_program.exists() { PathBuf::from(own_program) } else { env::current_exe()? };
    Interrupt::watch_signals(&program).context("failed to listen for signals")
}
