//! What a subject has to measure, how, and in how few process starts.

use std::collections::{BTreeMap, HashSet};

use crate::run::{Benchmark, BenchmarkId};

/// A benchmark stops after this many nanoseconds of calls a launch.
pub(crate) const LAUNCH_NANOS: f64 = 2e9;
/// Never fewer calls than this: it is the least Criterion accepts.
pub(crate) const LEAST_CALLS: u32 = 10;
/// Shorter calls are measured in batches: a clock reading of 25 ns would be half a percent of them.
pub(crate) const CLOCK_NANOS: f64 = 5e3;
/// Benchmarks whose calls differ by less than this share a process, with the smaller number.
const SHARING: u32 = 2;
/// Longest filter that is passed to a bench: systems limit one argument to 128 KiB.
pub(super) const LONGEST_FILTER: usize = 100_000;

/// How a benchmark is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// Every sample is one call; this many.
    Call(u32),
    /// Every sample is the mean of many calls.
    Batch,
}

impl Mode {
    /// How to measure a benchmark whose call takes `call` nanoseconds, and `pace` nanoseconds with
    /// what is done between two calls.
    pub(crate) fn of(call: f64, pace: f64, calls: u32) -> Self {
        if call < CLOCK_NANOS {
            return Self::Batch;
        }
        // What does not fit into 32 bits saturates, far above any ceiling.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let fitting = (LAUNCH_NANOS / pace.max(call)) as u32;
        Self::Call(fitting.min(calls).max(LEAST_CALLS))
    }
}

/// A benchmark and how it is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Which.
    pub(crate) id: BenchmarkId,
    /// The bench target it belongs to.
    pub(crate) target: Option<String>,
    /// How.
    pub(crate) mode: Mode,
}

/// One process start of a launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// The package of the bench target.
    pub(crate) package: Option<String>,
    /// The bench target.
    pub(crate) target: Option<String>,
    /// Ids of the benchmarks; `None` for everything there is.
    pub(crate) ids: Option<Vec<String>>,
    /// How they are measured.
    pub(crate) mode: Mode,
}

impl Job {
    /// What is started, in words.
    pub(crate) fn name(&self) -> String {
        match (&self.target, &self.package) {
            (Some(target), Some(package)) => format!("{target} ({package})"),
            (Some(target), None) => target.clone(),
            (None, _) => "command".to_owned(),
        }
    }

    /// What of it has not failed yet; `None` where nothing is left.
    #[must_use]
    pub(crate) fn without(&self, has_failed: impl Fn(&BenchmarkId) -> bool) -> Option<Self> {
        let Some(ids) = &self.ids else {
            return (!has_failed(&super::command::whole())).then(|| self.clone());
        };
        let package = &self.package;
        let fails =
            |id: &String| has_failed(&BenchmarkId { id: id.clone(), package: package.clone() });
        let ids: Vec<String> = ids.iter().filter(|id| !fails(id)).cloned().collect();
        (!ids.is_empty()).then(|| Self { ids: Some(ids), ..self.clone() })
    }
}

/// What a subject has to measure, and what of it cannot be measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// What to measure, and how; `None` where only a launch can tell.
    pub(crate) planned: Option<Vec<Planned>>,
    /// What failed already; each benchmark once.
    pub(crate) failed: Vec<Benchmark>,
    /// What the user should know: benches that were left out, and why.
    pub(crate) notes: Vec<String>,
}

impl Plan {
    /// The same for the `wanted` benchmarks alone.
    #[must_use]
    pub(crate) fn only(&self, wanted: &HashSet<BenchmarkId>) -> Self {
        let planned = self.planned.as_ref().map_or_else(
            || {
                let mut ids: Vec<_> = wanted.iter().cloned().collect();
                ids.sort();
                let planned = |id| Planned { id, target: None, mode: Mode::Call(LEAST_CALLS) };
                ids.into_iter().map(planned).collect()
            },
            |planned| {
                planned.iter().filter(|planned| wanted.contains(&planned.id)).cloned().collect()
            },
        );
        Self { planned: Some(planned), ..self.clone() }
    }

    /// The same without these benchmarks.
    #[must_use]
    pub(crate) fn without(&self, same: &[BenchmarkId]) -> Self {
        let left = |planned: &&Planned| !same.contains(&planned.id);
        let planned = self.planned.as_ref();
        let planned = planned.map(|planned| planned.iter().filter(left).cloned().collect());
        Self { planned, ..self.clone() }
    }

