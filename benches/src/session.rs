//! Finds ONNX Runtime, loads it once, and runs models with it. Only this module uses `ort`.

use std::borrow::Cow;
use std::env;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::ep::{self, ExecutionProvider as _, ExecutionProviderDispatch};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef};

use crate::{InferenceError, LibraryError, RUNTIME_FOLDER};

/// Default number of threads inside one operator: one, so that other work on the machine disturbs a launch least.
pub const DEFAULT_THREADS: NonZeroUsize = NonZeroUsize::MIN;

/// The environment variable that overrides [`DEFAULT_THREADS`].
pub const THREADS_VARIABLE: &str = "PERFGATE_THREADS";

/// What runs the operators. ONNX Runtime would silently fall back to the CPU; here the requested provider runs, or the
/// model does not open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// The CPU, which every ONNX Runtime supports.
    #[default]
    Cpu,
    /// NVIDIA, through CUDA.
    Cuda,
    /// NVIDIA, through `TensorRT`.
    TensorRt,
    /// Apple, through `CoreML`.
    CoreMl,
    /// Windows, through `DirectML`.
    DirectMl,
    /// AMD, through `MIGraphX`.
    MiGraphX,
    /// Intel, through `OpenVINO`.
    OpenVino,
}

impl Provider {
    const NAMES: [(Self, &'static str); 7] = [
        (Self::Cpu, "cpu"),
        (Self::Cuda, "cuda"),
        (Self::TensorRt, "tensorrt"),
        (Self::CoreMl, "coreml"),
        (Self::DirectMl, "directml"),
        (Self::MiGraphX, "migraphx"),
        (Self::OpenVino, "openvino"),
    ];

    fn is_available(self) -> ort::Result<bool> {
        match self {
            Self::Cpu => ep::CPU::is_available(),
            Self::Cuda => ep::CUDA::is_available(),
            Self::TensorRt => ep::TensorRT::is_available(),
            Self::CoreMl => ep::CoreML::is_available(),
            Self::DirectMl => ep::DirectML::is_available(),
            Self::MiGraphX => ep::MIGraphX::is_available(),
            Self::OpenVino => ep::OpenVINO::is_available(),
        }
    }

    fn dispatch(self) -> ExecutionProviderDispatch {
        let dispatch = match self {
            Self::Cpu => ep::CPU::default().build(),
            Self::Cuda => ep::CUDA::default().build(),
            Self::TensorRt => ep::TensorRT::default().build(),
            Self::CoreMl => ep::CoreML::default().build(),
            Self::DirectMl => ep::DirectML::default().build(),
            Self::MiGraphX => ep::MIGraphX::default().build(),
            Self::OpenVino => ep::OpenVINO::default().build(),
        };
        dispatch.error_on_failure()
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            Self::NAMES.iter().find(|(provider, _)| provider == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Provider {
    type Err = InferenceError;

    fn from_str(requested: &str) -> Result<Self, InferenceError> {
        if let Some((provider, _)) = Self::NAMES.iter().find(|(_, name)| *name == requested) {
            return Ok(*provider);
        }
        let reason = match requested {
            "mps" | "metal" => {
                "ONNX Runtime has no such provider; the nearest is `coreml` on macOS".to_owned()
            }
            "rocm" => "ONNX Runtime no longer has it; the nearest is `migraphx`".to_owned(),
            _ => format!(
                "the known ones are {}",
                Self::NAMES.map(|(_, name)| format!("`{name}`")).join(", ")
            ),
        };
        Err(InferenceError::ProviderUnavailable { provider: requested.to_owned(), reason })
    }
}

/// The settings of a session. A measurement records all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Number of threads inside one operator. Operators run one after the other.
    pub threads: NonZeroUsize,
    /// What runs the operators.
    pub provider: Provider,
}

impl SessionOptions {
    /// The CPU with the number of threads in [`THREADS_VARIABLE`], by default [`DEFAULT_THREADS`].
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Threads`] if the variable is not a positive number.
    pub fn from_environment() -> Result<Self, InferenceError> {
        let threads = match env::var(THREADS_VARIABLE) {
            Ok(value) => value
                .parse()
                .map_err(|_| InferenceError::Threads { variable: THREADS_VARIABLE, value })?,
            Err(_) => DEFAULT_THREADS,
        };
        Ok(Self { threads, provider: Provider::default() })
    }
}

/// The type of a tensor's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// 32-bit floats.
    F32,
    /// 64-bit integers.
    I64,
    /// The name of a type that [`InputTensor`] does not support.
    Other(String),
}

/// Name, type and shape of an input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name in the model.
    pub name: String,
    /// The type of its elements.
    pub element: ElementType,
    /// Its dimensions; `None` if a call may choose the size.
    pub shape: Vec<Option<usize>>,
}

impl TensorSpec {
    fn from_outlet(outlet: &Outlet) -> Self {
        let element = match outlet.dtype().tensor_type() {
            Some(TensorElementType::Float32) => ElementType::F32,
            Some(TensorElementType::Int64) => ElementType::I64,
            _ => ElementType::Other(outlet.dtype().to_string()),
        };
        let dims = outlet.dtype().tensor_shape().map_or(&[][..], |shape| shape);
        let shape = dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
        Self { name: outlet.name().to_owned(), element, shape }
    }
}

/// An input of a call. Its elements are borrowed, not copied.
#[derive(Clone, Copy)]
pub enum InputTensor<'a> {
    /// Shape, and floats in row-major order.
    F32(&'a [usize], &'a [f32]),
    /// Shape, and integers in row-major order.
    I64(&'a [usize], &'a [i64]),
    /// An output of an earlier call.
    Kept(&'a KeptTensor),
}

/// An output that ONNX Runtime keeps for a later call, without a copy.
pub struct KeptTensor(DynValue);

/// The outputs of a call; valid until the next call of the model.
pub struct ModelOutputs<'m> {
    outputs: SessionOutputs<'m>,
    model: &'m Path,
}

impl ModelOutputs<'_> {
    /// Returns shape and elements of the output `name`.
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Run`] if there is no such output, or it has no floats.
    pub fn get_f32(&self, name: &str) -> Result<(&[i64], &[f32]), InferenceError> {
        let value = self
            .outputs
            .get(name)
            .ok_or_else(|| run_error(self.model, describe_missing_output(name)))?;
        let (shape, values) =
            value.try_extract_tensor::<f32>().map_err(|error| run_error(self.model, error))?;
        Ok((shape, values))
    }

    /// Moves the output `name` out, for a later call.
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Run`] if there is no such output.
    pub fn take(&mut self, name: &str) -> Result<KeptTensor, InferenceError> {
        self.outputs
            .remove(name)
            .map(KeptTensor)
            .ok_or_else(|| run_error(self.model, describe_missing_output(name)))
    }
}

/// An ONNX model that is loaded and ready to run.
pub struct Model {
    session: Session,
    path: PathBuf,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
}

impl Model {
    /// Opens the model at `path`, with all graph optimizations and only the requested provider.
    ///
    /// # Errors
    ///
    /// Returns an error if ONNX Runtime, the provider or the file is missing or unusable.
    pub fn open(path: &Path, options: &SessionOptions) -> Result<Self, InferenceError> {
        let mut builder = prepare_session(load_environment()?, options)?;
        let session = builder.commit_from_file(path).map_err(|source| {
            InferenceError::Unreadable { path: path.to_owned(), source: source.into() }
        })?;
        let inputs = session.inputs().iter().map(TensorSpec::from_outlet).collect();
        let outputs = session.outputs().iter().map(TensorSpec::from_outlet).collect();
        Ok(Self { session, path: path.to_owned(), inputs, outputs })
    }

    /// The inputs that a call needs.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// The outputs that a call returns.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// Makes a tensor of floats without elements: one of the sizes in `shape` is zero.
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Run`] if ONNX Runtime cannot allocate it.
    pub fn make_empty_tensor(&self, shape: &[usize]) -> Result<KeptTensor, InferenceError> {
        let tensor = ort::value::Tensor::<f32>::new(self.session.allocator(), shape)
            .map_err(|error| run_error(&self.path, error))?;
        Ok(KeptTensor(tensor.into_dyn()))
    }

    /// Runs the model once.
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Run`] if the inputs do not fit the model, or it fails.
    pub fn run(
        &mut self,
        inputs: &[(&str, InputTensor<'_>)],
    ) -> Result<ModelOutputs<'_>, InferenceError> {
        let values = inputs
            .iter()
            .map(|&(name, input)| Ok((Cow::Borrowed(name), convert_input(input)?)))
            .collect::<ort::Result<Vec<_>>>()
            .map_err(|error| run_error(&self.path, error))?;
        let outputs = self.session.run(values).map_err(|error| run_error(&self.path, error))?;
        Ok(ModelOutputs { outputs, model: &self.path })
    }
}

fn convert_input(input: InputTensor<'_>) -> ort::Result<SessionInputValue<'_>> {
    Ok(match input {
        InputTensor::F32(shape, values) => TensorRef::from_array_view((shape, values))?.into(),
        InputTensor::I64(shape, values) => TensorRef::from_array_view((shape, values))?.into(),
        InputTensor::Kept(tensor) => (&tensor.0).into(),
    })
}

fn run_error(model: &Path, source: impl Into<LibraryError>) -> InferenceError {
    InferenceError::Run { model: model.to_owned(), source: source.into() }
}

fn describe_missing_output(name: &str) -> String {
    format!("the model has no output `{name}`")
}

/// Sets up a session that runs on the requested provider only.
fn prepare_session(
    environment: &Environment,
    options: &SessionOptions,
) -> Result<SessionBuilder, InferenceError> {
    let provider = options.provider;
    let unavailable = |reason: String| InferenceError::ProviderUnavailable {
        provider: provider.to_string(),
        reason,
    };
    if !provider.is_available().map_err(|error| unavailable(error.to_string()))? {
        return Err(unavailable("this build of ONNX Runtime does not have it".to_owned()));
    }
    let builder =
        apply_settings(environment, options).map_err(|error| unavailable(error.to_string()))?;
    if provider == Provider::Cpu {
        return Ok(builder);
    }
    let builder = builder
        .with_execution_providers([provider.dispatch()])
        .map_err(|error| unavailable(error.to_string()))?;
    builder.with_disable_cpu_fallback().map_err(|error| unavailable(error.to_string()))
}

fn apply_settings(
    environment: &Environment,
    options: &SessionOptions,
) -> ort::Result<SessionBuilder> {
    Ok(Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(options.threads.get())?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        // Threads that spin after a call would slow down what is measured next.
        .with_intra_op_spinning(false)?)
}

/// Returns the environment of this process. The first call loads the library.
fn load_environment() -> Result<&'static Environment, InferenceError> {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    static LOADING: Mutex<()> = Mutex::new(());
    let _loading = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment);
    }
    let library = find_library()?;
    let unusable =
        |source: LibraryError| InferenceError::RuntimeUnusable { library: library.clone(), source };
    let builder = ort::init_from(&library).map_err(|error| unusable(error.into()))?;
    let environment =
        builder.with_telemetry(false).build().map_err(|error| unusable(error.into()))?;
    Ok(ENVIRONMENT.get_or_init(|| environment))
}

/// Finds the library of ONNX Runtime.
///
/// If `ORT_DYLIB_PATH` is set, it is the file or its folder, and no other place counts. Otherwise the library is next to
/// this program, or in [`RUNTIME_FOLDER`].
fn find_library() -> Result<PathBuf, InferenceError> {
    let name = format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let looked_for = if let Some(set) = env::var_os("ORT_DYLIB_PATH").map(PathBuf::from) {
        vec![if set.is_file() { set } else { set.join(name) }]
    } else {
        let beside_program =
            env::current_exe().ok().and_then(|program| Some(program.parent()?.join(&name)));
        beside_program
            .into_iter()
            .chain([Path::new(RUNTIME_FOLDER).join("onnxruntime").join(&name)])
            .collect()
    };
    match looked_for.iter().find(|path| path.is_file()) {
        Some(path) => Ok(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        None => Err(InferenceError::RuntimeMissing { looked_for }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_displayed_name_of_every_provider_parses() {
        for (provider, name) in Provider::NAMES {
            assert_eq!(provider.to_string(), name);
            assert_eq!(name.parse::<Provider>().unwrap(), provider);
        }
    }

    #[test]
    fn the_error_for_an_unknown_provider_names_the_nearest() {
        let error = "mps".parse::<Provider>().unwrap_err().to_string();
        assert!(error.contains("`mps`") && error.contains("`coreml`"), "{error}");
        let error = "warp".parse::<Provider>().unwrap_err().to_string();
        assert!(error.contains("`warp`") && error.contains("`cuda`"), "{error}");
    }
}
