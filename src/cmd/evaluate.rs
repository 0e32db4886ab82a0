//! `perfgate evaluate`: measures how often the decision is wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;

use anyhow::Result;
use serde::Serialize;

use crate::cli::{EvaluateArgs, ExpectArg, TableFormat};
use crate::evaluate::{
    ExpectedChange, LabelledCounts, MACHINES_HEAD, PeerCell, RateCell, RecordingError,
    RecordingTable, ReplayPlan, SCENARIOS, SERIES_HEAD, Scenario, SimulationPlan,
    evaluate_labelled, evaluate_machines, evaluate_series, evaluate_unchanged_launches,
    simulate_scenario, table,
};
use crate::policy::{Config, Policy};
use crate::selection::Selection;
use crate::session::progress::start_evaluation_bar;
use crate::session::settings::explain_policy_error;
use crate::session::{CommandError, ExitStatus, print, read_run};
use crate::units::Percent;

/// The results of all simulations and replays.
#[derive(Default, Serialize)]
struct EvaluationResults {
    /// Rates of simulated scenarios and of replayed recordings.
    cells: Vec<RateCell>,
    /// Rates of simple rules of other tools, on the simulated data.
    peers: Vec<PeerCell>,
    /// Counts per policy for the pair of runs of `--labelled`; empty without one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labelled: BTreeMap<String, LabelledCounts>,
}

/// Simulates and replays what the command line asks for, and prints the rates.
///
/// Fails if a policy or a scenario is not valid, or if a recording cannot be read.
pub(super) fn run_evaluate(args: &EvaluateArgs) -> Result<ExitStatus> {
    let policies = choose_policies(args)?;
    let effects: Vec<f64> = args.effects.iter().map(|effect| effect.get()).collect();
    let mut results = EvaluationResults::default();
    simulate_scenarios(args, &effects, &policies, &mut results)?;
    replay_recordings(args, &effects, &policies, &mut results)?;
    if let ([baseline, candidate], Some(expect)) = (args.labelled.as_slice(), args.expect) {
        let (baseline, candidate) = (read_run(baseline)?, read_run(candidate)?);
        results.labelled = evaluate_labelled(&baseline, &candidate, to_expected(expect), &policies);
    }
    print_results(&results, args.format)?;
    Ok(ExitStatus::Pass)
}

/// Returns the policy of the command line, or else two policies: the default and a strict one.
///
/// The strict policy tolerates no slowdown and detects 2 %.
fn choose_policies(args: &EvaluateArgs) -> Result<Vec<(String, Policy)>> {
    if args.threshold.is_some() || args.detect.is_some() {
        return Ok(vec![build_policy(args.threshold, args.detect)?]);
    }
    let strict = [0.0, 0.02].map(|share| Percent::new(share).ok());
    Ok(vec![build_policy(None, None)?, build_policy(strict[0], strict[1])?])
}

/// Builds a policy and its label, `THRESHOLD / DETECT` in percent. `None` stands for the default.
fn build_policy(threshold: Option<Percent>, detect: Option<Percent>) -> Result<(String, Policy)> {
    let mut config = Config::default();
    config.gate.threshold = threshold;
    config.gate.detect = detect;
    let policy = Policy::new(&config, &BTreeMap::new(), Selection::default())
        .map_err(|error| explain_policy_error(&error))?;
    let rules = policy.resolve_rules("any", None);
    let format_percent = |share: Percent| format!("{} %", (share.get() * 1e4).round() / 100.0);
    Ok((format!("{} / {}", format_percent(rules.threshold), format_percent(rules.detect)), policy))
}

fn simulate_scenarios(
    args: &EvaluateArgs,
    effects: &[f64],
    policies: &[(String, Policy)],
    results: &mut EvaluationResults,
) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let plan = SimulationPlan {
        suites: args.suites,
        seed: args.seed,
        effects,
        policies,
        suite_size: usize::from(args.benchmarks),
        horizon: args.horizon,
        threads,
    };
    for scenario in select_scenarios(args)? {
        let bar = start_evaluation_bar(scenario.name, args.suites);
        let (cells, peers) = simulate_scenario(&scenario, &plan, &|done| bar.set_position(done));
        bar.finish_and_clear();
        results.cells.extend(cells);
        results.peers.extend(peers);
    }
    Ok(())
}

