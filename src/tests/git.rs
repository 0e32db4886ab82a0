//! How perfgate reads repositories in all their forms.

use std::fs;
use std::path::Path;

use crate::git::{CommitId, FollowedParents, GitError, Repository};

use super::repositories::Bed;

fn ids(repository: &Repository, from: &CommitId, parents: FollowedParents) -> Vec<CommitId> {
    repository.walk_ancestry(from, parents).collect()
}

#[test]
fn a_folder_outside_of_any_repository_has_none() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Repository::discover(folder.path()).unwrap().is_none());
    assert!(Repository::discover(&folder.path().join("absent")).unwrap().is_none());
}

#[test]
fn a_repository_without_a_commit_has_no_head() {
    let bed = Bed::new();
    fs::create_dir(bed.path("empty")).unwrap();
    bed.git("empty", &["init", "--quiet"]);
    assert_eq!(bed.repository("empty").read_head(&bed.path("empty")).unwrap(), None);
}

#[test]
fn the_head_names_commit_branch_and_time() {
    let bed = Bed::new();
    let id = bed.commit("second");
    let head = bed.repository("work").read_head(&bed.path("work")).unwrap().unwrap();
    assert_eq!(head.id, id.to_string());
    assert_eq!(head.branch.as_deref(), Some("main"));
    assert_eq!(head.time.as_deref(), Some("2026-11-22T00:00:00Z"));
    assert!(!head.dirty);
}

#[test]
fn a_detached_head_is_on_no_branch() {
    let bed = Bed::new();
    bed.git("work", &["checkout", "--quiet", "--detach"]);
    let head = bed.repository("work").read_head(&bed.path("work")).unwrap().unwrap();
    assert_eq!((head.branch, head.dirty), (None, false));
}

#[test]
fn changed_staged_and_new_files_make_it_dirty_and_ignored_ones_do_not() {
    let bed = Bed::new();
    let work = bed.path("work");
    let is_dirty =
        |workspace: &Path| bed.repository("work").read_head(workspace).unwrap().unwrap().dirty;
    fs::create_dir_all(work.join("crate")).unwrap();
    fs::write(work.join(".gitignore"), "target\n").unwrap();
    bed.commit("ignore");
    fs::create_dir(work.join("target")).unwrap();
    fs::write(work.join("target/run.json"), "{}").unwrap();
    assert!(!is_dirty(&work));
    fs::write(work.join("code.txt"), "changed").unwrap();
    assert!(is_dirty(&work) && is_dirty(&work.join("crate")));
    bed.git("work", &["add", "code.txt"]);
    assert!(is_dirty(&work));
    bed.commit("changed");
    fs::write(work.join("notes.txt"), "new").unwrap();
    assert!(is_dirty(&work));
    assert!(!is_dirty(&work.join("crate")), "an untracked file elsewhere is not in the workspace");
    fs::write(work.join("crate/new.rs"), "new").unwrap();
    assert!(is_dirty(&work.join("crate")));
}

#[test]
fn a_bare_repository_has_a_head_and_is_never_dirty() {
    let bed = Bed::new();
    bed.git("", &["clone", "--quiet", "--bare", "work", "bare.git"]);
    let head = bed.repository("bare.git").read_head(&bed.path("bare.git")).unwrap().unwrap();
    assert_eq!(head.branch.as_deref(), Some("main"));
    assert!(!head.dirty);
}

#[test]
fn branches_tags_and_short_ids_resolve_and_other_words_do_not() {
    let bed = Bed::new();
    let first = bed.commit("tagged");
    bed.git("work", &["tag", "--annotate", "--message", "x", "v1.0.0"]);
    let second = bed.commit("second");
    let repository = bed.repository("work");
    assert_eq!(repository.resolve_revision("main").unwrap(), second);
    assert_eq!(repository.resolve_revision("v1.0.0").unwrap(), first);
    assert_eq!(repository.resolve_revision(&first.as_str()[..8]).unwrap(), first);
    let error = repository.resolve_revision("nowhere").unwrap_err();
    assert!(matches!(&error, GitError::UnknownRevision(_)) && error.help().is_some());
    assert!(repository.resolve_revision("HEAD:code.txt").is_err(), "a file is not a commit");
}

