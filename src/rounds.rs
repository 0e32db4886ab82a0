//! Interleaving: measure base and candidate in turn, look, go on with the undecided.
//!
//! A round is one launch of each side, next to each other, the order drawn at random; what a look
//! says is decided elsewhere.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use crate::measure::{
    Effort, Interrupt, Job, Launched, MeasureError, Measured, Place, Plan, Subject,
};
use crate::run::{BenchmarkId, Run};
use crate::verdict::Rounds;

/// What is measured in turn, and how.
#[derive(Debug)]
pub struct Sides<'a> {
    /// What is compared with.
    pub baseline: &'a Subject,
    /// What is judged.
    pub candidate: &'a Subject,
    /// The benchmarks that enter, measured alike on both sides.
    pub plan: Plan,
    /// How much each launch measures.
    pub effort: &'a Effort,
    /// Seed of the order within rounds.
    pub seed: u64,
    /// Name of the session, which no other has.
    pub session: String,
    /// Longest time all rounds together may take.
    pub budget: Option<Duration>,
}

/// The launches of both sides.
#[derive(Debug)]
pub struct InTurn {
    /// Of the base.
    pub baseline: Run,
    /// Of the candidate.
    pub candidate: Run,
    /// Benchmarks that entered.
    pub entered: usize,
    /// The budget ended it.
    pub ended: bool,
}

/// How far the rounds are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
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
    /// As evidence.
    pub fn evidence(&self) -> Rounds<'_> {
        Rounds {
            baseline: &self.baseline,
            candidate: &self.candidate,
            entered: self.entered,
            ended: self.ended,
        }
    }
}

/// Which benchmarks need another round, given the launches so far.
pub type Look<'a> = dyn FnMut(Rounds<'_>) -> HashSet<BenchmarkId> + 'a;

/// Measures in rounds until `look`, given the launches so far, leaves nothing undecided or the budget
/// is spent. `baseline` and `candidate` are empty runs that say what is measured.
///
/// `look` answers which benchmarks need another round.
pub fn interleave(
    sides: &Sides<'_>,
    baseline: Run,
    candidate: Run,
    interrupt: &Interrupt,
    look: &mut Look<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<InTurn, MeasureError> {
    let began = Instant::now();
    let mut order = Pcg64::seed_from_u64(sides.seed);
    let mut plan = Plan { planned: sides.plan.planned.clone(), ..Plan::default() };
    let mut measured = (Measured::default(), Measured::new(sides.plan.clone()));
    let mut in_turn = InTurn { baseline, candidate, entered: 0, ended: false };
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
    let launch = |subject: &Subject| subject.launch(job, sides.effort, interrupt);
    let both = || -> Result<(Launched, Launched), MeasureError> {
        if is_swapped {
            let candidate = launch(sides.candidate)?;
            Ok((launch(sides.baseline)?, candidate))
        } else {
            Ok((launch(sides.baseline)?, launch(sides.candidate)?))
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
        worked.map(crate::run::Benchmark::identity).collect()
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

    fn keep(&mut self, measured: (Measured, Measured)) {
        let (baseline, candidate) = measured;
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
