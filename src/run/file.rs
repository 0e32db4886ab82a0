//! Reading a file that names its schema.

use std::io;

use serde::de::DeserializeSeed as _;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use thiserror::Error;

use super::bounded::BoundedDocument;

/// Why a run or a decision cannot be read.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    /// The file cannot be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is not JSON, is cut short, or has other fields than expected.
    #[error("{}", explain_json_error(.0))]
    Json(serde_json::Error),
    /// The file has a schema that this version does not know.
    #[error("its schema is `{found}`; this version reads up to `{newest}`")]
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

impl From<serde_json::Error> for FileError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// Returns the error of reading JSON, after what it means for the file if that is not obvious.
pub(crate) fn explain_json_error(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Eof => format!("it is empty or cut short: {error}"),
        Category::Syntax => format!("it is not JSON: {error}"),
        Category::Data | Category::Io => error.to_string(),
    }
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

/// Checks the `schema` field of a document, and the lengths of its texts and lists, before the rest
/// of the document is read.
///
/// # Errors
///
/// Fails if `json` is not JSON, has no `schema` field, or names a schema that is not in `known`,
/// which is in ascending order and not empty. Also fails if a text is longer than
/// [`MAX_FILE_TEXT`](super::bounded::MAX_FILE_TEXT) bytes, or if a list has more than `max_list` values.
pub(crate) fn check_schema(
    json: &[u8],
    known: &'static [&'static str],
    max_list: Option<usize>,
) -> Result<(), FileError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let found = BoundedDocument { max_list, known }.deserialize(&mut reader)?;
    reader.end()?;
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
    use crate::run::bounded::MAX_FILE_TEXT;

    #[test]
    fn a_long_list_does_not_hide_that_a_file_is_of_another_kind() {
        let json = r#"{"schema": "b/1", "samples": [1, 2, 3, 4]}"#;
        let error = check_schema(json.as_bytes(), &["a/1"], Some(3)).unwrap_err();
        assert!(matches!(&error, FileError::Schema { found, .. } if found == "b/1"), "{error}");
    }

    #[test]
    fn a_file_that_is_cut_short_or_not_json_is_called_that() {
        let refusal =
            |json: &str| check_schema(json.as_bytes(), &["a/1"], None).unwrap_err().to_string();
        assert!(refusal("").starts_with("it is empty or cut short: EOF"));
        assert!(refusal("{\"schema\": \"a/").starts_with("it is empty or cut short: EOF"));
        assert!(refusal("words").starts_with("it is not JSON: "));
        assert!(refusal("1").contains("expected an object with a `schema`"));
        assert_eq!(
            refusal("{\"schema\": \"b/1\"}"),
            "its schema is `b/1`; this version reads up to `a/1`"
        );
    }

    #[test]
    fn no_text_and_no_list_of_any_field_is_without_a_limit() {
        let check = |value: &str| {
            let json = format!(r#"{{"schema": "a/1", "new": {{"x": [{value}]}}}}"#);
            check_schema(json.as_bytes(), &["a/1"], Some(3)).map_err(|error| error.to_string())
        };
        let long = "x".repeat(MAX_FILE_TEXT);
        assert!(check(&format!("1, -1.5, {{\"{long}\": \"{long}\"}}")).is_ok());
        assert!(
            check(&format!("\"{long}x\"")).unwrap_err().contains("a text is longer than 65536")
        );
        assert!(check(&format!("{{\"{long}x\": 1}}")).unwrap_err().contains("a text is longer"));
        assert!(check("1, 2, null, true").unwrap_err().contains("more than 3 values"));
        let fields = r#"{"a": 1, "b": 1, "c": 1, "d": 1}"#;
        assert!(check(fields).unwrap_err().contains("more than 3 fields"));
    }

    #[test]
    fn a_newer_file_names_what_this_version_reads() {
        const KNOWN: [&str; 2] = ["perfgate.run/1", "perfgate.run/2"];
        let check = |schema: &str| {
            let json = format!(r#"{{"schema": "{schema}", "more": 1}}"#);
            check_schema(json.as_bytes(), &KNOWN, None)
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
