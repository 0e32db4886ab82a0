//! Rounds: measures base and candidate alternately, looks at the launches, and continues with the
//! undecided benchmarks.
//!
//! A round is one launch of each side, next to each other, in an order drawn at random. What a look
//! concludes is decided elsewhere.

mod schedule;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

pub(crate) use self::schedule::{RoundSchedule, RoundsBudget};
use crate::decision::Change;
use crate::host::HostWatch;
use crate::measure::{
    Effort, LaunchJob, LaunchPlan, LaunchPosition, LaunchResult, MeasureError, MeasureSubject,
    Measurement,
};
use crate::note::Note;
use crate::process::Interrupt;
use crate::run::{Benchmark, BenchmarkId, LookHorizon, RoundsRecord, Run};
use crate::units::Nanos;
use crate::verdict::{RoundsEvidence, SameBenchmark};

/// The subjects of a measurement in rounds, and how they are measured.
#[derive(Debug)]
pub(crate) struct RoundsPlan<'a> {
    /// The subject that the candidate is compared with.
    pub(crate) baseline: &'a MeasureSubject,
    /// The subject that is judged.
    pub(crate) candidate: &'a MeasureSubject,
    /// Benchmarks of the base that have already failed, and the notes of its pilot.
    pub(crate) baseline_plan: LaunchPlan,
    /// The same for the candidate.
    pub(crate) candidate_plan: LaunchPlan,
    /// Benchmarks that need no rounds because both sides have the same program.
    pub(crate) same_program: Vec<SameBenchmark>,
    /// How much each launch measures.
    pub(crate) effort: &'a Effort,
    /// Seed for the order of the sides within a round.
    pub(crate) seed: u64,
    /// Name of the session; it must be unique.
    pub(crate) session: String,
}

/// The launches of both sides after all rounds.
#[derive(Debug)]
pub(crate) struct MeasuredRounds {
    /// Run of the base.
    pub(crate) baseline: Run,
    /// Run of the candidate.
    pub(crate) candidate: Run,
    /// Number of benchmarks that entered the rounds: both sides measured them in the first round.
    pub(crate) entered_count: usize,
    /// Benchmarks that were not measured because both sides have the same program.
    pub(crate) same_program: Vec<SameBenchmark>,
    /// Benchmarks that were not launched because the budget had no time for enough rounds of them.
    pub(crate) postponed: Vec<BenchmarkId>,
    /// Largest number of rounds that a benchmark may take, fixed before the first look.
    pub(crate) horizon: LookHorizon,
    /// Whether the budget ended the rounds before every benchmark was decided.
    pub(crate) is_budget_spent: bool,
}

/// Progress of the rounds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RoundsProgress {
    /// A round begins.
    Round {
        /// Number of the round, from 1.
        round: u32,
        /// Number of benchmarks that are still measured.
        undecided: usize,
        /// Time that is left of the budget; `None` without a budget.
        left: Option<Duration>,
    },
    /// A look has ended.
    Looked {
        /// Number of rounds so far.
        rounds: u32,
        /// What the look found.
        answer: LookAnswer,
        /// Time that is left of the budget; `None` without a budget.
        left: Option<Duration>,
    },
    /// The budget has ended the rounds. The value is what the last look found, which the clock forces.
    Ended {
        /// Number of rounds.
        rounds: u32,
        /// What the look found.
        answer: LookAnswer,
    },
    /// A round was disturbed and is repeated. The value names round and disturbance.
    Repeated(Note),
}

impl MeasuredRounds {
    /// Returns the benchmarks that failed on either side; each appears once.
    pub(crate) fn list_failed(&self) -> Vec<&Benchmark> {
        let mut seen = HashSet::new();
        let benchmarks = self.candidate.benchmarks.iter().chain(&self.baseline.benchmarks);
        benchmarks
            .filter(|benchmark| benchmark.failure.is_some() && seen.insert(benchmark.to_id()))
            .collect()
    }

    /// Returns the launches as the evidence of a decision.
    pub(crate) fn as_evidence(&self) -> RoundsEvidence<'_> {
        RoundsEvidence {
            baseline: &self.baseline,
            candidate: &self.candidate,
            entered_count: self.entered_count,
            same_program: &self.same_program,
            postponed: &self.postponed,
            horizon: self.horizon,
            has_ended: self.is_budget_spent,
        }
    }
}

/// What a look at the launches found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LookAnswer {
    /// The benchmarks that need another round.
    pub(crate) undecided: HashSet<BenchmarkId>,
    /// Numbers of benchmarks that were decided since the look before, by their change.
    pub(crate) decided: Vec<(Change, usize)>,
    /// Number of benchmarks that were given up since the look before: the rest of the budget does not
    /// decide them.
    pub(crate) given_up: usize,
    /// Whether a look was planned after this number of rounds.
    pub(crate) is_planned: bool,
}

/// A look at the launches so far. The schedule shows what further rounds would cost.
pub(crate) type LookCallback<'a> =
    dyn FnMut(RoundsEvidence<'_>, &RoundSchedule<'_>) -> LookAnswer + 'a;

