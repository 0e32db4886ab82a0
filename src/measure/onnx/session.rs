//! A model that is loaded into ONNX Runtime. Only this module names `ort`.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::path::{Path, PathBuf};
use std::ptr;

use ort::environment::Environment;
use ort::ep::{self, ExecutionProvider as _, ExecutionProviderDispatch};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue, SessionInputs, SessionOutputs};
use ort::value::{Tensor, TensorElementType, ValueRef};
use ort::{AsPointer as _, sys};

use super::contrast::{OutputData, OutputValues};
use super::request::{ModelProvider, OptimizationLevel, ProbeRefusal, WorkerRequest};
use super::tensor_data::{TensorData, TensorValues};

/// Setting that makes ONNX Runtime remember which provider got which node.
const RECORD_PLACEMENT: &str = "session.record_ep_graph_assignment_info";

/// ONNX Runtime, loaded into this process.
pub(super) struct LoadedRuntime {
    environment: Environment,
    library: PathBuf,
}

impl LoadedRuntime {
    /// Loads the library at `path`.
    ///
    /// # Errors
    ///
    /// Fails if it is not ONNX Runtime, is too old, or cannot start.
    pub(super) fn load(path: &Path) -> Result<Self, ProbeRefusal> {
        let refuse = |cause: String| {
            ProbeRefusal::new_unavailable(format!(
                "ONNX Runtime in `{}` cannot be used: {cause}",
                path.display()
            ))
            .with_help("install version 1.24 or later: `pip install onnxruntime`")
        };
        let builder = ort::init_from(path).map_err(|error| refuse(error.to_string()))?;
        let environment =
            builder.with_telemetry(false).build().map_err(|error| refuse(error.to_string()))?;
        environment.set_log_level(ort::logging::LogLevel::Error);
        Ok(Self { environment, library: path.to_owned() })
    }

    /// Returns the version as the library reports it.
    pub(super) fn describe_version(&self) -> String {
        match read_version(&self.library) {
            Some(version) => format!("onnxruntime {version}"),
            None => "onnxruntime".to_owned(),
        }
    }

    /// Opens the model of `request`, on the provider that it asks for and on the CPU for the rest.
    ///
    /// # Errors
    ///
    /// Fails if the provider is not there, or if the model cannot be opened.
    pub(super) fn open_model(&self, request: &WorkerRequest) -> Result<OpenModel, ProbeRefusal> {
        let provider = request.provider;
        let name = name_in_runtime(provider);
        let refuse = |cause: String| {
            ProbeRefusal::new_unavailable(format!(
                "`{}` is not available: {cause}",
                provider.name()
            ))
            .with_help(suggest_runtime(provider))
        };
        if !is_available(provider).map_err(|error| refuse(error.to_string()))? {
            return Err(refuse(format!(
                "ONNX Runtime in `{}` was built without {name}",
                request.library.display()
            )));
        }
        let mut builder = self.prepare(request).map_err(|error| refuse(error.to_string()))?;
        if let Some(dispatch) = dispatch(provider) {
            builder = builder
                .with_execution_providers([dispatch])
                .map_err(|error| refuse(error.to_string()))?;
        }
        let session = builder.commit_from_file(&request.model).map_err(|error| {
            ProbeRefusal::new_usage(format!(
                "ONNX Runtime cannot open `{}`: {}",
                request.model.display(),
                error.message()
            ))
        })?;
        let placement = list_placed_nodes(&session).unwrap_or_default();
        Ok(OpenModel { session, placement })
    }

    fn prepare(&self, request: &WorkerRequest) -> ort::Result<SessionBuilder> {
        let level = match request.optimization {
            OptimizationLevel::Off => GraphOptimizationLevel::Disable,
            OptimizationLevel::Basic => GraphOptimizationLevel::Level1,
            OptimizationLevel::Extended => GraphOptimizationLevel::Level2,
            OptimizationLevel::All => GraphOptimizationLevel::All,
        };
        Ok(Session::builder(&self.environment)?
            .with_optimization_level(level)?
            .with_intra_threads(usize::try_from(request.threads).unwrap_or(1))?
            .with_inter_threads(1)?
            .with_parallel_execution(false)?
            // Threads that spin after a call would slow down what is measured next.
            .with_intra_op_spinning(false)?
            .with_config_entry(RECORD_PLACEMENT, "1")?)
    }
}

