//! Asks perfgate to end, and ends what it has started.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::Pid;
use tempfile::TempDir;

use super::group::kill_group;
use super::guard::ProcessGuard;

/// Whether perfgate was asked to end, and which process group must then be killed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<InterruptState>);

#[derive(Debug, Default)]
struct InterruptState {
    is_raised: AtomicBool,
    group: Mutex<Option<Pid>>,
    guard: Mutex<Option<ProcessGuard>>,
}

impl Interrupt {
    /// Listens for Ctrl-C, SIGTERM and SIGHUP until perfgate ends. A second signal ends perfgate at
    /// once. `program` is the path of perfgate itself: it is started a second time as a guard,
    /// which cleans up if perfgate is killed by SIGKILL. Without a guard, measuring goes on
    /// unguarded.
    ///
    /// # Errors
    ///
    /// Fails if the signal handlers cannot be installed.
    pub(crate) fn watch_signals(program: &Path) -> io::Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let interrupt = Self::default();
        *interrupt.lock_guard() = ProcessGuard::start(program).ok();
        let raised = interrupt.clone();
        thread::spawn(move || {
            for signal in signals.forever() {
                if raised.is_raised() {
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
                raised.raise();
            }
        });
        Ok(interrupt)
    }

    /// Asks perfgate to end, and kills the group of the process that is running.
    pub(crate) fn raise(&self) {
        self.0.is_raised.store(true, Ordering::SeqCst);
        kill_group(*self.lock_group());
    }

    /// True once perfgate was asked to end.
    pub(crate) fn is_raised(&self) -> bool {
        self.0.is_raised.load(Ordering::SeqCst)
    }

    /// Creates a temporary folder that is removed when perfgate ends, even if perfgate is killed.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be created.
    pub(crate) fn create_temporary_folder(&self) -> io::Result<TempDir> {
        match self.lock_guard().as_ref() {
            Some(guard) => tempfile::tempdir_in(guard.scratch_folder()),
            None => tempfile::tempdir(),
        }
    }

    /// Makes sure that `folder` is removed if perfgate is killed.
    pub(crate) fn guard_folder(&self, folder: &Path) {
        if let Some(guard) = self.lock_guard().as_mut() {
            guard.report_folder(folder);
        }
    }

    /// Makes sure that perfgate's worktrees of `repository` are removed if perfgate is killed.
    pub(crate) fn guard_worktrees(&self, repository: &Path) {
        if let Some(guard) = self.lock_guard().as_mut() {
            guard.report_worktrees(repository);
        }
    }

    /// Notes that the process group has started: a request to end now kills it.
    pub(super) fn enter_group(&self, group: Pid) {
        if let Some(guard) = self.lock_guard().as_mut() {
            guard.report_began(group);
        }
        let mut current = self.lock_group();
        *current = Some(group);
        // A request to end may have come before the group was known: then it has killed nothing.
        if self.is_raised() {
            kill_group(*current);
        }
    }

    /// Notes that the process group has ended: its id may be used again by others.
    pub(super) fn leave_group(&self) {
        let group = self.lock_group().take();
        if let (Some(guard), Some(group)) = (self.lock_guard().as_mut(), group) {
            guard.report_ended(group);
        }
    }

    fn lock_guard(&self) -> MutexGuard<'_, Option<ProcessGuard>> {
        self.0.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_group(&self) -> MutexGuard<'_, Option<Pid>> {
        self.0.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
