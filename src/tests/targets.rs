//! Targets and the rules of a policy: what a decision answers in cases that once went wrong. The
//! numbers in comments are items of issue 12.

mod clock;

use std::collections::BTreeMap;

use super::create_test_run;
use super::repositories::observed;
use crate::decision::{Change, Decision, TargetJudgement, TargetStatus, Verdict};
use crate::note::Note;
use crate::policy::{Config, Metric, Policy, TargetLimit};
use crate::render::{self, COMMENT_LIMIT, Colour};
use crate::report::{Report, ReportContext};
use crate::run::{Benchmark, BenchmarkId, CallsPerSample, Launch, LaunchData, LookHorizon, Run};
use crate::run::{MeasuredCommit, SampleSource, Sampling};
use crate::selection::Selection;
use crate::units::{Amount, Nanos};
use crate::verdict::{BaselineEvidence, Evidence, RoundsEvidence, decide, find_undecided};

const MILLISECOND: f64 = 1e6;

fn nanos(ns: f64) -> Nanos {
    Nanos::new(ns).unwrap()
}

fn amount(ns: f64) -> Amount {
    nanos(ns).into()
}

fn launch(round: u32, samples: &[f64]) -> Launch {
    Launch {
        round,
        session: Some("s".to_owned()),
        order: None,
        data: observed(samples),
        calls_per_sample: None,
        metrics: BTreeMap::new(),
    }
}

fn benchmark(id: &str, launches: &[Vec<f64>]) -> Benchmark {
    let launches = (0..).zip(launches).map(|(round, samples)| launch(round, samples));
    let id = BenchmarkId { name: id.to_owned(), package: None };
    Benchmark { launches: launches.collect(), ..Benchmark::new(id, None, Sampling::Call) }
}

/// Returns a benchmark whose samples are batches of `calls` calls each.
fn batched(launches: &[Vec<f64>], calls: f64) -> Benchmark {
    let mut benchmark = benchmark("fast", launches);
    benchmark.sampling = Sampling::Batch;
    for launch in &mut benchmark.launches {
        launch.calls_per_sample = CallsPerSample::new(vec![calls]);
    }
    benchmark
}

/// Returns launches of times up to `ns` that differ by less than a millionth. No time repeats, so
/// they show no step of the clock.
fn spread_times(launches: usize, times: usize, ns: f64) -> Vec<Vec<f64>> {
    let spread = |at: usize| ns * (1.0 - 1e-6 * (at as f64 * 0.618_033_988_75).fract());
    (0..launches).map(|launch| (0..times).map(|at| spread(launch * times + at)).collect()).collect()
}

fn run(benchmarks: Vec<Benchmark>) -> Run {
    let mut run = create_test_run(SampleSource::Command);
    run.benchmarks = benchmarks;
    run
}

fn policy(toml: &str) -> Policy {
    let config = Config::from_toml(toml).unwrap();
    Policy::new(&config, &BTreeMap::new(), Selection::default()).unwrap()
}

fn decide_alone(candidate: Benchmark, toml: &str) -> Decision {
    let candidate = run(vec![candidate]);
    decide(&Evidence::from_sides(&candidate, BaselineEvidence::None), &policy(toml))
}

/// Judges one target of one benchmark, like `p95 = "10ms"`.
fn judge(candidate: Benchmark, limit: &str) -> TargetJudgement {
    let toml = format!("[[target]]\nbench = \"**\"\n{limit}");
    decide_alone(candidate, &toml).benchmarks.remove(0).targets.remove(0)
}

#[track_caller]
fn answers(candidate: Benchmark, limit: &str, status: TargetStatus, note: Note) {
    let target = judge(candidate, limit);
    assert_eq!((target.status, target.note), (status, Some(note)), "{limit}");
}