/// Returns the name of the provider that ONNX Runtime uses.
fn name_in_runtime(provider: ModelProvider) -> &'static str {
    match provider {
        ModelProvider::Cpu => ep::CPU::NAME,
        ModelProvider::Cuda => ep::CUDA::NAME,
        ModelProvider::TensorRt => ep::TensorRT::NAME,
        ModelProvider::CoreMl => ep::CoreML::NAME,
        ModelProvider::OpenVino => ep::OpenVINO::NAME,
        ModelProvider::MiGraphX => ep::MIGraphX::NAME,
        ModelProvider::DirectMl => ep::DirectML::NAME,
    }
}

/// Returns how to get an ONNX Runtime that has the provider.
fn suggest_runtime(provider: ModelProvider) -> &'static str {
    match provider {
        ModelProvider::Cpu => "every build of ONNX Runtime has it",
        ModelProvider::Cuda | ModelProvider::TensorRt => {
            "`pip install onnxruntime-gpu` on a machine with NVIDIA's driver and libraries, or set \
             ORT_DYLIB_PATH to a build that has it"
        }
        ModelProvider::CoreMl => "the macOS wheel of `pip install onnxruntime` has it",
        ModelProvider::OpenVino => {
            "`pip install onnxruntime-openvino`, or set ORT_DYLIB_PATH to a build that has it"
        }
        ModelProvider::MiGraphX => {
            "`pip install onnxruntime-migraphx` on a machine with ROCm, or set ORT_DYLIB_PATH to a \
             build that has it"
        }
        ModelProvider::DirectMl => "`pip install onnxruntime-directml` on Windows",
    }
}

fn is_available(provider: ModelProvider) -> ort::Result<bool> {
    match provider {
        ModelProvider::Cpu => Ok(true),
        ModelProvider::Cuda => ep::CUDA::is_available(),
        ModelProvider::TensorRt => ep::TensorRT::is_available(),
        ModelProvider::CoreMl => ep::CoreML::is_available(),
        ModelProvider::OpenVino => ep::OpenVINO::is_available(),
        ModelProvider::MiGraphX => ep::MIGraphX::is_available(),
        ModelProvider::DirectMl => ep::DirectML::is_available(),
    }
}

/// Returns how to register the provider. Failing to is an error, not a silent fallback. The CPU is
/// always there.
fn dispatch(provider: ModelProvider) -> Option<ExecutionProviderDispatch> {
    let dispatch = match provider {
        ModelProvider::Cpu => return None,
        ModelProvider::Cuda => ep::CUDA::default().build(),
        ModelProvider::TensorRt => ep::TensorRT::default().build(),
        ModelProvider::CoreMl => ep::CoreML::default().build(),
        ModelProvider::OpenVino => ep::OpenVINO::default().build(),
        ModelProvider::MiGraphX => ep::MIGraphX::default().build(),
        ModelProvider::DirectMl => ep::DirectML::default().build(),
    };
    Some(dispatch.error_on_failure())
}

/// A model that is ready to run.
pub(super) struct OpenModel {
    session: Session,
    /// Number of nodes by the name of the provider that got them. Empty if ONNX Runtime does not report it.
    placement: BTreeMap<String, u64>,
}

