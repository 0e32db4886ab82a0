//! The content of a benchmark's page: its level over time, its changes, and the gaps in its data.

use serde::Serialize;

use super::chart_data::{build_chart_data, number_hosts};
use super::metric::{MetricRow, build_metric_rows};
use super::night::{NightFigure, SHOWN_METRICS};
use super::overview::{NightName, format_date};
use super::standing::{
    BenchmarkStanding, BenchmarkState, LevelShift, MIN_TREND_RUNS, NightGap, TREND_WINDOWS,
    TrendLevel, WatchState,
};
use super::track::{BenchmarkTrack, TrackChange};
use super::{DriftPace, SiteInput, SuspectCommit, choose_bisect_command};
use crate::note::FailureReason;
use crate::run::Sampling;

/// Maximum number of nights in the table; the data file has all of them.
const NIGHTS_IN_TABLE: usize = 30;

/// Maximum number of gaps that are listed.
const MAX_GAPS: usize = 10;

/// Maximum number of commits named for one change; the link shows all of them.
const MAX_SUSPECTS: usize = 20;

/// The page of one benchmark, as its template reads it.
#[derive(Serialize)]
pub(super) struct BenchmarkPage<'a> {
    title: &'a str,
    depth: &'static str,
    id: &'a str,
    package: Option<&'a str>,
    state: BenchmarkState,
    is_batch: bool,
    runs: usize,
    least_runs: usize,
    level: Option<TrendLevel>,
    week: Option<LevelShift>,
    month: Option<LevelShift>,
    release: Option<(String, LevelShift)>,
    watch: WatchState,
    creep: Option<super::ReleaseCreep>,
    level_window: usize,
    baseline_window: usize,
    gaps: Vec<GapRow>,
    gaps_in_all: i64,
    hosts: Vec<HostRow<'a>>,
    changes: Vec<ChangeRow<'a>>,
    drifts: Vec<DriftRow<'a>>,
    metrics: Vec<MetricRow<'a>>,
    targets: Vec<TargetRow>,
    nights: Vec<NightRow<'a>>,
    nights_in_all: usize,
    data_file: String,
    data: String,
}

/// A gap in the data: the date before it, its length, and whether runs were made without the
/// benchmark.
#[derive(Serialize)]
struct GapRow {
    after: String,
    nights: i64,
    was_run: bool,
}

/// A host that measured the benchmark under the same conditions.
#[derive(Serialize)]
struct HostRow<'a> {
    fingerprint: &'a str,
    cpu_model: &'a str,
    cores: u32,
    os: &'a str,
    conditions: &'a str,
    runs: usize,
}

/// A change point with the commits that may be to blame.
#[derive(Serialize)]
struct ChangeRow<'a> {
    ratio: f64,
    low: f64,
    high: f64,
    p_value: f64,
    is_open: bool,
    host: usize,
    fingerprint: &'a str,
    before: NightName,
    after: NightName,
    compare: Option<String>,
    suspects: Vec<SuspectRow>,
    more_suspects: usize,
    /// Command that finds the one of several commits, for an open slowdown.
    bisect: Option<String>,
}

/// A drift of the level.
#[derive(Serialize)]
struct DriftRow<'a> {
    pace: DriftPace,
    p_value: f64,
    is_open: bool,
    is_ongoing: bool,
    fingerprint: &'a str,
    first: NightName,
    last: NightName,
}

/// A commit that may be to blame, with the address of its page if known.
#[derive(Serialize)]
struct SuspectRow {
    commit: SuspectCommit,
    link: Option<String>,
}

/// A target with the latest figure for it, both in nanoseconds.
#[derive(Serialize)]
struct TargetRow {
    metric: &'static str,
    limit: f64,
    latest: Option<f64>,
    has_percentile: bool,
}

