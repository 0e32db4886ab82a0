//! Stores that many writers share through a real git server.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use super::git_server::Server;
use super::repositories::{Bed, git_in};
use crate::git::{CommitId, FollowedParents};
use crate::run::SampleSource;
use crate::store::{BaselineMatch, RetentionPolicy, RunKind, Store, StoreError};

const URL: &str = "git:perfgate-data";

fn at(number: usize) -> String {
    format!("2026-11-22T{:02}:{:02}:{:02}Z", number / 3600, number / 60 % 60, number % 60)
}

/// Starts a server with the repository `data.git` and makes it the `origin` of `work`.
fn shared() -> Option<(Bed, Server, CommitId)> {
    let bed = Bed::new();
    let server = Server::start(&bed.path("server"))?;
    server.repository("data.git");
    let commit = bed.commit("measured");
    bed.git("work", &["remote", "add", "origin", &server.open_url("data.git")]);
    bed.git("work", &["push", "--quiet", "origin", "main"]);
    Some((bed, server, commit))
}

fn clone(bed: &Bed, server: &Server, name: &str, options: &[&str]) -> PathBuf {
    let address = server.open_url("data.git");
    bed.git("", &[&["clone", "--quiet"], options, &[&address, name]].concat());
    bed.path(name)
}

fn stored(folder: &Path) -> usize {
    Store::open(URL, folder).unwrap().list().unwrap().len()
}

#[test]
fn eight_writers_lose_nothing_over_http() {
    let Some((bed, server, commit)) = shared() else { return };
    let writer = |writer: usize| {
        let folder = clone(&bed, &server, &format!("writer-{writer}"), &["--depth=1"]);
        let store = Store::open(URL, &folder).unwrap();
        let store = store.as_git().map(|git| (&store, git)).unwrap();
        let remote = store.1.repository().open_remote("origin", None).unwrap();
        for number in 0..20 {
            store.0.save(&Bed::run(&commit, &at(writer * 100 + number), 1.0)).unwrap();
            let pushed = store.1.push(&remote).unwrap();
            assert_eq!(pushed.runs, 1);
        }
    };
    thread::scope(|scope| {
        for number in 0..8 {
            let writer = &writer;
            scope.spawn(move || writer(number));
        }
    });
    let data = bed.path("server/git/data.git");
    git_in(&data, &["fsck", "--strict"]);
    assert_eq!(stored(&clone(&bed, &server, "reader", &[])), 160);
    assert_eq!(git_in(&data, &["rev-list", "--count", "perfgate-data"]).trim(), "160");
}

#[test]
fn pruned_runs_do_not_come_back_and_waiting_ones_are_not_lost() {
    let Some((bed, server, commit)) = shared() else { return };
    let [work, other] = [bed.path("work"), clone(&bed, &server, "other", &[])];
    let [one, two] = [&work, &other].map(|folder| Store::open(URL, folder).unwrap());
    let [one_git, two_git] = [&one, &two].map(|store| store.as_git().unwrap());
    let one_remote = one_git.repository().open_remote("origin", None).unwrap();
    let two_remote = two_git.repository().open_remote("origin", None).unwrap();
    for number in 0..5 {
        one.save(&Bed::run(&commit, &at(number), 1.0)).unwrap();
    }
    assert_eq!(one_git.push(&one_remote).unwrap().runs, 5);
    two_git.fetch(&two_remote).unwrap();
    two.save(&Bed::run(&commit, &at(9), 1.0)).unwrap();
    let pruned = one_git.prune_remote(&one_remote, &RetentionPolicy::keep_newest(2)).unwrap();
    assert_eq!((pruned.removed.len(), pruned.kept_count), (3, 2));
    assert_eq!(one.list().unwrap().len(), 2);
    assert_eq!(two_git.push(&two_remote).unwrap().runs, 1);
    one_git.fetch(&one_remote).unwrap();
    for store in [&one, &two] {
        let times: Vec<_> =
            store.list().unwrap().iter().map(|key| key.created().to_owned()).collect();
        assert_eq!(times, ["20261122T000009Z", "20261122T000004Z", "20261122T000003Z"]);
    }
    let history = git_in(&work, &["rev-list", "--count", "perfgate-data"]);
    assert_eq!(history.trim(), "2", "one squashed commit and the one after it");
}

