//! One benchmark over all nights, separated by host, with the points where its level changed and the
//! stretches in which it drifts.

use std::collections::BTreeMap;

use super::drift::TrackDrift;
use super::night::{Night, NightCell, NightFigure};
use super::slug;
use crate::run::{BenchmarkId, Sampling};
use crate::stats::change_points::MIN_SHIFT;
use crate::stats::drift::find_trend_changes;
use crate::units::Confidence;

/// Maximum number of runs that the level at one night is computed from.
pub(super) const LEVEL_WINDOW: usize = 7;

/// One benchmark over all nights.
#[derive(Clone, Debug)]
pub(crate) struct BenchmarkTrack<'a> {
    /// Name and package of the benchmark.
    pub(crate) id: BenchmarkId,
    /// File name of its pages and data, without extension.
    pub(crate) slug: String,
    /// What one sample is, as of the last night.
    pub(crate) sampling: Sampling,
    /// Its cell of each night; `None` if the run lacks the benchmark.
    pub(crate) cells: Vec<Option<&'a NightCell>>,
    /// The hosts that measured it. The host of the last night comes first, then those with the most
    /// runs.
    pub(crate) hosts: Vec<HostTrack>,
}

/// One benchmark on one host, under the same conditions. Figures of different hosts or under different
/// conditions are never compared.
#[derive(Clone, Debug)]
pub(crate) struct HostTrack {
    /// Fingerprint of the host.
    pub(crate) fingerprint: String,
    /// The conditions of the runs, in one line; empty if none were recorded.
    pub(crate) conditions: String,
    /// Indices of the nights that have a median from this host.
    pub(crate) nights: Vec<usize>,
    /// Natural logarithms of the medians in nanoseconds, one per night.
    pub(crate) lns: Vec<f64>,
    /// The points where the level changed.
    pub(crate) changes: Vec<TrackChange>,
    /// The stretches in which the level rises or falls from run to run.
    pub(crate) drifts: Vec<TrackDrift>,
}

/// A shift of the level on one host.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TrackChange {
    /// Index of the first run of the new level, among the runs of the host.
    pub(crate) index: usize,
    /// Night of the last run on the old level.
    pub(crate) before: usize,
    /// Night of the first run on the new level.
    pub(crate) after: usize,
    /// New level ÷ old level.
    pub(crate) ratio: f64,
    /// 95 % interval of the ratio.
    pub(crate) interval: (f64, f64),
    /// P-value of the test whether the levels differ.
    pub(crate) p_value: f64,
    /// Whether this is a slowdown from which the benchmark has not recovered.
    pub(crate) is_open: bool,
}

/// Returns the track of every benchmark in `nights`, ordered by id.
pub(crate) fn build_tracks(nights: &[Night]) -> Vec<BenchmarkTrack<'_>> {
    let mut cells: BTreeMap<BenchmarkId, Vec<Option<&NightCell>>> = BTreeMap::new();
    for (place, night) in nights.iter().enumerate() {
        for cell in &night.cells {
            let row = cells.entry(cell.benchmark_id()).or_insert_with(|| vec![None; nights.len()]);
            row[place] = Some(cell);
        }
    }
    cells.into_iter().map(|(id, cells)| BenchmarkTrack::new(id, cells, nights)).collect()
}

impl<'a> BenchmarkTrack<'a> {
    fn new(id: BenchmarkId, cells: Vec<Option<&'a NightCell>>, nights: &[Night]) -> Self {
        let mut hosts: BTreeMap<(&str, &str), HostTrack> = BTreeMap::new();
        for (place, cell) in cells.iter().enumerate() {
            let Some(cell) = cell else { continue };
            let Some(median) = cell.median() else { continue };
            let key = (nights[place].host.fingerprint.as_str(), cell.conditions.as_str());
            let host = hosts.entry(key).or_insert_with(|| HostTrack::new(key));
            host.nights.push(place);
            host.lns.push(median.ln());
        }
        let mut hosts: Vec<HostTrack> = hosts.into_values().collect();
        let last = hosts.iter().filter_map(|host| host.nights.last()).max().copied();
        hosts.sort_by_key(|host| {
            (host.nights.last().copied() != last, std::cmp::Reverse(host.nights.len()))
        });
        for host in &mut hosts {
            host.find_changes(nights);
        }
        let latest = cells.iter().rev().find_map(|cell| *cell);
        let sampling = latest.map_or(Sampling::Call, |cell| cell.sampling);
        Self { slug: slug::build_slug(&id), id, sampling, cells, hosts }
    }

    /// Returns the host of the last night, to which the current level refers, or `None` without
    /// runs.
    pub(crate) fn main_host(&self) -> Option<&HostTrack> {
        self.hosts.first()
    }

    /// Returns the figure on a night. `metric` is an index into [`super::night::SHOWN_METRICS`].
    pub(crate) fn find_figure(&self, night: usize, metric: usize) -> Option<NightFigure> {
        self.cells[night].and_then(|cell| cell.figures[metric])
    }
}

