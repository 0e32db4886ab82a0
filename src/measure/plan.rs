//! Which benchmarks a subject has, how each is measured, and how they share process starts.

use std::collections::{BTreeMap, HashSet};

use crate::note::Note;
use crate::run::{Benchmark, BenchmarkId};

/// Time in nanoseconds that the calls of one benchmark may take per launch.
pub(crate) const MAX_LAUNCH_NANOS: f64 = 2e9;
/// Fewest calls per launch: Criterion accepts no smaller number.
pub(crate) const MIN_LAUNCH_CALLS: u32 = 10;
/// Calls that take fewer nanoseconds than this are measured in batches. A clock reading takes
/// 25 ns, which is half a percent of this.
pub(crate) const MIN_SINGLE_CALL_NANOS: f64 = 5e3;
/// Benchmarks share a process start if their numbers of calls differ by less than this factor.
/// All of them then make the smallest of these numbers.
const MAX_CALLS_RATIO: u32 = 2;
/// Samples of a benchmark that is measured in batches. In a tenth of a second the smallest batch
/// takes about 80 µs, which is thousands of clock readings, and an interval still has 50 values.
const BATCH_SAMPLES: u32 = 50;
/// Longest filter in bytes that is passed to a bench: systems limit one argument to 128 KiB.
pub(super) const MAX_FILTER_BYTES: usize = 100_000;

/// How a benchmark is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MeasureMode {
    /// Every sample is the time of one call. The value is the number of calls per launch.
    Call(u32),
    /// Every sample is the mean of many calls.
    Batch,
}

impl MeasureMode {
    /// Chooses how to measure a benchmark.
    ///
    /// A call takes `call` nanoseconds, or `pace` nanoseconds together with the work between two
    /// calls. `calls` is the largest number of calls per launch.
    pub(crate) fn choose(call: f64, pace: f64, calls: u32) -> Self {
        if call < MIN_SINGLE_CALL_NANOS {
            return Self::Batch;
        }
        // A number that does not fit into 32 bits saturates, far above any limit on calls.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let fitting = (MAX_LAUNCH_NANOS / pace.max(call)) as u32;
        Self::Call(fitting.min(calls).max(MIN_LAUNCH_CALLS))
    }

    /// Returns the number of samples per launch and benchmark, at least [`MIN_LAUNCH_CALLS`].
    /// `calls` is the largest number of calls per launch; batches are limited by it as well.
    pub(super) fn count_samples(self, calls: u32) -> usize {
        let samples = match self {
            Self::Call(calls) => calls,
            Self::Batch => BATCH_SAMPLES.min(calls),
        };
        samples.max(MIN_LAUNCH_CALLS) as usize
    }
}

/// A benchmark and how it is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedBenchmark {
    /// Name and package of the benchmark.
    pub(crate) id: BenchmarkId,
    /// The bench target that the benchmark belongs to; `None` for a benchmark of a command.
    pub(crate) target: Option<String>,
    /// How the benchmark is measured.
    pub(crate) mode: MeasureMode,
}

/// One process start of a launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LaunchJob {
    /// The package of the bench target; `None` for a command.
    pub(crate) package: Option<String>,
    /// The bench target that is started; `None` for a command.
    pub(crate) target: Option<String>,
    /// Ids of the benchmarks to measure; `None` for all that the process has.
    pub(crate) ids: Option<Vec<String>>,
    /// How the benchmarks are measured.
    pub(crate) mode: MeasureMode,
}

impl LaunchJob {
    /// Returns the name of the started process, as progress and warnings show it.
    pub(crate) fn name(&self) -> String {
        match (&self.target, &self.package) {
            (Some(target), Some(package)) => format!("{target} ({package})"),
            (Some(target), None) => target.clone(),
            (None, _) => "command".to_owned(),
        }
    }