/// The figures of one night.
#[derive(Serialize)]
struct NightRow<'a> {
    night: NightName,
    link: Option<String>,
    host: usize,
    launches: u32,
    samples: u64,
    figures: [Option<NightFigure>; 4],
    failure: Option<&'a FailureReason>,
}

/// Builds the page of `track`.
pub(super) fn build_benchmark_page<'a>(
    material: &'a SiteInput<'_>,
    track: &'a BenchmarkTrack<'_>,
    standing: BenchmarkStanding,
) -> BenchmarkPage<'a> {
    let targets = build_target_rows(material, track);
    let lines = targets.iter().filter(|target| target.has_percentile);
    let lines = lines.map(|target| (target.metric, target.limit)).collect();
    let data = build_chart_data(material, track, &standing, lines);
    let changes = track.hosts.iter().enumerate().flat_map(|(host, host_track)| {
        let fingerprint = &host_track.fingerprint;
        let changes = host_track.changes.iter();
        changes.map(move |change| build_change_row(material, track, change, host, fingerprint))
    });
    let mut changes: Vec<(usize, ChangeRow<'_>)> = changes.collect();
    changes.sort_by_key(|(night, _)| std::cmp::Reverse(*night));
    BenchmarkPage {
        title: &material.title,
        depth: "../",
        id: &track.id.name,
        package: track.id.package.as_deref(),
        state: standing.state,
        is_batch: track.sampling == Sampling::Batch,
        runs: standing.runs,
        least_runs: MIN_TREND_RUNS,
        level: standing.level,
        week: standing.week,
        month: standing.month,
        release: standing.release,
        watch: standing.watch,
        creep: standing.creep,
        level_window: TREND_WINDOWS.0,
        baseline_window: TREND_WINDOWS.1,
        gaps_in_all: standing.gaps.iter().map(|gap| gap.nights).sum(),
        gaps: build_gap_rows(material, &standing.gaps),
        hosts: build_host_rows(material, track),
        changes: changes.into_iter().map(|(_, row)| row).collect(),
        drifts: build_drift_rows(material, track),
        metrics: build_metric_rows(material, track),
        targets,
        nights: build_night_rows(material, track),
        nights_in_all: track.cells.iter().flatten().count(),
        data_file: format!("data/{}.csv", track.slug),
        // Inside a script element, only `<` can end the data.
        data: serde_json::to_string(&data).unwrap_or_default().replace('<', "\\u003c"),
    }
}

/// Returns the rows of the latest [`MAX_GAPS`] gaps, latest first.
fn build_gap_rows(material: &SiteInput<'_>, gaps: &[NightGap]) -> Vec<GapRow> {
    let latest = gaps.iter().rev().take(MAX_GAPS);
    latest
        .map(|gap| GapRow {
            after: format_date(&material.nights[gap.after]),
            nights: gap.nights,
            was_run: gap.was_run,
        })
        .collect()
}

fn build_host_rows<'a>(
    material: &'a SiteInput<'_>,
    track: &'a BenchmarkTrack<'_>,
) -> Vec<HostRow<'a>> {
    let rows = track.hosts.iter().filter_map(|host| {
        let latest_host = &material.nights[*host.nights.last()?].host;
        Some(HostRow {
            fingerprint: &host.fingerprint,
            cpu_model: &latest_host.cpu_model,
            cores: latest_host.cores,
            os: &latest_host.os,
            conditions: &host.conditions,
            runs: host.nights.len(),
        })
    });
    rows.collect()
}

fn build_commit_link(material: &SiteInput<'_>, commit: Option<&str>) -> Option<String> {
    Some(format!("{}/commit/{}", material.repository.as_deref()?, commit?))
}

