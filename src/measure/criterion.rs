//! Bench targets that use Criterion, unchanged: one call a sample, true times of calls.
//!
//! With a measurement time of next to nothing Criterion takes one call a sample; its folder then
//! holds the time of every call. A group's own settings win over the flags, so that what a sample
//! is stands in what was written, never in what was asked for.

mod build;
mod counts;
mod environment;
mod output;
mod pilot;
mod same;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::run::{BenchmarkId, Failure, Settings};

use self::output::{Listing, Stages, is_cut, is_title_of, read_settings, read_tree};
use super::plan::{LEAST_CALLS, Mode};
use super::process::{self, Ended, Interrupt, ProcessError, StandardError, Stream, peak_memory};
use super::{Effort, Job, Launched, MeasureError, Observation, Observed};

pub(crate) use self::build::{BuildError, Built, Target, Workspace, build};
pub(crate) use self::counts::{VALGRIND, instructions};
pub(crate) use self::environment::record;
pub(crate) use self::pilot::pilot;
pub(crate) use self::same::same;

/// Samples and seconds of a benchmark that is measured in batches: the smallest batch is then some
/// 80 µs, thousands of clock readings, and an interval over them still has 50 values.
const BATCH_SAMPLES: u32 = 50;
const BATCH_SECONDS: f64 = 0.1;
/// Criterion's bootstrap, which nobody reads here, is kept short: it refuses nothing above zero and
/// warns below 1000.
const RESAMPLES: u32 = 1001;
/// So many time-outs of one launch, and what is left of its benchmarks is not tried any more.
const TIME_OUTS: u32 = 3;

/// Launches a job once; what panics, hangs or writes nothing fails alone, the others are started
/// again.
pub(super) fn launch(
    built: &Built,
    job: &Job,
    effort: &Effort,
    interrupt: &Interrupt,
) -> Result<Launched, MeasureError> {
    let is_meant = |target: &&Target| {
        Some(&target.package) == job.package.as_ref() && Some(&target.name) == job.target.as_ref()
    };
    let Some(target) = built.targets.iter().find(is_meant) else {
        return Ok(Launched::default());
    };
    let mut left: BTreeSet<String> = job.ids.iter().flatten().cloned().collect();
    let (mut observed, mut settings) = (Vec::new(), None);
    let mut time_outs = 0;
    while !left.is_empty() {
        let only = exact_filter(left.iter().map(String::as_str));
        let started = target.start(Some(&only), job.mode, effort, interrupt)?;
        settings = started.settings.clone().or(settings);
        let culprit = started.culprit().map(str::to_owned);
        let failure = started.failure(effort);
        let began: Vec<String> =
            started.stages.begun.into_iter().map(|begun| begun.title).collect();
        for (id, result) in started.written {
            if left.remove(&id) {
                observed.push((target.identity(id), result));
            }
        }
        let Some(failure) = failure else {
            left.retain(|id| began.iter().any(|title| is_title_of(title, id)));
            observed.extend(fail(target, left, &nothing_written(started.ended.output)));
            break;
        };
        time_outs += u32::from(started.ended.status.is_none());
        let id = culprit.and_then(|title| left.iter().find(|id| is_title_of(&title, id)).cloned());
        match id {
            Some(id) if time_outs < TIME_OUTS => {
                left.remove(&id);
                observed.push((target.identity(id), Err(failure)));
            }
            _ => {
                observed.extend(fail(target, left, &failure));
                break;
            }
        }
    }
    Ok(Launched { benchmarks: observed, settings, ..Launched::default() })
}

fn fail(target: &Target, ids: BTreeSet<String>, failure: &Failure) -> Observed {
    ids.into_iter().map(|id| (target.identity(id), Err(failure.clone()))).collect()
}

fn nothing_written(output: String) -> Failure {
    Failure { reason: "it wrote no samples".to_owned(), output }
}

/// One start of a target.
struct Started {
    /// What it wrote.
    written: Vec<(String, Result<Observation, Failure>)>,
    /// What it said of its threads and provider.
    settings: Option<Settings>,
    stages: Stages,
    ended: Ended,
}

impl Started {
    /// The benchmark that ran last, where it left nothing: the one to blame for a bad end.
    fn culprit(&self) -> Option<&str> {
        let title = self.stages.begun.last()?.title.as_str();
        let wrote = self.written.iter().any(|(id, _)| is_title_of(title, id));
        (!wrote).then_some(title)
    }

    /// What it failed with, if it did.
    fn failure(&self, effort: &Effort) -> Option<Failure> {
        self.ended.failure(effort.timeout)
    }
}

