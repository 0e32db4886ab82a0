//! Starts a process and follows it: its output line by line, its time limit, and its end.
//!
//! Each process runs in its own process group. The whole group is ended when the process ends, when
//! its time is up, or on a signal. If perfgate itself is killed, the guard ends it. The module knows
//! nothing of what the process measures.

mod lines;
mod group;
pub(crate) mod guard;
mod interrupt;

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use rustix::time::{ClockId, clock_gettime};
use thiserror::Error;

use self::group::{GroupLeader, kill_group};
pub(crate) use self::interrupt::Interrupt;
use self::lines::LineSplitter;
pub(crate) use self::lines::{OutputLine, OutputStream};
use crate::note::FailureReason;
use crate::run::BenchmarkFailure;
use crate::secrets::hide_secrets;
use crate::units::Nanos;

/// How long output is still read after a process has ended. There is a limit because a process
/// outside its group may hold the pipe open.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Exit status of a Rust program whose main thread panicked.
const PANIC_STATUS: i32 = 101;

/// Why running a process gave no [`ProcessEnd`].
#[derive(Debug, Error)]
pub(crate) enum ProcessError {
    /// The process could not be started or watched.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// perfgate was asked to end.
    #[error("interrupted")]
    Interrupted,
}

/// Where the standard error of a process goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StderrTarget {
    /// To the callback, line by line.
    Lines,
    /// To perfgate's own standard error, unchanged.
    User,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct ProcessEnd {
    /// Exit status; `None` if the process was killed because its time was up.
    pub(crate) status: Option<ExitStatus>,
    /// The end of the output, with control characters replaced so that it is safe to show.
    pub(crate) output: String,
}

impl ProcessEnd {
    /// Returns why the process failed, or `None` if it succeeded. `timeout` is the time limit it
    /// ran with, which the reason names.
    pub(crate) fn to_failure(&self, timeout: Duration) -> Option<BenchmarkFailure> {
        use std::os::unix::process::ExitStatusExt as _;
        let reason = match self.status {
            None => FailureReason::TimedOut { limit: to_nanos(timeout) },
            Some(status) if status.success() => return None,
            Some(status) => match (status.code(), status.signal()) {
                (Some(PANIC_STATUS), _) => FailureReason::Panicked,
                (Some(status), _) => FailureReason::Exited { status },
                (None, Some(signal)) => FailureReason::Killed { signal },
                (None, None) => FailureReason::EndedUnknown,
            },
        };
        Some(BenchmarkFailure { reason, output: self.output.clone() })
    }
}

fn to_nanos(duration: Duration) -> Nanos {
    Nanos::new(duration.as_secs_f64() * 1e9).expect("a duration is finite and not negative")
}

enum ProcessEvent {
    Printed(OutputStream, Vec<u8>),
    Closed,
    Exited,
}

