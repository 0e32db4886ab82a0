//! The decision: it is made in one place, and its invariants hold for all numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::decision::{Change, Decision, TargetStatus};
use crate::note::Note;
use crate::policy::{Config, Policy};
use crate::render::{Colour, render_text};
use crate::report::{Report, ReportContext};
use crate::run::{
    Benchmark, Launch, LaunchData, LookHorizon, MeasuredCommit, Run, SampleSource, Sampling,
};
use crate::selection::Selection;
use crate::units::{Nanos, Percent};
use crate::verdict::{BaselineEvidence, Evidence, RoundsEvidence, decide};
use proptest::prelude::*;
use proptest::test_runner::{Config as Effort, RngAlgorithm, TestRng, TestRunner};

use super::create_test_run;
use super::repositories::observed;

/// Samples of one side, per launch.
type Side = Vec<Vec<f64>>;

fn run(sides: &[Side]) -> Run {
    let mut run = create_test_run(SampleSource::Command);
    run.benchmarks = sides.iter().enumerate().map(|(index, side)| benchmark(index, side)).collect();
    run
}

fn benchmark(index: usize, side: &Side) -> Benchmark {
    let launch = |(round, samples): (u32, &Vec<f64>)| Launch {
        round,
        session: Some("s".to_owned()),
        order: None,
        data: observed(samples),
        calls_per_sample: None,
        metrics: BTreeMap::new(),
    };
    Benchmark {
        id: format!("suite/{index}"),
        package: None,
        target: None,
        sampling: Sampling::Call,
        elements: None,
        per_call: BTreeMap::new(),
        conditions: BTreeMap::new(),
        round_time: None,
        launches: (0..).zip(side).map(launch).collect(),
        failure: None,
    }
}

fn policy() -> Policy {
    Policy::new(&Config::default(), &BTreeMap::new(), Selection::default()).unwrap()
}

fn in_rounds(baseline: &[Side], candidate: &[Side]) -> Decision {
    decide_in_rounds(&run(baseline), &run(candidate))
}

fn decide_in_rounds(baseline: &Run, candidate: &Run) -> Decision {
    let entered = candidate.benchmarks.len();
    let rounds = RoundsEvidence {
        baseline,
        candidate,
        entered_count: entered,
        same_program: &[],
        postponed: &[],
        horizon: LookHorizon::default(),
        has_ended: true,
    };
    let evidence = Evidence {
        rounds: Some(rounds),
        ..Evidence::from_sides(candidate, BaselineEvidence::None)
    };
    decide(&evidence, &policy())
}

#[test]
fn a_busy_machine_is_reported_once() {
    let busy = |others: f64| Note::BusyDuring { others: Percent::new(others).unwrap() };
    let side = vec![vec![1e6; 10]; 3];
    let mut first = run(&[side.clone()]);
    first.notes = vec![busy(0.12)];
    let (baseline, mut again) = (run(&[side.clone()]), run(&[side]));
    again.notes = vec![busy(0.3)];
    let rounds = RoundsEvidence {
        baseline: &baseline,
        candidate: &again,
        entered_count: 1,
        same_program: &[],
        postponed: &[],
        horizon: LookHorizon::default(),
        has_ended: true,
    };
    let evidence =
        Evidence { rounds: Some(rounds), ..Evidence::from_sides(&first, BaselineEvidence::None) };
    let decision = decide(&evidence, &policy());
    let about_load = decision.notes.iter().filter(|note| matches!(note, Note::BusyDuring { .. }));
    assert_eq!(about_load.collect::<Vec<_>>(), [&busy(0.3)]);
}

#[test]
fn another_compiler_is_not_called_another_machine() {
    let mut baseline = run(&[vec![vec![1e6; 10]; 3]]);
    let candidate = run(&[vec![vec![1e6; 10]; 3]]);
    baseline.host.rustc = Some("1.0.0".to_owned());
    baseline.host.fingerprint = "another".to_owned();
    let evidence = Evidence::from_sides(&candidate, BaselineEvidence::File(&baseline));
    let decision = decide(&evidence, &policy());
    let expected = Note::OtherCompiler {
        baseline: Some("1.0.0".to_owned()),
        candidate: candidate.host.rustc.clone(),
    };
    assert_eq!(decision.benchmarks[0].notes, [expected]);
    let text = render_text(&Report::new(&decision, &ReportContext::default()), Colour::Off);
    let text = text.unwrap();
    assert!(text.contains("built by rustc 1.0.0") && !text.contains("another machine"), "{text}");
}

