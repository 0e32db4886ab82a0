//! What is to be said about a benchmark tonight: its level, how it compares with earlier ones, and
//! what is not yet or cannot be known.

use jiff::Timestamp;

use super::track::{HostTrack, LEVEL_WINDOW, Track};
use super::{Material, Night, Release};
use crate::stats::summary::{Summary, median_in_place};
use crate::stats::welch;

/// Fewest runs on one host from which anything is concluded.
pub(super) const LEAST_RUNS: usize = 5;

/// Runs of the same level that a night is held against.
const BASELINE_WINDOW: usize = 20;

/// Robust standard deviations of that window that a night must leave it by.
const BEYOND: f64 = 3.0;

/// Median absolute deviation of a normal distribution, inverted.
const NORMAL_PER_MAD: f64 = 1.482_602_218_505_602;

const CONFIDENCE: f64 = 0.95;
const WEEK: i64 = 7;
const MONTH: i64 = 30;
const SECONDS_A_DAY: i64 = 86_400;

/// What is to be said about a benchmark tonight.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    /// In one word.
    pub(crate) state: State,
    /// Runs on the host of the last night.
    pub(crate) runs: usize,
    /// Current level with its interval over nights, in nanoseconds; none without runs.
    pub(crate) level: Option<Level>,
    /// Against a week ago.
    pub(crate) week: Option<Shift>,
    /// Against a month ago.
    pub(crate) month: Option<Shift>,
    /// Against the last release.
    pub(crate) release: Option<(String, Shift)>,
    /// The last nights against the median of those before.
    pub(crate) watch: Watch,
    /// Slower than the last release without a night to blame.
    pub(crate) creep: Option<Creep>,
    /// All open slowdowns together: current level ÷ the level before the first; 1 without any.
    pub(crate) open_ratio: f64,
    /// Nights on which a run was due and none came, and nights that ran without this benchmark.
    pub(crate) gaps: Vec<Gap>,
}

/// A benchmark in one word, worst first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
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
pub(crate) struct Level {
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
pub(crate) struct Shift {
    /// New ÷ old.
    pub(crate) ratio: f64,
    /// Its interval at 95 %; none where one of both is a single run.
    pub(crate) interval: Option<(f64, f64)>,
}

/// The last nights against the median of those before.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub(crate) enum Watch {
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
pub(crate) struct Creep {
    /// The release that is the anchor.
    pub(crate) release: String,
    /// Current level ÷ level at the anchor.
    pub(crate) shift: Shift,
}

/// Nights without a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Gap {
    /// The last night before them.
    pub(crate) after: usize,
    /// How many.
    pub(crate) nights: i64,
    /// True when a run was made and did not have this benchmark.
    pub(crate) was_run: bool,
}

impl Standing {
    /// What is to be said about `track`.
    pub(crate) fn of(track: &Track<'_>, material: &Material<'_>) -> Self {
        let gaps = gaps(track, &material.nights, material.now);
        let Some(host) = track.main_host() else { return Self::without_runs(gaps) };
        let last = host.nights.len() - 1;
        let is_absent = host.nights[last] + 1 < material.nights.len()
            && is_absent(track, host, &material.nights);
        let is_insufficient = host.nights.len() < LEAST_RUNS;
        let threshold = threshold(track, host, material);
        let release = last_release(host, &material.releases);
        let watch = if is_insufficient { Watch::Quiet } else { watch(host, threshold) };
        let creep = release.as_ref().and_then(|(name, index, shift)| {
            let is_slower = shift.interval.is_some_and(|(low, _)| low > threshold);
            let is_blamed = host.changes.iter().any(|c| c.index > *index && c.ratio > 1.0);
            let crept = is_slower && !is_blamed && !is_insufficient;
            crept.then(|| Creep { release: name.clone(), shift: *shift })
        });
        let ago = |days| shift_since(host, index_days_ago(host, &material.nights, days)?);
        let open_ratio = open_ratio(host);
        let state = match () {
            () if is_absent => State::Absent,
            () if is_insufficient => State::Insufficient,
            () if open_ratio > 1.0 => State::Slower,
            () if matches!(watch, Watch::Twice { .. }) => State::Watch,
            () if creep.is_some() => State::Creep,
            () if host.changes.last().is_some_and(|change| change.ratio < 1.0) => State::Faster,
            () => State::Steady,
        };
        Self {
            state,
            runs: host.nights.len(),
            level: level(host.level_before(last)),
            week: ago(WEEK),
            month: ago(MONTH),
            release: release.map(|(name, _, shift)| (name, shift)),
            watch,
            creep,
            open_ratio,
            gaps,
        }
    }

