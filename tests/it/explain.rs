//! `perfgate explain` and `check --explain` on changes whose cause is known. The repository has a
//! stand-in for Criterion with a `Bencher` that calls real code, while its bench reports times that
//! its source contains.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::command::{perfgate_in, text_of};
use crate::repositories::Bed;
use crate::rounds::{BENCH, warns};

const MANIFEST: &str = r#"
[package]
name = "known"
version = "0.1.0"
edition = "2021"

[dependencies]
dep = { path = "dep" }

[dev-dependencies]
criterion = { path = "criterion" }

[[bench]]
name = "standin"
harness = false
"#;

/// The method in which perfgate counts. It is Criterion's in name and place.
const CRITERION: &str = "
pub mod bencher {
    pub struct Bencher<M> { pub calls: u64, pub unit: M }
    impl<M> Bencher<M> {
        #[inline(never)]
        pub fn iter<O>(&mut self, mut routine: impl FnMut() -> O) {
            for _ in 0..self.calls { std::hint::black_box(routine()); }
        }
    }
}
";

/// One benchmark per known cause. The words in capitals are what the change replaces.
const LIBRARY: &str = "
#[inline(never)]
pub fn mix(mut x: u64, rounds: u64) -> u64 {
    for i in 0..rounds {
        x = x.rotate_left(5) ^ i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    x
}

pub fn more(n: u64) -> u64 {
    (0..n).fold(0, |sum, i| third(sum ^ i))
}

#[inline(never)]
fn third(x: u64) -> u64 {
    let mut y = x;
    for i in 0..ROUNDS { y = y.rotate_left(7).wrapping_mul(31) ^ i; }
    y
}

pub fn twice(n: u64) -> u64 {
    (0..n).fold(0, |sum, i| mix(TWICE, 20))
}

INLINE
fn small(x: u64) -> u64 {
    let mut y = x;
    for i in 0..6 { y = y.wrapping_mul(31).wrapping_add(i) ^ (y >> 7); }
    y
}

pub fn outlined(n: u64) -> u64 {
    (0..n).fold(1, |sum, i| small(sum ^ i))
}

pub fn allocates(n: u64) -> usize {
    let mut text = String::with_capacity(64);
    let mut length = 0;
    for i in 0..n {
        ALLOCATION
        text.push_str(if i % 2 == 0 { \"even\" } else { \"odd\" });
        length += std::hint::black_box(&text).len();
    }
    length
}

pub fn depends(n: u64) -> u64 {
    dep::order((0..n).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).collect())
}

pub trait Item: Copy { const PASSES: u32; fn weigh(self) -> u64; }
impl Item for u32 { const PASSES: u32 = 2; fn weigh(self) -> u64 { u64::from(self) * 3 } }
impl Item for u64 { const PASSES: u32 = GENERIC; fn weigh(self) -> u64 { self * 5 } }

#[inline(never)]
pub fn total<T: Item>(items: &[T]) -> u64 {
    let mut sum = 0_u64;
    for item in items {
        for round in 0..T::PASSES { sum = sum.rotate_left(round + 3) ^ item.weigh(); }
    }
    sum
}

pub fn generic(n: u64) -> u64 {
    let (small, large): (Vec<u32>, Vec<u64>) = (vec![7; n as usize], vec![9; n as usize]);
    total(std::hint::black_box(&small)) ^ total(std::hint::black_box(&large))
}

pub fn layout(n: u64) -> u64 {
    mix(n, n)
}

pub fn several(n: u64) -> u64 {
    let step = |x| rotate(x) ^ multiply(x) ^ shift(x) ^ add(x);
    (0..n).fold(0, |sum, i| sum ^ step(i))
}

#[inline(never)]
fn rotate(x: u64) -> u64 { let mut y = x; for i in 0..N { y = y.rotate_left(5) ^ i; } y }
#[inline(never)]
fn multiply(x: u64) -> u64 { let mut y = x; for i in 0..N { y = y.wrapping_mul(31) ^ i; } y }
#[inline(never)]
fn shift(x: u64) -> u64 { let mut y = x; for i in 0..N { y = (y >> 3) ^ (y << i); } y }
#[inline(never)]
fn add(x: u64) -> u64 { let mut y = x; for i in 0..N { y = y.wrapping_add(x ^ y ^ i); } y }

const N: u64 = 30;

pub const NANOS: f64 = TIME;
pub const OUTLINED_NANOS: f64 = OTHER;
pub const SEVERAL_NANOS: f64 = 1e6;
";

const DEPENDENCY: &str = "
#[inline(never)]
pub fn order(mut values: Vec<u64>) -> u64 {
    let middle = values.len() / 2;
    ALGORITHM
    values[middle]
}
";

/// An insertion sort, which is slower than the sort of the standard library.
const INSERTION: &str = "
    for end in 1..values.len() {
        let mut at = end;
        while at > 0 && values[at - 1] > values[at] {
            values.swap(at - 1, at);
            at -= 1;
        }
    }
";

/// A stand-in for `perf`.
const PERF: &str = r#"#!/bin/sh
if [ "$1" = --version ]; then echo "perf version 6.1"; exit; fi
out=$7
shift 8
"$@" || exit
while [ "$1" != --sample-size ]; do shift; done
echo "<not supported>,,cache-misses:u,0,100.00,," > "$out"
echo "$((5000 + 300 * $2)),,cycles:u,1,100.00,," >> "$out"
"#;

const IDS: [&str; 8] =
    ["more", "twice", "outlined", "allocates", "depends", "generic", "layout", "several"];

/// A repository with one commit, and a cache beside it.
struct Known(Bed);

impl Known {
    fn new() -> Self {
        let known = Self(Bed::new());
        known.write("Cargo.toml", MANIFEST);
        known.write(".gitignore", "target\nCargo.lock\n");
        for name in ["criterion", "dep"] {
            let manifest = format!("[package]\nname = \"{name}\"\nedition = \"2021\"\n");
            known.write(&format!("{name}/Cargo.toml"), &manifest);
        }
        known.write("criterion/src/lib.rs", CRITERION);
        let times = |id: &str| match id {
            "outlined" => "OUTLINED_NANOS",
            "several" => "SEVERAL_NANOS",
            _ => "NANOS",
        };
        let ids = IDS.iter().map(|id| format!("(\"{id}\", known::{})", times(id)));
        let ids: Vec<_> = ids.collect();
        let arms: Vec<_> = IDS
            .iter()
            .map(|id| format!("\"{id}\" => bencher.iter(|| known::{id}(n())),"))
            .collect();
        let calls = format!(
            "let mut bencher = criterion::bencher::Bencher {{ calls: 1, unit: () }};
            fn n() -> u64 {{ std::hint::black_box(200) }}
            for _ in 0..size {{ match *id {{ {} _ => {{}} }} }}
            println!(\"Benchmarking {{id}}: Analyzing\");",
            arms.join("\n")
        );
        let bench = BENCH.replace("/* ids */", &ids.join(", "));
        known.write(
            "benches/standin.rs",
            &bench.replace("println!(\"Benchmarking {id}: Analyzing\");", &calls),
        );
        known.commit(false);
        known
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path("work").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits the library before or after the change.
    fn commit(&self, is_slow: bool) {
        let choose = |fast, slow| if is_slow { slow } else { fast };
        let library = LIBRARY
            .replace("ROUNDS", choose("30", "40"))
            .replace("TWICE", choose("sum ^ i", "mix(sum ^ i, 20)"))
            .replace("INLINE", choose("#[inline(always)]", "#[inline(never)]"))
            .replace("ALLOCATION", choose("text.clear();", "text = String::new();"))
            .replace("GENERIC", choose("2", "6"))
            .replace("OTHER", choose("1e6", "1.12e6"))
            .replace("TIME", choose("1e6", "1.4e6"));
        self.write("src/lib.rs", &library);
        let algorithm = choose("values.sort_unstable();", INSERTION);
        self.write("dep/src/lib.rs", &DEPENDENCY.replace("ALGORITHM", algorithm));
        self.commit_all();
    }

    fn commit_all(&self) {
        self.0.git("work", &["add", "--all"]);
        self.0.git("work", &["commit", "--quiet", "--message", "next"]);
    }

    fn perfgate(&self, words: &[&str]) -> Command {
        let mut command = perfgate_in(&self.0.path("work"));
        command.args(words).env("PERFGATE_CACHE_DIR", self.0.path("cache"));
        // The tests themselves may run under a toolchain that Cargo has chosen.
        command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
        command
    }

    /// Returns a search path whose `perf` counts 300 cycles per sample and, as on a virtual machine, no
    /// other event.
    fn path_with_perf(&self) -> std::ffi::OsString {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = self.0.path("perf");
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("perf");
        fs::write(&program, PERF).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let folders = std::iter::once(folder).chain(std::env::split_paths(&path));
        std::env::join_paths(folders).unwrap()
    }

    fn out(&self) -> PathBuf {
        self.0.path("work").join("target/perfgate")
    }

    fn check(&self, words: &[&str]) -> (Value, Output) {
        let effort = ["check", "--calls", "15", "--warmup", "1ms", "--baseline", "HEAD~1"];
        let mut check = self.perfgate(&[&effort, words].concat());
        let output = check.env("PATH", self.path_with_perf()).output().unwrap();
        (self.decision(&output), output)
    }

    fn decision(&self, output: &Output) -> Value {
        let json = fs::read(self.out().join("decision.json"));
        let json = json.unwrap_or_else(|_| panic!("{}", text_of(output)));
        serde_json::from_slice(&json).unwrap()
    }
}

/// Returns whether valgrind is installed. In CI it must be, where it exists.
pub(crate) fn has_valgrind() -> bool {
    let has_valgrind = Command::new("valgrind").arg("--version").output().is_ok();
    let is_required = cfg!(target_os = "linux") && std::env::var_os("CI").is_some();
    assert!(has_valgrind || !is_required, "in CI valgrind must be installed");
    if !has_valgrind {
        eprintln!("skipped: valgrind is not installed");
    }
    has_valgrind
}

fn explanation<'a>(decision: &'a Value, id: &str) -> &'a Value {
    let benchmarks = decision["benchmarks"].as_array().unwrap();
    let judgement = benchmarks.iter().find(|judgement| judgement["id"] == id).unwrap();
    assert!(judgement["explanation"].is_object(), "{judgement:#}");
    &judgement["explanation"]
}

#[track_caller]
fn assert_worst(decision: &Value, id: &str, function: &str) -> Value {
    let explanation = explanation(decision, id);
    let worst = &explanation["functions"][0];
    assert_eq!(explanation["cause"], "instructions", "{explanation:#}");
    assert_eq!(worst["function"], function, "{explanation:#}");
    worst.clone()
}

fn ratio_of(counts: &Value) -> f64 {
    counts["candidate"].as_f64().unwrap() / counts["baseline"].as_f64().unwrap()
}

// Issue 17
#[test]
fn the_function_that_a_known_change_made_slower_comes_first() {
    if !has_valgrind() {
        return;
    }
    let known = Known::new();
    known.commit(true);
    let (decision, output) = known.check(&["--explain", "--explain-budget", "20m"]);
    assert_eq!(output.status.code(), Some(10), "{}", text_of(&output));
    let more = assert_worst(&decision, "more", "known::third");
    assert!((1.2..1.4).contains(&ratio_of(&more["own"])), "{more:#}");
    let twice = assert_worst(&decision, "twice", "known::mix");
    assert_eq!(ratio_of(&twice["calls"]), 2.0, "{twice:#}");
    // The call itself is in the caller.
    assert_worst(&decision, "outlined", "known::outlined");
    let small = &explanation(&decision, "outlined")["functions"][1];
    assert_eq!(small["function"], "known::small", "{small:#}");
    assert_eq!(small["inlining"], "no-longer-inlined", "{small:#}");
    assert_worst(&decision, "allocates", "known::allocates");
    let allocates = explanation(&decision, "allocates");
    assert!(allocates["standard"].to_string().contains("malloc"), "{allocates:#}");
    assert_worst(&decision, "depends", "dep::order");
    assert_worst(&decision, "generic", "known::total<u64>");
    let layout = explanation(&decision, "layout");
    assert_eq!(layout["cause"], "not-instructions", "{layout:#}");
    assert!(layout["events"]["D1mr"].is_object(), "{layout:#}");
    let cycles = serde_json::json!({ "cycles": { "baseline": 300.0, "candidate": 300.0 } });
    assert_eq!(layout["hardware"], cycles, "{layout:#}");
    // The line is named as the commit has it.
    let line = &explanation(&decision, "more")["lines"][0];
    assert_eq!(line["file"], "src/lib.rs", "{line:#}");
    assert!(line["text"].as_str().unwrap().contains("0..40"), "{line:#}");
    let report = fs::read_to_string(known.out().join("report.html")).unwrap();
    assert!(report.contains("of the added instructions are in known::third"), "{report}");
    assert!(report.contains("known::small is no longer inlined"), "{report}");
    // A flame graph of each is on the page and in a file of its own.
    assert_eq!(report.matches("<svg class=\"flame\"").count(), IDS.len() - 1, "{report}");
    let drawings = fs::read_dir(known.out().join("flame-graphs")).unwrap();
    assert_eq!(drawings.count(), IDS.len() - 1);
    let stacks = explanation(&decision, "twice")["stacks"].to_string();
    assert!(stacks.contains("known::twice") && stacks.contains("known::mix"), "{stacks}");
    keep_for_table("known", &decision);
}

/// Writes the decision for `benches/figures/explain.py`, which prints the table of the documentation,
/// if that has started the test.
fn keep_for_table(name: &str, decision: &Value) {
    if let Some(folder) = std::env::var_os("PERFGATE_KEEP_EXPLAINED") {
        let path = PathBuf::from(folder).join(format!("{name}.json"));
        fs::write(path, decision.to_string()).unwrap();
    }
}

#[test]
fn a_decision_is_explained_afterwards_and_decides_the_same() {
    if !has_valgrind() {
        return;
    }
    let known = Known::new();
    // Other flags make every function slower.
    known.write("Cargo.toml", &format!("{MANIFEST}\n[profile.bench]\nopt-level = 0\n"));
    let library = fs::read_to_string(known.0.path("work").join("src/lib.rs")).unwrap();
    known.write("src/lib.rs", &library.replace("1e6", "8e6"));
    known.commit_all();
    let bench = ["--bench", "several"];
    let (before, _) = known.check(&bench);
    let output = known
        .perfgate(&[&["explain", "--explain-budget", "20m"][..], &bench].concat())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
    let mut after = known.decision(&output);
    assert_eq!(explanation(&after, "several")["cause"], "everywhere", "{after:#}");
    keep_for_table("flags", &after);
    for judgement in after["benchmarks"].as_array_mut().unwrap() {
        judgement.as_object_mut().unwrap().remove("explanation");
    }
    assert_eq!(before, after);
    // Another commit is not the one that was judged.
    known.0.git("work", &["checkout", "--quiet", "HEAD~1"]);
    let output = known.perfgate(&["explain"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text_of(&output));
    assert!(text_of(&output).contains("git checkout "), "{}", text_of(&output));
}

#[test]
fn without_valgrind_a_check_still_decides_and_explain_names_the_remedy() {
    let known = Known::new();
    known.commit(true);
    let folder = known.0.path("bin");
    fs::create_dir(&folder).unwrap();
    // A folder of links to every program of the search path except for valgrind.
    let path = std::env::var_os("PATH").unwrap();
    for program in std::env::split_paths(&path).filter_map(|it| fs::read_dir(it).ok()).flatten() {
        let program = program.unwrap();
        if !program.file_name().to_string_lossy().contains("valgrind") {
            let _ = std::os::unix::fs::symlink(program.path(), folder.join(program.file_name()));
        }
    }
    let words = ["check", "--calls", "15", "--baseline", "HEAD~1", "--bench", "more", "--explain"];
    let output = known.perfgate(&words).env("PATH", &folder).output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", text_of(&output));
    assert!(warns(&known.decision(&output), "valgrind is not installed"), "{}", text_of(&output));
    let output = known.perfgate(&["explain"]).env("PATH", &folder).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text_of(&output));
    assert!(text_of(&output).contains("apt install valgrind"), "{}", text_of(&output));
}
