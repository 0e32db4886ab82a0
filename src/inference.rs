//! The real work that this repository's suites measure: tokenizers and models.
//!
//! Models run through ONNX Runtime, which is loaded when the first of them is opened. Set-up puts the
//! runtime and the models into [`RUNTIME_FOLDER`]; what is missing is said with the command that brings it.

use std::path::{Path, PathBuf};

pub mod memory;
pub mod parameters;
pub mod session;
pub mod tokenization;
pub mod batching;
pub mod graphsage;
pub mod transformer;

/// Where set-up puts ONNX Runtime and the models, below the folder that a program is started in.
pub const RUNTIME_FOLDER: &str = ".runtime";

/// An error of a library below, whose type stays inside its own module.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a tokenizer or a model could not be had or used.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// No ONNX Runtime in any of the places where it is looked for.
    #[error("ONNX Runtime is missing, looked for {}: `make setup` brings it", listed(.looked_for))]
    RuntimeMissing {
        /// The paths that were tried, in order.
        looked_for: Vec<PathBuf>,
    },
    /// A library that is too old, too new or no ONNX Runtime.
    #[error("ONNX Runtime `{}` cannot be used: `make setup` brings one that can", .library.display())]
    RuntimeUnusable {
        /// The library that was tried.
        library: PathBuf,
        /// What loading it ended with.
        source: Source,
    },
    /// A model or a vocabulary that set-up makes is not there.
    #[error("`{}` is missing: `{remedy}` brings it", .path.display())]
    FileMissing {
        /// The file that was looked for.
        path: PathBuf,
        /// The command that makes it.
        remedy: &'static str,
    },
    /// The execution provider that was asked for is not in this runtime, or not on this machine.
    #[error("execution provider `{provider}` is not available: {reason}")]
    ProviderUnavailable {
        /// The provider as it was asked for.
        provider: String,
        /// What is missing, or what comes nearest.
        reason: String,
    },
    /// A file that is not what its name says.
    #[error("failed to read `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What its reader said.
        source: Source,
    },
    /// A call that did not fit the model, or failed inside it.
    #[error("failed to run `{}`", .model.display())]
    Run {
        /// The model's file.
        model: PathBuf,
        /// What the runtime said.
        source: Source,
    },
    /// A text or a list of tokens that the tokenizer refuses.
    #[error("failed to tokenize")]
    Tokenize(#[source] Source),
    /// A number of threads that is none.
    #[error("`{variable}` is `{value}`, which is not a number of threads")]
    Threads {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
}

/// A file that set-up makes, such as `models/graphsage.onnx`, or the error that names set-up.
pub fn set_up_file(name: &str) -> Result<PathBuf, InferenceError> {
    set_up_file_by(name, "make setup")
}

/// Like [`set_up_file`], for a file that another command than `make setup` makes.
pub fn set_up_file_by(name: &str, remedy: &'static str) -> Result<PathBuf, InferenceError> {
    let path = Path::new(RUNTIME_FOLDER).join(name);
    if path.is_file() { Ok(path) } else { Err(InferenceError::FileMissing { path, remedy }) }
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
}
