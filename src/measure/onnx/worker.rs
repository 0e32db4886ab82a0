//! The worker: one process, one session, one launch.

use std::collections::BTreeMap;
use std::env;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::contrast::{OutputData, compare_outputs, find_nan};
use super::inputs::{CallInputs, hash_tensors};
use super::output_files::{StoredOutputs, read_call_outputs, write_call_outputs};
use super::request::{ProbeAnswer, ProbeRefusal, WorkerMode, WorkerRequest, name_batch_benchmark};
use super::session::{BoundInputs, LoadedRuntime, OpenModel};
use super::tensor_data::TensorData;
use crate::measure::command::{CALLS_VARIABLE, ONLY_VARIABLE, STARTED_VARIABLE};
use crate::model::{ModelError, OnnxModel};
use crate::process::{read_monotonic_clock, read_peak_memory};

/// Time from the start of the process until the model is ready.
const START_ID: &str = "cold/start";
/// Time to open the model.
const SESSION_ID: &str = "cold/session";
/// Time of the first call, which is one of the first batch size.
const FIRST_ID: &str = "cold/first";

/// Number of digits of the model's sha256 in the conditions. All of them would fill a report.
const SHOWN_DIGEST_LENGTH: usize = 16;

/// Fewest calls of a batch size.
const FEWEST_CALLS: u32 = 10;
/// Fewest calls before them.
const FEWEST_WARMUP_CALLS: u32 = 3;
/// Number of calls that are made even if they take longer than the time of the calls. With fewer, one
/// burst of the machine becomes the median.
const WANTED_CALLS: f64 = 50.0;
/// Longest time that the calls of one batch size take for the sake of their number.
const LONGEST_CALLS: Duration = Duration::from_secs(2);
/// Most calls of a batch size, so that a launch stays small.
const MOST_CALLS: u32 = 100_000;

/// Does what `request` asks for. `print` gets each line of the answer.
///
/// # Errors
///
/// Fails if the outputs cannot be written for the other side. Whatever is wrong with the model is part
/// of the answer.
pub(crate) fn run_worker(
    request: &WorkerRequest,
    print: &mut dyn FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    match &request.mode {
        WorkerMode::Probe => {
            let answer = probe_model(request).unwrap_or_else(ProbeAnswer::Refused);
            print(&serde_json::to_string(&answer)?)
        }
        WorkerMode::WriteOutputs(folder) => write_reference(request, folder),
        WorkerMode::Measure | WorkerMode::Compare(_) => {
            let wanted = WantedBenchmarks::read();
            match prepare_launch(request) {
                Ok(prepared) => measure_model(request, prepared, &wanted, print),
                Err(refusal) => {
                    let ids = request.batch_sizes.iter().map(|batch| name_batch_benchmark(*batch));
                    let mut failed = ids.filter(|id| wanted.contains(id));
                    failed.try_for_each(|id| print(&format_failure(&id, &refusal.message)))
                }
            }
        }
    }
}

/// The benchmarks that this launch is for.
struct WantedBenchmarks(Option<Vec<String>>);

impl WantedBenchmarks {
    fn read() -> Self {
        let ids = env::var(ONLY_VARIABLE).ok();
        Self(ids.map(|ids| ids.lines().map(str::to_owned).collect()))
    }

    fn contains(&self, id: &str) -> bool {
        self.0.as_ref().is_none_or(|ids| ids.iter().any(|wanted| wanted == id))
    }
}

/// Checks everything that can be wrong before the first call.
fn probe_model(request: &WorkerRequest) -> Result<ProbeAnswer, ProbeRefusal> {
    let (model, inputs) = read_model(request)?;
    let batch_sizes = inputs.choose_batch_sizes(&request.batch_sizes)?;
    LoadedRuntime::load(&request.library)?.open_model(request)?;
    let digest = model.compute_digest().map_err(|error| explain_model_error(&error))?;
    Ok(ProbeAnswer::Ready { digest, batch_sizes })
}

fn read_model(request: &WorkerRequest) -> Result<(OnnxModel, CallInputs), ProbeRefusal> {
    let model = OnnxModel::read(&request.model).map_err(|error| explain_model_error(&error))?;
    let inputs = CallInputs::prepare(&model, request)?;
    Ok((model, inputs))
}

/// Turns an error about the model file into a refusal with its remedy.
fn explain_model_error(error: &ModelError) -> ProbeRefusal {
    let message = match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    match error.remedy() {
        Some(remedy) => ProbeRefusal::new_usage(message).with_help(remedy),
        None => ProbeRefusal::new_usage(message),
    }
}

