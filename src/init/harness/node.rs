//! Vitest, tinybench, mitata and Benchmark.js.

use serde_json::Value;

use super::super::source_tree::SourceTree;
use super::{FoundHarness, HarnessLanguage};

/// Endings of the files in which Vitest looks for benchmarks.
const VITEST_ENDINGS: [&str; 8] = [
    ".bench.js",
    ".bench.ts",
    ".bench.mjs",
    ".bench.mts",
    ".bench.cjs",
    ".bench.cts",
    ".bench.jsx",
    ".bench.tsx",
];
/// Names of scripts that run benchmarks, the most usual first.
const SCRIPT_NAMES: [&str; 4] = ["bench", "benchmark", "benchmarks", "perf"];

/// A harness that a script starts, which prints its results.
struct PrintingHarness {
    /// Name of its package.
    package: &'static str,
    adapter: &'static str,
    /// What the script must print, if its usual output cannot be read.
    demand: Option<&'static str>,
}

const PRINTING: [PrintingHarness; 3] = [
    PrintingHarness { package: "benchmark", adapter: "benchmark-js", demand: None },
    PrintingHarness {
        package: "mitata",
        adapter: "mitata",
        demand: Some("run({ format: 'json' })"),
    },
    PrintingHarness {
        package: "tinybench",
        adapter: "tinybench",
        demand: Some("JSON.stringify(bench.tasks.map(({ name, result }) => ({ name, result })))"),
    },
];

/// Finds the harness that `package.json` names.
pub(super) fn find_node_harness(tree: &SourceTree) -> Option<FoundHarness> {
    let manifest: Value = serde_json::from_str(&tree.read_text("package.json")).ok()?;
    let has_package = |name: &str| {
        ["dependencies", "devDependencies"].iter().any(|kind| manifest[kind][name].is_string())
    };
    let prepare = describe_installation(tree, &manifest);
    let benches =
        tree.list_named(|name| VITEST_ENDINGS.iter().any(|ending| name.ends_with(ending)));
    if let (true, Some(bench)) = (has_package("vitest"), benches.first()) {
        return Some(FoundHarness {
            adapter: "vitest",
            language: HarnessLanguage::Node,
            evidence: (*bench).to_owned(),
            command: "npx --no-install vitest bench --run --outputJson {out}".to_owned(),
            prepare,
            packages: Vec::new(),
            remarks: Vec::new(),
        });
    }
    let harness = PRINTING.iter().find(|harness| has_package(harness.package))?;
    let script = find_script(&manifest);
    let mut remarks: Vec<String> = harness
        .demand
        .map(|demand| format!("the script must print JSON and nothing else: {demand}"))
        .into_iter()
        .collect();
    if script.is_none() {
        remarks.push(
            "package.json has no script for benchmarks: add `bench` to its `scripts`".to_owned(),
        );
    }
    Some(FoundHarness {
        adapter: harness.adapter,
        language: HarnessLanguage::Node,
        evidence: "package.json".to_owned(),
        command: format!("npm run --silent {}", script.unwrap_or("bench")),
        prepare,
        packages: Vec::new(),
        remarks,
    })
}

/// Returns the name of the script that runs benchmarks, if there is one.
fn find_script(manifest: &Value) -> Option<&str> {
    let scripts = manifest["scripts"].as_object()?;
    let is_plain = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte))
    };
    let usual = SCRIPT_NAMES.into_iter().find_map(|name| scripts.get_key_value(name));
    let similar = || scripts.iter().find(|(name, _)| name.contains("bench") && is_plain(name));
    usual.or_else(similar).map(|(name, _)| name.as_str())
}

/// Returns the command that installs the packages, by the lock file, and builds if there is a script
/// for it.
fn describe_installation(tree: &SourceTree, manifest: &Value) -> String {
    let install = [
        ("package-lock.json", "npm ci --no-audit --no-fund"),
        ("pnpm-lock.yaml", "pnpm install --frozen-lockfile"),
        ("yarn.lock", "yarn install --frozen-lockfile"),
    ]
    .into_iter()
    .find(|(lock, _)| tree.has_file(lock))
    // A new lock file would be a change of the working tree.
    .map_or("npm install --no-package-lock --no-audit --no-fund", |(_, install)| install);
    let build = if manifest["scripts"]["build"].is_string() { " && npm run build" } else { "" };
    format!("{install}{build}")
}
