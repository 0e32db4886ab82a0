//! The order of modules, the owners of heavy dependencies and what a module may not do, read from
//! the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::source::{Mention, SourceModule, SourceTree};

/// Imports against the order inside a folder: the module, what it imports, and why.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    ("git/command.rs", "crate::git::GitToken", "the token of a remote goes to the command"),
    (
        "measure/plan/job.rs",
        "crate::measure::command::make_whole_command_id",
        "a job leaves out what failed as a whole",
    ),
];

/// Modules that read no clock, no environment and no global random source.
const PURE: [&str; 9] =
    ["stats", "run", "compare", "policy", "decision", "verdict", "bisect", "report", "render"];

/// Paths, and the beginnings of paths, that a pure module may not name.
const IMPURE: [&str; 9] = [
    "std::time",
    "std::env",
    "std::process",
    "std::thread",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "rand::rng",
    "rand::random",
    "rand::rngs",
];

/// Modules that print. The root prints the error that ends the program.
const PRINTING: [&str; 3] = ["", "session", "cmd"];

const PRINTS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

const STREAMS: [&str; 2] = ["std::io::stdout", "std::io::stderr"];

/// The name of the top-level module that `module` is in; empty for the root.
fn top_of(module: &SourceModule) -> &str {
    module.path.first().map_or("", String::as_str)
}

/// Reports every module whose `mentions` the rule does not allow.
fn find_mentions(
    tree: &SourceTree,
    is_wrong: impl Fn(&SourceModule, &Mention) -> bool,
) -> BTreeSet<String> {
    let mut wrong = BTreeSet::new();
    for (place, module) in tree.modules.iter().enumerate() {
        for mention in tree.mentions(place) {
            if is_wrong(module, &mention) {
                wrong.insert(format!("{} names {}", module.file, mention.path.join("::")));
            }
        }
    }
    wrong
}

/// Whether `path` is `prefix` or something in it.
fn is_in(path: &[String], prefix: &str) -> bool {
    let prefix: Vec<_> = prefix.split("::").collect();
    path.len() >= prefix.len() && path.iter().zip(&prefix).all(|(part, other)| part == other)
}

/// Imports of modules that are declared below the one that imports.
///
/// A module may name its own parents and children. Of everything else it may name what its folder
/// declares above it, or above the parent that both have in common. A module without a file of its
/// own belongs to its parent.
fn find_upward_imports(tree: &SourceTree) -> BTreeSet<String> {
    find_mentions(tree, |module, mention| {
        let Some(target) = tree.find_target(&mention.path) else { return false };
        let common = module.path.iter().zip(&target).take_while(|(a, b)| a == b).count();
        let (Some(own), Some(other)) = (module.path.get(common), target.get(common)) else {
            return false;
        };
        if tree.is_inline(&target[..=common]) {
            return false;
        }
        let declared = tree.children(&module.path[..common]);
        let place_of = |name| declared.iter().position(|child| child == name);
        place_of(other) > place_of(own)
    })
}

/// Uses of a dependency outside the modules that own it.
fn find_foreign_dependencies(
    tree: &SourceTree,
    owners: &BTreeMap<String, Vec<String>>,
) -> BTreeSet<String> {
    find_mentions(tree, |module, mention| {
        let owners = owners.get(&mention.path[0]);
        owners.is_some_and(|owners| !owners.iter().any(|owner| owner == top_of(module)))
    })
}

/// Pure modules that read a clock, the environment or a random source.
fn find_impurities(tree: &SourceTree) -> BTreeSet<String> {
    find_mentions(tree, |module, mention| {
        PURE.contains(&top_of(module)) && IMPURE.iter().any(|name| is_in(&mention.path, name))
    })
}

/// Modules that print and are not allowed to.
fn find_prints(tree: &SourceTree) -> BTreeSet<String> {
    find_mentions(tree, |module, mention| {
        let prints = match mention {
            Mention { path, is_macro: true } => PRINTS.contains(&path[0].as_str()),
            Mention { path, is_macro: false } => STREAMS.iter().any(|name| is_in(path, name)),
        };
        prints && !PRINTING.contains(&top_of(module))
    })
}

/// Every dependency that the table of ARCHITECTURE.md gives to a module, with its owners.
fn read_owners(page: &str) -> BTreeMap<String, Vec<String>> {
    let names = |cell: &str| -> Vec<String> {
        let parts = cell.split('`').skip(1).step_by(2);
        parts.map(str::to_owned).collect()
    };
    let mut owners = BTreeMap::new();
    for line in page.lines() {
        let cells: Vec<_> = line.split(" | ").collect();
        if let [modules, _, dependencies] = cells[..] {
            for dependency in names(dependencies) {
                owners.insert(dependency, names(modules));
            }
        }
    }
    owners
}