/// Runs the model once per batch size and writes the outputs to `folder`.
///
/// # Errors
///
/// Fails if the model cannot be run or the outputs cannot be written.
fn write_reference(request: &WorkerRequest, folder: &Path) -> anyhow::Result<()> {
    let refuse = |refusal: ProbeRefusal| anyhow::anyhow!(refusal.message);
    let (_, inputs) = read_model(request).map_err(refuse)?;
    let mut model = LoadedRuntime::load(&request.library)
        .and_then(|runtime| runtime.open_model(request))
        .map_err(refuse)?;
    for batch in &request.batch_sizes {
        let tensors = inputs.make_tensors(*batch);
        let bound = model.bind_inputs(&tensors).map_err(anyhow::Error::msg)?;
        let outputs = model.call_for_outputs(&bound).map_err(anyhow::Error::msg)?;
        let stored = StoredOutputs { input_digest: hash_tensors(&tensors), outputs };
        write_call_outputs(folder, *batch, &stored)?;
    }
    Ok(())
}

/// What a launch has before its first call.
struct PreparedLaunch {
    model: OpenModel,
    inputs: CallInputs,
    /// Line with the conditions of the launch.
    conditions: String,
    /// Time from the start of the process until the model was open; `None` if it is not known.
    start: Option<Duration>,
    /// Time to open the model.
    session: Duration,
}

/// Opens the model, and only then reads what the calls need, so that nothing is warm before.
fn prepare_launch(request: &WorkerRequest) -> Result<PreparedLaunch, ProbeRefusal> {
    let runtime = LoadedRuntime::load(&request.library)?;
    let opening = Instant::now();
    let model = runtime.open_model(request)?;
    let session = opening.elapsed();
    let start = read_start_time();
    let (_, inputs) = read_model(request)?;
    let conditions = describe_conditions(request, &runtime, &model, &inputs)?;
    Ok(PreparedLaunch { model, inputs, conditions, start, session })
}

/// Measures every wanted benchmark and prints its line at once, so that a model which ends the process
/// takes only what comes later with it.
///
/// # Errors
///
/// Fails if a line cannot be printed.
fn measure_model(
    request: &WorkerRequest,
    prepared: PreparedLaunch,
    wanted: &WantedBenchmarks,
    print: &mut dyn FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let PreparedLaunch { mut model, inputs, conditions, start, session } = prepared;
    print(&conditions)?;
    let mut print_cold = |id: &str, time: Option<Duration>| match time {
        Some(time) if wanted.contains(id) => {
            print(&json!({ "id": id, "samples_ns": [to_nanos(time)] }).to_string())
        }
        _ => Ok(()),
    };
    print_cold(START_ID, start)?;
    print_cold(SESSION_ID, Some(session))?;
    for (at, batch) in request.batch_sizes.iter().enumerate() {
        let id = name_batch_benchmark(*batch);
        let is_cold = at == 0 && wanted.contains(FIRST_ID);
        if !is_cold && !wanted.contains(&id) {
            continue;
        }
        let tensors = inputs.make_tensors(*batch);
        let first = model.bind_inputs(&tensors).and_then(|bound| {
            let time = time_call(&mut model, &bound)?;
            Ok((bound, time))
        });
        let measured = match first {
            Ok((bound, time)) => {
                if is_cold {
                    print(&json!({ "id": FIRST_ID, "samples_ns": [to_nanos(time)] }).to_string())?;
                }
                measure_batch(request, &mut model, &bound, *batch, &tensors)
            }
            Err(cause) => Err(cause),
        };
        match measured {
            Ok(measured) if wanted.contains(&id) => print(&measured.to_line(&id, *batch))?,
            Ok(_) => {}
            Err(cause) => print(&format_failure(&id, &cause))?,
        }
    }
    Ok(())
}

/// Returns the line with the conditions of the launch.
///
/// Fails if the model runs wholly on another provider than the one that was asked for.
fn describe_conditions(
    request: &WorkerRequest,
    runtime: &LoadedRuntime,
    model: &OpenModel,
    inputs: &CallInputs,
) -> Result<String, ProbeRefusal> {
    let (provider, placement) =
        model.describe_placement(request.provider).map_err(ProbeRefusal::new_unavailable)?;
    let mut conditions = BTreeMap::from([
        ("provider", provider),
        ("threads", request.threads.to_string()),
        ("runtime", runtime.describe_version()),
        ("graph-optimization", request.optimization.name().to_owned()),
        ("inputs", inputs.describe_source()),
    ]);
    conditions.extend(placement.map(|placement| ("nodes", placement)));
    if let Some(digest) = &request.digest {
        let shown = digest.get(..SHOWN_DIGEST_LENGTH).unwrap_or(digest);
        conditions.insert("model", format!("sha256:{shown}"));
    }
    Ok(json!({ "conditions": conditions }).to_string())
}