    fn without_runs(gaps: Vec<Gap>) -> Self {
        Self {
            state: State::Insufficient,
            runs: 0,
            level: None,
            week: None,
            month: None,
            release: None,
            watch: Watch::Quiet,
            creep: None,
            open_ratio: 1.0,
            gaps,
        }
    }
}

/// What the policy tolerates, as a ratio.
fn threshold(track: &Track<'_>, host: &HostTrack, material: &Material<'_>) -> f64 {
    let median = host.lns.last().and_then(|ln| crate::units::Nanos::new(ln.exp()).ok());
    1.0 + material.policy.rules(&track.id.id, median).threshold.get()
}

/// Whether a later run on the same host lacks the benchmark.
fn is_absent(track: &Track<'_>, host: &HostTrack, nights: &[Night]) -> bool {
    let last = host.nights.last().copied().unwrap_or(0);
    nights[last + 1..].iter().zip(&track.cells[last + 1..]).any(|(night, cell)| {
        let is_here = night.host.fingerprint == host.fingerprint;
        cell.is_some_and(|cell| cell.failure.is_some()) || (is_here && shares_suite(night, track))
    })
}

/// Whether a run without the benchmark is of the suite that it belongs to: same package and group.
fn shares_suite(night: &Night, track: &Track<'_>) -> bool {
    let group = |id: &str| id.split('/').next().unwrap_or(id).to_owned();
    let wanted = group(&track.id.id);
    night.cells.iter().any(|cell| cell.package == track.id.package && group(&cell.id) == wanted)
}

fn level(lns: &[f64]) -> Option<Level> {
    let summary = Summary::of(lns).ok()?;
    let margin = (lns.len() > 1).then(|| {
        let degrees = (lns.len() - 1) as f64;
        crate::stats::student::upper_quantile(0.5 * (1.0 - CONFIDENCE), degrees)
            * summary.standard_error()
    });
    let end = |sign: f64| margin.map(|margin| (summary.mean() + sign * margin).exp());
    Some(Level { point: summary.mean().exp(), low: end(-1.0), high: end(1.0), runs: lns.len() })
}

fn shift(old: &[f64], new: &[f64]) -> Option<Shift> {
    let (old, new) = (Summary::of(old).ok()?, Summary::of(new).ok()?);
    let ratio = old.difference(&new).exp();
    let interval = (old.count() > 1 && new.count() > 1).then(|| {
        let (low, high) = welch::welch_of_summaries(&old, &new).ok()?.interval(CONFIDENCE);
        Some((low.exp(), high.exp()))
    });
    Some(Shift { ratio, interval: interval.flatten() })
}

/// The current level against that of the runs up to and with run `then`.
fn shift_since(host: &HostTrack, then: usize) -> Option<Shift> {
    let last = host.nights.len() - 1;
    let now = host.level_before(last);
    // Windows that overlap would compare a night with itself.
    let now = &now[now.len().saturating_sub(last - then)..];
    shift(host.level_before(then), now)
}

/// The last run of the host that is `days` older than its latest.
fn index_days_ago(host: &HostTrack, nights: &[Night], days: i64) -> Option<usize> {
    let created = |index: usize| nights[host.nights[index]].created.as_second();
    let last = host.nights.len() - 1;
    // Half a day of grace: nights do not begin on the second.
    let until = created(last) - days * SECONDS_A_DAY + SECONDS_A_DAY / 2;
    (0..last).rev().find(|index| created(*index) <= until)
}

