//! Interleaving: measure base and candidate in turn, look, go on with the undecided.
//!
//! A round is one launch of each side, next to each other, the order drawn at random; what a look
//! says is decided elsewhere.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use crate::host::Watch;
use crate::measure::{
    Effort, Interrupt, Job, Launched, MeasureError, Measured, Place, Plan, Subject,
};
use crate::run::{Benchmark, BenchmarkId, Run};
use crate::verdict::Rounds;

/// What is measured in turn, and how.
#[derive(Debug)]
pub(crate) struct Sides<'a> {
    /// What is compared with.
    pub(crate) baseline: &'a Subject,
    /// What is judged.
    pub(crate) candidate: &'a Subject,
    /// The benchmarks that enter, measured alike on both sides, and what failed on the base already.
    pub(crate) baseline_plan: Plan,
    /// The same for the candidate.
    pub(crate) candidate_plan: Plan,
    /// Benchmarks that need no rounds: both sides have the same program.
    pub(crate) same: Vec<BenchmarkId>,
    /// How much each launch measures.
    pub(crate) effort: &'a Effort,
    /// Seed of the order within rounds.
    pub(crate) seed: u64,
    /// Name of the session, which no other has.
    pub(crate) session: String,
    /// Longest time all rounds together may take.
    pub(crate) budget: Option<Duration>,
}

/// The launches of both sides.
#[derive(Debug)]
pub(crate) struct InTurn {
    /// Of the base.
    pub(crate) baseline: Run,
    /// Of the candidate.
    pub(crate) candidate: Run,
    /// Benchmarks that entered.
    pub(crate) entered: usize,
    /// Benchmarks that both sides have the same program of.
    pub(crate) same: Vec<BenchmarkId>,
    /// The budget ended it.
    pub(crate) ended: bool,
}

/// How far the rounds are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// A round begins.
    Round {
        /// Which, from 1.
        round: u32,
        /// Benchmarks that are still measured.
        undecided: usize,
    },
    /// A round was disturbed and is repeated; why.
    Repeated(String),
}

impl InTurn {
    /// What failed on either side, each benchmark once.
    pub(crate) fn failed(&self) -> Vec<&Benchmark> {
        let mut seen = HashSet::new();
        let all = self.candidate.benchmarks.iter().chain(&self.baseline.benchmarks);
        all.filter(|one| one.failure.is_some() && seen.insert(one.identity())).collect()
    }

    /// As evidence.
    pub(crate) fn evidence(&self) -> Rounds<'_> {
        Rounds {
            baseline: &self.baseline,
            candidate: &self.candidate,
            entered: self.entered,
            same: &self.same,
            ended: self.ended,
        }
    }
}

/// Which benchmarks need another round, given the launches so far.
pub(crate) type Look<'a> = dyn FnMut(Rounds<'_>) -> HashSet<BenchmarkId> + 'a;

