//! Baselines shared by many writers: over a real git server, in one clone, and when things fail.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use perfgate::git::{CommitId, Parents};
use perfgate::store::Store;

use crate::git_server::{Server, TOKEN};
use crate::repositories::{Bed, benchmark, git_in, perfgate_in, text_of};

const URL: &str = "git:perfgate-data";

fn at(number: usize) -> String {
    format!("2026-11-22T{:02}:{:02}:{:02}Z", number / 3600, number / 60 % 60, number % 60)
}

fn run_file(folder: &Path, commit: &CommitId, number: usize) -> PathBuf {
    let path = folder.join(format!("run-{number}.json"));
    let run = Bed::run(commit, &at(number), 1.0 + number as f64);
    fs::write(&path, serde_json::to_vec(&run).unwrap()).unwrap();
    path
}

/// A server with the repository `data.git`, and `origin` of `work` pointing there.
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
        let remote = store.1.repository().remote("origin", None).unwrap();
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
fn eight_processes_in_one_clone_lose_nothing() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    thread::scope(|scope| {
        for writer in 0..8 {
            let (bed, commit) = (&bed, &commit);
            scope.spawn(move || {
                for number in 0..20 {
                    let file = run_file(&bed.path(""), commit, writer * 100 + number);
                    let mut save = perfgate_in(&bed.path("work"));
                    let output = save.args(["baseline", "save"]).arg(file).output().unwrap();
                    assert!(output.status.success(), "{}", text_of(&output));
                }
            });
        }
    });
    assert_eq!(stored(&bed.path("work")), 160);
    bed.git("work", &["fsck", "--strict"]);
}

#[cfg(unix)]
#[test]
fn what_writers_killed_before_the_push_had_saved_is_pushed_by_the_next() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::ExitStatusExt as _;

    let Some((bed, server, commit)) = shared() else { return };
    // A git that kills whoever starts it when told to push.
    let real = env::split_paths(&env::var_os("PATH").unwrap())
        .map(|folder| folder.join("git"))
        .find(|path| path.exists())
        .unwrap();
    let script = format!(
        "#!/bin/sh\nfor word; do [ \"$word\" != push ] || {{ kill -9 $PPID; exit 1; }}; done\nexec {} \"$@\"\n",
        real.display()
    );
    fs::create_dir(bed.path("deadly")).unwrap();
    fs::write(bed.path("deadly/git"), script).unwrap();
    fs::set_permissions(bed.path("deadly/git"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut path = bed.path("deadly").into_os_string();
    path.push(":");
    path.push(env::var_os("PATH").unwrap());
    for number in 0..100 {
        let file = run_file(&bed.path(""), &commit, number);
        let mut save = perfgate_in(&bed.path("work"));
        save.args(["baseline", "save", "--push"]).arg(file).env("PATH", &path);
        let output = save.output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "{}", text_of(&output));
    }
    let survivor = run_file(&bed.path(""), &commit, 100);
    let mut save = perfgate_in(&bed.path("work"));
    let output = save.args(["baseline", "save", "--push"]).arg(survivor).output().unwrap();
    assert!(
        output.status.success() && text_of(&output).contains("pushed 101 runs"),
        "{}",
        text_of(&output)
    );
    assert_eq!(stored(&clone(&bed, &server, "reader", &[])), 101);
    bed.git("work", &["fsck", "--strict"]);
    git_in(&bed.path("server/git/data.git"), &["fsck", "--strict"]);
}

#[test]
fn refusals_are_said_at_once_with_their_remedy_and_without_the_token() {
    let Some((bed, server, commit)) = shared() else { return };
    let hook = server.repository("hooked.git").join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho only release managers push here >&2\nexit 1\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let file = run_file(&bed.path(""), &commit, 1);
    let wrong = "not-the-t0ken";
    let says = |repository: &str, token: Option<&str>, words: &[&str]| {
        let mut save = perfgate_in(&bed.path("work"));
        save.args(["baseline", "save", "--push", "--data-repository", repository]).arg(&file);
        save.envs(token.map(|token| ("PERFGATE_TOKEN", token)));
        let text = text_of(&save.output().unwrap());
        for word in words {
            assert!(text.contains(word), "`{word}` is not in: {text}");
        }
        assert!(!text.contains(TOKEN) && !text.contains(wrong), "{text}");
    };
    says(
        &server.url("hooked.git"),
        Some(TOKEN),
        &["hook declined", "only release managers", "help: "],
    );
    says(&server.open_url("hooked.git"), None, &["hook declined", "help: "]);
    says(&server.url("data.git"), Some(wrong), &["help: ", "PERFGATE_TOKEN"]);
    says(&server.url("data.git"), None, &["help: ", "PERFGATE_TOKEN"]);
    says(&server.open_url("absent.git"), None, &["help: "]);
    says(&server.url("data.git"), Some(TOKEN), &["pushed 1 run"]);
}

