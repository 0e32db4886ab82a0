//! The trend pages: where each benchmark has been, when it changed, and which commits are to blame.
//!
//! From the runs of a branch in commit order to files: [`Night`] is a run in figures, [`Track`] one
//! benchmark over all nights with what is to be said about it, and [`build`] writes what changed.
//! What a page looks like is the matter of `render`.

mod benchmark;
mod build;
mod drawing;
mod encode;
mod export;
mod file;
mod names;
mod night;
mod overview;
#[cfg(feature = "parquet")]
mod parquet;
mod plot;
mod run;
mod standing;
mod status;
mod track;

use jiff::Timestamp;

pub use build::{SiteError, Written, build};
pub use export::{Row, csv, json, rows};
pub use file::{Known, remember};
pub use night::{Cell, Figure, Night, SHOWN};
#[cfg(feature = "parquet")]
pub use parquet::parquet;
pub use plot::plots;
pub use standing::{Creep, Gap, Level, Shift, Standing, State, Watch};
pub use status::{Open, Status, status};
pub use track::{Change, HostTrack, Track, tracks};

use crate::policy::Policy;

/// What the pages are made from.
pub struct Material<'a> {
    /// Name of the site.
    pub title: String,
    /// The runs in commit order.
    pub nights: Vec<Night>,
    /// Releases among them, in the same order.
    pub releases: Vec<Release>,
    /// Where commits can be looked at: `<address>/commit/<id>`.
    pub repository: Option<String>,
    /// Thresholds and targets.
    pub policy: &'a Policy,
    /// What the commits between two others say, newest first; empty where nobody knows.
    pub commits_between: &'a dyn Fn(&str, &str) -> Vec<Suspect>,
    /// When the site is built: nights missing since the last run are counted up to here.
    pub now: Timestamp,
}

/// A release and the first night that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its tag.
    pub name: String,
    /// Place of the first night at or after it.
    pub night: usize,
}

/// A commit that may be to blame.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspect {
    /// Full id.
    pub id: String,
    /// First line of its message.
    pub subject: String,
}
