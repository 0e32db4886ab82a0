//! The pilot: a launch that only finds out which benchmarks exist and how long a call takes.

mod listing;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

pub(crate) use self::listing::list_benchmark_ids;
use self::listing::{
    PendingTitles, TargetListing, describe_nothing_selected, list_targets, note_unlisted, pick_name,
};
use super::output::is_title_of;
use super::stages::BegunBenchmark;
use super::{
    BenchTarget, BuiltBenches, MAX_TIME_OUTS, TargetStart, build_title_filter, is_cut_title,
    make_unwritten_failure,
};
use crate::measure::effort::{
    CallCost, Effort, EffortLevel, MIN_LAUNCH_CALLS, MIN_LAUNCH_TIME, PilotRequest, PilotTimes,
};
use crate::measure::plan::{
    LaunchPlan, MAX_FILTER_BYTES, MeasureMode, PlannedBenchmark, ProcessName,
};
use crate::measure::{MeasureError, MeasureProgress, Observation};
use crate::note::{FailureReason, Note};
use crate::process::Interrupt;
use crate::run::{Benchmark, BenchmarkFailure, BenchmarkId, Sampling};
use crate::selection::Selection;

type PilotResults = Vec<(String, Result<CallCost, BenchmarkFailure>)>;

/// What the pilot of one target found.
#[derive(Default)]
struct TargetPilot {
    /// The time of a call or the failure of each selected benchmark.
    results: PilotResults,
    /// Time that a start takes besides its benchmarks; `None` if none was measured.
    startup: Option<Duration>,
    /// Notes on the target and on benchmarks that are left out.
    notes: Vec<Note>,
}

/// Runs the pilot of every target, with as few calls as Criterion accepts, and plans the launches
/// from the results. The benchmarks of `known`, a plan of another build of the same benches, are
/// listed and not launched.
///
/// # Errors
///
/// Fails if a process cannot be started, its results cannot be read, or perfgate was asked to end.
pub(crate) fn run_pilot(
    built: &BuiltBenches,
    selection: &Selection,
    effort: &Effort,
    known: Option<&LaunchPlan>,
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(MeasureProgress),
) -> Result<LaunchPlan, MeasureError> {
    // List first if only some benchmarks are selected: a pattern that matches nothing is reported at
    // once. A target whose benchmarks are all wanted reports them while it runs. What is known is
    // listed, too, so that only the rest is launched.
    let (mut found, mut notes) = (Vec::new(), built.notes.clone());
    let mut startups = known.map(|known| known.startups.clone()).unwrap_or_default();
    let listings = if selection.selects_all() && known.is_none() {
        built.targets.iter().map(|_| None).collect()
    } else {
        let listed = list_targets(built, effort, interrupt)?;
        // Without patterns, a target that cannot list its benchmarks is launched, which shows why.
        if !selection.selects_all() {
            notes.extend(note_unlisted(built, &listed));
        }
        let is_empty = listed.iter().all(|listed| listed.select(selection).is_empty());
        if is_empty && !selection.selects_all() {
            notes.extend(describe_nothing_selected(selection, &listed));
            for (target, TargetListing { failure, .. }) in built.targets.iter().zip(listed) {
                let failed = failure.map(|failure| (target, target.name.clone(), Err(failure)));
                found.extend(failed);
            }
            return Ok(build_plan(found, notes, startups));
        }
        listed.into_iter().map(Some).collect::<Vec<_>>()
    };
    for (target, mut listing) in built.targets.iter().zip(listings) {
        if selection.selects_all() {
            // A target that cannot list its benchmarks is launched, so that the failure is found.
            listing = listing.filter(|listing| listing.failure.is_none());
        }
        let has_benchmarks = listing.as_ref().is_some_and(|one| !one.benchmarks.is_empty());
        if let (Some(known), Some(listing)) = (known, &mut listing) {
            let taken = target.take_known(listing, selection, known);
            found.extend(taken.into_iter().map(|(id, cost)| (target, id, Ok(cost))));
        }
        let is_known = has_benchmarks && listing.as_ref().is_some_and(TargetListing::is_finished);
        if is_known {
            continue;
        }
        progress(MeasureProgress::Pilot(format!("{} ({})", target.name, target.package)));
        let piloted =
            target.run_pilot(listing, selection, &effort.shorten_for_pilot(), interrupt)?;
        found.extend(piloted.results.into_iter().map(|(id, cost)| (target, id, cost)));
        notes.extend(piloted.notes);
        if let Some(startup) = piloted.startup {
            startups.insert((Some(target.package.clone()), Some(target.name.clone())), startup);
        }
    }
    let mut plan = build_plan(found, notes, startups);
    plan.choose_effort(effort, EffortLevel::Full);
    Ok(plan)
}

