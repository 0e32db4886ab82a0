//! Outputs of a model in a file, for the comparison with those of another one.
//!
//! A file has one line of JSON, then all numbers as 64-bit floats. Both sides are written and read by
//! perfgate during one check.

use std::io::{self, BufRead as _, Cursor, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::contrast::{OutputData, OutputValues};
use crate::files::{read_plain_file, write_atomically};

/// The outputs of one call.
#[derive(Debug, PartialEq)]
pub(super) struct StoredOutputs {
    /// sha256 of the inputs of the call.
    pub(super) input_digest: String,
    /// The outputs, in the order of the model.
    pub(super) outputs: Vec<OutputData>,
}

#[derive(Serialize, Deserialize)]
struct OutputIndex {
    input_digest: String,
    outputs: Vec<OutputEntry>,
}

#[derive(Serialize, Deserialize)]
struct OutputEntry {
    name: String,
    shape: Vec<u64>,
    /// How many numbers the file has for it; `None` if it has none because it is text.
    numbers: Option<usize>,
    texts: Option<Vec<String>>,
}

fn name_file(folder: &Path, batch: u64) -> PathBuf {
    folder.join(format!("batch-{batch}"))
}

/// Writes the outputs of a call with `batch` rows to `folder`.
///
/// # Errors
///
/// Fails if the file cannot be written.
pub(super) fn write_call_outputs(
    folder: &Path,
    batch: u64,
    stored: &StoredOutputs,
) -> io::Result<()> {
    let mut numbers = Vec::new();
    let mut outputs = Vec::new();
    for output in &stored.outputs {
        let (mut count, mut texts) = (None, None);
        match &output.values {
            OutputValues::Numbers(values) => {
                count = Some(values.len());
                numbers.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            OutputValues::Texts(values) => texts = Some(values.clone()),
            OutputValues::Opaque => {}
        }
        let OutputData { name, shape, .. } = output.clone();
        outputs.push(OutputEntry { name, shape, numbers: count, texts });
    }
    let index = OutputIndex { input_digest: stored.input_digest.clone(), outputs };
    let mut content = serde_json::to_vec(&index)?;
    content.push(b'\n');
    content.extend(numbers);
    write_atomically(&name_file(folder, batch), &content)
}

/// Reads the outputs of a call with `batch` rows from `folder`.
///
/// # Errors
///
/// Fails if the file cannot be read or is cut off.
pub(super) fn read_call_outputs(folder: &Path, batch: u64) -> io::Result<StoredOutputs> {
    let mut content = Cursor::new(read_plain_file(&name_file(folder, batch))?);
    let mut line = Vec::new();
    content.read_until(b'\n', &mut line)?;
    let index: OutputIndex = serde_json::from_slice(&line)?;
    let mut outputs = Vec::new();
    for OutputEntry { name, shape, numbers, texts } in index.outputs {
        let values = match (numbers, texts) {
            (Some(count), _) => {
                let mut values = Vec::new();
                for _ in 0..count {
                    let mut bytes = [0; 8];
                    content.read_exact(&mut bytes)?;
                    values.push(f64::from_le_bytes(bytes));
                }
                OutputValues::Numbers(values)
            }
            (None, Some(texts)) => OutputValues::Texts(texts),
            (None, None) => OutputValues::Opaque,
        };
        outputs.push(OutputData { name, shape, values });
    }
    Ok(StoredOutputs { input_digest: index.input_digest, outputs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let output =
            |name: &str, values| OutputData { name: name.to_owned(), shape: vec![2], values };
        let stored = StoredOutputs {
            input_digest: "ab".to_owned(),
            outputs: vec![
                output("numbers", OutputValues::Numbers(vec![0.1, f64::NEG_INFINITY])),
                output("texts", OutputValues::Texts(vec!["a\nb".to_owned(), String::new()])),
                output("other", OutputValues::Opaque),
                output("more", OutputValues::Numbers(vec![-0.0, 3.0])),
            ],
        };
        let folder = tempfile::tempdir().unwrap();
        write_call_outputs(folder.path(), 8, &stored).unwrap();
        assert_eq!(read_call_outputs(folder.path(), 8).unwrap(), stored);
    }
}
