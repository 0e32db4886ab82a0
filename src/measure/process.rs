//! Runs one child process in its own process group. The whole group is ended when the process
//! ends, when its time is up, or on a signal.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tempfile::TempDir;
use thiserror::Error;

use super::guard::ProcessGuard;
use crate::run::BenchmarkFailure;

/// Bytes kept from the end of a process's output.
pub(crate) const MAX_KEPT_OUTPUT_BYTES: usize = 16 * 1024;
/// Longest line in bytes; the rest of a longer line is dropped.
const MAX_LINE_BYTES: usize = 64 << 20;
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

    /// Makes sure that perfgate's worktrees of `repository` are removed if perfgate is killed.
    pub(crate) fn guard_worktrees(&self, repository: &Path) {
        if let Some(guard) = self.lock_guard().as_mut() {
            guard.report_worktrees(repository);
        }
    }

    fn enter_group(&self, group: Pid) {
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

    fn leave_group(&self) {
        let group = self.lock_group().take();
        if let (Some(guard), Some(group)) = (self.lock_guard().as_mut(), group) {
            guard.report_ended(group);
        }
    }

    fn lock_guard(&self) -> std::sync::MutexGuard<'_, Option<ProcessGuard>> {
        self.0.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_group(&self) -> std::sync::MutexGuard<'_, Option<Pid>> {
        self.0.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills all processes of `group`. A failure is ignored: it means that the group is already gone.
fn kill_group(group: Option<Pid>) {
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// The stream that a line was printed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line that a process printed, without the newline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputLine<'a> {
    /// The stream that the line was printed to.
    pub(crate) stream: OutputStream,
    /// The printed bytes, which may not be UTF-8.
    pub(crate) bytes: &'a [u8],
    /// Id of the process that was started; a process that it started may have printed the line.
    pub(crate) process: u32,
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
            None => format!("timed out after {} s", timeout.as_secs_f64()),
            Some(status) if status.success() => return None,
            Some(status) => match (status.code(), status.signal()) {
                (Some(PANIC_STATUS), _) => "panicked".to_owned(),
                (Some(code), _) => format!("ended with status {code}"),
                (None, Some(signal)) => format!("killed by signal {signal}"),
                (None, None) => "ended in an unknown way".to_owned(),
            },
        };
        Some(BenchmarkFailure { reason, output: self.output.clone() })
    }
}

enum ProcessEvent {
    Printed(OutputStream, Vec<u8>),
    Closed,
    Exited,
}

/// Runs `command` until it ends, at most for `timeout`, and then kills its whole group.
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

/// The first process of a group. It exists and is known to the guard before the measured process
/// starts. So whenever perfgate is killed, every running process is in a group that the guard
/// kills.
struct GroupLeader(Child);

impl GroupLeader {
    /// Starts `cat`, which waits for input that never comes. It ends when perfgate is gone, because
    /// its input is then closed.
    fn start() -> io::Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let mut leader = Command::new("cat");
        leader.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        leader.process_group(0).spawn().map(Self)
    }

    fn group_id(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

impl Drop for GroupLeader {
    fn drop(&mut self) {
        kill_group(Some(self.group_id()));
        let _ = self.0.wait();
    }
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

/// Splits the output of a process into lines and keeps the end of it.
struct LineSplitter<F> {
    process: u32,
    on_line: F,
    unfinished: [Vec<u8>; 2],
    kept: VecDeque<u8>,
}

impl<F: FnMut(OutputLine<'_>) -> bool> LineSplitter<F> {
    fn new(process: u32, on_line: F) -> Self {
        Self { process, on_line, unfinished: [Vec::new(), Vec::new()], kept: VecDeque::new() }
    }

    fn push_bytes(&mut self, stream: OutputStream, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let unfinished = &mut self.unfinished[stream as usize];
            let room = MAX_LINE_BYTES.saturating_sub(unfinished.len());
            unfinished.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                let mut line = std::mem::take(unfinished);
                line.pop_if(|byte| *byte == b'\n');
                self.end_line(stream, &line);
            }
        }
    }

    fn end_line(&mut self, stream: OutputStream, bytes: &[u8]) {
        if (self.on_line)(OutputLine { stream, bytes, process: self.process }) {
            self.kept.extend(&bytes[bytes.len().saturating_sub(MAX_KEPT_OUTPUT_BYTES)..]);
            self.kept.push_back(b'\n');
            self.kept.drain(..self.kept.len().saturating_sub(MAX_KEPT_OUTPUT_BYTES));
        }
    }

    fn into_kept_output(mut self) -> String {
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let rest = std::mem::take(&mut self.unfinished[stream as usize]);
            if !rest.is_empty() {
                self.end_line(stream, &rest);
            }
        }
        make_harmless(self.kept.make_contiguous())
    }
}

/// Returns `output` as text. Characters that could move the cursor or change the direction of
/// writing are replaced.
fn make_harmless(output: &[u8]) -> String {
    let replace_control = |c: char| match c {
        '\n' | '\t' => c,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    String::from_utf8_lossy(output).trim_end().chars().map(replace_control).collect()
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
    fn control_characters_are_made_harmless() {
        assert_eq!(
            make_harmless("a\u{1b}[31m\r\tb\u{202e}\n".as_bytes()),
            "a\u{fffd}[31m\u{fffd}\tb\u{fffd}"
        );
        assert_eq!(make_harmless(b"\xff\n"), "\u{fffd}");
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
