//! The trend pages: the level of each benchmark over time, when it changed, and which commits may
//! be to blame.
//!
//! The input is the runs of a branch in commit order, the output is files. [`Night`] is one run
//! reduced to figures. [`track::BenchmarkTrack`] is one benchmark over all nights,
//! [`standing::BenchmarkStanding`] is what the pages report about it, and [`build`] writes the
//! files that changed. `render` decides how a page looks.

mod encode;
mod slug;
mod night;
mod trend_file;
mod drift;
mod track;
mod export;
#[cfg(feature = "parquet")]
mod parquet;
pub(crate) mod standing;
mod chart_data;
mod overview;
mod metric;
mod benchmark;
mod plot;
mod run;
mod build;
mod status;

use jiff::Timestamp;

pub(crate) use build::{SiteCounts, build_site};
pub(crate) use drift::DriftPace;
pub(crate) use export::{export_csv, export_json, list_export_rows};
pub(crate) use night::Night;
#[cfg(feature = "parquet")]
pub(crate) use parquet::export_parquet;
pub(crate) use plot::build_plots;
pub(crate) use slug::format_page_path;
pub(crate) use standing::{BenchmarkState, LevelShift, ReleaseCreep};
pub(crate) use status::{BenchmarkStatus, OpenDrift, assess};
pub(crate) use track::{BenchmarkTrack, build_tracks};
pub(crate) use trend_file::{KnownNights, save_nights};

use crate::policy::Policy;
use crate::report::build_bisect_command;

/// The data that the pages are made from.
pub(crate) struct SiteInput<'a> {
    /// Name of the site.
    pub(crate) title: String,
    /// The runs in commit order.
    pub(crate) nights: Vec<Night>,
    /// Releases with a night at or after them, in the same order as the nights.
    pub(crate) releases: Vec<Release>,
    /// Web address of the repository; a commit's page is `<address>/commit/<id>`. `None` if
    /// unknown.
    pub(crate) repository: Option<String>,
    /// Thresholds and targets.
    pub(crate) policy: &'a Policy,
    /// Returns the commits after the first id up to the second, newest first; empty if the history
    /// is unknown.
    pub(crate) commits_between: &'a dyn Fn(&str, &str) -> Vec<SuspectCommit>,
    /// Time of the build. Nights that are missing since the last run are counted up to here.
    pub(crate) now: Timestamp,
}

/// A release and the first night that contains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// Tag of the release.
    pub(crate) name: String,
    /// Index of the first night at or after the release.
    pub(crate) night: usize,
}

/// A commit that may be to blame for a change.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SuspectCommit {
    /// Full id of the commit.
    pub(crate) id: String,
    /// First line of the commit message.
    pub(crate) subject: String,
}

/// Returns the command that finds the commit in `range` that made the benchmark `id` slower. Returns
/// `None` if the range has a single suspect, or if the command cannot be typed.
fn choose_bisect_command(id: &str, range: Option<(&str, &str)>, suspects: usize) -> Option<String> {
    let (good, bad) = range.filter(|_| suspects != 1)?;
    build_bisect_command(good, bad, id)
}