/// Builds the plan from the results of all targets. Benchmarks that share an id cannot be
/// distinguished, so none of them is measured.
fn build_plan(
    found: Vec<(&BenchTarget, String, Result<CallCost, BenchmarkFailure>)>,
    notes: Vec<Note>,
    startups: BTreeMap<ProcessName, Duration>,
) -> LaunchPlan {
    let mut owners: BTreeMap<BenchmarkId, Vec<&str>> = BTreeMap::new();
    for (target, id, _) in &found {
        owners.entry(target.make_benchmark_id(id.clone())).or_default().push(&target.name);
    }
    let (mut planned, mut failed) = (Vec::new(), Vec::new());
    for (target, id, cost) in found {
        let id = target.make_benchmark_id(id);
        let Some(names) = owners.get_mut(&id) else { continue };
        let cost = match std::mem::take(names).as_slice() {
            // The first benchmark with this id has already reported the failure.
            [] => continue,
            [_] => cost,
            [first, others @ ..] if others.iter().all(|name| name == first) => {
                let count = others.len() as u64 + 1;
                Err(make_failure(FailureReason::RepeatedId { bench: (*first).to_owned(), count }))
            }
            names => {
                let benches = names.iter().map(|&name| name.to_owned()).collect();
                Err(make_failure(FailureReason::SharedId { benches }))
            }
        };
        match cost {
            Ok(cost) => {
                planned.push(PlannedBenchmark::new(id, Some(target.name.clone()), cost));
            }
            Err(failure) => failed.push(make_failed_benchmark(id, target, failure)),
        }
    }
    LaunchPlan { planned: Some(planned), failed, notes, startups }
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

impl BenchTarget {
    /// Removes from `listing` the benchmarks that `known` has for a target of this name. Returns
    /// them with the time of their calls. A benchmark with a cut title stays, because its id is not
    /// known.
    fn take_known(
        &self,
        listing: &mut TargetListing,
        selection: &Selection,
        known: &LaunchPlan,
    ) -> Vec<(String, CallCost)> {
        let known: BTreeMap<&str, CallCost> = known
            .planned
            .iter()
            .flatten()
            .filter(|planned| {
                planned.id.package.as_ref() == Some(&self.package)
                    && planned.target.as_ref() == Some(&self.name)
            })
            .map(|planned| (planned.id.name.as_str(), planned.cost))
            .collect();
        let mut taken = Vec::new();
        listing.benchmarks.retain(|titles| {
            let [title] = titles.as_slice() else { return true };
            let cost = known.get(title.as_str()).filter(|_| !is_cut_title(title));
            taken.extend(cost.map(|cost| (title.clone(), *cost)));
            cost.is_none()
        });
        // What is not selected need not be launched either.
        listing.benchmarks = listing.select(selection);
        taken
    }

    /// Runs the pilot of this target. `listing` are its benchmarks, if they are already known.
    fn run_pilot(
        &self,
        listing: Option<TargetListing>,
        selection: &Selection,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<TargetPilot, MeasureError> {
        // Work through a queue of starts. After a start that succeeded, benchmarks without results
        // are resolved. After one that failed, the benchmark that ran last is blamed, and the
        // unfinished ones are queued again. If no benchmark can be blamed, or after too many
        // time-outs, all remaining benchmarks fail.
        let mut piloted = TargetPilot::default();
        let found = &mut piloted.results;
        let mut has_begun = listing
            .as_ref()
            .is_some_and(|listing| !listing.benchmarks.is_empty() || listing.failure.is_some());
        // `None` in the queue is a start of all benchmarks, whose titles are then not known.
        let mut queue: VecDeque<Option<PendingTitles>> = match listing {
            None => [None].into(),
            Some(listing) => split_to_fit(listing.select(selection)).into(),
        };
        let mut time_outs = 0;
        while let Some(left) = queue.pop_front() {
            let title_filter = left
                .as_ref()
                .map(|left| build_title_filter(left.iter().flatten().map(String::as_str)));
            let mode = MeasureMode::Call(MIN_LAUNCH_CALLS);
            let started = self.start_bench(
                title_filter.as_deref(),
                mode,
                MIN_LAUNCH_TIME,
                effort,
                interrupt,
            )?;
            // A cut title may also match benchmarks that an earlier start has measured.
            let found_ids: HashSet<String> = found.iter().map(|(id, _)| id.clone()).collect();
            has_begun |= !started.stages.begun.is_empty() || !started.results.is_empty();
            piloted.notes.extend(started.note_other_measurements(selection));
            piloted.startup = piloted.startup.max(started.stages.startup());
            let warmup = effort.choose_warmup(MIN_LAUNCH_TIME).as_secs_f64() * 1e9;
            let costs = started.list_costs(PilotRequest { calls: MIN_LAUNCH_CALLS, warmup });
            found.extend(costs.filter(|(id, _)| selection.selects(id) && !found_ids.contains(id)));
            let Some(failure) = started.to_failure(effort) else {
                found.extend(started.plan_silent());
                found.extend(started.fail_unbegun(left.unwrap_or_default()));
                continue;
            };
            time_outs += u32::from(started.ended.status.is_none());
            let mut unfinished = match left {
                Some(left) => left,
                None => self.list_benchmarks(effort, interrupt)?.benchmarks,
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
        if !has_begun && found.is_empty() {
            piloted.notes.push(self.note_empty());
        }
        Ok(piloted)
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

impl TargetStart {
    /// Returns the time of a call or the failure of each benchmark that wrote results.
    /// The start was asked for `asked`.
    fn list_costs(
        &self,
        asked: PilotRequest,
    ) -> impl Iterator<Item = (String, Result<CallCost, BenchmarkFailure>)> {
        let times = self.results.iter().filter(|(id, _)| self.find_other_unit(id).is_none());
        times.map(move |(id, observed)| {
            let cost = match observed {
                Ok(observation) => Ok(self.find_cost(id, observation, asked)),
                Err(failure) => {
                    Err(BenchmarkFailure { output: self.ended.output.clone(), ..failure.clone() })
                }
            };
            (id.clone(), cost)
        })
    }

    /// Returns the unit of the benchmark `id`, if Criterion measured something other than time.
    fn find_other_unit(&self, id: &str) -> Option<&str> {
        let begun = self.stages.begun.iter().find(|begun| is_title_of(&begun.title, id))?;
        begun.find_other_unit()
    }

    /// Returns a note for each selected benchmark in which Criterion measured something other than
    /// time. Its numbers would be read as nanoseconds.
    fn note_other_measurements(&self, selection: &Selection) -> Vec<Note> {
        let ids = self.results.iter().map(|(id, _)| id).filter(|id| selection.selects(id));
        let notes = ids.filter_map(|id| {
            let unit = self.find_other_unit(id)?.to_owned();
            Some(Note::OtherMeasurement { benchmark: id.clone(), unit })
        });
        notes.collect()
    }

    /// Returns the time of a call, and with the work between two calls, in a start that was asked for
    /// `asked`.
    fn find_cost(&self, id: &str, observation: &Observation, asked: PilotRequest) -> CallCost {
        let samples = &observation.samples;
        let call = samples.digest().p50.get();
        let begun = self.stages.begun.iter().find(|begun| is_title_of(&begun.title, id));
        let elapsed = begun.and_then(|begun| begun.elapsed).unwrap_or_default();
        let warmup = begun.and_then(BegunBenchmark::warmup_nanos).unwrap_or_default();
        let batches = observation.calls_per_sample.as_ref();
        let calls = batches.map_or(samples.len() as f64, |batches| batches.total(samples.len()));
        CallCost::from_pilot(asked, PilotTimes { call, calls, elapsed, warmup })
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
    /// benchmark whose title was cut fails, because its id is not known. A benchmark fails, too, if
    /// Criterion showed its result, which must then be in another folder.
    fn plan_silent(&self) -> impl Iterator<Item = (String, Result<CallCost, BenchmarkFailure>)> {
        let silent = self
            .stages
            .begun
            .iter()
            .filter(|begun| self.results.iter().all(|(id, _)| !is_title_of(&begun.title, id)));
        silent.map(|begun| {
            let cost = if begun.unit.is_some() && !begun.is_too_fast {
                Err(make_failure(FailureReason::WrittenElsewhere))
            } else if is_cut_title(&begun.title) {
                Err(make_unwritten_failure(self.ended.output.clone()))
            } else {
                Ok(CallCost::default())
            };
            (begun.title.clone(), cost)
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
