//! What the page of a run shows: all its figures, and what they were the run before.

use serde::Serialize;

use super::names;
use super::night::{Cell, Figure};
use super::overview::{NightName, date};
use super::{Material, Night, Shift};
use crate::host::Host;
use crate::run::Sampling;

#[derive(Serialize)]
pub(super) struct Page<'a> {
    title: &'a str,
    depth: &'static str,
    date: String,
    created: String,
    commit: Option<&'a str>,
    branch: Option<&'a str>,
    link: Option<String>,
    host: &'a Host,
    complete: bool,
    command: Option<&'a str>,
    warnings: &'a [String],
    before: Option<NightName>,
    after: Option<NightName>,
    compared_with: Option<NightName>,
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    package: Option<&'a str>,
    page: String,
    is_batch: bool,
    launches: u32,
    samples: u64,
    figures: [Option<Figure>; 4],
    change: Option<Shift>,
    failure: Option<&'a str>,
}

/// Nights whose content a run's page depends on: its neighbours, and the run before on its host.
pub(super) fn neighbours(nights: &[Night], place: usize) -> [Option<usize>; 3] {
    let host = &nights[place].host.fingerprint;
    let same = nights[..place].iter().rposition(|night| night.host.fingerprint == *host);
    let after = (place + 1 < nights.len()).then_some(place + 1);
    [place.checked_sub(1), after, same]
}

pub(super) fn page<'a>(material: &'a Material<'_>, place: usize) -> Page<'a> {
    let night = &material.nights[place];
    let [before, after, same] = neighbours(&material.nights, place);
    let name = |place: usize| NightName::of(&material.nights[place]);
    let earlier: &[Cell] = same.map_or(&[], |place| &material.nights[place].cells);
    let link = material.repository.as_deref().zip(night.commit_id());
    Page {
        title: &material.title,
        depth: "../",
        date: date(night),
        created: night.created.to_string(),
        commit: night.commit_id(),
        branch: night.commit.as_ref().and_then(|commit| commit.branch.as_deref()),
        link: link.map(|(address, commit)| format!("{address}/commit/{commit}")),
        host: &night.host,
        complete: night.complete,
        command: night.command.as_deref(),
        warnings: &night.warnings,
        before: before.map(name),
        after: after.map(name),
        compared_with: same.map(name),
        rows: night.cells.iter().map(|cell| row(cell, earlier)).collect(),
    }
}

fn row<'a>(cell: &'a Cell, earlier: &[Cell]) -> Row<'a> {
    let is_same = |other: &&Cell| other.id == cell.id && other.package == cell.package;
    let old = earlier.iter().find(is_same).and_then(Cell::median);
    let change = old
        .zip(cell.median())
        .map(|(old, new)| Shift { ratio: (new.ln() - old.ln()).exp(), interval: None });
    Row {
        id: &cell.id,
        package: cell.package.as_deref(),
        page: format!("bench/{}.html", names::slug(&cell.identity())),
        is_batch: cell.sampling == Sampling::Batch,
        launches: cell.launches,
        samples: cell.samples,
        figures: cell.figures,
        change,
        failure: cell.failure.as_deref(),
    }
}
