//! Files that have inputs for a model: `.npy`, `.npz`, `.json`, or a folder of `.npy` files.
//!
//! They are read in the worker, so that a file which is worse than wrong ends only that.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor, ErrorKind, Read as _};
use std::path::Path;

use half::f16;
use npyz::{NpyFile, NpyHeader, Order};
use serde_json::Value;

use super::tensor_data::{TensorData, TensorValues};
use crate::files::read_given_file;
use crate::model::{ElementType, TensorSpec};

/// Largest file of inputs, and the largest array within an archive, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// Reads the arrays of `path` that are inputs of a model with these `specs`, by name.
///
/// # Errors
///
/// Fails with a sentence that names the file if it cannot be read, has none of the inputs, or has one
/// of another type.
pub(super) fn read_input_files(
    path: &Path,
    specs: &[TensorSpec],
) -> Result<BTreeMap<String, TensorData>, String> {
    let shown = path.display();
    let extension = path.extension().and_then(|extension| extension.to_str());
    let found = if path.is_dir() {
        read_folder(path, specs)
    } else {
        let bytes = read_limited(path)?;
        match extension {
            Some("npy") => read_single(&bytes, specs),
            Some("npz") => read_archive(&bytes, specs),
            Some("json") => read_json(&bytes, specs),
            _ => Err("inputs are a .npy, .npz or .json file, or a folder of .npy files".to_owned()),
        }
        .map_err(|cause| format!("`{shown}`: {cause}"))
    }?;
    if found.is_empty() {
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        return Err(format!(
            "`{shown}` has none of the inputs of the model: `{}`",
            names.join("`, `")
        ));
    }
    Ok(found)
}

fn read_limited(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("failed to read `{}`: {error}", path.display());
    if fs::metadata(path).map_err(failed)?.len() > MAX_FILE_BYTES {
        return Err(format!("`{}` is larger than 1 GiB", path.display()));
    }
    read_given_file(path).map_err(failed)
}

/// Reads `NAME.npy` of each input that the folder has.
fn read_folder(
    folder: &Path,
    specs: &[TensorSpec],
) -> Result<BTreeMap<String, TensorData>, String> {
    let mut found = BTreeMap::new();
    for spec in specs {
        // A name with a separator would lead out of the folder.
        let path = folder.join(format!("{}.npy", spec.name));
        if path.parent() != Some(folder) || !path.is_file() {
            continue;
        }
        let tensor = read_array(&read_limited(&path)?, spec)
            .map_err(|cause| format!("`{}`: {cause}", path.display()))?;
        found.insert(spec.name.clone(), tensor);
    }
    Ok(found)
}

fn read_single(bytes: &[u8], specs: &[TensorSpec]) -> Result<BTreeMap<String, TensorData>, String> {
    let [spec] = specs else {
        return Err(format!(
            "a .npy file has one array, and the model takes {} inputs; use .npz or a folder",
            specs.len()
        ));
    };
    Ok(BTreeMap::from([(spec.name.clone(), read_array(bytes, spec)?)]))
}

fn read_archive(
    bytes: &[u8],
    specs: &[TensorSpec],
) -> Result<BTreeMap<String, TensorData>, String> {
    let mut archive =
        zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let mut found = BTreeMap::new();
    for spec in specs {
        let name = format!("{}.npy", spec.name);
        let Ok(entry) = archive.by_name(&name) else { continue };
        let mut content = Vec::new();
        entry
            .take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut content)
            .map_err(|error| format!("`{name}`: {error}"))?;
        if content.len() as u64 > MAX_FILE_BYTES {
            return Err(format!("`{name}` is larger than 1 GiB"));
        }
        let tensor = read_array(&content, spec).map_err(|cause| format!("`{name}`: {cause}"))?;
        found.insert(spec.name.clone(), tensor);
    }
    Ok(found)
}

/// Reads the `.npy` array that is the input `spec`.
fn read_array(bytes: &[u8], spec: &TensorSpec) -> Result<TensorData, String> {
    let mut rest = bytes;
    check_header(bytes)?;
    let header = NpyHeader::from_reader(&mut rest).map_err(|error| error.to_string())?;
    let shape = header.shape().to_vec();
    let count = shape.iter().try_fold(1_u64, |count, size| count.checked_mul(*size));
    if header.order() == Order::Fortran && shape.len() > 1 {
        return Err(
            "the array is in Fortran order; store `numpy.ascontiguousarray` of it".to_owned()
        );
    }
    let has_values = count.is_some_and(|count| count <= rest.len() as u64);
    if !has_values && count != Some(0) {
        return Err("the file is cut off".to_owned());
    }
    let descr = header.dtype().descr();
    let file = NpyFile::with_header(header, rest);
    let wrong = |error: io::Error| match error.kind() {
        ErrorKind::UnexpectedEof => "the file is cut off".to_owned(),
        _ => format!("it has elements of type {descr}, and `{}` takes {}", spec.name, spec.element),
    };
    let values = match spec.element {
        ElementType::F16 => file.into_vec::<f16>().map(TensorValues::F16),
        ElementType::F32 => file.into_vec::<f32>().map(TensorValues::F32),
        ElementType::F64 => file.into_vec::<f64>().map(TensorValues::F64),
        ElementType::I32 => file.into_vec::<i32>().map(TensorValues::I32),
        ElementType::I64 => file.into_vec::<i64>().map(TensorValues::I64),
        ElementType::U8 => file.into_vec::<u8>().map(TensorValues::U8),
        ElementType::BOOL => file.into_vec::<bool>().map(TensorValues::Bool),
        ElementType::STRING => file.into_vec::<String>().map(TensorValues::Text),
        other => {
            return Err(format!("`{}` takes {other}, which perfgate cannot supply", spec.name));
        }
    }
    .map_err(wrong)?;
    Ok(TensorData { shape, values })
}