#[test]
fn pruned_runs_do_not_come_back_with_a_push_of_a_clone_that_has_them_in_another_way() {
    let Some((bed, server, commit)) = shared() else { return };
    let one = Store::open(URL, &bed.path("work")).unwrap();
    for number in 0..5 {
        one.save(&Bed::run(&commit, &at(number), 1.0)).unwrap();
    }
    let one_git = one.as_git().unwrap();
    let one_remote = one_git.repository().open_remote("origin", None).unwrap();
    one_git.push(&one_remote).unwrap();
    // Git made the local branch of this clone, so perfgate does not know where its runs are from.
    let older = clone(&bed, &server, "older", &[]);
    git_in(&older, &["branch", "perfgate-data", "origin/perfgate-data"]);
    one_git.prune_remote(&one_remote, &RetentionPolicy::keep_newest(2)).unwrap();
    let two = Store::open(URL, &older).unwrap();
    two.save(&Bed::run(&commit, &at(9), 1.0)).unwrap();
    let two_git = two.as_git().unwrap();
    let two_remote = two_git.repository().open_remote("origin", None).unwrap();
    assert_eq!(two_git.push(&two_remote).unwrap().runs, 1, "only the new run was waiting");
    one_git.fetch(&one_remote).unwrap();
    for store in [&one, &two] {
        let times: Vec<_> =
            store.list().unwrap().iter().map(|key| key.created().to_owned()).collect();
        assert_eq!(times, ["20261122T000009Z", "20261122T000004Z", "20261122T000003Z"]);
    }
    // What was pruned cannot be saved again without a word, and the next prune remembers it.
    let again = two.save(&Bed::run(&commit, &at(0), 1.0));
    assert!(matches!(again, Err(StoreError::Pruned(_))), "{again:?}");
    one_git.prune_remote(&one_remote, &RetentionPolicy::keep_newest(1)).unwrap();
    two_git.fetch(&two_remote).unwrap();
    assert_eq!((one.list().unwrap().len(), two.list().unwrap().len()), (1, 1));
    let again = two.save(&Bed::run(&commit, &at(0), 1.0));
    assert!(matches!(again, Err(StoreError::Pruned(_))), "{again:?}");
}

#[test]
fn what_was_pruned_before_the_first_push_stays_pruned() {
    let Some((bed, server, commit)) = shared() else { return };
    let one = Store::open(URL, &bed.path("work")).unwrap();
    let git = one.as_git().unwrap();
    let remote = git.repository().open_remote("origin", None).unwrap();
    for number in 0..2 {
        one.save(&Bed::run(&commit, &at(number), 1.0)).unwrap();
    }
    one.prune(&RetentionPolicy::keep_newest(1)).unwrap();
    one.save(&Bed::run(&commit, &at(2), 1.0)).unwrap();
    assert_eq!(git.push(&remote).unwrap().runs, 2, "the list of pruned runs is not a run");
    let two = Store::open(URL, &clone(&bed, &server, "other", &[])).unwrap();
    for store in [&one, &two] {
        let again = store.save(&Bed::run(&commit, &at(0), 1.0));
        assert!(matches!(again, Err(StoreError::Pruned(_))), "{again:?}");
    }
    // The next push does not bring it back.
    one.save(&Bed::run(&commit, &at(3), 1.0)).unwrap();
    assert_eq!(git.push(&remote).unwrap().runs, 1);
    assert_eq!(stored(&clone(&bed, &server, "reader", &[])), 3);
}

#[test]
fn a_fetch_or_push_does_not_undo_a_local_prune_and_does_not_prune_the_remote() {
    let Some((bed, server, commit)) = shared() else { return };
    let one = Store::open(URL, &bed.path("work")).unwrap();
    let git = one.as_git().unwrap();
    let remote = git.repository().open_remote("origin", None).unwrap();
    for number in 0..3 {
        one.save(&Bed::run(&commit, &at(number), 1.0)).unwrap();
    }
    git.push(&remote).unwrap();
    one.prune(&RetentionPolicy::keep_newest(1)).unwrap();
    let again = |number| one.save(&Bed::run(&commit, &at(number), 1.0));
    for _ in 0..2 {
        git.fetch(&remote).unwrap();
        assert_eq!(one.list().unwrap().len(), 1, "the pruned runs are not back");
        assert!(matches!(again(0), Err(StoreError::Pruned(_))));
    }
    // This prune was for the clone alone: others still see the runs, also after a push.
    assert_eq!(git.push(&remote).unwrap().runs, 0);
    again(3).unwrap();
    assert_eq!(git.push(&remote).unwrap().runs, 1);
    assert_eq!(one.list().unwrap().len(), 2);
    assert_eq!(stored(&clone(&bed, &server, "reader", &[])), 4);
    // With the remote, they are gone for all.
    git.prune_remote(&remote, &RetentionPolicy::keep_newest(1)).unwrap();
    assert_eq!(one.list().unwrap().len(), 1);
    let other = Store::open(URL, &clone(&bed, &server, "later", &[])).unwrap();
    assert_eq!(other.list().unwrap().len(), 1);
    for number in 0..3 {
        let refused = other.save(&Bed::run(&commit, &at(number), 1.0));
        assert!(matches!(refused, Err(StoreError::Pruned(_))), "{refused:?}");
    }
}

