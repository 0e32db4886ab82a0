//! Counts the instructions of one call with callgrind: second evidence, which clock noise does not
//! affect.
//!
//! Criterion has no option to count instructions. But with more samples it makes that many more
//! calls, one per sample, and does everything else as before. So the difference between two starts
//! is that of the calls, plus a few thousand instructions with which Criterion stores and writes
//! each sample.

use std::fs;
use std::process::Command;

use super::{BenchTarget, BuiltBenches, build_exact_filter};
use crate::measure::Effort;
use crate::note::CountObstacle;
use crate::process::{self, Interrupt, ProcessError, StderrTarget};
use crate::run::BenchmarkId;

/// The program that counts instructions.
pub(crate) const VALGRIND: &str = "valgrind";
/// Numbers of samples of the two starts: the fewest that Criterion accepts, and some more.
const SAMPLE_COUNTS: [u32; 2] = [10, 30];
/// Fewest instructions of a call that can be distinguished from Criterion's own work. That work was
/// observed to change by about two thousand instructions per call from one start to the next.
const MIN_INSTRUCTIONS: f64 = 500_000.0;
/// Smallest share of all instructions that the additional calls must have. The work before the
/// first call is not the same in two starts, for example because of hash tables with random keys.
const MIN_CALLS_SHARE: f64 = 0.01;

/// Counts the instructions of one call of the benchmark `id` of `target`, including the work of
/// the benchmark between two calls. The inner `Err` is the obstacle if they cannot be counted.
///
/// # Errors
///
/// Fails if a process cannot be started, its files cannot be read, or perfgate was asked to end.
pub(crate) fn count_instructions(
    built: &BuiltBenches,
    target: &str,
    id: &BenchmarkId,
    effort: &Effort,
    interrupt: &Interrupt,
) -> Result<Result<f64, CountObstacle>, ProcessError> {
    // Count two starts with different numbers of samples, and divide the difference by the number
    // of additional calls.
    let mut targets = built.targets.iter();
    let Some(target) =
        targets.find(|bench| bench.name == target && Some(&bench.package) == id.package.as_ref())
    else {
        return Ok(Err(CountObstacle::UnknownTarget));
    };
    if let Some(runner) = &target.runner {
        let runner = runner.describe();
        return Ok(Err(CountObstacle::StartedByRunner { runner }));
    }
    let mut counted = [0.0; 2];
    for (count, samples) in counted.iter_mut().zip(SAMPLE_COUNTS) {
        match target.count_with_samples(&id.name, samples, effort, interrupt)? {
            Ok(instructions) => *count = instructions,
            Err(obstacle) => return Ok(Err(obstacle)),
        }
    }
    let calls = f64::from(SAMPLE_COUNTS[1] - SAMPLE_COUNTS[0]);
    let difference = counted[1] - counted[0];
    if difference < MIN_CALLS_SHARE * counted[1] {
        return Ok(Err(CountObstacle::SetupOutweighsCalls));
    }
    let per_call = difference / calls;
    if per_call < MIN_INSTRUCTIONS {
        return Ok(Err(CountObstacle::CallsTooShort));
    }
    Ok(Ok(per_call))
}

impl BenchTarget {
    /// Counts all instructions of one start that takes `samples` samples. The inner `Err` is the
    /// obstacle if they cannot be counted.
    fn count_with_samples(
        &self,
        id: &str,
        samples: u32,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<Result<f64, CountObstacle>, ProcessError> {
        // Start the bench in Valgrind with the least effort that Criterion allows, check that each
        // sample was one call, and read the total.
        let folder = interrupt.create_temporary_folder()?;
        let (home, out) = (folder.path().join("criterion"), folder.path().join("counts"));
        fs::create_dir_all(&home)?;
        let bench_command = self.build_command(&home);
        let mut command = Command::new(VALGRIND);
        command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display()));
        command.arg(bench_command.get_program()).current_dir(&self.environment.folder).env_clear();
        let variables = bench_command.get_envs();
        command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        command.args(["--bench", "--noplot", "--measurement-time", "0.000001"]);
        command.args(["--warm-up-time", "0.000001", "--nresamples", "1", "--sample-size"]);
        command.args([samples.to_string(), build_exact_filter([id].into_iter())]);
        let stderr = StderrTarget::Lines;
        let ended =
            process::run_process(&mut command, stderr, effort.timeout, interrupt, |_| true)?;
        if let Some(failure) = ended.to_failure(effort.timeout) {
            return Ok(Err(CountObstacle::ProcessFailed { reason: failure.reason }));
        }
        let written = super::read_results(folder.path())?;
        let mut own = written.iter().filter(|written| written.id == id);
        let is_single = own.any(|written| {
            written.observed.as_ref().is_ok_and(|seen| {
                seen.sampling == crate::run::Sampling::Call
                    && seen.samples.len() == samples as usize
            })
        });
        if !is_single {
            return Ok(Err(CountObstacle::SeveralCallsPerSample));
        }
        let counts = fs::read_to_string(&out)?;
        Ok(parse_instruction_total(&counts).ok_or(CountObstacle::NoTotal))
    }
}

/// Returns the total number of instructions in a file that callgrind wrote. Returns `None` if the
/// file has no total.
pub(crate) fn parse_instruction_total(counts: &str) -> Option<f64> {
    counts.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
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
        let counted =
            count_instructions(&built, "suite", &id, &Effort::default(), &Interrupt::default());
        let obstacle = CountObstacle::StartedByRunner { runner: "taskset -c 1".to_owned() };
        assert_eq!(counted.unwrap(), Err(obstacle));
    }

    #[test]
    fn the_total_is_read_from_what_callgrind_writes() {
        // valgrind 3.19 --tool=callgrind true, its first and last lines
        let counts = "# callgrind format\nversion: 1\nevents: Ir\nsummary: 1843517\n\nfn=(1)\n0 3\n\ntotals: 1843517\n";
        assert_eq!(parse_instruction_total(counts), Some(1_843_517.0));
        assert_eq!(parse_instruction_total("version: 1\n"), None);
    }
}