#[test]
fn a_target_on_fast_code_is_met_because_no_batch_took_longer() {
    // Item 12: 250 batches of 1,200 calls, each 3 ms in all.
    let fast = || batched(&spread_times(5, 50, 2500.0), 1200.0);
    let note = Note::NoBatchLonger { batches: 250, longest: nanos(3e6) };
    answers(fast(), "p95 = \"10ms\"", TargetStatus::Met, note.clone());
    answers(fast(), "p95 = \"3ms\"", TargetStatus::Met, note.clone());
    // A p99 needs 299 batches.
    let few = Note::TooFewBatches { metric: "p99".to_owned(), batches: 250, needed: 299 };
    answers(fast(), "p99 = \"10ms\"", TargetStatus::Unproven, few);
    // Two calls of each batch can have taken more than 1 ms, which is far less than 5 %.
    let bounded = Note::CallsBounded { exceeding: 500, calls: 300_000 };
    answers(fast(), "p95 = \"1ms\"", TargetStatus::Met, bounded);
    // Below the mean nothing is proven, and never missed.
    let all = Note::CallsBounded { exceeding: 300_000, calls: 300_000 };
    answers(fast(), "p95 = \"2us\"", TargetStatus::Unproven, all);
    let target = judge(fast(), "p95 = \"10ms\"");
    assert!(target.low.is_none() && target.point.is_none());
    // 5 of the 250 shares may be used up (e · P(Bin(250, 0.05) ≤ 5) = 0.036): 24 calls of each batch.
    assert!((target.high.unwrap().get() * 25.0 / 3e6 - 1.0).abs() < 1e-5, "{target:?}");
}

#[test]
fn a_met_target_of_batches_shows_its_margin_and_its_reason() {
    let candidates = ["a", "b"].map(|id| {
        let fast = batched(&spread_times(5, 50, 2500.0), 1200.0);
        Benchmark { id: id.to_owned(), ..fast }
    });
    let toml = "[[target]]\nbench = \"**\"\np95 = \"10ms\"";
    let candidate = run(candidates.to_vec());
    let decision = decide(&Evidence::from_sides(&candidate, BaselineEvidence::None), &policy(toml));
    let context = ReportContext::default();
    let report = Report::new(&decision, &context);
    let margins: Vec<f64> = report.rows().filter_map(|row| row.targets[0].margin).collect();
    assert!(margins.len() == 2 && margins.iter().all(|margin| *margin > 0.9), "{margins:?}");
    let [group] = report.met.as_slice() else { panic!("{:?}", report.met) };
    assert_eq!((group.count, group.examples.as_slice()), (2, ["a", "b"].as_slice()));
    let none_longer = "none of 250 batches took longer than 3 ms";
    let text = render::render_text(&report, Colour::Off).unwrap();
    let html = render::render_html(&report).unwrap();
    let markdown = render::render_markdown(&report, COMMENT_LIMIT).unwrap();
    for shown in [text, markdown, html] {
        assert_eq!(shown.matches("2 targets met").count(), 1, "{shown}");
        assert!(shown.contains(none_longer), "{shown}");
    }
}

#[test]
fn calls_of_zero_do_not_meet_a_target_below_the_step_of_the_clock() {
    // Five launches of 80 samples of zero, plus one sample of 1 ms and one of 2 ms. The bound was
    // 0.1 ns.
    let mut zeros = vec![vec![0.0; 80]; 5];
    zeros[0].push(MILLISECOND);
    zeros[1].push(2.0 * MILLISECOND);
    let note = || Note::StepReachesLimit { step: nanos(MILLISECOND) };
    for limit in ["p50 = \"100us\"", "p95 = \"100us\"", "mean = \"100us\""] {
        answers(benchmark("a", &zeros), limit, TargetStatus::Unproven, note());
    }
    let batch_note = Note::StepReachesLimit { step: nanos(10.0 * MILLISECOND) };
    answers(batched(&zeros, 10.0), "p50 = \"100us\"", TargetStatus::Unproven, batch_note);
    assert_eq!(judge(benchmark("a", &zeros), "p50 = \"1ms\"").status, TargetStatus::Met);
    // Values without a common step: the shortest of them bounds it.
    for launch in &mut zeros {
        launch.extend([1.0, 1.013, 1.031, 1.038].map(|ms| ms * MILLISECOND));
    }
    answers(benchmark("a", &zeros), "p50 = \"100us\"", TargetStatus::Unproven, note());
    assert_eq!(judge(benchmark("a", &zeros), "p50 = \"0ns\"").point, Some(amount(0.0)));
}

