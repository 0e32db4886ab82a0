//! Which benchmarks a subject has, how each is measured, and how they share process starts.

mod job;
mod sharing;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

pub(crate) use self::job::LaunchJob;
pub(super) use self::job::MAX_FILTER_BYTES;
use self::job::split_into_jobs;
use self::sharing::share_starts;
use super::effort::{CallCost, Effort, EffortLevel, MIN_LAUNCH_CALLS, MIN_LAUNCH_TIME};
use crate::note::Note;
use crate::run::{Benchmark, BenchmarkId, PilotRecord, PilotedBenchmark};
use crate::units::Nanos;

/// Calls that take fewer nanoseconds than this are measured in batches. A clock reading takes
/// 25 ns, which is half a percent of this.
const MIN_SINGLE_CALL_NANOS: f64 = 5e3;
/// Samples of a benchmark that is measured in batches. In 10 ms the smallest batch takes about
/// 8 µs, which is hundreds of clock readings, and an interval still has 50 values.
const BATCH_SAMPLES: u32 = 50;

/// How a benchmark is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum MeasureMode {
    /// Every sample is the time of one call. The value is the number of calls per launch.
    Call(u32),
    /// Every sample is the mean of many calls.
    Batch,
}

impl MeasureMode {
    /// Chooses how to measure a benchmark whose calls cost `cost`.
    fn choose(cost: CallCost, effort: &Effort, launch_time: Duration, level: EffortLevel) -> Self {
        if cost.call < MIN_SINGLE_CALL_NANOS {
            return Self::Batch;
        }
        Self::Call(effort.choose_calls(cost, launch_time, level))
    }

    /// Returns the number of samples per launch and benchmark, at least [`MIN_LAUNCH_CALLS`].
    pub(super) fn count_samples(self, effort: &Effort) -> usize {
        let samples = match self {
            Self::Call(calls) => calls,
            Self::Batch => BATCH_SAMPLES.min(effort.calls.unwrap_or(BATCH_SAMPLES)),
        };
        samples.max(MIN_LAUNCH_CALLS) as usize
    }
}

/// A benchmark and how it is measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlannedBenchmark {
    /// Name and package of the benchmark.
    pub(crate) id: BenchmarkId,
    /// The bench target that the benchmark belongs to; `None` for a benchmark of a command.
    pub(crate) target: Option<String>,
    /// Time of a call, which is zero if it is not known or too short to be measured, and the time that
    /// the bench takes whatever it is asked for.
    pub(crate) cost: CallCost,
    /// How the benchmark is measured.
    pub(crate) mode: MeasureMode,
    /// Least time of the calls per launch.
    pub(crate) launch_time: Duration,
    /// Whether it gets a process of its own, whose memory is then that of the benchmark.
    pub(crate) is_alone: bool,
}

impl PlannedBenchmark {
    /// Returns a benchmark whose effort is not chosen yet: the fewest calls, in the least time.
    pub(crate) fn new(id: BenchmarkId, target: Option<String>, cost: CallCost) -> Self {
        let mode = MeasureMode::Call(MIN_LAUNCH_CALLS);
        Self { id, target, cost, mode, launch_time: MIN_LAUNCH_TIME, is_alone: false }
    }

    /// Returns the process that has the benchmark.
    pub(crate) fn process(&self) -> ProcessName {
        (self.id.package.clone(), self.target.clone())
    }

    /// Returns the nanoseconds that the benchmark takes in one launch, without the start of the
    /// process.
    pub(crate) fn estimate_nanos(&self, effort: &Effort) -> f64 {
        let CallCost { own_calls, own_warmup, .. } = self.cost;
        let warmup = effort.choose_warmup(self.launch_time).as_secs_f64() * 1e9;
        let pace = self.cost.pace.max(self.cost.call);
        let calls = match self.mode {
            MeasureMode::Call(calls) => f64::from(calls) * pace,
            MeasureMode::Batch => self.launch_time.as_secs_f64() * 1e9,
        };
        warmup.max(pace).max(own_warmup) + calls.max(own_calls) + ANALYSIS_NANOS
    }
}

/// A process that is started: package and bench target. Both are `None` for a command.
pub(crate) type ProcessName = (Option<String>, Option<String>);

/// Nanoseconds that a bench spends on a benchmark after its calls: it analyses and writes them.
const ANALYSIS_NANOS: f64 = 3e6;
/// A launch that takes at least this many nanoseconds by the bench's own choice is worth a note.
const MIN_NOTED_NANOS: f64 = 1e9;
/// Largest number of benchmarks that a note names.
const MAX_NOTED_IDS: usize = 3;
/// Nanoseconds that starting and following a process takes, besides what it does itself.
const START_NANOS: f64 = 10e6;

