//! Counts the instructions of a command with callgrind.
//!
//! The command is asked for two numbers of calls. If it makes as many, the difference is that of the
//! calls. If it always makes the same number, only whole processes can be compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use super::{SampleCommand, SampleParser, build_script_command};
use crate::measure::Effort;
use crate::measure::criterion::{
    CallProfile, CountDetail, parse_call_profile, read_profiled_command, start_callgrind,
};
use crate::note::{CountObstacle, FailureReason};
use crate::process::{self, Interrupt, OutputStream, ProcessError, StderrTarget};
use crate::run::{BenchmarkFailure, CallsPerSample};

/// Numbers of calls that the two starts ask for.
const CALL_COUNTS: [u32; 2] = [10, 30];
/// An interpreter runs the benchmark if it has at least this share of the instructions. Native code
/// that a script calls has the rest.
const MIN_INTERPRETER_SHARE: f64 = 0.2;
/// Beginnings of the file names of interpreters and of their libraries, whose functions are not those
/// of the program that they run.
const INTERPRETERS: [&str; 26] = [
    "python",
    "libpython",
    "pypy",
    "libpypy",
    "node",
    "libnode",
    "deno",
    "bun",
    "qjs",
    "ruby",
    "libruby",
    "java",
    "libjvm",
    "perl",
    "libperl",
    "php",
    "lua",
    "liblua",
    "Rscript",
    "libR.so",
    "julia",
    "libjulia",
    "dotnet",
    "libcoreclr",
    "mono",
    "beam.smp",
];
/// Shells, which start the command and are not a part of it.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "zsh", "busybox"];

/// What is counted, and how long that may take.
#[derive(Clone, Copy)]
pub(crate) struct CommandCount<'a> {
    /// The command.
    pub(crate) command: &'a SampleCommand,
    /// Id of the benchmark.
    pub(crate) id: &'a str,
    /// How callgrind counts.
    pub(crate) detail: CountDetail,
    /// Limits of a launch.
    pub(crate) effort: &'a Effort,
    /// When counting must end.
    pub(crate) deadline: Instant,
    /// Raised when a signal asks perfgate to end.
    pub(crate) interrupt: &'a Interrupt,
}

/// The instructions of a command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CommandProfile {
    /// Those of one call.
    Call(CallProfile),
    /// Those of a whole process.
    Process {
        /// The instructions.
        profile: CallProfile,
        /// Number of calls that the process makes, whatever it is asked for.
        calls: f64,
    },
}

/// One start under callgrind.
struct CountedStart {
    profile: CallProfile,
    /// Number of calls that the command printed the times of.
    calls: f64,
}

/// Counts the instructions of a benchmark of a command, in all processes that it starts except for
/// shells. The inner `Err` is the obstacle if they cannot be counted.
///
/// # Errors
///
/// Fails if a process cannot be started, its files cannot be read, or perfgate was asked to end.
pub(crate) fn profile_command(
    count: &CommandCount<'_>,
) -> Result<Result<CommandProfile, CountObstacle>, ProcessError> {
    let mut starts = Vec::new();
    for calls in CALL_COUNTS {
        match profile_start(count, calls)? {
            Ok(start) => starts.push(start),
            Err(obstacle) => return Ok(Err(obstacle)),
        }
        if let Some(program) = starts.iter().find_map(|start| find_interpreter(&start.profile)) {
            return Ok(Err(CountObstacle::Interpreted { program }));
        }
    }
    let [fewer, more] = starts.as_slice() else { return Ok(Err(CountObstacle::NothingCounted)) };
    let added = more.calls - fewer.calls;
    let counted = if added > 0.0 {
        CommandProfile::Call(more.profile.divide_difference(&fewer.profile, added))
    } else {
        CommandProfile::Process { profile: fewer.profile.clone(), calls: fewer.calls }
    };
    let (CommandProfile::Call(profile) | CommandProfile::Process { profile, .. }) = &counted;
    Ok(if profile.count_instructions() > 0.0 {
        Ok(counted)
    } else {
        Err(CountObstacle::NothingCounted)
    })
}

/// Starts the command once under callgrind and asks it for this number of calls. The inner `Err` is
/// the obstacle if it cannot be counted.
fn profile_start(
    count: &CommandCount<'_>,
    calls: u32,
) -> Result<Result<CountedStart, CountObstacle>, ProcessError> {
    let left = count.deadline.saturating_duration_since(Instant::now());
    let limit = left.min(count.effort.timeout);
    if limit.is_zero() {
        return Ok(Err(CountObstacle::BudgetSpent));
    }
    let folder = count.interrupt.create_temporary_folder()?;
    let ids = [count.id.to_owned()];
    let shell = build_script_command(&count.command.script, Some(&ids), Some(calls));
    // Each process has a file of its own.
    let mut command = start_callgrind(&folder.path().join("counts.%p"), count.detail);
    command.arg("--trace-children=yes").arg(shell.get_program()).args(shell.get_args());
    for (name, value) in shell.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut printed = SampleParser::default();
    let ended =
        process::run_process(&mut command, StderrTarget::Lines, limit, count.interrupt, |line| {
            line.stream == OutputStream::Stderr || !printed.take_line(line.bytes)
        })?;
    if ended.status.is_none() && left <= limit {
        return Ok(Err(CountObstacle::BudgetSpent));
    }
    let calls = match count_printed_calls(printed, &ids, ended.to_failure(limit)) {
        Ok(calls) => calls,
        Err(reason) => return Ok(Err(CountObstacle::ProcessFailed { reason })),
    };
    let profile = read_profiles(folder.path())?;
    Ok(profile.map(|profile| CountedStart { profile, calls }).ok_or(CountObstacle::NoTotal))
}

