//! What a check found out as a whole, whether it blocks, and which figures a row shows (issue 12).

use std::collections::BTreeMap;

use super::create_test_run;
use super::repositories::observed;
use crate::compare::{HistogramAxis, SideFigures};
use crate::decision::{Change, Decision, Verdict};
use crate::note::{FailureReason, Note};
use crate::policy::{Config, Policy};
use crate::run::{
    Benchmark, BenchmarkFailure, BenchmarkId, CallsPerSample, Launch, MeasuredCommit, Run,
    SampleSource, Sampling,
};
use crate::selection::Selection;
use crate::units::Confidence;
use crate::verdict::{BaselineEvidence, Evidence, decide};

/// A benchmark by name, with the samples of its launches.
type Measured<'a> = (&'a str, Vec<Vec<f64>>);

fn run(benchmarks: &[Measured<'_>]) -> Run {
    let mut run = create_test_run(SampleSource::Command);
    run.benchmarks = benchmarks.iter().map(|(id, launches)| benchmark(id, launches)).collect();
    run
}

fn benchmark(id: &str, launches: &[Vec<f64>]) -> Benchmark {
    let launches = (0..).zip(launches).map(|(round, samples)| Launch {
        round,
        session: None,
        order: None,
        data: observed(samples),
        calls_per_sample: None,
        metrics: BTreeMap::new(),
    });
    let id = BenchmarkId { name: id.to_owned(), package: None };
    Benchmark { launches: launches.collect(), ..Benchmark::new(id, None, Sampling::Call) }
}

/// Launches at this level that hardly differ.
fn steady(level: f64) -> Vec<Vec<f64>> {
    (0..6).map(|launch| vec![level * (1.0 + 1e-4 * f64::from(launch)); 100]).collect()
}

/// Launches around 1 ms that differ too much to tell anything.
fn restless() -> Vec<Vec<f64>> {
    [1.0, 1.9, 0.6, 1.4, 0.8, 1.7].map(|pace| vec![1e6 * pace; 100]).into()
}

fn policy(toml: &str) -> Policy {
    let config = Config::from_toml(toml).unwrap();
    Policy::new(&config, &BTreeMap::new(), Selection::default()).unwrap()
}

/// Compares `decided` benchmarks that are unchanged and `undecided` ones.
fn compare(decided: usize, undecided: usize, toml: &str) -> Decision {
    let names: Vec<String> =
        (0..decided + undecided).map(|index| format!("suite/{index}")).collect();
    let launches = |index: usize| if index < decided { steady(1e6) } else { restless() };
    let benchmarks: Vec<Measured<'_>> =
        names.iter().enumerate().map(|(index, name)| (name.as_str(), launches(index))).collect();
    let (baseline, candidate) = (run(&benchmarks), run(&benchmarks));
    let evidence = Evidence::from_sides(&candidate, BaselineEvidence::File(&baseline));
    decide(&evidence, &policy(toml))
}

fn outcome(decision: &Decision) -> (Verdict, u8) {
    (decision.verdict, decision.exit_status)
}

#[test]
fn a_check_that_could_tell_nothing_is_not_green() {
    let nothing = compare(0, 160, "");
    assert!(nothing.benchmarks.iter().all(|one| one.change == Change::Inconclusive));
    assert_eq!(outcome(&nothing), (Verdict::Inconclusive, 0));
    assert_eq!(outcome(&compare(2, 3, "")), (Verdict::Inconclusive, 0));
    assert_eq!(outcome(&compare(3, 3, "")), (Verdict::Pass, 0));
}

#[test]
fn fail_on_decides_whether_an_inconclusive_check_blocks() {
    let toml = "[gate]\nfail-on = [\"regressed\", \"inconclusive\"]";
    assert_eq!(outcome(&compare(0, 3, toml)), (Verdict::Inconclusive, 11));
    assert_eq!(outcome(&compare(5, 1, toml)), (Verdict::Inconclusive, 11));
    assert_eq!(outcome(&compare(5, 0, toml)), (Verdict::Pass, 0));
}

#[test]
fn a_rule_about_which_nothing_is_decided_makes_a_check_inconclusive() {
    let named = "[[bench]]\nmatch = \"suite/9\"\nthreshold = \"2%\"";
    let decision = compare(9, 1, named);
    assert_eq!(outcome(&decision), (Verdict::Inconclusive, 0));
    let note = Note::RuleUndecided { pattern: "suite/9".to_owned() };
    assert_eq!(decision.notes, [note]);
    let partly = "[[bench]]\nmatch = \"suite/*\"\nthreshold = \"2%\"";
    assert_eq!(outcome(&compare(9, 1, partly)), (Verdict::Pass, 0));
    // Five calls per launch bound no p99, whatever the change.
    let target = "[[target]]\nbench = \"suite/0\"\np99 = \"1s\"";
    let few: Vec<Vec<f64>> = steady(1e6).into_iter().map(|calls| calls[..5].to_vec()).collect();
    let sides = run(&[("suite/0", few), ("suite/1", steady(1e6)), ("suite/2", steady(1e6))]);
    let evidence = Evidence::from_sides(&sides, BaselineEvidence::File(&sides));
    assert_eq!(outcome(&decide(&evidence, &policy(target))), (Verdict::Inconclusive, 0));
    assert_eq!(outcome(&decide(&evidence, &policy(""))), (Verdict::Pass, 0));
}

#[test]
fn a_target_that_matches_no_benchmark_makes_a_check_inconclusive() {
    let target = "[[target]]\nbench = \"other/*\"\np95 = \"10ms\"";
    assert_eq!(outcome(&compare(9, 0, target)), (Verdict::Inconclusive, 0));
    let exception = "[[bench]]\nmatch = \"other/*\"\nthreshold = \"2%\"";
    assert_eq!(outcome(&compare(9, 0, exception)), (Verdict::Pass, 0));
}

#[test]
fn without_a_comparison_the_targets_answer() {
    let candidate = run(&[("suite/0", steady(1e6)), ("suite/1", steady(1e6))]);
    let target = "[[target]]\nbench = \"suite/0\"\np95 = \"10ms\"";
    let decide_without = |wants_baseline: bool, toml: &str| {
        let sides = Evidence::from_sides(&candidate, BaselineEvidence::None);
        outcome(&decide(&Evidence { wants_baseline, ..sides }, &policy(toml)))
    };
    assert_eq!(decide_without(false, target), (Verdict::Pass, 0));
    assert_eq!(decide_without(false, ""), (Verdict::Inconclusive, 0));
    // There was something to compare with, but it could not be compared.
    assert_eq!(decide_without(true, target), (Verdict::Inconclusive, 0));
    // Both sides have benchmarks, but none in common.
    let other = run(&[("other", steady(1e6))]);
    let evidence = Evidence::from_sides(&candidate, BaselineEvidence::File(&other));
    let accepted = "[gate]\nfail-on = [\"regressed\"]";
    assert_eq!(outcome(&decide(&evidence, &policy(accepted))), (Verdict::Inconclusive, 0));
}

#[test]
fn nothing_measured_at_all_blocks() {
    let empty = run(&[]);
    let evidence = Evidence::from_sides(&empty, BaselineEvidence::None);
    assert_eq!(outcome(&decide(&evidence, &policy(""))), (Verdict::Inconclusive, 11));
}

#[test]
fn an_incomplete_run_does_not_pass_because_what_failed_is_not_judged() {
    let baseline = run(&[("a", steady(1e6))]);
    let mut candidate = run(&[("a", steady(1e6)), ("b", Vec::new())]);
    let reason = FailureReason::Panicked;
    candidate.benchmarks[1].failure = Some(BenchmarkFailure { reason, output: String::new() });
    candidate.complete = false;
    let evidence = Evidence::from_sides(&candidate, BaselineEvidence::File(&baseline));
    let selection = Selection::new(&["!b".to_owned()]).unwrap();
    let policy = Policy::new(&Config::default(), &BTreeMap::new(), selection).unwrap();
    assert_eq!(outcome(&decide(&evidence, &policy)), (Verdict::Inconclusive, 11));
}

#[test]
fn a_benchmark_that_stopped_working_at_the_base_is_not_new() {
    let candidate = run(&[("a", steady(2e6))]);
    for (launches, change) in [(steady(1e6), Change::Inconclusive), (Vec::new(), Change::New)] {
        let mut baseline = run(&[("a", launches)]);
        let reason = FailureReason::Panicked;
        baseline.benchmarks[0].failure = Some(BenchmarkFailure { reason, output: String::new() });
        let evidence = Evidence::from_sides(&candidate, BaselineEvidence::File(&baseline));
        assert_eq!(decide(&evidence, &policy("")).benchmarks[0].change, change);
    }
}

#[test]
fn a_row_shows_the_level_of_all_stored_runs_and_not_that_of_the_nearest() {
    let of_commit = |digit: &str, level: f64| {
        let mut run = run(&[("a", steady(level))]);
        let id = digit.repeat(40);
        run.commit = Some(MeasuredCommit { id, branch: None, time: None, dirty: false });
        run
    };
    // The nearest stored run was measured while the machine was twice as fast.
    let stored = [of_commit("1", 0.5e6), of_commit("1", 0.99e6), of_commit("2", 1.01e6)];
    let candidate = of_commit("3", 1e6);
    let evidence = Evidence::from_sides(&candidate, BaselineEvidence::Stored(&stored));
    let judged = decide(&evidence, &policy("")).benchmarks.remove(0);
    let [baseline, candidate] = [judged.baseline.unwrap(), judged.candidate.unwrap()];
    let shown = candidate.median.point.get() / baseline.median.point.get();
    assert!((shown - judged.ratio.unwrap().point.get()).abs() < 1e-9, "{shown}");
    assert_eq!((judged.launches.baseline, baseline.samples), (18, 1800));
    assert!((baseline.min.unwrap().get() - 0.5e6).abs() < 1e-3);
}

#[test]
fn a_row_in_rounds_shows_the_rounds_that_decided() {
    let in_session = |level: f64, launches: usize| {
        let mut run = run(&[("a", steady(level))]);
        let benchmark = &mut run.benchmarks[0];
        benchmark.launches.truncate(launches);
        for launch in &mut benchmark.launches {
            launch.session = Some("s".to_owned());
        }
        run
    };
    let (baseline, mut candidate) = (in_session(1e6, 6), in_session(1.4e6, 6));
    // A launch after the deciding look.
    candidate.benchmarks[0].launches[5].data = observed(&vec![9e6; 100]);
    let rounds = crate::verdict::RoundsEvidence {
        baseline: &baseline,
        candidate: &candidate,
        entered_count: 1,
        same_program: &[],
        postponed: &[],
        horizon: crate::run::LookHorizon::default(),
        has_ended: true,
    };
    let sides = Evidence::from_sides(&candidate, BaselineEvidence::None);
    let decision = decide(&Evidence { rounds: Some(rounds), ..sides }, &policy(""));
    let judged = &decision.benchmarks[0];
    assert_eq!((judged.change, judged.launches.candidate), (Change::Regressed, 4));
    let point = |side: &Option<SideFigures>| side.as_ref().unwrap().median.point.get();
    let shown = point(&judged.candidate) / point(&judged.baseline);
    assert!((shown - judged.ratio.unwrap().point.get()).abs() < 1e-9, "{shown}");
}

fn figures(benchmark: &Benchmark) -> SideFigures {
    let axis = HistogramAxis::from_sides([benchmark]);
    SideFigures::from_runs(&[benchmark], axis, Confidence::DEFAULT).unwrap()
}

#[test]
fn throughput_is_the_amount_per_call_by_the_mean() {
    // Nine calls of 1 ms and one of 2.05 ms: 905 calls per second, not 1,000.
    let calls = [vec![1e6; 9], vec![2.05e6]].concat();
    let mut side = benchmark("a", &[calls]);
    side.elements = Some(1.0);
    let figures = figures(&side);
    assert!((figures.mean.point.get() - 1.105e6).abs() < 1e-3);
    assert!((figures.throughput["elements"] - 904.977).abs() < 1e-3, "{:?}", figures.throughput);
    assert!((figures.median.point.get() - 1e6).abs() < 1e-3);
}

#[test]
fn the_mean_is_that_of_all_calls() {
    let side = benchmark("a", &[vec![1e6; 60], vec![1e6; 60], vec![1e9; 30]]);
    let mean = figures(&side).mean;
    assert!((mean.point.get() - 200.8e6).abs() < 1.0, "{mean:?}");
    assert!(mean.low.unwrap() < mean.point && mean.point < mean.high.unwrap(), "{mean:?}");
    // Batches weigh by their calls: one call of 2 ms and 99 calls of 1 ms.
    let mut batches = benchmark("a", &[vec![2e6, 1e6]]);
    batches.sampling = Sampling::Batch;
    batches.launches[0].calls_per_sample = Some(CallsPerSample::Each(vec![1.0, 99.0]));
    let figures = figures(&batches);
    assert!((figures.mean.point.get() - 1.01e6).abs() < 1e-3);
    assert_eq!((figures.min, figures.max, figures.p90), (None, None, None));
}

#[test]
fn an_unreadable_stored_run_is_no_pass_where_the_answer_rests_on_stored_runs() {
    let candidate = run(&[("suite/a", steady(1e6))]);
    let stored: Vec<Run> = (0..8).map(|_| run(&[("suite/a", steady(1e6))])).collect();
    let unreadable = [Note::StoredRunIgnored { cause: "it is cut short".to_owned() }];
    let judge = |notes: &[Note], toml: &str| {
        let stored = BaselineEvidence::Stored(&stored);
        let evidence = Evidence { notes, ..Evidence::from_sides(&candidate, stored) };
        decide(&evidence, &policy(toml))
    };
    assert_eq!(judge(&[], "").verdict, Verdict::Pass);
    let decision = judge(&unreadable, "");
    assert_eq!(decision.benchmarks[0].change, Change::Unchanged);
    assert_eq!((decision.verdict, decision.exit_status), (Verdict::Inconclusive, 0));
    let decision = judge(&unreadable, "[gate]\nfail-on = [\"inconclusive\"]\n");
    assert_eq!((decision.verdict, decision.exit_status), (Verdict::Inconclusive, 11));
}