/// The benchmarks of a subject: those to measure, and those that cannot be measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LaunchPlan {
    /// The benchmarks to measure, and how; `None` if they are only known after a launch.
    pub(crate) planned: Option<Vec<PlannedBenchmark>>,
    /// The benchmarks that have already failed; each appears once.
    pub(crate) failed: Vec<Benchmark>,
    /// Notes on bench targets that were left out.
    pub(crate) notes: Vec<Note>,
    /// Time that each process takes besides its benchmarks: its start and its own set-up. Processes
    /// that were not measured have no entry.
    pub(crate) startups: BTreeMap<ProcessName, Duration>,
}

impl LaunchPlan {
    /// Chooses how each benchmark is measured, and which benchmarks share a process start.
    pub(crate) fn choose_effort(&mut self, effort: &Effort, level: EffortLevel) {
        let startups = &self.startups;
        let mut processes: BTreeMap<ProcessName, Vec<&mut PlannedBenchmark>> = BTreeMap::new();
        for planned in self.planned.iter_mut().flatten() {
            processes.entry(planned.process()).or_default().push(planned);
        }
        for (process, mut benchmarks) in processes {
            let startup = startups.get(&process).copied().unwrap_or_default();
            let sharing = if effort.is_alone { 1 } else { benchmarks.len() };
            let launch_time = effort.choose_launch_time(startup, sharing, level);
            for planned in &mut benchmarks {
                planned.is_alone = effort.is_alone;
                planned.launch_time = launch_time;
                planned.mode = MeasureMode::choose(planned.cost, effort, launch_time, level);
            }
            if !effort.is_alone {
                share_starts(&mut benchmarks, startup);
            }
        }
    }

    /// Chooses the largest effort with which one launch on one side takes at most `limit`
    /// nanoseconds, but not more than `most`. Returns it; it is the smallest one if none fits.
    ///
    /// An effort that the user fixed stays as it is.
    pub(crate) fn fit_effort(
        &mut self,
        effort: &Effort,
        limit: f64,
        most: EffortLevel,
    ) -> EffortLevel {
        let mut chosen = most;
        for level in EffortLevel::ALL.into_iter().filter(|level| *level >= most) {
            chosen = level;
            self.choose_effort(effort, level);
            if effort.is_fixed() || self.estimate_launch_nanos(effort) <= limit {
                break;
            }
        }
        chosen
    }

    /// Returns the nanoseconds that the start of `process` takes until its first benchmark.
    pub(crate) fn estimate_start_nanos(&self, process: &ProcessName) -> f64 {
        let startup = self.startups.get(process).copied().unwrap_or_default();
        START_NANOS + startup.as_secs_f64() * 1e9
    }

    /// Returns what the pilot found about each process that has planned benchmarks.
    pub(crate) fn to_pilot_records(&self) -> Vec<PilotRecord> {
        let mut processes: BTreeMap<ProcessName, Vec<&PlannedBenchmark>> = BTreeMap::new();
        for planned in self.planned.iter().flatten() {
            processes.entry(planned.process()).or_default().push(planned);
        }
        let starts = self.list_jobs();
        let to_nanos = |nanos: f64| Nanos::new(nanos).expect("a time is finite and not negative");
        let records = processes.into_iter().filter_map(|(process, benchmarks)| {
            let setup = self.startups.get(&process).copied().unwrap_or_default();
            let starts = starts.iter().filter(|job| job.process() == process).count();
            let piloted = benchmarks.iter().map(|planned| PilotedBenchmark {
                id: planned.id.name.clone(),
                call: to_nanos(planned.cost.call),
                calls: match planned.mode {
                    MeasureMode::Call(calls) => Some(calls),
                    MeasureMode::Batch => None,
                },
            });
            Some(PilotRecord {
                package: process.0,
                target: process.1?,
                setup: to_nanos(setup.as_secs_f64() * 1e9),
                launch_time: to_nanos(benchmarks.first()?.launch_time.as_secs_f64() * 1e9),
                starts: u32::try_from(starts).unwrap_or(u32::MAX),
                benchmarks: piloted.collect(),
            })
        });
        records.collect()
    }

