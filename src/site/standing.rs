//! The current state of a benchmark: its level, the shifts since earlier levels, and the gaps in
//! its data.

use jiff::Timestamp;

use super::track::{BenchmarkTrack, HostTrack, LEVEL_WINDOW};
use super::{Night, Release, SiteInput};
use crate::stats::summary::{Moments, compute_median_in_place, compute_robust_deviation};
use crate::stats::test::t;
use crate::units::Confidence;

/// Minimum number of runs on one host before any conclusion is drawn.
pub(super) const MIN_TREND_RUNS: usize = 5;

/// Maximum number of earlier runs of the same level that the last nights are compared with.
const BASELINE_WINDOW: usize = 20;

/// Distance from the median of that window, in robust standard deviations, above which a night
/// counts as slower.
const WATCH_DEVIATIONS: f64 = 3.0;

const WEEK: i64 = 7;
const MONTH: i64 = 30;
const SECONDS_PER_DAY: i64 = 86_400;

/// The current state of a benchmark.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BenchmarkStanding {
    /// The state in one word.
    pub(crate) state: BenchmarkState,
    /// Number of runs on the host of the last night.
    pub(crate) runs: usize,
    /// Current level with its interval over nights, in nanoseconds; `None` without runs.
    pub(crate) level: Option<TrendLevel>,
    /// Shift since a week ago; `None` if no run is that old.
    pub(crate) week: Option<LevelShift>,
    /// Shift since a month ago; `None` if no run is that old.
    pub(crate) month: Option<LevelShift>,
    /// Name of the last release with enough runs, and the shift since; `None` if there is no such
    /// release.
    pub(crate) release: Option<(String, LevelShift)>,
    /// The last two nights compared with the median of the nights before.
    pub(crate) watch: WatchState,
    /// Slowdown since the last release that no single night explains; `None` if there is none.
    pub(crate) creep: Option<ReleaseCreep>,
    /// Product of the ratios from the first open slowdown on: current level ÷ the level before it.
    /// 1 if no slowdown is open.
    pub(crate) open_ratio: f64,
    /// Nights on which a run was due but missing, and nights whose run lacks this benchmark.
    pub(crate) gaps: Vec<NightGap>,
}

/// The state of a benchmark in one word, worst first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BenchmarkState {
    /// The benchmark slowed down and has not recovered.
    Slower,
    /// The benchmark became slower a little from night to night and has not recovered.
    Drifting,
    /// The last two nights are slower than those before, but there is no change point yet.
    Watch,
    /// The benchmark is slower than at the last release, but no single night explains it.
    Creep,
    /// The last run lacks the benchmark or failed to measure it.
    Absent,
    /// There are too few runs on one host for a conclusion.
    Insufficient,
    /// The last change or drift is an improvement.
    Faster,
    /// None of the other states applies.
    Steady,
}

/// A level in nanoseconds with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrendLevel {
    /// Geometric mean of the runs' medians, in nanoseconds.
    pub(crate) point: f64,
    /// Lower end of the interval, in nanoseconds; `None` for a single run.
    pub(crate) low: Option<f64>,
    /// Upper end of the interval, in nanoseconds; `None` for a single run.
    pub(crate) high: Option<f64>,
    /// Number of runs that the level is computed from.
    pub(crate) runs: usize,
}

/// The ratio of a level to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(crate) struct LevelShift {
    /// New level ÷ old level.
    pub(crate) ratio: f64,
    /// 95 % interval of the ratio; `None` if either level comes from a single run.
    pub(crate) interval: Option<(f64, f64)>,
}

/// The last two nights compared with the median of the nights before.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub(crate) enum WatchState {
    /// The last night is within the range of the nights before.
    Quiet,
    /// Only the last night is slower, which proves nothing.
    Once {
        /// Last night ÷ median of the window.
        ratio: f64,
    },
    /// The last two nights are slower.
    Twice {
        /// The smaller of the two nights ÷ median of the window.
        ratio: f64,
    },
}

