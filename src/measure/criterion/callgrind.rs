//! Instructions of one call, counted by callgrind: a second witness that no noise of the clock reaches.
//!
//! Criterion cannot be told to count. But started with more samples it makes so many more calls, one a
//! sample, and does everything else as before: the difference is that of the calls, and of a few thousand
//! instructions with which Criterion keeps and writes each of them.

use std::fs;
use std::process::Command;

use super::{BenchTarget, BuiltBenches, build_exact_filter};
use crate::measure::process::{self, ProcessError, StderrTarget};
use crate::measure::{Effort, Interrupt};
use crate::run::BenchmarkId;

/// The program that counts.
pub(crate) const VALGRIND: &str = "valgrind";
/// The fewest samples that Criterion takes, and some more.
const SAMPLE_COUNTS: [u32; 2] = [10, 30];
/// Calls of fewer instructions are not told from what Criterion does around them: its share of a call
/// was seen to change by some two thousand instructions from one start to the next.
const MIN_INSTRUCTIONS: f64 = 500_000.0;
/// The calls in question have at least this share of all instructions: what comes before them, such as
/// hash tables with keys drawn at random, is not the same in two starts.
const MIN_CALLS_SHARE: f64 = 0.01;

/// Instructions of one call of the benchmark `id` of a bench target, with what the benchmark does between
/// its calls; or why they cannot be counted.
pub(crate) fn count_instructions(
    built: &BuiltBenches,
    target: &str,
    id: &BenchmarkId,
    effort: &Effort,
    interrupt: &Interrupt,
) -> Result<Result<f64, String>, ProcessError> {
    let is_target =
        |one: &&BenchTarget| one.name == target && Some(&one.package) == id.package.as_ref();
    let Some(target) = built.targets.iter().find(is_target) else {
        return Ok(Err("its bench is not there".to_owned()));
    };
    let mut counted = [0.0; 2];
    for (count, samples) in counted.iter_mut().zip(SAMPLE_COUNTS) {
        match target.count_with_samples(&id.name, samples, effort, interrupt)? {
            Ok(instructions) => *count = instructions,
            Err(reason) => return Ok(Err(reason)),
        }
    }
    let calls = f64::from(SAMPLE_COUNTS[1] - SAMPLE_COUNTS[0]);
    let difference = counted[1] - counted[0];
    if difference < MIN_CALLS_SHARE * counted[1] {
        return Ok(Err("what it does before its first call outweighs its calls".to_owned()));
    }
    let per_call = difference / calls;
    if per_call < MIN_INSTRUCTIONS {
        return Ok(Err("its calls are too short to be told from Criterion's own work".to_owned()));
    }
    Ok(Ok(per_call))
}

impl BenchTarget {
    /// Instructions of one start with so many samples.
    fn count_with_samples(
        &self,
        id: &str,
        samples: u32,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<Result<f64, String>, ProcessError> {
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
            return Ok(Err(format!("callgrind: {}", failure.reason)));
        }
        let written = super::read_results(folder.path())?;
        let is_single = written.iter().any(|written| {
            let is_call = |seen: &super::Observation| {
                seen.sampling == crate::run::Sampling::Call
                    && seen.samples.len() == samples as usize
            };
            written.id == id && written.observed.as_ref().is_ok_and(is_call)
        });
        if !is_single {
            return Ok(Err("it takes more than one call a sample".to_owned()));
        }
        let counts = fs::read_to_string(&out)?;
        Ok(parse_total(&counts).ok_or_else(|| "callgrind wrote no total".to_owned()))
    }
}

/// The total of a file that callgrind wrote.
fn parse_total(counts: &str) -> Option<f64> {
    counts.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::parse_total;

    #[test]
    fn the_total_is_read_from_what_callgrind_writes() {
        // valgrind 3.19 --tool=callgrind true, its first and last lines
        let counts = "# callgrind format\nversion: 1\nevents: Ir\nsummary: 1843517\n\nfn=(1)\n0 3\n\ntotals: 1843517\n";
        assert_eq!(parse_total(counts), Some(1_843_517.0));
        assert_eq!(parse_total("version: 1\n"), None);
    }
}
