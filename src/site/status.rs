//! Which benchmarks have an open slowdown: what an issue for each is opened from and closed by.

use serde::{Deserialize, Serialize};

use super::standing::{BenchmarkStanding, BenchmarkState, TrendLevel};
use super::track::BenchmarkTrack;
use super::{SiteInput, SuspectCommit};

/// One benchmark and what is open about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BenchmarkStatus {
    /// `group/function/parameter`.
    pub(crate) id: String,
    /// The Cargo package it belongs to.
    pub(crate) package: Option<String>,
    /// In one word.
    pub(crate) state: BenchmarkState,
    /// Page within the site.
    pub(crate) page: String,
    /// Current level in nanoseconds.
    pub(crate) level: Option<TrendLevel>,
    /// All open slowdowns together: current level ÷ the level before the first; 1 without any.
    pub(crate) open_ratio: f64,
    /// Open slowdowns on the host of the last night, oldest first.
    pub(crate) open: Vec<OpenSlowdown>,
}

/// A slowdown from which the benchmark has not recovered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenSlowdown {
    /// New level ÷ old level.
    pub(crate) ratio: f64,
    /// Its interval at 95 %.
    pub(crate) interval: (f64, f64),
    /// P-value of "the levels differ".
    pub(crate) p_value: f64,
    /// When the first run of the new level was measured, RFC 3339.
    pub(crate) since: String,
    /// The last commit measured on the old level.
    pub(crate) from: Option<String>,
    /// The first commit measured on the new level.
    pub(crate) to: Option<String>,
    /// Commits after `from` up to `to`, newest first, where the history is known.
    pub(crate) suspects: Vec<SuspectCommit>,
    /// Where they can be looked at.
    pub(crate) compare: Option<String>,
    /// Fingerprint of the host it was seen on.
    pub(crate) host: String,
}

/// Every benchmark of the history and what is open about it.
pub(crate) fn assess(
    material: &SiteInput<'_>,
    tracks: &[BenchmarkTrack<'_>],
) -> Vec<BenchmarkStatus> {
    let status = |track: &BenchmarkTrack<'_>| {
        let standing = BenchmarkStanding::from_track(track, material);
        BenchmarkStatus {
            id: track.id.name.clone(),
            package: track.id.package.clone(),
            state: standing.state,
            page: format!("bench/{}.html", track.slug),
            level: standing.level,
            open_ratio: standing.open_ratio,
            open: to_slowdown(track, material),
        }
    };
    tracks.iter().map(status).collect()
}

fn to_slowdown(track: &BenchmarkTrack<'_>, material: &SiteInput<'_>) -> Vec<OpenSlowdown> {
    let Some(host) = track.main_host() else { return Vec::new() };
    let night = |place: usize| &material.nights[place];
    let open = |change: &super::TrackChange| {
        let from = night(change.before).commit_id();
        let to = night(change.after).commit_id();
        let range = from.zip(to);
        let compare = material.repository.as_deref().zip(range);
        OpenSlowdown {
            ratio: change.ratio,
            interval: change.interval,
            p_value: change.p_value,
            since: night(change.after).created.to_string(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            suspects: range.map_or(Vec::new(), |(a, b)| (material.commits_between)(a, b)),
            compare: compare.map(|(address, (a, b))| format!("{address}/compare/{a}...{b}")),
            host: host.fingerprint.clone(),
        }
    };
    host.changes.iter().filter(|change| change.is_open).map(open).collect()
}
