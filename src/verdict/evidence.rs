//! The evidence of a decision: everything that is known when it is made, except the policy.
//!
//! It is gathered elsewhere and complete before [`decide`](super::decide) sees it, so that nobody
//! has to add to a decision afterwards.

use std::collections::{BTreeMap, HashSet};

use super::NoiseHistory;
use crate::decision::InstructionCounts;
use crate::host::Host;
use crate::note::{CountObstacle, Note};
use crate::policy::trailer::AcceptTrailer;
use crate::run::{BenchmarkId, LookHorizon, RoundsRecord, Run};

/// All inputs of a decision except the policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    /// The run that is judged.
    pub(crate) candidate: &'a Run,
    /// The data that the candidate is compared with.
    pub(crate) baseline: BaselineEvidence<'a>,
    /// Base and candidate measured alternately, for the benchmarks that needed it. `None` without
    /// rounds.
    pub(crate) rounds: Option<RoundsEvidence<'a>>,
    /// Instructions that were counted as a second opinion, or why none were counted.
    pub(crate) counts: &'a CountEvidence,
    /// What the commit messages accept.
    pub(crate) trailers: &'a TrailerEvidence,
    /// Stored runs of the last release. `None` if they are not compared with.
    pub(crate) last_release: Option<&'a ReleaseEvidence>,
    /// Whether a comparison was asked for, even if there is nothing to compare with.
    pub(crate) wants_baseline: bool,
    /// The bench targets whose own source the change edits.
    pub(crate) edited_benches: &'a EditedBenches,
    /// Whether the command line names the commit to compare with.
    pub(crate) names_base: bool,
    /// What went wrong while the evidence was gathered.
    pub(crate) notes: &'a [Note],
    /// The noise of each benchmark on this machine, from calibration. Benchmarks without
    /// calibration have no entry.
    pub(crate) noise: &'a BTreeMap<BenchmarkId, NoiseHistory>,
}

/// The edited source files of each bench target, by package and target. Targets with unchanged source
/// have no entry.
pub(crate) type EditedBenches = BTreeMap<(String, String), Vec<String>>;

/// The data that a run is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BaselineEvidence<'a> {
    /// No baseline: every benchmark is new.
    None,
    /// Another run, compared as it is, in one look.
    File(&'a Run),
    /// Stored runs, nearest first.
    Stored(&'a [Run]),
    /// Stored runs, nearest first. They only pass the benchmarks that are clearly unchanged; rounds
    /// confirm the rest.
    Screen(&'a [Run]),
}

/// Launches of base and candidate that were measured next to each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundsEvidence<'a> {
    /// The launches of the base.
    pub(crate) baseline: &'a Run,
    /// The launches of the candidate.
    pub(crate) candidate: &'a Run,
    /// Number of benchmarks that entered the rounds. It is fixed before the first look.
    pub(crate) entered_count: usize,
    /// Benchmarks that did not enter because both sides have the same program for them.
    pub(crate) same_program: &'a [SameBenchmark],
    /// Benchmarks that entered and were not launched, because the budget has no time for enough
    /// rounds of them, or not yet.
    pub(crate) postponed: &'a [BenchmarkId],
    /// Largest number of rounds that a benchmark may take. It is fixed before the first round.
    pub(crate) horizon: LookHorizon,
    /// Whether no more rounds will come, because the time is up. If so, each benchmark that was
    /// still measured is looked at once more. A benchmark that was given up right after a look has
    /// nothing more to look at.
    pub(crate) has_ended: bool,
}

/// A benchmark that has the same program on both sides, so that it needs no launches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SameBenchmark {
    /// Id of the benchmark.
    pub(crate) id: BenchmarkId,
    /// How it is known that both programs are the same.
    pub(crate) reason: Note,
}

/// Instructions that were counted as a second opinion on inconclusive benchmarks.
#[derive(Clone, Debug)]
pub(crate) enum CountEvidence {
    /// Counts were not asked for.
    NotWanted,
    /// Nothing was counted because there were no rounds.
    WithoutRounds,
    /// Nothing was counted because commands were measured, not Criterion benches.
    NotCriterion,
    /// The counts of both sides by benchmark, or why a benchmark could not be counted.
    Counted(BTreeMap<BenchmarkId, Result<InstructionCounts, CountObstacle>>),
}

/// What the trailers of the judged commits' messages accept.
#[derive(Clone, Debug)]
pub(crate) struct TrailerEvidence {
    /// The waivers that could be parsed.
    pub(crate) accepted: Vec<AcceptTrailer>,
    /// What could not be read: trailers, or the messages.
    pub(crate) notes: Vec<Note>,
    /// Whether all commit messages between base and head could be read.
    pub(crate) is_complete: bool,
}

/// The evidence of commits without trailers.
static NO_TRAILERS: TrailerEvidence =
    TrailerEvidence { accepted: Vec::new(), notes: Vec::new(), is_complete: true };

/// The edits of a change that leaves all benches as they are.
static NO_EDITS: EditedBenches = BTreeMap::new();

/// The noise histories of a machine without calibration.
static NO_CALIBRATION: BTreeMap<BenchmarkId, NoiseHistory> = BTreeMap::new();

/// Stored runs of the last release before the candidate.
#[derive(Clone, Debug)]
pub(crate) struct ReleaseEvidence {
    /// Tag of the release.
    pub(crate) tag: String,
    /// Its stored runs on the candidate's machine.
    pub(crate) runs: Vec<Run>,
}

