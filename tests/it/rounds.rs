//! Checks in rounds on a small repository with a stand-in for a bench. The stand-in understands
//! Criterion's flags, writes Criterion's files, and reports the times that its source contains.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::command::{perfgate_in, text_of};
use crate::repositories::Bed;

pub(crate) const MANIFEST: &str = "\
[package]
name = \"tiny\"
version = \"0.1.0\"
edition = \"2021\"

[[bench]]
name = \"standin\"
harness = false

[profile.bench]
opt-level = 0
";

/// Source of the bench. `IDS` holds the benchmark ids with the nanoseconds per call.
pub(crate) const BENCH: &str = r#"
use std::{env, fs, io::Write, path::PathBuf};

const IDS: &[(&str, f64)] = &[/* ids */];

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help") {
        return println!("This executable is a Criterion.rs benchmark.");
    }
    if words.iter().any(|word| word == "--list") {
        return IDS.iter().for_each(|(id, _)| println!("{id}: benchmark"));
    }
    let size = words.iter().position(|word| word == "--sample-size").unwrap() + 1;
    let size: usize = words[size].parse().unwrap();
    if let (Ok(pipe), true) = (env::var("STANDIN_HANGS"), size != 10) {
        let mut pipe = fs::OpenOptions::new().write(true).open(pipe).unwrap();
        writeln!(pipe, "begun").unwrap();
        loop { std::thread::park() }
    }
    // Launches differ by what a file counts, so that every run of a test is the same.
    let mut shift = 0.0;
    if let Ok(counter) = env::var("STANDIN_COUNTER") {
        let count: usize = fs::read_to_string(&counter).ok().and_then(|it| it.parse().ok()).unwrap_or(0);
        fs::write(&counter, (count + 1).to_string()).unwrap();
        shift = (count * 7919 % 101) as f64 / 1e4;
    }
    let filter = words.iter().find(|word| word.starts_with("^(?"));
    let wanted = filter.map(|filter| {
        let titles = filter.split_once(':').unwrap().1.trim_end_matches(")$");
        titles.split('|').collect::<Vec<_>>()
    });
    for (id, ns) in IDS.iter().filter(|(id, _)| wanted.as_ref().map_or(true, |wanted| wanted.contains(id))) {
        println!("Benchmarking {id}: Warming up for 1 ms");
        println!("Benchmarking {id}: Collecting {size} samples");
        if *ns < 0.0 { panic!("no such work") }
        let folder = PathBuf::from(env::var("CRITERION_HOME").unwrap()).join(id).join("new");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("benchmark.json"), format!("{{\"full_id\": \"{id}\"}}")).unwrap();
        let times = (0..size).map(|call| ns * (1.0 + shift + call as f64 / 1e6)).collect::<Vec<_>>();
        let sample = format!("{{\"iters\": {:?}, \"times\": {times:?}}}", vec![1.0; size]);
        fs::write(folder.join("sample.json"), sample).unwrap();
        println!("Benchmarking {id}: Analyzing");
    }
}
"#;

/// A repository with the stand-in as its only bench.
pub(crate) struct Tiny(pub(crate) Bed);

impl Tiny {
    /// Creates a repository with one commit that has these benchmarks.
    pub(crate) fn new(ids: &str) -> Self {
        let bed = Bed::new();
        fs::create_dir(bed.path("work").join("benches")).unwrap();
        fs::write(bed.path("work").join("Cargo.toml"), MANIFEST).unwrap();
        fs::write(bed.path("work").join(".gitignore"), "target\nCargo.lock\n").unwrap();
        let tiny = Self(bed);
        tiny.source(&BENCH.replace("/* ids */", ids));
        tiny
    }

    /// Adds a commit with other benchmarks.
    pub(crate) fn then(self, ids: &str) -> Self {
        self.source(&BENCH.replace("/* ids */", ids));
        self
    }

    /// Commits this source of the bench, with everything else that changed.
    pub(crate) fn source(&self, source: &str) {
        fs::write(self.folder().join("benches/standin.rs"), source).unwrap();
        self.0.git("work", &["add", "--all"]);
        self.0.git("work", &["commit", "--quiet", "--allow-empty", "--message", "next"]);
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.0.path("work")
    }

    fn perfgate(&self, words: &[&str]) -> Command {
        let mut command = perfgate_in(&self.folder());
        command.args(words).env("PERFGATE_CACHE_DIR", self.0.path("cache"));
        command
    }