/// Returns the scenarios that `--scenario` names.
///
/// Without the flag, returns none if recordings are to be replayed, and all otherwise. Fails if a
/// name is unknown.
fn select_scenarios(args: &EvaluateArgs) -> Result<Vec<Scenario>> {
    let asks_for_records = !args.data.is_empty() || args.aa.is_some() || !args.labelled.is_empty();
    if args.scenario.is_empty() {
        return Ok(if asks_for_records { Vec::new() } else { SCENARIOS.to_vec() });
    }
    let selected = args.scenario.iter().map(|name| {
        Scenario::from_name(name).ok_or_else(|| {
            let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            let error = CommandError::new_usage(format!("there is no scenario `{name}`"));
            error.with_help(format!("the scenarios are {}", names.join(", "))).into()
        })
    });
    selected.collect()
}

/// Replays the recordings of `--data` and the run of `--aa`.
///
/// Fails if a file cannot be read, or if the run has too few launches.
fn replay_recordings(
    args: &EvaluateArgs,
    effects: &[f64],
    policies: &[(String, Policy)],
    results: &mut EvaluationResults,
) -> Result<()> {
    // The cells of the recordings come before those of the run, in the order of the command line.
    let replay = ReplayPlan { deals: args.suites, seed: args.seed, effects, policies };
    for path in &args.data {
        let bar = start_evaluation_bar(&path.display().to_string(), 1);
        results.cells.extend(replay_recording(path, &replay)?);
        bar.finish_and_clear();
    }
    if let Some(path) = &args.aa {
        let cells = evaluate_unchanged_launches(&read_run(path)?, &replay);
        if cells.is_empty() {
            let error =
                CommandError::new_usage(format!("run `{}` has too few launches", path.display()));
            return Err(error
                .with_help(
                    "measure at least ten launches per benchmark; eighty also give it a history",
                )
                .into());
        }
        results.cells.extend(cells);
    }
    Ok(())
}

/// Replays one recording. The header of the table names the kind of recording.
fn replay_recording(path: &Path, replay: &ReplayPlan<'_>) -> Result<Vec<RateCell>> {
    let table = RecordingTable::read(path).map_err(|error| explain_recording_error(&error))?;
    let cells = match table.head() {
        SERIES_HEAD => evaluate_series(&table, replay),
        MACHINES_HEAD => evaluate_machines(&table, replay),
        other => {
            let error = CommandError::new_usage(format!(
                "`{}` is not a recording: it begins with `{other}`",
                path.display()
            ));
            return Err(error
                .with_help(format!("begin it with {SERIES_HEAD} or {MACHINES_HEAD}"))
                .into());
        }
    };
    cells.map_err(|error| explain_recording_error(&error))
}

fn explain_recording_error(error: &RecordingError) -> anyhow::Error {
    CommandError::new_usage(error).into()
}

fn to_expected(expect: ExpectArg) -> ExpectedChange {
    match expect {
        ExpectArg::Unchanged => ExpectedChange::Unchanged,
        ExpectArg::Regressed => ExpectedChange::Regressed,
        ExpectArg::Improved => ExpectedChange::Improved,
    }
}

fn print_results(results: &EvaluationResults, format: TableFormat) -> Result<()> {
    let layout = match format {
        TableFormat::Json => {
            return print::print_answer(&(serde_json::to_string_pretty(results)? + "\n"));
        }
        TableFormat::Text => table::TableLayout::Text,
        TableFormat::Markdown => table::TableLayout::Markdown,
    };
    // Tables without rows are left out.
    let mut tables = Vec::new();
    if !results.cells.is_empty() {
        tables.push(table::format_rate_cells(&results.cells, layout));
    }
    if !results.peers.is_empty() {
        tables.push(table::format_peer_cells(&results.peers, layout));
    }
    for (policy, LabelledCounts { right, wrong, inconclusive }) in &results.labelled {
        tables
            .push(format!("{policy}: {right} right, {wrong} wrong, {inconclusive} inconclusive\n"));
    }
    print::print_answer(&tables.join("\n"))
}
