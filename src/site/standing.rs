//! What is to be said about a benchmark tonight: its level, how it compares with earlier ones, and
//! what is not yet or cannot be known.

use jiff::Timestamp;

use super::track::{BenchmarkTrack, HostTrack, LEVEL_WINDOW};
use super::{Night, Release, SiteInput};
use crate::stats::summary::{Moments, compute_median_in_place};
use crate::stats::welch;

/// Fewest runs on one host from which anything is concluded.
pub(super) const LEAST_TREND_RUNS: usize = 5;

/// Runs of the same level that a night is held against.
const BASELINE_WINDOW: usize = 20;

/// Robust standard deviations of that window that a night must leave it by.
const WATCH_DEVIATIONS: f64 = 3.0;

/// Median absolute deviation of a normal distribution, inverted.
const NORMAL_PER_MAD: f64 = 1.482_602_218_505_602;

const CONFIDENCE: f64 = 0.95;
const WEEK: i64 = 7;
const MONTH: i64 = 30;
const SECONDS_PER_DAY: i64 = 86_400;

/// What is to be said about a benchmark tonight.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BenchmarkStanding {
    /// In one word.
    pub(crate) state: BenchmarkState,
    /// Runs on the host of the last night.
    pub(crate) runs: usize,
    /// Current level with its interval over nights, in nanoseconds; none without runs.
    pub(crate) level: Option<TrendLevel>,
    /// Against a week ago.
    pub(crate) week: Option<LevelShift>,
    /// Against a month ago.
    pub(crate) month: Option<LevelShift>,
    /// Against the last release.
    pub(crate) release: Option<(String, LevelShift)>,
    /// The last nights against the median of those before.
    pub(crate) watch: WatchState,
    /// Slower than the last release without a night to blame.
    pub(crate) creep: Option<ReleaseCreep>,
    /// All open slowdowns together: current level ÷ the level before the first; 1 without any.
    pub(crate) open_ratio: f64,
    /// Nights on which a run was due and none came, and nights that ran without this benchmark.
    pub(crate) gaps: Vec<NightGap>,
}

/// A benchmark in one word, worst first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BenchmarkState {
    /// It slowed down and has not recovered.
    Slower,
    /// Two nights in a row are slower than those before; not yet a change point.
    Watch,
    /// Slower than the last release without a night to blame.
    Creep,
    /// The last run does not have it, or failed to measure it.
    Absent,
    /// Too few runs on one host to say anything.
    Insufficient,
    /// Its last change is an improvement.
    Faster,
    /// Nothing to say.
    Steady,
}

/// A level in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrendLevel {
    /// Best guess.
    pub(crate) point: f64,
    /// Lower end of its interval; none for a single run.
    pub(crate) low: Option<f64>,
    /// Upper end.
    pub(crate) high: Option<f64>,
    /// Runs it rests on.
    pub(crate) runs: usize,
}

/// How a level compares with an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(crate) struct LevelShift {
    /// New ÷ old.
    pub(crate) ratio: f64,
    /// Its interval at 95 %; none where one of both is a single run.
    pub(crate) interval: Option<(f64, f64)>,
}

/// The last nights against the median of those before.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub(crate) enum WatchState {
    /// Within what the nights before show.
    Quiet,
    /// The last night is slower; one night proves nothing.
    Once {
        /// Last night ÷ median of the window.
        ratio: f64,
    },
    /// The last two nights are slower.
    Twice {
        /// The smaller of both ÷ median of the window.
        ratio: f64,
    },
}

/// Slower than a fixed anchor without a night to blame.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) struct ReleaseCreep {
    /// The release that is the anchor.
    pub(crate) release: String,
    /// Current level ÷ level at the anchor.
    pub(crate) shift: LevelShift,
}

/// Nights without a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct NightGap {
    /// The last night before them.
    pub(crate) after: usize,
    /// How many.
    pub(crate) nights: i64,
    /// True when a run was made and did not have this benchmark.
    pub(crate) was_run: bool,
}

