//! The content of the first page: one row per benchmark, worst first.

use serde::Serialize;

use super::standing::{
    self, BenchmarkStanding, BenchmarkState, LevelShift, TrendLevel, WatchState,
};
use super::track::BenchmarkTrack;
use super::{DriftPace, Night, SiteInput};

/// Maximum number of nights in a sparkline.
const SPARKLINE_NIGHTS: usize = 60;

/// The first page, as its template reads it.
#[derive(Serialize)]
pub(super) struct OverviewPage<'a> {
    title: &'a str,
    depth: &'static str,
    runs: usize,
    hosts: usize,
    benchmarks: usize,
    newest: Option<NightName>,
    missing: i64,
    missing_since_last: i64,
    release: Option<&'a str>,
    counts: Vec<(BenchmarkState, usize)>,
    rows: Vec<OverviewRow<'a>>,
    nights: Vec<NightName>,
}

/// Page, date and commit of a night, for a link to it.
#[derive(Clone, Serialize)]
pub(super) struct NightName {
    pub(super) page: String,
    pub(super) date: String,
    pub(super) commit: Option<String>,
}

/// One benchmark on the first page.
#[derive(Serialize)]
struct OverviewRow<'a> {
    id: &'a str,
    package: Option<&'a str>,
    page: String,
    state: BenchmarkState,
    level: Option<TrendLevel>,
    week: Option<LevelShift>,
    month: Option<LevelShift>,
    release: Option<LevelShift>,
    watch: WatchState,
    creep: Option<LevelShift>,
    open: Vec<OverviewChange>,
    drifts: Vec<OverviewDrift>,
    runs: usize,
    least_runs: usize,
    severity: f64,
    spark: Vec<f64>,
    spark_changes: Vec<usize>,
}

/// An open slowdown, with its date and the commits around it.
#[derive(Serialize)]
struct OverviewChange {
    ratio: f64,
    date: String,
    from: Option<String>,
    to: Option<String>,
}

/// An open drift, with the date of its first run.
#[derive(Serialize)]
struct OverviewDrift {
    pace: DriftPace,
    date: String,
}

impl NightName {
    pub(super) fn from_night(night: &Night) -> Self {
        Self {
            page: format!("run/{}.html", night.id),
            date: format_date(night),
            commit: night.commit_id().map(str::to_owned),
        }
    }
}

/// Returns the date of a night in UTC.
pub(super) fn format_date(night: &Night) -> String {
    night.created.strftime("%Y-%m-%d").to_string()
}

/// Builds the first page. Rows are ordered by state, then by severity, then by id.
pub(super) fn build_overview<'a>(
    material: &'a SiteInput<'_>,
    tracks: &'a [BenchmarkTrack<'_>],
    standings: &[BenchmarkStanding],
) -> OverviewPage<'a> {
    /// Maximum number of runs that the first page links to.
    const LATEST: usize = 14;
    let nights = &material.nights;
    // One row per benchmark, the worst first.
    let mut rows: Vec<OverviewRow<'_>> = tracks
        .iter()
        .zip(standings)
        .map(|(track, standing)| build_overview_row(track, standing, nights))
        .collect();
    rows.sort_by(|a, b| {
        a.state.cmp(&b.state).then(b.severity.total_cmp(&a.severity)).then(a.id.cmp(b.id))
    });
    // Counts are in this order, and a state without benchmarks has zero.
    let states = [
        BenchmarkState::Slower,
        BenchmarkState::Drifting,
        BenchmarkState::Watch,
        BenchmarkState::Creep,
        BenchmarkState::Absent,
        BenchmarkState::Insufficient,
        BenchmarkState::Faster,
        BenchmarkState::Steady,
    ];
    let counts = states.map(|state| (state, rows.iter().filter(|row| row.state == state).count()));
    // What the store lacks: nights without runs, and those since the last run.
    let gaps = standing::find_missing_nights(nights, material.now);
    let since_last = gaps.iter().filter(|gap| gap.after + 1 == nights.len());
    let hosts: std::collections::HashSet<_> =
        nights.iter().map(|night| &night.host.fingerprint).collect();
    OverviewPage {
        title: &material.title,
        depth: "",
        runs: nights.len(),
        hosts: hosts.len(),
        benchmarks: tracks.len(),
        newest: nights.last().map(NightName::from_night),
        missing: gaps.iter().map(|gap| gap.nights).sum(),
        missing_since_last: since_last.map(|gap| gap.nights).sum(),
        release: material.releases.last().map(|release| release.name.as_str()),
        counts: counts.into(),
        rows,
        nights: nights.iter().rev().take(LATEST).map(NightName::from_night).collect(),
    }
}

fn build_overview_row<'a>(
    track: &'a BenchmarkTrack<'_>,
    standing: &BenchmarkStanding,
    nights: &[Night],
) -> OverviewRow<'a> {
    // The main host gives the open changes and the small chart. The severity sorts rows of the same
    // state: it is the largest slowdown of any kind.
    let host = track.main_host();
    let open = host.into_iter().flat_map(|host| &host.changes).filter(|change| change.is_open);
    let commit = |night: usize| nights[night].commit_id().map(str::to_owned);
    let watch_ratio = match standing.watch {
        WatchState::Quiet => 1.0,
        WatchState::Once { ratio } | WatchState::Twice { ratio } => ratio,
    };
    let creep_shift = standing.creep.as_ref().map(|creep| creep.shift);
    let start = host.map_or(0, |host| host.lns.len().saturating_sub(SPARKLINE_NIGHTS));
    OverviewRow {
        id: &track.id.name,
        package: track.id.package.as_deref(),
        page: format!("bench/{}.html", track.slug),
        state: standing.state,
        level: standing.level,
        week: standing.week,
        month: standing.month,
        release: standing.release.as_ref().map(|(_, shift)| *shift),
        watch: standing.watch,
        creep: creep_shift,
        open: open
            .map(|change| OverviewChange {
                ratio: change.ratio,
                date: format_date(&nights[change.after]),
                from: commit(change.before),
                to: commit(change.after),
            })
            .collect(),
        drifts: host
            .into_iter()
            .flat_map(|host| &host.drifts)
            .filter(|drift| drift.is_open)
            .map(|drift| OverviewDrift {
                pace: drift.pace,
                date: format_date(&nights[drift.first]),
            })
            .collect(),
        runs: standing.runs,
        least_runs: standing::MIN_TREND_RUNS,
        severity: standing
            .open_ratio
            .max(watch_ratio)
            .max(creep_shift.map_or(1.0, |shift| shift.ratio)),
        spark: host.map_or(Vec::new(), |host| host.lns[start..].to_vec()),
        spark_changes: host.map_or(Vec::new(), |host| {
            let places = host.changes.iter().filter_map(|change| change.index.checked_sub(start));
            places.filter(|place| *place > 0).collect()
        }),
    }
}
