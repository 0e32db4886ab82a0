//! ONNX model files: what they take and return, how large they are, and what they consist of.
//!
//! A file is only parsed. No runtime is needed, and nothing of the model runs. Only this module reads
//! the format, whose messages are in `proto`.

mod proto;
mod tensor;
mod operators;
mod parameters;
#[cfg(feature = "onnx")]
mod vocabulary;
mod external;
mod summary;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use self::proto::ModelProto;
pub(crate) use self::summary::ModelSummary;
pub(crate) use self::tensor::TensorSpec;
#[cfg(feature = "onnx")]
pub(crate) use self::tensor::{DimSize, ElementType};
use crate::files::read_given_file;

/// Beginning of the file that Git LFS leaves in place of a file that it did not fetch.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// Largest file that protobuf can be, in bytes. Larger models keep their weights in files beside it.
const MAX_MODEL_BYTES: u64 = 2 << 30;

/// Bytes that are hashed at once.
const HASHED_PART_BYTES: usize = 1 << 16;

/// Why a file cannot be read as a model.
#[derive(Debug, Error)]
pub(crate) enum ModelError {
    /// The file, or one with its weights, cannot be read.
    #[error("failed to read `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// Git LFS did not fetch the file.
    #[error("`{}` is a Git LFS pointer, not the model", .0.display())]
    LfsPointer(PathBuf),
    /// The file is not an ONNX model, or a part of one.
    #[error("`{}` is not an ONNX model: {cause}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The weights are in a file that is not in the folder of the model.
    #[error(
        "`{}` has weights in `{location}`, which is not in its folder", .path.display()
    )]
    OutsideFolder {
        /// The file of the model.
        path: PathBuf,
        /// The place that the model names.
        location: String,
    },
}

impl ModelError {
    /// Returns the remedy, if there is one.
    pub(crate) fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::LfsPointer(_) => Some("fetch it: `git lfs install && git lfs pull`"),
            Self::OutsideFolder { .. } => Some("keep the files with weights beside the model"),
            Self::Unreadable { .. } | Self::Invalid { .. } => None,
        }
    }
}

/// A model that was read from a file.
#[derive(Debug)]
pub(crate) struct OnnxModel {
    proto: ModelProto,
    path: PathBuf,
    byte_count: u64,
    /// Files with weights that are not in the file itself, each once.
    external_files: Vec<PathBuf>,
}

impl OnnxModel {
    /// Reads the model at `path`. Its weights may be in other files, which must be in its folder.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or is outside of the folder, or if it is not an ONNX model.
    pub(crate) fn read(path: &Path) -> Result<Self, ModelError> {
        let unreadable = |source| ModelError::Unreadable { path: path.to_owned(), source };
        let invalid =
            |cause: &str| ModelError::Invalid { path: path.to_owned(), cause: cause.to_owned() };
        let size = fs::metadata(path).map_err(unreadable)?.len();
        if size > MAX_MODEL_BYTES {
            return Err(invalid("it is larger than 2 GiB"));
        }
        let bytes = read_given_file(path).map_err(unreadable)?;
        if bytes.starts_with(LFS_POINTER) {
            return Err(ModelError::LfsPointer(path.to_owned()));
        }
        if bytes.is_empty() {
            return Err(invalid("it is empty"));
        }
        let byte_count = bytes.len() as u64;
        let proto = ModelProto::decode(bytes.as_slice())
            .map_err(|_| invalid("it is cut off or in another format"))?;
        if proto.graph.as_ref().is_none_or(|graph| graph.node.is_empty() && graph.output.is_empty())
        {
            return Err(invalid("it has no graph"));
        }
        let mut model =
            Self { proto, path: path.to_owned(), byte_count, external_files: Vec::new() };
        model.external_files = external::find_external_files(&model)?;
        Ok(model)
    }

    /// Returns the inputs that a call needs, in their order. Inputs that have a value in the file are
    /// left out.
    pub(crate) fn list_inputs(&self) -> Vec<TensorSpec> {
        let Some(graph) = &self.proto.graph else { return Vec::new() };
        let has_value = |name: &str| graph.initializer.iter().any(|tensor| tensor.name() == name);
        let inputs = graph.input.iter().filter(|input| !has_value(input.name()));
        inputs.map(TensorSpec::from_value).collect()
    }

    /// Returns the outputs of a call, in their order.
    pub(crate) fn list_outputs(&self) -> Vec<TensorSpec> {
        let graph = self.proto.graph.iter();
        graph.flat_map(|graph| &graph.output).map(TensorSpec::from_value).collect()
    }

    /// Returns the number of values that the integers of the input `name` may have, from 0: the rows
    /// of the tables in which they look something up. `None` if the graph does not show it.
    #[cfg(feature = "onnx")]
    pub(crate) fn find_vocabulary(&self, name: &str) -> Option<u64> {
        vocabulary::find_vocabulary(&self.proto, name)
    }

    /// Returns the sha256 of the file. If there are further files with weights, it is the sha256 of
    /// the digests of all of them, in the order in which the model names them.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read.
    pub(crate) fn compute_digest(&self) -> Result<String, ModelError> {
        let own = hash_file(&self.path)?;
        if self.external_files.is_empty() {
            return Ok(hex::encode(own));
        }
        let mut all = Sha256::new();
        all.update(own);
        for path in &self.external_files {
            all.update(hash_file(path)?);
        }
        Ok(hex::encode(all.finalize()))
    }

    /// Returns what the model takes, returns and consists of.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read.
    pub(crate) fn summarize(&self) -> Result<ModelSummary, ModelError> {
        summary::summarize_model(self)
    }
}

/// Returns the sha256 of the file at `path`.
fn hash_file(path: &Path) -> Result<[u8; 32], ModelError> {
    let unreadable = |source| ModelError::Unreadable { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    let (mut hash, mut part) = (Sha256::new(), vec![0; HASHED_PART_BYTES]);
    loop {
        let count = file.read(&mut part).map_err(unreadable)?;
        if count == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&part[..count]);
    }
}