/// Measures in rounds until `look` leaves no benchmark undecided or the budget is spent.
///
/// `baseline` and `candidate` are empty runs that describe what is measured. `look` gets the
/// launches so far and returns the benchmarks that need another round. `schedule` chooses which of
/// them the next round measures.
///
/// # Errors
///
/// Fails if a benchmark process cannot be launched or if the measurement is interrupted.
pub(crate) fn measure_rounds(
    rounds_plan: &RoundsPlan<'_>,
    mut schedule: RoundSchedule<'_>,
    [baseline, candidate]: [Run; 2],
    interrupt: &Interrupt,
    look: &mut LookCallback<'_>,
    progress: &mut dyn FnMut(RoundsProgress),
) -> Result<MeasuredRounds, MeasureError> {
    // Plan: in each round, launch every job on both sides, then let `look` decide which benchmarks
    // remain. The first round has everything but what would leave no time for the rest; that comes
    // when the rest is decided. A round that would not end in time is not begun.
    let watch = HostWatch::begin();
    let mut selected = schedule.select_first();
    let mut measured = RoundsMeasurement {
        plan: rounds_plan,
        interrupt,
        random: Pcg64::seed_from_u64(rounds_plan.seed),
        baseline: Measurement::new(baseline, rounds_plan.baseline_plan.clone()),
        candidate: Measurement::new(candidate, rounds_plan.candidate_plan.clone()),
    };
    let mut undecided = selected.planned.as_ref().map_or(0, Vec::len);
    let mut entered_count = 0;
    let mut horizon = schedule.choose_horizon();
    let mut is_budget_spent = false;
    for round in 0.. {
        let left = schedule.time_left();
        progress(RoundsProgress::Round { round: round + 1, undecided, left });
        measured.measure_round(round, &selected, &mut schedule, progress)?;
        if round == 0 {
            // What comes later shares the error rates, too, so that they are fixed from the start.
            entered_count = measured.find_common_ids().len() + schedule.list_postponed().len();
            schedule.adapt_to_first_round(measured.list_means());
            // A command has no pilot. The time of its first round counts both sides alike, so it
            // does not depend on their difference.
            if rounds_plan.candidate_plan.planned.is_none() {
                horizon = schedule.choose_horizon();
            }
        }
        let evidence = RoundsEvidence {
            baseline: measured.baseline.run(),
            candidate: measured.candidate.run(),
            entered_count,
            same_program: &rounds_plan.same_program,
            postponed: &schedule.list_postponed(),
            horizon,
            has_ended: false,
        };
        let mut answer = look(evidence, &schedule);
        answer.undecided.extend(schedule.list_postponed());
        let left = schedule.time_left();
        progress(RoundsProgress::Looked { rounds: round + 1, answer: answer.clone(), left });
        if answer.undecided.is_empty() {
            break;
        }
        undecided = answer.undecided.len();
        selected = schedule.select_next(&answer.undecided);
        if selected.list_jobs().is_empty() {
            is_budget_spent = true;
            // The clock forces one more look at what is undecided, and it may decide something.
            let answer = look(RoundsEvidence { has_ended: true, ..evidence }, &schedule);
            progress(RoundsProgress::Ended { rounds: round + 1, answer });
            break;
        }
    }
    measured.candidate.add_notes(watch.end());
    let entered = u32::try_from(entered_count).unwrap_or(u32::MAX);
    let (baseline, candidate) = measured.finish(&schedule, RoundsRecord { horizon, entered });
    let same_program = rounds_plan.same_program.clone();
    let postponed = schedule.list_postponed();
    Ok(MeasuredRounds {
        baseline,
        candidate,
        entered_count,
        same_program,
        postponed,
        horizon,
        is_budget_spent,
    })
}

/// Returns the benchmarks of `run` that did not fail.
fn collect_measured_ids(run: &Run) -> HashSet<BenchmarkId> {
    let successful = run.benchmarks.iter().filter(|benchmark| benchmark.failure.is_none());
    successful.map(Benchmark::to_id).collect()
}

/// Both sides while they are measured.
struct RoundsMeasurement<'a> {
    plan: &'a RoundsPlan<'a>,
    interrupt: &'a Interrupt,
    /// Draws which side is launched first.
    random: Pcg64,
    baseline: Measurement,
    candidate: Measurement,
}

