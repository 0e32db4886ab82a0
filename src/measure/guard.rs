//! A process that outlives this one: where perfgate is killed and cannot clean up, the guard ends the
//! processes it had started and names what else it left behind.
//!
//! It reads a pipe and learns from its end that perfgate is gone, so that it costs no time meanwhile.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

/// The word that makes this program a guard.
pub(crate) const GUARD_COMMAND: &str = "guard";

/// The end of the pipe that perfgate holds.
#[derive(Debug)]
pub(super) struct ProcessGuard {
    pipe: ChildStdin,
    scratch_folder: PathBuf,
}

/// What a process left that is gone; its children have been ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct GuardLeftovers {
    /// Folders of its own, to be removed.
    pub(crate) folders: Vec<PathBuf>,
    /// Repositories that it may have left worktrees in.
    pub(crate) repositories: Vec<PathBuf>,
}

impl ProcessGuard {
    /// Starts `program` as a guard, in a process group of its own that signals to ours do not reach.
    pub(super) fn start(program: &Path) -> io::Result<Self> {
        let scratch = tempfile::Builder::new().prefix("perfgate-").tempdir()?.keep();
        let mut command = Command::new(program);
        command.arg0(GUARD_COMMAND).arg(GUARD_COMMAND).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let pipe = command.spawn()?.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut guard = Self { pipe, scratch_folder: scratch };
        let scratch = guard.scratch_folder.clone();
        guard.send(b"folder ", scratch.as_os_str());
        Ok(guard)
    }

    /// Where temporary folders are made, so that they go when perfgate goes.
    pub(super) fn scratch_folder(&self) -> &Path {
        &self.scratch_folder
    }

    /// This group has begun.
    pub(super) fn report_began(&mut self, group: Pid) {
        self.send(b"began ", group.as_raw_nonzero().to_string().as_ref());
    }

    /// This group has ended.
    pub(super) fn report_ended(&mut self, group: Pid) {
        self.send(b"ended ", group.as_raw_nonzero().to_string().as_ref());
    }

    /// Worktrees of this repository are in use.
    pub(super) fn report_worktrees(&mut self, repository: &Path) {
        self.send(b"repository ", repository.as_os_str());
    }

    /// That the guard is gone keeps nobody from measuring.
    fn send(&mut self, kind: &[u8], value: &OsStr) {
        let message = [kind, value.as_bytes(), b"\0"].concat();
        let _ = self.pipe.write_all(&message);
    }
}

/// Listens until the other end of `pipe` is gone, then ends what has begun and not ended.
pub(crate) fn outlive_parent(pipe: impl Read) -> GuardLeftovers {
    let mut remains = GuardLeftovers::default();
    let mut groups: Vec<Pid> = Vec::new();
    for message in BufReader::new(pipe).split(0).map_while(Result::ok) {
        let Some(at) = message.iter().position(|byte| *byte == b' ') else { continue };
        let (kind, value) = (&message[..at], &message[at + 1..]);
        let path = || PathBuf::from(OsStr::from_bytes(value));
        let group = || Pid::from_raw(std::str::from_utf8(value).ok()?.parse().ok()?);
        match kind {
            b"folder" => remains.folders.push(path()),
            b"repository" => remains.repositories.push(path()),
            b"began" => groups.extend(group()),
            b"ended" => groups.retain(|one| Some(*one) != group()),
            _ => {}
        }
    }
    for group in groups {
        // Fails only where the group is gone already.
        let _ = kill_process_group(group, Signal::KILL);
    }
    remains
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
