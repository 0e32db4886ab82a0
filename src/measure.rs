//! Where samples come from: bench targets of Criterion, or any command that prints them.
//!
//! A subject is prepared once: a pilot tells what there is to measure and how. Then it is launched
//! as often as is asked for, job by job, and whoever asks says which round that was.

pub(crate) mod command;
pub(crate) mod criterion;
pub(crate) mod guard;
pub(crate) mod plan;
pub(crate) mod process;
mod selection;
pub(crate) mod survey;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::host::{HostCounters, HostDisturbance, HostWatch};
use crate::run::{
    self, Benchmark, BenchmarkFailure, BenchmarkId, Launch, RunSettings, Samples, Sampling,
};

pub(crate) use self::plan::{LaunchJob, LaunchPlan};
pub(crate) use self::process::Interrupt;
pub(crate) use self::selection::Selection;

use self::process::ProcessError;

/// How much is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Processes started for each benchmark.
    pub(crate) launches: u32,
    /// Calls a launch, at most.
    pub(crate) calls: u32,
    /// Time spent on unmeasured calls before the measured ones of each benchmark; above zero.
    pub(crate) warmup: Duration,
    /// Longest time one launch may take.
    pub(crate) timeout: Duration,
}

impl Default for Effort {
    /// The warm-up is long enough for caches, branch predictors and a processor that wakes up,
    /// and a tenth of what a benchmark of 10 ms a call costs in calls. Criterion refuses zero.
    fn default() -> Self {
        Self {
            launches: 5,
            calls: 200,
            warmup: Duration::from_millis(100),
            timeout: Duration::from_mins(10),
        }
    }
}

/// Why nothing could be measured.
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

/// How far a measurement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MeasureProgress {
    /// A pilot launch of this target begins.
    Pilot(String),
    /// The benchmarks that will be measured, and in how many starts a launch.
    Planned {
        /// Number of benchmarks, where it is known beforehand.
        benchmarks: Option<usize>,
        /// Process starts of one launch.
        starts: usize,
        /// Number of launches.
        launches: u32,
    },
    /// A process is started.
    Launch {
        /// Which launch, from 0.
        launch: u32,
        /// What is started.
        target: String,
    },
    /// A launch was disturbed and is repeated; the reason.
    Repeated(String),
}

/// Items handled by one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CallAmounts {
    /// Items.
    pub(crate) elements: Option<f64>,
    /// Other amounts, by unit.
    pub(crate) per_call: BTreeMap<String, f64>,
}

/// What one launch observed of one benchmark.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Observation {
    /// What one sample is.
    pub(crate) sampling: Sampling,
    /// Every sample.
    pub(crate) samples: Samples,
    /// What one call handles.
    pub(crate) amounts: CallAmounts,
    /// Further figures of the process.
    pub(crate) metrics: BTreeMap<String, f64>,
}

/// The benchmarks of a launch in the order they ran, each observed or failed.
pub(crate) type ObservedBenchmarks = Vec<(BenchmarkId, Result<Observation, BenchmarkFailure>)>;

/// What one launch observed.
#[derive(Clone, Debug, Default)]
pub(crate) struct LaunchResult {
    /// Its benchmarks. What the subject does not have any more is not among them.
    pub(crate) benchmarks: ObservedBenchmarks,
    /// What the process said of its threads and provider, where it did.
    pub(crate) settings: Option<RunSettings>,
    /// What the machine did to it.
    pub(crate) disturbance: HostDisturbance,
}

/// What can be launched.
#[derive(Debug)]
pub(crate) enum MeasureSubject {
    /// Built bench targets of a workspace.
    Criterion(criterion::BuiltBenches),
    /// A command that prints samples.
    Command(command::SampleCommand),
}

impl MeasureSubject {
    /// Finds out what there is to measure and how, where that takes a pilot launch.
    pub(crate) fn plan_launches(
        &self,
        selection: &Selection,
        effort: &Effort,
        interrupt: &Interrupt,
        progress: &mut dyn FnMut(MeasureProgress),
    ) -> Result<LaunchPlan, MeasureError> {
        match self {
            Self::Criterion(built) => {
                criterion::run_pilot(built, selection, effort, interrupt, progress)
            }
            Self::Command(_) => Ok(LaunchPlan::default()),
        }
    }

    /// Launches one job once.
    pub(crate) fn launch_job(
        &self,
        job: &LaunchJob,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<LaunchResult, MeasureError> {
        let before = HostCounters::read();
        let launched = match self {
            Self::Criterion(built) => criterion::launch_target(built, job, effort, interrupt)?,
            Self::Command(command) => {
                let benchmarks = command.launch_job(job, effort, interrupt)?;
                LaunchResult { benchmarks, ..LaunchResult::default() }
            }
        };
        Ok(LaunchResult {
            disturbance: before.compute_disturbance_until(&HostCounters::read()),
            ..launched
        })
    }
}

/// Where a launch stands in its run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LaunchPosition {
    /// Position of the launch in its run, from 0.
    pub(crate) round: u32,
    /// What the launches of two runs share that were measured next to each other.
    pub(crate) session: Option<String>,
    /// Place within the round, from 0.
    pub(crate) order: Option<u32>,
}

