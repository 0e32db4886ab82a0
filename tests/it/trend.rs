//! The trend pages, from synthetic histories in a folder.

mod drift;
mod files;
mod said;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::stored_history::{encode_hex, write_history};
use crate::synthetic::{History, commit_id};

struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn of(history: &History) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        write_history(history, &site.store());
        site
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    /// Runs `perfgate trend ARGS` on this history, outside of any repository.
    fn trend(&self, args: &[&str]) -> Output {
        let store = format!("dir:{}", self.store().display());
        Command::new(env!("CARGO_BIN_EXE_perfgate"))
            .arg("trend")
            .args(args)
            .args(["--store", &store, "--title", "demo"])
            .current_dir(self.folder.path())
            .env_remove("GITHUB_REPOSITORY")
            .output()
            .unwrap()
    }

    #[track_caller]
    fn build(&self) -> String {
        let out = self.out();
        let address = "https://example.org/demo";
        let output = self.trend(&["--out", out.to_str().unwrap(), "--repository-url", address]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn files(&self) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.out()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.out()).unwrap().to_owned();
                    files.insert(name, fs::read_to_string(&path).unwrap());
                }
            }
        }
        files
    }

    #[track_caller]
    fn page(&self, start: &str) -> String {
        let is_it = |name: &&PathBuf| name.to_string_lossy().starts_with(start);
        let files = self.files();
        let name = files.keys().find(is_it).unwrap_or_else(|| panic!("no {start}"));
        files[name].clone()
    }
}

/// Returns the output of `trend status` for nights with this step in the first of three benchmarks.
#[cfg(feature = "github")]
pub(crate) fn status_after(nights: usize, step: Option<(usize, f64)>) -> Value {
    status_of(&History { nights, step, ..History::default() })
}

