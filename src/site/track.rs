//! One benchmark over all nights, hosts told apart, and where its level changed.

use std::collections::BTreeMap;

use super::night::{Night, NightCell, NightFigure};
use super::slug;
use crate::run::{BenchmarkId, Sampling};
use crate::stats::change_points::{self, MIN_SHIFT};

/// Confidence of the interval of a change's size.
const CONFIDENCE: f64 = 0.95;

/// Runs that a level at one night is taken from, at most.
pub(super) const LEVEL_WINDOW: usize = 7;

/// One benchmark over all nights.
#[derive(Clone, Debug)]
pub(crate) struct BenchmarkTrack<'a> {
    /// Which benchmark.
    pub(crate) id: BenchmarkId,
    /// What its files are called, without ending.
    pub(crate) slug: String,
    /// What one sample is, as of the last night.
    pub(crate) sampling: Sampling,
    /// Its cell of each night, none where it was not part of the run.
    pub(crate) cells: Vec<Option<&'a NightCell>>,
    /// Hosts it was measured on, the one of its last night first, then by number of runs.
    pub(crate) hosts: Vec<HostTrack>,
}

/// One benchmark on one host; never compared with another host.
#[derive(Clone, Debug)]
pub(crate) struct HostTrack {
    /// Fingerprint of the host.
    pub(crate) fingerprint: String,
    /// Places of its nights.
    pub(crate) nights: Vec<usize>,
    /// Natural logarithms of the medians, one for each night.
    pub(crate) lns: Vec<f64>,
    /// Where the level changed.
    pub(crate) changes: Vec<TrackChange>,
}

/// A shift of the level on one host.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TrackChange {
    /// Place of the first run of the new level among those of the host.
    pub(crate) index: usize,
    /// Night of the last run on the old level.
    pub(crate) before: usize,
    /// Night of the first run on the new level.
    pub(crate) after: usize,
    /// New level ÷ old level.
    pub(crate) ratio: f64,
    /// Its interval at 95 %.
    pub(crate) interval: (f64, f64),
    /// P-value of "the levels differ".
    pub(crate) p_value: f64,
    /// A slowdown from which the benchmark has not recovered.
    pub(crate) is_open: bool,
}

/// Every benchmark of `nights`, by id.
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
        let mut hosts: BTreeMap<&str, HostTrack> = BTreeMap::new();
        for (place, figure) in cells.iter().enumerate() {
            let Some(median) = figure.and_then(NightCell::median) else { continue };
            let fingerprint = nights[place].host.fingerprint.as_str();
            let host = hosts.entry(fingerprint).or_insert_with(|| HostTrack::new(fingerprint));
            host.nights.push(place);
            host.lns.push(median.ln());
        }
        let mut hosts: Vec<HostTrack> = hosts.into_values().collect();
        let last = hosts.iter().filter_map(|host| host.nights.last()).max().copied();
        hosts.sort_by_key(|host| {
            (host.nights.last().copied() != last, std::cmp::Reverse(host.nights.len()))
        });
        for host in &mut hosts {
            host.find_changes();
        }
        let latest = cells.iter().rev().find_map(|cell| *cell);
        let sampling = latest.map_or(Sampling::Call, |cell| cell.sampling);
        Self { slug: slug::build_slug(&id), id, sampling, cells, hosts }
    }

    /// The host of the last night: what the current level is about.
    pub(crate) fn main_host(&self) -> Option<&HostTrack> {
        self.hosts.first()
    }

    /// Figure number `metric` of [`super::SHOWN`] on a night.
    pub(crate) fn find_figure(&self, night: usize, metric: usize) -> Option<NightFigure> {
        self.cells[night].and_then(|cell| cell.figures[metric])
    }
}

impl HostTrack {
    fn new(fingerprint: &str) -> Self {
        Self {
            fingerprint: fingerprint.to_owned(),
            nights: Vec::new(),
            lns: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn find_changes(&mut self) {
        let medians: Vec<f64> = self.lns.iter().map(|ln| ln.exp()).collect();
        // Medians are positive and finite, which is all that can be refused.
        let found =
            change_points::find_change_points(&medians, MIN_SHIFT, CONFIDENCE).unwrap_or_default();
        let ratios: Vec<f64> = found.iter().map(|point| point.ratio).collect();
        self.changes = found
            .iter()
            .enumerate()
            .map(|(place, point)| TrackChange {
                index: point.index,
                before: self.nights[point.index - 1],
                after: self.nights[point.index],
                ratio: point.ratio,
                interval: point.interval,
                p_value: point.p_value,
                is_open: is_open(&ratios, place),
            })
            .collect();
    }

    /// First run of the level that run `index` is on, and the end of that level.
    pub(super) fn find_segment(&self, index: usize) -> std::ops::Range<usize> {
        let start = self.changes.iter().map(|change| change.index).rfind(|start| *start <= index);
        let end = self.changes.iter().map(|change| change.index).find(|start| *start > index);
        start.unwrap_or(0)..end.unwrap_or(self.lns.len())
    }

    /// The last runs of one level up to and with run `index`: at most [`LEVEL_WINDOW`].
    pub(super) fn select_level_before(&self, index: usize) -> &[f64] {
        let segment = self.find_segment(index);
        &self.lns[segment.start.max((index + 1).saturating_sub(LEVEL_WINDOW))..=index]
    }

    /// The first runs of one level from run `index` on: at most [`LEVEL_WINDOW`].
    pub(super) fn select_level_from(&self, index: usize) -> &[f64] {
        let segment = self.find_segment(index);
        &self.lns[index..segment.end.min(index + LEVEL_WINDOW)]
    }
}

/// A slowdown is open until a later level is back at the one before it.
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
