//! Baselines on a branch and in a folder: they are stored, found again, never lost, and always
//! validated.

use std::fs;

use crate::git::{CommitId, FollowedParents};
use crate::note::{FailureReason, Note};
use crate::run::{BenchmarkFailure, LaunchData, Run};
use crate::store::{
    BaselineLookup, BaselineMatch, RetentionPolicy, RunKind, Store, StoreError, UnfitRun,
};

use super::repositories::{Bed, benchmark, host};

const STORES: [&str; 2] = ["git:perfgate-data", "dir:baselines"];

fn open(bed: &Bed, url: &str) -> Store {
    Store::open(url, &bed.path("work")).unwrap()
}

fn look(bed: &Bed, store: &Store, from: &CommitId, run: &Run) -> BaselineLookup {
    let repository = bed.repository("work");
    store
        .find_baseline(repository.walk_ancestry(from, FollowedParents::All), RunKind::from_run(run))
        .unwrap()
}

fn at(second: u32) -> String {
    format!("2026-11-22T00:00:{second:02}Z")
}

/// Returns the commit and the times of the runs that a lookup found.
#[track_caller]
fn found(lookup: BaselineLookup) -> (CommitId, Vec<String>) {
    match lookup.found {
        BaselineMatch::Baseline(baseline) => {
            (baseline.commit, baseline.runs.into_iter().map(|run| run.created).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stored_run_comes_back_as_digests() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    for url in STORES {
        let store = open(&bed, url);
        let mut run = Bed::run(&commit, &at(1), 100.0);
        run.benchmarks.push(benchmark("other | <name>\n", &[1.0, 2.0, 3.0]));
        let key = store.save(&run).unwrap();
        let back = store.load(&key).unwrap();
        assert_eq!(back.benchmarks.len(), 2);
        let digest = back.benchmarks[1].launches[0].digest();
        assert_eq!((digest.count, digest.p50.get()), (3, 2.0));
        let is_digest = |observed: &LaunchData| matches!(observed, LaunchData::Digest(_));
        assert!(is_digest(&back.benchmarks[0].launches[0].data));
        assert_eq!(back.commit, run.commit);
        assert_eq!(store.list().unwrap(), [key]);
    }
}

#[test]
fn the_same_run_twice_is_kept_once() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    for url in STORES {
        let store = open(&bed, url);
        let run = Bed::run(&commit, &at(1), 100.0);
        assert_eq!(store.save(&run).unwrap(), store.save(&run).unwrap());
        assert_eq!(store.list().unwrap().len(), 1);
    }
}

#[test]
fn saving_touches_neither_checkout_nor_index() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    fs::write(bed.path("work/code.txt"), "being edited").unwrap();
    let before = bed.git("work", &["status", "--porcelain"]);
    open(&bed, STORES[0]).save(&Bed::run(&commit, &at(1), 100.0)).unwrap();
    assert_eq!(bed.git("work", &["status", "--porcelain"]), before);
    let history = bed.git("work", &["rev-list", "--all", "--max-parents=0"]);
    assert_eq!(history.lines().count(), 2, "the branch has a root of its own");
    bed.git("work", &["fsck", "--strict"]);
}

#[test]
fn runs_that_cannot_serve_are_refused() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    let store = open(&bed, STORES[0]);
    let refused = |spoil: fn(&mut Run), why: UnfitRun| {
        let mut run = Bed::run(&commit, &at(1), 100.0);
        spoil(&mut run);
        let error = store.save(&run).unwrap_err();
        assert!(matches!(&error, StoreError::Unfit(unfit) if *unfit == why), "{error}");
    };
    refused(|run| run.commit.as_mut().unwrap().dirty = true, UnfitRun::Dirty);
    refused(|run| run.commit = None, UnfitRun::NoCommit);
    refused(|run| run.commit.as_mut().unwrap().id = "../../x".to_owned(), UnfitRun::NoCommit);
    refused(fail_all_benchmarks, UnfitRun::Empty);
    refused(|run| run.benchmarks.clear(), UnfitRun::Empty);
    refused(|run| run.created = "yesterday".to_owned(), UnfitRun::InvalidTime);
    assert_eq!(store.list().unwrap(), []);
}

