//! Lists the benchmarks with open slowdowns and drifts, from which issues are opened and closed.

use serde::{Deserialize, Serialize};

use super::standing::{BenchmarkStanding, BenchmarkState, TrendLevel};
use super::track::BenchmarkTrack;
use super::{DriftPace, SiteInput, SuspectCommit, choose_bisect_command};

/// One benchmark and its open slowdowns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BenchmarkStatus {
    /// Benchmark id, `group/function/parameter`.
    pub(crate) id: String,
    /// Cargo package of the benchmark; `None` if it has none.
    pub(crate) package: Option<String>,
    /// The state in one word.
    pub(crate) state: BenchmarkState,
    /// Path of the benchmark's page within the site.
    pub(crate) page: String,
    /// Current level in nanoseconds; `None` without runs.
    pub(crate) level: Option<TrendLevel>,
    /// Product of the ratios from the first open slowdown on: current level ÷ the level before it.
    /// 1 if no slowdown is open.
    pub(crate) open_ratio: f64,
    /// Open slowdowns on the host of the last night, oldest first.
    pub(crate) open: Vec<OpenSlowdown>,
    /// Open drifts on the host of the last night, oldest first.
    #[serde(default)]
    pub(crate) drifts: Vec<OpenDrift>,
}

/// A rise from run to run from which the benchmark has not recovered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenDrift {
    /// How fast the level rises, with 95 % intervals.
    pub(crate) pace: DriftPace,
    /// P-value of the test whether there is a drift.
    pub(crate) p_value: f64,
    /// Time of the first run of the drift, RFC 3339.
    pub(crate) since: String,
    /// Time of the last run of the drift, RFC 3339.
    pub(crate) until: String,
    /// Whether the last run is in the drift.
    pub(crate) is_ongoing: bool,
    /// Id of the first commit of the drift; `None` if unknown.
    pub(crate) from: Option<String>,
    /// Id of the last commit of the drift; `None` if unknown.
    pub(crate) to: Option<String>,
    /// Web address that shows the commits between them; `None` if unknown.
    pub(crate) compare: Option<String>,
    /// Fingerprint of the host that measured the drift.
    pub(crate) host: String,
}

/// A slowdown from which the benchmark has not recovered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenSlowdown {
    /// New level ÷ old level.
    pub(crate) ratio: f64,
    /// 95 % interval of the ratio.
    pub(crate) interval: (f64, f64),
    /// P-value of the test whether the levels differ.
    pub(crate) p_value: f64,
    /// Time of the first run on the new level, RFC 3339.
    pub(crate) since: String,
    /// Id of the last commit measured on the old level; `None` if unknown.
    pub(crate) from: Option<String>,
    /// Id of the first commit measured on the new level; `None` if unknown.
    pub(crate) to: Option<String>,
    /// Commits after `from` up to `to`, newest first; empty if the history is unknown.
    pub(crate) suspects: Vec<SuspectCommit>,
    /// Web address that shows these commits; `None` if unknown.
    pub(crate) compare: Option<String>,
    /// Command that finds the one of several commits; `None` if it cannot be typed.
    #[serde(default)]
    pub(crate) bisect: Option<String>,
    /// Fingerprint of the host that measured the slowdown.
    pub(crate) host: String,
}

/// Returns the status of every benchmark of the history.
pub(crate) fn assess(
    material: &SiteInput<'_>,
    tracks: &[BenchmarkTrack<'_>],
) -> Vec<BenchmarkStatus> {
    let all = tracks.iter().map(|track| {
        let standing = BenchmarkStanding::from_track(track, material);
        BenchmarkStatus {
            id: track.id.name.clone(),
            package: track.id.package.clone(),
            state: standing.state,
            page: format!("bench/{}.html", track.slug),
            level: standing.level,
            open_ratio: standing.open_ratio,
            open: to_slowdown(track, material),
            drifts: list_open_drifts(track, material),
        }
    });
    all.collect()
}

fn to_slowdown(track: &BenchmarkTrack<'_>, material: &SiteInput<'_>) -> Vec<OpenSlowdown> {
    let Some(host) = track.main_host() else { return Vec::new() };
    let open = host.changes.iter().filter(|change| change.is_open).map(|change| {
        let (before, after) = (&material.nights[change.before], &material.nights[change.after]);
        let (from, to) = (before.commit_id(), after.commit_id());
        let range = from.zip(to);
        let compare = material.repository.as_deref().zip(range);
        let suspects = range.map_or(Vec::new(), |(a, b)| (material.commits_between)(a, b));
        OpenSlowdown {
            ratio: change.ratio,
            interval: change.interval,
            p_value: change.p_value,
            since: after.created.to_string(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            bisect: choose_bisect_command(&track.id.name, range, suspects.len()),
            suspects,
            compare: compare.map(|(address, (a, b))| format!("{address}/compare/{a}...{b}")),
            host: host.fingerprint.clone(),
        }
    });
    open.collect()
}

fn list_open_drifts(track: &BenchmarkTrack<'_>, material: &SiteInput<'_>) -> Vec<OpenDrift> {
    let Some(host) = track.main_host() else { return Vec::new() };
    let open = host.drifts.iter().filter(|drift| drift.is_open).map(|drift| {
        let (first, last) = (&material.nights[drift.first], &material.nights[drift.last]);
        let (from, to) = (first.commit_id(), last.commit_id());
        let compare = material.repository.as_deref().zip(from.zip(to));
        OpenDrift {
            pace: drift.pace,
            p_value: drift.p_value,
            since: first.created.to_string(),
            until: last.created.to_string(),
            is_ongoing: drift.is_ongoing,
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            compare: compare.map(|(address, (a, b))| format!("{address}/compare/{a}...{b}")),
            host: host.fingerprint.clone(),
        }
    });
    open.collect()
}
