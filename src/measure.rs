//! Where samples come from: Criterion bench targets, any command that prints samples, or another
//! harness.
//!
//! A subject is prepared once: a pilot launch finds out which benchmarks it has and how to measure
//! them. Then each job is launched as often as requested. The caller assigns the round of each
//! launch.

pub(crate) mod effort;
pub(crate) mod plan;
pub(crate) mod needs;
pub(crate) mod survey;
pub(crate) mod bench_sources;
pub(crate) mod criterion;
pub(crate) mod soak;
pub(crate) mod adapter;
mod side_lines;
pub(crate) mod command;
pub(crate) mod harness;
pub(crate) mod onnx;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;

use crate::host::{HostCounters, HostWatch};
use crate::note::{Disturbance, Note};
use crate::process::{Interrupt, ProcessError};
use crate::run::{
    self, Benchmark, BenchmarkFailure, BenchmarkId, CallsPerSample, ConditionDifference, Launch,
    PilotRecord, Run, Samples, Sampling, borrow_conditions, list_condition_differences,
};
use crate::selection::Selection;

pub(crate) use self::effort::Effort;
use self::effort::EffortLevel;
use self::needs::MAX_TARGET_LAUNCHES;
pub(crate) use self::needs::{SampleNeeds, SampleShortage};
pub(crate) use self::plan::{LaunchJob, LaunchPlan};

/// One launch of everything takes at most this part of the budget, if the effort can be lowered so far.
/// Two sides have half as many rounds in it.
pub(crate) const LAUNCHES_IN_BUDGET: u32 = 12;

/// Name of the condition with the time for which a service was to be loaded in each launch.
const DURATION_CONDITION: &str = "duration";

/// Why a measurement failed as a whole.
#[derive(Debug, Error)]
pub(crate) enum MeasureError {
    /// A process could not be started, or perfgate was asked to end.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The benches cannot be found or built.
    #[error(transparent)]
    Build(#[from] criterion::BuildError),
}

impl From<io::Error> for MeasureError {
    fn from(error: io::Error) -> Self {
        Self::Process(error.into())
    }
}

/// A step of a measurement, reported while it runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MeasureProgress {
    /// The pilot launch of the named target begins.
    Pilot(String),
    /// The pilot launches have ended. The value is what they found.
    Piloted(Vec<PilotRecord>),
    /// The patterns of `--bench` match nothing. The value names similar benchmarks.
    NothingSelected(Note),
    /// The plan is complete: how many benchmarks are measured, and in how many process starts.
    Planned {
        /// Number of benchmarks; `None` if it is only known after a launch.
        benchmarks: Option<usize>,
        /// Number of process starts per launch.
        starts: usize,
        /// Number of launches.
        launches: u32,
    },
    /// Benchmarks whose targets need more samples than will be measured.
    ShortOfSamples(Vec<SampleShortage>),
    /// A process starts.
    Launch {
        /// Number of the launch, from 0.
        launch: u32,
        /// Name of the started target or command.
        target: String,
    },
    /// A launch was disturbed and is repeated. The value names launch and disturbance.
    Repeated(Note),
}

/// Amounts that one call handles, as the benchmark declares them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CallAmounts {
    /// Number of items per call; `None` if the benchmark does not declare it.
    pub(crate) elements: Option<f64>,
    /// Other amounts per call, by unit: `bytes`, `bits`.
    pub(crate) per_call: BTreeMap<String, f64>,
}

/// The samples and figures of one benchmark in one launch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Observation {
    /// Whether a sample is the time of one call or the mean of many.
    pub(crate) sampling: Sampling,
    /// All samples, in the order they were taken.
    pub(crate) samples: Samples,
    /// Number of calls whose mean time a sample is; `None` if it is not known or a sample is one
    /// call.
    pub(crate) calls_per_sample: Option<CallsPerSample>,
    /// Amounts that one call handles.
    pub(crate) amounts: CallAmounts,
    /// Further figures of the process, by name with unit: `peak_rss_bytes`.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// What must be alike for two measurements to be comparable, by name: `threads`, `provider`.
    /// The launches of one file share them.
    pub(crate) conditions: Arc<BTreeMap<String, String>>,
}