/// Returns the row of a change, with the index of the first night of the new level.
fn build_change_row<'a>(
    material: &'a SiteInput<'_>,
    track: &BenchmarkTrack<'_>,
    change: &TrackChange,
    host: usize,
    fingerprint: &'a str,
) -> (usize, ChangeRow<'a>) {
    // The change may be due to any commit after the last night of the old level, up to the first
    // night of the new one.
    let ends = [change.before, change.after].map(|night| material.nights[night].commit_id());
    let [from, to] = ends;
    let range = from.zip(to);
    let all = range.map_or(Vec::new(), |(from, to)| (material.commits_between)(from, to));
    let compare = material.repository.as_deref().zip(range);
    let more_suspects = all.len().saturating_sub(MAX_SUSPECTS);
    let bisect = choose_bisect_command(&track.id.name, range, all.len());
    let suspects = all.into_iter().take(MAX_SUSPECTS).map(|commit| {
        let link = build_commit_link(material, Some(&commit.id));
        SuspectRow { commit, link }
    });
    let row = ChangeRow {
        ratio: change.ratio,
        low: change.interval.0,
        high: change.interval.1,
        p_value: change.p_value,
        is_open: change.is_open,
        host,
        fingerprint,
        before: NightName::from_night(&material.nights[change.before]),
        after: NightName::from_night(&material.nights[change.after]),
        compare: compare.map(|(address, (from, to))| format!("{address}/compare/{from}...{to}")),
        suspects: suspects.collect(),
        more_suspects,
        bisect: bisect.filter(|_| change.is_open),
    };
    (change.after, row)
}

/// Returns the rows of the drifts on all hosts, latest first.
fn build_drift_rows<'a>(
    material: &SiteInput<'_>,
    track: &'a BenchmarkTrack<'_>,
) -> Vec<DriftRow<'a>> {
    let drifts = track
        .hosts
        .iter()
        .flat_map(|host| host.drifts.iter().map(|drift| (host.fingerprint.as_str(), drift)));
    let mut drifts: Vec<_> = drifts.collect();
    drifts.sort_by_key(|(_, drift)| std::cmp::Reverse(drift.first));
    drifts
        .into_iter()
        .map(|(fingerprint, drift)| DriftRow {
            pace: drift.pace,
            p_value: drift.p_value,
            is_open: drift.is_open,
            is_ongoing: drift.is_ongoing,
            fingerprint,
            first: NightName::from_night(&material.nights[drift.first]),
            last: NightName::from_night(&material.nights[drift.last]),
        })
        .collect()
}

fn build_target_rows(material: &SiteInput<'_>, track: &BenchmarkTrack<'_>) -> Vec<TargetRow> {
    let latest = track.cells.iter().rev().flatten().find(|cell| cell.median().is_some());
    let rules = material.policy.resolve_rules(&track.id.name, None);
    let times = rules.targets.iter().filter_map(|limit| Some((limit.figure.time()?, limit.value)));
    let rows = times.map(|(metric, limit)| {
        let place = SHOWN_METRICS.iter().position(|shown| *shown == metric);
        let figure = place.and_then(|place| latest?.figures[place]);
        TargetRow {
            metric: metric.name(),
            limit: limit.get(),
            latest: figure.map(|figure| f64::from(figure.point)),
            has_percentile: metric.quantile().is_none() || track.sampling == Sampling::Call,
        }
    });
    rows.collect()
}

fn build_night_rows<'a>(
    material: &SiteInput<'_>,
    track: &'a BenchmarkTrack<'_>,
) -> Vec<NightRow<'a>> {
    let host_of = number_hosts(track);
    let nights = material.nights.iter().zip(track.cells.iter().copied()).enumerate().rev();
    let rows = nights.filter_map(|(place, (night, cell))| {
        let cell = cell?;
        Some(NightRow {
            night: NightName::from_night(night),
            link: build_commit_link(material, night.commit_id()),
            host: host_of.get(&place).copied().unwrap_or(0),
            launches: cell.launches,
            samples: cell.samples,
            figures: cell.figures,
            failure: cell.failure.as_ref(),
        })
    });
    rows.take(NIGHTS_IN_TABLE).collect()
}