#[test]
fn modules_import_only_what_is_declared_above_them() {
    let mut wrong = find_upward_imports(&SourceTree::read());
    for (file, path, reason) in EXCEPTIONS {
        let count = wrong.len();
        wrong.retain(|found| !found.starts_with(&format!("{file} names {path}")));
        assert!(wrong.len() < count, "the exception of {file} is not needed any more: {reason}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn heavy_dependencies_have_one_owner() {
    let tree = SourceTree::read();
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md")).unwrap();
    let mut owners = read_owners(&page);
    assert!(owners.len() > 8, "found only {owners:?}");
    for modules in owners.values() {
        let unknown = modules.iter().find(|module| !tree.top_modules().contains(module));
        assert_eq!(unknown, None, "ARCHITECTURE.md names a module that does not exist");
    }
    // The root parses the command line.
    owners.get_mut("clap").unwrap().push(String::new());
    let wrong = find_foreign_dependencies(&tree, &owners);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_decides_and_shows_reads_no_clock_and_no_environment() {
    let tree = SourceTree::read();
    let wrong = find_impurities(&tree);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_commands_print() {
    let wrong = find_prints(&SourceTree::read());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_but_the_decision_knows_its_thresholds() {
    let wrong = find_mentions(&SourceTree::read(), |module, mention| {
        let decides = mention.path.iter().any(|part| part == "classify" || part == "judge_at");
        decides && top_of(module) != "verdict"
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The files of a small crate.
fn parse_crate(files: &[(&str, &str)]) -> SourceTree {
    let files: BTreeMap<_, _> = files.iter().copied().collect();
    SourceTree::parse(&|file| files.get(file).map(|source| (*source).to_owned()))
}

#[track_caller]
fn assert_found(found: BTreeSet<String>, expected: &[&str]) {
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
}

const ROOT: &str = "mod low; mod run; mod high;";

#[track_caller]
fn assert_upward(low: &str, expected: &[&str]) {
    let tree = parse_crate(&[("lib.rs", ROOT), ("low.rs", low), ("run.rs", ""), ("high.rs", "")]);
    assert_found(find_upward_imports(&tree), expected);
}

#[test]
fn an_upward_import_is_found_wherever_it_is_written() {
    let found = &["low.rs names crate::high::Thing"];
    assert_upward("use crate::high::Thing;", found);
    assert_upward("use crate::{high::{Thing as Other}};", found);
    assert_upward(
        "fn find() { let thing = crate::high::Thing::new(); }",
        &["low.rs names crate::high::Thing::new"],
    );
    assert_upward("fn find(thing: Vec<crate::high::Thing>) {}", found);
    assert_upward("fn find() { vec![1, crate::high::Thing] }", found);
    assert_upward(r#"struct Low { #[serde(with = "crate::high::Thing")] a: u8 }"#, found);
    assert_upward("mod inner { use super::super::high::Thing; }", found);
    assert_upward(
        "use super::high; fn find() { high::Thing }",
        &["low.rs names crate::high", "low.rs names crate::high::Thing"],
    );
}

#[test]
fn what_only_looks_like_an_upward_import_is_not_one() {
    assert_upward("// crate::high::Thing", &[]);
    assert_upward(r#"const TEXT: &str = "crate::high::Thing";"#, &[]);
    assert_upward("#[cfg(test)] mod tests { use crate::high::Thing; }", &[]);
    assert_upward("#[cfg(test)] use crate::high::Thing;", &[]);
    assert_upward("enum Low { high } fn find() { Low::high }", &[]);
}

#[test]
fn an_upward_import_is_found_inside_a_folder() {
    let tree = parse_crate(&[
        ("lib.rs", "mod run;"),
        ("run.rs", "mod first; mod second; use self::second::Second; struct Own;"),
        ("run/first.rs", "use super::second::Other; use super::Own;"),
        ("run/second.rs", "use super::first::First;"),
    ]);
    assert_found(find_upward_imports(&tree), &["run/first.rs names crate::run::second::Other"]);
}

#[test]
fn a_re_export_does_not_hide_an_upward_import() {
    let tree = parse_crate(&[
        ("lib.rs", "mod run;"),
        ("run.rs", "mod first; mod second; pub(crate) use self::second::Second;"),
        ("run/first.rs", "use super::Second;"),
        ("run/second.rs", ""),
    ]);
    assert_found(find_upward_imports(&tree), &["run/first.rs names crate::run::Second"]);
}

#[test]
fn a_dependency_is_found_outside_its_owner() {
    let page = "| module | job | only user of |\n| `high` | all | `heavy` |\n";
    let tree = parse_crate(&[
        ("lib.rs", ROOT),
        ("low.rs", "fn find() { heavy::call() }"),
        ("run.rs", "mod heavy { pub fn call() {} } fn find() { heavy::call() }"),
        ("high.rs", "use heavy::call;"),
    ]);
    let found = find_foreign_dependencies(&tree, &read_owners(page));
    assert_found(found, &["low.rs names heavy::call"]);
}

#[test]
fn a_clock_is_found_under_another_name() {
    let tree = parse_crate(&[
        ("lib.rs", ROOT),
        ("low.rs", "use std::time::Instant;"),
        ("run.rs", "use jiff::Timestamp as When; fn find() { (When::now(), ::std::env::vars()) }"),
        ("high.rs", ""),
    ]);
    assert_found(
        find_impurities(&tree),
        &["run.rs names jiff::Timestamp::now", "run.rs names std::env::vars"],
    );
}

#[test]
fn a_print_is_found_in_any_form() {
    let tree = parse_crate(&[
        ("lib.rs", "mod run; mod cmd; fn main() { eprintln!() }"),
        ("run.rs", "use std::io; fn print() { println!(); vec![print!()]; io::stdout(); }"),
        ("cmd.rs", "fn print() { println!() }"),
    ]);
    assert_found(
        find_prints(&tree),
        &["run.rs names print", "run.rs names println", "run.rs names std::io::stdout"],
    );
}
