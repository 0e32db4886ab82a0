//! Process groups: the group that a process is started in, and the end of all that is in it.

use std::io;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

/// Kills all processes of `group`. A failure is ignored: it means that the group is already gone.
pub(super) fn kill_group(group: Option<Pid>) {
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// The first process of a group. It exists and is known to the guard before the measured process
/// starts. So whenever perfgate is killed, every running process is in a group that the guard
/// kills.
pub(super) struct GroupLeader(Child);

impl GroupLeader {
    /// Starts `cat`, which waits for input that never comes. It ends when perfgate is gone, because
    /// its input is then closed.
    ///
    /// # Errors
    ///
    /// Fails if `cat` cannot be started.
    pub(super) fn start() -> io::Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let mut leader = Command::new("cat");
        leader.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        leader.process_group(0).spawn().map(Self)
    }

    /// Returns the id of the group, which is that of its first process.
    pub(super) fn group_id(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

impl Drop for GroupLeader {
    fn drop(&mut self) {
        kill_group(Some(self.group_id()));
        let _ = self.0.wait();
    }
}