#[test]
fn what_one_clone_pushes_another_finds() {
    let Some((bed, server, commit)) = shared() else { return };
    let file = run_file(&bed.path(""), &commit, 1);
    let does = |folder: &Path, arguments: &[&str], words: &str| {
        let output = perfgate_in(folder).args(arguments).output().unwrap();
        let text = text_of(&output);
        assert!(output.status.success() && text.contains(words), "`{words}` is not in: {text}");
    };
    let reader = clone(&bed, &server, "reader", &["--depth=1"]);
    does(&reader, &["baseline", "list", "--fetch"], "nothing is stored yet");
    does(
        &bed.path("work"),
        &["baseline", "save", file.to_str().unwrap(), "--push"],
        "pushed 1 run",
    );
    does(
        &bed.path("work"),
        &["baseline", "save", file.to_str().unwrap(), "--push"],
        "pushed 0 runs",
    );
    does(&reader, &["baseline", "list"], "nothing is stored yet");
    does(&reader, &["baseline", "list", "--fetch"], commit.short());
    does(&clone(&bed, &server, "full", &[]), &["baseline", "list"], commit.short());
}

#[test]
fn pruned_runs_do_not_come_back_and_waiting_ones_are_not_lost() {
    let Some((bed, server, commit)) = shared() else { return };
    let [work, other] = [bed.path("work"), clone(&bed, &server, "other", &[])];
    let [one, two] = [&work, &other].map(|folder| Store::open(URL, folder).unwrap());
    let [one_git, two_git] = [&one, &two].map(|store| store.as_git().unwrap());
    let one_remote = one_git.repository().remote("origin", None).unwrap();
    let two_remote = two_git.repository().remote("origin", None).unwrap();
    for number in 0..5 {
        one.save(&Bed::run(&commit, &at(number), 1.0)).unwrap();
    }
    assert_eq!(one_git.push(&one_remote).unwrap().runs, 5);
    two_git.fetch(&two_remote).unwrap();
    two.save(&Bed::run(&commit, &at(9), 1.0)).unwrap();
    let pruned = one_git.prune_remote(&one_remote, 2).unwrap();
    assert_eq!((pruned.removed.len(), pruned.kept), (3, 2));
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
    let merge = bed.repository("work").resolve("HEAD").unwrap();
    let checkout = bed.path("checkout");
    fs::create_dir(&checkout).unwrap();
    git_in(&checkout, &["init", "--quiet"]);
    git_in(&checkout, &["remote", "add", "origin", &server.open_url("data.git")]);
    git_in(&checkout, &["fetch", "--quiet", "--depth=1", "origin", "refs/pull/1/merge"]);
    git_in(&checkout, &["checkout", "--quiet", "--detach", "FETCH_HEAD"]);
    let repository = bed.repository("checkout");
    let remote = repository.remote("origin", None).unwrap();
    let known: Vec<CommitId> = repository.ancestry(&merge, Parents::All).collect();
    assert_eq!(known, [merge.clone(), base.clone(), head.clone()]);
    let ancestry = remote.ancestry(&merge, Parents::All, 100).unwrap();
    assert_eq!(ancestry[..4], [merge.clone(), base, head, recorded]);
    assert_eq!(ancestry.len(), 5, "down to the first commit");
    assert_eq!(git_in(&checkout, &["rev-list", "--count", "HEAD"]).trim(), "1");
    assert_eq!(remote.ancestry(&merge, Parents::All, 100).unwrap(), ancestry, "and again");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_said_and_the_store_stays_whole() {
    let bed = Bed::new();
    let commit = bed.commit("measured");
    let work = bed.path("work");
    let mut run = Bed::run(&commit, &at(1), 1.0);
    run.benchmarks = (0..300u32)
        .map(|n| benchmark(&format!("b{n}"), &[f64::from(n).sqrt(), f64::from(n).cbrt()]))
        .collect();
    fs::write(bed.path("run.json"), serde_json::to_vec(&run).unwrap()).unwrap();
    for store in [URL, "dir:../baselines"] {
        perfgate_saves(&work, &run_file(&bed.path(""), &commit, 2), store);
        // A limit on the size of files stands for the disk: writing fails in the same place.
        let binary = env!("CARGO_BIN_EXE_perfgate");
        let script = format!(
            "trap '' XFSZ; ulimit -f 4; exec {binary} baseline save ../run.json --store {store}"
        );
        let mut shell = std::process::Command::new("sh");
        let output = crate::repositories::fixed(&mut shell)
            .current_dir(&work)
            .args(["-c", &script])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text_of(&output));
        let opened = Store::open(store, &work).unwrap();
        assert_eq!(opened.list().unwrap().len(), 1, "{store}");
        perfgate_saves(&work, &bed.path("run.json"), store);
        assert_eq!(opened.list().unwrap().len(), 2, "{store}");
    }
    bed.git("work", &["fsck", "--strict"]);
}

fn perfgate_saves(folder: &Path, file: &Path, store: &str) {
    let mut save = perfgate_in(folder);
    let output = save.args(["baseline", "save", "--store", store]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;

    const NOBODY: u32 = 65534;
    let bed = Bed::new();
    let commit = bed.commit("measured");
    let file = run_file(&bed.path(""), &commit, 1);
    let mode =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&bed.path(""), 0o755);
    fs::create_dir(bed.path("baselines")).unwrap();
    mode(&bed.path("baselines"), 0o555);
    let mut save = perfgate_in(&bed.path(""));
    save.args(["baseline", "save", "--store", "dir:baselines"]).arg(&file);
    if fs::write(bed.path("baselines/probe"), "").is_ok() {
        // The superuser may write anywhere.
        save.uid(NOBODY);
    }
    let Ok(output) = save.output() else {
        eprintln!("skipped: another user cannot start this binary");
        return;
    };
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("baselines/runs/"), "{text}");
}