#[test]
fn a_limit_within_a_step_of_the_clock_is_unproven() {
    // Samples that are all alike show no step, and are taken as they are.
    let alike = benchmark("a", &vec![vec![10.0 * MILLISECOND; 80]; 5]);
    assert_eq!(judge(alike, "p95 = \"10001us\"").status, TargetStatus::Met);
    // Other times show how large the step is at most.
    let mut launches = vec![vec![10.0 * MILLISECOND; 80]; 5];
    launches[0].push(11.0 * MILLISECOND);
    for (limit, status) in [
        ("p50 = \"11001us\"", TargetStatus::Met),
        ("p50 = \"10999us\"", TargetStatus::Unproven),
        ("p50 = \"9001us\"", TargetStatus::Unproven),
        ("p50 = \"8999us\"", TargetStatus::Missed),
        ("mean = \"8900us\"", TargetStatus::Missed),
    ] {
        assert_eq!(judge(benchmark("a", &launches), limit).status, status, "{limit}");
    }
    // A batch of 10 calls is measured as a whole, so a step of 10 ms is 1 ms per call.
    let note = Note::StepReachesLimit { step: nanos(10.0 * MILLISECOND) };
    answers(batched(&launches, 10.0), "mean = \"10500us\"", TargetStatus::Unproven, note.clone());
    answers(batched(&launches, 10.0), "p50 = \"21ms\"", TargetStatus::Unproven, note);
    assert_eq!(judge(batched(&launches, 10.0), "p50 = \"25ms\"").status, TargetStatus::Met);
    assert_eq!(judge(batched(&launches, 10.0), "mean = \"12ms\"").status, TargetStatus::Met);
}

#[test]
fn batches_prove_nothing_where_their_calls_are_not_known() {
    let mut digested = batched(&vec![vec![2500.0; 50]; 5], 1200.0);
    for launch in &mut digested.launches {
        launch.data = LaunchData::Digest(launch.digest());
    }
    answers(digested, "p95 = \"10ms\"", TargetStatus::Unproven, Note::OnlyDigests);
    let mut unknown = batched(&vec![vec![2500.0; 50]; 5], 1200.0);
    unknown.launches[3].calls_per_sample = None;
    let note = Note::BatchesHaveNoPercentile { metric: "p95".to_owned() };
    answers(unknown, "p95 = \"10ms\"", TargetStatus::Unproven, note);
}

#[test]
fn one_slow_launch_of_batches_keeps_a_target_from_being_met() {
    // Each batch is short, but the batches of one launch are a hundred times as long as the others.
    let mut launches = vec![vec![2500.0; 50]; 5];
    launches[2] = vec![250_000.0; 50];
    let target = judge(batched(&launches, 1200.0), "p95 = \"1ms\"");
    assert_eq!(target.status, TargetStatus::Unproven);
}

#[test]
fn one_launch_of_a_second_keeps_a_mean_of_20_ms_from_being_met() {
    // Item 14: the geometric mean of the launches is 2 ms, the mean of all calls 100.9 ms.
    let mut launches = vec![vec![MILLISECOND; 60]; 9];
    launches.push(vec![1000.0 * MILLISECOND; 60]);
    let target = judge(benchmark("a", &launches), "mean = \"20ms\"");
    let note = Some(Note::SlowLaunch { launch: 9 });
    assert_eq!((target.status, target.note), (TargetStatus::Unproven, note));
    assert_eq!(target.point, Some(amount(100.9 * MILLISECOND)));
    // The launch keeps the mean from being met where the bound would not.
    let mut launches = vec![vec![10.0 * MILLISECOND; 60]; 40];
    launches.push(vec![25.0 * MILLISECOND; 60]);
    let target = judge(benchmark("a", &launches), "mean = \"20ms\"");
    assert!(target.high.unwrap() < amount(20.0 * MILLISECOND), "{target:?}");
    assert_eq!(target.status, TargetStatus::Unproven);
    launches.pop();
    let met = judge(benchmark("a", &launches), "mean = \"20ms\"");
    assert_eq!((met.status, met.point), (TargetStatus::Met, Some(amount(10.0 * MILLISECOND))));
}