    /// Returns a note on the benchmarks whose launches take [`MIN_NOTED_NANOS`] or longer because
    /// their benches do more than they are asked to, the slowest first. Returns `None` if there are
    /// none.
    pub(crate) fn note_own_times(&self) -> Option<Note> {
        let mut own: Vec<(f64, &BenchmarkId)> = self
            .planned
            .iter()
            .flatten()
            .map(|planned| (planned.cost.own_nanos(), &planned.id))
            .filter(|(nanos, _)| *nanos >= MIN_NOTED_NANOS)
            .collect();
        own.sort_by(|one, other| other.0.total_cmp(&one.0));
        let (longest, _) = own.first()?;
        Some(Note::BenchSetsOwnTime {
            benchmarks: own.iter().take(MAX_NOTED_IDS).map(|(_, id)| id.name.clone()).collect(),
            count: own.len() as u64,
            longest: Nanos::new(*longest).ok()?,
        })
    }

    /// Returns the nanoseconds that one launch of all planned benchmarks takes on one side.
    pub(crate) fn estimate_launch_nanos(&self, effort: &Effort) -> f64 {
        let starts = self.list_jobs().into_iter();
        let starts: f64 = starts.map(|job| self.estimate_start_nanos(&job.process())).sum();
        let benchmarks = self.planned.iter().flatten();
        starts + benchmarks.map(|planned| planned.estimate_nanos(effort)).sum::<f64>()
    }

    /// Returns this plan, limited to the `selected` benchmarks.
    #[must_use]
    pub(crate) fn restrict_to(&self, selected: &HashSet<BenchmarkId>) -> Self {
        let planned = if let Some(planned) = &self.planned {
            planned.iter().filter(|planned| selected.contains(&planned.id)).cloned().collect()
        } else {
            let mut ids: Vec<_> = selected.iter().cloned().collect();
            ids.sort();
            let cost = CallCost::default();
            ids.into_iter().map(|id| PlannedBenchmark::new(id, None, cost)).collect()
        };
        Self { planned: Some(planned), ..self.clone() }
    }

    /// Returns this plan without the benchmarks `same`.
    #[must_use]
    pub(crate) fn exclude(&self, same: &[BenchmarkId]) -> Self {
        let mut kept = self.clone();
        if let Some(planned) = &mut kept.planned {
            planned.retain(|planned| !same.contains(&planned.id));
        }
        kept
    }

    /// Returns the plans of both sides with the same benchmarks and costs, so that both sides are
    /// measured in the same way once the effort is chosen.
    ///
    /// A benchmark that both sides have costs as much as on the slower side. Failed benchmarks and
    /// notes stay with their side; a note that both sides have is kept only on this one. If the
    /// benchmarks of either side are not known yet, both lists stay as they are.
    #[must_use]
    pub(crate) fn merge_with(mut self, mut other: Self) -> (Self, Self) {
        other.notes.retain(|note| !self.notes.contains(note));
        let (Some(mine), Some(theirs)) = (&mut self.planned, &mut other.planned) else {
            return (self, other);
        };
        let places: BTreeMap<BenchmarkId, usize> =
            mine.iter().enumerate().map(|(at, planned)| (planned.id.clone(), at)).collect();
        for planned in std::mem::take(theirs) {
            match places.get(&planned.id) {
                Some(&at) => mine[at].cost = merge_costs(mine[at].cost, planned.cost),
                None => mine.push(planned),
            }
        }
        theirs.clone_from(mine);
        for (process, startup) in std::mem::take(&mut other.startups) {
            let slower = self.startups.entry(process).or_default();
            *slower = startup.max(*slower);
        }
        other.startups.clone_from(&self.startups);
        (self, other)
    }

    /// Removes and returns the note that the patterns of `--bench` match nothing, if there is one.
    pub(crate) fn take_nothing_selected(&mut self) -> Option<Note> {
        let is_nothing_selected = |note: &Note| matches!(note, Note::NothingSelected { .. });
        let place = self.notes.iter().position(is_nothing_selected)?;
        Some(self.notes.remove(place))
    }

    /// Returns the process starts of one launch: one per process and effort, or several if the
    /// filter would be too long, or if a benchmark has a process of its own.
    pub(crate) fn list_jobs(&self) -> Vec<LaunchJob> {
        let Some(planned) = &self.planned else {
            let mode = MeasureMode::Call(MIN_LAUNCH_CALLS);
            let launch_time = MIN_LAUNCH_TIME;
            return vec![LaunchJob { package: None, target: None, ids: None, mode, launch_time }];
        };
        let mut starts: BTreeMap<_, Vec<&PlannedBenchmark>> = BTreeMap::new();
        for planned in planned {
            let own = planned.is_alone.then_some(&planned.id);
            let effort = (planned.mode, planned.launch_time, own);
            let start = (&planned.id.package, &planned.target, effort);
            starts.entry(start).or_default().push(planned);
        }
        starts.values().flat_map(|planned| split_into_jobs(planned)).collect()
    }
}