#[test]
fn pruned_runs_that_an_older_perfgate_brought_back_are_not_listed_and_go_with_the_next_prune() {
    let Some((bed, server, commit)) = shared() else { return };
    let one = Store::open(URL, &bed.path("work")).unwrap();
    for number in 0..3 {
        one.save(&Bed::run(&commit, &at(number), 1.0)).unwrap();
    }
    let git = one.as_git().unwrap();
    let remote = git.repository().open_remote("origin", None).unwrap();
    git.push(&remote).unwrap();
    let other = clone(&bed, &server, "other", &["--branch=perfgate-data"]);
    let before = git_in(&other, &["rev-parse", "HEAD"]);
    git.prune_remote(&remote, &RetentionPolicy::keep_newest(1)).unwrap();
    git_in(&other, &["fetch", "--quiet"]);
    git_in(&other, &["reset", "--quiet", "--hard", "origin/perfgate-data"]);
    git_in(&other, &["checkout", "--quiet", before.trim(), "--", "runs"]);
    git_in(&other, &["commit", "--quiet", "--message", "what an older perfgate does"]);
    git_in(&other, &["push", "--quiet", "origin", "HEAD:perfgate-data"]);
    git.fetch(&remote).unwrap();
    assert_eq!(one.list().unwrap().len(), 1);
    git.prune_remote(&remote, &RetentionPolicy::keep_newest(1)).unwrap();
    let names = git_in(&bed.path("work"), &["ls-tree", "-r", "--name-only", "perfgate-data"]);
    assert_eq!(names.lines().filter(|name| name.contains("-criterion-")).count(), 1, "{names}");
}

#[test]
fn the_history_behind_a_shallow_merge_is_fetched_without_deepening_the_clone() {
    let Some((bed, server, recorded)) = shared() else { return };
    let base = bed.commit("base tip, not recorded");
    bed.git("work", &["checkout", "--quiet", "-b", "change", "HEAD~1"]);
    let head = bed.commit("pull request");
    bed.git("work", &["checkout", "--quiet", "main"]);
    bed.git("work", &["merge", "--quiet", "--strategy=ours", "--message", "merge", "change"]);
    bed.git(
        "work",
        &["push", "--quiet", "origin", "HEAD:refs/pull/1/merge", "HEAD~1:refs/heads/main"],
    );
    let merge = bed.head();
    let checkout = bed.path("checkout");
    fs::create_dir(&checkout).unwrap();
    git_in(&checkout, &["init", "--quiet"]);
    git_in(&checkout, &["remote", "add", "origin", &server.open_url("data.git")]);
    git_in(&checkout, &["fetch", "--quiet", "--depth=1", "origin", "refs/pull/1/merge"]);
    git_in(&checkout, &["checkout", "--quiet", "--detach", "FETCH_HEAD"]);
    let repository = bed.repository("checkout");
    let remote = repository.open_remote("origin", None).unwrap();
    let known: Vec<CommitId> = repository.walk_ancestry(&merge, FollowedParents::All).collect();
    assert_eq!(known, [merge.clone(), base.clone(), head.clone()]);
    let ancestry = remote.fetch_ancestry(&merge, FollowedParents::All, 100).unwrap();
    assert_eq!(ancestry[..4], [merge.clone(), base, head, recorded]);
    assert_eq!(ancestry.len(), 5, "down to the first commit");
    assert_eq!(git_in(&checkout, &["rev-list", "--count", "HEAD"]).trim(), "1");
    assert_eq!(
        remote.fetch_ancestry(&merge, FollowedParents::All, 100).unwrap(),
        ancestry,
        "and again"
    );
}

/// Lets the server leave out the content of files, as GitHub does.
fn allow_filters(bed: &Bed) {
    git_in(&bed.path("server/git/data.git"), &["config", "uploadpack.allowFilter", "true"]);
}

