//! Looks on restless machines: the signs of partners, the horizon, and how rounds end.

use std::collections::BTreeMap;

use crate::decision::{Change, Decision, Judgement};
use crate::policy::{Config, Policy};
use crate::run::{
    Benchmark, BenchmarkId, Launch, LaunchData, LookHorizon, RoundsRecord, Run, SampleSource,
    Sampling,
};
use crate::selection::Selection;
use crate::verdict::{BaselineEvidence, Evidence, RoundsEvidence, decide};

use super::create_test_run;
use super::repositories::observed;

/// Builds the run of one benchmark whose launches have these medians, in milliseconds.
fn build_side(medians: &[f64]) -> Run {
    // Calls differ a little, because times that are all alike would show a coarse clock.
    let calls = |median: f64| -> Vec<f64> {
        (-5..=5).map(|at| 1e6 * median * (1.0 + 1.37e-5 * f64::from(at))).collect()
    };
    let launches = (0..).zip(medians).map(|(round, median)| Launch {
        round,
        session: Some("s".to_owned()),
        order: None,
        data: observed(&calls(*median)),
        calls_per_sample: None,
        metrics: BTreeMap::new(),
    });
    let mut run = create_test_run(SampleSource::Command);
    let id = BenchmarkId { name: "restless".to_owned(), package: None };
    run.benchmarks = vec![Benchmark {
        launches: launches.collect(),
        ..Benchmark::new(id, None, Sampling::Call)
    }];
    run
}

fn decide_on(evidence: &Evidence<'_>) -> Judgement {
    let policy = Policy::new(&Config::default(), &BTreeMap::new(), Selection::default()).unwrap();
    let Decision { mut benchmarks, .. } = decide(evidence, &policy);
    benchmarks.remove(0)
}

/// Judges rounds with looks up to `horizon`, as one of `entered_count` benchmarks.
fn judge(
    sides: &[Run; 2],
    horizon: LookHorizon,
    entered_count: usize,
    has_ended: bool,
) -> Judgement {
    let [baseline, candidate] = sides;
    let same_program = &[];
    let rounds = RoundsEvidence {
        baseline,
        candidate,
        entered_count,
        same_program,
        postponed: &[],
        horizon,
        has_ended,
    };
    let sides = Evidence::from_sides(candidate, BaselineEvidence::None);
    decide_on(&Evidence { rounds: Some(rounds), ..sides })
}

/// Returns a small deviation that differs from launch to launch, and between the sides.
fn wobble(launch: usize, side: usize) -> f64 {
    1.0 + 0.002 * ((launch * 7 + side * 3) % 11) as f64 / 11.0
}

/// Builds `rounds` rounds of a candidate that is slower by `factor`. Bursts slow two launches in
/// eleven by 60 %, on one side or the other.
fn build_bursts(rounds: usize, factor: f64) -> [Run; 2] {
    let side = |side: usize, factor: f64| -> Vec<f64> {
        let burst = |launch: usize| if launch * 5 % 11 == side * 4 { 1.6 } else { 1.0 };
        (0..rounds).map(|launch| factor * burst(launch) * wobble(launch, side)).collect()
    };
    [build_side(&side(0, 1.0)), build_side(&side(1, factor))]
}

#[test]
fn bursts_do_not_hide_a_slowdown() {
    // The t test has no power: the standard error of its difference is above 4 % after 20 rounds.
    let judged = judge(&build_bursts(80, 1.05), LookHorizon::Rounds80, 50, false);
    assert_eq!((judged.change, judged.launches.candidate), (Change::Regressed, 28));
    let ratio = judged.ratio.unwrap();
    let [low, point, high] = [ratio.low, ratio.point, ratio.high].map(crate::units::Ratio::get);
    assert!((point - 1.05).abs() < 0.002, "{point}");
    assert!(low <= point && point <= high && low > 1.045 && high < 1.055, "{low} to {high}");
    let [old, new] = [judged.baseline, judged.candidate].map(|side| side.unwrap().median.point);
    assert!((new.get() / old.get() / point - 1.0).abs() < 1e-9);
    assert!(judged.p_value.unwrap() < 0.001);
}

#[test]
fn bursts_do_not_hide_that_nothing_changed_or_that_it_got_faster() {
    let judged = judge(&build_bursts(80, 1.0), LookHorizon::Rounds80, 50, false);
    assert_eq!(judged.change, Change::Unchanged);
    let judged = judge(&build_bursts(80, 0.95), LookHorizon::Rounds80, 50, false);
    assert!(matches!(judged.change, Change::Improved | Change::Unchanged), "{:?}", judged.change);
}

