//! The fuzz targets as property tests: the seeds of each, changed at random from a fixed seed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use perfgate::internals::PARSERS;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Changed inputs per parser. A fuzzer tries millions; these find what is broken in general.
const CASES: u32 = 200;

/// Pieces that parsers treat in special ways.
const PIECES: [&str; 16] = [
    "\0",
    "\n",
    "\"",
    "{",
    "]",
    "-",
    "1e999",
    "-1",
    "0",
    "18446744073709551616",
    "null",
    "../",
    "\u{202e}",
    "\u{feff}",
    "é",
    "%",
];

/// A change to some bytes.
#[derive(Clone, Debug)]
enum Edit {
    Insert(Index, &'static str),
    Flip(Index, u8),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let end = |from: usize, length: usize| bytes.len().min(from + length);
        match self {
            Self::Insert(at, piece) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, piece.bytes());
            }
            Self::Flip(at, mask) => {
                let at = at.index(bytes.len());
                bytes[at] ^= mask;
            }
            Self::Remove(at, length) => {
                let at = at.index(bytes.len());
                bytes.drain(at..end(at, *length));
            }
            Self::Repeat(at, length) => {
                let at = at.index(bytes.len());
                let piece = bytes[at..end(at, *length)].to_vec();
                bytes.splice(at..at, piece);
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        4 => (any::<Index>(), select(&PIECES[..])).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        4 => (any::<Index>(), 1_u8..).prop_map(|(at, mask)| Edit::Flip(at, mask)),
        3 => (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        3 => (any::<Index>(), 1..400_usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
        1 => any::<Index>().prop_map(Edit::Cut),
    ];
    vec(edit, 1..5)
}

/// The targets of `fuzz/seeds.txt`, each with the content of one file.
fn read_seeds() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("fuzz/seeds.txt")).unwrap();
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let seed = |line: &str| {
        let (target, file) = line.split_once(' ').unwrap();
        (target.to_owned(), fs::read(root.join(file)).unwrap())
    };
    lines.map(seed).collect()
}

#[test]
fn every_parser_has_a_target_and_accepts_its_seeds() {
    let names: BTreeSet<String> = PARSERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let targets = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let targets = targets.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    assert_eq!(targets.collect::<BTreeSet<_>>(), names);

    let seeds = read_seeds();
    let seeded: BTreeSet<_> = seeds.iter().map(|(target, _)| target.clone()).collect();
    assert_eq!(seeded, names);
    for (target, bytes) in seeds {
        let (_, accepts) = PARSERS.iter().find(|(name, _)| *name == target).unwrap();
        assert!(accepts(&bytes), "{target} refuses {}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn no_parser_panics_on_changed_input() {
    let seeds = read_seeds();
    for (name, accepts) in PARSERS {
        let seeds = seeds.iter().filter(|(target, _)| target == name);
        let seeds: Vec<_> = seeds.map(|(_, bytes)| bytes.clone()).collect();
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        let inputs = (select(seeds), edits()).prop_map(|(mut bytes, edits)| {
            for edit in edits {
                edit.apply(&mut bytes);
            }
            bytes
        });
        let found = TestRunner::new_with_rng(config, rng).run(&inputs, |bytes| {
            accepts(&bytes);
            Ok(())
        });
        assert!(found.is_ok(), "{name}: {}", found.unwrap_err());
    }
}