impl RoundsMeasurement<'_> {
    /// Launches all jobs of a round. They are recorded in `schedule`.
    ///
    /// Fails if a benchmark process cannot be launched or if the measurement is interrupted.
    fn measure_round(
        &mut self,
        round: u32,
        selected: &LaunchPlan,
        schedule: &mut RoundSchedule<'_>,
        progress: &mut dyn FnMut(RoundsProgress),
    ) -> Result<(), MeasureError> {
        schedule.begin_round(selected);
        let place = LaunchPosition { round, session: Some(self.plan.session.clone()), order: None };
        for job in selected.list_jobs() {
            let began = Instant::now();
            let has_time = schedule.time_left().is_none_or(|left| !left.is_zero());
            self.measure_job(&job, &place, has_time, progress)?;
            schedule.record_job(&job, began.elapsed());
        }
        Ok(())
    }

    /// Launches one job of one round on both sides. If `may_repeat`, repeats both launches if either
    /// was disturbed.
    ///
    /// Fails if a benchmark process cannot be launched or if the measurement is interrupted.
    fn measure_job(
        &mut self,
        job: &LaunchJob,
        place: &LaunchPosition,
        may_repeat: bool,
        progress: &mut dyn FnMut(RoundsProgress),
    ) -> Result<(), MeasureError> {
        let is_swapped = self.random.random();
        // A benchmark that has already failed on a side is not launched there again. Disturbed
        // launches are repeated once, and the second result counts whatever happens.
        let left = [
            job.exclude_failed(|id| self.baseline.has_failed(id)),
            job.exclude_failed(|id| self.candidate.has_failed(id)),
        ];
        let mut launched = self.launch_both(&left, is_swapped)?;
        let disturbance = launched.0.disturbance.or(launched.1.disturbance);
        if let Some(disturbance) = disturbance.filter(|_| may_repeat) {
            let note = Note::RoundRepeated { round: place.round, job: job.name(), disturbance };
            progress(RoundsProgress::Repeated(note.clone()));
            self.candidate.add_notes([note]);
            launched = self.launch_both(&left, is_swapped)?;
        }
        let [baseline_place, candidate_place] = [is_swapped, !is_swapped]
            .map(|order| LaunchPosition { order: Some(u32::from(order)), ..place.clone() });
        let target = job.target.as_deref();
        self.baseline.add_launch(launched.0, target, &baseline_place);
        self.candidate.add_launch(launched.1, target, &candidate_place);
        Ok(())
    }

    /// Launches what is left of a job on each side, baseline and candidate. If `is_swapped`, the
    /// candidate is launched first. A side without a job has an empty result.
    ///
    /// Fails if a benchmark process cannot be launched or if the measurement is interrupted.
    fn launch_both(
        &self,
        left: &[Option<LaunchJob>; 2],
        is_swapped: bool,
    ) -> Result<(LaunchResult, LaunchResult), MeasureError> {
        let launch = |subject: &MeasureSubject, left: &Option<LaunchJob>| match left {
            Some(job) => subject.launch_job(job, self.plan.effort, self.interrupt),
            None => Ok(LaunchResult::default()),
        };
        let [baseline, candidate] = left;
        if is_swapped {
            let candidate = launch(self.plan.candidate, candidate)?;
            Ok((launch(self.plan.baseline, baseline)?, candidate))
        } else {
            Ok((launch(self.plan.baseline, baseline)?, launch(self.plan.candidate, candidate)?))
        }
    }

    /// Returns the benchmarks that both sides have measured without failure.
    fn find_common_ids(&self) -> HashSet<BenchmarkId> {
        let baseline_ids = collect_measured_ids(self.baseline.run());
        let mut common_ids = collect_measured_ids(self.candidate.run());
        common_ids.retain(|id| baseline_ids.contains(id));
        common_ids
    }

    /// Returns the mean nanoseconds of the last launch of each benchmark on each side.
    fn list_means(&self) -> Vec<(BenchmarkId, f64)> {
        let sides = [self.baseline.run(), self.candidate.run()];
        let benchmarks = sides.into_iter().flat_map(|run| &run.benchmarks);
        benchmarks
            .filter_map(|benchmark| {
                let mean = benchmark.launches.last()?.digest().mean;
                Some((benchmark.to_id(), mean.get()))
            })
            .collect()
    }

    /// Ends the measurement and returns the runs of base and candidate, with `record` and with what
    /// a round of each benchmark costs.
    ///
    /// A benchmark that failed on the base and is not in the candidate does not count as missing.
    /// It becomes a note instead of a benchmark.
    fn finish(mut self, schedule: &RoundSchedule<'_>, record: RoundsRecord) -> (Run, Run) {
        let mut candidate = self.candidate.finish();
        let candidate_ids: HashSet<BenchmarkId> =
            candidate.benchmarks.iter().map(Benchmark::to_id).collect();
        let unshared = self.baseline.take_failed(|id| !candidate_ids.contains(id));
        let notes = unshared.into_iter().filter_map(|benchmark| {
            let reason = benchmark.failure?.reason;
            Some(Note::BenchmarkFailed { benchmark: benchmark.id, reason })
        });
        self.baseline.add_notes(notes);
        let mut baseline = self.baseline.finish();
        for benchmark in &mut candidate.benchmarks {
            let time = schedule.estimate_alone(&benchmark.to_id());
            benchmark.round_time = time.and_then(|time| Nanos::new(time.as_secs_f64() * 1e9).ok());
        }
        for side in [&mut baseline, &mut candidate] {
            side.settings.rounds = Some(record);
        }
        (baseline, candidate)
    }
}
