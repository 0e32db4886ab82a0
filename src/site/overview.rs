//! What the first page shows: every benchmark in a row, worst first.

use serde::Serialize;

use super::standing::{self, Level, Shift, Standing, State, Watch};
use super::track::Track;
use super::{Material, Night};

/// Nights that a sparkline shows.
const SPARK: usize = 60;

#[derive(Serialize)]
pub(super) struct Overview<'a> {
    title: &'a str,
    depth: &'static str,
    runs: usize,
    hosts: usize,
    benchmarks: usize,
    newest: Option<NightName>,
    missing: i64,
    missing_since_last: i64,
    release: Option<&'a str>,
    counts: Vec<(State, usize)>,
    rows: Vec<Row<'a>>,
    nights: Vec<NightName>,
}

/// How a night is named and found.
#[derive(Clone, Serialize)]
pub(super) struct NightName {
    pub(super) page: String,
    pub(super) date: String,
    pub(super) commit: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    package: Option<&'a str>,
    page: String,
    state: State,
    level: Option<Level>,
    week: Option<Shift>,
    month: Option<Shift>,
    release: Option<Shift>,
    watch: Watch,
    creep: Option<Shift>,
    open: Vec<Open>,
    runs: usize,
    least_runs: usize,
    severity: f64,
    spark: Vec<f64>,
    spark_changes: Vec<usize>,
}

#[derive(Serialize)]
struct Open {
    ratio: f64,
    date: String,
    from: Option<String>,
    to: Option<String>,
}

impl NightName {
    pub(super) fn of(night: &Night) -> Self {
        Self {
            page: format!("run/{}.html", night.id),
            date: date(night),
            commit: night.commit_id().map(str::to_owned),
        }
    }
}

/// The day of a night, in UTC.
pub(super) fn date(night: &Night) -> String {
    night.created.strftime("%Y-%m-%d").to_string()
}

pub(super) fn overview<'a>(
    material: &'a Material<'_>,
    tracks: &'a [Track<'_>],
    standings: &[Standing],
) -> Overview<'a> {
    /// Runs that the first page links to.
    const LATEST: usize = 14;
    let nights = &material.nights;
    let mut rows: Vec<Row<'_>> = tracks
        .iter()
        .zip(standings)
        .map(|(track, standing)| row(track, standing, nights))
        .collect();
    rows.sort_by(|a, b| {
        a.state.cmp(&b.state).then(b.severity.total_cmp(&a.severity)).then(a.id.cmp(b.id))
    });
    let states = [
        State::Slower,
        State::Watch,
        State::Creep,
        State::Absent,
        State::Insufficient,
        State::Faster,
        State::Steady,
    ];
    let count = |state| rows.iter().filter(|row| row.state == state).count();
    let gaps = standing::missing_nights(nights, material.now);
    let since_last = gaps.iter().filter(|gap| gap.after + 1 == nights.len());
    let hosts: std::collections::HashSet<_> =
        nights.iter().map(|night| &night.host.fingerprint).collect();
    Overview {
        title: &material.title,
        depth: "",
        runs: nights.len(),
        hosts: hosts.len(),
        benchmarks: tracks.len(),
        newest: nights.last().map(NightName::of),
        missing: gaps.iter().map(|gap| gap.nights).sum(),
        missing_since_last: since_last.map(|gap| gap.nights).sum(),
        release: material.releases.last().map(|release| release.name.as_str()),
        counts: states.into_iter().map(|state| (state, count(state))).collect(),
        rows,
        nights: nights.iter().rev().take(LATEST).map(NightName::of).collect(),
    }
}

fn row<'a>(track: &'a Track<'_>, standing: &Standing, nights: &[Night]) -> Row<'a> {
    let host = track.main_host();
    let open = host.into_iter().flat_map(|host| &host.changes).filter(|change| change.is_open);
    let commit = |night: usize| nights[night].commit_id().map(str::to_owned);
    let watched = match standing.watch {
        Watch::Quiet => 1.0,
        Watch::Once { ratio } | Watch::Twice { ratio } => ratio,
    };
    let crept = standing.creep.as_ref().map(|creep| creep.shift);
    let start = host.map_or(0, |host| host.lns.len().saturating_sub(SPARK));
    Row {
        id: &track.id.id,
        package: track.id.package.as_deref(),
        page: format!("bench/{}.html", track.slug),
        state: standing.state,
        level: standing.level,
        week: standing.week,
        month: standing.month,
        release: standing.release.as_ref().map(|(_, shift)| *shift),
        watch: standing.watch,
        creep: crept,
        open: open
            .map(|change| Open {
                ratio: change.ratio,
                date: date(&nights[change.after]),
                from: commit(change.before),
                to: commit(change.after),
            })
            .collect(),
        runs: standing.runs,
        least_runs: standing::LEAST_RUNS,
        severity: standing.open_ratio.max(watched).max(crept.map_or(1.0, |shift| shift.ratio)),
        spark: host.map_or(Vec::new(), |host| host.lns[start..].to_vec()),
        spark_changes: host.map_or(Vec::new(), |host| {
            let places = host.changes.iter().filter_map(|change| change.index.checked_sub(start));
            places.filter(|place| *place > 0).collect()
        }),
    }
}