/// Decides on a candidate of commit `head` against three stored runs of commit `base`.
fn as_stored(base: &str, head: &str, slower: f64) -> Decision {
    let of = |id: &str, factor: f64| {
        let launch = |at: usize| vec![factor * (1e6 + 1e3 * at as f64); 10];
        let mut run = run(&[(0..5).map(launch).collect()]);
        run.commit =
            Some(MeasuredCommit { id: id.to_owned(), branch: None, time: None, dirty: false });
        run
    };
    let (stored, candidate) =
        ([1.0, 1.001, 0.999].map(|factor| of(base, factor)), of(head, slower));
    let evidence = Evidence::from_sides(&candidate, BaselineEvidence::Stored(&stored));
    decide(&evidence, &policy())
}

#[test]
fn stored_runs_of_the_same_commit_cannot_tell_a_change_of_the_code() {
    let [one, other] = ["1", "2"].map(|digit| digit.repeat(40));
    assert_eq!(changes(&as_stored(&one, &other, 2.0)), [Change::Regressed]);
    let same = as_stored(&one, &one, 2.0);
    assert_eq!((changes(&same)[0], same.exit_status), (Change::Inconclusive, 0));
    assert_eq!(changes(&as_stored(&one, &one, 1.0)), [Change::Unchanged]);
}

/// Decides on `rounds` rounds of 100 calls of `ns` each, on a machine whose speed differs between
/// launches.
fn restless(source: SampleSource, rounds: usize, ns: f64) -> Decision {
    let side = |seed: usize| -> Side {
        let pace = |launch: usize| 1.0 + ((launch * 7 + seed) * 31 % 10) as f64 / 20.0;
        (0..rounds).map(|launch| vec![ns * pace(launch); 100]).collect()
    };
    let [baseline, candidate] = [0, 3].map(|seed| {
        let mut run = run(&[side(seed)]);
        run.source = source;
        run
    });
    decide_in_rounds(&baseline, &candidate)
}

#[test]
fn a_target_is_unproven_where_one_launch_alone_misses_it() {
    // Launches of different lengths have their bounds at different places.
    // Times that are all alike would show a coarse clock.
    let launch =
        |ns: f64, calls: usize| -> Vec<f64> { (0..calls).map(|at| ns + at as f64).collect() };
    let mut side: Side = vec![launch(0.99e6, 100); 40];
    let target = |side: &Side| {
        let config = Config::from_toml("[[target]]\nbench = \"suite/*\"\np95 = \"1ms\"").unwrap();
        let policy = Policy::new(&config, &BTreeMap::new(), Selection::default()).unwrap();
        let candidate = run(&[side.clone()]);
        let evidence = Evidence::from_sides(&candidate, BaselineEvidence::None);
        let target = decide(&evidence, &policy).benchmarks.remove(0).targets.remove(0);
        (target.status, target.note)
    };
    assert_eq!(target(&side), (TargetStatus::Met, None));
    side[7] = launch(1.02e6, 60);
    let note = Note::SlowLaunch { launch: 7 };
    assert_eq!(target(&side), (TargetStatus::Unproven, Some(note)));
}

#[test]
fn short_launches_that_decide_nothing_are_told_to_be_longer() {
    // A command determines its own number of calls. For benches it follows from the start-up.
    let short = restless(SampleSource::Command, 20, 1e4);
    assert_eq!(changes(&short), [Change::Inconclusive]);
    let limit = Nanos::new(1e8).unwrap();
    let note = Note::ShortLaunches { benchmarks: 1, limit, calls: 2e4, has_calls_flag: false };
    assert_eq!(short.notes, [note]);
    for other in [
        restless(SampleSource::Criterion, 20, 1e4),
        restless(SampleSource::Command, 20, 1e7),
        restless(SampleSource::Command, 10, 1e4),
    ] {
        assert_eq!((changes(&other)[0], other.notes), (Change::Inconclusive, vec![]));
    }
}

fn as_files(baseline: &[Side], candidate: &[Side]) -> Decision {
    let (baseline, candidate) = (run(baseline), run(candidate));
    let evidence = Evidence::from_sides(&candidate, BaselineEvidence::File(&baseline));
    decide(&evidence, &policy())
}

