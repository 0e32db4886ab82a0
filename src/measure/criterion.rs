//! Measures unchanged bench targets that use Criterion, with one call per sample.
//!
//! If the measurement time is close to zero, Criterion makes one call per sample, and its folder
//! then holds the time of every call. The settings of a benchmark group take precedence over the
//! flags. So whether a sample is one call is read from the written files and not assumed from the
//! flags.

mod environment;
mod runner;
mod sources;
mod first_error;
mod build;
mod parts;
mod metrics;
mod output;
mod stages;
mod callgrind;
mod hardware;
mod pilot;
mod same_program;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::note::{ClaimIssue, FailureReason, Note};
use crate::process::{self, Interrupt, ProcessEnd, ProcessError, StderrTarget, read_peak_memory};
use crate::run::{BenchmarkFailure, BenchmarkId};

use self::metrics::{METRICS_VARIABLE, read_reported_metrics};
use self::output::{is_cut_title, is_title_of, read_bench_conditions};
use self::stages::LaunchStages;
use super::effort::Effort;
use super::plan::MeasureMode;
use super::{LaunchJob, LaunchResult, MeasureError, Observation, ObservedBenchmarks};

pub(crate) use self::build::{
    BenchTarget, BuildError, BuiltBenches, CargoWorkspace, PackageChoice, TOOLCHAIN_VARIABLE,
    build_benches,
};
pub(crate) use self::callgrind::{
    CallProfile, CodeFunction, CodePlace, CountDetail, CountRequest, EdgeCost, VALGRIND,
    parse_call_profile, profile_calls, read_profiled_command, start_callgrind,
};
pub(crate) use self::environment::record_environment;
pub(crate) use self::hardware::count_hardware_events;
#[cfg(feature = "internals")]
pub(crate) use self::output::parse_written_result;
pub(crate) use self::output::{WrittenResult, read_results};
pub(crate) use self::parts::WorkspaceParts;
pub(crate) use self::pilot::{list_benchmark_ids, run_pilot};
pub(crate) use self::same_program::{find_same_targets, hash_bench_program};
pub(crate) use self::sources::TargetSources;

/// Resamples of Criterion's bootstrap. perfgate does not use its result, which would take as long as
/// the calls. Criterion accepts every number above zero, and warns below 1000 on standard output.
const BOOTSTRAP_RESAMPLES: u32 = 2;
/// Shortest time in seconds that Criterion accepts as it is written in its flags.
const SHORTEST_SECONDS: f64 = 1e-6;
/// Name of the condition that states which benchmarks a process has, if it has one only.
const PROCESS_CONDITION: &str = "process";
/// Its value.
const OWN_PROCESS: &str = "one per benchmark";
/// After this many time-outs in one launch, its remaining benchmarks are not tried any more.
const MAX_TIME_OUTS: u32 = 3;

/// Launches a job once. A benchmark that panics, hangs or writes no samples fails, and the others
/// are started again without it.
///
/// # Errors
///
/// Fails if a process cannot be started, its results cannot be read, or perfgate was asked to end.
pub(super) fn launch_target(
    built: &BuiltBenches,
    job: &LaunchJob,
    effort: &Effort,
    interrupt: &Interrupt,
) -> Result<LaunchResult, MeasureError> {
    // Start the remaining benchmarks until none is left. If a start fails, blame the benchmark that
    // ran last and start the others again. If there is no such benchmark, or after too many
    // time-outs, all remaining benchmarks fail.
    let target = built.targets.iter().find(|target| {
        Some(&target.package) == job.package.as_ref() && Some(&target.name) == job.target.as_ref()
    });
    let Some(target) = target else {
        return Ok(LaunchResult::default());
    };
    let mut remaining: BTreeSet<String> = job.ids.iter().flatten().cloned().collect();
    let (mut observed, mut notes) = (Vec::new(), Vec::new());
    let mut time_outs = 0;
    while !remaining.is_empty() {
        let id_filter = build_exact_filter(remaining.iter().map(String::as_str));
        let started =
            target.start_bench(Some(&id_filter), job.mode, job.launch_time, effort, interrupt)?;
        notes.extend(
            started
                .settings_error
                .iter()
                .map(|cause| Note::SettingsUnusable { cause: cause.clone() }),
        );
        notes.extend(started.metrics_error.iter().map(|cause| Note::Claim {
            issue: ClaimIssue::MetricsUnusable { cause: cause.clone() },
        }));
        let culprit = started.find_culprit().map(str::to_owned);
        let failure = started.to_failure(effort);
        let begun_titles: Vec<String> =
            started.stages.begun.into_iter().map(|begun| begun.title).collect();
        for (id, result) in started.results {
            if remaining.remove(&id) {
                observed.push((target.make_benchmark_id(id), result));
            }
        }
        let Some(failure) = failure else {
            // The start succeeded: benchmarks that began and wrote nothing fail. Those that did not
            // begin no longer exist.
            remaining.retain(|id| begun_titles.iter().any(|title| is_title_of(title, id)));
            observed.extend(fail_all(
                target,
                remaining,
                &make_unwritten_failure(started.ended.output),
            ));
            break;
        };
        time_outs += u32::from(started.ended.status.is_none());
        let id =
            culprit.and_then(|title| remaining.iter().find(|id| is_title_of(&title, id)).cloned());
        match id {
            Some(id) if time_outs < MAX_TIME_OUTS => {
                remaining.remove(&id);
                observed.push((target.make_benchmark_id(id), Err(failure)));
            }
            _ => {
                observed.extend(fail_all(target, remaining, &failure));
                break;
            }
        }
    }
    Ok(LaunchResult { benchmarks: observed, notes, ..LaunchResult::default() })
}

