//! What commands that measure ONNX models share: how the model is run, and the check of the request
//! before anything is measured.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::error::CommandError;
use super::measurement::explain_measure_error;
use super::settings::EffortSettings;
use crate::cli::ModelArgs;
use crate::measure::Effort;
use crate::measure::onnx::{
    InputSource, ModelCommand, ModelProbe, ModelProvider, OptimizationLevel, ProbeAnswer,
    ProbeRefusal, RefusalKind, WorkerMode, WorkerRequest, find_runtime,
};
use crate::process::Interrupt;
use crate::render::notes::describe_failure;

/// Word on the command line for inputs that are drawn at random.
const RANDOM_INPUTS: &str = "random";
/// Seed of random inputs if the command line names none.
const DEFAULT_INPUT_SEED: u64 = 42;
/// Time of the calls of a batch size per launch if nobody sets one.
const DEFAULT_LAUNCH_TIME: Duration = Duration::from_millis(250);
/// Longest time of the calls before them if nobody sets one.
const LONGEST_DEFAULT_WARMUP: Duration = Duration::from_millis(100);
/// Batch size that a run names if the model ends ONNX Runtime before it can be asked.
const UNKNOWN_BATCH_SIZE: u64 = 1;

/// How models are run, as the command line asks for it.
#[derive(Clone, Debug)]
pub(crate) struct ModelSettings {
    /// The request, with an empty path for the model.
    request: WorkerRequest,
}

/// Returns the error that this perfgate cannot run models.
pub(crate) fn refuse_models() -> CommandError {
    CommandError::new_unavailable("this perfgate was built without ONNX")
        .with_help("build it with `--features onnx`, or install a released binary")
}

impl ModelSettings {
    /// Resolves the command line, and finds ONNX Runtime.
    ///
    /// # Errors
    ///
    /// Fails if an argument is not valid, if ONNX Runtime is not there, or if perfgate was built
    /// without it.
    pub(crate) fn resolve(args: &ModelArgs, settings: &EffortSettings) -> Result<Self> {
        if !cfg!(feature = "onnx") {
            return Err(refuse_models().into());
        }
        let provider = match args.provider.as_deref() {
            Some(name) => ModelProvider::find_provider(name).map_err(|reason| {
                CommandError::new_unavailable(format!("`{name}` is not available: {reason}"))
            })?,
            None => ModelProvider::default(),
        };
        let level = args.graph_optimization.as_deref().and_then(OptimizationLevel::find_level);
        let inputs = match &args.inputs {
            Some(path) if path != Path::new(RANDOM_INPUTS) => {
                InputSource::Path(std::path::absolute(path)?)
            }
            _ => InputSource::Random,
        };
        let library = find_runtime().map_err(|looked_in| {
            let places: Vec<String> =
                looked_in.iter().map(|place| format!("`{}`", place.display())).collect();
            CommandError::new_unavailable(format!(
                "there is no ONNX Runtime in {}",
                places.join(", ")
            ))
            .with_help("`pip install onnxruntime`, or set ORT_DYLIB_PATH to its library")
        })?;
        let launch_time = settings.effort.launch_time.unwrap_or(DEFAULT_LAUNCH_TIME);
        let warmup = settings.effort.warmup.unwrap_or(launch_time.min(LONGEST_DEFAULT_WARMUP));
        Ok(Self {
            request: WorkerRequest {
                model: PathBuf::new(),
                library: library.path,
                mode: WorkerMode::Measure,
                batch_sizes: list_once(&args.batch_sizes),
                dims: args.dim.iter().cloned().collect(),
                provider,
                threads: args.threads.unwrap_or(1),
                optimization: level.unwrap_or_default(),
                inputs,
                seed: settings.seed.unwrap_or(DEFAULT_INPUT_SEED),
                launch_time,
                warmup,
                digest: None,
            },
        })
    }

    /// Opens the model at `path` in a worker, and returns the command that measures it.
    ///
    /// A model that ends ONNX Runtime is not an error: its launches fail in the same way, and the run
    /// reports it.
    ///
    /// # Errors
    ///
    /// Fails if the model, an argument or the provider cannot be used, or if the worker cannot be
    /// started.
    pub(crate) fn open_model(
        &self,
        path: &Path,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<ModelCommand> {
        let program = env::current_exe().context("failed to find perfgate's own executable")?;
        let request = WorkerRequest { model: path.to_owned(), ..self.request.clone() };
        let command = ModelCommand::new(program, request);
        match command.probe(effort, interrupt).map_err(explain_measure_error)? {
            ModelProbe::Answered(ProbeAnswer::Ready { digest, batch_sizes }) => {
                Ok(command.with_probe(digest, batch_sizes))
            }
            ModelProbe::Answered(ProbeAnswer::Refused(refusal)) => {
                Err(explain_refusal(refusal).into())
            }
            ModelProbe::Failed if self.request.batch_sizes.is_empty() => {
                Ok(command.with_batch_sizes(vec![UNKNOWN_BATCH_SIZE]))
            }
            ModelProbe::Failed => Ok(command),
        }
    }
}

/// Returns the command that measures the candidate and compares its outputs with those of `baseline`,
/// which are written to `folder`.
///
/// # Errors
///
/// Fails if the baseline cannot be run.
pub(crate) fn compare_with_model(
    baseline: &ModelCommand,
    candidate: ModelCommand,
    folder: &Path,
    effort: &Effort,
    interrupt: &Interrupt,
) -> Result<ModelCommand> {
    let failure =
        baseline.write_model_outputs(folder, effort, interrupt).map_err(explain_measure_error)?;
    if let Some(failure) = failure {
        let reason = describe_failure(&failure.reason);
        anyhow::bail!(
            "`{}` cannot be run: {reason}: {}",
            baseline.model().display(),
            failure.output.trim()
        );
    }
    Ok(candidate.with_mode(WorkerMode::Compare(folder.to_owned())))
}

fn explain_refusal(refusal: ProbeRefusal) -> CommandError {
    let error = match refusal.kind {
        RefusalKind::Usage => CommandError::new_usage(refusal.message),
        RefusalKind::Unavailable => CommandError::new_unavailable(refusal.message),
    };
    match refusal.help {
        Some(help) => error.with_help(help),
        None => error,
    }
}

/// Returns each size once, in the order in which they were first named.
fn list_once(sizes: &[u64]) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    sizes.iter().copied().filter(|size| seen.insert(*size)).collect()
}
