//! Files beside a model that hold its weights.

use std::path::{Component, Path, PathBuf};

use super::operators::list_tensors;
use super::proto::{EntryProto, TensorProto};
use super::{ModelError, OnnxModel};

/// Value of `data_location` for a tensor whose values are in another file.
const EXTERNAL: i32 = 1;

/// Returns the files with weights, each once, in the order in which the model names them.
///
/// # Errors
///
/// Fails if one is not in the folder of the model, also through a link, or cannot be found.
pub(super) fn find_external_files(model: &OnnxModel) -> Result<Vec<PathBuf>, ModelError> {
    let mut files = Vec::new();
    for tensor in list_tensors(&model.proto) {
        if let Some(location) = find_location(tensor) {
            let path = locate_inside(&model.path, location)?;
            if !files.contains(&path) {
                files.push(path);
            }
        }
    }
    Ok(files)
}

fn find_location(tensor: &TensorProto) -> Option<&str> {
    let is_external = tensor.data_location() == EXTERNAL;
    let mut entries = tensor.external_data.iter().filter(|_| is_external);
    entries.find(|entry| entry.key() == "location").map(EntryProto::value)
}

/// Returns the path of the file `location` beside `model`.
fn locate_inside(model: &Path, location: &str) -> Result<PathBuf, ModelError> {
    let outside =
        || ModelError::OutsideFolder { path: model.to_owned(), location: location.to_owned() };
    let is_plain =
        Path::new(location).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_plain || location.is_empty() {
        return Err(outside());
    }
    let folder = match model.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let path = folder.join(location);
    let canonicalize = |path: &Path| {
        path.canonicalize()
            .map_err(|source| ModelError::Unreadable { path: path.to_owned(), source })
    };
    if !canonicalize(&path)?.starts_with(canonicalize(folder)?) {
        return Err(outside());
    }
    Ok(path)
}