/// A slowdown since a release that no single night explains.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) struct ReleaseCreep {
    /// Name of the release.
    pub(crate) release: String,
    /// Current level ÷ level at the release.
    pub(crate) shift: LevelShift,
}

/// Consecutive nights without a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct NightGap {
    /// Index of the last night before the gap.
    pub(crate) after: usize,
    /// Number of nights in the gap.
    pub(crate) nights: i64,
    /// Whether runs were made on these nights, but without this benchmark.
    pub(crate) was_run: bool,
}

impl BenchmarkStanding {
    /// Computes the current state of `track`.
    pub(crate) fn from_track(track: &BenchmarkTrack<'_>, material: &SiteInput<'_>) -> Self {
        // Everything except the gaps refers to the main host, the one of the last night. Compute
        // each fact about it first, then pick the worst state that applies.
        let gaps = find_gaps(track, &material.nights, material.now);
        let Some(host) = track.main_host() else { return Self::new_without_runs(gaps) };
        let last = host.nights.len() - 1;
        let is_absent = host.nights[last] + 1 < material.nights.len()
            && is_absent(track, host, &material.nights);
        let is_insufficient = host.nights.len() < MIN_TREND_RUNS;
        let threshold = find_threshold(track, host, material);
        let release = find_last_release(host, &material.releases);
        // In a drift, every night is slower than those before it.
        let is_watched = !is_insufficient && host.find_drift(last).is_none();
        let watch = if is_watched { watch_last_nights(host, threshold) } else { WatchState::Quiet };
        let creep = release.as_ref().and_then(|(name, index, shift)| {
            let is_slower = shift.interval.is_some_and(|(low, _)| low > threshold);
            let is_blamed = host.changes.iter().any(|c| c.index > *index && c.ratio > 1.0)
                || host.drifts.iter().any(|d| d.end > *index && d.pace.total > 1.0);
            let is_creep = is_slower && !is_blamed && !is_insufficient;
            is_creep.then(|| ReleaseCreep { release: name.clone(), shift: *shift })
        });
        let shift_days_ago =
            |days| compute_shift_since(host, find_index_days_ago(host, &material.nights, days)?);
        let shifts = host.list_shifts();
        let open_ratio = compute_open_ratio(&shifts);
        let has_open_step = host.changes.iter().any(|change| change.is_open);
        let state = match () {
            () if is_absent => BenchmarkState::Absent,
            () if is_insufficient => BenchmarkState::Insufficient,
            () if has_open_step => BenchmarkState::Slower,
            () if open_ratio > 1.0 => BenchmarkState::Drifting,
            () if matches!(watch, WatchState::Twice { .. }) => BenchmarkState::Watch,
            () if creep.is_some() => BenchmarkState::Creep,
            () if shifts.last().is_some_and(|(ratio, _)| *ratio < 1.0) => BenchmarkState::Faster,
            () => BenchmarkState::Steady,
        };
        Self {
            state,
            runs: host.nights.len(),
            level: compute_level(host.select_level_before(last)),
            week: shift_days_ago(WEEK),
            month: shift_days_ago(MONTH),
            release: release.map(|(name, _, shift)| (name, shift)),
            watch,
            creep,
            open_ratio,
            gaps,
        }
    }

    fn new_without_runs(gaps: Vec<NightGap>) -> Self {
        Self {
            state: BenchmarkState::Insufficient,
            runs: 0,
            level: None,
            week: None,
            month: None,
            release: None,
            watch: WatchState::Quiet,
            creep: None,
            open_ratio: 1.0,
            gaps,
        }
    }
}

/// Returns the slowdown that the policy tolerates, as a ratio.
fn find_threshold(track: &BenchmarkTrack<'_>, host: &HostTrack, material: &SiteInput<'_>) -> f64 {
    let median = host.lns.last().and_then(|ln| crate::units::Nanos::new(ln.exp()).ok());
    1.0 + material.policy.resolve_rules(&track.id.name, median).threshold.get()
}

