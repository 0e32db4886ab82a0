//! The worker that runs an ONNX model for one launch. perfgate starts it itself.

use anyhow::Result;

use crate::cli::OnnxWorkerArgs;
use crate::session::ExitStatus;

/// Runs the worker for one launch.
///
/// # Errors
///
/// Fails if the request cannot be read, if perfgate has no worker, or if the answer cannot be printed.
#[cfg(feature = "onnx")]
pub(super) fn run_onnx_worker(args: &OnnxWorkerArgs) -> Result<ExitStatus> {
    use crate::measure::onnx::run_worker;
    use crate::session::print;

    let request = serde_json::from_str(&args.request)?;
    run_worker(&request, &mut |line| print::print_json(&format!("{line}\n")))?;
    Ok(ExitStatus::Pass)
}

/// Returns the error that this perfgate has no worker.
#[cfg(not(feature = "onnx"))]
pub(super) fn run_onnx_worker(_: &OnnxWorkerArgs) -> Result<ExitStatus> {
    Err(crate::session::model::refuse_models().into())
}