/// The benchmarks of a launch, each with its observation or its failure.
pub(crate) type ObservedBenchmarks = Vec<(BenchmarkId, Result<Observation, BenchmarkFailure>)>;

/// The outcome of one process start.
#[derive(Clone, Debug, Default)]
pub(crate) struct LaunchResult {
    /// The benchmarks that were launched. Benchmarks that the subject no longer has are missing.
    pub(crate) benchmarks: ObservedBenchmarks,
    /// What weakens the result.
    pub(crate) notes: Vec<Note>,
    /// What disturbed the machine so much that the start must be repeated; `None` if nothing did.
    pub(crate) disturbance: Option<Disturbance>,
}

/// The code that is measured: what can be launched.
#[derive(Debug)]
pub(crate) enum MeasureSubject {
    /// Built bench targets of a workspace.
    Criterion(criterion::BuiltBenches),
    /// A command that prints samples.
    Command(command::SampleCommand),
    /// A command whose output an adapter reads.
    Harness(harness::HarnessCommand),
    /// A model, which a worker of perfgate runs.
    Model(Box<onnx::ModelCommand>),
}

impl MeasureSubject {
    /// Finds out which benchmarks the subject has and how to measure them. Bench targets need a
    /// pilot launch for this; the plan of a command is empty.
    ///
    /// `known` is the plan of another build of the same benches. Its benchmarks are listed and not
    /// launched again, because they are measured like those of the other build.
    ///
    /// # Errors
    ///
    /// Fails if a process cannot be started or perfgate was asked to end.
    pub(crate) fn plan_launches(
        &self,
        selection: &Selection,
        effort: &Effort,
        known: Option<&LaunchPlan>,
        interrupt: &Interrupt,
        progress: &mut dyn FnMut(MeasureProgress),
    ) -> Result<LaunchPlan, MeasureError> {
        match self {
            Self::Criterion(built) => {
                criterion::run_pilot(built, selection, effort, known, interrupt, progress)
            }
            Self::Command(_) | Self::Harness(_) | Self::Model(_) => Ok(LaunchPlan::default()),
        }
    }

    /// Launches one job once and notes how the machine disturbed it.
    ///
    /// # Errors
    ///
    /// Fails if a process cannot be started, its results cannot be read, or perfgate was asked to
    /// end. A benchmark that fails is part of the result.
    pub(crate) fn launch_job(
        &self,
        job: &LaunchJob,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<LaunchResult, MeasureError> {
        let before = HostCounters::read();
        let mut launched = match self {
            Self::Criterion(built) => criterion::launch_target(built, job, effort, interrupt)?,
            Self::Command(command) => command.launch_job(job, effort, interrupt)?,
            Self::Harness(command) => command.launch_job(job, effort, interrupt)?,
            Self::Model(command) => command.launch_job(job, effort, interrupt)?,
        };
        if let Some(duration) = effort.duration {
            let observed =
                launched.benchmarks.iter_mut().filter_map(|(_, seen)| seen.as_mut().ok());
            for observation in observed {
                let seconds = format!("{}s", duration.as_secs_f64());
                let conditions = Arc::make_mut(&mut observation.conditions);
                conditions.entry(DURATION_CONDITION.to_owned()).or_insert(seconds);
            }
        }
        let during = before.compute_disturbance_until(&HostCounters::read());
        Ok(LaunchResult { disturbance: during.find_disturbance(), ..launched })
    }
}

/// Position of a launch in its run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LaunchPosition {
    /// Number of the round, from 0.
    pub(crate) round: u32,
    /// Name that two runs share if their launches were measured next to each other; `None` if the
    /// run was measured alone.
    pub(crate) session: Option<String>,
    /// Position within the round, from 0; `None` if the run was measured alone.
    pub(crate) order: Option<u32>,
}

/// The launches of one side, collected in a run while it is measured.
#[derive(Debug)]
pub(crate) struct Measurement {
    /// The run so far. Its benchmarks are in the order in which they were first seen.
    run: Run,
    /// Positions of the benchmarks in the run.
    indices: HashMap<BenchmarkId, usize>,
}

