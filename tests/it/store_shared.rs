//! Baselines that many writers share: through a real git server, in one clone, and during failures.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use crate::command::{perfgate_in, text_of};
use crate::formats::CommitId;
use crate::git_server::{Server, TOKEN};
use crate::repositories::{Bed, benchmark, git_in};

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

/// Returns the number of runs in the store at `store`.
fn stored(folder: &Path, store: &str) -> usize {
    let mut list = perfgate_in(folder);
    let output = list.args(["baseline", "list", "--format", "json", "--store", store]).output();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    rows.len()
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
    assert_eq!(stored(&bed.path("work"), URL), 160);
    bed.git("work", &["fsck", "--strict"]);
}

#[cfg(unix)]
#[test]
fn what_writers_killed_before_the_push_had_saved_is_pushed_by_the_next() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::ExitStatusExt as _;

    let Some((bed, server, commit)) = shared() else { return };
    // A `git` that kills its parent process on `push`.
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
    assert_eq!(stored(&clone(&bed, &server, "reader", &[]), URL), 101);
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
        // A limit on the size of files simulates a full disk: writing fails at the same point.
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
        assert_eq!(stored(&work, store), 1, "{store}");
        perfgate_saves(&work, &bed.path("run.json"), store);
        assert_eq!(stored(&work, store), 2, "{store}");
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
        // Permissions do not stop the superuser from writing.
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

#[test]
fn a_prune_that_the_server_does_not_allow_is_reported_with_the_real_cause() {
    let Some((bed, server, commit)) = shared() else { return };
    let strict = server.repository("strict.git");
    git_in(&strict, &["config", "receive.denyNonFastForwards", "true"]);
    let address = server.open_url("strict.git");
    for number in 0..3 {
        let file = run_file(&bed.path(""), &commit, number);
        let mut save = perfgate_in(&bed.path("work"));
        save.args(["baseline", "save", "--push", "--data-repository", &address]).arg(file);
        let output = save.output().unwrap();
        assert!(output.status.success(), "{}", text_of(&output));
    }
    let mut prune = perfgate_in(&bed.path("work"));
    prune.args(["baseline", "prune", "--keep", "1", "--only-newest", "--push"]);
    let output = prune.args(["--data-repository", &address]).output().unwrap();
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("non-fast-forward") && text.contains("help: "), "{text}");
    assert!(text.contains("receive.denyNonFastForwards"), "{text}");
    assert!(!text.contains("times in a row") && !text.contains(TOKEN), "{text}");
}

#[test]
fn a_check_in_a_checkout_with_a_filter_and_without_credentials_finds_its_baseline() {
    let Some((bed, server, commit)) = shared() else { return };
    let data = bed.path("server/git/data.git");
    git_in(&data, &["config", "uploadpack.allowFilter", "true"]);
    for number in 0..3 {
        let file = run_file(&bed.path(""), &commit, number);
        perfgate_saves(&bed.path("work"), &file, URL);
    }
    let last = run_file(&bed.path(""), &commit, 3);
    let mut save = perfgate_in(&bed.path("work"));
    let output = save.args(["baseline", "save", "--push"]).arg(&last).output().unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
    // As actions/checkout leaves it: everything but files, or one commit, and no credentials.
    for (name, option) in [("filtered", "--filter=blob:none"), ("shallow", "--depth=1")] {
        let checkout = clone(&bed, &server, name, &[option]);
        git_in(&checkout, &["remote", "set-url", "origin", &server.url("data.git")]);
        let mut check = perfgate_in(&checkout);
        check.args(["check", "--baseline", "stored", "--format", "json", "--run"]).arg(&last);
        let output = check.env("PERFGATE_TOKEN", TOKEN).output().unwrap();
        let text = text_of(&output);
        let decision: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&text);
        assert_eq!(decision["baseline"]["kind"], "stored", "{text}");
        assert_eq!(decision["baseline"]["runs"], 4, "{text}");
        if name == "filtered" {
            let file = run_file(&bed.path(""), &commit, 4);
            for arguments in [
                &["baseline", "save", file.to_str().unwrap(), "--push"][..],
                &["baseline", "prune", "--keep", "4", "--only-newest", "--push"],
            ] {
                let mut write = perfgate_in(&checkout);
                let output = write.args(arguments).env("PERFGATE_TOKEN", TOKEN).output().unwrap();
                assert!(output.status.success(), "{}", text_of(&output));
            }
        }
    }
}
