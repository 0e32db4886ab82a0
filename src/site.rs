//! The trend pages: where each benchmark has been, when it changed, and which commits are to blame.
//!
//! From the runs of a branch in commit order to files: [`Night`] is a run in figures, [`Track`] one
//! benchmark over all nights with what is to be said about it, and [`build`] writes what changed.
//! What a page looks like is the matter of `render`.

mod benchmark;
mod build;
mod chart_data;
mod encode;
mod export;
mod trend_file;
mod slug;
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

pub(crate) use build::{SiteCounts, build_site};
pub(crate) use export::{export_csv, export_json, list_export_rows};
pub(crate) use night::{Night, NightCell};
#[cfg(feature = "parquet")]
pub(crate) use parquet::export_parquet;
pub(crate) use plot::build_plots;
pub(crate) use standing::{BenchmarkState, LevelShift, ReleaseCreep};
pub(crate) use status::{BenchmarkStatus, assess};
pub(crate) use track::{HostTrack, TrackChange, build_tracks};
pub(crate) use trend_file::{KnownNights, save_nights};

use crate::policy::Policy;

/// What the pages are made from.
pub(crate) struct SiteInput<'a> {
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
    pub(crate) commits_between: &'a dyn Fn(&str, &str) -> Vec<SuspectCommit>,
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
pub(crate) struct SuspectCommit {
    /// Full id.
    pub(crate) id: String,
    /// First line of its message.
    pub(crate) subject: String,
}