fn fail_all(
    target: &BenchTarget,
    ids: BTreeSet<String>,
    failure: &BenchmarkFailure,
) -> ObservedBenchmarks {
    ids.into_iter().map(|id| (target.make_benchmark_id(id), Err(failure.clone()))).collect()
}

fn make_unwritten_failure(output: String) -> BenchmarkFailure {
    BenchmarkFailure { reason: FailureReason::NoSamplesWritten, output }
}

/// The outcome of one start of a target.
struct TargetStart {
    /// Ids of the benchmarks that wrote results, each with its observation or its failure.
    results: Vec<(String, Result<Observation, BenchmarkFailure>)>,
    /// Why the `settings.json` of the bench cannot be used; `None` if it can, or if there is none.
    settings_error: Option<String>,
    /// Why the metrics that the bench reports cannot be used; `None` if they can, or if there are
    /// none.
    metrics_error: Option<String>,
    /// The benchmarks that began, according to the output.
    stages: LaunchStages,
    /// How the process ended.
    ended: ProcessEnd,
}

impl TargetStart {
    /// Returns the title of the benchmark that ran last, if it wrote no results: the benchmark that
    /// caused a failed start.
    fn find_culprit(&self) -> Option<&str> {
        let title = self.stages.begun.last()?.title.as_str();
        let wrote = self.results.iter().any(|(id, _)| is_title_of(title, id));
        (!wrote).then_some(title)
    }

    /// Returns why the start failed, or `None` if it succeeded.
    fn to_failure(&self, effort: &Effort) -> Option<BenchmarkFailure> {
        self.ended.to_failure(effort.timeout)
    }
}