    /// The plans of two sides, made alike: what both have is measured with the smaller number of
    /// calls, and in batches where either side is too short for the clock. What failed on a side
    /// stays with it, and so does what there is to say about it alone.
    #[must_use]
    pub(crate) fn merge(mut self, mut other: Self) -> (Self, Self) {
        other.notes.retain(|note| !self.notes.contains(note));
        let (Some(mine), Some(theirs)) = (&mut self.planned, &mut other.planned) else {
            return (self, other);
        };
        let places: BTreeMap<BenchmarkId, usize> =
            mine.iter().enumerate().map(|(at, planned)| (planned.id.clone(), at)).collect();
        for planned in std::mem::take(theirs) {
            match places.get(&planned.id) {
                Some(&at) => mine[at].mode = slower(mine[at].mode, planned.mode),
                None => mine.push(planned),
            }
        }
        theirs.clone_from(mine);
        (self, other)
    }

    /// The process starts of one launch: one for each target, and number of calls where those
    /// differ much.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        let Some(planned) = &self.planned else {
            let mode = Mode::Call(LEAST_CALLS);
            return vec![Job { package: None, target: None, ids: None, mode }];
        };
        let mut targets: BTreeMap<_, Vec<&Planned>> = BTreeMap::new();
        for planned in planned {
            targets.entry((&planned.id.package, &planned.target)).or_default().push(planned);
        }
        targets.values().flat_map(|planned| jobs_of_target(planned)).collect()
    }
}

fn slower(one: Mode, other: Mode) -> Mode {
    match (one, other) {
        (Mode::Call(one), Mode::Call(other)) => Mode::Call(one.min(other)),
        _ => Mode::Batch,
    }
}

fn jobs_of_target(planned: &[&Planned]) -> Vec<Job> {
    let mut modes: Vec<Mode> = planned.iter().map(|planned| planned.mode).collect();
    modes.sort_unstable();
    let mut shared: Vec<Mode> = Vec::new();
    // The largest number is the ceiling itself: what is fast enough for it does not share.
    let ceiling = modes.iter().rev().find(|mode| **mode != Mode::Batch).copied();
    for mode in modes {
        let fits = |last: &Mode| mode == *last || Some(mode) != ceiling && near(*last, mode);
        if !shared.last().is_some_and(fits) {
            shared.push(mode);
        }
    }
    let class = |mode| shared.iter().rev().find(|class| **class <= mode).copied().unwrap_or(mode);
    let of = |mode| planned.iter().filter(move |planned| class(planned.mode) == mode);
    shared.iter().flat_map(|mode| chunks(of(*mode), *mode)).collect()
}

fn near(least: Mode, mode: Mode) -> bool {
    matches!((least, mode), (Mode::Call(least), Mode::Call(calls)) if calls < least * SHARING)
}