    /// Returns the job without the benchmarks that have failed, or `None` if none is left.
    #[must_use]
    pub(crate) fn exclude_failed(&self, has_failed: impl Fn(&BenchmarkId) -> bool) -> Option<Self> {
        let Some(ids) = &self.ids else {
            return (!has_failed(&super::command::make_whole_command_id())).then(|| self.clone());
        };
        let package = &self.package;
        let ids = ids.iter().filter(|id| {
            !has_failed(&BenchmarkId { name: (*id).clone(), package: package.clone() })
        });
        let ids: Vec<String> = ids.cloned().collect();
        (!ids.is_empty()).then(|| Self { ids: Some(ids), ..self.clone() })
    }
}

/// The benchmarks of a subject: those to measure, and those that cannot be measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LaunchPlan {
    /// The benchmarks to measure, and how; `None` if they are only known after a launch.
    pub(crate) planned: Option<Vec<PlannedBenchmark>>,
    /// The benchmarks that have already failed; each appears once.
    pub(crate) failed: Vec<Benchmark>,
    /// Notes on bench targets that were left out.
    pub(crate) notes: Vec<Note>,
}

impl LaunchPlan {
    /// Returns this plan, limited to the `selected` benchmarks.
    #[must_use]
    pub(crate) fn restrict_to(&self, selected: &HashSet<BenchmarkId>) -> Self {
        let planned = if let Some(planned) = &self.planned {
            planned.iter().filter(|planned| selected.contains(&planned.id)).cloned().collect()
        } else {
            let mut ids: Vec<_> = selected.iter().cloned().collect();
            ids.sort();
            let mode = MeasureMode::Call(MIN_LAUNCH_CALLS);
            ids.into_iter().map(|id| PlannedBenchmark { id, target: None, mode }).collect()
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

    /// Returns the plans of both sides with the same benchmarks, measured in the same way.
    ///
    /// A benchmark that both sides have is measured with the smaller number of calls, or in batches
    /// if it is measured in batches on either side. Failed benchmarks and notes stay with their
    /// side; a note that both sides have is kept only on this one. If the benchmarks of either side
    /// are not known yet, both lists stay as they are.
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
                Some(&at) => mine[at].mode = merge_modes(mine[at].mode, planned.mode),
                None => mine.push(planned),
            }
        }
        theirs.clone_from(mine);
        (self, other)
    }

    /// Removes and returns the note that the patterns of `--bench` match nothing, if there is one.
    pub(crate) fn take_nothing_selected(&mut self) -> Option<Note> {
        let is_nothing_selected = |note: &Note| matches!(note, Note::NothingSelected { .. });
        let place = self.notes.iter().position(is_nothing_selected)?;
        Some(self.notes.remove(place))
    }

    /// Returns the process starts of one launch: one per target, or several if the numbers of calls
    /// differ by [`MAX_CALLS_RATIO`] or more or if the filter would be too long.
    pub(crate) fn list_jobs(&self) -> Vec<LaunchJob> {
        let Some(planned) = &self.planned else {
            let mode = MeasureMode::Call(MIN_LAUNCH_CALLS);
            return vec![LaunchJob { package: None, target: None, ids: None, mode }];
        };
        let mut targets: BTreeMap<_, Vec<&PlannedBenchmark>> = BTreeMap::new();
        for planned in planned {
            targets.entry((&planned.id.package, &planned.target)).or_default().push(planned);
        }
        targets.values().flat_map(|planned| list_target_jobs(planned)).collect()
    }
}

fn merge_modes(one: MeasureMode, other: MeasureMode) -> MeasureMode {
    match (one, other) {
        (MeasureMode::Call(one), MeasureMode::Call(other)) => MeasureMode::Call(one.min(other)),
        _ => MeasureMode::Batch,
    }
}