/// Returns whether a later run on the same host lacks the benchmark, or any later run failed to
/// measure it.
fn is_absent(track: &BenchmarkTrack<'_>, host: &HostTrack, nights: &[Night]) -> bool {
    let last = host.nights.last().copied().unwrap_or(0);
    nights[last + 1..].iter().zip(&track.cells[last + 1..]).any(|(night, cell)| {
        let is_here = night.host.fingerprint == host.fingerprint;
        cell.is_some_and(|cell| cell.failure.is_some()) || (is_here && shares_suite(night, track))
    })
}

/// Returns whether a run without the benchmark has other benchmarks of its suite: same package and
/// same group.
fn shares_suite(night: &Night, track: &BenchmarkTrack<'_>) -> bool {
    let group = read_group(&track.id.name);
    let mut cells = night.cells.iter();
    cells.any(|cell| cell.package == track.id.package && read_group(&cell.id) == group)
}

/// Returns the group of a benchmark, the part of its id before the first `/`.
fn read_group(id: &str) -> &str {
    id.split('/').next().unwrap_or(id)
}

/// Returns the level of `lns`, the natural logarithms of medians in nanoseconds. Returns `None` if
/// it is empty.
fn compute_level(lns: &[f64]) -> Option<TrendLevel> {
    let summary = Moments::from_values(lns).ok()?;
    let tail = 0.5 * (1.0 - Confidence::DEFAULT.get());
    let (low, high) = t::compute_mean_interval(&summary, tail).unzip();
    Some(TrendLevel {
        point: summary.mean().exp(),
        low: low.map(f64::exp),
        high: high.map(f64::exp),
        runs: lns.len(),
    })
}

/// Returns the shift from `old` to `new`, with an interval from Welch's test on the logarithms.
/// Returns `None` if either is empty.
fn compute_shift(old: &[f64], new: &[f64]) -> Option<LevelShift> {
    let (old, new) = (Moments::from_values(old).ok()?, Moments::from_values(new).ok()?);
    let ratio = old.difference_to(&new).exp();
    let interval = (old.count() > 1 && new.count() > 1).then(|| {
        let (low, high) = t::compute_welch_test_from_moments(&old, &new)
            .ok()?
            .confidence_interval(Confidence::DEFAULT.get());
        Some((low.exp(), high.exp()))
    });
    Some(LevelShift { ratio, interval: interval.flatten() })
}

/// Returns the shift from the level of the runs up to and including run `earlier` to the current
/// level.
fn compute_shift_since(host: &HostTrack, earlier: usize) -> Option<LevelShift> {
    let last = host.nights.len() - 1;
    let now = host.select_level_before(last);
    // Windows that overlap would compare a night with itself.
    let now = &now[now.len().saturating_sub(last - earlier)..];
    compute_shift(host.select_level_before(earlier), now)
}

/// Returns the index of the last run of the host that is at least `days` older than its latest run,
/// or `None` if there is none.
fn find_index_days_ago(host: &HostTrack, nights: &[Night], days: i64) -> Option<usize> {
    let created = |index: usize| nights[host.nights[index]].created.as_second();
    let last = host.nights.len() - 1;
    // Allow half a day, because nights do not start at exactly the same time.
    let until = created(last) - days * SECONDS_PER_DAY + SECONDS_PER_DAY / 2;
    (0..last).rev().find(|index| created(*index) <= until)
}

/// Returns the last release with enough runs on the host: its name, the index of its first run
/// there, and the shift since.
fn find_last_release(
    host: &HostTrack,
    releases: &[Release],
) -> Option<(String, usize, LevelShift)> {
    let last = host.nights.len().checked_sub(1)?;
    releases.iter().rev().find_map(|release| {
        let index = host.nights.iter().position(|night| *night >= release.night)?;
        let anchor = host.select_level_from(index);
        let now = host.select_level_before(last);
        let apart = (last + 1).checked_sub(index + anchor.len())?.min(now.len());
        let now = &now[now.len() - apart..];
        Some((release.name.clone(), index, compute_shift(anchor, now)?))
    })
}

/// Returns the product of the ratios of all changes from the first open slowdown on, or 1 if no
/// slowdown is open.
fn compute_open_ratio(shifts: &[(f64, bool)]) -> f64 {
    let first = shifts.iter().position(|(_, is_open)| *is_open);
    first.map_or(1.0, |first| shifts[first..].iter().map(|(ratio, _)| *ratio).product())
}

