//! A model as something that can be launched: perfgate's own worker, with its request.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::request::{ProbeAnswer, WorkerMode, WorkerRequest};
use crate::measure::command::{SampleCommand, quote_words};
use crate::measure::{Effort, LaunchJob, LaunchResult, MeasureError, Observation};
use crate::note::Note;
use crate::process::{self, Interrupt, OutputStream, StderrTarget};
use crate::run::{BenchmarkFailure, BenchmarkId};

/// Name of the hidden command of perfgate that is the worker.
const WORKER_COMMAND: &str = "onnx-worker";
/// Later versions of ONNX Runtime send telemetry unless this is set.
const NO_TELEMETRY: &str = "ORT_DISABLE_TELEMETRY=1";
/// Fewest samples that show whether the model was warm.
const FEWEST_JUDGED_SAMPLES: usize = 20;
/// The first calls are not warm if their median is above that of the last ones by this factor.
const SETTLED_FACTOR: f64 = 1.1;

/// A model that a worker of perfgate runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelCommand {
    program: PathBuf,
    request: WorkerRequest,
}

/// How the check of a request ended.
#[derive(Debug)]
pub(crate) enum ModelProbe {
    /// The worker answered.
    Answered(ProbeAnswer),
    /// The worker ended without an answer: the model or the library ended it, or its time was up.
    Failed,
}

impl ModelCommand {
    /// Creates the command from the path of perfgate itself.
    pub(crate) fn new(program: PathBuf, request: WorkerRequest) -> Self {
        Self { program, request }
    }

    /// Returns the command that does something else with the same model.
    #[must_use]
    pub(crate) fn with_mode(mut self, mode: WorkerMode) -> Self {
        self.request.mode = mode;
        self
    }

    /// Returns the command with what the probe found.
    #[must_use]
    pub(crate) fn with_probe(mut self, digest: String, batch_sizes: Vec<u64>) -> Self {
        self.request.digest = Some(digest);
        self.request.batch_sizes = batch_sizes;
        self.request.mode = WorkerMode::Measure;
        self
    }

    /// Returns the command with these numbers of rows per call.
    #[must_use]
    pub(crate) fn with_batch_sizes(mut self, batch_sizes: Vec<u64>) -> Self {
        self.request.batch_sizes = batch_sizes;
        self
    }

    /// Returns the path of the model.
    pub(crate) fn model(&self) -> &Path {
        &self.request.model
    }

    /// Checks the request and opens the model once, in a worker. Nothing is measured.
    ///
    /// # Errors
    ///
    /// Fails if the worker cannot be started or perfgate was asked to end.
    pub(crate) fn probe(
        &self,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<ModelProbe, MeasureError> {
        let probe = self.clone().with_mode(WorkerMode::Probe);
        let (answer, failure) = probe.run(effort, interrupt)?;
        let answer = serde_json::from_slice(&answer).ok().filter(|_| failure.is_none());
        Ok(answer.map_or(ModelProbe::Failed, ModelProbe::Answered))
    }

    /// Runs the model once per batch size, and writes its outputs to `folder`. Returns why that
    /// failed, if it did.
    ///
    /// # Errors
    ///
    /// Fails if the worker cannot be started or perfgate was asked to end.
    pub(crate) fn write_model_outputs(
        &self,
        folder: &Path,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<Option<BenchmarkFailure>, MeasureError> {
        let writer = self.clone().with_mode(WorkerMode::WriteOutputs(folder.to_owned()));
        Ok(writer.run(effort, interrupt)?.1)
    }

    /// Runs a worker that does not measure. Returns what it printed, and why it failed if it did.
    fn run(
        &self,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<(Vec<u8>, Option<BenchmarkFailure>), MeasureError> {
        let mut printed = Vec::new();
        let ended = process::run_process(
            Command::new("sh").args(["-c", &self.format_script()]),
            StderrTarget::Lines,
            effort.timeout,
            interrupt,
            |line| {
                if line.stream == OutputStream::Stdout {
                    printed.extend_from_slice(line.bytes);
                }
                line.stream == OutputStream::Stderr
            },
        )?;
        Ok((printed, ended.to_failure(effort.timeout)))
    }

    /// Starts the worker once.
    ///
    /// # Errors
    ///
    /// Fails if the worker cannot be started or perfgate was asked to end. A model that fails is a
    /// failed benchmark in the result.
    pub(in crate::measure) fn launch_job(
        &self,
        job: &LaunchJob,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<LaunchResult, MeasureError> {
        let command = SampleCommand::new(self.format_script());
        let mut launched = command.launch_job(job, effort, interrupt)?;
        let observed = launched.benchmarks.iter();
        let observed = observed.filter_map(|(id, observed)| Some((id, observed.as_ref().ok()?)));
        let unsettled = observed.filter_map(|(id, observation)| note_unsettled(id, observation));
        launched.notes.extend(unsettled.collect::<Vec<_>>());
        Ok(launched)
    }

    /// Returns the script that becomes the worker.
    fn format_script(&self) -> String {
        let request = serde_json::to_string(&self.request).unwrap_or_default();
        let words = [self.program.display().to_string(), WORKER_COMMAND.to_owned(), request];
        format!("{NO_TELEMETRY} exec {}", quote_words(&words))
    }
}

/// Returns a note if the first calls of a launch were slower than its last ones, so that the model was
/// still warming up.
fn note_unsettled(id: &BenchmarkId, observation: &Observation) -> Option<Note> {
    let samples: Vec<f64> = observation.samples.iter().map(|sample| sample.get()).collect();
    if samples.len() < FEWEST_JUDGED_SAMPLES {
        return None;
    }
    let first = find_median(&samples[..samples.len() / 5]);
    let last = find_median(&samples[samples.len() / 2..]);
    (first > last * SETTLED_FACTOR).then(|| Note::WarmupNotSettled { benchmark: id.name.clone() })
}

fn find_median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}