fn list_target_jobs(planned: &[&PlannedBenchmark]) -> Vec<LaunchJob> {
    // Sort the modes and group them into classes. A class is named by its smallest number of calls,
    // which all its benchmarks make. Then list the jobs of each class.
    let mut modes: Vec<MeasureMode> = planned.iter().map(|planned| planned.mode).collect();
    modes.sort_unstable();
    let mut classes: Vec<MeasureMode> = Vec::new();
    // The largest number of calls is the ceiling. Benchmarks that are fast enough to reach it do
    // not share a start with slower ones, which would lower their number of calls.
    let ceiling = modes.iter().rev().find(|mode| **mode != MeasureMode::Batch).copied();
    for mode in modes {
        let fits_last = classes
            .last()
            .is_some_and(|last| mode == *last || Some(mode) != ceiling && is_near(*last, mode));
        if !fits_last {
            classes.push(mode);
        }
    }
    let find_class =
        |mode| classes.iter().rev().find(|class| **class <= mode).copied().unwrap_or(mode);
    let in_class = |mode| planned.iter().filter(move |planned| find_class(planned.mode) == mode);
    classes.iter().flat_map(|mode| split_into_jobs(in_class(*mode), *mode)).collect()
}

fn is_near(least: MeasureMode, mode: MeasureMode) -> bool {
    matches!((least, mode), (MeasureMode::Call(least), MeasureMode::Call(calls)) if calls < least * MAX_CALLS_RATIO)
}

fn split_into_jobs<'a>(
    planned: impl Iterator<Item = &'a &'a PlannedBenchmark>,
    mode: MeasureMode,
) -> Vec<LaunchJob> {
    let mut jobs: Vec<LaunchJob> = Vec::new();
    let mut length = 0;
    for planned in planned {
        // Escaping makes an id at most twice as long.
        length += 2 * planned.id.name.len() + 1;
        let id = planned.id.name.clone();
        match jobs.last_mut().and_then(|job| job.ids.as_mut()) {
            Some(ids) if length <= MAX_FILTER_BYTES => ids.push(id),
            _ => {
                length = 2 * planned.id.name.len() + 1;
                jobs.push(LaunchJob {
                    package: planned.id.package.clone(),
                    target: planned.target.clone(),
                    ids: Some(vec![id]),
                    mode,
                });
            }
        }
    }
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(id: &str, mode: MeasureMode) -> PlannedBenchmark {
        let id = BenchmarkId { name: id.to_owned(), package: Some("p".to_owned()) };
        PlannedBenchmark { id, target: Some("t".to_owned()), mode }
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
    fn calls_stop_after_two_seconds_but_never_before_ten() {
        assert_eq!(MeasureMode::choose(1e6, 1e6, 200), MeasureMode::Call(200));
        assert_eq!(MeasureMode::choose(20e6, 20e6, 200), MeasureMode::Call(100));
        assert_eq!(MeasureMode::choose(1e9, 1e9, 200), MeasureMode::Call(10));
        assert_eq!(MeasureMode::choose(6e3, 40e6, 200), MeasureMode::Call(50));
        assert_eq!(MeasureMode::choose(4e3, 40e6, 200), MeasureMode::Batch);
        assert_eq!(MeasureMode::choose(6e3, 6e3, 200), MeasureMode::Call(200));
    }

    #[test]
    fn benchmarks_of_like_pace_share_a_start() {
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
        starts(
            &[
                ("a", MeasureMode::Call(39)),
                ("b", MeasureMode::Call(20)),
                ("c", MeasureMode::Call(10)),
                ("d", MeasureMode::Call(200)),
            ],
            &[
                (MeasureMode::Call(10), "c"),
                (MeasureMode::Call(20), "a b"),
                (MeasureMode::Call(200), "d"),
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

    #[test]
    fn two_sides_are_measured_alike() {
        let mine = plan(&[
            ("a", MeasureMode::Call(200)),
            ("b", MeasureMode::Call(50)),
            ("c", MeasureMode::Batch),
        ]);
        let theirs = plan(&[
            ("a", MeasureMode::Call(100)),
            ("c", MeasureMode::Call(200)),
            ("d", MeasureMode::Call(10)),
        ]);
        let both = plan(&[
            ("a", MeasureMode::Call(100)),
            ("b", MeasureMode::Call(50)),
            ("c", MeasureMode::Batch),
            ("d", MeasureMode::Call(10)),
        ]);
        assert_eq!(mine.merge_with(theirs), (both.clone(), both));
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
