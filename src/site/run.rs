//! The content of a run's page: all its figures, compared with the run before.

use serde::Serialize;

use super::night::{NightCell, NightFigure};
use super::overview::{NightName, format_date};
use super::slug;
use super::{LevelShift, Night, SiteInput};
use crate::host::Host;
use crate::note::{FailureReason, Note};
use crate::run::Sampling;

/// The page of one run, as its template reads it.
#[derive(Serialize)]
pub(super) struct RunPage<'a> {
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
    notes: &'a [Note],
    before: Option<NightName>,
    after: Option<NightName>,
    compared_with: Option<NightName>,
    rows: Vec<RunRow<'a>>,
}

/// One benchmark on the page of a run.
#[derive(Serialize)]
struct RunRow<'a> {
    id: &'a str,
    package: Option<&'a str>,
    page: String,
    is_batch: bool,
    launches: u32,
    samples: u64,
    figures: [Option<NightFigure>; 4],
    change: Option<LevelShift>,
    failure: Option<&'a FailureReason>,
}

/// Returns the nights that a run's page depends on: the one before, the one after, and the last one
/// before it on the same host.
pub(super) fn find_neighbours(nights: &[Night], place: usize) -> [Option<usize>; 3] {
    let host = &nights[place].host.fingerprint;
    let same_host = nights[..place].iter().rposition(|night| night.host.fingerprint == *host);
    let after = (place + 1 < nights.len()).then_some(place + 1);
    [place.checked_sub(1), after, same_host]
}

/// Builds the page of the run with index `place`.
pub(super) fn build_run_page<'a>(material: &'a SiteInput<'_>, place: usize) -> RunPage<'a> {
    let night = &material.nights[place];
    let [before, after, same_host] = find_neighbours(&material.nights, place);
    let night_name = |place: usize| NightName::from_night(&material.nights[place]);
    let earlier: &[NightCell] = same_host.map_or(&[], |place| &material.nights[place].cells);
    let link = material.repository.as_deref().zip(night.commit_id());
    RunPage {
        title: &material.title,
        depth: "../",
        date: format_date(night),
        created: night.created.to_string(),
        commit: night.commit_id(),
        branch: night.commit.as_ref().and_then(|commit| commit.branch.as_deref()),
        link: link.map(|(address, commit)| format!("{address}/commit/{commit}")),
        host: &night.host,
        complete: night.complete,
        command: night.command.as_deref(),
        notes: &night.notes,
        before: before.map(night_name),
        after: after.map(night_name),
        compared_with: same_host.map(night_name),
        rows: night.cells.iter().map(|cell| build_run_row(cell, earlier)).collect(),
    }
}

fn build_run_row<'a>(cell: &'a NightCell, earlier: &[NightCell]) -> RunRow<'a> {
    let same = earlier.iter().find(|old| {
        old.id == cell.id && old.package == cell.package && old.conditions == cell.conditions
    });
    let old = same.and_then(NightCell::median);
    let change = old
        .zip(cell.median())
        .map(|(old, new)| LevelShift { ratio: (new.ln() - old.ln()).exp(), interval: None });
    RunRow {
        id: &cell.id,
        package: cell.package.as_deref(),
        page: slug::format_page_path(&cell.benchmark_id()),
        is_batch: cell.sampling == Sampling::Batch,
        launches: cell.launches,
        samples: cell.samples,
        figures: cell.figures,
        change,
        failure: cell.failure.as_ref(),
    }
}
