//! Counts the instructions of one call with callgrind: evidence that clock noise does not affect.
//!
//! Criterion has no option to count instructions. But with more samples it makes that many more
//! calls, one per sample, and does everything else as before. So the difference between two starts
//! is that of the calls. callgrind counts only while a method of Criterion's `Bencher` runs, so that
//! neither set-up nor Criterion's own statistics are in the counts.

mod profile;

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::{BenchTarget, BuiltBenches, build_exact_filter};
use crate::measure::Effort;
use crate::note::CountObstacle;
use crate::process::{self, Interrupt, ProcessError, StderrTarget};
use crate::run::{BenchmarkId, Sampling};
use crate::symbols::{demangle_symbol, list_function_symbols};

pub(crate) use self::profile::{
    CallProfile, CodeFunction, CodePlace, EdgeCost, parse_call_profile, read_profiled_command,
};

/// The program that counts instructions.
pub(crate) const VALGRIND: &str = "valgrind";
/// Numbers of samples of the two starts: the fewest that Criterion accepts, and some more.
const SAMPLE_COUNTS: [u32; 2] = [10, 30];

/// How callgrind counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CountDetail {
    /// Instructions only.
    Instructions,
    /// Also cache misses and mispredicted branches of a simulated processor, which takes longer.
    Simulation,
}

/// Returns the command that starts callgrind, without the program that it counts. It writes to `out`,
/// in which `%p` stands for the number of the process.
pub(crate) fn start_callgrind(out: &Path, detail: CountDetail) -> Command {
    let mut command = Command::new(VALGRIND);
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display()));
    command.args(["--dump-instr=yes", "--dump-line=no", "--compress-pos=no", "--demangle=no"]);
    if detail == CountDetail::Simulation {
        command.args(["--cache-sim=yes", "--branch-sim=yes"]);
    }
    command
}

/// What is counted, and how long that may take.
#[derive(Clone, Copy)]
pub(crate) struct CountRequest<'a> {
    /// The build whose benchmark is counted.
    pub(crate) built: &'a BuiltBenches,
    /// Name of the bench target.
    pub(crate) target: &'a str,
    /// The benchmark.
    pub(crate) id: &'a BenchmarkId,
    /// How callgrind counts.
    pub(crate) detail: CountDetail,
    /// Limits of a launch.
    pub(crate) effort: &'a Effort,
    /// When counting must end; `None` without such a time.
    pub(crate) deadline: Option<Instant>,
    /// Raised when a signal asks perfgate to end.
    pub(crate) interrupt: &'a Interrupt,
}

impl<'a> CountRequest<'a> {
    /// Returns the bench target of the benchmark; `None` if it was not built.
    pub(super) fn find_target(&self) -> Option<&'a BenchTarget> {
        let mut targets = self.built.targets.iter();
        targets.find(|bench| {
            bench.name == self.target && Some(&bench.package) == self.id.package.as_ref()
        })
    }
}

/// Counts the instructions of one call, by address and by called function. This includes what
/// Criterion's `Bencher` does for it, such as the set-up of `iter_batched`, and leaves out other
/// threads. The inner `Err` is the obstacle if the calls cannot be counted.
///
/// # Errors
///
/// Fails if a process cannot be started, its files cannot be read, or perfgate was asked to end.
pub(crate) fn profile_calls(
    request: &CountRequest<'_>,
) -> Result<Result<CallProfile, CountObstacle>, ProcessError> {
    // Count two starts with different numbers of samples, and divide the difference by the number
    // of additional calls.
    let Some(target) = request.find_target() else {
        return Ok(Err(CountObstacle::UnknownTarget));
    };
    if let Some(runner) = &target.runner {
        let runner = runner.describe();
        return Ok(Err(CountObstacle::StartedByRunner { runner }));
    }
    let methods = target.list_bencher_methods()?;
    if methods.is_empty() {
        return Ok(Err(CountObstacle::NoSymbols));
    }
    let mut profiles = [CallProfile::default(), CallProfile::default()];
    for (profile, samples) in profiles.iter_mut().zip(SAMPLE_COUNTS) {
        match target.profile_samples(request, &methods, samples)? {
            Ok(counted) => *profile = counted,
            Err(obstacle) => return Ok(Err(obstacle)),
        }
    }
    let [fewer, more] = profiles;
    let calls = f64::from(SAMPLE_COUNTS[1] - SAMPLE_COUNTS[0]);
    let profile = more.divide_difference(&fewer, calls);
    if profile.count_instructions() <= 0.0 {
        return Ok(Err(CountObstacle::NothingCounted));
    }
    Ok(Ok(profile))
}

impl BenchTarget {
    /// Returns the mangled names of the methods of Criterion's `Bencher` that call the code under
    /// test. They are never inlined. Returns none if the program has no symbols.
    ///
    /// Fails if the executable cannot be read.
    fn list_bencher_methods(&self) -> io::Result<Vec<String>> {
        let mut symbols = list_function_symbols(&self.executable)?;
        symbols.retain(|symbol| {
            // Cheaper than reading every name: each of them has these letters.
            symbol.contains("Bencher") && is_bencher_method(&demangle_symbol(symbol))
        });
        symbols.sort();
        symbols.dedup();
        Ok(symbols)
    }

    /// Profiles one start that takes `samples` samples. The inner `Err` is the obstacle if they
    /// cannot be counted.
    fn profile_samples(
        &self,
        request: &CountRequest<'_>,
        methods: &[String],
        samples: u32,
    ) -> Result<Result<CallProfile, CountObstacle>, ProcessError> {
        let folder = request.interrupt.create_temporary_folder()?;
        let out = folder.path().join("counts");
        let mut command = start_callgrind(&out, request.detail);
        command.args(methods.iter().map(|symbol| format!("--toggle-collect={symbol}")));
        if let Err(obstacle) = self.run_samples(request, &mut command, samples)? {
            return Ok(Err(obstacle));
        }
        let counts = fs::read(&out)?;
        let profile = parse_call_profile(&String::from_utf8_lossy(&counts));
        Ok(profile.ok_or(CountObstacle::NoTotal))
    }