/// Saves this many runs of `commit` in `work` and pushes them.
fn push_runs(bed: &Bed, commit: &CommitId, count: usize) {
    let store = Store::open(URL, &bed.path("work")).unwrap();
    for number in 0..count {
        store.save(&Bed::run(commit, &at(number), 1.0)).unwrap();
    }
    let git = store.as_git().unwrap();
    git.push(&git.repository().open_remote("origin", None).unwrap()).unwrap();
}

/// Returns the number of files whose content the repository at `folder` has.
fn count_contents(folder: &Path) -> usize {
    let flags = ["cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"];
    git_in(folder, &flags).lines().filter(|kind| *kind == "blob").count()
}

#[track_caller]
fn find_runs(store: &Store, commit: &CommitId) -> usize {
    let kind = RunKind { fingerprint: "0f1e2d3c", source: SampleSource::Criterion };
    match store.find_baseline([commit.clone()], kind).unwrap().found {
        BaselineMatch::Baseline(baseline) => baseline.runs.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_check_fetches_only_the_runs_that_it_compares_with() {
    for has_filters in [true, false] {
        let Some((bed, server, commit)) = shared() else { return };
        if has_filters {
            allow_filters(&bed);
        }
        push_runs(&bed, &commit, 30);
        let folder = clone(&bed, &server, "checkout", &["--depth=1"]);
        let store = Store::open(URL, &folder).unwrap();
        let git = store.as_git().unwrap();
        git.fetch_view(&git.repository().open_remote("origin", None).unwrap()).unwrap();
        assert_eq!(store.list().unwrap().len(), 30);
        assert_eq!(find_runs(&store, &commit), 20);
        let fetched = count_contents(&folder.join(".git/perfgate/data.git"));
        // A server without filters sends everything: the runs and the README.
        assert_eq!(fetched, if has_filters { 20 } else { 31 });
        assert_eq!(count_contents(&folder), 1, "the clone has its own file and nothing else");
        // What is saved then joins the runs of the remote, of which nothing is lost.
        store.save(&Bed::run(&commit, &at(99), 1.0)).unwrap();
        assert_eq!(store.list().unwrap().len(), 31);
        let pushed = git.push(&git.repository().open_remote("origin", None).unwrap()).unwrap();
        assert_eq!((pushed.runs, stored(&clone(&bed, &server, "reader", &[]))), (1, 31));
    }
}

#[test]
fn a_clone_with_a_filter_gets_what_is_read_and_what_is_built_and_nothing_else() {
    let Some((bed, server, commit)) = shared() else { return };
    allow_filters(&bed);
    push_runs(&bed, &commit, 30);
    let head = bed.commit("head");
    bed.git("work", &["push", "--quiet", "origin", "main"]);
    let folder = clone(&bed, &server, "checkout", &["--filter=blob:none"]);
    assert_eq!(count_contents(&folder), 1, "what is checked out");
    let store = Store::open(URL, &folder).unwrap();
    assert_eq!((store.list().unwrap().len(), find_runs(&store, &commit)), (30, 20));
    assert_eq!(count_contents(&folder), 21);
    // The base can be checked out by a git that reaches no server.
    let repository = bed.repository("checkout");
    repository.fetch_files_of(&commit).unwrap();
    git_in(&folder, &["remote", "set-url", "origin", "http://127.0.0.1:1/"]);
    git_in(&folder, &["worktree", "add", "--quiet", "../base", commit.as_str()]);
    assert_eq!(fs::read_to_string(bed.path("base/code.txt")).unwrap(), "measured");
    repository.fetch_files_of(&head).unwrap();
}

#[test]
fn a_prune_that_removes_nothing_leaves_the_branch_as_it_is() {
    let Some((bed, _server, commit)) = shared() else { return };
    push_runs(&bed, &commit, 5);
    let store = Store::open(URL, &bed.path("work")).unwrap();
    let git = store.as_git().unwrap();
    let remote = git.repository().open_remote("origin", None).unwrap();
    let data = bed.path("server/git/data.git");
    let before = git_in(&data, &["rev-parse", "perfgate-data"]);
    let policy = RetentionPolicy { least_removed: 4, ..RetentionPolicy::keep_newest(2) };
    for policy in [RetentionPolicy::keep_newest(5), policy.clone()] {
        let pruned = git.prune_remote(&remote, &policy).unwrap();
        assert_eq!((pruned.removed.len(), pruned.kept_count), (0, 5));
        assert_eq!(git_in(&data, &["rev-parse", "perfgate-data"]), before);
    }
    store.save(&Bed::run(&commit, &at(9), 1.0)).unwrap();
    let pruned = git.prune_remote(&remote, &policy).unwrap();
    assert_eq!((pruned.removed.len(), pruned.kept_count), (4, 2));
}
