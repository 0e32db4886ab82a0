//! `perfgate doctor`: what makes measurements here unfit, and the remedy.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::{ExitStatus, gate, measure};
use crate::cli::{DoctorArgs, DoctorFormat, GateArgs};
use crate::git::Repository;
use crate::host::{Finding, Fitness, Host, fitness, version_of};
use crate::store::{DEFAULT_URL, Store};

/// Programs, what needs them, and how they are had.
const TOOLS: [(&str, &str); 4] = [
    ("cargo", "builds the benches: https://rustup.rs"),
    ("rustc", "builds the benches: https://rustup.rs"),
    ("git", "keeps baselines and worktrees: sudo apt install git"),
    ("valgrind", "counts instructions for --counts: sudo apt install valgrind"),
];

#[derive(Serialize)]
struct Report {
    host: Host,
    findings: Vec<Finding>,
}

/// Runs the command; to find something unfit is no failure of the doctor.
pub(super) fn run(args: &DoctorArgs) -> Result<ExitStatus> {
    let mut findings = fitness();
    findings.push(git_depth(Path::new(".")));
    let host = measure::host(Path::new("."));
    findings.push(stored(Path::new("."), &host.fingerprint));
    findings.extend(TOOLS.map(|(tool, remedy)| installed(tool, remedy)));
    let report = Report { host, findings };
    let mut out = io::stdout().lock();
    match args.format {
        DoctorFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        DoctorFormat::Text => write!(out, "{}", text(&report))?,
    }
    Ok(ExitStatus::Pass)
}

fn git_depth(folder: &Path) -> Finding {
    const CONDITION: &str = "git history";
    match Repository::discover(folder) {
        Ok(Some(repository)) if repository.is_shallow() => Finding::judged(
            CONDITION,
            false,
            "shallow: the base of a branch may not be found".to_owned(),
            "git fetch --unshallow, or fetch-depth: 0 of actions/checkout",
        ),
        Ok(Some(_)) => Finding::judged(CONDITION, true, "whole".to_owned(), ""),
        Ok(None) => Finding::judged(
            CONDITION,
            false,
            "no repository".to_owned(),
            "git init, or keep baselines in a folder with --store dir:PATH",
        ),
        Err(error) => Finding::judged(
            CONDITION,
            false,
            error.to_string(),
            "make the repository readable for this user",
        ),
    }
}

/// Whether the store has runs of this machine, and of which others.
fn stored(folder: &Path, fingerprint: &str) -> Finding {
    const CONDITION: &str = "stored runs";
    let config = gate::config(&GateArgs::default(), folder);
    let url = config.ok().and_then(|config| config.store.url);
    let keys =
        Store::open(url.as_deref().unwrap_or(DEFAULT_URL), folder).and_then(|store| store.list());
    let keys = match keys {
        Ok(keys) => keys,
        Err(error) => {
            let remedy = "see `git history` above, or name a store with --store";
            return Finding::judged(CONDITION, false, error.to_string(), remedy);
        }
    };
    let mut machines: BTreeMap<&str, usize> = BTreeMap::new();
    for key in &keys {
        *machines.entry(key.fingerprint()).or_default() += 1;
    }
    let own = machines.remove(fingerprint).unwrap_or(0);
    let others: Vec<String> =
        machines.iter().map(|(other, count)| format!("{other} ({count})")).collect();
    let found = match (own, others.as_slice()) {
        (0, []) => "none yet".to_owned(),
        (own, []) => format!("{own} of this machine"),
        (own, others) => format!("{own} of this machine; of others: {}", others.join(", ")),
    };
    let remedy =
        "baselines of other machines only start rounds: save some here with check --save-baseline";
    Finding::judged(CONDITION, own > 0 || others.is_empty(), found, remedy)
}

fn installed(tool: &'static str, remedy: &'static str) -> Finding {
    let version = version_of(tool);
    let fine = version.is_some();
    Finding::judged(tool, fine, version.unwrap_or_else(|| "not installed".to_owned()), remedy)
}

fn text(report: &Report) -> String {
    let Host { fingerprint, cpu_model, cores, os, kernel, .. } = &report.host;
    let mut lines =
        vec![format!("{fingerprint}  {cpu_model}, {cores} cores, {os}, kernel {kernel}")];
    let width = report.findings.iter().map(|finding| finding.condition.len()).max().unwrap_or(0);
    for Finding { condition, fitness, found, remedy } in &report.findings {
        let mark = match fitness {
            Fitness::Fine => "fine   ",
            Fitness::Unfit => "unfit  ",
            Fitness::Unknown => "unknown",
        };
        lines.push(format!(
            "{mark}  {condition:width$}  {}",
            found.lines().next().unwrap_or_default()
        ));
        if let Some(remedy) = remedy {
            lines.push(format!("{:9}{:width$}  help: {remedy}", "", ""));
        }
    }
    lines.join("\n") + "\n"
}
