//! The launch that only finds out what there is, and how long a call takes.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::output::is_title_of;
use super::{Built, Started, TIME_OUTS, Target, filter, is_cut, nothing_written};
use crate::measure::plan::{LEAST_CALLS, LONGEST_FILTER, Mode, Plan, Planned};
use crate::measure::process::ProcessError;
use crate::measure::{Effort, Interrupt, MeasureError, Observation, Progress, Selection};
use crate::run::{Benchmark, BenchmarkId, Failure, Sampling};

type Found = Vec<(String, Result<Mode, Failure>)>;

/// Starts every target once, with as few calls as Criterion accepts, and plans by what it sees.
pub(crate) fn pilot(
    built: &Built,
    selection: &Selection,
    effort: &Effort,
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(Progress),
) -> Result<Plan, MeasureError> {
    let mut found = Vec::new();
    for target in &built.targets {
        progress(Progress::Pilot(format!("{} ({})", target.name, target.package)));
        let modes = target.pilot(selection, effort, interrupt)?;
        found.extend(modes.into_iter().map(|(id, mode)| (target, id, mode)));
    }
    Ok(settle(found, built.notes.clone()))
}

/// Two benchmarks of one name cannot be told apart, so that neither is measured.
fn settle(found: Vec<(&Target, String, Result<Mode, Failure>)>, notes: Vec<String>) -> Plan {
    let mut owners: BTreeMap<BenchmarkId, Vec<&str>> = BTreeMap::new();
    for (target, id, _) in &found {
        owners.entry(target.identity(id.clone())).or_default().push(&target.name);
    }
    let (mut planned, mut failed) = (Vec::new(), Vec::new());
    for (target, id, mode) in found {
        let id = target.identity(id);
        let Some(names) = owners.get_mut(&id) else { continue };
        let mode = match std::mem::take(names).as_slice() {
            // Said already, by the first of its name.
            [] => continue,
            [_] => mode,
            [first, rest @ ..] if rest.iter().all(|name| name == first) => {
                Err(said(format!("bench `{first}` has this id {} times", rest.len() + 1)))
            }
            names => Err(said(format!("the benches `{}` have this id", names.join("` and `")))),
        };
        match mode {
            Ok(mode) => planned.push(Planned { id, target: Some(target.name.clone()), mode }),
            Err(failure) => failed.push(failed_benchmark(id, target, failure)),
        }
    }
    Plan { planned: Some(planned), failed, notes }
}

fn said(reason: String) -> Failure {
    Failure { reason, output: String::new() }
}

fn failed_benchmark(id: BenchmarkId, target: &Target, failure: Failure) -> Benchmark {
    Benchmark {
        id: id.id,
        package: id.package,
        target: Some(target.name.clone()),
        sampling: Sampling::Call,
        elements: None,
        per_call: BTreeMap::new(),
        launches: Vec::new(),
        failure: Some(failure),
    }
}

/// Benchmarks that were not started yet, each with the titles it may have.
type Left = Vec<Vec<String>>;

