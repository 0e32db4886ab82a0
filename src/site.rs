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
pub(crate) mod standing;
mod status;
mod track;

use jiff::Timestamp;

pub(crate) use build::{Written, build};
pub(crate) use export::{csv, json, rows};
pub(crate) use file::{Known, remember};
pub(crate) use night::{Cell, Night};
#[cfg(feature = "parquet")]
pub(crate) use parquet::parquet;
pub(crate) use plot::plots;
pub(crate) use standing::{Creep, Shift, State};
pub(crate) use status::{Status, status};
pub(crate) use track::{Change, HostTrack, tracks};

use crate::policy::Policy;

/// What the pages are made from.
pub(crate) struct Material<'a> {
    /// Name of the site.
    pub(crate) title: String,
    /// The runs in commit order.
    pub(crate) nights: Vec<Night>,
    /// Releases among them, in the same order.
    pub(crate) releases: Vec<Release>,
    /// Where commits can be looked at: `<address>/commit/<id>`.
    pub(crate) repository: Option<String>,
    /// Thresholds and targets.
    pub(crate) policy: &'a Policy,
    /// What the commits between two others say, newest first; empty where nobody knows.
    pub(crate) commits_between: &'a dyn Fn(&str, &str) -> Vec<Suspect>,
    /// When the site is built: nights missing since the last run are counted up to here.
    pub(crate) now: Timestamp,
}

/// A release and the first night that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// Its tag.
    pub(crate) name: String,
    /// Place of the first night at or after it.
    pub(crate) night: usize,
}

/// A commit that may be to blame.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suspect {
    /// Full id.
    pub(crate) id: String,
    /// First line of its message.
    pub(crate) subject: String,
}