/// Returns the output of `trend status` for this history.
#[cfg(feature = "github")]
pub(crate) fn status_of(history: &History) -> Value {
    let site = Site::of(history);
    let address = "https://example.org/demo";
    let output = site.trend(&["status", "--format", "json", "--repository-url", address]);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn visible(page: &str) -> String {
    let body = page.split("<main").nth(1).unwrap().split("</main>").next().unwrap();
    let mut text = String::new();
    let mut inside = false;
    for character in body.chars() {
        match character {
            '<' => inside = true,
            '>' => inside = false,
            _ if !inside => text.push(character),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn says(text: &str, words: &str) {
    assert!(text.contains(words), "`{words}` is not in: {text}");
}

#[test]
fn a_step_is_shown_with_its_size_and_the_commits_to_blame() {
    let site = Site::of(&History { step: Some((40, 1.10)), ..History::default() });
    site.build();
    let page = site.page("bench/tokenization");
    let text = visible(&page);
    says(&text, "slower");
    let range = format!("{}..{}", &commit_id(39)[..7], &commit_id(40)[..7]);
    says(&text, &range);
    says(&page, &format!("/compare/{}...{}", commit_id(39), commit_id(40)));
    let [good, bad] = [39, 40].map(|night| commit_id(night)[..10].to_owned());
    says(&text, &format!("To find the one: perfgate bisect {good} {bad} --bench "));
    says(&visible(&site.page("index")), &range);
    says(&visible(&site.page("bench/batching")), "None of 2 % or more");
}

#[test]
fn status_has_the_open_slowdown_and_nothing_after_it_recovered() {
    let open = |site: &Site| {
        let output = site.trend(&["status", "--format", "json"]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        let of_first = status.as_array().unwrap().iter();
        let mut of_first = of_first.filter(|b| b["id"] == "tokenization/encode/batch/0");
        of_first.next().unwrap().clone()
    };
    let slower = open(&Site::of(&History { step: Some((40, 1.10)), ..History::default() }));
    assert_eq!(slower["state"], "slower");
    assert_eq!(slower["open"][0]["to"], commit_id(40));
    let ratio = slower["open"][0]["ratio"].as_f64().unwrap();
    assert!((ratio - 1.10).abs() < 0.02, "{ratio}");
    let steady = open(&Site::of(&History::default()));
    assert_eq!(
        (steady["state"].as_str(), steady["open"].as_array().unwrap().len()),
        (Some("steady"), 0)
    );
}

#[test]
fn another_machine_is_not_a_change() {
    let site = Site::of(&History { other_host_from: Some(30), ..History::default() });
    site.build();
    let text = visible(&site.page("bench/tokenization"));
    says(&text, "None of 2 % or more");
    says(&text, "AMD EPYC 9R14");
    says(&text, "Intel Xeon 8488C");
}

#[test]
fn an_additional_night_gives_the_pages_of_a_fresh_build_and_touches_few() {
    let before = History { nights: 40, ..History::default() };
    let after = History { nights: 41, ..History::default() };
    let grown = Site::of(&before);
    grown.build();
    write_history(&after, &grown.store());
    let said = grown.build();
    // The overview, the pages and data of three benchmarks, and the pages of the new run and of the
    // run before it.
    says(&said, "9 written");
    let fresh = Site::of(&after);
    fresh.build();
    assert!(grown.files() == fresh.files(), "the pages differ");
    says(&grown.build(), " 0 written");
}

#[test]
fn pages_of_runs_that_are_gone_are_removed_and_nothing_else() {
    let site = Site::of(&History { nights: 8, ..History::default() });
    site.build();
    fs::write(site.out().join("CNAME"), "example.org").unwrap();
    let mut stored: Vec<PathBuf> = Vec::new();
    let mut folders = vec![site.store()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { stored.push(path) }
        }
    }
    fs::remove_file(&stored[0]).unwrap();
    says(&site.build(), "1 removed");
    assert!(site.out().join("CNAME").is_file());
    let runs = site.files().keys().filter(|name| name.starts_with("run")).count();
    assert_eq!(runs, 7);
}

#[test]
fn hostile_names_stay_text() {
    let names = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "{{ 7 * 7 }}/</script><!--",
        "../../../etc/passwd",
        "a\u{202e}b\n\u{1b}[31m",
        "=HYPERLINK(\"x\")",
    ];
    let names: Vec<String> = names.map(str::to_owned).to_vec();
    let site = Site::of(&History { benchmarks: names.len(), names, ..History::default() });
    site.build();
    for (name, page) in site.files() {
        if name.extension().is_none_or(|extension| extension != "html") {
            continue;
        }
        let scripts = page.matches("<script").count();
        let allowed = match name.components().next().unwrap().as_os_str().to_str().unwrap() {
            "bench" => 3,
            "run" => 0,
            _ => 1,
        };
        assert_eq!(scripts, allowed, "{}", name.display());
        assert!(!page.contains("<img") && !page.contains('\u{202e}') && !page.contains('\u{1b}'));
        assert!(!visible(&page).contains("49/"), "a name was evaluated");
    }
    assert!(!site.folder.path().join("etc").exists());
}

#[test]
fn links_lead_to_files_of_the_site() {
    let site = Site::of(&History { step: Some((30, 1.2)), ..History::default() });
    site.build();
    let files = site.files();
    let mut followed = 0;
    for (name, page) in
        files.iter().filter(|(name, _)| name.extension().is_some_and(|e| e == "html"))
    {
        let folder = name.parent().unwrap();
        let markup = page.split("<script").next().unwrap();
        for address in markup.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            if address.starts_with("https://example.org/demo/") || address.starts_with("data:,") {
                continue;
            }
            let path = address.split('#').next().unwrap();
            let target = if path.is_empty() { name.clone() } else { resolved(folder, path) };
            assert!(files.contains_key(&target), "{} links to {address}", name.display());
            followed += 1;
        }
    }
    assert!(followed > 200, "only {followed} links");
}

fn resolved(folder: &Path, address: &str) -> PathBuf {
    match address.strip_prefix("../") {
        Some(rest) => folder.parent().unwrap().join(rest),
        None => folder.join(address),
    }
}

#[track_caller]
fn changes(input: &str) -> (Output, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("series.jsonl");
    fs::write(&file, input).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_perfgate"))
        .args(["trend", "changes", file.to_str().unwrap(), "--format", "json"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output, json)
}

#[test]
fn changes_of_any_series_are_printed_with_every_series_named() {
    let level =
        |value: f64| (0..20).map(|i| (value + f64::from(i % 4)).to_string()).collect::<Vec<_>>();
    let stepped = [level(100.0), level(110.0)].concat().join(", ");
    let steady = [level(100.0), level(100.0)].concat().join(", ");
    let input = format!(
        "{{\"id\": \"a\", \"values\": [{stepped}]}}\n\n{{\"id\": \"b\", \"values\": [{steady}]}}\n{{\"id\": \"c\", \"values\": []}}\n"
    );
    let (output, found) = changes(&input);
    assert!(output.status.success(), "{output:?}");
    let ids: Vec<&str> =
        found.as_array().unwrap().iter().filter_map(|s| s["id"].as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(found[0]["change_points"][0]["index"], 20);
    assert_eq!(found[0]["change_points"].as_array().unwrap().len(), 1);
    assert!(found[0]["change_points"][0]["interval"][0].as_f64().unwrap() > 1.05);
    assert_eq!(found[1]["change_points"], Value::Array(Vec::new()));
}

#[test]
fn a_series_that_cannot_be_read_is_refused_in_one_line() {
    for bad in [
        "{\"id\": \"a\", \"values\": [1, -1]}",
        "{\"id\": \"a\", \"values\": [1, 0]}",
        "{\"id\": \"a\", \"values\": [1, NaN]}",
        "{\"id\": \"a\", \"values\": [1, 1e999]}",
        "{\"id\": \"a\"}",
        "{\"id\": \"a\", \"values\": [1], \"more\": 1}",
        "[1, 2]",
        "{",
    ] {
        let (output, _) = changes(&format!("{{\"id\": \"fine\", \"values\": [1]}}\n{bad}\n"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{bad}: {said}");
        assert!(said.starts_with("error: line 2 of `"), "{bad}: {said}");
        assert_eq!(said.lines().count(), 2, "{bad}: {said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn vendored_files_are_what_their_checksums_say() {
    for folder in ["assets/uplot", "assets/fonts"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
        assert_eq!(sums.lines().count(), 3);
        for line in sums.lines() {
            let (sum, name) = line.split_once("  ").unwrap();
            let bytes = fs::read(folder.join(name)).unwrap();
            assert_eq!(encode_hex(&Sha256::digest(bytes)), sum, "{name}");
        }
    }
}