/// Measures in rounds until `look`, given the launches so far, leaves nothing undecided or the budget
/// is spent. `baseline` and `candidate` are empty runs that say what is measured.
///
/// `look` answers which benchmarks need another round.
pub(crate) fn interleave(
    sides: &Sides<'_>,
    baseline: Run,
    candidate: Run,
    interrupt: &Interrupt,
    look: &mut Look<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<InTurn, MeasureError> {
    let watch = Watch::begin();
    let began = Instant::now();
    let mut order = Pcg64::seed_from_u64(sides.seed);
    let mut plan = Plan { planned: sides.candidate_plan.planned.clone(), ..Plan::default() };
    let mut measured =
        (Measured::new(sides.baseline_plan.clone()), Measured::new(sides.candidate_plan.clone()));
    let same = sides.same.clone();
    let mut in_turn = InTurn { baseline, candidate, entered: 0, same, ended: false };
    for round in 0.. {
        let undecided = plan.planned.as_ref().map_or(0, Vec::len);
        progress(Progress::Round { round: round + 1, undecided });
        for job in plan.jobs() {
            let place = Place { round, session: Some(sides.session.clone()), order: None };
            let is_swapped = order.random();
            side_by_side(sides, &job, is_swapped, &place, interrupt, &mut measured, progress)?;
        }
        if round == 0 {
            in_turn.entered = both(&measured).len();
        }
        let undecided = in_turn.while_holding(&mut measured, |in_turn| look(in_turn.evidence()));
        if undecided.is_empty() {
            break;
        }
        if sides.budget.is_some_and(|budget| began.elapsed() >= budget) {
            in_turn.ended = true;
            break;
        }
        plan = plan.only(&undecided);
    }
    measured.1.warnings.extend(watch.end());
    in_turn.keep(measured);
    Ok(in_turn)
}

/// One job of one round: both sides, and both again where either was disturbed.
fn side_by_side(
    sides: &Sides<'_>,
    job: &Job,
    is_swapped: bool,
    place: &Place,
    interrupt: &Interrupt,
    measured: &mut (Measured, Measured),
    progress: &mut dyn FnMut(Progress),
) -> Result<(), MeasureError> {
    let launch = |subject: &Subject, left: &Option<Job>| match left {
        Some(job) => subject.launch(job, sides.effort, interrupt),
        None => Ok(Launched::default()),
    };
    let left = (job.without(|id| measured.0.failed(id)), job.without(|id| measured.1.failed(id)));
    let both = || -> Result<(Launched, Launched), MeasureError> {
        if is_swapped {
            let candidate = launch(sides.candidate, &left.1)?;
            Ok((launch(sides.baseline, &left.0)?, candidate))
        } else {
            Ok((launch(sides.baseline, &left.0)?, launch(sides.candidate, &left.1)?))
        }
    };
    let mut launched = both()?;
    let reason = |launched: &Launched| launched.disturbance.reason();
    if let Some(reason) = reason(&launched.0).or_else(|| reason(&launched.1)) {
        let repeated =
            format!("round {} of {} was repeated: {reason}", place.round + 1, job.name());
        progress(Progress::Repeated(repeated.clone()));
        measured.1.warnings.push(repeated);
        launched = both()?;
    }
    let at = |order| Place { order: Some(order), ..place.clone() };
    measured.0.add(launched.0, job.target.as_deref(), &at(u32::from(is_swapped)));
    measured.1.add(launched.1, job.target.as_deref(), &at(u32::from(!is_swapped)));
    Ok(())
}

/// The benchmarks that both sides have.
fn both(measured: &(Measured, Measured)) -> HashSet<BenchmarkId> {
    let ids = |side: &Measured| -> HashSet<BenchmarkId> {
        let worked = side.benchmarks.iter().filter(|benchmark| benchmark.failure.is_none());
        worked.map(Benchmark::identity).collect()
    };
    ids(&measured.0).intersection(&ids(&measured.1)).cloned().collect()
}

impl InTurn {
    /// Lends the launches to `look` as two runs, without copying them.
    fn while_holding<T>(
        &mut self,
        measured: &mut (Measured, Measured),
        look: impl FnOnce(&Self) -> T,
    ) -> T {
        std::mem::swap(&mut self.baseline.benchmarks, &mut measured.0.benchmarks);
        std::mem::swap(&mut self.candidate.benchmarks, &mut measured.1.benchmarks);
        let answer = look(self);
        std::mem::swap(&mut self.baseline.benchmarks, &mut measured.0.benchmarks);
        std::mem::swap(&mut self.candidate.benchmarks, &mut measured.1.benchmarks);
        answer
    }

    /// What failed on the base and is not in the candidate was never there to lose: it is said, and
    /// no benchmark.
    fn keep(&mut self, measured: (Measured, Measured)) {
        let (mut baseline, candidate) = measured;
        let known: HashSet<BenchmarkId> =
            candidate.benchmarks.iter().map(Benchmark::identity).collect();
        baseline.benchmarks.retain(|benchmark| match &benchmark.failure {
            Some(failure) if !known.contains(&benchmark.identity()) => {
                baseline.warnings.push(format!("`{}` failed: {}", benchmark.id, failure.reason));
                false
            }
            _ => true,
        });
        self.baseline.complete = baseline.is_complete();
        self.candidate.complete = candidate.is_complete();
        self.baseline.settings.take_runtime(baseline.settings);
        self.candidate.settings.take_runtime(candidate.settings);
        self.baseline.warnings.extend(baseline.warnings);
        self.candidate.warnings.extend(candidate.warnings);
        self.baseline.benchmarks = baseline.benchmarks;
        self.candidate.benchmarks = candidate.benchmarks;
    }
}
