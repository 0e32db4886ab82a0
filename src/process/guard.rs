//! The guard: a process that outlives perfgate. If perfgate is killed and cannot clean up, the
//! guard ends the processes that perfgate has started and returns what else it left behind.
//!
//! The guard reads a pipe. When perfgate is gone, the pipe is closed. Until then, the guard sleeps
//! and costs no processor time.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

/// Command-line word that starts perfgate as a guard.
const GUARD_COMMAND: &str = "guard";

/// Perfgate's connection to its guard.
#[derive(Debug)]
pub(super) struct ProcessGuard {
    pipe: ChildStdin,
    scratch_folder: PathBuf,
}

/// Files that a perfgate process left behind when it ended. Its child processes have been killed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct GuardLeftovers {
    /// Temporary folders of the process, which must be removed.
    pub(crate) folders: Vec<PathBuf>,
    /// Repositories in which the process may have left worktrees.
    pub(crate) repositories: Vec<PathBuf>,
}

impl ProcessGuard {
    /// Starts `program` as a guard, in its own process group, which signals to perfgate's group do
    /// not reach.
    ///
    /// # Errors
    ///
    /// Fails if the temporary folder cannot be created or the guard cannot be started.
    pub(super) fn start(program: &Path) -> io::Result<Self> {
        let scratch = tempfile::Builder::new().prefix("perfgate-").tempdir()?.keep();
        let mut command = Command::new(program);
        command.arg0(GUARD_COMMAND).arg(GUARD_COMMAND).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let pipe = command.spawn()?.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut guard = Self { pipe, scratch_folder: scratch };
        let scratch = guard.scratch_folder.clone();
        guard.report_folder(&scratch);
        Ok(guard)
    }

    /// Returns the folder for temporary folders, which is removed when perfgate is gone.
    pub(super) fn scratch_folder(&self) -> &Path {
        &self.scratch_folder
    }

    /// Reports that the process group has started.
    pub(super) fn report_began(&mut self, group: Pid) {
        self.send(b"began ", group.as_raw_nonzero().to_string().as_ref());
    }

    /// Reports that the process group has ended.
    pub(super) fn report_ended(&mut self, group: Pid) {
        self.send(b"ended ", group.as_raw_nonzero().to_string().as_ref());
    }

    /// Reports that perfgate may have worktrees in `repository`.
    pub(super) fn report_worktrees(&mut self, repository: &Path) {
        self.send(b"repository ", repository.as_os_str());
    }

    /// Reports that perfgate creates `folder` and removes it when it ends.
    pub(super) fn report_folder(&mut self, folder: &Path) {
        self.send(b"folder ", folder.as_os_str());
    }

    /// Sends one message. A failure is ignored: measuring goes on without the guard.
    fn send(&mut self, kind: &[u8], value: &OsStr) {
        let message = [kind, value.as_bytes(), b"\0"].concat();
        let _ = self.pipe.write_all(&message);
    }
}

/// Reads messages until `pipe` is closed, then kills the process groups that have started and not
/// ended. Returns what else must be removed.
pub(crate) fn outlive_parent(pipe: impl Read) -> GuardLeftovers {
    let mut remains = GuardLeftovers::default();
    let mut groups: Vec<Pid> = Vec::new();
    for message in BufReader::new(pipe).split(0).map_while(Result::ok) {
        let Some(at) = message.iter().position(|byte| *byte == b' ') else { continue };
        let (kind, value) = (&message[..at], &message[at + 1..]);
        let path = PathBuf::from(OsStr::from_bytes(value));
        match kind {
            b"folder" => remains.folders.push(path),
            b"repository" => remains.repositories.push(path),
            b"began" => groups.extend(parse_group(value)),
            b"ended" => groups.retain(|known| Some(*known) != parse_group(value)),
            _ => {}
        }
    }
    for group in groups {
        // This fails only if the group is already gone.
        let _ = kill_process_group(group, Signal::KILL);
    }
    remains
}

/// Parses the id of a process group. Returns `None` if `digits` are not an id.
fn parse_group(digits: &[u8]) -> Option<Pid> {
    Pid::from_raw(std::str::from_utf8(digits).ok()?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_named_and_what_runs_is_ended() {
        let mut child = Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
        let messages = format!(
            "folder /tmp/a b\0began {id}\0began 999999999\0ended 999999999\0noise\0repository /r\0",
            id = child.id()
        );
        let remains = outlive_parent(messages.as_bytes());
        assert_eq!(remains.folders, [PathBuf::from("/tmp/a b")]);
        assert_eq!(remains.repositories, [PathBuf::from("/r")]);
        assert!(!child.wait().unwrap().success());
    }
}
