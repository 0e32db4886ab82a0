//! One child process: its whole group ends when it ends, when its time is up, or on a signal.

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

/// How much of the end of its output is kept of a process.
pub(crate) const MAX_KEPT_OUTPUT_BYTES: usize = 16 * 1024;
/// A line longer than this is cut.
const MAX_LINE_BYTES: usize = 64 << 20;
/// How long output is waited for after a process has ended: something outside its group may hold the pipe.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// The status of a Rust program whose main thread panicked.
const PANIC_STATUS: i32 = 101;

/// Why a process gave no ending.
#[derive(Debug, Error)]
pub(crate) enum ProcessError {
    /// It could not be started or watched.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// perfgate was asked to end.
    #[error("interrupted")]
    Interrupted,
}

/// Whether perfgate was asked to end, and the process group to end then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<InterruptState>);

#[derive(Debug, Default)]
struct InterruptState {
    is_raised: AtomicBool,
    group: Mutex<Option<Pid>>,
    guard: Mutex<Option<ProcessGuard>>,
}

impl Interrupt {
    /// Listens for Ctrl-C, SIGTERM and SIGHUP from now on, for the rest of the process; a second one
    /// ends it at once. `program` is this program, which is started once more to guard what SIGKILL
    /// would leave behind.
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

    /// Asks perfgate to end: the process that runs now is killed, with its group.
    pub(crate) fn raise(&self) {
        self.0.is_raised.store(true, Ordering::SeqCst);
        kill_group(*self.lock_group());
    }

    /// True once perfgate was asked to end.
    pub(crate) fn is_raised(&self) -> bool {
        self.0.is_raised.load(Ordering::SeqCst)
    }

    /// A temporary folder that goes with perfgate, however it ends.
    pub(crate) fn create_temporary_folder(&self) -> io::Result<TempDir> {
        match self.lock_guard().as_ref() {
            Some(guard) => tempfile::tempdir_in(guard.scratch_folder()),
            None => tempfile::tempdir(),
        }
    }

    /// Should perfgate be killed, its worktrees of this repository are removed.
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

/// Fails only where the group is gone already, which is what was wanted.
fn kill_group(group: Option<Pid>) {
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line that a process printed, without its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputLine<'a> {
    /// Where it was printed.
    pub(crate) stream: OutputStream,
    /// What was printed; not always UTF-8.
    pub(crate) bytes: &'a [u8],
    /// Id of the process.
    pub(crate) process: u32,
}

/// Where the standard error of a process goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StderrTarget {
    /// To the lines.
    Lines,
    /// To the user, untouched.
    User,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct ProcessEnd {
    /// Its status; `None` when its time was up.
    pub(crate) status: Option<ExitStatus>,
    /// The end of what it printed, harmless to show.
    pub(crate) output: String,
}

impl ProcessEnd {
    /// What it failed with, unless it ended well within `timeout`.
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

/// Runs `command` to its end, at most for `timeout`.
///
/// `on_line` gets every line and says whether it is worth keeping in the output.
pub(crate) fn run_process(
    command: &mut Command,
    stderr: StderrTarget,
    timeout: Duration,
    interrupt: &Interrupt,
    on_line: impl FnMut(OutputLine<'_>) -> bool,
) -> Result<ProcessEnd, ProcessError> {
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
        // A signal before this had nobody but the leader to end.
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
    // The leader is not reaped yet, so that the id of its group cannot belong to anybody else.
    interrupt.leave_group();
    if interrupt.is_raised() {
        return Err(ProcessError::Interrupted);
    }
    ended
}

/// The first of a group of processes, there and known to the guard before the one that matters is
/// started: whenever perfgate is killed, what runs belongs to a group that somebody ends.
struct GroupLeader(Child);

impl GroupLeader {
    /// It waits for input that never comes, and for its end, which comes when perfgate is gone.
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

fn watch_child(child: &mut Child, id: Pid) -> (Receiver<ProcessEvent>, usize) {
    let (sender, events) = sync_channel(64);
    let exited = sender.clone();
    thread::spawn(move || {
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

/// True when the time was up before the process ended. Its group is gone afterwards.
fn follow_events<F: FnMut(OutputLine<'_>) -> bool>(
    events: &Receiver<ProcessEvent>,
    readers: usize,
    timeout: Duration,
    group: Pid,
    lines: &mut LineSplitter<F>,
) -> bool {
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

/// Cuts what is printed into lines and keeps the end of it.
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

/// The text of `output`, without anything that could move a cursor or turn writing around.
fn make_harmless(output: &[u8]) -> String {
    let replace_control = |c: char| match c {
        '\n' | '\t' => c,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    String::from_utf8_lossy(output).trim_end().chars().map(replace_control).collect()
}

/// Largest resident memory of a running process until now, in bytes, where the system tells it.
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
        // The grandchild holds the pipe: that this returns at all shows that it is gone.
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