#[test]
fn a_branch_that_only_origin_has_resolves() {
    let bed = Bed::new();
    let id = bed.commit("second");
    bed.git("work", &["branch", "release"]);
    bed.git("", &["clone", "--quiet", "work", "clone"]);
    assert_eq!(bed.repository("clone").resolve_revision("release").unwrap(), id);
}

/// Creates `main` with a merged branch: the commits base, side, a commit on main, and the merge.
fn merged(bed: &Bed) -> [CommitId; 4] {
    let base = bed.commit("base");
    bed.git("work", &["checkout", "--quiet", "-b", "side"]);
    let side = bed.commit("side");
    bed.git("work", &["checkout", "--quiet", "main"]);
    let own = bed.commit("own");
    bed.git("work", &["merge", "--quiet", "--strategy=ours", "--message", "merge", "side"]);
    let merge = bed.repository("work").resolve_revision("HEAD").unwrap();
    [base, side, own, merge]
}

#[test]
fn ancestry_follows_the_first_parent_or_all() {
    let bed = Bed::new();
    let [base, side, own, merge] = merged(&bed);
    let repository = bed.repository("work");
    let first = ids(&repository, &merge, FollowedParents::First);
    assert_eq!(first[..3], [merge.clone(), own.clone(), base.clone()]);
    let all = ids(&repository, &merge, FollowedParents::All);
    assert_eq!(all[..4], [merge, own, side, base]);
    assert_eq!((first.len(), all.len()), (4, 5));
}

#[test]
fn a_shallow_merge_still_names_its_parents() {
    let bed = Bed::new();
    let [_, side, own, merge] = merged(&bed);
    let address = format!("file://{}", bed.path("work").display());
    bed.git("", &["clone", "--quiet", "--depth=1", &address, "shallow"]);
    let repository = bed.repository("shallow");
    assert!(repository.is_shallow());
    assert_eq!(repository.read_parents(&merge).unwrap(), [own.clone(), side.clone()]);
    assert_eq!(ids(&repository, &merge, FollowedParents::All), [merge, own, side]);
}

#[test]
fn the_ancestry_of_a_commit_from_elsewhere_is_that_commit() {
    let bed = Bed::new();
    let foreign = CommitId::parse(&"ab".repeat(20)).unwrap();
    assert_eq!(ids(&bed.repository("work"), &foreign, FollowedParents::All), [foreign]);
}

#[test]
fn the_last_release_is_the_nearest_one_before() {
    let bed = Bed::new();
    let release = |name| bed.git("work", &["tag", name]);
    release("v0.9.0");
    let one = bed.commit("one");
    release("v1.0.0");
    release("v1.0.0-rc.1");
    bed.commit("two");
    release("nightly");
    let head = bed.commit("three");
    release("v2.0.0");
    let repository = bed.repository("work");
    let found = repository.find_last_release(&head).unwrap();
    assert_eq!(found, Some(("v1.0.0".to_owned(), one.clone())));
    assert_eq!(repository.find_last_release(&one).unwrap().unwrap().0, "v0.9.0");
}

#[test]
#[cfg(unix)]
fn a_hook_of_the_clone_does_not_run_in_a_checkout() {
    use std::os::unix::fs::PermissionsExt as _;
    let bed = Bed::new();
    let hook = bed.path("work/.git/hooks/post-checkout");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, format!("#!/bin/sh\ntouch '{}'\n", bed.path("ran").display())).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    bed.git("work", &["checkout", "--quiet", "-b", "other"]);
    fs::remove_file(bed.path("ran")).unwrap();
    let worktree =
        bed.repository("work").add_worktree(&bed.path("worktrees/base"), &bed.head()).unwrap();
    assert!(worktree.path().join("code.txt").exists());
    assert!(!bed.path("ran").exists());
}

