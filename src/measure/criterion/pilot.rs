//! The pilot: a launch that only finds out which benchmarks exist and how long a call takes.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::output::is_title_of;
use super::{
    BenchTarget, BuiltBenches, MAX_TIME_OUTS, TargetStart, build_title_filter, is_cut_title,
    make_unwritten_failure,
};
use crate::measure::plan::{
    LaunchPlan, MAX_FILTER_BYTES, MIN_LAUNCH_CALLS, MeasureMode, PlannedBenchmark,
};
use crate::measure::{Effort, MeasureError, MeasureProgress, Observation};
use crate::note::{FailureReason, Note};
use crate::process::{Interrupt, ProcessError};
use crate::run::{Benchmark, BenchmarkFailure, BenchmarkId, Sampling};
use crate::selection::Selection;

type PilotResults = Vec<(String, Result<MeasureMode, BenchmarkFailure>)>;

/// Runs the pilot of every target, with as few calls as Criterion accepts, and plans the launches
/// from the results.
///
/// # Errors
///
/// Fails if a process cannot be started, its results cannot be read, or perfgate was asked to end.
pub(crate) fn run_pilot(
    built: &BuiltBenches,
    selection: &Selection,
    effort: &Effort,
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(MeasureProgress),
) -> Result<LaunchPlan, MeasureError> {
    let mut found = Vec::new();
    for target in &built.targets {
        progress(MeasureProgress::Pilot(format!("{} ({})", target.name, target.package)));
        let modes = target.run_pilot(selection, effort, interrupt)?;
        found.extend(modes.into_iter().map(|(id, mode)| (target, id, mode)));
    }
    Ok(build_plan(found, built.notes.clone()))
}

/// Builds the plan from the results of all targets. Benchmarks that share an id cannot be
/// distinguished, so none of them is measured.
fn build_plan(
    found: Vec<(&BenchTarget, String, Result<MeasureMode, BenchmarkFailure>)>,
    notes: Vec<Note>,
) -> LaunchPlan {
    let mut owners: BTreeMap<BenchmarkId, Vec<&str>> = BTreeMap::new();
    for (target, id, _) in &found {
        owners.entry(target.make_benchmark_id(id.clone())).or_default().push(&target.name);
    }
    let (mut planned, mut failed) = (Vec::new(), Vec::new());
    for (target, id, mode) in found {
        let id = target.make_benchmark_id(id);
        let Some(names) = owners.get_mut(&id) else { continue };
        let mode = match std::mem::take(names).as_slice() {
            // The first benchmark with this id has already reported the failure.
            [] => continue,
            [_] => mode,
            [first, others @ ..] if others.iter().all(|name| name == first) => {
                let count = others.len() as u64 + 1;
                Err(make_failure(FailureReason::RepeatedId { bench: (*first).to_owned(), count }))
            }
            names => {
                let benches = names.iter().map(|&name| name.to_owned()).collect();
                Err(make_failure(FailureReason::SharedId { benches }))
            }
        };
        match mode {
            Ok(mode) => {
                planned.push(PlannedBenchmark { id, target: Some(target.name.clone()), mode });
            }
            Err(failure) => failed.push(make_failed_benchmark(id, target, failure)),
        }
    }
    LaunchPlan { planned: Some(planned), failed, notes }
}

fn make_failure(reason: FailureReason) -> BenchmarkFailure {
    BenchmarkFailure { reason, output: String::new() }
}

fn make_failed_benchmark(
    id: BenchmarkId,
    target: &BenchTarget,
    failure: BenchmarkFailure,
) -> Benchmark {
    Benchmark {
        failure: Some(failure),
        ..Benchmark::new(id, Some(target.name.clone()), Sampling::Call)
    }
}

/// Benchmarks that were not started yet, each with the titles it may have.
type PendingTitles = Vec<Vec<String>>;

