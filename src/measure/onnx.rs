//! Measures an ONNX model. perfgate starts itself as the worker, which speaks the protocol of
//! commands: one start is one launch, with a session of its own.
//!
//! Everything that touches the model or files of inputs happens in the worker, so that a model which
//! crashes or hangs takes only a launch with it. Without the feature `onnx` there is no worker. Only
//! this module uses `ort`, `npyz` and `half`.

mod request;
mod runtime;
mod subject;
#[cfg(feature = "onnx")]
mod tensor_data;
#[cfg(feature = "onnx")]
mod input_files;
#[cfg(feature = "onnx")]
mod inputs;
#[cfg(feature = "onnx")]
mod contrast;
#[cfg(feature = "onnx")]
mod output_files;
#[cfg(feature = "onnx")]
mod session;
#[cfg(feature = "onnx")]
mod worker;

pub(crate) use self::request::{
    InputSource, ModelProvider, OptimizationLevel, ProbeAnswer, ProbeRefusal, RefusalKind,
    WorkerMode, WorkerRequest,
};
pub(crate) use self::runtime::find_runtime;
pub(crate) use self::subject::{ModelCommand, ModelProbe};
#[cfg(feature = "onnx")]
pub(crate) use self::worker::run_worker;
