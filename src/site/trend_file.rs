//! The history in figures, kept beside the pages so that a night reads only the runs that are new.
//!
//! One line a run, JSON, figures without names since there are hundreds of thousands. The first line
//! says what wrote the pages; when that is another version or another layout they are all written anew.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Night;
use super::night::{NightCell, NightFigure};
use crate::host::Host;
use crate::run::{MeasuredCommit, Sampling};

/// Name of the file within the site.
pub(super) const TREND_FILE: &str = ".perfgate-trend.jsonl";

/// A new shape of a line is a new number.
const TREND_SCHEMA: &str = "perfgate.trend/2";

/// What an earlier build has seen.
#[derive(Default)]
pub(crate) struct KnownNights {
    nights: HashMap<String, Night>,
    /// The file, as long as every line of it is of a run that is still there.
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrendFileHead {
    schema: String,
    version: String,
    confidence: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrendFileLine {
    stored: String,
    id: String,
    created: Timestamp,
    commit: Option<MeasuredCommit>,
    host: Host,
    complete: bool,
    warnings: Vec<String>,
    command: Option<String>,
    cells: Vec<TrendFileCell>,
}

/// Point, lower and upper end.
type TrendFileFigure = (f32, Option<f32>, Option<f32>);

/// Id, package, sampling, launches, samples, figures, failure.
#[derive(Serialize, Deserialize)]
struct TrendFileCell(
    String,
    Option<String>,
    Sampling,
    u32,
    u64,
    [Option<TrendFileFigure>; 4],
    Option<String>,
);

impl TrendFileLine {
    fn from_night(stored: &str, night: &Night) -> Self {
        let Night { id, created, commit, host, complete, warnings, command, cells } = night.clone();
        let figures = |cell: &NightCell| cell.figures.map(|f| f.map(|f| (f.point, f.low, f.high)));
        let cell = |cell: NightCell| {
            let figures = figures(&cell);
            let NightCell { id, package, sampling, launches, samples, failure, .. } = cell;
            TrendFileCell(id, package, sampling, launches, samples, figures, failure)
        };
        let cells = cells.into_iter().map(cell).collect();
        let stored = stored.to_owned();
        Self { stored, id, created, commit, host, complete, warnings, command, cells }
    }

    fn into_night(self) -> (String, Night) {
        let Self { stored, id, created, commit, host, complete, warnings, command, cells } = self;
        let cell = |cell: TrendFileCell| {
            let TrendFileCell(id, package, sampling, launches, samples, figures, failure) = cell;
            let figures =
                figures.map(|f| f.map(|(point, low, high)| NightFigure { point, low, high }));
            NightCell { id, package, sampling, launches, samples, figures, failure }
        };
        let cells = cells.into_iter().map(cell).collect();
        (stored, Night { id, created, commit, host, complete, warnings, command, cells })
    }
}

impl KnownNights {
    /// What the build in `folder` had seen; nothing when there is none or it is of another version.
    ///
    /// A line that cannot be read is only a run that is read again.
    pub(crate) fn read_folder(folder: &Path, confidence: f64) -> Self {
        let text = std::fs::read_to_string(folder.join(TREND_FILE)).unwrap_or_default();
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
        let read: Option<HashMap<String, Night>> = lines
            .map(|line| Some(serde_json::from_str::<TrendFileLine>(line).ok()?.into_night()))
            .collect();
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
    pub(crate) fn into_kept_text(self) -> Option<String> {
        (self.nights.is_empty() && !self.text.is_empty()).then_some(self.text)
    }
}

fn build_head(confidence: f64) -> TrendFileHead {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    TrendFileHead { schema: TREND_SCHEMA.to_owned(), version, confidence }
}

/// Keeps `nights` with the names of their stored runs for the next build in `folder`, after the lines
/// that are `kept`.
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