impl BenchTarget {
    /// Runs the pilot of this target. Returns the mode or the failure of each selected benchmark.
    fn run_pilot(
        &self,
        selection: &Selection,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<PilotResults, MeasureError> {
        // Work through a queue of starts. After a start that succeeded, benchmarks without results
        // are resolved. After one that failed, the benchmark that ran last is blamed, and the
        // unfinished ones are queued again. If no benchmark can be blamed, or after too many
        // time-outs, all remaining benchmarks fail.
        let mut found = PilotResults::new();
        let mut queue = self.plan_starts(selection, effort, interrupt)?;
        let mut time_outs = 0;
        while let Some(left) = queue.pop_front() {
            let title_filter = left
                .as_ref()
                .map(|left| build_title_filter(left.iter().flatten().map(String::as_str)));
            let mode = MeasureMode::Call(MIN_LAUNCH_CALLS);
            let started = self.start_bench(title_filter.as_deref(), mode, effort, interrupt)?;
            // A cut title may also match benchmarks that an earlier start has measured.
            let found_ids: HashSet<String> = found.iter().map(|(id, _)| id.clone()).collect();
            let modes = started.plan_modes(effort.calls);
            found.extend(modes.filter(|(id, _)| selection.selects(id) && !found_ids.contains(id)));
            let Some(failure) = started.to_failure(effort) else {
                found.extend(started.plan_silent());
                found.extend(started.fail_unbegun(left.unwrap_or_default()));
                continue;
            };
            time_outs += u32::from(started.ended.status.is_none());
            let mut unfinished = match left {
                Some(left) => left,
                None => self.list_benchmarks(effort, interrupt)?,
            };
            unfinished.retain(|titles| !started.has_written_any(titles));
            match started.find_culprit() {
                Some(culprit) if time_outs < MAX_TIME_OUTS => {
                    unfinished.retain(|titles| titles.iter().all(|title| title != culprit));
                    found.push((culprit.to_owned(), Err(failure)));
                    split_to_fit(unfinished)
                        .into_iter()
                        .rev()
                        .for_each(|left| queue.push_front(left));
                }
                _ => {
                    unfinished.extend(queue.drain(..).flatten().flatten());
                    found.extend(self.fail_all(unfinished, &failure));
                }
            }
        }
        Ok(found)
    }

    /// Returns the starts to make, in order, each with its benchmarks. `None` in the queue is a
    /// start of all benchmarks, whose titles are then not known.
    fn plan_starts(
        &self,
        selection: &Selection,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<VecDeque<Option<PendingTitles>>, ProcessError> {
        if selection.selects_all() {
            return Ok([None].into());
        }
        let mut listed = self.list_benchmarks(effort, interrupt)?;
        listed.retain(|titles| {
            titles.iter().any(|title| is_cut_title(title) || selection.selects(title))
        });
        Ok(split_to_fit(listed).into())
    }

    /// Fails all `pending` benchmarks. If there are none because the target could not even list
    /// them, fails one benchmark with the name of the target.
    fn fail_all(&self, mut pending: PendingTitles, failure: &BenchmarkFailure) -> PilotResults {
        if pending.is_empty() {
            pending.push(vec![self.name.clone()]);
        }
        pending.into_iter().map(|titles| (pick_name(titles), Err(failure.clone()))).collect()
    }
}

/// Splits `pending` in order into parts whose titles each fit into one filter.
fn split_to_fit(pending: PendingTitles) -> Vec<Option<PendingTitles>> {
    let mut parts: Vec<Option<PendingTitles>> = Vec::new();
    let mut length = 0;
    for titles in pending {
        // Escaping makes a title at most twice as long.
        let title_length: usize = titles.iter().map(|title| 2 * title.len() + 1).sum();
        length += title_length;
        match parts.last_mut().and_then(Option::as_mut) {
            Some(part) if length <= MAX_FILTER_BYTES => part.push(titles),
            _ => {
                length = title_length;
                parts.push(Some(vec![titles]));
            }
        }
    }
    parts
}

/// Returns the first title of a benchmark, which is the shortest.
fn pick_name(titles: Vec<String>) -> String {
    titles.into_iter().next().unwrap_or_default()
}

impl TargetStart {
    /// Returns the mode or the failure of each benchmark that wrote results.
    fn plan_modes(
        &self,
        calls: u32,
    ) -> impl Iterator<Item = (String, Result<MeasureMode, BenchmarkFailure>)> {
        self.results.iter().map(move |(id, observed)| {
            let mode = match observed {
                Ok(observation) => Ok(self.choose_mode(id, observation, calls)),
                Err(failure) => {
                    Err(BenchmarkFailure { output: self.ended.output.clone(), ..failure.clone() })
                }
            };
            (id.clone(), mode)
        })
    }

    fn choose_mode(&self, id: &str, observation: &Observation, calls: u32) -> MeasureMode {
        let samples = &observation.samples;
        let call_nanos = samples.digest().p50.get();
        let begun = self.stages.begun.iter().find(|begun| is_title_of(&begun.title, id));
        let elapsed = begun.and_then(|begun| begun.elapsed).unwrap_or_default();
        MeasureMode::choose(call_nanos, elapsed / samples.len() as f64, calls)
    }

    fn has_written_any(&self, titles: &[String]) -> bool {
        self.results.iter().any(|(id, _)| titles.iter().any(|title| is_title_of(title, id)))
    }

    /// Fails the `pending` benchmarks that neither began nor wrote results: their listed title is
    /// not the title they run under.
    fn fail_unbegun(&self, pending: PendingTitles) -> PilotResults {
        let begun: HashSet<&str> =
            self.stages.begun.iter().map(|begun| begun.title.as_str()).collect();
        pending
            .into_iter()
            .filter(|titles| !self.has_written_any(titles))
            .filter(|titles| titles.iter().all(|title| !begun.contains(title.as_str())))
            .map(|titles| (pick_name(titles), Err(make_failure(FailureReason::ListedNotRun))))
            .collect()
    }

    /// Plans batches for the benchmarks that began and wrote nothing in a start that succeeded.
    /// Criterion rejects calls that take no measurable time, but batches of them are long enough. A
    /// benchmark whose title was cut fails, because its id is not known.
    fn plan_silent(&self) -> impl Iterator<Item = (String, Result<MeasureMode, BenchmarkFailure>)> {
        let silent = self
            .stages
            .begun
            .iter()
            .filter(|begun| self.results.iter().all(|(id, _)| !is_title_of(&begun.title, id)));
        silent.map(|begun| {
            let mode = if is_cut_title(&begun.title) {
                Err(make_unwritten_failure(self.ended.output.clone()))
            } else {
                Ok(MeasureMode::Batch)
            };
            (begun.title.clone(), mode)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_titles_than_a_filter_holds_are_started_in_parts() {
        let titles = |count: usize| -> PendingTitles { vec![vec!["x".repeat(999)]; count] };
        let parts =
            |count| split_to_fit(titles(count)).into_iter().flatten().map(|part| part.len());
        assert_eq!(parts(120).collect::<Vec<_>>(), [50, 50, 20]);
        assert_eq!(parts(1).collect::<Vec<_>>(), [1]);
        assert_eq!(parts(0).count(), 0);
    }
}