/// The calls of one batch size.
struct BatchMeasurement {
    samples: Vec<f64>,
    metrics: BTreeMap<String, f64>,
}

impl BatchMeasurement {
    fn to_line(&self, id: &str, batch: u64) -> String {
        json!({
            "id": id,
            "samples_ns": self.samples,
            "elements": batch,
            "metrics": self.metrics,
        })
        .to_string()
    }
}

/// Calls the model with `bound`, which are `batch` rows: for its outputs, then until it is warm, then
/// measured.
///
/// Fails with a sentence if a call fails, or if an output is wrong.
fn measure_batch(
    request: &WorkerRequest,
    model: &mut OpenModel,
    bound: &BoundInputs,
    batch: u64,
    tensors: &[(String, TensorData)],
) -> Result<BatchMeasurement, String> {
    let outputs = model.call_for_outputs(bound)?;
    if let Some(cause) = find_nan(&outputs) {
        return Err(cause);
    }
    let mut metrics = match &request.mode {
        WorkerMode::Compare(folder) => compare_with_reference(folder, batch, tensors, &outputs)?,
        _ => BTreeMap::new(),
    };
    drop(outputs);
    let warming = Instant::now();
    let mut warm_calls = 0_u32;
    while warm_calls < FEWEST_WARMUP_CALLS || warming.elapsed() < request.warmup {
        time_call(model, bound)?;
        warm_calls += 1;
    }
    let call = warming.elapsed().as_secs_f64() / f64::from(warm_calls);
    let count = count_calls(request, call);
    let mut samples = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    for _ in 0..count {
        samples.push(to_nanos(time_call(model, bound)?));
    }
    if let Some(peak) = read_peak_memory(std::process::id()) {
        metrics.insert("peak_rss_bytes".to_owned(), peak);
    }
    Ok(BatchMeasurement { samples, metrics })
}

/// Returns the time of one call. Its outputs are dropped after the clock is read.
fn time_call(model: &mut OpenModel, bound: &BoundInputs) -> Result<Duration, String> {
    let began = Instant::now();
    let outputs = model.call(bound);
    let time = began.elapsed();
    black_box(outputs.map_err(|error| error.message().to_owned())?);
    Ok(time)
}

/// Returns the number of measured calls, if a call takes `call` seconds.
fn count_calls(request: &WorkerRequest, call: f64) -> u32 {
    let asked = env::var(CALLS_VARIABLE).ok().and_then(|calls| calls.parse().ok());
    if let Some(asked) = asked {
        return asked;
    }
    let fitting = request.launch_time.as_secs_f64() / call;
    let wanted = WANTED_CALLS.min(LONGEST_CALLS.as_secs_f64() / call);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number is not negative, and a cast of a float is within range"
    )]
    let calls = fitting.max(wanted) as u32;
    calls.clamp(FEWEST_CALLS, MOST_CALLS)
}

/// Returns how far `outputs` are from those of the other side.
///
/// Fails with a sentence if they are wrong by any limit, or cannot be compared.
fn compare_with_reference(
    folder: &Path,
    batch: u64,
    tensors: &[(String, TensorData)],
    outputs: &[OutputData],
) -> Result<BTreeMap<String, f64>, String> {
    let stored = read_call_outputs(folder, batch)
        .map_err(|error| format!("the outputs of the baseline cannot be read: {error}"))?;
    if stored.input_digest != hash_tensors(tensors) {
        return Err(
            "the outputs cannot be compared: the two models take different inputs".to_owned()
        );
    }
    compare_outputs(&stored.outputs, outputs)
}

/// Returns the time since perfgate began to start this process; `None` if it is not known.
fn read_start_time() -> Option<Duration> {
    let started: u64 = env::var(STARTED_VARIABLE).ok()?.parse().ok()?;
    read_monotonic_clock().checked_sub(Duration::from_nanos(started))
}

fn format_failure(id: &str, cause: &str) -> String {
    json!({ "id": id, "failure": cause.lines().map(str::trim).collect::<Vec<_>>().join(" ") })
        .to_string()
}

fn to_nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}