/// The last release that the host has enough runs of, its first run there, and the shift since.
fn last_release(host: &HostTrack, releases: &[Release]) -> Option<(String, usize, Shift)> {
    let last = host.nights.len().checked_sub(1)?;
    releases.iter().rev().find_map(|release| {
        let index = host.nights.iter().position(|night| *night >= release.night)?;
        let anchor = host.level_from(index);
        let now = host.level_before(last);
        let apart = (last + 1).checked_sub(index + anchor.len())?.min(now.len());
        let now = &now[now.len() - apart..];
        Some((release.name.clone(), index, shift(anchor, now)?))
    })
}

fn open_ratio(host: &HostTrack) -> f64 {
    let first = host.changes.iter().position(|change| change.is_open);
    first.map_or(1.0, |first| host.changes[first..].iter().map(|change| change.ratio).product())
}

/// Holds the last two nights against the median of the window before them.
fn watch(host: &HostTrack, threshold: f64) -> Watch {
    let count = host.lns.len();
    let segment = host.segment(count - 1);
    let end = count - 2;
    let start = segment.start.max(end.saturating_sub(BASELINE_WINDOW));
    if end < start + LEAST_RUNS - 2 {
        return Watch::Quiet;
    }
    let mut window = host.lns[start..end].to_vec();
    let Some(median) = median_in_place(&mut window) else { return Watch::Quiet };
    let mut distances: Vec<f64> = window.iter().map(|ln| (ln - median).abs()).collect();
    let spread = NORMAL_PER_MAD * median_in_place(&mut distances).unwrap_or(0.0);
    let limit = threshold.ln().max(BEYOND * spread);
    let [before, last] = [host.lns[end] - median, host.lns[end + 1] - median];
    match (before > limit, last > limit) {
        (true, true) => Watch::Twice { ratio: before.min(last).exp() },
        (false, true) => Watch::Once { ratio: last.exp() },
        _ => Watch::Quiet,
    }
}

/// Nights without a figure: due but not run, or run without this benchmark.
fn gaps(track: &Track<'_>, nights: &[Night], now: Timestamp) -> Vec<Gap> {
    let mut gaps = missing_nights(nights, now);
    let mut absent: Option<Gap> = None;
    let first = track.cells.iter().position(Option::is_some).unwrap_or(0);
    for (place, cell) in track.cells.iter().enumerate().skip(first) {
        if cell.is_some_and(|cell| cell.median().is_some()) {
            gaps.extend(absent.take());
        } else if cell.is_some() || shares_suite(&nights[place], track) {
            let gap = absent.get_or_insert(Gap {
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
pub(super) fn missing_nights(nights: &[Night], now: Timestamp) -> Vec<Gap> {
    if nights.len() < LEAST_RUNS {
        return Vec::new();
    }
    let seconds: Vec<i64> = nights.iter().map(|night| night.created.as_second()).collect();
    let distances =
        |times: &[i64]| -> Vec<i64> { times.windows(2).map(|pair| pair[1] - pair[0]).collect() };
    // Runs of one night, such as those of several machines, are closer than half a day.
    let mut usual: Vec<f64> = distances(&seconds)
        .into_iter()
        .filter(|distance| *distance > SECONDS_A_DAY / 2)
        .map(|distance| distance as f64)
        .collect();
    let usual = median_in_place(&mut usual).unwrap_or(0.0).max(SECONDS_A_DAY as f64);
    let mut times = seconds;
    times.push(now.as_second());
    #[expect(clippy::cast_possible_truncation, reason = "a number of nights")]
    let missed = |distance: i64| (distance as f64 / usual).round() as i64 - 1;
    let is_gap = |(after, distance): (usize, i64)| {
        let nights = missed(distance);
        (nights > 0).then_some(Gap { after, nights, was_run: false })
    };
    distances(&times).into_iter().enumerate().filter_map(is_gap).collect()
}

/// The longest window a level is taken from, for the words on the page.
pub(super) const WINDOWS: (usize, usize) = (LEVEL_WINDOW, BASELINE_WINDOW);
