//! The order of modules and the owners of heavy dependencies, read from the source.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Dependencies with the modules that are allowed to use them.
const OWNERS: [(&str, &[&str]); 12] = [
    ("statrs", &["stats"]),
    ("git2", &["git"]),
    ("globset", &["selection"]),
    ("cargo_metadata", &["measure"]),
    ("toml", &["policy"]),
    ("minijinja", &["render"]),
    ("resvg", &["render"]),
    ("parquet", &["site"]),
    ("octocrab", &["publish"]),
    ("tokio", &["publish"]),
    ("clap", &["cli", "main"]),
    ("indicatif", &["session"]),
];

/// Modules that read no clock, no environment and no global random source.
const PURE: [&str; 7] = ["stats", "run", "compare", "policy", "verdict", "report", "render"];

fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&root).unwrap().to_owned();
                let module = inside.components().next().unwrap().as_os_str();
                let module = module.to_string_lossy().trim_end_matches(".rs").to_owned();
                let code = code_of(&fs::read_to_string(&path).unwrap());
                if module != "tests" {
                    sources.push((module, inside, code));
                }
            }
        }
    }
    assert!(sources.len() > 20, "found only {} source files", sources.len());
    sources
}

/// Returns the source without its tests and comments, which may contain any name.
fn code_of(source: &str) -> String {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn order() -> BTreeMap<String, usize> {
    let lib = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap();
    let modules = lib
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'));
    modules.zip(0..).map(|(module, place)| (module.to_owned(), place)).collect()
}

/// Returns whether `name` is the first part of a path in the code.
fn names_path(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':')
    })
}

#[test]
fn modules_import_only_what_is_declared_above_them() {
    let order = order();
    let mut wrong = Vec::new();
    for (module, path, code) in sources() {
        let Some(place) = order.get(&module) else { continue };
        for (other, above) in &order {
            let imports = names_path(&code.replace("crate::", "crate_"), &format!("crate_{other}"))
                || code.contains(&format!("use crate::{other};"));
            if imports && above > place {
                wrong.push(format!("{} imports {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn heavy_dependencies_have_one_owner() {
    let mut wrong = Vec::new();
    for (module, path, code) in sources() {
        for (dependency, owners) in OWNERS {
            if names_path(&code, dependency) && !owners.contains(&module.as_str()) {
                wrong.push(format!("{} names {dependency}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_decides_and_shows_reads_no_clock_and_no_environment() {
    const FORBIDDEN: [&str; 6] =
        ["std::time", "Timestamp::now", "std::env", "env::var", "rand::rng", "std::process"];
    let mut wrong = Vec::new();
    for (module, path, code) in sources() {
        if PURE.contains(&module.as_str()) {
            let found = FORBIDDEN.iter().filter(|name| code.contains(**name));
            wrong.extend(found.map(|name| format!("{} names {name}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_but_the_decision_knows_its_thresholds() {
    for (module, path, code) in sources() {
        let decides = code.contains("classify(") || code.contains("looks::judge");
        assert!(!decides || module == "verdict", "{} decides by itself", path.display());
    }
}