    pub(crate) fn check(&self, words: &[&str]) -> (Value, Output) {
        let quick = ["check", "--calls", "15", "--warmup", "1ms"];
        let output = self.perfgate(&quick).args(words).output().unwrap();
        let path = self.folder().join("target/perfgate/decision.json");
        let json = fs::read(path).unwrap_or_else(|_| panic!("{}", text_of(&output)));
        (serde_json::from_slice(&json).unwrap(), output)
    }

    /// Returns the folder of this repository in the cache.
    fn cache(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.0.path("cache")).unwrap();
        entries.next().unwrap().unwrap().path()
    }

    /// Asserts that no worktree is left besides the repository itself, and that the cache has what
    /// the next check uses again. `said` is shown if not.
    #[track_caller]
    fn assert_clean(&self, said: &str) {
        let worktrees = self.0.git("work", &["worktree", "list", "--porcelain"]);
        assert_eq!(worktrees.matches("worktree ").count(), 1, "{said}");
        let work = self.folder().canonicalize().unwrap();
        for side in ["base", "head"] {
            let checkout = self.cache().join(side).join(work.strip_prefix("/").unwrap());
            assert!(!checkout.exists(), "{side}: {said}");
        }
        let names = fs::read_dir(self.cache()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let unknown: Vec<_> = names
            .filter(|name| !["base", "head", "build", "checkout", "lock"].contains(&&**name))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}: {said}");
    }
}

pub(crate) fn changes(decision: &Value) -> Vec<(&str, &str)> {
    let judged = decision["benchmarks"].as_array().unwrap().iter();
    let mut changes: Vec<_> =
        judged.map(|one| (one["id"].as_str().unwrap(), one["change"].as_str().unwrap())).collect();
    changes.sort_unstable();
    changes
}

pub(crate) fn warns(decision: &Value, words: &str) -> bool {
    let notes = decision["notes"].as_array().unwrap();
    notes.iter().any(|note| note["text"].as_str().unwrap().contains(words))
}

pub(crate) fn candidate_launches(decision: &Value) -> Vec<u64> {
    let judged = decision["benchmarks"].as_array().unwrap().iter();
    judged.map(|one| one["launches"]["candidate"].as_u64().unwrap()).collect()
}

