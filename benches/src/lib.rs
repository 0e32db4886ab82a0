//! The real work that this repository's suites measure: tokenizers and models.
//!
//! The benches in `suites/`, the figures and the tests use this library; perfgate itself does not. Models run through
//! ONNX Runtime, which is loaded when the first model is opened. `make setup` puts the runtime and the models into
//! [`RUNTIME_FOLDER`]. An error about a missing file names the command that makes it.

use std::path::{Path, PathBuf};

pub mod memory;
pub mod parameters;
pub mod session;
pub mod tokenization;
pub mod batching;
pub mod graphsage;
pub mod transformer;

/// The folder of ONNX Runtime and the models, relative to the folder of this package.
///
/// Cargo starts benches and tests in the folder of their package; everything else has to do the same.
pub const RUNTIME_FOLDER: &str = ".runtime";

/// An error of a library, whose type stays inside its own module.
type LibraryError = Box<dyn std::error::Error + Send + Sync>;

/// Why a tokenizer or a model cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// ONNX Runtime is in none of the places where it may be.
    #[error("ONNX Runtime is missing, looked for {}: `make setup` installs it", format_paths(.looked_for))]
    RuntimeMissing {
        /// The paths that were tried, in order.
        looked_for: Vec<PathBuf>,
    },
    /// The library is too old, too new, or not ONNX Runtime.
    #[error("ONNX Runtime `{}` cannot be used: `make setup` installs one that can", .library.display())]
    RuntimeUnusable {
        /// The library that was tried.
        library: PathBuf,
        /// Why it could not be loaded.
        source: LibraryError,
    },
    /// A model or a vocabulary that set-up makes is missing.
    #[error("`{}` is missing: `{remedy}` makes it", .path.display())]
    FileMissing {
        /// The missing file.
        path: PathBuf,
        /// The command that makes it.
        remedy: &'static str,
    },
    /// The requested execution provider is not in this runtime, or not on this machine.
    #[error("execution provider `{provider}` is not available: {reason}")]
    ProviderUnavailable {
        /// The provider as it was requested.
        provider: String,
        /// What is missing, or which provider is nearest.
        reason: String,
    },
    /// The content of a file does not have the format that its name promises.
    #[error("failed to read `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of its reader.
        source: LibraryError,
    },
    /// The inputs did not fit the model, or the model failed.
    #[error("failed to run `{}`", .model.display())]
    Run {
        /// The model's file.
        model: PathBuf,
        /// The error of the runtime.
        source: LibraryError,
    },
    /// The tokenizer refused a text or a list of tokens.
    #[error("failed to tokenize")]
    Tokenize(#[source] LibraryError),
    /// The value of an environment variable is not a number of threads.
    #[error("`{variable}` is `{value}`, which is not a number of threads")]
    Threads {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// The threads of the tokenizers cannot be started.
    #[error("failed to start the threads of the tokenizers")]
    ThreadPool(#[source] LibraryError),
}

/// Returns the path of a file that `make setup` makes, such as `models/graphsage.onnx`.
///
/// # Errors
///
/// Returns [`InferenceError::FileMissing`] if the file does not exist.
pub fn find_set_up_file(name: &str) -> Result<PathBuf, InferenceError> {
    find_file_made_by(name, "make setup")
}

/// Like [`find_set_up_file`], for a file that the command `remedy` makes.
///
/// # Errors
///
/// Returns [`InferenceError::FileMissing`] if the file does not exist.
pub fn find_file_made_by(name: &str, remedy: &'static str) -> Result<PathBuf, InferenceError> {
    let path = Path::new(RUNTIME_FOLDER).join(name);
    if path.is_file() { Ok(path) } else { Err(InferenceError::FileMissing { path, remedy }) }
}

fn format_paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
}
