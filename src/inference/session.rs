//! ONNX Runtime: found, loaded once, and asked to run a model. The only module that names `ort`.

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

use crate::inference::{InferenceError, RUNTIME_FOLDER, Source};

/// Threads inside one operator. One, so that neighbours on a shared machine disturb a launch as little as possible.
pub const THREADS: NonZeroUsize = NonZeroUsize::MIN;

/// The environment variable that overrides [`THREADS`].
pub const THREADS_VARIABLE: &str = "PERFGATE_THREADS";

/// Where an operator runs. ONNX Runtime would fall back to the CPU in silence; here what was asked for runs, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// The processor, which every ONNX Runtime has.
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

    fn from_str(asked: &str) -> Result<Self, InferenceError> {
        if let Some((provider, _)) = Self::NAMES.iter().find(|(_, name)| *name == asked) {
            return Ok(*provider);
        }
        let reason = match asked {
            "mps" | "metal" => {
                "ONNX Runtime has no such provider; the nearest is `coreml` on macOS".to_owned()
            }
            "rocm" => "ONNX Runtime has given it up; the nearest is `migraphx`".to_owned(),
            _ => format!(
                "the known ones are {}",
                Self::NAMES.map(|(_, name)| format!("`{name}`")).join(", ")
            ),
        };
        Err(InferenceError::ProviderUnavailable { provider: asked.to_owned(), reason })
    }
}

/// What a session is opened with, besides the model. All of it belongs to what a measurement records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Threads inside one operator; operators run one after the other.
    pub threads: NonZeroUsize,
    /// Where the operators run.
    pub provider: Provider,
}

impl Options {
    /// The processor with [`THREADS`], or with as many as [`THREADS_VARIABLE`] says.
    pub fn from_environment() -> Result<Self, InferenceError> {
        let threads = match env::var(THREADS_VARIABLE) {
            Ok(value) => value
                .parse()
                .map_err(|_| InferenceError::Threads { variable: THREADS_VARIABLE, value })?,
            Err(_) => THREADS,
        };
        Ok(Self { threads, provider: Provider::default() })
    }
}

/// The type of a tensor's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 64-bit integers.
    I64,
    /// A type that [`Input`] cannot carry, by its name.
    Other(String),
}

/// One input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name in the model.
    pub name: String,
    /// The type of its elements.
    pub element: Element,
    /// Its dimensions: a size, or `None` where each call chooses.
    pub shape: Vec<Option<usize>>,
}

impl TensorSpec {
    fn of(outlet: &Outlet) -> Self {
        let element = match outlet.dtype().tensor_type() {
            Some(TensorElementType::Float32) => Element::F32,
            Some(TensorElementType::Int64) => Element::I64,
            _ => Element::Other(outlet.dtype().to_string()),
        };
        let dims = outlet.dtype().tensor_shape().map_or(&[][..], |shape| shape);
        let shape = dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
        Self { name: outlet.name().to_owned(), element, shape }
    }
}

/// A tensor that goes into a call; its elements are borrowed, not copied.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// Floats in row-major order.
    F32(&'a [usize], &'a [f32]),
    /// Integers in row-major order.
    I64(&'a [usize], &'a [i64]),
    /// What an earlier call gave back.
    Kept(&'a Tensor),
}

/// A tensor of the runtime's own, kept from one call for the next without a copy.
pub struct Tensor(DynValue);

/// What a call gave back; valid until the model's next call.
pub struct Outputs<'m> {
    outputs: SessionOutputs<'m>,
    model: &'m Path,
}

impl Outputs<'_> {
    /// Shape and elements of the output `name`.
    pub fn f32(&self, name: &str) -> Result<(&[i64], &[f32]), InferenceError> {
        let value = self.outputs.get(name).ok_or_else(|| failed(self.model, no_output(name)))?;
        let (shape, values) =
            value.try_extract_tensor::<f32>().map_err(|error| failed(self.model, error))?;
        Ok((shape, values))
    }

    /// The output `name`, moved out for a later call.
    pub fn take(&mut self, name: &str) -> Result<Tensor, InferenceError> {
        self.outputs.remove(name).map(Tensor).ok_or_else(|| failed(self.model, no_output(name)))
    }
}

/// An ONNX model, loaded and ready to run.
pub struct Model {
    session: Session,
    path: PathBuf,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
}

impl Model {
    /// Opens the model at `path`, with every graph optimization and nothing but the provider that was asked for.
    pub fn open(path: &Path, options: &Options) -> Result<Self, InferenceError> {
        let environment = environment()?;
        let mut builder = builder(environment, options)?;
        let session = builder.commit_from_file(path).map_err(|source| {
            InferenceError::Unreadable { path: path.to_owned(), source: source.into() }
        })?;
        let inputs = session.inputs().iter().map(TensorSpec::of).collect();
        let outputs = session.outputs().iter().map(TensorSpec::of).collect();
        Ok(Self { session, path: path.to_owned(), inputs, outputs })
    }