/// Inputs of a call, in the order of the model.
pub(super) struct BoundInputs(Vec<SessionInputValue<'static>>);

impl OpenModel {
    /// Returns the provider that runs most of the nodes, as ONNX Runtime reports it, and how many
    /// nodes each one has. The first is `asked` if ONNX Runtime does not report it.
    ///
    /// # Errors
    ///
    /// Fails with a sentence if `asked` runs no node, because then something else runs the model.
    pub(super) fn describe_placement(
        &self,
        asked: ModelProvider,
    ) -> Result<(String, Option<String>), String> {
        if self.placement.is_empty() {
            return Ok((asked.name().to_owned(), None));
        }
        let counts: Vec<String> =
            self.placement.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let counts = counts.join(", ");
        if !self.placement.contains_key(name_in_runtime(asked)) {
            return Err(format!(
                "`{}` runs no node of the model; its nodes are on {counts}",
                asked.name()
            ));
        }
        Ok((asked.name().to_owned(), Some(counts)))
    }

    /// Makes the inputs of a call from tensors by name.
    ///
    /// # Errors
    ///
    /// Fails with a sentence if one is missing or cannot be made.
    pub(super) fn bind_inputs(
        &self,
        tensors: &[(String, TensorData)],
    ) -> Result<BoundInputs, String> {
        let values = self.session.inputs().iter().map(|input| {
            let tensor = tensors.iter().find(|(name, _)| name == input.name());
            let (_, tensor) = tensor
                .ok_or_else(|| format!("the model takes another input `{}`", input.name()))?;
            make_value(tensor).map_err(|error| error.message().to_owned())
        });
        values.collect::<Result<_, String>>().map(BoundInputs)
    }

    /// Runs the model once. The outputs live until the next call.
    ///
    /// # Errors
    ///
    /// Fails if the inputs do not fit or an operator fails.
    pub(super) fn call(&mut self, inputs: &BoundInputs) -> ort::Result<SessionOutputs<'_>> {
        self.session.run(SessionInputs::<'_, '_, 0>::from(inputs.0.as_slice()))
    }

    /// Runs the model once and returns copies of its outputs.
    ///
    /// # Errors
    ///
    /// Fails with a sentence if the call fails.
    pub(super) fn call_for_outputs(
        &mut self,
        inputs: &BoundInputs,
    ) -> Result<Vec<OutputData>, String> {
        let outputs = self.call(inputs).map_err(|error| error.message().to_owned())?;
        Ok(outputs.iter().map(|(name, value)| read_output(name, &value)).collect())
    }
}

fn make_value(tensor: &TensorData) -> ort::Result<SessionInputValue<'static>> {
    let shape: Vec<i64> =
        tensor.shape.iter().map(|size| i64::try_from(*size).unwrap_or(i64::MAX)).collect();
    Ok(match tensor.values.clone() {
        TensorValues::F16(values) => Tensor::from_array((shape, values))?.into_dyn().into(),
        TensorValues::F32(values) => Tensor::from_array((shape, values))?.into_dyn().into(),
        TensorValues::F64(values) => Tensor::from_array((shape, values))?.into_dyn().into(),
        TensorValues::I32(values) => Tensor::from_array((shape, values))?.into_dyn().into(),
        TensorValues::I64(values) => Tensor::from_array((shape, values))?.into_dyn().into(),
        TensorValues::U8(values) => Tensor::from_array((shape, values))?.into_dyn().into(),
        TensorValues::Bool(values) => Tensor::from_array((shape, values))?.into_dyn().into(),
        TensorValues::Text(values) => {
            Tensor::from_string_array((shape, values.as_slice()))?.into_dyn().into()
        }
    })
}

fn read_output(name: &str, value: &ValueRef<'_>) -> OutputData {
    let shape = value.dtype().tensor_shape();
    let shape = shape.iter().flat_map(|shape| shape.iter());
    let shape = shape.map(|size| u64::try_from(*size).unwrap_or(0)).collect();
    let values = read_values(value).unwrap_or(OutputValues::Opaque);
    OutputData { name: name.to_owned(), shape, values }
}

