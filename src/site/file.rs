//! The history in figures, kept beside the pages so that a night reads only the runs that are new.
//!
//! One line a run, JSON, figures without names since there are hundreds of thousands. The first line
//! says what wrote the pages; when that is another version or another layout they are all written anew.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Night;
use super::night::{Cell, Figure};
use crate::host::Host;
use crate::run::{Commit, Sampling};

/// Name of the file within the site.
pub(super) const NAME: &str = ".perfgate-trend.jsonl";

/// A new shape of a line is a new number.
const SCHEMA: &str = "perfgate.trend/2";

/// What an earlier build has seen.
#[derive(Default)]
pub(crate) struct Known {
    nights: HashMap<String, Night>,
    /// The file, as long as every line of it is of a run that is still there.
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    schema: String,
    version: String,
    confidence: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    stored: String,
    id: String,
    created: Timestamp,
    commit: Option<Commit>,
    host: Host,
    complete: bool,
    warnings: Vec<String>,
    command: Option<String>,
    cells: Vec<CellOfLine>,
}

/// Point, lower and upper end.
type FigureOfLine = (f32, Option<f32>, Option<f32>);

/// Id, package, sampling, launches, samples, figures, failure.
#[derive(Serialize, Deserialize)]
struct CellOfLine(
    String,
    Option<String>,
    Sampling,
    u32,
    u64,
    [Option<FigureOfLine>; 4],
    Option<String>,
);

impl Line {
    fn of(stored: &str, night: &Night) -> Self {
        let Night { id, created, commit, host, complete, warnings, command, cells } = night.clone();
        let figures = |cell: &Cell| cell.figures.map(|f| f.map(|f| (f.point, f.low, f.high)));
        let cell = |cell: Cell| {
            let figures = figures(&cell);
            let Cell { id, package, sampling, launches, samples, failure, .. } = cell;
            CellOfLine(id, package, sampling, launches, samples, figures, failure)
        };
        let cells = cells.into_iter().map(cell).collect();
        let stored = stored.to_owned();
        Self { stored, id, created, commit, host, complete, warnings, command, cells }
    }

    fn night(self) -> (String, Night) {
        let Self { stored, id, created, commit, host, complete, warnings, command, cells } = self;
        let cell = |cell: CellOfLine| {
            let CellOfLine(id, package, sampling, launches, samples, figures, failure) = cell;
            let figures = figures.map(|f| f.map(|(point, low, high)| Figure { point, low, high }));
            Cell { id, package, sampling, launches, samples, figures, failure }
        };
        let cells = cells.into_iter().map(cell).collect();
        (stored, Night { id, created, commit, host, complete, warnings, command, cells })
    }
}

impl Known {
    /// What the build in `folder` had seen; nothing when there is none or it is of another version.
    ///
    /// A line that cannot be read is only a run that is read again.
    pub(crate) fn in_folder(folder: &Path, confidence: f64) -> Self {
        let text = std::fs::read_to_string(folder.join(NAME)).unwrap_or_default();
        let mut lines = text.lines();
        let written: Option<Head> = lines.next().and_then(|line| serde_json::from_str(line).ok());
        let now = head(confidence);
        #[expect(clippy::float_cmp, reason = "written and read back, not computed")]
        let is_mine = written.is_some_and(|head| {
            head.schema == now.schema
                && head.version == now.version
                && head.confidence == now.confidence
        });
        if !is_mine {
            return Self::default();
        }
        let read: Option<HashMap<String, Night>> =
            lines.map(|line| Some(serde_json::from_str::<Line>(line).ok()?.night())).collect();
        match read {
            Some(nights) => Self { nights, text },
            None => Self::default(),
        }
    }

    /// The run that is stored under this name, where an earlier build has seen it.
    pub(crate) fn take(&mut self, stored: &str) -> Option<Night> {
        self.nights.remove(stored)
    }

    /// The lines of the file, where every run in them has been taken.
    pub(crate) fn kept(self) -> Option<String> {
        (self.nights.is_empty() && !self.text.is_empty()).then_some(self.text)
    }
}

fn head(confidence: f64) -> Head {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Head { schema: SCHEMA.to_owned(), version, confidence }
}

/// Keeps `nights` with the names of their stored runs for the next build in `folder`, after the lines
/// that are `kept`.
pub(crate) fn remember<'a>(
    folder: &Path,
    confidence: f64,
    kept: Option<&str>,
    nights: impl IntoIterator<Item = (&'a str, &'a Night)>,
) -> std::io::Result<()> {
    let mut text = match kept {
        Some(kept) => kept.as_bytes().to_vec(),
        None => serde_json::to_vec(&head(confidence))?,
    };
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    for (stored, night) in nights {
        serde_json::to_writer(&mut text, &Line::of(stored, night))?;
        text.push(b'\n');
    }
    crate::files::write(&folder.join(NAME), &text)
}
