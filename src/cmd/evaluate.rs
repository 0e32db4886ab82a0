//! `perfgate evaluate`: how often the decision is wrong.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::thread;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{ExitStatus, Refusal, files, gate};
use crate::cli::{EvaluateArgs, Expect, TableFormat};
use crate::evaluate::{
    Cell, Expected, Extent, Labelled, MACHINES_HEAD, PeerCell, RecordingError, Replay, SCENARIOS,
    SERIES_HEAD, Scenario, Table, labelled, launches_of_one_code, machines, series, simulate,
    table,
};
use crate::measure::Selection;
use crate::policy::{Config, Policy};
use crate::units::Share;

/// Everything that was found.
#[derive(Default, Serialize)]
struct Findings {
    cells: Vec<Cell>,
    peers: Vec<PeerCell>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labelled: BTreeMap<String, Labelled>,
}

/// Replays what was asked for and prints the rates.
pub(super) fn run(args: &EvaluateArgs) -> Result<ExitStatus> {
    let policies = policies(args)?;
    let effects: Vec<f64> = args.effects.iter().map(|effect| effect.get()).collect();
    let mut findings = Findings::default();
    simulated(args, &effects, &policies, &mut findings)?;
    recorded(args, &effects, &policies, &mut findings)?;
    if let ([baseline, candidate], Some(expect)) = (args.labelled.as_slice(), args.expect) {
        let (baseline, candidate) = (files::read_run(baseline)?, files::read_run(candidate)?);
        findings.labelled = labelled(&baseline, &candidate, expected(expect), &policies);
    }
    print(&findings, args.format)?;
    Ok(ExitStatus::Pass)
}

/// The policy that was asked for, else the defaults and the strict one.
fn policies(args: &EvaluateArgs) -> Result<Vec<(String, Policy)>> {
    if args.threshold.is_some() || args.detect.is_some() {
        return Ok(vec![policy(args.threshold, args.detect)?]);
    }
    let strict = [0.0, 0.02].map(|share| Share::new(share).ok());
    Ok(vec![policy(None, None)?, policy(strict[0], strict[1])?])
}

fn policy(threshold: Option<Share>, detect: Option<Share>) -> Result<(String, Policy)> {
    let mut config = Config::default();
    config.gate.threshold = threshold;
    config.gate.detect = detect;
    let policy = Policy::new(&config, &BTreeMap::new(), Selection::default())
        .map_err(|error| gate::refused(&error))?;
    let rules = policy.rules("any", None);
    let percent = |share: Share| format!("{} %", (share.get() * 1e4).round() / 100.0);
    Ok((format!("{} / {}", percent(rules.threshold), percent(rules.detect)), policy))
}

fn simulated(
    args: &EvaluateArgs,
    effects: &[f64],
    policies: &[(String, Policy)],
    findings: &mut Findings,
) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let extent = Extent { suites: args.suites, seed: args.seed, effects, policies, threads };
    for scenario in scenarios(args)? {
        let bar = progress(scenario.name, args.suites);
        let (cells, peers) = simulate(&scenario, &extent, &|done| bar.set_position(done));
        bar.finish_and_clear();
        findings.cells.extend(cells);
        findings.peers.extend(peers);
    }
    Ok(())
}

/// Those that were named; all, if nothing at all was asked for.
fn scenarios(args: &EvaluateArgs) -> Result<Vec<Scenario>> {
    let asks_for_records = !args.data.is_empty() || args.aa.is_some() || !args.labelled.is_empty();
    if args.scenario.is_empty() {
        return Ok(if asks_for_records { Vec::new() } else { SCENARIOS.to_vec() });
    }
    let named = |name: &String| {
        Scenario::named(name).ok_or_else(|| {
            let known: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            let unknown = Refusal::usage(format!("there is no scenario `{name}`"));
            unknown.help(format!("known are {}", known.join(", "))).into()
        })
    };
    args.scenario.iter().map(named).collect()
}

fn recorded(
    args: &EvaluateArgs,
    effects: &[f64],
    policies: &[(String, Policy)],
    findings: &mut Findings,
) -> Result<()> {
    let replay = Replay { deals: args.suites, seed: args.seed, effects, policies };
    for path in &args.data {
        let bar = progress(&path.display().to_string(), 1);
        findings.cells.extend(recording(path, &replay)?);
        bar.finish_and_clear();
    }
    if let Some(path) = &args.aa {
        let cells = launches_of_one_code(&files::read_run(path)?, &replay);
        if cells.is_empty() {
            let few = Refusal::usage(format!("run `{}` has too few launches", path.display()));
            return Err(few.help("ten or more a benchmark; eighty give it a history too").into());
        }
        findings.cells.extend(cells);
    }
    Ok(())
}

fn recording(path: &Path, replay: &Replay<'_>) -> Result<Vec<Cell>> {
    let table = Table::read(path).map_err(|error| unusable(&error))?;
    let cells = match table.head() {
        SERIES_HEAD => series(&table, replay),
        MACHINES_HEAD => machines(&table, replay),
        other => {
            let unknown = Refusal::usage(format!("`{}` begins with `{other}`", path.display()));
            return Err(unknown
                .help(format!("known are {SERIES_HEAD} and {MACHINES_HEAD}"))
                .into());
        }
    };
    cells.map_err(|error| unusable(&error))
}

fn unusable(error: &RecordingError) -> anyhow::Error {
    Refusal::usage(error).into()
}

fn expected(expect: Expect) -> Expected {
    match expect {
        Expect::Unchanged => Expected::Unchanged,
        Expect::Regressed => Expected::Regressed,
        Expect::Improved => Expected::Improved,
    }
}

/// A bar on a terminal, one line elsewhere.
fn progress(what: &str, steps: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        let _ = writeln!(io::stderr(), "evaluating {what}");
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} suites, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps).with_style(style).with_message(what.to_owned())
}

fn print(findings: &Findings, format: TableFormat) -> Result<()> {
    let mut out = io::stdout().lock();
    let layout = match format {
        TableFormat::Json => {
            serde_json::to_writer_pretty(&mut out, findings)?;
            writeln!(out)?;
            return Ok(());
        }
        TableFormat::Text => table::Layout::Text,
        TableFormat::Markdown => table::Layout::Markdown,
    };
    let mut tables = Vec::new();
    if !findings.cells.is_empty() {
        tables.push(table::cells(&findings.cells, layout));
    }
    if !findings.peers.is_empty() {
        tables.push(table::peers(&findings.peers, layout));
    }
    for (policy, Labelled { right, wrong, inconclusive }) in &findings.labelled {
        tables
            .push(format!("{policy}: {right} right, {wrong} wrong, {inconclusive} inconclusive\n"));
    }
    write!(out, "{}", tables.join("\n"))?;
    Ok(())
}
