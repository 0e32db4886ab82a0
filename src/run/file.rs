//! Reading a file that names its schema.

use std::io;

use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// Why a run or a decision cannot be read.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    /// The file cannot be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is not JSON, is cut short, or has other fields than expected.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The file has a schema that this version does not know.
    #[error("schema `{found}` is not known to this version, which reads `{newest}`")]
    Schema {
        /// Schema that the file names.
        found: String,
        /// Newest schema that this version can read.
        newest: &'static str,
    },
    /// The file has a schema with a higher number than this version knows.
    #[error(
        "schema `{found}` was written by a newer perfgate; this version reads up to `{newest}`"
    )]
    NewerSchema {
        /// Schema that the file names.
        found: String,
        /// Newest schema that this version can read.
        newest: &'static str,
    },
    /// The file is well formed but its content is invalid, such as a benchmark id that appears
    /// twice.
    #[error("{0}")]
    Invalid(String),
}

/// Reads an optional field for which `null` means the same as absence: the default value.
///
/// # Errors
///
/// Fails if the value is of another type.
pub(crate) fn deserialize_or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Checks the `schema` field of a document before the rest of the document is read.
///
/// # Errors
///
/// Fails if `json` is not JSON, has no `schema` field, or names a schema that is not in `known`,
/// which is in ascending order and not empty.
pub(crate) fn check_schema(json: &[u8], known: &'static [&'static str]) -> Result<(), FileError> {
    #[derive(Deserialize)]
    struct SchemaField {
        schema: String,
    }
    let SchemaField { schema: found } = serde_json::from_slice(json)?;
    if known.contains(&found.as_str()) {
        return Ok(());
    }
    let newest = *known.last().expect("a reader knows a schema");
    if is_newer_schema(&found, newest) {
        return Err(FileError::NewerSchema { found, newest });
    }
    Err(FileError::Schema { found, newest })
}

/// True if both schemas are of the same kind of file, and `found` has the higher number.
fn is_newer_schema(found: &str, newest: &str) -> bool {
    split_schema(found)
        .zip(split_schema(newest))
        .is_some_and(|((found_kind, found), (kind, newest))| found_kind == kind && found > newest)
}

/// Returns the kind and the number of a schema. Returns `None` if `schema` is not `KIND/NUMBER`.
fn split_schema(schema: &str) -> Option<(&str, u32)> {
    let (kind, number) = schema.split_once('/')?;
    Some((kind, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_file_names_what_this_version_reads() {
        const KNOWN: [&str; 2] = ["perfgate.run/1", "perfgate.run/2"];
        let check = |schema: &str| {
            check_schema(format!(r#"{{"schema": "{schema}", "more": 1}}"#).as_bytes(), &KNOWN)
        };
        assert!(check("perfgate.run/1").is_ok() && check("perfgate.run/2").is_ok());
        assert_eq!(
            check("perfgate.run/3").unwrap_err().to_string(),
            "schema `perfgate.run/3` was written by a newer perfgate; this version reads up to \
             `perfgate.run/2`"
        );
        for other in ["perfgate.run/0", "perfgate.run", "perfgate.run/x", "perfgate.store/9"] {
            assert!(matches!(check(other), Err(FileError::Schema { .. })), "{other}");
        }
    }
}