fn fail_all_benchmarks(run: &mut Run) {
    run.complete = false;
    for benchmark in &mut run.benchmarks {
        benchmark.failure = Some(BenchmarkFailure {
            reason: FailureReason::Exited { status: 101 },
            output: String::new(),
        });
    }
}

#[test]
fn one_failed_benchmark_does_not_keep_the_others_from_being_recorded() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    for url in STORES {
        let store = open(&bed, url);
        let mut run = Bed::run(&commit, &at(1), 100.0);
        fail_all_benchmarks(&mut run);
        run.benchmarks.push(benchmark("other", &[7.0]));
        let stored = store.load(&store.save(&run).unwrap()).unwrap();
        assert_eq!(stored.benchmarks.len(), 1);
        assert_eq!((stored.benchmarks[0].id.as_str(), stored.complete), ("other", false));
    }
}

#[test]
fn the_baseline_is_the_nearest_measured_ancestor_on_this_host() {
    let bed = Bed::new();
    let [one, two, _, four] = ["one", "two", "three", "four"].map(|name| bed.commit(name));
    for url in STORES {
        let store = open(&bed, url);
        let candidate = Bed::run(&four, &at(9), 100.0);
        assert!(matches!(look(&bed, &store, &four, &candidate).found, BaselineMatch::Nothing));
        store.save(&Bed::run(&one, &at(5), 1.0)).unwrap();
        store.save(&Bed::run(&two, &at(2), 2.0)).unwrap();
        store.save(&Bed::run(&two, &at(3), 3.0)).unwrap();
        let mut elsewhere = Bed::run(&four, &at(6), 4.0);
        elsewhere.host = host("another");
        store.save(&elsewhere).unwrap();
        let nearest = found(look(&bed, &store, &four, &candidate));
        assert_eq!(nearest, (two.clone(), vec![at(3), at(2), at(5)]));
        store.save(&candidate).unwrap();
        assert_eq!(
            found(look(&bed, &store, &four, &candidate)).0,
            four,
            "the commit itself counts"
        );
        assert_eq!(found(look(&bed, &store, &one, &candidate)), (one.clone(), vec![at(5)]));
    }
}

#[test]
fn runs_on_other_hosts_are_said_and_not_compared() {
    let bed = Bed::new();
    let [one, two] = ["one", "two"].map(|name| bed.commit(name));
    for url in STORES {
        let store = open(&bed, url);
        for (second, fingerprint) in [(1, "aaaa"), (2, "aaaa"), (3, "bb/../bb")] {
            let mut run = Bed::run(&one, &at(second), 1.0);
            run.host = host(fingerprint);
            store.save(&run).unwrap();
        }
        let candidate = Bed::run(&two, &at(9), 1.0);
        let BaselineMatch::OtherHost { commit, hosts } = look(&bed, &store, &two, &candidate).found
        else {
            panic!("nothing is comparable");
        };
        assert_eq!(commit, one);
        assert_eq!(hosts, [host("bb/../bb"), host("aaaa")]);
    }
}

#[test]
fn at_most_twenty_runs_make_a_baseline() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    let store = open(&bed, STORES[1]);
    for second in 0..25 {
        store.save(&Bed::run(&commit, &at(second), 1.0)).unwrap();
    }
    let runs = found(look(&bed, &store, &commit, &Bed::run(&commit, &at(30), 1.0))).1;
    assert_eq!(runs, (5..25).rev().map(at).collect::<Vec<_>>());
}