/// Returns the values of an output, or `None` if it is not a tensor of numbers or text.
fn read_values(value: &ValueRef<'_>) -> Option<OutputValues> {
    /// Returns the elements as 64-bit floats.
    macro_rules! numbers {
        ($kind:ty, $convert:expr) => {
            value.try_extract_tensor::<$kind>().ok()?.1.iter().copied().map($convert).collect()
        };
    }
    let numbers: Vec<f64> = match value.dtype().tensor_type()? {
        TensorElementType::Float32 => numbers!(f32, f64::from),
        TensorElementType::Float64 => numbers!(f64, f64::from),
        TensorElementType::Float16 => numbers!(half::f16, f64::from),
        TensorElementType::Bfloat16 => numbers!(half::bf16, f64::from),
        TensorElementType::Int8 => numbers!(i8, f64::from),
        TensorElementType::Uint8 => numbers!(u8, f64::from),
        TensorElementType::Int16 => numbers!(i16, f64::from),
        TensorElementType::Uint16 => numbers!(u16, f64::from),
        TensorElementType::Int32 => numbers!(i32, f64::from),
        TensorElementType::Uint32 => numbers!(u32, f64::from),
        TensorElementType::Int64 => numbers!(i64, |number| number as f64),
        TensorElementType::Uint64 => numbers!(u64, |number| number as f64),
        TensorElementType::Bool => numbers!(bool, |is_true| f64::from(u8::from(is_true))),
        TensorElementType::String => {
            return Some(OutputValues::Texts(value.try_extract_strings().ok()?.1));
        }
        _ => return None,
    };
    Some(OutputValues::Numbers(numbers))
}

/// Returns the version of the library at `path`, which is loaded already. `None` if it cannot be read.
#[expect(unsafe_code, reason = "`ort` reads the version and does not pass it on")]
fn read_version(path: &Path) -> Option<String> {
    type FindBase = unsafe extern "C" fn() -> *const sys::OrtApiBase;
    // SAFETY: `ort` has loaded the same file and called the same function. The version is text that
    // lives as long as the library, which `ort` never unloads.
    unsafe {
        let library = libloading::Library::new(path).ok()?;
        let find_base = library.get::<FindBase>(b"OrtGetApiBase").ok()?;
        let base = find_base().as_ref()?;
        let version = (base.GetVersionString)();
        (!version.is_null()).then(|| CStr::from_ptr(version).to_string_lossy().into_owned())
    }
}

/// Returns the number of nodes that each provider got, by its name. `None` if ONNX Runtime does not
/// report it.
#[expect(unsafe_code, reason = "`ort` has no wrapper of these functions")]
fn list_placed_nodes(session: &Session) -> Option<BTreeMap<String, u64>> {
    let api = ort::api();
    let mut subgraphs: *const *const sys::OrtEpAssignedSubgraph = ptr::null();
    let mut count = 0;
    let mut placed = BTreeMap::new();
    // SAFETY: the session is open. It owns the array, its elements and the text, which live as long as
    // it does. A function that fails sets nothing, and its status is taken over and freed.
    unsafe {
        let status = (api.Session_GetEpGraphAssignmentInfo)(
            session.ptr(),
            &raw mut subgraphs,
            &raw mut count,
        );
        ort::Error::result_from_status(status).ok()?;
        for at in 0..count {
            let subgraph = *subgraphs.add(at);
            let mut name: *const c_char = ptr::null();
            let status = (api.EpAssignedSubgraph_GetEpName)(subgraph, &raw mut name);
            ort::Error::result_from_status(status).ok()?;
            let mut nodes: *const *const sys::OrtEpAssignedNode = ptr::null();
            let mut node_count = 0;
            let status =
                (api.EpAssignedSubgraph_GetNodes)(subgraph, &raw mut nodes, &raw mut node_count);
            ort::Error::result_from_status(status).ok()?;
            let name = if name.is_null() {
                ep::CPU::NAME.into()
            } else {
                CStr::from_ptr(name).to_string_lossy()
            };
            *placed.entry(name.into_owned()).or_default() += node_count as u64;
        }
    }
    Some(placed)
}