#[test]
fn the_mean_is_that_of_calls_where_batches_differ_in_size() {
    let mut uneven = batched(&vec![vec![100.0, 200.0]; 3], 1.0);
    for launch in &mut uneven.launches {
        launch.calls_per_sample = CallsPerSample::new(vec![30.0, 10.0]);
    }
    assert_eq!(judge(uneven, "mean = \"1us\"").point, Some(amount(125.0)));
}

/// Draws the launches of one side: 40 calls each, around `ms` milliseconds, with a standard
/// deviation of 0.06 ms. The clock has steps of `step` milliseconds.
fn draw_side(seed: u64, launches: usize, ms: f64, step: f64) -> Vec<Vec<f64>> {
    let mut state = seed;
    let mut draw = move || {
        let uniform = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99_991);
            (*state >> 40) as f64 / f64::from(1_u32 << 24)
        };
        (0..12).map(|_| uniform(&mut state)).sum::<f64>() - 6.0
    };
    let mut draw_call = || ((ms + 0.06 * draw()) / step).round() * step * MILLISECOND;
    (0..launches).map(|_| (0..40).map(|_| draw_call()).collect()).collect()
}

/// Decides on the same two sides in every way: in rounds, as files, and against stored runs.
fn decide_every_way(baseline: &[Vec<f64>], candidate: &[Vec<f64>]) -> [Decision; 3] {
    let [old, mut new] = [baseline, candidate].map(|side| run(vec![benchmark("a", side)]));
    let commit = |digit: &str| {
        Some(MeasuredCommit { id: digit.repeat(40), branch: None, time: None, dirty: false })
    };
    let rounds = RoundsEvidence {
        baseline: &old,
        candidate: &new,
        entered_count: 1,
        same_program: &[],
        postponed: &[],
        horizon: LookHorizon::default(),
        has_ended: true,
    };
    let in_rounds =
        Evidence { rounds: Some(rounds), ..Evidence::from_sides(&new, BaselineEvidence::None) };
    let in_rounds = decide(&in_rounds, &policy(""));
    let as_file = decide(&Evidence::from_sides(&new, BaselineEvidence::File(&old)), &policy(""));
    let mut stored = [old.clone(), old.clone(), old];
    for (place, run) in stored.iter_mut().enumerate() {
        run.commit = commit("1");
        run.created = format!("2026-11-28T00:00:0{place}Z");
        for launch in &mut run.benchmarks[0].launches {
            launch.data = LaunchData::Digest(launch.digest());
        }
    }
    new.commit = commit("2");
    let sides = Evidence::from_sides(&new, BaselineEvidence::Stored(&stored));
    [in_rounds, as_file, decide(&sides, &policy(""))]
}

