//! What the page of a benchmark shows: its course, its changes and what cannot be said.

use serde::Serialize;

use super::drawing::{drawing, host_numbers};
use super::night::{Figure, SHOWN};
use super::overview::{NightName, date};
use super::standing::{Gap, LEAST_RUNS, Level, Shift, Standing, State, WINDOWS, Watch};
use super::track::{Change, Track};
use super::{Material, Suspect};
use crate::run::Sampling;

/// Nights in the table; the data file has them all.
const TABLED: usize = 30;

/// Commits named for one change; the link shows them all.
const SUSPECTS: usize = 20;

#[derive(Serialize)]
pub(super) struct Page<'a> {
    title: &'a str,
    depth: &'static str,
    id: &'a str,
    package: Option<&'a str>,
    state: State,
    is_batch: bool,
    runs: usize,
    least_runs: usize,
    level: Option<Level>,
    week: Option<Shift>,
    month: Option<Shift>,
    release: Option<(String, Shift)>,
    watch: Watch,
    creep: Option<super::Creep>,
    level_window: usize,
    baseline_window: usize,
    gaps: Vec<GapRow>,
    gaps_in_all: i64,
    hosts: Vec<HostRow<'a>>,
    changes: Vec<ChangeRow<'a>>,
    targets: Vec<TargetRow>,
    nights: Vec<NightRow<'a>>,
    nights_in_all: usize,
    data_file: String,
    data: String,
}

#[derive(Serialize)]
struct GapRow {
    after: String,
    nights: i64,
    was_run: bool,
}

#[derive(Serialize)]
struct HostRow<'a> {
    fingerprint: &'a str,
    cpu_model: &'a str,
    cores: u32,
    os: &'a str,
    runs: usize,
}

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
}

#[derive(Serialize)]
struct SuspectRow {
    commit: Suspect,
    link: Option<String>,
}

#[derive(Serialize)]
struct TargetRow {
    metric: &'static str,
    limit: f64,
    latest: Option<f64>,
    has_percentile: bool,
}

#[derive(Serialize)]
struct NightRow<'a> {
    night: NightName,
    link: Option<String>,
    host: usize,
    launches: u32,
    samples: u64,
    figures: [Option<Figure>; 4],
    failure: Option<&'a str>,
}

pub(super) fn page<'a>(
    material: &'a Material<'_>,
    track: &'a Track<'_>,
    standing: Standing,
) -> Page<'a> {
    let targets = targets(material, track);
    let lines = targets.iter().filter(|target| target.has_percentile);
    let lines = lines.map(|target| (target.metric, target.limit)).collect();
    let data = drawing(material, track, &standing, lines);
    let gap = |gap: &Gap| GapRow {
        after: date(&material.nights[gap.after]),
        nights: gap.nights,
        was_run: gap.was_run,
    };
    let changes = track.hosts.iter().enumerate().flat_map(|(host, of_host)| {
        let change = move |change| change_row(material, change, host, &of_host.fingerprint);
        of_host.changes.iter().map(change)
    });
    let mut changes: Vec<(usize, ChangeRow<'_>)> = changes.collect();
    changes.sort_by_key(|(night, _)| std::cmp::Reverse(*night));
    Page {
        title: &material.title,
        depth: "../",
        id: &track.id.id,
        package: track.id.package.as_deref(),
        state: standing.state,
        is_batch: track.sampling == Sampling::Batch,
        runs: standing.runs,
        least_runs: LEAST_RUNS,
        level: standing.level,
        week: standing.week,
        month: standing.month,
        release: standing.release,
        watch: standing.watch,
        creep: standing.creep,
        level_window: WINDOWS.0,
        baseline_window: WINDOWS.1,
        gaps_in_all: standing.gaps.iter().map(|gap| gap.nights).sum(),
        gaps: standing.gaps.iter().rev().take(10).map(gap).collect(),
        hosts: hosts(material, track),
        changes: changes.into_iter().map(|(_, row)| row).collect(),
        targets,
        nights: night_rows(material, track),
        nights_in_all: track.cells.iter().flatten().count(),
        data_file: format!("data/{}.csv", track.slug),
        // Inside a script element nothing but `<` can end the data.
        data: serde_json::to_string(&data).unwrap_or_default().replace('<', "\\u003c"),
    }
}

fn hosts<'a>(material: &'a Material<'_>, track: &'a Track<'_>) -> Vec<HostRow<'a>> {
    let row = |host: &'a super::HostTrack| {
        let of_last = &material.nights[*host.nights.last()?].host;
        Some(HostRow {
            fingerprint: &host.fingerprint,
            cpu_model: &of_last.cpu_model,
            cores: of_last.cores,
            os: &of_last.os,
            runs: host.nights.len(),
        })
    };
    track.hosts.iter().filter_map(row).collect()
}

fn commit_link(material: &Material<'_>, commit: Option<&str>) -> Option<String> {
    Some(format!("{}/commit/{}", material.repository.as_deref()?, commit?))
}

fn change_row<'a>(
    material: &'a Material<'_>,
    change: &Change,
    host: usize,
    fingerprint: &'a str,
) -> (usize, ChangeRow<'a>) {
    let ends = [change.before, change.after].map(|night| material.nights[night].commit_id());
    let [from, to] = ends;
    let range = from.zip(to);
    let all = range.map_or(Vec::new(), |(from, to)| (material.commits_between)(from, to));
    let compare = material.repository.as_deref().zip(range);
    let more_suspects = all.len().saturating_sub(SUSPECTS);
    let suspect = |commit: Suspect| {
        let link = commit_link(material, Some(&commit.id));
        SuspectRow { commit, link }
    };
    let row = ChangeRow {
        ratio: change.ratio,
        low: change.interval.0,
        high: change.interval.1,
        p_value: change.p_value,
        is_open: change.is_open,
        host,
        fingerprint,
        before: NightName::of(&material.nights[change.before]),
        after: NightName::of(&material.nights[change.after]),
        compare: compare.map(|(address, (from, to))| format!("{address}/compare/{from}...{to}")),
        suspects: all.into_iter().take(SUSPECTS).map(suspect).collect(),
        more_suspects,
    };
    (change.after, row)
}

fn targets(material: &Material<'_>, track: &Track<'_>) -> Vec<TargetRow> {
    let latest = track.cells.iter().rev().flatten().find(|cell| cell.median().is_some());
    let rules = material.policy.rules(&track.id.id, None);
    let row = |(metric, limit): &(crate::policy::Metric, crate::units::Nanos)| {
        let place = SHOWN.iter().position(|shown| shown == metric);
        let figure = place.and_then(|place| latest?.figures[place]);
        TargetRow {
            metric: metric.name(),
            limit: limit.get(),
            latest: figure.map(|figure| f64::from(figure.point)),
            has_percentile: metric.quantile().is_none() || track.sampling == Sampling::Call,
        }
    };
    rules.targets.iter().map(row).collect()
}

fn night_rows<'a>(material: &Material<'_>, track: &'a Track<'_>) -> Vec<NightRow<'a>> {
    let host_of = host_numbers(track);
    let nights = material.nights.iter().zip(track.cells.iter().copied()).rev();
    let row = |(night, cell): (&super::Night, Option<&'a super::Cell>)| {
        let cell = cell?;
        Some(NightRow {
            night: NightName::of(night),
            link: commit_link(material, night.commit_id()),
            host: host_of.get(night.host.fingerprint.as_str()).copied().unwrap_or(0),
            launches: cell.launches,
            samples: cell.samples,
            figures: cell.figures,
            failure: cell.failure.as_deref(),
        })
    };
    nights.filter_map(row).take(TABLED).collect()
}
