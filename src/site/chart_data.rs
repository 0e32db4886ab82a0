//! The data of the chart on a benchmark's page: encoded columns (see `encode`) and marks.

use std::collections::HashMap;

use serde::Serialize;

use super::encode;
use super::night::{NightCell, NightFigure, SHOWN_METRICS};
use super::standing::BenchmarkStanding;
use super::track::{BenchmarkTrack, HostTrack};
use super::{Night, SiteInput};

/// Number of digits shown of a commit or run id.
const DIGITS: usize = 12;

/// Columns with one slot per run that has a figure, in commit order, and the marks between them.
#[derive(Serialize)]
pub(super) struct ChartData<'a> {
    step: f64,
    count: usize,
    minutes: String,
    host: String,
    commit: String,
    run: String,
    launches: String,
    samples: String,
    notes: String,
    metrics: Vec<MetricColumn>,
    hosts: Vec<String>,
    levels: Vec<LevelSpan>,
    changes: Vec<ChangeMark>,
    releases: Vec<(&'a str, usize)>,
    breaks: Vec<(usize, i64)>,
    targets: Vec<(&'static str, f64)>,
    repository: Option<&'a str>,
}

/// The encoded figures of one metric: logarithms of the points, and the distances of the interval
/// ends from them.
#[derive(Serialize)]
struct MetricColumn {
    name: &'static str,
    point: String,
    low: String,
    high: String,
}

/// One level or drift of p50 on one host: its first and last slot, and the level at both, in
/// nanoseconds.
#[derive(Serialize)]
struct LevelSpan {
    host: usize,
    from: usize,
    to: usize,
    ns: f32,
    end_ns: f32,
}

/// A change point: last slot of the old level, first slot of the new one.
#[derive(Serialize)]
struct ChangeMark {
    from: usize,
    slot: usize,
    host: usize,
    ratio: f64,
    low: f64,
    high: f64,
}

/// Builds the chart of one benchmark, with `targets` (metric and limit in nanoseconds) as lines.
pub(super) fn build_chart_data<'a>(
    material: &'a SiteInput<'_>,
    track: &'a BenchmarkTrack<'_>,
    standing: &BenchmarkStanding,
    targets: Vec<(&'static str, f64)>,
) -> ChartData<'a> {
    let nights = &material.nights;
    // A slot is a night that has a p50; all columns and marks count in slots.
    let slots: Vec<usize> =
        (0..nights.len()).filter(|night| track.find_figure(*night, 0).is_some()).collect();
    let slot_nights: Vec<&Night> = slots.iter().map(|night| &nights[*night]).collect();
    let cells: Vec<&NightCell> = slots.iter().filter_map(|night| track.cells[*night]).collect();
    let host_of = number_hosts(track);
    ChartData {
        step: encode::LN_STEP,
        count: slots.len(),
        minutes: encode::encode_differences(
            slot_nights.iter().map(|n| Some(n.created.as_second() / 60)),
        ),
        host: encode::encode_column(
            slots.iter().map(|night| i64::try_from(*host_of.get(night)?).ok()),
        ),
        commit: slot_nights.iter().map(|n| pad_digits(n.commit_id().unwrap_or_default())).collect(),
        run: slot_nights.iter().map(|n| pad_digits(&n.id)).collect(),
        launches: encode::encode_differences(
            cells.iter().map(|cell| Some(i64::from(cell.launches))),
        ),
        samples: encode::encode_differences(
            cells.iter().map(|cell| i64::try_from(cell.samples).ok()),
        ),
        notes: encode::encode_column(slot_nights.iter().map(|n| i64::try_from(n.notes.len()).ok())),
        metrics: (0..SHOWN_METRICS.len())
            .map(|metric| encode_metric(track, &slots, metric))
            .collect(),
        hosts: track.hosts.iter().filter_map(|host| describe_host(host, nights)).collect(),
        levels: (track.hosts.iter().enumerate())
            .flat_map(|(number, host)| build_level_spans(number, host, &slots))
            .collect(),
        changes: (track.hosts.iter().enumerate())
            .flat_map(|(number, host)| build_change_marks(number, host, &slots))
            .collect(),
        releases: locate_releases(material, &slots),
        breaks: find_breaks(standing, &slots),
        targets,
        repository: material.repository.as_deref(),
    }
}

/// Returns the slot of `night`, or of the first night after it that has one.
///
/// Returns the number of slots if no such night has one.
fn find_slot(slots: &[usize], night: usize) -> usize {
    slots.partition_point(|slot| *slot < night)
}