#[test]
fn a_target_that_matches_nothing_is_unproven_and_names_the_nearest_id() {
    // Item 16
    let toml = "[[target]]\nbench = \"encode/lonk\"\np95 = \"1s\"\n\
                [[bench]]\nmatch = \"decode/**\"\nthreshold = \"2%\"\n";
    let candidate = || benchmark("encode/long", &vec![vec![MILLISECOND, 1.1 * MILLISECOND]; 3]);
    let nearest = Some("encode/long".to_owned());
    let target =
        Note::TargetMatchesNothing { pattern: "encode/lonk".to_owned(), nearest: nearest.clone() };
    let exception = Note::ExceptionMatchesNothing { pattern: "decode/**".to_owned(), nearest };
    let decision = decide_alone(candidate(), toml);
    assert!(decision.notes.contains(&target) && decision.notes.contains(&exception));
    let strict = format!("{toml}[gate]\nfail-on = [\"target-unproven\"]");
    let decision = decide_alone(candidate(), &strict);
    assert_eq!((decision.verdict, decision.exit_status), (Verdict::Inconclusive, 11));
    let context = ReportContext::default();
    assert_eq!(Report::new(&decision, &context).targets.unproven, 1);
    // A part of the suite does not have every benchmark that a rule may be about.
    let candidate = run(vec![candidate()]);
    let evidence = Evidence::from_sides(&candidate, BaselineEvidence::None);
    let config = Config::from_toml(toml).unwrap();
    let selection = Selection::new(&["encode/long".to_owned()]).unwrap();
    let partial = Policy::new(&config, &BTreeMap::new(), selection).unwrap();
    assert!(!decide(&evidence, &partial).notes.contains(&target));
    // `--bench '!decode/**'` leaves the id of the target in, so it is a mistake. It leaves out what
    // the exception is about.
    let selection = Selection::new(&["!decode/**".to_owned()]).unwrap();
    let partial = Policy::new(&config, &BTreeMap::new(), selection).unwrap();
    let notes = decide(&evidence, &partial).notes;
    assert!(notes.contains(&target) && !notes.contains(&exception));
    let package = policy(toml).with_partial_suite(true);
    assert!(!decide(&evidence, &package).notes.contains(&target));
}

#[test]
fn a_target_of_the_command_line_beats_the_one_of_the_file() {
    let toml = "[[target]]\nbench = \"**\"\np50 = \"1s\"\np95 = \"2s\"";
    let flags = BTreeMap::from([(Metric::P50, nanos(1e3))]);
    let config = Config::from_toml(toml).unwrap();
    let policy = Policy::new(&config, &flags, Selection::default()).unwrap();
    let targets = policy.resolve_rules("a", None).targets;
    let limit = |metric, ns| TargetLimit::from_time(metric, nanos(ns));
    assert_eq!(targets, [limit(Metric::P50, 1e3), limit(Metric::P95, 2e9)]);
}

#[test]
fn what_improved_by_half_is_no_measure_of_what_would_have_been_detected() {
    // Item 18: decided after four rounds, its interval was still wide.
    let mut baseline = vec![draw_side(3, 20, 8.5, 1e-6)];
    let mut candidate = vec![draw_side(4, 20, 8.5, 1e-6)];
    let pace = |launch: usize| 1.0 + ((launch * 7 + 3) * 31 % 10) as f64 / 14.7;
    let restless = |ms: f64, shift: usize| -> Vec<Vec<f64>> {
        let launch =
            |launch: usize| draw_side(launch as u64, 1, ms * pace(launch + shift), 1e-6).remove(0);
        (0..20).map(launch).collect()
    };
    baseline.push(restless(100.0, 0));
    candidate.push(restless(20.0, 5));
    let build = |sides: &[Vec<Vec<f64>>]| {
        run(sides.iter().zip(["a", "b"]).map(|(side, id)| benchmark(id, side)).collect())
    };
    let (old, new) = (build(&baseline), build(&candidate));
    let decision = decide(&Evidence::from_sides(&new, BaselineEvidence::File(&old)), &policy(""));
    let changes: Vec<Change> = decision.benchmarks.iter().map(|one| one.change).collect();
    assert_eq!(changes, [Change::Unchanged, Change::Improved]);
    let detectable: Vec<f64> =
        decision.benchmarks.iter().filter_map(|one| one.minimum_detectable).collect();
    assert!(detectable[0] < 0.05 && detectable[1] > 0.05, "{detectable:?}");
    let context = ReportContext::default();
    let limits = Report::new(&decision, &context).detectable.unwrap();
    assert_eq!((limits.all.get(), limits.half), (detectable[0], None));
}