#[test]
fn a_worktree_holds_its_commit_and_is_gone_when_dropped() {
    let bed = Bed::new();
    let base = bed.commit("base");
    bed.commit("candidate");
    let repository = bed.repository("work");
    let path = bed.path("worktrees/base");
    let worktree = repository.add_worktree(&path, &base).unwrap();
    assert_eq!(fs::read_to_string(path.join("code.txt")).unwrap(), "base");
    fs::write(path.join("built"), "by Cargo").unwrap();
    assert_eq!(repository.remove_stale_worktrees().unwrap(), Vec::<std::path::PathBuf>::new());
    let inside = Repository::discover(&path).unwrap().unwrap();
    assert_eq!(inside.read_head(&path).unwrap().unwrap().id, base.to_string());
    drop(worktree);
    assert!(!path.exists());
    assert_eq!(bed.git("work", &["worktree", "list"]).lines().count(), 1);
    assert_eq!(fs::read_dir(bed.path("work/.git/perfgate")).unwrap().count(), 0);
}

#[test]
fn files_that_stay_the_same_keep_their_times_from_one_checkout_to_the_next() {
    let bed = Bed::new();
    fs::write(bed.path("work/same.txt"), "same").unwrap();
    let one = bed.commit("one");
    let two = bed.commit("two");
    let (path, record) = (bed.path("worktrees/base"), bed.path("times.json"));
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    let check_out = |commit: &CommitId, age: bool| {
        let worktree = bed.repository("work").add_worktree(&path, commit).unwrap();
        for name in ["code.txt", "same.txt"].into_iter().filter(|_| age) {
            let file = fs::File::options().write(true).open(path.join(name)).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        worktree.restore_times(&record).unwrap();
        let is_old =
            |name: &str| path.join(name).metadata().unwrap().modified().unwrap() == long_ago;
        (is_old("code.txt"), is_old("same.txt"))
    };
    assert_eq!(check_out(&one, true), (true, true));
    assert_eq!(check_out(&one, false), (true, true));
    assert_eq!(check_out(&two, false), (false, true));
    // The other commit was built in between, so that going back is also a change.
    assert_eq!(check_out(&one, false), (false, true));
    fs::write(bed.path("work/.gitattributes"), "*.txt text\n").unwrap();
    assert_eq!(check_out(&bed.commit("one"), false), (false, false));
    fs::write(&record, "not JSON").unwrap();
    assert_eq!(check_out(&one, false), (false, false));
}

#[test]
fn a_worktree_is_not_made_over_files_of_the_user() {
    let bed = Bed::new();
    let head = bed.commit("base");
    fs::create_dir(bed.path("precious")).unwrap();
    fs::write(bed.path("precious/thesis.txt"), "years").unwrap();
    let refused = bed.repository("work").add_worktree(&bed.path("precious"), &head);
    assert!(matches!(refused, Err(GitError::CommandFailed { .. })));
    assert_eq!(fs::read_to_string(bed.path("precious/thesis.txt")).unwrap(), "years");
}

#[test]
fn the_worktree_of_a_killed_process_is_removed_by_the_next() {
    let bed = Bed::new();
    let base = bed.commit("base");
    let repository = bed.repository("work");
    let path = bed.path("worktrees/base");
    let worktree = repository.add_worktree(&path, &base).unwrap();
    // A killed process leaves its record behind, without a lock on it.
    let records = bed.path("work/.git/perfgate");
    let record = fs::read_dir(&records).unwrap().next().unwrap().unwrap().path();
    let copy = fs::read(&record).unwrap();
    fs::remove_file(&record).unwrap();
    std::mem::forget(worktree);
    fs::write(&record, copy).unwrap();
    assert_eq!(
        repository.remove_stale_worktrees().unwrap(),
        [path.canonicalize().unwrap_or(path.clone())]
    );
    assert!(!path.exists());
    assert_eq!(bed.git("work", &["worktree", "list"]).lines().count(), 1);
    assert_eq!(fs::read_dir(records).unwrap().count(), 0);
}

#[test]
fn a_branch_moves_only_from_where_it_was() {
    let bed = Bed::new();
    let [one, two] = ["one", "two"].map(|name| bed.commit(name));
    let repository = bed.repository("work");
    let branch = repository.open_branch("data").unwrap();
    assert_eq!(branch.read_tip().unwrap(), None);
    branch.compare_and_swap(None, &one).unwrap();
    assert!(
        matches!(branch.compare_and_swap(None, &two), Err(GitError::BranchMoved(_))),
        "it exists by now"
    );
    assert!(matches!(branch.compare_and_swap(Some(&two), &two), Err(GitError::BranchMoved(_))));
    branch.compare_and_swap(Some(&one), &two).unwrap();
    assert_eq!(branch.read_tip().unwrap(), Some(two));
    for name in ["", "a..b", "-x", "x y", "x.lock", "../x"] {
        assert!(repository.open_branch(name).is_err(), "{name}");
    }
}

#[test]
fn a_snapshot_has_what_the_working_tree_has_and_changes_nothing() {
    let bed = Bed::new();
    let work = bed.path("work");
    for (name, text) in [(".gitignore", "target\n*.log\n"), ("gone.txt", ""), ("staged.txt", "")] {
        fs::write(work.join(name), text).unwrap();
    }
    bed.commit("files");
    fs::create_dir_all(work.join("target")).unwrap();
    fs::create_dir_all(work.join("build")).unwrap();
    for (name, text) in [
        ("code.txt", "changed"),
        ("staged.txt", "staged"),
        ("new file", "new"),
        ("run.log", "ignored"),
        ("target/a", "ignored"),
        ("build/a", "left out"),
    ] {
        fs::write(work.join(name), text).unwrap();
    }
    fs::remove_file(work.join("gone.txt")).unwrap();
    bed.git("work", &["add", "staged.txt"]);
    let state = || {
        let status = bed.git("work", &["status", "--porcelain"]);
        status + &bed.git("work", &["for-each-ref"]) + &bed.git("work", &["rev-parse", "HEAD"])
    };
    let before = state();
    let snapshot = |left_out: &str| {
        let scratch = tempfile::tempdir().unwrap();
        let repository = bed.repository("work");
        repository.snapshot_working_tree(&work.join(left_out), scratch.path()).unwrap()
    };
    let id = snapshot("build");
    let files = bed.git("work", &["ls-tree", "-r", "--name-only", id.as_str()]);
    assert_eq!(files, ".gitignore\ncode.txt\nnew file\nstaged.txt\n");
    assert_eq!(bed.git("work", &["show", &format!("{id}:code.txt")]), "changed");
    assert_eq!(snapshot("build"), id);
    // A folder that git ignores may be left out by name as well.
    let files = bed.git("work", &["ls-tree", "-r", "--name-only", snapshot("target").as_str()]);
    assert!(files.contains("build/a") && !files.contains("target"), "{files}");
    assert_eq!(state(), before);
}

#[test]
fn commits_that_a_branch_lacks_are_counted_from_where_it_parted() {
    let bed = Bed::new();
    let parted = bed.head();
    let [_, ahead] = ["one", "two"].map(|name| bed.commit(name));
    bed.git("work", &["checkout", "--quiet", "-b", "change", parted.as_str()]);
    let change = bed.commit("change");
    let repository = bed.repository("work");
    let count = |head, other| repository.count_lacking_commits(head, other).unwrap();
    assert_eq!(count(&change, &ahead), Some((2, parted.clone())));
    assert_eq!(count(&change, &parted), Some((0, parted.clone())));
    bed.git("work", &["checkout", "--quiet", "--orphan", "other"]);
    assert_eq!(count(&bed.commit("other"), &ahead), None);
}