impl Target {
    fn pilot(
        &self,
        selection: &Selection,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<Found, MeasureError> {
        let mut found = Found::new();
        let mut queue = self.starts(selection, effort, interrupt)?;
        let mut time_outs = 0;
        while let Some(left) = queue.pop_front() {
            let only = left.as_ref().map(|left| filter(left.iter().flatten().map(String::as_str)));
            let mode = Mode::Call(LEAST_CALLS);
            let started = self.start(only.as_deref(), mode, effort, interrupt)?;
            // A title that was cut may stand for benchmarks of an earlier start.
            let known: HashSet<String> = found.iter().map(|(id, _)| id.clone()).collect();
            let is_new = |id: &String| selection.selects(id) && !known.contains(id);
            found.extend(started.modes(effort.calls).filter(|(id, _)| is_new(id)));
            let Some(failure) = started.failure(effort) else {
                found.extend(started.silent());
                found.extend(started.never_began(left.unwrap_or_default()));
                continue;
            };
            time_outs += u32::from(started.ended.status.is_none());
            let mut unknown = match left {
                Some(left) => left,
                None => self.list(effort, interrupt)?,
            };
            unknown.retain(|titles| !started.wrote_any(titles));
            match started.culprit() {
                Some(culprit) if time_outs < TIME_OUTS => {
                    unknown.retain(|titles| titles.iter().all(|title| title != culprit));
                    found.push((culprit.to_owned(), Err(failure)));
                    fitting(unknown).into_iter().rev().for_each(|left| queue.push_front(left));
                }
                _ => {
                    unknown.extend(queue.drain(..).flatten().flatten());
                    found.extend(self.all_fail(unknown, &failure));
                }
            }
        }
        Ok(found)
    }

    /// What is to be started, one after the other: `None` is everything, where titles are not known.
    fn starts(
        &self,
        selection: &Selection,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<VecDeque<Option<Left>>, ProcessError> {
        if selection.is_everything() {
            return Ok([None].into());
        }
        let mut listed = self.list(effort, interrupt)?;
        listed
            .retain(|titles| titles.iter().any(|title| is_cut(title) || selection.selects(title)));
        Ok(fitting(listed).into())
    }

    /// Where the target cannot even list what it has, it fails under its own name.
    fn all_fail(&self, mut left: Left, failure: &Failure) -> Found {
        if left.is_empty() {
            left.push(vec![self.name.clone()]);
        }
        left.into_iter().map(|titles| (named(titles), Err(failure.clone()))).collect()
    }
}

/// In as few parts as fit into a filter each.
fn fitting(left: Left) -> Vec<Option<Left>> {
    let mut parts: Vec<Option<Left>> = Vec::new();
    let mut length = 0;
    for titles in left {
        // Escaped, a title grows to at most twice its length.
        let own: usize = titles.iter().map(|title| 2 * title.len() + 1).sum();
        length += own;
        match parts.last_mut().and_then(Option::as_mut) {
            Some(part) if length <= LONGEST_FILTER => part.push(titles),
            _ => {
                length = own;
                parts.push(Some(vec![titles]));
            }
        }
    }
    parts
}

/// The shortest of the titles a benchmark may have.
fn named(titles: Vec<String>) -> String {
    titles.into_iter().next().unwrap_or_default()
}

impl Started {
    fn modes(&self, calls: u32) -> impl Iterator<Item = (String, Result<Mode, Failure>)> {
        self.written.iter().map(move |(id, observed)| {
            let mode = match observed {
                Ok(observation) => Ok(self.mode(id, observation, calls)),
                Err(failure) => {
                    Err(Failure { output: self.ended.output.clone(), ..failure.clone() })
                }
            };
            (id.clone(), mode)
        })
    }

    fn mode(&self, id: &str, observation: &Observation, calls: u32) -> Mode {
        let samples = &observation.samples;
        let call = samples.digest().p50.get();
        let begun = self.stages.begun.iter().find(|begun| is_title_of(&begun.title, id));
        let elapsed = begun.and_then(|begun| begun.elapsed).unwrap_or_default();
        Mode::of(call, elapsed / samples.len() as f64, calls)
    }

    fn wrote_any(&self, titles: &[String]) -> bool {
        self.written.iter().any(|(id, _)| titles.iter().any(|title| is_title_of(title, id)))
    }

    /// What was listed, and then was not there: its name was not what it seemed.
    fn never_began(&self, left: Left) -> Found {
        let began = |title: &String| self.stages.begun.iter().any(|begun| begun.title == *title);
        left.into_iter()
            .filter(|titles| !self.wrote_any(titles) && !titles.iter().any(began))
            .map(|titles| (named(titles), Err(said("it was listed and did not run".to_owned()))))
            .collect()
    }

    /// What began and wrote nothing although all went well: calls of no time at all are refused by
    /// Criterion, and are long enough in batches.
    fn silent(&self) -> impl Iterator<Item = (String, Result<Mode, Failure>)> {
        let wrote = |title: &str| self.written.iter().any(|(id, _)| is_title_of(title, id));
        let silent = self.stages.begun.iter().filter(move |begun| !wrote(&begun.title));
        silent.map(|begun| {
            let mode = if is_cut(&begun.title) {
                Err(nothing_written(self.ended.output.clone()))
            } else {
                Ok(Mode::Batch)
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
        let titles = |count: usize| -> Left { vec![vec!["x".repeat(999)]; count] };
        let parts = |count| fitting(titles(count)).into_iter().flatten().map(|part| part.len());
        assert_eq!(parts(120).collect::<Vec<_>>(), [50, 50, 20]);
        assert_eq!(parts(1).collect::<Vec<_>>(), [1]);
        assert_eq!(parts(0).count(), 0);
    }
}