    /// Starts the bench as the argument of `command`, with the least effort that Criterion allows for
    /// `samples` samples, and checks that each sample was one call. The inner `Err` is the obstacle if
    /// it was not.
    ///
    /// Fails if the process cannot be started or its files cannot be read.
    pub(super) fn run_samples(
        &self,
        request: &CountRequest<'_>,
        command: &mut Command,
        samples: u32,
    ) -> Result<Result<(), CountObstacle>, ProcessError> {
        let left = request.deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let limit = left.map_or(request.effort.timeout, |left| left.min(request.effort.timeout));
        if limit.is_zero() {
            return Ok(Err(CountObstacle::BudgetSpent));
        }
        let interrupt = request.interrupt;
        let folder = interrupt.create_temporary_folder()?;
        let home = folder.path().join("criterion");
        fs::create_dir_all(&home)?;
        let bench_command = self.build_command(&home);
        command.arg(bench_command.get_program()).current_dir(&self.environment.folder).env_clear();
        let variables = bench_command.get_envs();
        command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        command.args(["--bench", "--noplot", "--measurement-time", "0.000001"]);
        command.args(["--warm-up-time", "0.000001", "--nresamples", "1", "--sample-size"]);
        let id = request.id.name.as_str();
        command.args([samples.to_string(), build_exact_filter([id].into_iter())]);
        let ended = process::run_process(command, StderrTarget::Lines, limit, interrupt, |_| true)?;
        if ended.status.is_none() && left.is_some_and(|left| left <= limit) {
            return Ok(Err(CountObstacle::BudgetSpent));
        }
        if let Some(failure) = ended.to_failure(limit) {
            return Ok(Err(CountObstacle::ProcessFailed { reason: failure.reason }));
        }
        let written = super::read_results(folder.path())?;
        let mut own = written.iter().filter(|written| written.id == id);
        let is_single = own.any(|written| {
            written.observed.as_ref().is_ok_and(|seen| {
                seen.sampling == Sampling::Call && seen.samples.len() == samples as usize
            })
        });
        Ok(if is_single { Ok(()) } else { Err(CountObstacle::SeveralCallsPerSample) })
    }
}

/// Returns whether `path` is a method of Criterion's `Bencher` that calls the code under test:
/// `criterion::bencher::Bencher<M>::iter`, or `<criterion::bencher::Bencher<…>>::iter::<…>` in newer
/// symbols. A closure in such a method is not one.
fn is_bencher_method(path: &str) -> bool {
    let path = path.trim_start_matches('<');
    let is_bencher = ["criterion::bencher::Bencher", "criterion::bencher::AsyncBencher"]
        .iter()
        .any(|begin| path.strip_prefix(begin).is_some_and(|rest| rest.starts_with('<')));
    // Look at the path without generic arguments, which may name anything.
    let (mut depth, mut plain) = (0_u32, String::new());
    for c in path.replace("->", "").chars() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let mut parts = plain.split("::").filter(|part| !part.is_empty()).skip(3);
    is_bencher
        && parts.next().is_some_and(|name| name.starts_with("iter"))
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use cargo_config2::PathAndArgs;

    use super::*;
    use crate::measure::criterion::BenchTarget;
    use crate::measure::criterion::environment::BenchEnvironment;

    #[test]
    fn what_a_runner_starts_is_not_counted_and_the_runner_is_named() {
        let mut taskset = PathAndArgs::new("taskset");
        taskset.args(["-c", "1"]);
        let environment = BenchEnvironment { folder: "/".into(), variables: Vec::new() };
        let target = BenchTarget {
            package: "p".to_owned(),
            name: "suite".to_owned(),
            executable: "/bench".into(),
            runner: Some(taskset.into()),
            environment,
        };
        let built = BuiltBenches { targets: vec![target], ..BuiltBenches::default() };
        let id = BenchmarkId { name: "a".to_owned(), package: Some("p".to_owned()) };
        let counted = profile_calls(&CountRequest {
            built: &built,
            target: "suite",
            id: &id,
            detail: CountDetail::Instructions,
            effort: &Effort::default(),
            deadline: None,
            interrupt: &Interrupt::default(),
        });
        let obstacle = CountObstacle::StartedByRunner { runner: "taskset -c 1".to_owned() };
        assert_eq!(counted.unwrap(), Err(obstacle));
    }

    #[test]
    fn instructions_count_while_a_method_of_the_bencher_runs() {
        for path in [
            "criterion::bencher::Bencher<M>::iter",
            "criterion::bencher::Bencher<M>::iter_batched_ref",
            "criterion::bencher::AsyncBencher<A,M>::iter_custom",
            "<criterion::bencher::Bencher<criterion::measurement::WallTime>>::iter::<(), a::b::{closure#0}>",
            "<criterion::bencher::Bencher<W>>::iter::<fn() -> u8, u8>",
        ] {
            assert!(is_bencher_method(path), "{path}");
        }
        for path in [
            "criterion::bencher::Bencher<M>::iter::{{closure}}",
            "<criterion::report::BencherReport as criterion::report::Report>::measurement_complete",
            "core::ops::function::FnOnce::call_once::<criterion::bencher::Bencher<M>::iter>",
            "criterion::bencher::Bencher<M>::assert_iterated",
            "mine::bencher::Bencher<M>::iter",
        ] {
            assert!(!is_bencher_method(path), "{path}");
        }
    }
}
