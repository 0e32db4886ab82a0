//! The adapter that a user names, and reading what is at a path with it.

use std::fs;
use std::path::Path;

use serde::de::IgnoredAny;

use super::criterion_folder::read_criterion_folder;
use super::detect::detect_adapter;
use super::entry::{AdapterError, AdapterRun};
use super::kind::Adapter;
use super::parse::quote_non_numbers;

/// Name that stands for the adapter that recognizes a file.
const AUTO_NAME: &str = "auto";
/// Name of the adapter for the folder in which Criterion keeps its results.
const CRITERION_NAME: &str = "criterion";

/// The adapter that a user names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdapterChoice {
    /// The one that recognizes the file.
    Auto,
    /// Criterion's own folder.
    CriterionFolder,
    /// The files of this harness.
    Files(Adapter),
}

impl AdapterChoice {
    /// Returns the names that [`AdapterChoice::find`] knows, as the command line takes them.
    pub(crate) fn list_choices() -> impl Iterator<Item = &'static str> {
        [AUTO_NAME, CRITERION_NAME].into_iter().chain(Adapter::list_names())
    }

    /// Returns the choice with this name. Returns `None` if there is none.
    pub(crate) fn find_choice(name: &str) -> Option<Self> {
        match name {
            AUTO_NAME => Some(Self::Auto),
            CRITERION_NAME => Some(Self::CriterionFolder),
            name => Adapter::find(name).map(Self::Files),
        }
    }

    /// Returns the name of the choice, as the command line takes it.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Auto => AUTO_NAME,
            Self::CriterionFolder => CRITERION_NAME,
            Self::Files(adapter) => adapter.name(),
        }
    }

    /// Reads the launches in the file at `path`, or in the folder for Criterion.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, is not what the harness writes, or is not recognized.
    pub(crate) fn read_path(self, path: &Path) -> Result<AdapterRun, AdapterError> {
        match (self, path.is_dir()) {
            (Self::CriterionFolder | Self::Auto, true) => read_criterion_folder(path),
            (Self::CriterionFolder, false) => Err(AdapterError::NoFolder),
            _ => self.parse_bytes(&fs::read(path)?),
        }
    }

    /// Reads the launches in the content of one file.
    ///
    /// # Errors
    ///
    /// Fails if it is not what the harness writes, or is not recognized.
    pub(crate) fn parse_bytes(self, bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
        match self {
            Self::Files(adapter) => adapter.parse(bytes),
            Self::CriterionFolder => Err(AdapterError::NoFolder),
            Self::Auto => match detect_adapter(bytes) {
                Some(adapter) => adapter.parse(bytes),
                None => Err(explain_unrecognized(bytes)),
            },
        }
    }
}

/// Returns why no adapter recognizes `bytes`. A file that is empty, or that ends within a JSON
/// document, was not written to its end, and no named adapter would read it.
fn explain_unrecognized(bytes: &[u8]) -> AdapterError {
    let start = bytes.trim_ascii_start();
    let is_json_like = start.is_empty() || start.starts_with(b"{") || start.starts_with(b"[");
    match serde_json::from_slice::<IgnoredAny>(&quote_non_numbers(start)) {
        Err(error) if is_json_like && error.is_eof() => AdapterError::Json(error),
        _ => AdapterError::Unrecognized,
    }
}