#[test]
fn what_only_one_commit_has_is_new_or_missing_and_what_got_slower_is_found() {
    let tiny = Tiny::new(r#"("kept", 1e6), ("slower", 1e6), ("gone", 1e6), ("mended", -1.0)"#)
        .then(r#"("kept", 1e6), ("slower", 1.2e6), ("added", 1e6), ("mended", 1e6), ("broken", -1.0)"#);
    let (decision, output) = tiny.check(&["--baseline", "HEAD~1"]);
    let expected = [
        ("added", "new"),
        ("broken", "failed"),
        ("gone", "missing"),
        ("kept", "unchanged"),
        ("mended", "new"),
        ("slower", "regressed"),
    ];
    assert_eq!(changes(&decision), expected, "{}", text_of(&output));
    assert_eq!((decision["verdict"].as_str(), output.status.code()), (Some("fail"), Some(10)));
    tiny.assert_clean(&text_of(&output));
}

#[test]
fn what_did_not_change_since_the_last_check_is_not_compiled_again() {
    let tiny = Tiny::new(r#"("a", 1e6)"#).then(r#"("a", 2e6)"#);
    let compiled = |revision: &str| {
        let (_, output) = tiny.check(&["--baseline", revision]);
        text_of(&output).matches("Compiling tiny").count()
    };
    assert_eq!(compiled("HEAD~1"), 2);
    assert_eq!(compiled("HEAD~1"), 0);
    assert_eq!(compiled("HEAD"), 1);
    tiny.source(&BENCH.replace("/* ids */", r#"("a", 3e6)"#));
    assert_eq!(compiled("HEAD~1"), 1);
}

#[test]
fn what_both_sides_depend_on_is_compiled_once() {
    let tiny = Tiny::new(r#"("a", 1e6)"#);
    let dependency = tiny.0.path("dependency");
    fs::create_dir_all(dependency.join("src")).unwrap();
    let manifest = MANIFEST.replace("tiny", "dependency").replace("[[bench]]", "[lib]");
    let manifest = manifest.split("[lib]").next().unwrap();
    fs::write(dependency.join("Cargo.toml"), manifest).unwrap();
    fs::write(dependency.join("src/lib.rs"), "").unwrap();
    let depends =
        format!("{MANIFEST}\n[dev-dependencies]\ndependency = {{ path = {dependency:?} }}\n");
    fs::write(tiny.folder().join("Cargo.toml"), depends).unwrap();
    let tiny = tiny.then(r#"("a", 1e6)"#).then(r#"("a", 2e6)"#);
    let check = || {
        let (decision, output) = tiny.check(&["--baseline", "HEAD~1"]);
        let said = text_of(&output);
        // If the base's program were measured as the head's, the result would be unchanged.
        assert_eq!(changes(&decision), [("a", "regressed")], "{said}");
        ["dependency", "tiny"].map(|name| said.matches(&format!("Compiling {name}")).count())
    };
    assert_eq!(check(), [1, 2]);
    // The builds are deleted, but the file times of the head are still recorded. They are older
    // than the next build of the base.
    for side in ["base", "head"] {
        fs::remove_dir_all(tiny.cache().join("build").join(side)).unwrap();
    }
    assert_eq!(check(), [1, 2]);
}

#[test]
fn a_base_that_does_not_build_makes_everything_new() {
    let tiny = Tiny::new("this is no Rust").then(r#"("a", 1e6)"#);
    let (decision, output) = tiny.check(&["--baseline", "HEAD~1"]);
    assert_eq!(changes(&decision), [("a", "new")]);
    let said = warns(&decision, "cannot be built");
    assert!(said && output.status.code() == Some(11), "{}", text_of(&output));
    assert_eq!(decision["verdict"], "inconclusive");
    // Readers of the report do not see what the compiler printed.
    let error = "failed to build the benches: benches/standin.rs:4: expected one of";
    assert!(warns(&decision, error), "{decision:#}");
    tiny.assert_clean(&text_of(&output));
}

#[test]
fn the_same_program_is_not_launched_but_between_a_commit_and_itself() {
    let tiny = Tiny::new(r#"("a", 1e6), ("b", 1e6)"#).then(r#"("a", 1e6), ("b", 1e6) /* said */"#);
    let (decision, output) = tiny.check(&["--baseline", "HEAD~1"]);
    assert_eq!(changes(&decision), [("a", "unchanged"), ("b", "unchanged")]);
    for judgement in decision["benchmarks"].as_array().unwrap() {
        assert_eq!(
            (&judgement["ratio"], &judgement["launches"]["candidate"]),
            (&Value::Null, &json!(0)),
            "{}",
            text_of(&output)
        );
        assert_eq!(judgement["notes"][0]["note"], "same-program");
    }
    assert_eq!(output.status.code(), Some(0));
    // A target limits the time of a call, so that the same program is measured as well.
    let (decision, _) = tiny.check(&["--baseline", "HEAD~1", "--target-p50", "2ms"]);
    assert!(candidate_launches(&decision).iter().all(|launches| *launches > 0));
    let (decision, _) = tiny.check(&["--baseline", "HEAD"]);
    assert!(candidate_launches(&decision).iter().all(|launches| *launches > 0));
    // Another file changed that the program might read.
    fs::write(tiny.folder().join("input.bin"), "x").unwrap();
    tiny.source(&BENCH.replace("/* ids */", r#"("a", 1e6), ("b", 1e6)"#));
    let (decision, _) = tiny.check(&["--baseline", "HEAD~1"]);
    assert!(candidate_launches(&decision).iter().all(|launches| *launches > 0));
}

#[test]
fn what_calibration_learns_is_used_by_the_next_check() {
    let tiny = Tiny::new(r#"("a", 1e6)"#).then(r#"("a", 1.1e6)"#);
    let counter = tiny.0.path("counter");
    let calibrate = ["calibrate", "--rounds", "15", "--calls", "15", "--warmup", "1ms"];
    let output = tiny.perfgate(&calibrate).env("STANDIN_COUNTER", &counter).output().unwrap();
    let text = text_of(&output);
    assert!(output.status.success() && text.contains("noise floor"), "{text}");
    tiny.assert_clean(&text_of(&output));
    let check = ["check", "--calls", "15", "--warmup", "1ms", "--baseline", "HEAD~1"];
    let output = tiny.perfgate(&check).env("STANDIN_COUNTER", &counter).output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", text_of(&output));
    let json = fs::read(tiny.folder().join("target/perfgate/decision.json")).unwrap();
    let decision: Value = serde_json::from_slice(&json).unwrap();
    assert!(decision["benchmarks"][0]["noise_floor"].is_number());
    // With history, the first look is after three rounds; without history, after four.
    assert_eq!(candidate_launches(&decision), [3]);
}

impl Tiny {
    /// Saves three runs of the checked-out commit as baselines.
    pub(crate) fn keep(&self, counter: &std::path::Path) {
        for _ in 0..3 {
            let keep = ["check", "--calls", "15", "--warmup", "1ms", "--baseline", "none"];
            let mut command = self.perfgate(&keep);
            let output = command.arg("--save-baseline").env("STANDIN_COUNTER", counter).output();
            let output = output.unwrap();
            assert!(text_of(&output).contains("saved as baseline"), "{}", text_of(&output));
        }
    }

    /// Checks against the saved baselines. Returns the decision and the output.
    fn check_stored(&self, counter: &std::path::Path) -> (Value, String) {
        let check = ["check", "--calls", "15", "--warmup", "1ms"];
        let output = self.perfgate(&check).env("STANDIN_COUNTER", counter).output().unwrap();
        let text = text_of(&output);
        let json = fs::read(self.folder().join("target/perfgate/decision.json")).unwrap();
        (serde_json::from_slice(&json).unwrap(), text)
    }
}

#[test]
fn a_screen_settles_what_it_can_and_says_what_that_saved() {
    let tiny = Tiny::new(r#"("a", 1e6), ("b", 1e6)"#);
    // A bench that is skipped in the screen's run and on both sides of the rounds.
    fs::write(tiny.folder().join("benches/other.rs"), "").unwrap();
    let tiny = tiny.then(r#"("a", 1e6), ("b", 1e6)"#);
    let counter = tiny.0.path("counter");
    tiny.keep(&counter);
    let tiny = tiny.then(r#"("a", 1e6), ("b", 1.3e6)"#);
    let (decision, text) = tiny.check_stored(&counter);
    assert_eq!(changes(&decision), [("a", "unchanged"), ("b", "regressed")], "{text}");
    let screen = &decision["baseline"]["screen"];
    // Without history, the first look is after four rounds of two launches.
    assert_eq!([&screen["judged"], &screen["settled"], &screen["launches_saved"]], [2, 1, 8]);
    assert!(screen["calls_saved"].as_f64().unwrap() > 0.0, "{screen}");
    assert!(text.contains("settled 1 of 2 benchmarks without rounds"), "{text}");
    let notes = decision["notes"].as_array().unwrap();
    let skipped = notes.iter().filter(|note| note["bench"] == "other");
    assert_eq!(skipped.count(), 1, "{notes:?}");
}

#[test]
fn what_no_rounds_confirm_does_not_fail() {
    // The checkout has an untracked file that a worktree lacks, so that the base cannot be built.
    let local = "const _: &str = include_str!(\"../target/local.txt\");\n";
    let source = |ids: &str| BENCH.replace("/* ids */", ids) + local;
    let tiny = Tiny::new(r#"("a", 1e6)"#);
    fs::create_dir_all(tiny.folder().join("target")).unwrap();
    fs::write(tiny.folder().join("target/local.txt"), "").unwrap();
    tiny.source(&source(r#"("a", 1e6)"#));
    let counter = tiny.0.path("counter");
    tiny.keep(&counter);
    tiny.source(&source(r#"("a", 1.5e6)"#));
    let (decision, text) = tiny.check_stored(&counter);
    assert!(text.contains("not confirmed in rounds: base"), "{text}");
    assert_eq!(changes(&decision), [("a", "inconclusive")], "{text}");
    assert_eq!(decision["exit_status"], 0);
    let stored = ["check", "--calls", "15", "--warmup", "1ms", "--baseline", "stored"];
    let output = tiny.perfgate(&stored).env("STANDIN_COUNTER", &counter).output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", text_of(&output));
}

#[test]
fn one_failed_benchmark_does_not_keep_the_others_from_being_recorded() {
    let tiny = Tiny::new(r#"("a", 1e6), ("b", -1.0)"#);
    let counter = tiny.0.path("counter");
    tiny.keep(&counter);
    let list = tiny.perfgate(&["baseline", "show", "HEAD"]).output().unwrap();
    let text = text_of(&list);
    assert!(text.contains("  a (tiny)  median") && !text.contains("  b (tiny)"), "{text}");
    let tiny = tiny.then(r#"("a", 1.5e6), ("b", 1e6)"#);
    let (decision, text) = tiny.check_stored(&counter);
    assert_eq!(changes(&decision), [("a", "regressed"), ("b", "new")], "{text}");
}

#[test]
fn a_slower_commit_is_recorded_so_that_the_next_change_is_not_blamed_for_it() {
    let tiny = Tiny::new(r#"("a", 1e6)"#);
    let counter = tiny.0.path("counter");
    tiny.keep(&counter);
    let tiny = tiny.then(r#"("a", 1.5e6)"#);
    let check = ["check", "--calls", "15", "--warmup", "1ms", "--save-baseline"];
    let output = tiny.perfgate(&check).env("STANDIN_COUNTER", &counter).output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", text_of(&output));
    assert!(text_of(&output).contains("saved as baseline"), "{}", text_of(&output));
    let tiny = tiny.then(r#"("a", 1.5e6) /* innocent */"#);
    let (decision, text) = tiny.check_stored(&counter);
    assert_ne!(changes(&decision), [("a", "regressed")], "{text}");
}

#[test]
fn a_benchmark_that_failed_on_main_is_compared_with_the_commit_before() {
    let tiny = Tiny::new(r#"("a", 1e6), ("b", 1e6)"#);
    let counter = tiny.0.path("counter");
    tiny.keep(&counter);
    let tiny = tiny.then(r#"("a", 1e6), ("b", -1.0)"#);
    tiny.keep(&counter);
    let tiny = tiny.then(r#"("a", 1e6), ("b", 2e6)"#);
    let check = ["check", "--calls", "15", "--warmup", "1ms", "--baseline", "stored"];
    let output = tiny.perfgate(&check).env("STANDIN_COUNTER", &counter).output().unwrap();
    let json = fs::read(tiny.folder().join("target/perfgate/decision.json")).unwrap();
    let decision: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(changes(&decision)[1], ("b", "regressed"), "{}", text_of(&output));
}

#[test]
fn the_same_program_is_not_reported_as_launched() {
    let tiny = Tiny::new(r#"("a", 1e6)"#).then(r#"("a", 1e6) /* the same */"#);
    let (_, output) = tiny.check(&["--baseline", "HEAD~1"]);
    let text = text_of(&output);
    assert!(text.contains("built on the same machine and not launched"), "{text}");
    assert!(!text.contains("measured in rounds") && !text.contains("launches per side"), "{text}");
}

#[test]
fn creep_since_the_last_release_is_said_and_decides_nothing() {
    let tiny = Tiny::new(r#"("a", 1e6)"#);
    let counter = tiny.0.path("counter");
    tiny.keep(&counter);
    tiny.0.git("work", &["tag", "v1.0"]);
    let tiny = tiny.then(r#"("a", 1.2e6)"#);
    tiny.keep(&counter);
    let tiny = tiny.then(r#"("a", 1.2e6) /* said */"#);
    let (decision, text) = tiny.check_stored(&counter);
    assert_eq!(changes(&decision), [("a", "unchanged")], "{text}");
    assert_eq!(decision["verdict"], "pass");
    let said = warns(&decision, "`a` is slower than v1.0 by");
    assert!(said, "{}", decision["notes"]);
}

/// Starts a check that hangs in its first round. Also returns the pipe that its bench keeps open
/// until the bench ends.
fn hanging(tiny: &Tiny) -> (Child, BufReader<fs::File>) {
    let pipe = tiny.0.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let check = ["check", "--calls", "15", "--warmup", "1ms", "--baseline", "HEAD"];
    let mut command = tiny.perfgate(&check);
    command.env("STANDIN_HANGS", &pipe).env("TMPDIR", tiny.0.path("temporary"));
    fs::create_dir(tiny.0.path("temporary")).unwrap();
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = BufReader::new(fs::File::open(pipe).unwrap());
    let mut line = String::new();
    pipe.read_line(&mut line).unwrap();
    assert_eq!(line, "begun\n");
    (child, pipe)
}

/// Sends `signal` to a check in its first round, waits until the check and all its processes have
/// ended, and returns its output.
fn ended_by(signal: Signal, tiny: &Tiny) -> String {
    let (mut child, mut pipe) = hanging(tiny);
    kill_process(Pid::from_child(&child), signal).unwrap();
    let mut rest = String::new();
    // This read ends when the bench has ended; the read of standard error, when the guard has
    // ended.
    pipe.read_to_string(&mut rest).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
    assert!(!child.wait().unwrap().success());
    rest
}

#[test]
fn a_signal_in_the_middle_of_a_round_leaves_nothing_behind() {
    for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
        let tiny = Tiny::new(r#"("a", 1e6)"#);
        let said = ended_by(signal, &tiny);
        tiny.assert_clean(&format!("{signal:?}: {said}"));
        let temporary = fs::read_dir(tiny.0.path("temporary")).unwrap();
        assert_eq!(temporary.count(), 0, "{signal:?}: {said}");
        assert!(!tiny.folder().join("target").exists(), "{signal:?}: {said}");
    }
}

#[test]
fn slow_code_gets_the_launches_that_its_target_needs() {
    // Item 15 of issue 12: a call of 200 ms gets 10 calls per launch, so 5 launches have 50 of the 59
    // calls that a p95 needs.
    let tiny = Tiny::new(r#"("slow", 2e8), ("fast", 1e6)"#);
    let counts = |target: &str| {
        let words = ["--baseline", "none", "--calls", "200", target, "300ms"];
        let output = tiny.perfgate(&["check", "--warmup", "1ms"]).args(words).output().unwrap();
        let path = tiny.folder().join("target/perfgate/decision.json");
        let decision: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let mut launches: Vec<_> = decision["benchmarks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let status = one["targets"][0]["status"].as_str().unwrap().to_owned();
                (
                    one["id"].as_str().unwrap().to_owned(),
                    one["launches"]["candidate"].clone(),
                    status,
                )
            })
            .collect();
        launches.sort_by(|a, b| a.0.cmp(&b.0));
        (launches, text_of(&output))
    };
    let judged =
        |id: &str, launches: i32, status: &str| (id.to_owned(), json!(launches), status.to_owned());
    let (launches, text) = counts("--target-p95");
    assert_eq!(launches, [judged("fast", 5, "met"), judged("slow", 6, "met")], "{text}");
    // A p99 needs 299 calls, which 20 launches do not have. This is known before measuring, and
    // no launch is made in vain.
    let (launches, text) = counts("--target-p99");
    assert_eq!(launches, [judged("fast", 5, "met"), judged("slow", 5, "unproven")], "{text}");
    let warning = "a target of `slow` needs 299 samples, and 20 launches have 200";
    let first_launch = text.find("launch 1 of").expect("the launches are shown");
    assert!(text.find(warning).is_some_and(|at| at < first_launch), "{text}");
    assert!(text.contains("help: `--launches 30` gives enough samples"), "{text}");
}

#[test]
fn a_bench_that_sets_its_own_measurement_time_leaves_the_others_their_rounds() {
    // Criterion lets the time that a bench sets override `--measurement-time`. Each launch of such a
    // benchmark took its 15 s, so that all others ended with one round.
    let ignores_flags = "let size = if id.starts_with(\"own\") { 50 } else { size };
        let wait = if id.starts_with(\"own\") { 1100 } else { 0 };
        std::thread::sleep(std::time::Duration::from_millis(wait));
        if *ns < 0.0";
    let source = |ids: &str| BENCH.replace("/* ids */", ids).replace("if *ns < 0.0", ignores_flags);
    let tiny = Tiny::new("");
    tiny.source(&source(r#"("own", 2e7), ("other", 1e6)"#));
    tiny.source(&source(r#"("own", 2e7), ("other", 3e6)"#));
    let (decision, output) = tiny.check(&["--baseline", "HEAD~1", "--budget", "6s"]);
    let text = text_of(&output);
    assert_eq!(changes(&decision), [("other", "regressed"), ("own", "inconclusive")], "{text}");
    let launches: Vec<_> = decision["benchmarks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["launches"]["candidate"].as_u64().unwrap()))
        .collect();
    assert!(launches.contains(&("own", 0)), "{launches:?}: {text}");
    let own = &decision["benchmarks"].as_array().unwrap().iter().find(|one| one["id"] == "own");
    let reason = "not measured: the budget has no time for enough rounds of it";
    assert_eq!(own.unwrap()["notes"][0]["text"], reason, "{decision:#}");
    // The cause and the remedy are printed before anything is measured, and are in the report.
    let cause = "`own` takes 2 s per launch, whatever perfgate asks for";
    let rounds = text.find("in rounds, for at most").expect("the rounds are announced");
    assert!(text.find(cause).is_some_and(|at| at < rounds), "{text}");
    assert!(warns(&decision, cause), "{decision:#}");
    assert!(
        text.contains("make these smaller in the bench, or leave it out with `--bench`"),
        "{text}"
    );
}