impl BenchTarget {
    /// Starts the target in its own environment and folder. `filter` is a regular expression that
    /// selects benchmarks; `None` selects all.
    fn start_bench(
        &self,
        filter: Option<&str>,
        mode: MeasureMode,
        launch_time: Duration,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<TargetStart, ProcessError> {
        // An id with `..` in its three parts leads out of Criterion's folder. The deep path keeps
        // its results inside the temporary folder.
        let folder = interrupt.create_temporary_folder()?;
        let home = folder.path().join("a/b/c/d/e/criterion");
        fs::create_dir_all(&home)?;
        let reported = folder.path().join("metrics");
        let mut command = self.build_command(&home);
        command.env(METRICS_VARIABLE, &reported);
        command.args(["--bench", "--noplot"]);
        command.args(build_flags(mode, launch_time, effort));
        command.args(filter);
        let (mut stages, mut peak) = (LaunchStages::begin(Instant::now()), None);
        let ended = process::run_process(
            &mut command,
            StderrTarget::Lines,
            effort.timeout,
            interrupt,
            |line| {
                let has_ended =
                    stages.take_line(&String::from_utf8_lossy(line.bytes), Instant::now());
                // The memory of a runner is not that of the bench.
                if has_ended && self.runner.is_none() {
                    peak = read_peak_memory(line.process).or(peak);
                }
                true
            },
        )
        .map_err(|error| self.explain_start_error(error))?;
        let metrics: BTreeMap<_, _> =
            peak.map(|bytes| ("peak_rss_bytes".to_owned(), bytes)).into_iter().collect();
        let (mut conditions, settings_error) = match read_bench_conditions(&home) {
            Ok(conditions) => (conditions, None),
            Err(cause) => (BTreeMap::new(), Some(cause)),
        };
        if effort.is_alone {
            // Memory and caches of a process differ if it has other benchmarks too.
            conditions.insert(PROCESS_CONDITION.to_owned(), OWN_PROCESS.to_owned());
        }
        let conditions = Arc::new(conditions);
        let (reported, metrics_error) = match read_reported_metrics(&reported) {
            Ok(reported) => (reported, None),
            Err(cause) => (BTreeMap::new(), Some(cause)),
        };
        let written = read_results(folder.path())?.into_iter().map(|written| {
            let observed = written.observed;
            let (mut metrics, conditions) = (metrics.clone(), Arc::clone(&conditions));
            metrics.extend(reported.get(&written.id).cloned().unwrap_or_default());
            let complete = |observation| Observation { metrics, conditions, ..observation };
            (written.id, observed.map(complete))
        });
        let results = written.collect();
        Ok(TargetStart { results, settings_error, metrics_error, stages, ended })
    }

    /// Returns the command that starts the executable as Cargo would, through the runner if there is
    /// one, with its results in `home`.
    fn build_command(&self, home: &Path) -> Command {
        let mut command = match &self.runner {
            Some(runner) => runner.build_command(&self.executable),
            None => Command::new(&self.executable),
        };
        let environment = &self.environment;
        command.current_dir(&environment.folder).env_clear();
        command.envs(environment.variables.iter().map(|(name, value)| (name, value)));
        command.env("CRITERION_HOME", home).env_remove("CARGO_CRITERION_PORT");
        command
    }

    /// Names the runner in the error of a start, because the user may not know that there is one.
    fn explain_start_error(&self, error: ProcessError) -> ProcessError {
        match (error, &self.runner) {
            (ProcessError::Io(error), Some(runner)) => {
                let runner = runner.describe();
                let message = format!(
                    "failed to start `{runner}`, the runner of Cargo's configuration: {error}"
                );
                io::Error::new(error.kind(), message).into()
            }
            (error, _) => error,
        }
    }

    fn make_benchmark_id(&self, id: String) -> BenchmarkId {
        BenchmarkId { name: id, package: Some(self.package.clone()) }
    }
}

/// Returns the flags with which a bench measures its benchmarks. All calls of one benchmark take
/// about `launch_time`, if they are measured in batches.
fn build_flags(mode: MeasureMode, launch_time: Duration, effort: &Effort) -> Vec<String> {
    let seconds = match mode {
        MeasureMode::Call(_) => SHORTEST_SECONDS,
        MeasureMode::Batch => launch_time.as_secs_f64().max(SHORTEST_SECONDS),
    };
    let samples = mode.count_samples(effort);
    let warmup = effort.choose_warmup(launch_time).as_secs_f64().max(SHORTEST_SECONDS);
    [
        ("--sample-size", samples.to_string()),
        ("--measurement-time", format!("{seconds:.6}")),
        ("--nresamples", BOOTSTRAP_RESAMPLES.to_string()),
        ("--warm-up-time", format!("{warmup:.6}")),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect()
}

/// Returns a regular expression that matches only benchmarks with these titles. A title that was
/// cut matches all benchmarks that begin like it.
fn build_title_filter<'a>(titles: impl Iterator<Item = &'a str>) -> String {
    let escaped = titles.map(|title| match title.strip_suffix("...") {
        Some(begin) if is_cut_title(title) => format!("{}.*", escape_regex(begin)),
        _ => escape_regex(title),
    });
    format!("^(?s:{})$", escaped.collect::<Vec<_>>().join("|"))
}

/// Returns a regular expression that matches only these ids.
fn build_exact_filter<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    format!("^(?:{})$", ids.map(escape_regex).collect::<Vec<_>>().join("|"))
}

fn escape_regex(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // Other characters must not be escaped: `\<` would match the start of a word.
        if r"\.+*?()|[]{}^$#&-~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_matches_its_benchmarks_and_no_others() {
        let ids = ["a.b", "a|b", "(", "<x>", "w\\y", "plain/1"];
        let exact = build_exact_filter(ids.into_iter());
        assert_eq!(exact, r"^(?:a\.b|a\|b|\(|<x>|w\\y|plain/1)$");
        let cut = format!("{}...", "l".repeat(100));
        let titles = build_title_filter([cut.as_str(), "ends in..."].into_iter());
        assert_eq!(titles, format!(r"^(?s:{}.*|ends in\.\.\.)$", "l".repeat(100)));
    }

    #[test]
    fn calls_are_asked_for_with_no_time_to_measure_and_batches_with_some() {
        let effort = Effort { calls: Some(30), warmup: Some(Duration::ZERO), ..Effort::default() };
        let given = |mode| build_flags(mode, Duration::from_millis(25), &effort).join(" ");
        assert_eq!(
            given(MeasureMode::Call(200)),
            "--sample-size 200 --measurement-time 0.000001 --nresamples 2 --warm-up-time 0.000001"
        );
        assert_eq!(
            given(MeasureMode::Batch),
            "--sample-size 30 --measurement-time 0.025000 --nresamples 2 --warm-up-time 0.000001"
        );
    }
}