/// Returns the cost of a benchmark that both sides have. It is measured in batches if its calls are
/// too short on either side.
fn merge_costs(one: CallCost, other: CallCost) -> CallCost {
    let is_short = |cost: CallCost| cost.call < MIN_SINGLE_CALL_NANOS;
    let slower = one.max(other);
    let shorter_call = one.call.min(other.call);
    if is_short(one) || is_short(other) {
        CallCost { call: shorter_call, ..slower }
    } else {
        slower
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(id: &str, mode: MeasureMode) -> PlannedBenchmark {
        let id = BenchmarkId { name: id.to_owned(), package: Some("p".to_owned()) };
        PlannedBenchmark {
            mode,
            ..PlannedBenchmark::new(id, Some("t".to_owned()), CallCost::default())
        }
    }

    fn plan(modes: &[(&str, MeasureMode)]) -> LaunchPlan {
        let planned = modes.iter().map(|(id, mode)| planned(id, *mode)).collect();
        LaunchPlan { planned: Some(planned), ..LaunchPlan::default() }
    }

    #[track_caller]
    fn starts(modes: &[(&str, MeasureMode)], expected: &[(MeasureMode, &str)]) {
        let jobs = plan(modes).list_jobs();
        let jobs: Vec<_> =
            jobs.into_iter().map(|job| (job.mode, job.ids.unwrap_or_default().join(" "))).collect();
        let expected: Vec<_> =
            expected.iter().map(|(mode, ids)| (*mode, (*ids).to_owned())).collect();
        assert_eq!(jobs, expected);
    }

    #[test]
    fn benchmarks_of_like_effort_share_a_start() {
        starts(
            &[("a", MeasureMode::Call(200)), ("b", MeasureMode::Call(200))],
            &[(MeasureMode::Call(200), "a b")],
        );
        starts(
            &[
                ("a", MeasureMode::Call(200)),
                ("b", MeasureMode::Call(150)),
                ("c", MeasureMode::Batch),
            ],
            &[
                (MeasureMode::Call(150), "b"),
                (MeasureMode::Call(200), "a"),
                (MeasureMode::Batch, "c"),
            ],
        );
    }

    #[test]
    fn a_filter_does_not_grow_beyond_what_a_system_accepts() {
        let long = "x".repeat(30_000);
        starts(
            &[
                (&long, MeasureMode::Call(10)),
                ("b", MeasureMode::Call(10)),
                (&"y".repeat(30_000), MeasureMode::Call(10)),
            ],
            &[
                (MeasureMode::Call(10), &format!("{long} b")),
                (MeasureMode::Call(10), &"y".repeat(30_000)),
            ],
        );
    }

    /// Returns a plan of benchmarks of one target, whose calls take `costs` microseconds.
    fn plan_costs(costs: &[(&str, f64)], startup_millis: u64) -> LaunchPlan {
        let benchmarks = costs.iter().map(|(id, micros)| PlannedBenchmark {
            cost: CallCost { call: micros * 1e3, pace: micros * 1e3, ..CallCost::default() },
            ..planned(id, MeasureMode::Batch)
        });
        let process = (Some("p".to_owned()), Some("t".to_owned()));
        LaunchPlan {
            planned: Some(benchmarks.collect()),
            startups: BTreeMap::from([(process, Duration::from_millis(startup_millis))]),
            ..LaunchPlan::default()
        }
    }

    #[track_caller]
    fn chooses(mut plan: LaunchPlan, expected: &[(&str, MeasureMode)]) {
        plan.choose_effort(&Effort::default(), EffortLevel::Full);
        let planned = plan.planned.iter().flatten();
        let modes: Vec<_> = planned.map(|planned| (&*planned.id.name, planned.mode)).collect();
        assert_eq!(modes, expected);
    }

    #[test]
    fn two_sides_are_measured_alike() {
        let mine = plan_costs(&[("a", 100.0), ("b", 400.0), ("c", 1.0)], 2);
        let theirs = plan_costs(&[("a", 200.0), ("c", 300.0), ("d", 95_000.0)], 5);
        let (mine, theirs) = mine.merge_with(theirs);
        assert_eq!(mine, theirs);
        assert_eq!(mine.startups.values().next(), Some(&Duration::from_millis(5)));
        let calls = MeasureMode::Call;
        chooses(
            mine,
            &[("a", calls(50)), ("b", calls(50)), ("c", MeasureMode::Batch), ("d", calls(10))],
        );
    }

    #[test]
    fn a_start_that_costs_more_is_shared_by_more() {
        // Ten milliseconds of calls of 10 and 100 µs are 1000 and 100 calls.
        let costs = [("a", 10.0), ("b", 100.0)];
        let calls = MeasureMode::Call;
        chooses(plan_costs(&costs, 1), &[("a", calls(1000)), ("b", calls(100))]);
        // With a set-up of ten seconds 200 ms of calls are asked for, and 2 s are the limit.
        chooses(plan_costs(&costs, 10_000), &[("a", calls(20_000)), ("b", calls(20_000))]);
        let slow = [("a", 10.0), ("b", 1000.0)];
        chooses(plan_costs(&slow, 10_000), &[("a", calls(20_000)), ("b", calls(200))]);
    }

    #[test]
    fn a_launch_takes_as_long_as_the_bench_sets_itself() {
        let effort = Effort::default();
        let mut plan = plan_costs(&[("batch", 1.0), ("call", 1400.0), ("as asked", 1400.0)], 1);
        for planned in plan.planned.iter_mut().flatten().take(2) {
            planned.cost = CallCost { own_calls: 15e9, own_warmup: 1e9, ..planned.cost };
        }
        plan.fit_effort(&effort, 0.0, EffortLevel::Full);
        let seconds: Vec<_> = plan
            .planned
            .iter()
            .flatten()
            .map(|planned| planned.estimate_nanos(&effort) / 1e9)
            .collect();
        assert!(seconds[0] > 16.0 && seconds[1] > 16.0 && seconds[2] < 0.1, "{seconds:?}");
        let benchmarks = vec!["batch".to_owned(), "call".to_owned()];
        let longest = Nanos::new(16e9).unwrap();
        let note = Note::BenchSetsOwnTime { benchmarks, count: 2, longest };
        assert_eq!(plan.note_own_times(), Some(note));
        // The plan of the other side costs the same.
        let (_, other) = plan.merge_with(plan_costs(&[("batch", 1.0), ("call", 1400.0)], 1));
        assert!(other.estimate_launch_nanos(&effort) > 32e9);
    }

    #[test]
    fn what_failed_on_a_side_stays_with_it() {
        let failed = |id: &str| {
            let id = BenchmarkId { name: id.to_owned(), package: None };
            Benchmark::new(id, None, crate::run::Sampling::Call)
        };
        let skipped =
            |bench: &str| Note::BenchSkipped { bench: bench.to_owned(), package: "p".to_owned() };
        let side = |id: &str, note: &str| LaunchPlan {
            failed: vec![failed(id)],
            notes: vec![skipped("both"), skipped(note)],
            ..plan(&[("a", MeasureMode::Batch)])
        };
        let (mine, theirs) = side("x", "mine").merge_with(side("y", "theirs"));
        assert_eq!((&*mine.failed[0].id, &*theirs.failed[0].id), ("x", "y"));
        assert_eq!(mine.notes, [skipped("both"), skipped("mine")]);
        assert_eq!(theirs.notes, [skipped("theirs")]);
    }

    #[test]
    fn what_failed_is_not_started_again() {
        let job = &plan(&[("a", MeasureMode::Batch), ("b", MeasureMode::Batch)]).list_jobs()[0];
        let left = job.exclude_failed(|id| id.name == "a").unwrap();
        assert_eq!(left.ids.unwrap(), ["b"]);
        assert_eq!(job.exclude_failed(|_| true), None);
        let whole = &LaunchPlan::default().list_jobs()[0];
        assert_eq!(whole.exclude_failed(|id| id.name == "a").as_ref(), Some(whole));
        assert_eq!(whole.exclude_failed(|_| true), None);
    }

    #[test]
    fn only_what_is_wanted_is_started() {
        let wanted = HashSet::from([planned("b", MeasureMode::Batch).id]);
        let one =
            plan(&[("a", MeasureMode::Call(10)), ("b", MeasureMode::Batch)]).restrict_to(&wanted);
        assert_eq!(one, plan(&[("b", MeasureMode::Batch)]));
        let jobs = LaunchPlan::default().restrict_to(&wanted).list_jobs();
        assert_eq!(jobs[0].ids.as_deref(), Some(&["b".to_owned()][..]));
        assert_eq!(LaunchPlan::default().list_jobs()[0].ids, None);
    }
}