    /// Where the model was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a call needs.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// What a call gives back.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// A tensor of floats without elements: one of the sizes in `shape` is zero.
    pub fn empty(&self, shape: &[usize]) -> Result<Tensor, InferenceError> {
        let tensor = ort::value::Tensor::<f32>::new(self.session.allocator(), shape)
            .map_err(|error| failed(&self.path, error))?;
        Ok(Tensor(tensor.into_dyn()))
    }

    /// Runs the model once.
    pub fn run(&mut self, inputs: &[(&str, Input<'_>)]) -> Result<Outputs<'_>, InferenceError> {
        let values = inputs
            .iter()
            .map(|&(name, input)| Ok((Cow::Borrowed(name), value(input)?)))
            .collect::<ort::Result<Vec<_>>>()
            .map_err(|error| failed(&self.path, error))?;
        let outputs = self.session.run(values).map_err(|error| failed(&self.path, error))?;
        Ok(Outputs { outputs, model: &self.path })
    }
}

/// The build of ONNX Runtime that is loaded, in its own words.
pub fn runtime_build() -> Result<&'static str, InferenceError> {
    environment().map(|_| ort::info())
}

fn value(input: Input<'_>) -> ort::Result<SessionInputValue<'_>> {
    Ok(match input {
        Input::F32(shape, values) => TensorRef::from_array_view((shape, values))?.into(),
        Input::I64(shape, values) => TensorRef::from_array_view((shape, values))?.into(),
        Input::Kept(tensor) => (&tensor.0).into(),
    })
}

fn failed(model: &Path, source: impl Into<Source>) -> InferenceError {
    InferenceError::Run { model: model.to_owned(), source: source.into() }
}

fn no_output(name: &str) -> String {
    format!("the model has no output `{name}`")
}

fn builder(environment: &Environment, options: &Options) -> Result<SessionBuilder, InferenceError> {
    let provider = options.provider;
    let unavailable = |reason: String| InferenceError::ProviderUnavailable {
        provider: provider.to_string(),
        reason,
    };
    if !provider.is_available().map_err(|error| unavailable(error.to_string()))? {
        return Err(unavailable("this build of ONNX Runtime does not have it".to_owned()));
    }
    let builder = settings(environment, options).map_err(|error| unavailable(error.to_string()))?;
    if provider == Provider::Cpu {
        return Ok(builder);
    }
    let builder = builder
        .with_execution_providers([provider.dispatch()])
        .map_err(|error| unavailable(error.to_string()))?;
    builder.with_disable_cpu_fallback().map_err(|error| unavailable(error.to_string()))
}

fn settings(environment: &Environment, options: &Options) -> ort::Result<SessionBuilder> {
    Ok(Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(options.threads.get())?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        // Threads that spin between calls would be measured with whatever runs next.
        .with_intra_op_spinning(false)?)
}

/// The one environment of this process; the library is loaded by the first call.
fn environment() -> Result<&'static Environment, InferenceError> {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    static LOADING: Mutex<()> = Mutex::new(());
    let _loading = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment);
    }
    let library = library()?;
    let unusable =
        |source: Source| InferenceError::RuntimeUnusable { library: library.clone(), source };
    let builder = ort::init_from(&library).map_err(|error| unusable(error.into()))?;
    let environment =
        builder.with_telemetry(false).build().map_err(|error| unusable(error.into()))?;
    Ok(ENVIRONMENT.get_or_init(|| environment))
}

/// `ORT_DYLIB_PATH` (a file, or a folder that holds it) and nothing else where it is set; the program's own folder;
/// then set-up's.
fn library() -> Result<PathBuf, InferenceError> {
    let name = format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let looked_for = if let Some(set) = env::var_os("ORT_DYLIB_PATH").map(PathBuf::from) {
        vec![if set.is_file() { set } else { set.join(name) }]
    } else {
        let beside =
            env::current_exe().ok().and_then(|program| Some(program.parent()?.join(&name)));
        beside
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
    fn every_provider_is_parsed_from_the_name_it_is_shown_by() {
        for (provider, name) in Provider::NAMES {
            assert_eq!(provider.to_string(), name);
            assert_eq!(name.parse::<Provider>().unwrap(), provider);
        }
    }

    #[test]
    fn a_provider_that_onnx_runtime_does_not_have_is_an_error_that_names_the_nearest() {
        let error = "mps".parse::<Provider>().unwrap_err().to_string();
        assert!(error.contains("`mps`") && error.contains("`coreml`"), "{error}");
        let error = "warp".parse::<Provider>().unwrap_err().to_string();
        assert!(error.contains("`warp`") && error.contains("`cuda`"), "{error}");
    }
}