/// All launches of one side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measurement {
    /// Each benchmark once, in the order they were first seen.
    pub(crate) benchmarks: Vec<Benchmark>,
    /// What was unfit or surprising.
    pub(crate) warnings: Vec<String>,
    /// What the first process that said it said of its threads and provider.
    pub(crate) settings: Option<RunSettings>,
    indices: HashMap<BenchmarkId, usize>,
}

impl Measurement {
    /// Begins with what a plan knows already.
    pub(crate) fn new(plan: LaunchPlan) -> Self {
        let indices = plan.failed.iter().map(Benchmark::to_id).zip(0..).collect();
        Self { benchmarks: plan.failed, warnings: plan.notes, settings: None, indices }
    }

    /// False when nothing was measured or a benchmark failed.
    pub(crate) fn is_complete(&self) -> bool {
        self.benchmarks.iter().all(|benchmark| benchmark.failure.is_none())
    }

    /// True when the benchmark failed.
    pub(crate) fn has_failed(&self, id: &BenchmarkId) -> bool {
        self.indices.get(id).is_some_and(|at| self.benchmarks[*at].failure.is_some())
    }

    /// Adds what one launch of a bench target observed.
    pub(crate) fn add_launch(
        &mut self,
        launched: LaunchResult,
        target: Option<&str>,
        place: &LaunchPosition,
    ) {
        if let Some(settings) = launched.settings {
            self.check_settings_agree(&settings, target);
        }
        for (id, observed) in launched.benchmarks {
            let benchmark = self.find_or_add_benchmark(id, target);
            match observed {
                Ok(observation) => benchmark.add_observation(observation, place),
                Err(failure) => {
                    benchmark.failure.get_or_insert(failure);
                }
            }
        }
    }

    /// A run has one number of threads and one provider: a process with others is told of.
    fn check_settings_agree(&mut self, settings: &RunSettings, target: Option<&str>) {
        let first = self.settings.get_or_insert_with(|| settings.clone());
        if first != settings {
            let warning = format!(
                "{} ran with {}, others with {}",
                target.unwrap_or("the command"),
                describe_settings(settings),
                describe_settings(first)
            );
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    fn find_or_add_benchmark(&mut self, id: BenchmarkId, target: Option<&str>) -> &mut Benchmark {
        let BenchmarkId { name, package } = id.clone();
        let at = *self.indices.entry(id).or_insert_with(|| {
            self.benchmarks.push(Benchmark {
                id: name,
                package,
                target: target.map(str::to_owned),
                sampling: Sampling::Call,
                elements: None,
                per_call: BTreeMap::new(),
                launches: Vec::new(),
                failure: None,
            });
            self.benchmarks.len() - 1
        });
        &mut self.benchmarks[at]
    }
}

fn describe_settings(settings: &RunSettings) -> String {
    let threads = settings.threads.map_or_else(|| "?".to_owned(), |threads| threads.to_string());
    let provider = settings.provider.as_ref().map_or("?", |provider| &provider.actual);
    format!("{threads} threads on {provider}")
}

impl Benchmark {
    fn add_observation(&mut self, observation: Observation, place: &LaunchPosition) {
        let Observation { sampling, samples, amounts, metrics } = observation;
        // Where launches differ, the weaker claim holds for all.
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
            metrics,
        });
    }
}

/// Plans, then launches everything as often as `effort` says; a disturbed start is repeated once.
pub(crate) fn measure_subject(
    subject: &MeasureSubject,
    selection: &Selection,
    effort: &Effort,
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(MeasureProgress),
) -> Result<Measurement, MeasureError> {
    let watch = HostWatch::begin();
    let mut plan = subject.plan_launches(selection, effort, interrupt, progress)?;
    let planned = plan.planned.take();
    let mut measured = Measurement::new(plan);
    let mut remaining = LaunchPlan { planned, ..LaunchPlan::default() };
    progress(MeasureProgress::Planned {
        benchmarks: remaining.planned.as_ref().map(Vec::len),
        starts: remaining.list_jobs().len(),
        launches: effort.launches,
    });
    for round in 0..effort.launches {
        for job in remaining.list_jobs() {
            progress(MeasureProgress::Launch { launch: round, target: job.name() });
            let mut launched = subject.launch_job(&job, effort, interrupt)?;
            if let Some(reason) = launched.disturbance.reason() {
                let repeated = format!("launch {round} of {} was repeated: {reason}", job.name());
                progress(MeasureProgress::Repeated(repeated.clone()));
                measured.warnings.push(repeated);
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
    measured.warnings.extend(watch.end());
    Ok(measured)
}