impl Measurement {
    /// Begins the measurement of `run`, which describes what is measured and has no benchmarks. It
    /// gets the failed benchmarks and the notes of `plan`.
    pub(crate) fn new(mut run: Run, plan: LaunchPlan) -> Self {
        let indices = plan.failed.iter().map(Benchmark::to_id).zip(0..).collect();
        run.benchmarks = plan.failed;
        run.notes.extend(plan.notes);
        Self { run, indices }
    }

    /// Returns the run so far, with all launches that were added.
    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// Adds notes about the measurement.
    pub(crate) fn add_notes(&mut self, notes: impl IntoIterator<Item = Note>) {
        self.run.notes.extend(notes);
    }

    /// Removes and returns the failed benchmarks that `is_unwanted` selects by their id.
    pub(crate) fn take_failed(
        &mut self,
        is_unwanted: impl Fn(&BenchmarkId) -> bool,
    ) -> Vec<Benchmark> {
        let (taken, kept) =
            self.run.benchmarks.drain(..).partition(|benchmark| {
                benchmark.failure.is_some() && is_unwanted(&benchmark.to_id())
            });
        self.run.benchmarks = kept;
        self.indices = self.run.benchmarks.iter().map(Benchmark::to_id).zip(0..).collect();
        taken
    }

    /// Ends the measurement. The run is complete if no benchmark failed; a run without benchmarks
    /// is complete, too.
    pub(crate) fn finish(mut self) -> Run {
        self.run.complete = self.run.benchmarks.iter().all(|benchmark| benchmark.failure.is_none());
        self.run.lift_shared_conditions();
        self.run
    }

    /// True if the benchmark `id` failed.
    pub(crate) fn has_failed(&self, id: &BenchmarkId) -> bool {
        self.indices.get(id).is_some_and(|at| self.run.benchmarks[*at].failure.is_some())
    }

    /// Adds the result of one process start of `target`, which is `None` for a command.
    pub(crate) fn add_launch(
        &mut self,
        launched: LaunchResult,
        target: Option<&str>,
        place: &LaunchPosition,
    ) {
        self.add_new_notes(launched.notes);
        for (id, observed) in launched.benchmarks {
            let benchmark = self.find_or_add_benchmark(id, target);
            match observed {
                Ok(observation) => {
                    let varying = find_varying_conditions(benchmark, &observation);
                    benchmark.add_observation(observation, place);
                    self.add_new_notes(varying);
                }
                Err(failure) => {
                    benchmark.failure.get_or_insert(failure);
                }
            }
        }
    }

    /// Adds the notes that the run does not have yet.
    fn add_new_notes(&mut self, notes: Vec<Note>) {
        for note in notes {
            if !self.run.notes.contains(&note) {
                self.run.notes.push(note);
            }
        }
    }

    fn find_or_add_benchmark(&mut self, id: BenchmarkId, target: Option<&str>) -> &mut Benchmark {
        let at = *self.indices.entry(id.clone()).or_insert_with(|| {
            self.run.benchmarks.push(Benchmark::new(id, target.map(str::to_owned), Sampling::Call));
            self.run.benchmarks.len() - 1
        });
        &mut self.run.benchmarks[at]
    }
}

/// Returns a note for each condition in which a launch differs from the first launch of its
/// benchmark. A benchmark has one value of each condition.
fn find_varying_conditions(benchmark: &Benchmark, observation: &Observation) -> Vec<Note> {
    if benchmark.launches.is_empty() {
        return Vec::new();
    }
    let differences = list_condition_differences(
        &borrow_conditions(&benchmark.conditions),
        &borrow_conditions(&observation.conditions),
    );
    differences
        .into_iter()
        .map(|ConditionDifference { key, baseline, candidate }| Note::ConditionVaries {
            key,
            first: baseline,
            other: candidate,
        })
        .collect()
}

impl Benchmark {
    fn add_observation(&mut self, observation: Observation, place: &LaunchPosition) {
        let Observation { sampling, samples, calls_per_sample, amounts, metrics, conditions } =
            observation;
        if self.launches.is_empty() {
            self.conditions = Arc::unwrap_or_clone(conditions);
        }
        // If launches differ in sampling, the weaker claim holds for all of them.
        if sampling == Sampling::Batch {
            self.sampling = Sampling::Batch;
        }
        self.elements = amounts.elements;
        self.per_call = amounts.per_call;
        let LaunchPosition { round, session, order } = place.clone();
        self.launches.push(Launch {
            round,
            session,
            order,
            data: run::LaunchData::Samples(samples),
            calls_per_sample,
            metrics,
        });
    }
}