/// Compares the last two nights with the median of the window before them.
fn watch_last_nights(host: &HostTrack, threshold: f64) -> WatchState {
    let count = host.lns.len();
    // The window ends before the last two nights and stays within the current level. A night is
    // slower if it exceeds the window's median by more than the threshold and by more than
    // `WATCH_DEVIATIONS` robust standard deviations, on the logarithmic scale.
    let segment = host.find_segment(count - 1);
    let end = count - 2;
    let start = segment.start.max(end.saturating_sub(BASELINE_WINDOW));
    if end < start + MIN_TREND_RUNS - 2 {
        return WatchState::Quiet;
    }
    let mut window = host.lns[start..end].to_vec();
    let Some(median) = compute_median_in_place(&mut window) else { return WatchState::Quiet };
    let mut distances: Vec<f64> = window.iter().map(|ln| (ln - median).abs()).collect();
    let spread = compute_robust_deviation(&mut distances).unwrap_or(0.0);
    let limit = threshold.ln().max(WATCH_DEVIATIONS * spread);
    let [before, last] = [host.lns[end] - median, host.lns[end + 1] - median];
    match (before > limit, last > limit) {
        (true, true) => WatchState::Twice { ratio: before.min(last).exp() },
        (false, true) => WatchState::Once { ratio: last.exp() },
        _ => WatchState::Quiet,
    }
}

/// Returns the nights without a figure: a run was due but missing, or the run lacks this benchmark.
fn find_gaps(track: &BenchmarkTrack<'_>, nights: &[Night], now: Timestamp) -> Vec<NightGap> {
    let mut gaps = find_missing_nights(nights, now);
    let mut absent: Option<NightGap> = None;
    let first = track.cells.iter().position(Option::is_some).unwrap_or(0);
    for (place, cell) in track.cells.iter().enumerate().skip(first) {
        if cell.is_some_and(|cell| cell.median().is_some()) {
            gaps.extend(absent.take());
        } else if cell.is_some() || shares_suite(&nights[place], track) {
            let gap = absent.get_or_insert(NightGap {
                after: place.saturating_sub(1),
                nights: 0,
                was_run: true,
            });
            gap.nights += 1;
        }
    }
    gaps.extend(absent);
    gaps.sort_by_key(|gap| gap.after);
    gaps
}

/// Returns the nights on which nothing was measured, up to `now`. The usual distance between runs,
/// at least a day, shows when a run was due.
pub(super) fn find_missing_nights(nights: &[Night], now: Timestamp) -> Vec<NightGap> {
    if nights.len() < MIN_TREND_RUNS {
        return Vec::new();
    }
    let seconds: Vec<i64> = nights.iter().map(|night| night.created.as_second()).collect();
    // Runs of the same night, such as those of several machines, are less than half a day apart.
    // They do not count as a distance between nights.
    let mut usual: Vec<f64> = list_distances(&seconds)
        .filter(|distance| *distance > SECONDS_PER_DAY / 2)
        .map(|distance| distance as f64)
        .collect();
    let usual = compute_median_in_place(&mut usual).unwrap_or(0.0).max(SECONDS_PER_DAY as f64);
    let mut times = seconds;
    times.push(now.as_second());
    let gaps = list_distances(&times).enumerate().map(|(after, distance)| {
        #[expect(clippy::cast_possible_truncation, reason = "a number of nights")]
        let nights = (distance as f64 / usual).round() as i64 - 1;
        NightGap { after, nights, was_run: false }
    });
    gaps.filter(|gap| gap.nights > 0).collect()
}

/// Returns the distance of each time from the one before it.
fn list_distances(times: &[i64]) -> impl Iterator<Item = i64> {
    times.windows(2).map(|pair| pair[1] - pair[0])
}

/// Maximum number of runs in a level and in a baseline, for the text on the page.
pub(super) const TREND_WINDOWS: (usize, usize) = (LEVEL_WINDOW, BASELINE_WINDOW);
