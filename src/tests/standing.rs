//! The standing of a benchmark after two slow nights and during a slow creep.

use std::collections::BTreeMap;

use super::synthetic::History;
use crate::policy::{Config, Policy};
use crate::run::{LaunchData, Run};
use crate::selection::Selection;
use crate::site::standing::{BenchmarkStanding, WatchState};
use crate::site::{BenchmarkState, Night, Release, SiteInput, build_tracks};
use crate::units::Nanos;

#[test]
fn two_slow_nights_are_held_against_the_median_of_a_window_and_not_against_the_last_night() {
    // An earlier night was even slower, but one night does not affect the median of twenty nights.
    let mut runs = History::default().runs();
    let slow = |run: &mut Run, ratio: f64| {
        for launch in &mut run.benchmarks[0].launches {
            let LaunchData::Digest(digest) = &mut launch.data else { unreachable!() };
            digest.p50 = Nanos::new(digest.p50.get() * ratio).unwrap();
        }
    };
    slow(&mut runs[50], 1.5);
    slow(&mut runs[58], 1.08);
    slow(&mut runs[59], 1.10);
    let (standing, _) = standing_of(&runs, &[]);
    let WatchState::Twice { ratio } = standing.watch else { panic!("{standing:?}") };
    assert!((ratio - 1.08).abs() < 0.03, "{ratio}");
}

/// Returns the standing of one benchmark of these runs, with releases at these nights, and the
/// number of its change points.
fn standing_of(runs: &[Run], releases: &[(&str, usize)]) -> (BenchmarkStanding, usize) {
    let policy = Policy::new(&Config::default(), &BTreeMap::new(), Selection::default()).unwrap();
    let nights: Vec<Night> =
        runs.iter().filter_map(|run| Night::from_run(run, policy.confidence)).collect();
    let release =
        |(name, night): &(&str, usize)| Release { name: (*name).to_owned(), night: *night };
    let material = SiteInput {
        title: "demo".to_owned(),
        now: nights.last().unwrap().created,
        nights,
        releases: releases.iter().map(release).collect(),
        repository: None,
        policy: &policy,
        commits_between: &|_, _| Vec::new(),
    };
    let tracks = build_tracks(&material.nights);
    let track = tracks.iter().find(|track| track.id.name == "tokenization/encode/batch/0").unwrap();
    (BenchmarkStanding::from_track(track, &material), track.hosts[0].changes.len())
}

/// Returns nights that differ by at most 0.2 % and are slower by this share from night 45 on.
fn slower_halfway(share: f64) -> Vec<Run> {
    let mut runs = History { nights: 90, ..History::default() }.runs();
    for (night, run) in runs.iter_mut().enumerate() {
        let level = 150e3 * (1.0 + 0.0005 * (night * 7 % 5) as f64);
        let level = if night < 45 { level } else { level * (1.0 + share) };
        for launch in &mut run.benchmarks[0].launches {
            let LaunchData::Digest(digest) = &mut launch.data else { unreachable!() };
            digest.p50 = Nanos::new(level).unwrap();
        }
    }
    runs
}

#[test]
fn creep_is_said_against_a_release_though_no_night_changed() {
    // A shift of less than 2 % is no change point.
    let runs = slower_halfway(0.017);
    let (standing, changes) = standing_of(&runs, &[("v0.9.0", 2), ("v1.0.0", 5)]);
    assert_eq!((standing.state, changes), (BenchmarkState::Creep, 0));
    let creep = standing.creep.unwrap();
    assert_eq!(creep.release, "v1.0.0");
    let (low, high) = creep.shift.interval.unwrap();
    assert!(low > 1.01 && high < 1.02, "{low} to {high}");
    // Without a release as anchor, the same nights report nothing. Neither does a release without
    // the creep.
    assert_eq!(standing_of(&runs, &[]).0.state, BenchmarkState::Steady);
    let steady = History { nights: 90, ..History::default() };
    assert_eq!(standing_of(&steady.runs(), &[("v1.0.0", 5)]).0.state, BenchmarkState::Steady);
}

#[test]
fn other_threads_are_another_line_and_not_a_change_of_the_code() {
    let threads = |count: &str| [("threads".to_owned(), count.to_owned())].into();
    let with_threads = |runs: Vec<Run>| -> Vec<Run> {
        let runs = runs.into_iter().enumerate();
        runs.map(|(night, mut run)| {
            run.conditions = threads(if night < 45 { "4" } else { "1" });
            run
        })
        .collect()
    };
    let runs = slower_halfway(1.0);
    assert_eq!(standing_of(&runs, &[]).0.state, BenchmarkState::Slower);
    let (standing, changes) = standing_of(&with_threads(runs), &[]);
    assert_eq!((standing.state, standing.runs, changes), (BenchmarkState::Steady, 45, 0));
}

#[test]
fn a_drift_since_a_release_is_one_finding_and_no_creep_beside_it() {
    let history = History { nights: 90, creep: 0.001, ..History::default() };
    let (standing, changes) = standing_of(&history.runs(), &[("v1.0.0", 5)]);
    assert_eq!((standing.state, changes), (BenchmarkState::Drifting, 0));
    assert_eq!((standing.creep, standing.watch), (None, WatchState::Quiet));
    assert!((standing.open_ratio - 1.093).abs() < 0.015, "{}", standing.open_ratio);
}