impl<'a> RoundsEvidence<'a> {
    /// Returns the rounds that two run files hold, which have ended. Returns `None` unless the files
    /// record the same rounds and share a session.
    fn from_files(baseline: &'a Run, candidate: &'a Run) -> Option<Self> {
        let RoundsRecord { horizon, entered } = candidate.settings.rounds?;
        let list_sessions = |run: &'a Run| -> HashSet<&'a str> {
            let launches = run.benchmarks.iter().flat_map(|benchmark| &benchmark.launches);
            launches.filter_map(|launch| launch.session.as_deref()).collect()
        };
        let is_together = baseline.settings.rounds == candidate.settings.rounds
            && !list_sessions(baseline).is_disjoint(&list_sessions(candidate));
        is_together.then_some(Self {
            baseline,
            candidate,
            entered_count: usize::try_from(entered).unwrap_or(usize::MAX),
            same_program: &[],
            postponed: &[],
            horizon,
            has_ended: true,
        })
    }
}

impl<'a> Evidence<'a> {
    /// Returns the evidence of a candidate and a baseline, with nothing else known. Two files of
    /// rounds that were measured with each other are judged by their looks.
    pub(crate) fn from_sides(candidate: &'a Run, baseline: BaselineEvidence<'a>) -> Self {
        Self {
            candidate,
            baseline,
            rounds: match baseline {
                BaselineEvidence::File(run) => RoundsEvidence::from_files(run, candidate),
                _ => None,
            },
            counts: &CountEvidence::NotWanted,
            trailers: &NO_TRAILERS,
            last_release: None,
            wants_baseline: !matches!(baseline, BaselineEvidence::None),
            edited_benches: &NO_EDITS,
            names_base: false,
            notes: &[],
            noise: &NO_CALIBRATION,
        }
    }

    /// Returns how it is known that both sides have the same program for this benchmark, or `None`
    /// if that is not known.
    pub(super) fn find_same_program(&self, id: &BenchmarkId) -> Option<&'a Note> {
        let mut same = self.rounds?.same_program.iter();
        same.find(|same| same.id == *id).map(|same| &same.reason)
    }

    /// Returns whether the rounds have a benchmark, and it was not launched in them.
    pub(super) fn is_postponed(&self, id: &BenchmarkId) -> bool {
        self.rounds.is_some_and(|rounds| rounds.postponed.contains(id))
    }

    /// Returns whether there is a baseline. A base without any benchmark does not count as a
    /// baseline.
    pub(super) fn has_baseline(&self) -> bool {
        let have_base = self.rounds.is_some_and(|rounds| {
            !rounds.baseline.benchmarks.is_empty() || !rounds.same_program.is_empty()
        });
        have_base || !matches!(self.baseline, BaselineEvidence::None)
    }

    /// Returns whether the command line names a commit to compare with, and no benchmark of that
    /// commit could be measured. A commit that has no benchmarks was measured as it is.
    pub(super) fn lacks_named_base(&self) -> bool {
        let is_unmeasured = self.rounds.is_none_or(|rounds| {
            let benchmarks = &rounds.baseline.benchmarks;
            rounds.same_program.is_empty()
                && !benchmarks.is_empty()
                && benchmarks.iter().all(|benchmark| benchmark.failure.is_some())
        });
        self.names_base && is_unmeasured && matches!(self.baseline, BaselineEvidence::None)
    }

    /// Returns whether the baseline was measured on another machine, or built by another compiler.
    /// Looks at the nearest run only.
    pub(super) fn is_across_machines(&self) -> bool {
        let candidate = &self.candidate.host;
        self.find_baseline_host().is_some_and(|host| host.fingerprint != candidate.fingerprint)
    }

    /// Returns the note that names how the host of the baseline differs from that of the candidate.
    pub(super) fn describe_other_host(&self) -> Note {
        let candidate = &self.candidate.host;
        match self.find_baseline_host() {
            Some(host) if host.differs_by_compiler(candidate) => Note::OtherCompiler {
                baseline: host.rustc.clone(),
                candidate: candidate.rustc.clone(),
            },
            _ => Note::OtherMachine,
        }
    }

    /// Returns the host of the nearest run of the baseline, or `None` if it was measured in rounds.
    fn find_baseline_host(&self) -> Option<&'a Host> {
        let baseline = match self.baseline {
            BaselineEvidence::None => None,
            BaselineEvidence::File(run) => Some(run),
            BaselineEvidence::Stored(runs) | BaselineEvidence::Screen(runs) => runs.first(),
        };
        baseline.map(|run| &run.host)
    }

    /// Returns why a change that shows against stored runs is not an answer: they are of the commit
    /// that is judged, or only a screen. `None` if it is one.
    pub(super) fn find_stored_doubt(&self) -> Option<Note> {
        let is_screen = matches!(self.baseline, BaselineEvidence::Screen(_));
        if self.is_same_commit() {
            Some(Note::SameCommit)
        } else {
            is_screen.then_some(Note::OnlyScreened)
        }
    }

    /// Returns whether the nearest stored run is of the commit that is judged, without uncommitted
    /// changes.
    pub(super) fn is_same_commit(&self) -> bool {
        let (BaselineEvidence::Stored(runs) | BaselineEvidence::Screen(runs)) = self.baseline
        else {
            return false;
        };
        let stored = runs.first().and_then(|run| run.commit.as_ref());
        let judged = self.candidate.commit.as_ref();
        stored.zip(judged).is_some_and(|(stored, judged)| stored.id == judged.id && !judged.dirty)
    }
}