fn chunks<'a>(planned: impl Iterator<Item = &'a &'a Planned>, mode: Mode) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut length = 0;
    for planned in planned {
        // Escaped, an id grows to at most twice its length.
        length += 2 * planned.id.id.len() + 1;
        let id = planned.id.id.clone();
        match jobs.last_mut().and_then(|job| job.ids.as_mut()) {
            Some(ids) if length <= LONGEST_FILTER => ids.push(id),
            _ => {
                length = 2 * planned.id.id.len() + 1;
                jobs.push(Job {
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

    fn planned(id: &str, mode: Mode) -> Planned {
        let id = BenchmarkId { id: id.to_owned(), package: Some("p".to_owned()) };
        Planned { id, target: Some("t".to_owned()), mode }
    }

    fn plan(modes: &[(&str, Mode)]) -> Plan {
        let planned = modes.iter().map(|(id, mode)| planned(id, *mode)).collect();
        Plan { planned: Some(planned), ..Plan::default() }
    }

    #[track_caller]
    fn starts(modes: &[(&str, Mode)], expected: &[(Mode, &str)]) {
        let jobs = plan(modes).jobs();
        let jobs: Vec<_> =
            jobs.into_iter().map(|job| (job.mode, job.ids.unwrap_or_default().join(" "))).collect();
        let expected: Vec<_> =
            expected.iter().map(|(mode, ids)| (*mode, (*ids).to_owned())).collect();
        assert_eq!(jobs, expected);
    }

    #[test]
    fn calls_stop_after_two_seconds_but_never_before_ten() {
        assert_eq!(Mode::of(1e6, 1e6, 200), Mode::Call(200));
        assert_eq!(Mode::of(20e6, 20e6, 200), Mode::Call(100));
        assert_eq!(Mode::of(1e9, 1e9, 200), Mode::Call(10));
        assert_eq!(Mode::of(6e3, 40e6, 200), Mode::Call(50));
        assert_eq!(Mode::of(4e3, 40e6, 200), Mode::Batch);
        assert_eq!(Mode::of(6e3, 6e3, 200), Mode::Call(200));
    }

    #[test]
    fn benchmarks_of_like_pace_share_a_start() {
        starts(&[("a", Mode::Call(200)), ("b", Mode::Call(200))], &[(Mode::Call(200), "a b")]);
        starts(
            &[("a", Mode::Call(200)), ("b", Mode::Call(150)), ("c", Mode::Batch)],
            &[(Mode::Call(150), "b"), (Mode::Call(200), "a"), (Mode::Batch, "c")],
        );
        starts(
            &[
                ("a", Mode::Call(39)),
                ("b", Mode::Call(20)),
                ("c", Mode::Call(10)),
                ("d", Mode::Call(200)),
            ],
            &[(Mode::Call(10), "c"), (Mode::Call(20), "a b"), (Mode::Call(200), "d")],
        );
    }

    #[test]
    fn a_filter_does_not_grow_beyond_what_a_system_accepts() {
        let long = "x".repeat(30_000);
        starts(
            &[
                (&long, Mode::Call(10)),
                ("b", Mode::Call(10)),
                (&"y".repeat(30_000), Mode::Call(10)),
            ],
            &[(Mode::Call(10), &format!("{long} b")), (Mode::Call(10), &"y".repeat(30_000))],
        );
    }

    #[test]
    fn two_sides_are_measured_alike() {
        let mine = plan(&[("a", Mode::Call(200)), ("b", Mode::Call(50)), ("c", Mode::Batch)]);
        let theirs = plan(&[("a", Mode::Call(100)), ("c", Mode::Call(200)), ("d", Mode::Call(10))]);
        let both = plan(&[
            ("a", Mode::Call(100)),
            ("b", Mode::Call(50)),
            ("c", Mode::Batch),
            ("d", Mode::Call(10)),
        ]);
        assert_eq!(mine.merge(theirs), (both.clone(), both));
    }

    #[test]
    fn what_failed_on_a_side_stays_with_it() {
        let failed = |id: &str| crate::run::Benchmark {
            id: id.to_owned(),
            package: None,
            target: None,
            sampling: crate::run::Sampling::Call,
            elements: None,
            per_call: BTreeMap::new(),
            launches: Vec::new(),
            failure: None,
        };
        let side = |id: &str, note: &str| Plan {
            failed: vec![failed(id)],
            notes: vec!["both".to_owned(), note.to_owned()],
            ..plan(&[("a", Mode::Batch)])
        };
        let (mine, theirs) = side("x", "mine").merge(side("y", "theirs"));
        assert_eq!((&*mine.failed[0].id, &*theirs.failed[0].id), ("x", "y"));
        assert_eq!(
            (mine.notes.join(" "), theirs.notes.join(" ")),
            ("both mine".into(), "theirs".into())
        );
    }

    #[test]
    fn what_failed_is_not_started_again() {
        let job = &plan(&[("a", Mode::Batch), ("b", Mode::Batch)]).jobs()[0];
        let left = job.without(|id| id.id == "a").unwrap();
        assert_eq!(left.ids.unwrap(), ["b"]);
        assert_eq!(job.without(|_| true), None);
        let whole = &Plan::default().jobs()[0];
        assert_eq!(whole.without(|id| id.id == "a").as_ref(), Some(whole));
        assert_eq!(whole.without(|_| true), None);
    }

    #[test]
    fn only_what_is_wanted_is_started() {
        let wanted = HashSet::from([planned("b", Mode::Batch).id]);
        let one = plan(&[("a", Mode::Call(10)), ("b", Mode::Batch)]).only(&wanted);
        assert_eq!(one, plan(&[("b", Mode::Batch)]));
        let jobs = Plan::default().only(&wanted).jobs();
        assert_eq!(jobs[0].ids.as_deref(), Some(&["b".to_owned()][..]));
        assert_eq!(Plan::default().jobs()[0].ids, None);
    }
}
