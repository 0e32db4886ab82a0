//! Waivers in commit messages for regressions and missing benchmarks: scoped, bounded and visible.

use std::collections::BTreeMap;

use crate::decision::{Change, Decision, Verdict};
use crate::git::CommitId;
use crate::note::Note;
use crate::policy::trailer::parse_trailers;
use crate::policy::{Config, Policy};
use crate::selection::Selection;
use crate::verdict::{BaselineEvidence, Evidence, TrailerEvidence, decide};

use super::repositories::run_of;

/// Returns the trailers of a commit with this message.
fn trailers_of(message: &str) -> TrailerEvidence {
    let accepted = parse_trailers([message]).parsed.into_iter().map(Result::unwrap).collect();
    TrailerEvidence { accepted, notes: Vec::new(), is_complete: true }
}

/// Returns the decision on `candidate` against `baseline` when a commit has this message.
fn decided(message: &str, baseline: &[(&str, f64)], candidate: &[(&str, f64)]) -> Decision {
    let commit = CommitId::parse(&"a".repeat(40)).unwrap();
    let [baseline, candidate] =
        [baseline, candidate].map(|side| run_of(&commit, "2026-11-22T00:00:00Z", side));
    let trailers = trailers_of(message);
    let policy = Policy::new(&Config::default(), &BTreeMap::new(), Selection::default()).unwrap();
    let evidence = Evidence {
        trailers: &trailers,
        ..Evidence::from_sides(&candidate, BaselineEvidence::File(&baseline))
    };
    decide(&evidence, &policy)
}

const ACCEPT: &str = "Perfgate-Accept: suite/* +12% because it is exact now";

#[test]
fn a_regression_within_the_limit_passes_and_says_why() {
    let decision = decided(ACCEPT, &[("suite/a", 100.0)], &[("suite/a", 110.0)]);
    assert_eq!(decision.verdict, Verdict::Pass, "{decision:?}");
    assert_eq!(decision.benchmarks[0].change, Change::Regressed);
    let waiver = decision.benchmarks[0].waiver.as_ref().unwrap();
    assert_eq!((waiver.reason.as_str(), waiver.limit.unwrap().get()), ("it is exact now", 0.12));
    assert!(decision.notes.is_empty(), "{:?}", decision.notes);
}

#[test]
fn a_regression_that_is_certainly_beyond_the_limit_fails_and_is_told() {
    let decision = decided(ACCEPT, &[("suite/a", 100.0)], &[("suite/a", 114.0)]);
    assert_eq!(decision.verdict, Verdict::Fail);
    assert_eq!(decision.benchmarks[0].waiver, None);
    let trailer = "suite/* +12 %".to_owned();
    let benchmark = "suite/a".to_owned();
    assert_eq!(decision.notes, [Note::TrailerExceeded { trailer, benchmark, more: 0 }]);
}

#[test]
fn a_regression_as_large_as_the_limit_passes() {
    let decision = decided(ACCEPT, &[("suite/a", 100.0)], &[("suite/a", 112.0)]);
    assert!(decision.benchmarks[0].ratio.unwrap().low.get() < 1.12);
    assert_eq!(decision.verdict, Verdict::Pass);
}

#[test]
fn what_a_trailer_does_not_cover_fails_as_before() {
    let decision = decided(
        ACCEPT,
        &[("suite/a", 100.0), ("other/a", 100.0)],
        &[("suite/a", 110.0), ("other/a", 110.0)],
    );
    assert_eq!(decision.verdict, Verdict::Fail);
    let waived: Vec<_> = decision.benchmarks.iter().map(|one| one.waiver.is_some()).collect();
    assert_eq!(waived, [true, false]);
}

#[test]
fn of_several_trailers_the_lowest_sufficient_limit_counts() {
    let message = "Perfgate-Accept: suite/a +50% because a\n\
                   Perfgate-Accept: suite/a +12% because b\n\
                   Perfgate-Accept: suite/a +5% because c";
    let decision = decided(message, &[("suite/a", 100.0)], &[("suite/a", 110.0)]);
    assert_eq!(decision.benchmarks[0].waiver.as_ref().unwrap().reason, "b");
    assert!(decision.notes.is_empty(), "{:?}", decision.notes);
}

#[test]
fn a_benchmark_that_is_gone_on_purpose_is_accepted_and_no_slowdown_is() {
    let gone = "Perfgate-Accept: suite/a missing because the codec is gone";
    let both = [("suite/a", 100.0), ("suite/b", 100.0)];
    let decision = decided(gone, &both, &[("suite/b", 100.0)]);
    assert_eq!(decision.verdict, Verdict::Pass, "{decision:?}");
    assert_eq!(decided(ACCEPT, &both, &[("suite/b", 100.0)]).verdict, Verdict::Fail);
    let decision = decided(gone, &both, &[("suite/a", 110.0), ("suite/b", 100.0)]);
    assert_eq!(decision.verdict, Verdict::Fail);
    let trailer = "suite/a missing".to_owned();
    assert_eq!(decision.notes, [Note::TrailerWithoutMissing { trailer }]);
}

#[test]
fn a_trailer_that_matches_nothing_is_a_warning() {
    let message = "Perfgate-Accept: siute/* +12% because x";
    let decision = decided(message, &[("suite/a", 100.0)], &[("suite/a", 100.0)]);
    let trailer = "siute/* +12 %".to_owned();
    assert_eq!(decision.notes, [Note::TrailerMatchesNothing { trailer }]);
}

#[test]
fn a_target_is_not_waived_with_the_regression() {
    let commit = CommitId::parse(&"a".repeat(40)).unwrap();
    let side = |ns| run_of(&commit, "2026-11-22T00:00:00Z", &[("suite/a", ns)]);
    let (baseline, candidate) = (side(100.0), side(110.0));
    let config = Config::from_toml("[[target]]\nbench = \"**\"\nmean = \"105ns\"").unwrap();
    let policy = Policy::new(&config, &BTreeMap::new(), Selection::default()).unwrap();
    let trailers = trailers_of(ACCEPT);
    let evidence = Evidence {
        trailers: &trailers,
        ..Evidence::from_sides(&candidate, BaselineEvidence::File(&baseline))
    };
    let decision = decide(&evidence, &policy);
    assert!(decision.benchmarks[0].waiver.is_some());
    assert_eq!(decision.verdict, Verdict::Fail);
}