/// Writes `content` to the place of a run of `commit`, as anybody with access could.
fn plant(bed: &Bed, url: &str, commit: &CommitId, id: char, content: &str) -> String {
    let name = format!("0f1e2d3c-criterion-20261122T0000{id}0Z-{}.json", id.to_string().repeat(12));
    let path = format!("runs/{}/{commit}/{name}", &commit.as_str()[..2]);
    if url.starts_with("dir:") {
        let file = bed.path("work/baselines").join(&path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    } else {
        bed.git("", &["clone", "--quiet", "--branch=perfgate-data", "work", "plant"]);
        let file = bed.path("plant").join(&path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        bed.git("plant", &["add", "--all"]);
        bed.git("plant", &["commit", "--quiet", "--message", "planted"]);
        bed.git("plant", &["push", "--quiet"]);
        fs::remove_dir_all(bed.path("plant")).unwrap();
    }
    path
}

#[test]
fn broken_records_are_passed_over_and_named() {
    let bed = Bed::new();
    let [one, two] = ["one", "two"].map(|name| bed.commit(name));
    for url in STORES {
        let store = open(&bed, url);
        store.save(&Bed::run(&one, &at(1), 1.0)).unwrap();
        let misplaced = serde_json::to_string(&Bed::run(&one, &at(2), 1.0)).unwrap();
        let planted = [
            plant(&bed, url, &two, '1', "{\"schema\": \"perfgate.run/1\", \"created\""),
            plant(&bed, url, &two, '2', "{\"schema\": \"perfgate.run/99\"}"),
            plant(&bed, url, &two, '3', &misplaced),
            plant(&bed, url, &two, '4', &"[".repeat(100_000)),
        ];
        let lookup = look(&bed, &store, &two, &Bed::run(&two, &at(9), 1.0));
        for path in &planted {
            let names_path = |note: &Note| matches!(note, Note::StoredRunIgnored { cause } if cause.contains(path.as_str()));
            assert!(lookup.notes.iter().any(names_path), "{path}: {:?}", lookup.notes);
        }
        assert_eq!(found(lookup), (one.clone(), vec![at(1)]));
    }
}

#[test]
fn a_record_that_is_too_long_is_not_even_loaded() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    for url in STORES {
        let store = open(&bed, url);
        store.save(&Bed::run(&commit, &at(1), 1.0)).unwrap();
        plant(&bed, url, &commit, '2', &" ".repeat((50 << 20) + 1));
        let lookup = look(&bed, &store, &commit, &Bed::run(&commit, &at(9), 1.0));
        assert_eq!(lookup.notes.len(), 1, "{:?}", lookup.notes);
        assert_eq!(found(lookup).1, [at(1)]);
    }
}

#[test]
fn a_branch_with_code_on_it_is_not_written_to() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    let store = open(&bed, "git:main");
    let refused = store.save(&Bed::run(&commit, &at(1), 1.0)).unwrap_err();
    assert!(
        matches!(&refused, StoreError::NotAStore { found, .. } if found == "code.txt"),
        "{refused}"
    );
    assert!(matches!(
        store.prune(&RetentionPolicy::keep_newest(1)),
        Err(StoreError::NotAStore { .. })
    ));
    assert_eq!(bed.repository("work").resolve_revision("main").unwrap(), commit);
}

#[test]
fn addresses_that_are_not_a_store_are_refused() {
    let bed = Bed::new();
    for url in [
        "",
        "perfgate-data",
        "s3:bucket",
        "dir:",
        "git:",
        "git:a..b",
        "git:HEAD",
        "git:refs/heads/x",
        "git:-x",
    ] {
        let refused = Store::open(url, &bed.path("work"));
        assert!(refused.is_err_and(|error| error.is_usage()), "{url}");
    }
    let outside = tempfile::tempdir().unwrap();
    let refused = Store::open("git:perfgate-data", outside.path());
    assert!(matches!(refused, Err(StoreError::NoRepository { .. })));
}

#[test]
fn pruning_keeps_the_newest_of_each_kind() {
    let bed = Bed::new();
    let [one, two] = ["one", "two"].map(|name| bed.commit(name));
    for url in STORES {
        let store = open(&bed, url);
        for second in 1..=5 {
            store.save(&Bed::run(&one, &at(second), 1.0)).unwrap();
        }
        let mut elsewhere = Bed::run(&two, &at(0), 1.0);
        elsewhere.host = host("another");
        store.save(&elsewhere).unwrap();
        let planned = store.preview_prune(&RetentionPolicy::keep_newest(2)).unwrap();
        assert_eq!(store.list().unwrap().len(), 6, "asking removes nothing");
        let pruned = store.prune(&RetentionPolicy::keep_newest(2)).unwrap();
        assert_eq!(pruned, planned);
        assert_eq!((pruned.removed.len(), pruned.kept_count), (3, 3));
        let left: Vec<String> =
            store.list().unwrap().iter().map(|key| key.created().to_owned()).collect();
        assert_eq!(left, ["20261122T000005Z", "20261122T000004Z", "20261122T000000Z"]);
    }
    assert_eq!(bed.git("work", &["rev-list", "--count", "perfgate-data"]).trim(), "1");
    bed.git("work", &["fsck", "--strict"]);
}
