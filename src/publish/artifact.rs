//! The artifact of a pull request's run, which whoever opened the pull request may have written.
//!
//! It is opened in memory, and of what it holds only `decision.json` is read: nothing is unpacked, so
//! no path in it means anything. What it says is text for a report; where the report goes, the event says.

use std::io::{Cursor, Read as _};

use thiserror::Error;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::run::FileError;
use crate::verdict::Decision;

/// The longest archive that is fetched, in bytes.
pub(crate) const ARCHIVE_LIMIT: usize = 16 << 20;
/// The longest decision that is read out of it, in bytes: 5,000 benchmarks with histograms are half of it.
pub(crate) const DECISION_LIMIT: usize = 32 << 20;
/// Benchmarks in a decision.
const MOST_BENCHMARKS: usize = 20_000;
/// Bytes of a name, a reason or a warning.
const LONGEST_TEXT: usize = 16 << 10;
/// The file in the archive.
const DECISION_FILE: &str = "decision.json";

/// Why an artifact is not believed.
#[derive(Debug, Error)]
pub(crate) enum ArtifactError {
    /// Not an archive, or a broken one.
    #[error("the artifact is not a readable archive: {0}")]
    Archive(#[from] ZipError),
    /// It lacks the one file that is read.
    #[error("the artifact holds no `decision.json` at its root")]
    Missing,
    /// It unpacks to more than a decision can be.
    #[error("`decision.json` in the artifact is longer than {DECISION_LIMIT} bytes")]
    TooLong,
    /// It cannot be unpacked.
    #[error("`decision.json` in the artifact cannot be unpacked: {0}")]
    Unpack(#[from] std::io::Error),
    /// Not a decision of a known schema.
    #[error("`decision.json` in the artifact is not a decision: {0}")]
    Decision(#[from] FileError),
    /// A decision that no perfgate writes.
    #[error("`decision.json` in the artifact contradicts itself: {0}")]
    Implausible(&'static str),
}

/// The decision in `archive`.
pub(crate) fn read_decision(archive: &[u8]) -> Result<Decision, ArtifactError> {
    let mut archive = ZipArchive::new(Cursor::new(archive))?;
    let file = match archive.by_name(DECISION_FILE) {
        Ok(file) => file,
        Err(ZipError::FileNotFound) => return Err(ArtifactError::Missing),
        Err(error) => return Err(error.into()),
    };
    // The size in the archive's directory is a claim: what counts is what comes out.
    let mut json = Vec::new();
    file.take(DECISION_LIMIT as u64 + 1).read_to_end(&mut json)?;
    if json.len() > DECISION_LIMIT {
        return Err(ArtifactError::TooLong);
    }
    let decision = Decision::from_json(&json)?;
    check_plausible(&decision).map_err(ArtifactError::Implausible)?;
    Ok(decision)
}

fn check_plausible(decision: &Decision) -> Result<(), &'static str> {
    if decision.benchmarks.len() > MOST_BENCHMARKS {
        return Err("it has more benchmarks than any suite");
    }
    let names = decision.benchmarks.iter().flat_map(|judgement| {
        let waiver = judgement.waiver.iter().map(|waiver| &waiver.reason);
        let targets = judgement.targets.iter().filter_map(|target| target.reason.as_ref());
        [&judgement.id]
            .into_iter()
            .chain(&judgement.package)
            .chain(&judgement.reasons)
            .chain(waiver)
            .chain(targets)
    });
    if names.chain(&decision.warnings).any(|text| text.len() > LONGEST_TEXT) {
        return Err("a name or a reason is longer than anybody would read");
    }
    Ok(())
}
