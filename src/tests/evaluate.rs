//! The promised error rates, on seeded noise and on the recordings beside the repository.

use std::collections::BTreeMap;
use std::path::Path;

use crate::evaluate::{
    RateCell, RecordingTable, ReplayPlan, Scenario, SimulationPlan, evaluate_machines,
    evaluate_series, simulate_scenario,
};
use crate::policy::{Config, Policy};
use crate::run::LookHorizon;
use crate::selection::Selection;
use crate::units::Percent;

fn policy(threshold: f64, detect: f64) -> (String, Policy) {
    let mut config = Config::default();
    config.gate.threshold = Some(Percent::new(threshold).unwrap());
    config.gate.detect = Some(Percent::new(detect).unwrap());
    let policy = Policy::new(&config, &BTreeMap::new(), Selection::default()).unwrap();
    (format!("{threshold}/{detect}"), policy)
}

fn rates(scenario: &str, suites: u64, effects: &[f64], threads: usize) -> Vec<RateCell> {
    let policies = [policy(0.01, 0.05), policy(0.0, 0.02)];
    let extent = SimulationPlan {
        suites,
        seed: 7,
        effects,
        policies: &policies,
        suite_size: 50,
        horizon: LookHorizon::Rounds160,
        threads,
    };
    simulate_scenario(&Scenario::from_name(scenario).unwrap(), &extent, &|_| ()).0
}

#[track_caller]
fn cell<'a>(cells: &'a [RateCell], effect: f64, policy: &str, given: &str) -> &'a RateCell {
    let is_meant = |cell: &&RateCell| {
        (cell.effect - effect).abs() < 1e-12 && cell.policy == policy && cell.given == given
    };
    cells.iter().find(is_meant).unwrap()
}

/// Number of suites: enough to detect a gate that is wrong several times as often as promised.
const SUITES: u64 = 40;

#[test]
fn the_promised_rates_hold_in_the_mixed_scenario() {
    let cells = rates("mixed", SUITES, &[0.0, 0.05], 2);
    for given in ["without history", "with history"] {
        let unchanged = &cell(&cells, 0.0, "0.01/0.05", given).tally;
        assert_eq!(unchanged.failing_suites, 0, "{unchanged:?}");
        let slower = &cell(&cells, 0.05, "0.01/0.05", given).tally;
        assert!(slower.regressed_rate().high >= 0.975, "{slower:?}");
        let strict = &cell(&cells, 0.0, "0/0.02", given).tally;
        assert!(strict.failing_suite_rate().low <= 0.05, "{strict:?}");
    }
}

#[test]
fn the_promised_rounds_hold_in_the_mixed_scenario() {
    let cells = rates("mixed", SUITES, &[0.0, 0.05], 2);
    let rounds = |effect, given| cell(&cells, effect, "0.01/0.05", given).tally.mean_rounds();
    let reached = [0.0, 0.05]
        .map(|effect| ["with history", "without history"].map(|given| rounds(effect, given)));
    let most = [[4.0, 5.2], [9.5, 12.0]];
    let holds =
        reached.as_flattened().iter().zip(most.as_flattened()).all(|(got, most)| got < most);
    assert!(holds, "{reached:?} is not below {most:?}");
}

#[test]
fn noise_that_is_not_what_it_was_raises_no_alarms() {
    // Without history, the gate cannot know that partners repel each other. The row for this case
    // is in docs/error-rates/shapes.md.
    let both = ["with history", "without history"];
    for (scenario, given) in
        [("regime-3", &both[..]), ("drift", &both[..]), ("antipodal", &both[..1])]
    {
        let cells = rates(scenario, 20, &[0.0], 2);
        for given in given {
            let strict = &cell(&cells, 0.0, "0/0.02", given).tally;
            assert!(strict.regressed_rate().low <= 0.001, "{scenario} {given}: {strict:?}");
        }
    }
}

#[test]
fn the_answers_do_not_depend_on_the_number_of_threads() {
    assert_eq!(rates("bimodal", 4, &[0.02], 1), rates("bimodal", 4, &[0.02], 3));
}

/// Reads a recording of the public data sets beside the repository.
fn read_recording(name: &str) -> RecordingTable {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    RecordingTable::read(&path).unwrap()
}

#[test]
#[ignore = "needs public data sets; .ci/run runs it where they are"]
fn launches_of_unchanged_go_programs_fail_no_more_suites_than_promised() {
    let table = read_recording("golang-bent-series/series.csv.gz");
    let policies = [policy(0.0, 0.02)];
    let replay = ReplayPlan { deals: 2, seed: 7, effects: &[0.0], policies: &policies };
    let cells = evaluate_series(&table, &replay).unwrap();
    let rounds = cells.iter().filter(|cell| cell.given.starts_with("in rounds"));
    for cell in rounds {
        assert!(cell.tally.suites >= 40, "{cell:?}");
        assert!(cell.tally.failing_suite_rate().low <= 0.05, "{cell:?}");
    }
}

#[test]
#[ignore = "needs public data sets; .ci/run runs it where they are"]
fn values_of_another_machine_are_not_compared() {
    let name = "OSBench__Test__Create_Threads__us_Per_Event__D8s_v5__long.csv.gz";
    let table = read_recording(&format!("azure-vm-noise/{name}"));
    let policies = [policy(0.01, 0.05)];
    let replay = ReplayPlan { deals: 50, seed: 7, effects: &[0.0], policies: &policies };
    let cells = evaluate_machines(&table, &replay).unwrap();
    let other = cells.iter().find(|cell| cell.given.contains("another machine")).unwrap();
    assert_eq!(other.tally.inconclusive, other.tally.benchmarks);
}