impl HostTrack {
    fn new((fingerprint, conditions): (&str, &str)) -> Self {
        Self {
            fingerprint: fingerprint.to_owned(),
            conditions: conditions.to_owned(),
            nights: Vec::new(),
            lns: Vec::new(),
            changes: Vec::new(),
            drifts: Vec::new(),
        }
    }

    fn find_changes(&mut self, nights: &[Night]) {
        let medians: Vec<f64> = self.lns.iter().map(|ln| ln.exp()).collect();
        // `find_trend_changes` refuses only medians that are not positive and finite, and these
        // are.
        let found =
            find_trend_changes(&medians, MIN_SHIFT, Confidence::DEFAULT.get()).unwrap_or_default();
        self.changes = found
            .steps
            .iter()
            .map(|point| TrackChange {
                index: point.index,
                before: self.nights[point.index - 1],
                after: self.nights[point.index],
                ratio: point.ratio,
                interval: point.interval,
                p_value: point.p_value,
                is_open: false,
            })
            .collect();
        let drifts = found.drifts.iter();
        self.drifts =
            drifts.map(|drift| TrackDrift::from_level_drift(drift, &self.nights, nights)).collect();
        self.mark_open_shifts();
    }

    /// Marks the steps and the drifts from which the level has not recovered.
    fn mark_open_shifts(&mut self) {
        let steps = self.changes.iter_mut().map(|one| (one.index, one.ratio, &mut one.is_open));
        let drifts =
            self.drifts.iter_mut().map(|one| (one.start, one.pace.total, &mut one.is_open));
        let mut shifts: Vec<(usize, f64, &mut bool)> = steps.chain(drifts).collect();
        shifts.sort_by_key(|(index, ..)| *index);
        let ratios: Vec<f64> = shifts.iter().map(|(_, ratio, _)| *ratio).collect();
        for (place, (.., is_marked)) in shifts.into_iter().enumerate() {
            *is_marked = is_open(&ratios, place);
        }
    }

    /// Returns the ratio of each step and each drift in all, in the order in which they begin, and
    /// whether it is open.
    pub(super) fn list_shifts(&self) -> Vec<(f64, bool)> {
        let steps = self.changes.iter().map(|one| (one.index, one.ratio, one.is_open));
        let drifts = self.drifts.iter().map(|one| (one.start, one.pace.total, one.is_open));
        let mut shifts: Vec<(usize, f64, bool)> = steps.chain(drifts).collect();
        shifts.sort_by_key(|(index, ..)| *index);
        shifts.into_iter().map(|(_, ratio, is_open)| (ratio, is_open)).collect()
    }

    /// Returns the range of runs on the same level as run `index`, or in the same drift.
    pub(super) fn find_segment(&self, index: usize) -> std::ops::Range<usize> {
        let starts = self.list_segment_starts();
        let place = starts.partition_point(|start| *start <= index);
        let end = starts.get(place).copied().unwrap_or(self.lns.len());
        starts[..place].last().copied().unwrap_or(0)..end
    }

    /// Returns the first run of each level and of each drift, in ascending order. The first is zero.
    pub(super) fn list_segment_starts(&self) -> Vec<usize> {
        let steps = self.changes.iter().map(|change| change.index);
        let drifts = self.drifts.iter().flat_map(|drift| [drift.start, drift.end]);
        let mut starts: Vec<usize> = std::iter::once(0).chain(steps).chain(drifts).collect();
        starts.retain(|start| *start < self.lns.len());
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    /// Returns the drift that run `index` is in.
    pub(super) fn find_drift(&self, index: usize) -> Option<&TrackDrift> {
        self.drifts.iter().find(|drift| (drift.start..drift.end).contains(&index))
    }

    /// Returns the last runs of one level up to and including run `index`, at most
    /// [`LEVEL_WINDOW`].
    pub(super) fn select_level_before(&self, index: usize) -> &[f64] {
        let segment = self.find_segment(index);
        &self.lns[segment.start.max((index + 1).saturating_sub(LEVEL_WINDOW))..=index]
    }

    /// Returns the first runs of one level starting with run `index`, at most [`LEVEL_WINDOW`].
    pub(super) fn select_level_from(&self, index: usize) -> &[f64] {
        let segment = self.find_segment(index);
        &self.lns[index..segment.end.min(index + LEVEL_WINDOW)]
    }
}

/// Returns whether change `place` is a slowdown and no later level is back at the level before it.
fn is_open(ratios: &[f64], place: usize) -> bool {
    let mut level = 1.0;
    ratios[place] > 1.0
        && ratios[place..].iter().all(|ratio| {
            level *= ratio;
            level > 1.0 + MIN_SHIFT
        })
}

#[cfg(test)]
mod tests {
    use super::is_open;

    #[test]
    fn a_slowdown_is_open_until_its_old_level_is_back() {
        assert!(is_open(&[1.10], 0));
        assert!(!is_open(&[0.90], 0));
        assert!(!is_open(&[1.10, 0.91], 0));
        assert!(is_open(&[1.10, 0.95], 0));
        assert!(is_open(&[1.10, 0.80, 1.05], 2));
        assert!(!is_open(&[1.10, 0.80, 1.30], 0));
    }
}