fn changes(decision: &Decision) -> Vec<Change> {
    decision.benchmarks.iter().map(|one| one.change).collect()
}

fn points(decision: &Decision) -> Vec<f64> {
    let point = |one: &crate::decision::Judgement| one.ratio.expect("a ratio").point.get();
    decision.benchmarks.iter().map(point).collect()
}

#[test]
fn where_partners_of_a_suite_repel_each_other_they_are_compared_in_pairs() {
    let side = |level: f64, noise: f64| -> Side {
        let sign = |round: usize| if round.is_multiple_of(2) { 1.0 } else { -1.0 };
        (0..10).map(|round| vec![1e6 * level * (1.0 + noise * sign(round)); 3]).collect()
    };
    let suite = |benchmarks: usize, noise: f64| {
        let (old, new) = (side(1.0, 0.02), side(1.058, noise));
        changes(&in_rounds(&vec![old; benchmarks], &vec![new; benchmarks]))
    };
    assert_eq!(suite(12, -0.02), [Change::Inconclusive; 12]);
    assert_eq!(suite(12, 0.02), [Change::Regressed; 12]);
    // Nine are too few to tell how partners correlate, so the test is cautious.
    assert_eq!(suite(9, -0.02), [Change::Inconclusive; 9]);
    assert_eq!(suite(9, 0.02), [Change::Regressed; 9]);
}

/// Generates rounds of one benchmark: equally many launches on both sides, the candidate's shifted.
fn sides() -> impl Strategy<Value = (Side, Side)> {
    let launch = prop::collection::vec(0.9_f64..1.1, 5);
    (3_usize..13, -0.15_f64..0.15, 0.001_f64..0.3)
        .prop_flat_map(move |(rounds, shift, noise)| {
            let side = prop::collection::vec(launch.clone(), rounds);
            (side.clone(), side, Just(shift), Just(noise))
        })
        .prop_map(|(baseline, candidate, shift, noise)| {
            let spread = |side: Side, factor: f64| -> Side {
                let sample = |x: f64| 1e6 * factor * (1.0 + noise * (x - 1.0));
                side.into_iter().map(|launch| launch.into_iter().map(sample).collect()).collect()
            };
            (spread(baseline, 1.0), spread(candidate, 1.0 + shift))
        })
}

/// Checks the property on the same cases on every machine and every day.
#[track_caller]
fn holds(test: impl Fn((Side, Side)) -> Result<(), TestCaseError>) {
    let effort = Effort { cases: 200, failure_persistence: None, ..Effort::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(effort, random).run(&sides(), test).unwrap();
}

/// Returns the changes that are allowed after the sides are swapped.
///
/// "No slowdown of 5 % or more" also holds for a faster candidate. An early look may report it
/// before a later look would report *improved*. By itself it does not limit the other direction.
fn mirrored(change: Change) -> &'static [Change] {
    match change {
        Change::Regressed => &[Change::Improved, Change::Unchanged],
        Change::Improved => &[Change::Regressed],
        _ => &[Change::Improved, Change::Unchanged, Change::Inconclusive, Change::Regressed],
    }
}

#[test]
fn swapping_the_sides_inverts_the_ratio_and_the_change() {
    holds(|(baseline, candidate)| {
        for decide in [in_rounds, as_files] {
            let forth = decide(&[baseline.clone()], &[candidate.clone()]);
            let back = decide(&[candidate.clone()], &[baseline.clone()]);
            prop_assert!(mirrored(changes(&forth)[0]).contains(&changes(&back)[0]));
            if forth.benchmarks[0].launches == back.benchmarks[0].launches {
                prop_assert!((points(&forth)[0] * points(&back)[0] - 1.0).abs() < 1e-9);
            }
        }
        Ok(())
    });
}

#[test]
fn scaling_both_sides_changes_nothing() {
    holds(|(baseline, candidate)| {
        let scaled = |side: &Side| -> Side {
            side.iter().map(|launch| launch.iter().map(|ns| ns * 1024.0).collect()).collect()
        };
        for decide in [in_rounds, as_files] {
            let one = decide(&[baseline.clone()], &[candidate.clone()]);
            let other = decide(&[scaled(&baseline)], &[scaled(&candidate)]);
            prop_assert_eq!(changes(&one), changes(&other));
            prop_assert!((points(&one)[0] / points(&other)[0] - 1.0).abs() < 1e-9);
        }
        Ok(())
    });
}