/// Returns `run` with launches that were measured before. Launches are numbered in their order.
pub(crate) fn import_launches(run: Run, launches: Vec<ObservedBenchmarks>) -> Run {
    let mut measured = Measurement::new(run, LaunchPlan::default());
    for (round, benchmarks) in (0..).zip(launches) {
        let launched = LaunchResult { benchmarks, ..LaunchResult::default() };
        measured.add_launch(launched, None, &LaunchPosition { round, ..LaunchPosition::default() });
    }
    measured.finish()
}

/// Measures one subject and returns `run` with its benchmarks: plans its launches, then starts every
/// job once per launch, as often as `effort` requests and targets need.
///
/// # Errors
///
/// Fails if a process cannot be started, its results cannot be read, or perfgate was asked to end.
pub(crate) fn measure_subject(
    run: Run,
    subject: &MeasureSubject,
    selection: &Selection,
    effort: &Effort,
    needs: &SampleNeeds<'_>,
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(MeasureProgress),
) -> Result<Run, MeasureError> {
    // Watch the host and plan. In each launch, start every remaining job; repeat a disturbed start
    // once. Benchmarks that have failed are not started again. After the requested launches, only
    // benchmarks go on whose targets need more samples.
    let watch = HostWatch::begin();
    let started = Instant::now();
    let mut plan = subject.plan_launches(selection, effort, None, interrupt, progress)?;
    if let Some(note) = plan.take_nothing_selected() {
        progress(MeasureProgress::NothingSelected(note.clone()));
        plan.notes.push(note);
    }
    if let Some(budget) = needs.budget {
        let limit = budget.as_secs_f64() * 1e9 / f64::from(LAUNCHES_IN_BUDGET);
        plan.fit_effort(effort, limit, EffortLevel::Full);
    }
    plan.notes.extend(plan.note_own_times());
    let records = plan.to_pilot_records();
    progress(MeasureProgress::Piloted(records.clone()));
    let planned = plan.planned.take();
    let mut measured = Measurement::new(run, plan);
    measured.run.settings.pilot = records;
    let mut remaining = LaunchPlan { planned, ..LaunchPlan::default() };
    let shortages = remaining.list_shortages(effort, effort.launches, needs);
    if !shortages.is_empty() {
        progress(MeasureProgress::ShortOfSamples(shortages));
    }
    progress(MeasureProgress::Planned {
        benchmarks: remaining.planned.as_ref().map(Vec::len),
        starts: remaining.list_jobs().len(),
        launches: remaining.count_launches(effort, needs),
    });
    for round in 0..effort.launches.max(MAX_TARGET_LAUNCHES) {
        if round >= effort.launches {
            // A bench that sets its own number of samples may need more launches than planned.
            needs.keep_short(&mut remaining, measured.run(), started);
            if remaining.list_jobs().is_empty() {
                break;
            }
        }
        for job in remaining.list_jobs() {
            progress(MeasureProgress::Launch { launch: round, target: job.name() });
            let mut launched = subject.launch_job(&job, effort, interrupt)?;
            if let Some(disturbance) = launched.disturbance {
                let repeated = Note::LaunchRepeated { launch: round, job: job.name(), disturbance };
                progress(MeasureProgress::Repeated(repeated.clone()));
                measured.add_notes([repeated]);
                launched = subject.launch_job(&job, effort, interrupt)?;
            }
            launched.benchmarks.retain(|(id, _)| selection.selects(&id.name));
            measured.add_launch(
                launched,
                job.target.as_deref(),
                &LaunchPosition { round, ..LaunchPosition::default() },
            );
        }
        match &mut remaining.planned {
            Some(planned) => planned.retain(|planned| !measured.has_failed(&planned.id)),
            None if measured.has_failed(&command::make_whole_command_id()) => break,
            None => {}
        }
    }
    measured.add_notes(watch.end());
    Ok(measured.finish())
}