/// Checks the header before it is parsed: that it does not ask for more memory than the file has, and
/// that the number of elements can be counted.
fn check_header(bytes: &[u8]) -> Result<(), String> {
    const MAGIC: &[u8] = b"\x93NUMPY";
    let (start, length) = match bytes {
        [_, _, _, _, _, _, 1, _, low, high, ..] => {
            (10, u32::from(u16::from_le_bytes([*low, *high])))
        }
        [_, _, _, _, _, _, _, _, a, b, c, d, ..] => (12, u32::from_le_bytes([*a, *b, *c, *d])),
        _ => (0, 0),
    };
    if start == 0 || !bytes.starts_with(MAGIC) {
        return Err("it is not an array of NumPy".to_owned());
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let text = bytes.get(start..).and_then(|rest| rest.get(..length));
    let text = String::from_utf8_lossy(text.ok_or("its header is cut off")?).into_owned();
    let shape = text.split_once("'shape'").map_or("", |(_, rest)| rest);
    let shape = shape.split_once(')').map_or(shape, |(shape, _)| shape);
    let sizes = shape.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let count = sizes.map(|digits| digits.parse::<u64>().ok()).try_fold(1_u64, |count, size| {
        // A size of zero must not hide the others, of which the parser computes strides.
        count.checked_mul(size?.max(1))
    });
    if count.is_none_or(|count| count > MAX_FILE_BYTES) {
        return Err("it declares more elements than a file of inputs may have".to_owned());
    }
    Ok(())
}

/// Reads an object with nested lists by the name of the input. With a single input, the list may stand
/// alone.
fn read_json(bytes: &[u8], specs: &[TensorSpec]) -> Result<BTreeMap<String, TensorData>, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut found = BTreeMap::new();
    match (value, specs) {
        (Value::Object(fields), _) => {
            for spec in specs {
                if let Some(value) = fields.get(&spec.name) {
                    found.insert(spec.name.clone(), read_nested(value, spec)?);
                }
            }
        }
        (value, [spec]) => {
            found.insert(spec.name.clone(), read_nested(&value, spec)?);
        }
        _ => return Err("it is not an object with the names of the inputs".to_owned()),
    }
    Ok(found)
}

fn read_nested(value: &Value, spec: &TensorSpec) -> Result<TensorData, String> {
    let (mut shape, mut leaves) = (Vec::new(), Vec::new());
    let mut first = value;
    while let Value::Array(items) = first {
        shape.push(items.len() as u64);
        match items.first() {
            Some(item) => first = item,
            None => break,
        }
    }
    collect_leaves(value, &shape, &mut leaves)
        .ok_or_else(|| format!("the lists of `{}` differ in length", spec.name))?;
    let wrong = || format!("`{}` takes {}, and the file has other values", spec.name, spec.element);
    let values = match spec.element {
        ElementType::F16 => {
            collect(&leaves, |leaf| leaf.as_f64().map(f16::from_f64)).map(TensorValues::F16)
        }
        ElementType::F32 => collect(&leaves, |leaf| {
            #[expect(clippy::cast_possible_truncation, reason = "the model takes 32-bit floats")]
            leaf.as_f64().map(|value| value as f32)
        })
        .map(TensorValues::F32),
        ElementType::F64 => collect(&leaves, Value::as_f64).map(TensorValues::F64),
        ElementType::I32 => {
            collect(&leaves, |leaf| i32::try_from(leaf.as_i64()?).ok()).map(TensorValues::I32)
        }
        ElementType::I64 => collect(&leaves, Value::as_i64).map(TensorValues::I64),
        ElementType::U8 => {
            collect(&leaves, |leaf| u8::try_from(leaf.as_u64()?).ok()).map(TensorValues::U8)
        }
        ElementType::BOOL => collect(&leaves, Value::as_bool).map(TensorValues::Bool),
        ElementType::STRING => {
            collect(&leaves, |leaf| leaf.as_str().map(str::to_owned)).map(TensorValues::Text)
        }
        other => {
            return Err(format!("`{}` takes {other}, which perfgate cannot supply", spec.name));
        }
    };
    Ok(TensorData { shape, values: values.ok_or_else(wrong)? })
}

fn collect<T>(leaves: &[&Value], read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    leaves.iter().map(|leaf| read(leaf)).collect()
}

/// Adds the values of nested lists to `leaves`. Returns `None` if a list does not have the length in
/// `shape`.
fn collect_leaves<'v>(value: &'v Value, shape: &[u64], leaves: &mut Vec<&'v Value>) -> Option<()> {
    match (value, shape) {
        (Value::Array(items), [length, rest @ ..]) if items.len() as u64 == *length => {
            items.iter().try_for_each(|item| collect_leaves(item, rest, leaves))
        }
        (Value::Array(_), _) | (_, [_, ..]) => None,
        (leaf, []) => {
            leaves.push(leaf);
            Some(())
        }
    }
}