/// Returns the first [`DIGITS`] digits of an id. A shorter id is filled up with `-`.
fn pad_digits(id: &str) -> String {
    format!("{id:-<DIGITS$.DIGITS$}")
}

/// Returns the number on its page of the host that measured a track, by night.
pub(super) fn number_hosts(track: &BenchmarkTrack<'_>) -> HashMap<usize, usize> {
    let hosts = track.hosts.iter().enumerate();
    hosts.flat_map(|(number, host)| host.nights.iter().map(move |night| (*night, number))).collect()
}

fn describe_host(host: &HostTrack, nights: &[Night]) -> Option<String> {
    let machine = &nights[*host.nights.last()?].host;
    let (model, cores) = (&machine.cpu_model, machine.cores);
    let plural = if cores == 1 { "" } else { "s" };
    let conditions = match host.conditions.as_str() {
        "" => String::new(),
        conditions => format!(", {conditions}"),
    };
    Some(format!("{model}, {cores} core{plural} ({}{conditions})", host.fingerprint))
}

fn build_level_spans(number: usize, host: &HostTrack, slots: &[usize]) -> Vec<LevelSpan> {
    let starts = host.list_segment_starts().into_iter();
    starts
        .map(|start| {
            let segment = host.find_segment(start);
            let lns = &host.lns[segment.clone()];
            let mean = lns.iter().sum::<f64>() / lns.len() as f64;
            let slope = host.find_drift(start).map_or(0.0, |drift| drift.pace.per_run.ln());
            let half_rise = 0.5 * slope * (lns.len() - 1) as f64;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "seven digits are enough to draw from"
            )]
            let to_ns = |ln: f64| ln.exp() as f32;
            LevelSpan {
                host: number,
                from: find_slot(slots, host.nights[segment.start]),
                to: find_slot(slots, host.nights[segment.end - 1]),
                ns: to_ns(mean - half_rise),
                end_ns: to_ns(mean + half_rise),
            }
        })
        .collect()
}

fn build_change_marks(number: usize, host: &HostTrack, slots: &[usize]) -> Vec<ChangeMark> {
    host.changes
        .iter()
        .map(|change| ChangeMark {
            from: find_slot(slots, change.before),
            slot: find_slot(slots, change.after),
            host: number,
            ratio: change.ratio,
            low: change.interval.0,
            high: change.interval.1,
        })
        .collect()
}

fn locate_releases<'a>(material: &'a SiteInput<'_>, slots: &[usize]) -> Vec<(&'a str, usize)> {
    let places = material
        .releases
        .iter()
        .map(|release| (release.name.as_str(), find_slot(slots, release.night)));
    places.filter(|(_, slot)| *slot < slots.len()).collect()
}

/// Returns the slots that a gap follows, each with the number of missing nights.
fn find_breaks(standing: &BenchmarkStanding, slots: &[usize]) -> Vec<(usize, i64)> {
    let mut breaks: Vec<(usize, i64)> = Vec::new();
    for gap in &standing.gaps {
        let Some(slot) = slots.partition_point(|slot| *slot <= gap.after).checked_sub(1) else {
            continue;
        };
        match breaks.last_mut() {
            Some(last) if last.0 == slot => last.1 += gap.nights,
            _ => breaks.push((slot, gap.nights)),
        }
    }
    breaks
}

fn encode_metric(track: &BenchmarkTrack<'_>, slots: &[usize], metric: usize) -> MetricColumn {
    let figures: Vec<Option<NightFigure>> =
        slots.iter().map(|night| track.find_figure(*night, metric)).collect();
    MetricColumn {
        name: SHOWN_METRICS[metric].name(),
        point: encode::encode_differences(
            figures.iter().map(|figure| Some(round_ln(figure.as_ref()?.point))),
        ),
        low: encode::encode_column(figures.iter().map(|figure| {
            let figure = figure.as_ref()?;
            Some(round_ln(figure.point) - round_ln(figure.low?))
        })),
        high: encode::encode_column(figures.iter().map(|figure| {
            let figure = figure.as_ref()?;
            Some(round_ln(figure.high?) - round_ln(figure.point))
        })),
    }
}

/// Returns the natural logarithm of a duration in nanoseconds, in steps of [`encode::LN_STEP`].
fn round_ln(ns: f32) -> i64 {
    encode::round_to_steps(NightFigure { point: ns, low: None, high: None }.ln())
}
