//! `perfgate bisect` on small histories whose change is known. Most have a command in place of a
//! bench: it prints the times that its commit contains.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

use crate::command::{perfgate_in, text_of};
use crate::repositories::{Bed, git_in};
use crate::rounds::{BENCH, MANIFEST};

/// A command that prints as many nanoseconds as the file `ns` of its commit has.
const COMMAND: &str =
    r#"echo "{\"id\": \"decode\", \"samples_ns\": [$(cat ns)]}"; echo start >> "$STARTS""#;

/// A repository with one commit per time.
struct History {
    bed: Bed,
    commits: Vec<String>,
}

impl History {
    /// Creates a history whose benchmark takes these nanoseconds, one commit each.
    fn new(times: &[u32]) -> Self {
        let mut history = Self { bed: Bed::new(), commits: Vec::new() };
        fs::write(history.bed.path("work/.gitignore"), "target\nCargo.lock\n").unwrap();
        for ns in times {
            history.commit(&[("ns", &ns.to_string())]);
        }
        history
    }

    /// Adds a commit with these files. Without Cargo, each commit has another number in a file, so that
    /// no two are equal.
    fn commit(&mut self, files: &[(&str, &str)]) {
        let number = self.commits.len();
        for (name, text) in files {
            let path = self.path("work").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        if !self.path("work/Cargo.toml").exists() {
            fs::write(self.path("work/number"), number.to_string()).unwrap();
        }
        self.bed.git("work", &["add", "--all"]);
        self.bed.git("work", &["commit", "--quiet", "--message", &format!("commit {number}")]);
        self.commits.push(self.bed.head().to_string());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bed.path(name)
    }

    /// Searches with these arguments after `bisect`.
    fn run(&self, words: &[&str]) -> Output {
        let mut command = perfgate_in(&self.path("work"));
        command.arg("bisect").args(words).env("PERFGATE_CACHE_DIR", self.path("cache"));
        command.env("STARTS", self.path("starts"));
        command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
        command.output().unwrap()
    }

    /// Searches between two commits with the command, and returns the answer with the status.
    fn search(&self, good: &str, bad: &str, words: &[&str]) -> (Value, Option<i32>) {
        let bench = ["--bench", "decode", "--format", "json"];
        let output = self.run(&[&[good, bad][..], &bench, words, &["--", COMMAND]].concat());
        let answer = serde_json::from_slice(&output.stdout);
        (answer.unwrap_or_else(|_| panic!("{}", text_of(&output))), output.status.code())
    }

    fn count_starts(&self) -> usize {
        fs::read_to_string(self.path("starts")).map_or(0, |text| text.lines().count())
    }

    /// Asserts that the search ends with a usage error that has these words.
    #[track_caller]
    fn refuses(&self, words: &[&str], expected: &[&str]) {
        let output = self.run(&[words, &["--", COMMAND]].concat());
        let text = text_of(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        for part in expected {
            assert!(text.contains(part), "no `{part}` in {text}");
        }
        assert_eq!(self.count_starts().min(1), usize::from(text.contains("benchmark `")), "{text}");
    }
}

/// Returns the subjects of the commits of each change of a search.
fn changed(answer: &Value, search: usize) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    for change in answer["searches"][search]["changes"].as_array().unwrap() {
        let commits = change["commits"].as_array().unwrap().iter();
        found.push(commits.map(|commit| commit["subject"].as_str().unwrap()).collect());
    }
    found
}

#[test]
fn the_commit_that_made_a_benchmark_slower_is_found() {
    let mut times = vec![1000; 20];
    times.extend(vec![1100; 12]);
    let history = History::new(&times);
    let (good, bad) = (&history.commits[0], &history.commits[31]);
    let (answer, status) = history.search(good, bad, &[]);
    assert_eq!((changed(&answer, 0), status), (vec![vec!["commit 20"]], Some(0)), "{answer:#}");
    let change = &answer["searches"][0]["changes"][0];
    assert_eq!(change["commits"][0]["id"], history.commits[20].as_str());
    assert_eq!(change["commits"][0]["author_date"], "2026-11-22T00:00:00Z");
    assert!(change["probability"].as_f64().unwrap() > 0.9, "{change}");
    let ratio = |name: &str| change["ratio"][name].as_f64().unwrap();
    assert!(ratio("low") < 1.1 && 1.1 < ratio("high") && ratio("low") > 1.05, "{change}");
    assert!(answer["searches"][0]["measured"].as_u64().unwrap() <= 7, "{answer:#}");
    let output = history.run(&[good, bad, "--bench", "decode", "--", COMMAND]);
    let text = text_of(&output);
    let named = format!("{} makes `decode` slower: +10.0 %", &history.commits[20][..12]);
    assert!(text.contains(&named) && text.contains("commit 20"), "{text}");
    assert!(text.contains("going on with the search"), "{text}");
    // What became faster is found, too, and the same names can be revisions.
    let output = history.run(&["HEAD~31", "HEAD~20", "--bench", "decode", "--", COMMAND]);
    assert_eq!(output.status.code(), Some(11), "{}", text_of(&output));
    assert!(text_of(&output).contains("is the log of another search"), "{}", text_of(&output));
    assert!(text_of(&output).contains("nothing changes `decode`"), "{}", text_of(&output));
}

#[test]
fn a_search_that_was_killed_goes_on_where_it_stopped() {
    let mut times = vec![1000; 5];
    times.extend(vec![1050; 11]);
    let history = History::new(&times);
    let (good, bad) = (&history.commits[0], &history.commits[15]);
    // The parent of the shell is perfgate. After some launches, it is killed once.
    let kills = r#"[ "$(wc -l < "$STARTS")" -eq 9 ] && mkdir "$STARTS.killed" && kill -9 $PPID; "#;
    let killing = format!("{kills}{COMMAND}");
    let words = [good, bad, "--bench", "decode", "--", &killing];
    assert_eq!(history.run(&words).status.code(), None);
    let log = fs::read_to_string(history.path("work/target/perfgate/bisect.json")).unwrap();
    let log: Value = serde_json::from_str(&log).unwrap();
    let logged = log["searches"][0]["commits"].as_array().unwrap().len();
    assert!(logged >= 1, "{log:#}");
    let before = history.count_starts();
    let output = history.run(&words);
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    assert!(text_of(&output).contains("commit 5  ("), "{}", text_of(&output));
    let resumed = history.count_starts() - before;
    let output = history.run(&[&words[..4], &["--restart"], &words[4..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    let whole = history.count_starts() - before - resumed;
    assert!(resumed < whole, "{resumed} launches after the kill, {whole} without");
    // A search with an answer builds and starts nothing.
    let before = history.count_starts();
    assert_eq!(history.run(&words).status.code(), Some(0));
    assert_eq!(history.count_starts(), before);
}

#[test]
fn nothing_that_changes_is_not_blamed_on_a_commit() {
    let history = History::new(&[1000; 16]);
    let (answer, status) = history.search(&history.commits[0], "main", &[]);
    assert_eq!((answer["searches"][0]["outcome"].as_str(), status), (Some("no-change"), Some(11)));
    assert!(answer["searches"][0]["unchanged"].as_f64().unwrap() > 0.95, "{answer:#}");
}

#[test]
fn a_slowdown_and_its_repair_are_both_found() {
    let mut times = vec![1000; 24];
    times[6..15].fill(1100);
    let history = History::new(&times);
    let (answer, status) = history.search(&history.commits[0], "main", &[]);
    let expected = vec![vec!["commit 6"], vec!["commit 15"]];
    assert_eq!((changed(&answer, 0), status), (expected, Some(0)), "{answer:#}");
    assert_eq!(answer["searches"][0]["outcome"], "several");
}

#[test]
fn a_budget_that_ends_leaves_a_search_that_goes_on() {
    let history = History::new(&[1000, 1000, 1000, 1100, 1100]);
    let (answer, status) = history.search(&history.commits[0], "main", &["--budget", "1ns"]);
    assert_eq!((answer["searches"][0]["outcome"].as_str(), status), (Some("unfinished"), Some(11)));
    let (answer, status) = history.search(&history.commits[0], "main", &[]);
    assert_eq!((changed(&answer, 0), status), (vec![vec!["commit 3"]], Some(0)), "{answer:#}");
}

#[test]
fn the_working_tree_does_not_matter_and_stays_as_it_is() {
    let history = History::new(&[1000, 1000, 1100, 1100]);
    fs::write(history.path("work/ns"), "5000").unwrap();
    let (answer, _) = history.search(&history.commits[0], &history.commits[3], &[]);
    assert_eq!(changed(&answer, 0), [["commit 2"]]);
    assert_eq!(fs::read_to_string(history.path("work/ns")).unwrap(), "5000");
    assert_eq!(git_in(&history.path("work"), &["status", "--porcelain"]).trim(), "M ns");
}

#[test]
fn a_merge_is_searched_inside_on_demand() {
    let mut history = History::new(&[1000, 1000]);
    let good = history.commits[0].clone();
    history.bed.git("work", &["checkout", "--quiet", "-b", "side"]);
    for ns in ["1000", "1000", "1200", "1200"] {
        history.commit(&[("ns", ns), ("side", ns)]);
    }
    history.bed.git("work", &["checkout", "--quiet", "main"]);
    history.bed.git("work", &["merge", "--quiet", "--no-ff", "--message", "Merge", "side"]);
    history.commit(&[]);
    let (answer, status) = history.search(&good, "main", &[]);
    assert_eq!((changed(&answer, 0), status), (vec![vec!["Merge"]], Some(0)), "{answer:#}");
    assert_eq!(answer["searches"].as_array().unwrap().len(), 1);
    let (answer, status) = history.search(&good, "main", &["--all"]);
    assert_eq!(status, Some(0), "{answer:#}");
    assert_eq!(changed(&answer, 0), [["Merge"]]);
    assert_eq!(changed(&answer, 1), [["commit 4"]], "{answer:#}");
}

#[test]
fn what_cannot_be_searched_is_refused_in_one_line() {
    let mut history = History::new(&[1000, 1000]);
    let (first, second) = (history.commits[0].clone(), history.commits[1].clone());
    history.bed.git("work", &["checkout", "--quiet", "-b", "side", &first]);
    history.commit(&[("other", "1")]);
    let side = history.commits[2].clone();
    let bench = ["--bench", "decode"];
    let refuses = |range: [&str; 2], expected: &[&str]| {
        history.refuses(&[&range[..], &bench].concat(), expected);
    };
    refuses([&first, &first], &["are the same commit"]);
    refuses([&second, &first], &["comes after BAD", "help: perfgate bisect"]);
    refuses([&second, &side], &["is not an ancestor of BAD", "merge-base"]);
    refuses([&first, "nonsense"], &["`nonsense` is not a commit of this repository"]);
    history.refuses(&[&first, &second], &["bisect needs one benchmark: --bench ID"]);
    let unknown = [&*first, &second, "--bench", "encode"];
    history.refuses(&unknown, &["no benchmark `encode`", "did you mean `decode`?"]);
    fs::create_dir_all(history.path("work/target/perfgate")).unwrap();
    fs::remove_file(history.path("starts")).unwrap();
    for broken in ["{", r#"{"schema": "perfgate.bisect/9"}"#] {
        fs::write(history.path("work/target/perfgate/bisect.json"), broken).unwrap();
        refuses([&first, &second], &["failed to go on with the log", "--restart begins again"]);
    }
}

#[test]
fn a_commit_whose_command_fails_is_skipped_and_its_neighbours_stay_together() {
    let mut history = History::new(&[1000, 1000, 1000]);
    history.commit(&[("ns", "no number")]);
    history.commit(&[("ns", "1100")]);
    history.commit(&[("ns", "1100")]);
    let (answer, status) = history.search(&history.commits[0], "main", &[]);
    let expected = vec![vec!["commit 3", "commit 4"]];
    assert_eq!((changed(&answer, 0), status), (expected, Some(0)), "{answer:#}");
    let skipped = &answer["searches"][0]["skipped"][0];
    assert_eq!(skipped["commit"]["subject"], "commit 3");
    assert!(skipped["text"].as_str().unwrap().contains("the benchmark fails"), "{skipped}");
    let output = history.run(&[&history.commits[0], "HEAD~2", "--bench", "decode", "--", COMMAND]);
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("error: BAD (") && text.contains("cannot be measured"), "{text}");
}

#[test]
fn what_a_failing_command_printed_last_is_in_the_error() {
    let history = History::new(&[1000, 1000]);
    let script = "echo 'no model.bin' >&2; exit 2";
    let output = history.run(&[&history.commits[0], "HEAD", "--bench", "decode", "--", script]);
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("fails in the good commit: exited with status 2: no model.bin"),
        "{text}"
    );
}

#[test]
fn benches_are_built_per_commit_and_what_cannot_be_built_is_skipped() {
    let bench = |ids: &str| BENCH.replace("/* ids */", ids);
    let mut history = History::new(&[]);
    let source = "benches/standin.rs";
    let calm = bench(r#"("decode", 1e6)"#);
    let slow = bench(r#"("decode", 1.1e6)"#);
    history.commit(&[("Cargo.toml", MANIFEST), (source, &calm)]);
    // The same program: only a file changes that no program reads.
    history.commit(&[("README.md", "read me")]);
    history.commit(&[(source, &bench(r#"("other", 1e6)"#))]);
    history.commit(&[(source, "this is not Rust")]);
    history.commit(&[(source, &slow)]);
    history.commit(&[("README.md", "read me again")]);
    let words = ["--bench", "decode", "--format", "json", "--calls", "15", "--warmup", "1ms"];
    let output = history.run(&[&["HEAD~5", "HEAD"][..], &words].concat());
    let answer: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text_of(&output)));
    assert_eq!(output.status.code(), Some(0), "{answer:#}");
    let search = &answer["searches"][0];
    assert_eq!(changed(&answer, 0), [["commit 2", "commit 3", "commit 4"]], "{answer:#}");
    let why = |at: usize| search["skipped"][at]["text"].as_str().unwrap().to_owned();
    assert_eq!(why(0), "it does not have the benchmark");
    assert!(why(1).starts_with("it cannot be built"), "{search:#}");
    assert!(search["same_program"].as_u64().unwrap() >= 1, "{search:#}");
    let unknown = history.run(&["HEAD~5", "HEAD", "--bench", "encode"]);
    let text = text_of(&unknown);
    assert!(unknown.status.code() == Some(2) && text.contains("decode"), "{text}");
}
