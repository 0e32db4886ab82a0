//! The history in figures, kept beside the pages so that a night reads only the runs that are new.
//!
//! One line a run, JSON. The first line says what wrote the pages; when that is another version or
//! another layout they are all written anew.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Night;

/// Name of the file within the site.
pub(super) const NAME: &str = ".perfgate-trend.jsonl";

/// A new shape of a line is a new number.
const SCHEMA: &str = "perfgate.trend/1";

/// Nights that an earlier build has seen, by the name of the stored run.
pub type Known = HashMap<String, Night>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    schema: String,
    version: String,
    confidence: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    stored: String,
    night: Night,
}

#[derive(Serialize)]
struct LineOf<'a> {
    stored: &'a str,
    night: &'a Night,
}

fn head(confidence: f64) -> Head {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Head { schema: SCHEMA.to_owned(), version, confidence }
}

/// What the build in `folder` had seen; nothing when there is none or it is of another version.
///
/// A line that cannot be read is only a run that is read again.
pub fn known(folder: &Path, confidence: f64) -> Known {
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
        return Known::new();
    }
    let read = lines.filter_map(|line| serde_json::from_str::<Line>(line).ok());
    read.map(|line| (line.stored, line.night)).collect()
}

/// Keeps `nights` with the names of their stored runs for the next build in `folder`.
pub fn remember<'a>(
    folder: &Path,
    confidence: f64,
    nights: impl IntoIterator<Item = (&'a str, &'a Night)>,
) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(&head(confidence))?;
    text.push(b'\n');
    for (stored, night) in nights {
        serde_json::to_writer(&mut text, &LineOf { stored, night })?;
        text.push(b'\n');
    }
    crate::files::write(&folder.join(NAME), &text)
}