/// Runs `command` until it ends, at most for `timeout`, and then kills its whole group.
///
/// The process sees neither tokens nor the files of the workflow.
///
/// `on_line` receives every line and returns true if [`ProcessEnd::output`] should keep it.
///
/// # Errors
///
/// Fails if a process cannot be started or waited for, or if perfgate was asked to end.
pub(crate) fn run_process(
    command: &mut Command,
    stderr: StderrTarget,
    timeout: Duration,
    interrupt: &Interrupt,
    on_line: impl FnMut(OutputLine<'_>) -> bool,
) -> Result<ProcessEnd, ProcessError> {
    // A leader process opens the group, and the guard is informed of it. Only then is `command`
    // started inside the group, and followed until it ends or its time is up.
    use std::os::unix::process::CommandExt as _;
    if interrupt.is_raised() {
        return Err(ProcessError::Interrupted);
    }
    let leader = GroupLeader::start()?;
    let group = leader.group_id();
    hide_secrets(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.process_group(group.as_raw_nonzero().get());
    match stderr {
        StderrTarget::Lines => command.stderr(Stdio::piped()),
        StderrTarget::User => command.stderr(Stdio::inherit()),
    };
    interrupt.enter_group(group);
    let ended = command.spawn().map_err(ProcessError::from).and_then(|mut child| {
        // A signal that came before `spawn` could only kill the leader.
        if interrupt.is_raised() {
            kill_group(Some(group));
        }
        let id = Pid::from_child(&child);
        let (events, readers) = watch_child(&mut child, id);
        let mut lines = LineSplitter::new(child.id(), on_line);
        let timed_out = follow_events(&events, readers, timeout, group, &mut lines);
        let status = child.wait()?;
        Ok(ProcessEnd { status: (!timed_out).then_some(status), output: lines.into_kept_output() })
    });
    // The leader is reaped only when it is dropped, so the group id cannot have been reused yet.
    interrupt.leave_group();
    if interrupt.is_raised() {
        return Err(ProcessError::Interrupted);
    }
    ended
}

/// Starts the threads that watch `child`. Returns their events and the number of pipes they read.
fn watch_child(child: &mut Child, id: Pid) -> (Receiver<ProcessEvent>, usize) {
    let (sender, events) = sync_channel(64);
    let exited = sender.clone();
    thread::spawn(move || {
        // NOWAIT leaves the child to be reaped by `Child::wait`.
        let _ = waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        let _ = exited.send(ProcessEvent::Exited);
    });
    let mut readers = 0;
    if let Some(stdout) = child.stdout.take() {
        let sender = sender.clone();
        thread::spawn(move || read_pipe(stdout, OutputStream::Stdout, &sender));
        readers += 1;
    }
    if let Some(stderr) = child.stderr.take() {
        thread::spawn(move || read_pipe(stderr, OutputStream::Stderr, &sender));
        readers += 1;
    }
    (events, readers)
}

fn read_pipe(mut pipe: impl Read, stream: OutputStream, sender: &SyncSender<ProcessEvent>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match pipe.read(&mut buffer) {
            Ok(count) if count > 0 => {
                if sender.send(ProcessEvent::Printed(stream, buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => {
                let _ = sender.send(ProcessEvent::Closed);
                return;
            }
        }
    }
}

/// Returns true if the time was up before the process ended. The group has been killed afterwards.
fn follow_events<F: FnMut(OutputLine<'_>) -> bool>(
    events: &Receiver<ProcessEvent>,
    readers: usize,
    timeout: Duration,
    group: Pid,
    lines: &mut LineSplitter<F>,
) -> bool {
    // Follow the process until it has exited and its pipes are closed. When it exits, kill the rest
    // of its group and read the remaining output for `DRAIN_TIMEOUT`. When the time is up before
    // that, kill the group and wait for the exit without a deadline.
    let (mut open, mut exited, mut timed_out) = (readers, false, false);
    let mut deadline = Instant::now().checked_add(timeout);
    while open > 0 || !exited {
        let left =
            deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
        match events.recv_timeout(left) {
            Ok(ProcessEvent::Printed(stream, bytes)) => lines.push_bytes(stream, &bytes),
            Ok(ProcessEvent::Closed) => open -= 1,
            Ok(ProcessEvent::Exited) => {
                exited = true;
                kill_group(Some(group));
                deadline = Some(Instant::now() + DRAIN_TIMEOUT);
            }
            Err(RecvTimeoutError::Timeout) if exited => break,
            Err(RecvTimeoutError::Timeout) => {
                timed_out = true;
                kill_group(Some(group));
                deadline = None;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    timed_out
}

/// Returns the time of the monotonic clock, which all processes of the machine share.
pub(crate) fn read_monotonic_clock() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Returns the peak resident memory of a running process so far, in bytes. Returns `None` if the
/// system does not report it.
pub(crate) fn read_peak_memory(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::lines::MAX_KEPT_OUTPUT_BYTES;
    use super::*;

    fn shell(script: &str, timeout: Duration) -> (ProcessEnd, Vec<(OutputStream, String)>) {
        let mut lines = Vec::new();
        let ended = run_process(
            Command::new("sh").args(["-c", script]),
            StderrTarget::Lines,
            timeout,
            &Interrupt::default(),
            |line| {
                lines.push((line.stream, String::from_utf8_lossy(line.bytes).into_owned()));
                true
            },
        );
        (ended.unwrap(), lines)
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_joins_a_group_that_was_there_and_known_before_it() {
        let script = r#"read -r id name state parent group rest < "/proc/$$/stat"
            test "$group" != "$$" && kill -0 "$group""#;
        let (ended, _) = shell(script, Duration::from_mins(1));
        assert!(ended.status.unwrap().success());
    }

    #[test]
    fn both_streams_come_as_lines_and_the_last_needs_no_end() {
        let (ended, mut lines) = shell("echo one; printf two >&2", Duration::from_mins(1));
        lines.sort_by_key(|(stream, _)| *stream as u8);
        assert!(ended.status.unwrap().success());
        assert_eq!(
            lines,
            [(OutputStream::Stdout, "one".to_owned()), (OutputStream::Stderr, "two".to_owned())]
        );
    }

    #[test]
    fn when_the_time_is_up_the_whole_group_ends() {
        // The grandchild holds the pipe open, so `shell` returns only if the grandchild is gone.
        let (ended, _) = shell("sleep 1000 & wait", Duration::from_millis(500));
        assert!(ended.status.is_none());
    }

    #[test]
    fn what_a_process_leaves_behind_ends_with_it() {
        let (ended, _) = shell("sleep 1000 & exit 3", Duration::from_mins(10));
        assert_eq!(ended.status.unwrap().code(), Some(3));
    }

    #[test]
    fn only_the_end_of_long_output_is_kept() {
        let (ended, lines) =
            shell("head -c 1000000 /dev/zero | tr '\\0' x; echo end", Duration::from_mins(1));
        assert_eq!(ended.output.len(), MAX_KEPT_OUTPUT_BYTES - 1);
        assert!(ended.output.ends_with("xend"));
        assert_eq!(lines[0].1.len(), 1_000_003);
    }

    #[test]
    fn an_interrupt_ends_the_process_that_runs() {
        let interrupt = Interrupt::default();
        let raised = interrupt.clone();
        let ended = run_process(
            Command::new("sh").args(["-c", "echo begun; sleep 1000"]),
            StderrTarget::Lines,
            Duration::from_mins(10),
            &interrupt,
            |_| {
                raised.raise();
                true
            },
        );
        assert!(matches!(ended, Err(ProcessError::Interrupted)));
    }
}