impl BenchmarkStanding {
    /// What is to be said about `track`.
    pub(crate) fn from_track(track: &BenchmarkTrack<'_>, material: &SiteInput<'_>) -> Self {
        let gaps = find_gaps(track, &material.nights, material.now);
        let Some(host) = track.main_host() else { return Self::new_without_runs(gaps) };
        let last = host.nights.len() - 1;
        let is_absent = host.nights[last] + 1 < material.nights.len()
            && is_absent(track, host, &material.nights);
        let is_insufficient = host.nights.len() < LEAST_TREND_RUNS;
        let threshold = find_threshold(track, host, material);
        let release = find_last_release(host, &material.releases);
        let watch =
            if is_insufficient { WatchState::Quiet } else { watch_last_nights(host, threshold) };
        let creep = release.as_ref().and_then(|(name, index, shift)| {
            let is_slower = shift.interval.is_some_and(|(low, _)| low > threshold);
            let is_blamed = host.changes.iter().any(|c| c.index > *index && c.ratio > 1.0);
            let is_creep = is_slower && !is_blamed && !is_insufficient;
            is_creep.then(|| ReleaseCreep { release: name.clone(), shift: *shift })
        });
        let shift_days_ago =
            |days| compute_shift_since(host, find_index_days_ago(host, &material.nights, days)?);
        let open_ratio = compute_open_ratio(host);
        let state = match () {
            () if is_absent => BenchmarkState::Absent,
            () if is_insufficient => BenchmarkState::Insufficient,
            () if open_ratio > 1.0 => BenchmarkState::Slower,
            () if matches!(watch, WatchState::Twice { .. }) => BenchmarkState::Watch,
            () if creep.is_some() => BenchmarkState::Creep,
            () if host.changes.last().is_some_and(|change| change.ratio < 1.0) => {
                BenchmarkState::Faster
            }
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

/// What the policy tolerates, as a ratio.
fn find_threshold(track: &BenchmarkTrack<'_>, host: &HostTrack, material: &SiteInput<'_>) -> f64 {
    let median = host.lns.last().and_then(|ln| crate::units::Nanos::new(ln.exp()).ok());
    1.0 + material.policy.resolve_rules(&track.id.name, median).threshold.get()
}

/// Whether a later run on the same host lacks the benchmark.
fn is_absent(track: &BenchmarkTrack<'_>, host: &HostTrack, nights: &[Night]) -> bool {
    let last = host.nights.last().copied().unwrap_or(0);
    nights[last + 1..].iter().zip(&track.cells[last + 1..]).any(|(night, cell)| {
        let is_here = night.host.fingerprint == host.fingerprint;
        cell.is_some_and(|cell| cell.failure.is_some()) || (is_here && shares_suite(night, track))
    })
}

/// Whether a run without the benchmark is of the suite that it belongs to: same package and group.
fn shares_suite(night: &Night, track: &BenchmarkTrack<'_>) -> bool {
    let group = |id: &str| id.split('/').next().unwrap_or(id).to_owned();
    let track_group = group(&track.id.name);
    night
        .cells
        .iter()
        .any(|cell| cell.package == track.id.package && group(&cell.id) == track_group)
}

fn compute_level(lns: &[f64]) -> Option<TrendLevel> {
    let summary = Moments::from_values(lns).ok()?;
    let margin = (lns.len() > 1).then(|| {
        let degrees = (lns.len() - 1) as f64;
        crate::stats::t_distribution::t_upper_quantile(0.5 * (1.0 - CONFIDENCE), degrees)
            * summary.standard_error()
    });
    let interval_end = |sign: f64| margin.map(|margin| (summary.mean() + sign * margin).exp());
    Some(TrendLevel {
        point: summary.mean().exp(),
        low: interval_end(-1.0),
        high: interval_end(1.0),
        runs: lns.len(),
    })
}

fn compute_shift(old: &[f64], new: &[f64]) -> Option<LevelShift> {
    let (old, new) = (Moments::from_values(old).ok()?, Moments::from_values(new).ok()?);
    let ratio = old.difference_to(&new).exp();
    let interval = (old.count() > 1 && new.count() > 1).then(|| {
        let (low, high) = welch::compute_welch_test_from_moments(&old, &new)
            .ok()?
            .confidence_interval(CONFIDENCE);
        Some((low.exp(), high.exp()))
    });
    Some(LevelShift { ratio, interval: interval.flatten() })
}

/// The current level against that of the runs up to and with run `then`.
fn compute_shift_since(host: &HostTrack, earlier: usize) -> Option<LevelShift> {
    let last = host.nights.len() - 1;
    let now = host.select_level_before(last);
    // Windows that overlap would compare a night with itself.
    let now = &now[now.len().saturating_sub(last - earlier)..];
    compute_shift(host.select_level_before(earlier), now)
}

/// The last run of the host that is `days` older than its latest.
fn find_index_days_ago(host: &HostTrack, nights: &[Night], days: i64) -> Option<usize> {
    let created = |index: usize| nights[host.nights[index]].created.as_second();
    let last = host.nights.len() - 1;
    // Half a day of grace: nights do not begin on the second.
    let until = created(last) - days * SECONDS_PER_DAY + SECONDS_PER_DAY / 2;
    (0..last).rev().find(|index| created(*index) <= until)
}

/// The last release that the host has enough runs of, its first run there, and the shift since.
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

fn compute_open_ratio(host: &HostTrack) -> f64 {
    let first = host.changes.iter().position(|change| change.is_open);
    first.map_or(1.0, |first| host.changes[first..].iter().map(|change| change.ratio).product())
}

/// Holds the last two nights against the median of the window before them.
fn watch_last_nights(host: &HostTrack, threshold: f64) -> WatchState {
    let count = host.lns.len();
    let segment = host.find_segment(count - 1);
    let end = count - 2;
    let start = segment.start.max(end.saturating_sub(BASELINE_WINDOW));
    if end < start + LEAST_TREND_RUNS - 2 {
        return WatchState::Quiet;
    }
    let mut window = host.lns[start..end].to_vec();
    let Some(median) = compute_median_in_place(&mut window) else { return WatchState::Quiet };
    let mut distances: Vec<f64> = window.iter().map(|ln| (ln - median).abs()).collect();
    let spread = NORMAL_PER_MAD * compute_median_in_place(&mut distances).unwrap_or(0.0);
    let limit = threshold.ln().max(WATCH_DEVIATIONS * spread);
    let [before, last] = [host.lns[end] - median, host.lns[end + 1] - median];
    match (before > limit, last > limit) {
        (true, true) => WatchState::Twice { ratio: before.min(last).exp() },
        (false, true) => WatchState::Once { ratio: last.exp() },
        _ => WatchState::Quiet,
    }
}

/// Nights without a figure: due but not run, or run without this benchmark.
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

/// Nights on which nothing was measured, by the usual distance of runs; counted up to `now`.
pub(super) fn find_missing_nights(nights: &[Night], now: Timestamp) -> Vec<NightGap> {
    if nights.len() < LEAST_TREND_RUNS {
        return Vec::new();
    }
    let seconds: Vec<i64> = nights.iter().map(|night| night.created.as_second()).collect();
    let list_distances =
        |times: &[i64]| -> Vec<i64> { times.windows(2).map(|pair| pair[1] - pair[0]).collect() };
    // Runs of one night, such as those of several machines, are closer than half a day.
    let mut usual: Vec<f64> = list_distances(&seconds)
        .into_iter()
        .filter(|distance| *distance > SECONDS_PER_DAY / 2)
        .map(|distance| distance as f64)
        .collect();
    let usual = compute_median_in_place(&mut usual).unwrap_or(0.0).max(SECONDS_PER_DAY as f64);
    let mut times = seconds;
    times.push(now.as_second());
    #[expect(clippy::cast_possible_truncation, reason = "a number of nights")]
    let count_missed = |distance: i64| (distance as f64 / usual).round() as i64 - 1;
    let to_gap = |(after, distance): (usize, i64)| {
        let nights = count_missed(distance);
        (nights > 0).then_some(NightGap { after, nights, was_run: false })
    };
    list_distances(&times).into_iter().enumerate().filter_map(to_gap).collect()
}

/// The longest window a level is taken from, for the words on the page.
pub(super) const TREND_WINDOWS: (usize, usize) = (LEVEL_WINDOW, BASELINE_WINDOW);