impl Target {
    /// Starts the target for what `filter` matches, in an environment and a folder of its own.
    fn start(
        &self,
        filter: Option<&str>,
        mode: Mode,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<Started, ProcessError> {
        // An id may climb out of Criterion's folder by `..` in three of its parts.
        let folder = interrupt.temporary_folder()?;
        let home = folder.path().join("a/b/c/d/e/criterion");
        fs::create_dir_all(&home)?;
        let mut command = self.command(&home);
        command.args(["--bench", "--noplot"]);
        command.args(flags(mode, effort));
        command.args(filter);
        let (mut stages, mut peak) = (Stages::default(), None);
        let ended =
            process::run(&mut command, StandardError::Lines, effort.timeout, interrupt, |line| {
                if stages.take(&String::from_utf8_lossy(line.bytes), Instant::now()) {
                    peak = peak_memory(line.process).or(peak);
                }
                true
            })?;
        let metrics: BTreeMap<_, _> =
            peak.map(|bytes| ("peak_rss_bytes".to_owned(), bytes)).into_iter().collect();
        let written = read_tree(folder.path())?.into_iter().map(|written| {
            let with_metrics =
                |observation| Observation { metrics: metrics.clone(), ..observation };
            (written.id, written.observed.map(with_metrics))
        });
        Ok(Started { written: written.collect(), settings: read_settings(&home), stages, ended })
    }

    fn command(&self, home: &Path) -> Command {
        let mut command = Command::new(&self.executable);
        let environment = &self.environment;
        command.current_dir(&environment.folder).env_clear();
        command.envs(environment.variables.iter().map(|(name, value)| (name, value)));
        command.env("CRITERION_HOME", home).env_remove("CARGO_CRITERION_PORT");
        command
    }

    /// All its benchmarks, each with the titles it may have.
    fn list(
        &self,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<Vec<Vec<String>>, ProcessError> {
        let folder = interrupt.temporary_folder()?;
        let mut command = self.command(folder.path());
        command.args(["--bench", "--list"]);
        let mut listing = Listing::default();
        process::run(&mut command, StandardError::Lines, effort.timeout, interrupt, |line| {
            if line.stream == Stream::Out {
                listing.take(&String::from_utf8_lossy(line.bytes));
            }
            false
        })?;
        Ok(listing.benchmarks)
    }

    fn identity(&self, id: String) -> BenchmarkId {
        BenchmarkId { id, package: Some(self.package.clone()) }
    }
}

fn flags(mode: Mode, effort: &Effort) -> Vec<String> {
    let (samples, seconds) = match mode {
        Mode::Call(calls) => (calls.max(LEAST_CALLS), 1e-6),
        Mode::Batch => (BATCH_SAMPLES.min(effort.calls).max(LEAST_CALLS), BATCH_SECONDS),
    };
    let warmup = effort.warmup.as_secs_f64().max(1e-6);
    [
        ("--sample-size", samples.to_string()),
        ("--measurement-time", format!("{seconds:.6}")),
        ("--nresamples", RESAMPLES.to_string()),
        ("--warm-up-time", format!("{warmup:.6}")),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect()
}

/// A regular expression that matches benchmarks of these titles and no others; of a title that was
/// cut, all that begin like it.
fn filter<'a>(titles: impl Iterator<Item = &'a str>) -> String {
    let escaped = titles.map(|title| match title.strip_suffix("...") {
        Some(begin) if is_cut(title) => format!("{}.*", escape(begin)),
        _ => escape(title),
    });
    format!("^(?s:{})$", escaped.collect::<Vec<_>>().join("|"))
}

fn exact_filter<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    format!("^(?:{})$", ids.map(escape).collect::<Vec<_>>().join("|"))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // No others: `\<` would be the begin of a word.
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
        let exact = exact_filter(ids.into_iter());
        assert_eq!(exact, r"^(?:a\.b|a\|b|\(|<x>|w\\y|plain/1)$");
        let cut = format!("{}...", "l".repeat(100));
        let titles = filter([cut.as_str(), "ends in..."].into_iter());
        assert_eq!(titles, format!(r"^(?s:{}.*|ends in\.\.\.)$", "l".repeat(100)));
    }

    #[test]
    fn calls_are_asked_for_with_no_time_to_measure_and_batches_with_some() {
        let effort = Effort { calls: 30, warmup: std::time::Duration::ZERO, ..Effort::default() };
        let given = |mode| flags(mode, &effort).join(" ");
        assert_eq!(
            given(Mode::Call(200)),
            "--sample-size 200 --measurement-time 0.000001 --nresamples 1001 --warm-up-time 0.000001"
        );
        assert_eq!(
            given(Mode::Batch),
            "--sample-size 30 --measurement-time 0.100000 --nresamples 1001 --warm-up-time 0.000001"
        );
    }
}