#[test]
fn the_order_of_samples_inside_a_launch_changes_nothing() {
    holds(|(baseline, candidate)| {
        let reversed = |side: &Side| -> Side {
            side.iter().map(|launch| launch.iter().rev().copied().collect()).collect()
        };
        for decide in [in_rounds, as_files] {
            let one = decide(&[baseline.clone()], &[candidate.clone()]);
            let other = decide(&[reversed(&baseline)], &[reversed(&candidate)]);
            prop_assert_eq!(one, other);
        }
        Ok(())
    });
}

#[test]
fn more_data_of_the_same_kind_never_turn_regressed_into_improved() {
    holds(|(baseline, candidate)| {
        let repeated = |side: &Side| [side.clone(), side.clone(), side.clone()].concat();
        for decide in [in_rounds, as_files] {
            let few = changes(&decide(&[baseline.clone()], &[candidate.clone()]))[0];
            let many = changes(&decide(&[repeated(&baseline)], &[repeated(&candidate)]))[0];
            let opposite =
                [(Change::Regressed, Change::Improved), (Change::Improved, Change::Regressed)];
            prop_assert!(!opposite.contains(&(few, many)), "{:?} became {:?}", few, many);
        }
        Ok(())
    });
}

#[test]
fn a_decided_benchmark_stays_as_it_is_when_others_go_on() {
    holds(|(baseline, candidate)| {
        let longer = |side: &Side| [side.clone(), side.clone()].concat();
        let short = in_rounds(&[baseline.clone()], &[candidate.clone()]);
        let long = in_rounds(&[longer(&baseline)], &[longer(&candidate)]);
        let planned = usize::try_from(short.benchmarks[0].launches.candidate).unwrap();
        if [4, 5, 7, 10, 14, 20].contains(&planned) && changes(&short)[0] != Change::Inconclusive {
            prop_assert_eq!(changes(&short), changes(&long));
        }
        Ok(())
    });
}

/// Returns every source file below `folder`, with its code before the unit tests.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources.extend(self::sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            sources.push((path, code));
        }
    }
    sources
}

#[test]
fn one_function_decides_and_everybody_calls_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = sources(&root);
    let inside = |path: &Path| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
    let naming = |words: &[&str]| -> Vec<String> {
        let names = |code: &str| words.iter().any(|word| code.contains(word));
        let files = sources.iter().filter(|(_, code)| names(code));
        let mut files: Vec<String> = files.map(|(path, _)| inside(path)).collect();
        files.sort();
        files
    };
    let outside = |files: Vec<String>| -> Vec<String> {
        files.into_iter().filter(|file| !file.starts_with("verdict")).collect()
    };
    assert_eq!(naming(&["fn classify("]), ["verdict/change.rs"]);
    assert_eq!(naming(&["fn judge_signs("]), ["verdict/witness.rs"]);
    // No other module may use the bounds of a change or the α at which they are computed.
    assert_eq!(
        outside(naming(&["classify(&", "judge_signs(", ".lower(errors", ".upper(errors"])),
        [""; 0]
    );
    assert_eq!(naming(&["pub(crate) fn decide("]), ["verdict/decide.rs"]);
    let callers = outside(naming(&["decide(&evidence", "decide(&Evidence"]));
    for caller in ["cmd/compare.rs", "evaluate/judge.rs"] {
        assert!(callers.iter().any(|file| file == caller), "{caller} is not among {callers:?}");
    }
}

#[test]
fn digests_are_decided_like_the_samples_they_sum_up() {
    holds(|(baseline, candidate)| {
        let digested = |side: &Side| {
            let mut run = run(&[side.clone()]);
            for launch in &mut run.benchmarks[0].launches {
                launch.data = LaunchData::Digest(launch.digest());
            }
            run
        };
        let (old, new) = (digested(&baseline), digested(&candidate));
        let evidence = Evidence::from_sides(&new, BaselineEvidence::File(&old));
        let samples = as_files(&[baseline], &[candidate]);
        prop_assert_eq!(changes(&decide(&evidence, &policy())), changes(&samples));
        Ok(())
    });
}
