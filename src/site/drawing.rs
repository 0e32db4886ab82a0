//! What the chart on the page of a benchmark is drawn from: columns as `encode` writes them, and marks.

use std::collections::HashMap;

use serde::Serialize;

use super::encode;
use super::night::{Figure, SHOWN};
use super::standing::Standing;
use super::track::{HostTrack, Track};
use super::{Material, Night};

/// Digits of a commit that tell it apart.
const DIGITS: usize = 12;

/// One slot a run with a figure, in commit order.
#[derive(Serialize)]
pub(super) struct Drawing<'a> {
    step: f64,
    count: usize,
    minutes: String,
    host: String,
    commit: String,
    run: String,
    launches: String,
    samples: String,
    warnings: String,
    metrics: Vec<Column>,
    hosts: Vec<String>,
    levels: Vec<Stretch>,
    changes: Vec<Mark>,
    releases: Vec<(&'a str, usize)>,
    breaks: Vec<(usize, i64)>,
    targets: Vec<(&'static str, f64)>,
    repository: Option<&'a str>,
}

#[derive(Serialize)]
struct Column {
    name: &'static str,
    point: String,
    low: String,
    high: String,
}

/// One level of p50 on one host: first and last slot, and the geometric mean in nanoseconds.
#[derive(Serialize)]
struct Stretch {
    host: usize,
    from: usize,
    to: usize,
    ns: f32,
}

/// A change point: last slot of the old level, first of the new one.
#[derive(Serialize)]
struct Mark {
    from: usize,
    slot: usize,
    host: usize,
    ratio: f64,
    low: f64,
    high: f64,
}

/// The drawing of one benchmark with these limits as lines.
pub(super) fn drawing<'a>(
    material: &'a Material<'_>,
    track: &'a Track<'_>,
    standing: &Standing,
    targets: Vec<(&'static str, f64)>,
) -> Drawing<'a> {
    let nights = &material.nights;
    let slots: Vec<usize> =
        (0..nights.len()).filter(|night| track.figure(*night, 0).is_some()).collect();
    let slot_of = |night: usize| slots.partition_point(|slot| *slot < night);
    let host_of = host_numbers(track);
    let whole = |number: usize| i64::try_from(number).ok();
    let cells = || slots.iter().filter_map(|night| track.cells[*night]);
    let of_nights = || slots.iter().map(|night| &nights[*night]);
    let digits = |text: &str| format!("{text:-<DIGITS$.DIGITS$}");
    let hosts = || track.hosts.iter().enumerate();
    Drawing {
        step: encode::STEP,
        count: slots.len(),
        minutes: encode::differences(of_nights().map(|n| Some(n.created.as_second() / 60))),
        host: encode::column(
            of_nights().map(|n| whole(*host_of.get(n.host.fingerprint.as_str())?)),
        ),
        commit: of_nights().map(|n| digits(n.commit_id().unwrap_or_default())).collect(),
        run: of_nights().map(|n| digits(&n.id)).collect(),
        launches: encode::differences(cells().map(|cell| Some(i64::from(cell.launches)))),
        samples: encode::differences(cells().map(|cell| i64::try_from(cell.samples).ok())),
        warnings: encode::column(of_nights().map(|n| whole(n.warnings.len()))),
        metrics: (0..SHOWN.len()).map(|metric| column(track, &slots, metric)).collect(),
        hosts: track.hosts.iter().filter_map(|host| host_name(host, nights)).collect(),
        levels: hosts().flat_map(|(number, host)| stretches(number, host, slot_of)).collect(),
        changes: hosts().flat_map(|(number, host)| marks(number, host, slot_of)).collect(),
        releases: releases(material, &slots),
        breaks: breaks(standing, &slots),
        targets,
        repository: material.repository.as_deref(),
    }
}

/// The hosts of a track by fingerprint, as they are numbered on its page.
pub(super) fn host_numbers<'a>(track: &'a Track<'_>) -> HashMap<&'a str, usize> {
    let hosts = track.hosts.iter().enumerate();
    hosts.map(|(number, host)| (host.fingerprint.as_str(), number)).collect()
}

fn host_name(host: &HostTrack, nights: &[Night]) -> Option<String> {
    let machine = &nights[*host.nights.last()?].host;
    let (model, cores) = (&machine.cpu_model, machine.cores);
    let plural = if cores == 1 { "" } else { "s" };
    Some(format!("{model}, {cores} core{plural} ({})", host.fingerprint))
}

fn stretches(number: usize, host: &HostTrack, slot_of: impl Fn(usize) -> usize) -> Vec<Stretch> {
    let starts = std::iter::once(0).chain(host.changes.iter().map(|change| change.index));
    let stretch = |start: usize| {
        let segment = host.segment(start);
        let lns = &host.lns[segment.clone()];
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough to draw from")]
        let ns = (lns.iter().sum::<f64>() / lns.len() as f64).exp() as f32;
        Stretch {
            host: number,
            from: slot_of(host.nights[segment.start]),
            to: slot_of(host.nights[segment.end - 1]),
            ns,
        }
    };
    starts.map(stretch).collect()
}

fn marks(number: usize, host: &HostTrack, slot_of: impl Fn(usize) -> usize) -> Vec<Mark> {
    let mark = |change: &super::Change| Mark {
        from: slot_of(change.before),
        slot: slot_of(change.after),
        host: number,
        ratio: change.ratio,
        low: change.interval.0,
        high: change.interval.1,
    };
    host.changes.iter().map(mark).collect()
}

fn releases<'a>(material: &'a Material<'_>, slots: &[usize]) -> Vec<(&'a str, usize)> {
    let place = |release: &'a super::Release| {
        let slot = slots.partition_point(|slot| *slot < release.night);
        (slot < slots.len()).then_some((release.name.as_str(), slot))
    };
    material.releases.iter().filter_map(place).collect()
}

/// After which slots how many nights are missing.
fn breaks(standing: &Standing, slots: &[usize]) -> Vec<(usize, i64)> {
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

fn column(track: &Track<'_>, slots: &[usize], metric: usize) -> Column {
    let figures = || slots.iter().map(|night| track.figure(*night, metric));
    let ln = |value: f32| encode::steps(Figure { point: value, low: None, high: None }.ln());
    Column {
        name: SHOWN[metric].name(),
        point: encode::differences(figures().map(|figure| Some(ln(figure?.point)))),
        low: encode::column(figures().map(|f| Some(ln(f?.point) - ln(f?.low?)))),
        high: encode::column(figures().map(|f| Some(ln(f?.high?) - ln(f?.point)))),
    }
}
