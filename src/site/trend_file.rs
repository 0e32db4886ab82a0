//! Caches the figures of all runs next to the pages, so that a build reads only the new runs from
//! the store.
//!
//! The file has one JSON line per run. Figures have no names, because there are hundreds of
//! thousands of them. The first line names the schema, the perfgate version and the confidence; if
//! any of them differs, all runs are read again.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Night;
use super::night::{NightCell, NightFigure};
use crate::files;
use crate::host::Host;
use crate::note::{FailureReason, Note};
use crate::run::{MeasuredCommit, Sampling};

/// Name of the file within the site.
pub(super) const TREND_FILE: &str = ".perfgate-trend.jsonl";

/// Schema of a line. A line with another shape needs a new number.
const TREND_SCHEMA: &str = "perfgate.trend/4";

/// The runs that an earlier build has seen, by the name of the stored run.
#[derive(Default)]
pub(crate) struct KnownNights {
    nights: HashMap<String, Night>,
    /// The whole file. It can be kept if every run in it still exists.
    text: String,
}

/// The first line: what wrote the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrendFileHead {
    schema: String,
    version: String,
    confidence: f64,
}

/// The line of one run.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrendFileLine {
    stored: String,
    id: String,
    created: Timestamp,
    commit: Option<MeasuredCommit>,
    host: Host,
    complete: bool,
    #[serde(alias = "warnings")]
    notes: Vec<Note>,
    command: Option<String>,
    cells: Vec<TrendFileCell>,
}

/// Point estimate, lower and upper end of the interval, in nanoseconds.
type TrendFileFigure = (f32, Option<f32>, Option<f32>);

/// Id, package, sampling, launches, samples, figures, failure, conditions and metrics of a benchmark.
#[derive(Serialize, Deserialize)]
struct TrendFileCell(
    String,
    Option<String>,
    Sampling,
    u32,
    u64,
    [Option<TrendFileFigure>; 4],
    Option<FailureReason>,
    String,
    #[serde(default)] BTreeMap<String, f32>,
);

impl TrendFileCell {
    fn from_cell(cell: NightCell) -> Self {
        let NightCell {
            id,
            package,
            conditions,
            sampling,
            launches,
            samples,
            figures,
            metrics,
            failure,
        } = cell;
        let figures = figures.map(|f| f.map(|f| (f.point, f.low, f.high)));
        Self(id, package, sampling, launches, samples, figures, failure, conditions, metrics)
    }

    fn into_cell(self) -> NightCell {
        let Self(id, package, sampling, launches, samples, figures, failure, conditions, metrics) =
            self;
        let figures = figures.map(|f| f.map(|(point, low, high)| NightFigure { point, low, high }));
        NightCell {
            id,
            package,
            conditions,
            sampling,
            launches,
            samples,
            figures,
            metrics,
            failure,
        }
    }
}

impl TrendFileLine {
    fn from_night(stored: &str, night: &Night) -> Self {
        let Night { id, created, commit, host, complete, notes, command, cells } = night.clone();
        let cells = cells.into_iter().map(TrendFileCell::from_cell).collect();
        let stored = stored.to_owned();
        Self { stored, id, created, commit, host, complete, notes, command, cells }
    }

    fn into_night(self) -> (String, Night) {
        let Self { stored, id, created, commit, host, complete, notes, command, cells } = self;
        let cells = cells.into_iter().map(TrendFileCell::into_cell).collect();
        (stored, Night { id, created, commit, host, complete, notes, command, cells })
    }
}

impl KnownNights {
    /// Reads what the last build in `folder` has seen. Returns an empty value if there was no
    /// build, or if it had another schema, version or confidence.
    ///
    /// If any line cannot be read, the whole file is ignored and all runs are read again.
    pub(crate) fn read_folder(folder: &Path, confidence: f64) -> Self {
        let text = files::read_plain_text(&folder.join(TREND_FILE)).unwrap_or_default();
        let mut lines = text.lines();
        let written: Option<TrendFileHead> =
            lines.next().and_then(|line| serde_json::from_str(line).ok());
        let now = build_head(confidence);
        #[expect(clippy::float_cmp, reason = "written and read back, not computed")]
        let is_current = written.is_some_and(|head| {
            head.schema == now.schema
                && head.version == now.version
                && head.confidence == now.confidence
        });
        if !is_current {
            return Self::default();
        }
        match Self::parse_lines(lines) {
            Some(nights) => Self { nights, text },
            None => Self::default(),
        }
    }

    /// Parses the lines after the head: the runs, by the name of the stored run. Returns `None` if
    /// any line cannot be read.
    pub(crate) fn parse_lines<'a>(
        lines: impl Iterator<Item = &'a str>,
    ) -> Option<HashMap<String, Night>> {
        lines
            .map(|line| Some(serde_json::from_str::<TrendFileLine>(line).ok()?.into_night()))
            .collect()
    }

    /// Removes and returns the run stored under this name, or `None` if no earlier build has seen
    /// it.
    pub(crate) fn take(&mut self, stored: &str) -> Option<Night> {
        self.nights.remove(stored)
    }

    /// Returns the text of the file if every run in it has been taken, and `None` otherwise.
    pub(crate) fn into_kept_text(self) -> Option<String> {
        (self.nights.is_empty() && !self.text.is_empty()).then_some(self.text)
    }
}

fn build_head(confidence: f64) -> TrendFileHead {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    TrendFileHead { schema: TREND_SCHEMA.to_owned(), version, confidence }
}

/// Writes the file for the next build in `folder`: the lines of `kept_text`, then one line per item
/// of `nights`, which is a run with the name it is stored under.
///
/// Fails if the file cannot be written.
pub(crate) fn save_nights<'a>(
    folder: &Path,
    confidence: f64,
    kept_text: Option<&str>,
    nights: impl IntoIterator<Item = (&'a str, &'a Night)>,
) -> std::io::Result<()> {
    let mut text = match kept_text {
        Some(kept) => kept.as_bytes().to_vec(),
        None => serde_json::to_vec(&build_head(confidence))?,
    };
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    for (stored, night) in nights {
        serde_json::to_writer(&mut text, &TrendFileLine::from_night(stored, night))?;
        text.push(b'\n');
    }
    crate::files::write_atomically(&folder.join(TREND_FILE), &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_an_older_file_are_read() {
        let line = r#"{"stored": "s", "id": "0123456789ab", "created": "2026-11-22T00:00:00Z",
            "commit": null, "complete": false, "warnings": ["it was hot"], "command": null,
            "host": {"fingerprint": "f", "cpu_model": "c", "cores": 2, "memory_bytes": 1,
                     "os": "o", "kernel": "k"},
            "cells": [["a", null, "call", 0, 0, [null, null, null, null], "panicked", ""]]}"#;
        let (_, night) = serde_json::from_str::<TrendFileLine>(line).unwrap().into_night();
        assert_eq!(night.notes, [Note::Recorded { sentence: "it was hot".to_owned() }]);
        let reason = FailureReason::Reported { sentence: "panicked".to_owned() };
        assert_eq!(night.cells[0].failure, Some(reason));
        let again = serde_json::to_string(&TrendFileLine::from_night("s", &night)).unwrap();
        let (_, read) = serde_json::from_str::<TrendFileLine>(&again).unwrap().into_night();
        assert_eq!(read, night);
    }
}