/// Returns how many calls of the benchmark were `printed`. The error is why there are none.
fn count_printed_calls(
    printed: SampleParser,
    ids: &[String; 1],
    failure: Option<BenchmarkFailure>,
) -> Result<f64, FailureReason> {
    let observed = printed.into_observed(Some(ids), failure, "");
    let [id] = ids;
    let own = observed.into_iter().find(|(observed, _)| observed.name == *id);
    let (_, own) = own.ok_or(FailureReason::NoSamplesPrinted)?;
    let observation = own.map_err(|failure| failure.reason)?;
    let samples = observation.samples.len() as f64;
    Ok(match observation.calls_per_sample {
        None => samples,
        Some(CallsPerSample::Same(calls)) => calls * samples,
        Some(CallsPerSample::Each(calls)) => calls.iter().sum(),
    })
}

/// Reads the profiles of all processes in `folder` and adds them up. Those of shells are left out if
/// others are there. Returns `None` if there are none.
///
/// Fails if a file cannot be read.
fn read_profiles(folder: &Path) -> Result<Option<CallProfile>, ProcessError> {
    let (mut programs, mut shells) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let text = fs::read(entry?.path())?;
        let text = String::from_utf8_lossy(&text);
        let Some(profile) = parse_call_profile(&text) else { continue };
        let command = read_profiled_command(&text).unwrap_or_default();
        let program = command.split(' ').next().unwrap_or_default();
        let is_shell = SHELLS.contains(&get_file_name(program));
        if is_shell { &mut shells } else { &mut programs }.push(profile);
    }
    let counted = if programs.is_empty() { shells } else { programs };
    Ok(counted.into_iter().reduce(CallProfile::add_other))
}

/// Returns the file name of the interpreter or shell that has a large part of the instructions of
/// `profile`, if there is one.
fn find_interpreter(profile: &CallProfile) -> Option<String> {
    let mut by_object: BTreeMap<&str, f64> = BTreeMap::new();
    for (place, own) in &profile.own {
        *by_object.entry(get_file_name(&place.function.object)).or_default() += own;
    }
    let is_interpreter = |name: &str| {
        SHELLS.contains(&name) || INTERPRETERS.iter().any(|begin| name.starts_with(begin))
    };
    let interpreters = by_object.into_iter().filter(|(name, _)| is_interpreter(name));
    let largest = interpreters.max_by(|(_, one), (_, other)| one.total_cmp(other));
    let (name, own) = largest?;
    (own >= MIN_INTERPRETER_SHARE * profile.count_instructions()).then(|| name.to_owned())
}

fn get_file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::measure::criterion::{CodeFunction, CodePlace};

    fn profile(objects: &[(&str, f64)]) -> CallProfile {
        let own = objects.iter().map(|(object, own)| {
            let function = CodeFunction { object: Arc::from(*object), symbol: Arc::from("f") };
            (CodePlace { function, address: 1 }, *own)
        });
        CallProfile { own: own.collect(), ..CallProfile::default() }
    }

    #[test]
    fn an_interpreter_is_known_by_what_runs_and_not_by_the_name_of_the_script() {
        let find = |objects: &[(&str, f64)]| find_interpreter(&profile(objects));
        let python = [("/usr/lib/libpython3.11.so.1.0", 60.0), ("/usr/lib/libc.so.6", 40.0)];
        assert_eq!(find(&python).as_deref(), Some("libpython3.11.so.1.0"));
        assert_eq!(find(&[("/usr/bin/dash", 9.0)]).as_deref(), Some("dash"));
        // A script that calls native code for nearly everything.
        let native = [("/usr/bin/python3.11", 10.0), ("/usr/lib/libopenblas.so.0", 90.0)];
        assert_eq!(find(&native), None);
        assert_eq!(find(&[("/home/me/python-like/target/bench", 9.0)]), None);
    }

    #[test]
    fn the_profiles_of_several_processes_are_added_without_shells() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, command: &str, own: u32| {
            let text = format!(
                "cmd: {command}\nevents: Ir\nob=(1) /b\nfn=(1) f\n0x1 {own}\ntotals: {own}\n"
            );
            fs::write(folder.path().join(name), text).unwrap();
        };
        write("counts.1", "/bin/sh -c ./bench", 500);
        let read = || read_profiles(folder.path()).unwrap().unwrap().count_instructions();
        assert!((read() - 500.0).abs() < 1e-9);
        write("counts.2", "./bench --fast", 20);
        write("counts.3", "./helper", 3);
        assert!((read() - 23.0).abs() < 1e-9);
    }
}
