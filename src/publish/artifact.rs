//! Reads the decision from the artifact of a pull request's run. The author of the pull request may
//! have written the artifact, so it is not trusted.
//!
//! The archive is opened in memory, and only its `decision.json` is read. No file is unpacked, so
//! that no path in the archive has an effect. The content becomes text of a report; the event
//! determines where the report goes.

use std::io::{Cursor, Read as _};

use thiserror::Error;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::decision::Decision;
use crate::run::FileError;

/// Maximum size of an archive, in bytes.
pub(crate) const ARCHIVE_LIMIT: usize = 16 << 20;
/// Maximum size of a decision in an archive, in bytes. 5,000 benchmarks with histograms take half
/// of it.
const DECISION_LIMIT: usize = 32 << 20;
/// Name of the file in the archive that is read.
const DECISION_FILE: &str = "decision.json";
/// Name of the report for people. It is never read: a stranger may have written it.
const REPORT_FILE: &str = "report.html";

/// What an artifact holds.
#[derive(Clone, Debug)]
pub(crate) struct ArtifactContent {
    /// The decision.
    pub(crate) decision: Decision,
    /// Whether there is a `report.html` beside it, so that a link can lead to it.
    pub(crate) has_report: bool,
}

/// Why an artifact was rejected.
#[derive(Debug, Error)]
pub(crate) enum ArtifactError {
    /// The artifact is not an archive, or the archive is damaged.
    #[error("the artifact is not a readable archive: {0}")]
    Archive(#[from] ZipError),
    /// The archive does not contain `decision.json` at its root.
    #[error("the artifact has no `decision.json` at its root")]
    Missing,
    /// The file is longer than [`DECISION_LIMIT`].
    #[error("`decision.json` in the artifact is longer than {DECISION_LIMIT} bytes")]
    TooLong,
    /// The file cannot be decompressed.
    #[error("`decision.json` in the artifact cannot be unpacked: {0}")]
    Unpack(#[from] std::io::Error),
    /// The file is not a decision of a known schema.
    #[error("`decision.json` in the artifact is not a decision: {0}")]
    Decision(#[from] FileError),
}

/// Reads the decision in `archive`.
///
/// Fails if the archive is damaged, or if its `decision.json` is missing, too long or refused by
/// [`Decision::from_json`].
pub(crate) fn read_artifact(archive: &[u8]) -> Result<ArtifactContent, ArtifactError> {
    let mut archive = ZipArchive::new(Cursor::new(archive))?;
    let has_report = archive.index_for_name(REPORT_FILE).is_some();
    let file = match archive.by_name(DECISION_FILE) {
        Ok(file) => file,
        Err(ZipError::FileNotFound) => return Err(ArtifactError::Missing),
        Err(error) => return Err(error.into()),
    };
    // The size in the archive's directory cannot be trusted. The limit applies to the actual
    // content.
    let mut json = Vec::new();
    file.take(DECISION_LIMIT as u64 + 1).read_to_end(&mut json)?;
    if json.len() > DECISION_LIMIT {
        return Err(ArtifactError::TooLong);
    }
    Ok(ArtifactContent { decision: Decision::from_json(&json)?, has_report })
}