#[test]
fn a_cold_start_is_not_advised_to_make_more_calls() {
    // Item 20: one call per launch, undecided after all rounds.
    let pace = |launch: usize| 1.0 + ((launch * 7 + 3) * 31 % 10) as f64 / 14.7;
    let side = |shift: usize, calls: usize| -> Vec<Vec<f64>> {
        (0..20)
            .map(|launch| {
                draw_side(launch as u64, 1, pace(launch + shift), 1e-6)[0][..calls].to_vec()
            })
            .collect()
    };
    for (calls, is_advised) in [(1, false), (40, true)] {
        let [decision, ..] = decide_every_way(&side(0, calls), &side(5, calls));
        assert_eq!(decision.benchmarks[0].change, Change::Inconclusive);
        let advice = decision.notes.iter().any(|note| matches!(note, Note::ShortLaunches { .. }));
        assert_eq!(advice, is_advised, "{calls} calls: {:?}", decision.notes);
    }
    // A target on cold starts is decided by more launches, not by more calls.
    let mut launches = vec![vec![MILLISECOND]; 100];
    for (place, launch) in launches.iter_mut().enumerate() {
        launch[0] += place as f64;
    }
    for launch in launches.iter_mut().take(3) {
        launch[0] *= 10.0;
    }
    let target = judge(benchmark("a", &launches), "p95 = \"2ms\"");
    assert_eq!(
        (target.status, target.note),
        (TargetStatus::Unproven, Some(Note::MoreLaunchesDecide))
    );
}

#[test]
fn a_target_without_enough_calls_asks_for_more_rounds() {
    let sides = |rounds: usize| {
        let [old, new] = [3, 4].map(|seed| {
            let side = draw_side(seed, rounds, 8.5, 1e-6);
            let short: Vec<Vec<f64>> = side.iter().map(|calls| calls[..5].to_vec()).collect();
            run(vec![benchmark("a", &short)])
        });
        (old, new)
    };
    let asks = |rounds: usize, toml: &str| {
        let (old, new) = sides(rounds);
        let evidence = RoundsEvidence {
            baseline: &old,
            candidate: &new,
            entered_count: 1,
            same_program: &[],
            postponed: &[],
            horizon: LookHorizon::default(),
            has_ended: false,
        };
        let sides = Evidence {
            rounds: Some(evidence),
            ..Evidence::from_sides(&new, BaselineEvidence::None)
        };
        let decision = decide(&sides, &policy(toml));
        !find_undecided(&decision, evidence, &BTreeMap::new(), 5).is_empty()
    };
    let target = "[[target]]\nbench = \"a\"\np95 = \"10ms\"";
    assert!(!asks(11, "") && asks(11, target), "55 calls");
    assert!(!asks(12, target), "60 calls");
    let out_of_reach = "[[target]]\nbench = \"a\"\np99 = \"10ms\"";
    assert!(asks(19, out_of_reach) && !asks(20, out_of_reach), "the rounds end");
}

#[test]
fn numbers_at_the_ends_of_the_range_are_judged_without_a_panic() {
    let ends = [5e-324, 1e-300, 1.0, 1e300, f64::MAX];
    for (place, value) in ends.into_iter().enumerate() {
        let other = ends[(place + 2) % ends.len()];
        let side = vec![vec![value; 60], vec![other; 60], vec![value, other, 0.0]];
        decide_every_way(&side, &side);
        for calls in [1e-300, 1.0, 1e300] {
            for limit in ["mean = \"0ns\"", "p95 = \"0ns\"", "mean = \"1h\"", "p95 = \"1h\""] {
                judge(benchmark("a", &side), limit);
                judge(batched(&side, calls), limit);
            }
        }
    }
}

#[test]
fn a_percentile_of_batches_is_refused_only_where_their_calls_are_not_known() {
    let policy = policy("[[target]]\nbench = \"**\"\np95 = \"1ms\"");
    let known = batched(&vec![vec![2500.0; 50]; 5], 1200.0);
    let mut unknown = known.clone();
    unknown.launches[0].calls_per_sample = None;
    assert!(policy.check_targets(&[known]).is_ok());
    assert!(policy.check_targets(&[unknown]).is_err());
}