#[test]
fn a_candidate_that_is_slow_in_three_launches_of_ten_is_not_unchanged() {
    // Seven differences of ten are zero, so the signs alone would pass it.
    let side = |side: usize, slow: f64| -> Vec<f64> {
        let pace = |launch: usize| if launch * 3 % 10 < 3 { slow } else { 1.0 };
        (0..160).map(|launch| pace(launch) * wobble(launch, side)).collect()
    };
    let sides = [build_side(&side(0, 1.0)), build_side(&side(1, 1.4))];
    let judged = judge(&sides, LookHorizon::Rounds160, 50, false);
    assert_ne!(judged.change, Change::Unchanged);
}

#[test]
fn two_speeds_are_no_slowdown_after_four_rounds_and_a_doubling_is() {
    // The launches of a side are alike, so the t test is certain of 4 %.
    let rounds = |rounds: usize, factor: f64| {
        let side = |side: usize, factor: f64| -> Vec<f64> {
            (0..rounds).map(|launch| factor * wobble(launch, side)).collect()
        };
        [build_side(&side(0, 1.0)), build_side(&side(1, factor))]
    };
    let change = |sides: [Run; 2]| judge(&sides, LookHorizon::Rounds160, 50, true).change;
    assert_eq!(change(rounds(4, 1.04)), Change::Inconclusive);
    assert_eq!(change(rounds(6, 1.04)), Change::Inconclusive);
    assert_eq!(change(rounds(7, 1.04)), Change::Regressed);
    assert_eq!(change(rounds(4, 2.0)), Change::Regressed);
    assert_eq!(change(rounds(4, 0.5)), Change::Improved);
}

/// Builds rounds of a candidate that is 5 % slower, on a machine whose launches differ by a fifth, so
/// that many rounds are needed.
fn build_noise(rounds: usize) -> [Run; 2] {
    let side = |side: usize| -> Vec<f64> {
        let pace = |launch: usize| 1.0 + 0.2 * ((launch * 17 + side * 5) % 23) as f64 / 23.0;
        (0..rounds).map(|launch| if side == 0 { 1.0 } else { 1.05 } * pace(launch)).collect()
    };
    [0, 1].map(|index| build_side(&side(index)))
}

#[test]
fn looks_go_on_to_the_horizon_and_no_further() {
    let sides = build_noise(160);
    let short = judge(&sides, LookHorizon::Rounds20, 50, true);
    assert_eq!(short.change, Change::Inconclusive);
    let long = judge(&sides, LookHorizon::Rounds160, 50, true);
    assert_eq!(long.change, Change::Regressed);
    assert!(long.launches.candidate > 20);
}

#[test]
fn a_benchmark_given_up_after_a_look_has_no_forced_look() {
    // After 14 rounds there is nothing new to look at, whether the time is up or not.
    let sides = build_noise(14);
    let given_up = judge(&sides, LookHorizon::Rounds160, 50, true);
    assert_eq!(given_up.change, Change::Inconclusive);
    assert_eq!(given_up.p_value, judge(&sides, LookHorizon::Rounds160, 50, false).p_value);
    // After 19 rounds there is, if the time is up.
    let sides = build_noise(19);
    let forced = judge(&sides, LookHorizon::Rounds160, 50, true).p_value;
    assert!(forced < judge(&sides, LookHorizon::Rounds160, 50, false).p_value);
}

#[test]
fn two_files_of_rounds_are_compared_by_their_looks() {
    // As two files without a record they are looked at once, by a t test that sees nothing.
    let mut sides = build_bursts(28, 1.05);
    let compare = |sides: &[Run; 2]| {
        decide_on(&Evidence::from_sides(&sides[1], BaselineEvidence::File(&sides[0])))
    };
    assert_eq!(compare(&sides).change, Change::Inconclusive);
    for side in &mut sides {
        side.settings.rounds = Some(RoundsRecord { horizon: LookHorizon::Rounds80, entered: 50 });
    }
    let judged = compare(&sides);
    assert_eq!((judged.change, judged.launches.candidate), (Change::Regressed, 28));
    // Rounds of different measurements do not belong together.
    for launch in &mut sides[0].benchmarks[0].launches {
        launch.session = Some("other".to_owned());
    }
    assert_eq!(compare(&sides).change, Change::Inconclusive);
}

#[test]
fn a_round_with_a_failed_launch_counts_for_neither_side() {
    let mut sides = build_bursts(80, 1.05);
    let whole = judge(&sides, LookHorizon::Rounds80, 50, false);
    // A launch that only one side has is very slow.
    sides[0].benchmarks[0].launches.retain(|launch| launch.round != 3);
    let extra = &mut sides[1].benchmarks[0].launches[3];
    extra.data = LaunchData::Digest(build_side(&[9e3]).benchmarks[0].launches[0].digest());
    let without = judge(&sides, LookHorizon::Rounds80, 50, false);
    assert_eq!(without.change, whole.change);
    assert!((without.ratio.unwrap().point.get() - 1.05).abs() < 0.002);
}
