//! The language of the source, the templates and the documents: plain, modern English.

use std::fs;
use std::path::{Path, PathBuf};

/// Words that the project does not use, with what to write instead.
const WORDS: [(&str, &str); 33] = [
    ("and no more", "at most N"),
    ("anew", "again"),
    ("are said", "reports, shows"),
    ("be said", "reports, shows"),
    ("dear", "slow, expensive"),
    ("does not tell", "does not report"),
    ("hence", "therefore"),
    ("henceforth", "from now on"),
    ("in turn", "in rounds"),
    ("is had", "is obtained"),
    ("is none of", "is not one of"),
    ("is none that", "is not a … that"),
    ("is said", "reports, shows"),
    ("is told", "reports, shows"),
    ("leans on", "relies on"),
    ("learnt", "learned"),
    ("lest", "so that … not"),
    ("mended", "fixed, resolved"),
    ("nought", "zero"),
    ("says", "reports, shows, states"),
    ("seldom", "rarely"),
    ("shall", "must, will"),
    ("so many", "at most N, N rounds"),
    ("spelt", "spelled"),
    ("stands below", "is below"),
    ("stands there", "appears, exists"),
    ("tells", "reports, prints, shows"),
    ("that is none", "not a …"),
    ("thus", "so, therefore"),
    ("was had", "was obtained"),
    ("was said", "was reported"),
    ("whence", "from where"),
    ("whilst", "while"),
];

/// Things of which a number is given *per* something: "5 launches per side", not "5 launches a side".
const COUNTED: [&str; 8] =
    ["benchmarks", "calls", "launches", "processes", "rounds", "runs", "samples", "values"];

const COUNTED_PER: [&str; 8] =
    ["benchmark", "day", "launch", "night", "round", "run", "side", "suite"];

/// What is reported for a number like .05.
const BARE_FRACTION: &str = "a fraction without its zero";

/// What may be where it is: the beginning of a path, the word, and the reason.
const ALLOWED: [(&str, &str, &str); 1] =
    [("templates/report.css", BARE_FRACTION, "style sheets are short")];

/// Where the project writes for people. The tests of the crate quote its messages.
const PLACES: [&str; 16] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "METHODOLOGY.md",
    "README.md",
    "SECURITY.md",
    "action.yml",
    "perfgate.toml",
    "benches/README.md",
    "benches/suites",
    "docs",
    "examples",
    "fixtures/README.md",
    "fuzz/README.md",
    "src",
    "templates",
];

/// Whether `line` has `word` between characters that are not part of a word.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Whether `text` begins with the digits of a fraction, not with a field like `.0.len()`.
fn begins_with_digits(text: &str) -> bool {
    let mut characters = text.chars();
    let is_digit = characters.next().is_some_and(|first| first.is_ascii_digit());
    is_digit && characters.next().is_some_and(|next| next.is_ascii_digit() || " %".contains(next))
}

/// Whether `line` has a number without its zero, like one twentieth as a point and two digits.
fn has_bare_fraction(line: &str) -> bool {
    let text = line.trim_start();
    text.match_indices(" .").any(|(at, _)| begins_with_digits(&text[at + 2..]))
}

/// The words in `line` that it may not have, with what to write instead.
fn find_words(line: &str) -> Vec<(String, &'static str)> {
    let line = line.to_lowercase();
    let words = WORDS.into_iter().filter(|(word, _)| has_word(&line, word));
    let mut found: Vec<_> = words.map(|(word, instead)| (word.to_owned(), instead)).collect();
    for counted in COUNTED {
        let phrases = COUNTED_PER.map(|per| format!("{counted} a {per}"));
        let phrases = phrases.into_iter().filter(|phrase| has_word(&line, phrase));
        found.extend(phrases.map(|phrase| (phrase, "per")));
    }
    if has_bare_fraction(&line) {
        found.push((BARE_FRACTION.to_owned(), "0.04"));
    }
    found
}

fn collect_files(path: &Path, files: &mut Vec<PathBuf>) {
    // What the service in examples/ is built into is not written here.
    if path.ends_with("target") {
        return;
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect_files(&entry.unwrap().path(), files);
        }
    } else {
        files.push(path.to_owned());
    }
}

#[test]
fn the_project_writes_plain_english() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for place in PLACES {
        assert!(root.join(place).exists(), "there is no `{place}`");
        collect_files(&root.join(place), &mut files);
    }
    files.sort();
    let mut wrong = Vec::new();
    let mut unneeded = ALLOWED.to_vec();
    for file in files {
        let name = file.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        let Ok(text) = fs::read_to_string(&file) else { continue };
        if name.starts_with("src/tests/") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for (word, instead) in find_words(line) {
                let permits = |(place, allowed, _): &(&str, &str, &str)| {
                    name.starts_with(place) && *allowed == word
                };
                unneeded.retain(|entry| !permits(entry));
                if !ALLOWED.iter().any(permits) {
                    wrong.push(format!("{name}:{}: `{word}`, write: {instead}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} places:\n{}", wrong.len(), wrong.join("\n"));
    assert!(unneeded.is_empty(), "allowed but not found: {unneeded:?}");
}

#[track_caller]
fn assert_words(line: &str, expected: &[&str]) {
    let found: Vec<_> = find_words(line).into_iter().map(|(word, _)| word).collect();
    assert_eq!(found, expected, "{line}");
}

#[test]
fn a_word_is_found_as_a_word_only() {
    assert_words("It says so, and Hence it stands there.", &["hence", "says", "stands there"]);
    assert_words("essays, `is_none` and a class named says_more", &[]);
    assert_words("up to 4 launches a side", &["launches a side"]);
    assert_words("all launches at once, and a side of it", &[]);
    assert_words("p < .05", &[BARE_FRACTION]);
    assert_words("        .05 and 0.05 and pair.0, .0.len()", &[]);
}
