//! Recordings whose truth is known: series of launches of unchanged code, values of many machines,
//! and runs that a user has labelled.

mod machines;
mod series;
mod user;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

pub(crate) use machines::{MACHINES_HEAD, evaluate_machines};
pub(crate) use series::{SERIES_HEAD, evaluate_series};
pub(crate) use user::{
    ExpectedChange, LabelledCounts, evaluate_labelled, evaluate_unchanged_launches,
};

use crate::files;
use crate::policy::Policy;

/// Settings of a replay: how recordings are presented to the decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplayPlan<'a> {
    /// Number of times that the launches of a recording are dealt again.
    pub(crate) deals: u64,
    /// Seed of the deals.
    pub(crate) seed: u64,
    /// Slowdowns that are put into the candidate by multiplication: 0.03 is 3 %.
    pub(crate) effects: &'a [f64],
    /// Policies and their names.
    pub(crate) policies: &'a [(String, Policy)],
}

/// Why a recording cannot be replayed.
#[derive(Debug, Error)]
pub(crate) enum RecordingError {
    /// The file cannot be read.
    #[error("failed to read `{path}`: {source}")]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A line of the file has an unknown shape.
    #[error("`{path}`, line {line}: {why}")]
    Shape {
        /// Path of the file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// Description of the problem.
        why: String,
    },
    /// The file holds too little data.
    #[error("`{path}` has too little data: {why}")]
    TooLittle {
        /// Path of the file.
        path: PathBuf,
        /// Description of the missing data.
        why: String,
    },
}

/// Table of a recording, by lines.
#[derive(Clone, Debug)]
pub(crate) struct RecordingTable {
    path: PathBuf,
    text: String,
}

impl RecordingTable {
    /// Reads a table. Files that end in `.gz` are decompressed with `gzip`.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or decompressed, or if it is not UTF-8.
    pub(crate) fn read(path: &Path) -> Result<Self, RecordingError> {
        let text = if path.extension().is_some_and(|extension| extension == "gz") {
            read_gzip(path)
        } else {
            files::read_given_text(path)
        };
        let path = path.to_owned();
        text.map(|text| Self { path: path.clone(), text })
            .map_err(|source| RecordingError::Read { path, source })
    }

    /// Returns the header line with the names of the columns; empty for an empty file.
    pub(crate) fn head(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// Returns the name of the file without its extensions.
    pub(crate) fn name(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or("recording");
        name.split_once(".csv").map_or(name, |(name, _)| name)
    }

    /// Returns the fields of each line below the header. A line without exactly `N` fields is an
    /// error.
    fn rows<const N: usize>(&self) -> impl Iterator<Item = Result<[&str; N], RecordingError>> {
        self.text.lines().enumerate().skip(1).map(|(index, line)| {
            let fields: Vec<&str> = split_fields(line).collect();
            let found = fields.len();
            fields
                .try_into()
                .map_err(|_| self.build_shape_error(index, format!("{found} fields, not {N}")))
        })
    }

    fn build_shape_error(&self, index: usize, why: String) -> RecordingError {
        RecordingError::Shape { path: self.path.clone(), line: index + 1, why }
    }

    fn build_too_little_error(&self, why: &str) -> RecordingError {
        RecordingError::TooLittle { path: self.path.clone(), why: why.to_owned() }
    }
}

/// Splits a line into its fields. A comma between quotes is part of a field.
fn split_fields(line: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let fields = line.split(move |c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    fields.map(|field| field.trim_matches('"'))
}

fn read_gzip(path: &Path) -> io::Result<String> {
    let output = Command::new("gzip").arg("-dc").arg(path).output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(io::Error::new(io::ErrorKind::InvalidData, stderr));
    }
    String::from_utf8(output.stdout)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Parses a positive and finite value and returns its logarithm. Fails if the field is anything
/// else.
fn parse_logarithm(field: &str) -> Result<f64, String> {
    let value: f64 = field.parse().map_err(|_| format!("`{field}` is not a number"))?;
    if value > 0.0 && value.is_finite() {
        Ok(value.ln())
    } else {
        Err(format!("`{field}` is not positive"))
    }
}
