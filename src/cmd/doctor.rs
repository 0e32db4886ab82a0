//! `perfgate doctor`: reports what makes this machine unfit for measurements, and the remedies.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::cli::{DoctorArgs, DoctorFormat, GateArgs};
use crate::git::Repository;
use crate::host::{Host, HostFinding, HostFitness, check_host_fitness, detect_program_version};
use crate::session::settings::read_config;
use crate::session::{ExitStatus, measurement};
use crate::store::{DEFAULT_STORE_URL, Store};

/// Programs that perfgate needs, each with its purpose and how to install it.
const REQUIRED_TOOLS: [(&str, &str); 4] = [
    ("cargo", "builds the benches: https://rustup.rs"),
    ("rustc", "builds the benches: https://rustup.rs"),
    ("git", "keeps baselines and worktrees: sudo apt install git"),
    ("valgrind", "counts instructions for --counts: sudo apt install valgrind"),
];

/// The output of the command.
#[derive(Serialize)]
struct DoctorReport {
    host: Host,
    findings: Vec<HostFinding>,
}

/// Runs `perfgate doctor`. An unfit finding does not change the exit status.
///
/// Fails if the report cannot be written.
pub(super) fn run_doctor(args: &DoctorArgs) -> Result<ExitStatus> {
    let mut findings = check_host_fitness();
    findings.push(check_git_history(Path::new(".")));
    let host = measurement::detect_host(Path::new("."));
    findings.push(check_stored_runs(Path::new("."), &host.fingerprint));
    findings.extend(REQUIRED_TOOLS.map(|(tool, remedy)| check_tool(tool, remedy)));
    let report = DoctorReport { host, findings };
    let mut out = io::stdout().lock();
    match args.format {
        DoctorFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        DoctorFormat::Text => write!(out, "{}", format_report(&report))?,
    }
    Ok(ExitStatus::Pass)
}

/// Checks that there is a repository with its whole history.
fn check_git_history(folder: &Path) -> HostFinding {
    const CONDITION: &str = "git history";
    match Repository::discover(folder) {
        Ok(Some(repository)) if repository.is_shallow() => HostFinding::from_check(
            CONDITION,
            false,
            "shallow: the base of a branch may not be found".to_owned(),
            "git fetch --unshallow, or fetch-depth: 0 of actions/checkout",
        ),
        Ok(Some(_)) => HostFinding::from_check(CONDITION, true, "whole".to_owned(), ""),
        Ok(None) => HostFinding::from_check(
            CONDITION,
            false,
            "no repository".to_owned(),
            "git init, or keep baselines in a folder with --store dir:PATH",
        ),
        Err(error) => HostFinding::from_check(
            CONDITION,
            false,
            error.to_string(),
            "make the repository readable for this user",
        ),
    }
}

/// Checks whether the store has runs of this machine, and lists the other machines.
///
/// An empty store is fine.
fn check_stored_runs(folder: &Path, fingerprint: &str) -> HostFinding {
    const CONDITION: &str = "stored runs";
    let config = read_config(&GateArgs::default(), folder);
    let url = config.ok().and_then(|config| config.store.url);
    let keys = Store::open(url.as_deref().unwrap_or(DEFAULT_STORE_URL), folder)
        .and_then(|store| store.list());
    let keys = match keys {
        Ok(keys) => keys,
        Err(error) => {
            let remedy = "see `git history` above, or name a store with --store";
            return HostFinding::from_check(CONDITION, false, error.to_string(), remedy);
        }
    };
    // Count the stored runs per machine, this machine apart from the others.
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
    HostFinding::from_check(CONDITION, own > 0 || others.is_empty(), found, remedy)
}

/// Checks that a program is installed.
fn check_tool(tool: &'static str, remedy: &'static str) -> HostFinding {
    let version = detect_program_version(tool);
    let is_installed = version.is_some();
    HostFinding::from_check(
        tool,
        is_installed,
        version.unwrap_or_else(|| "not installed".to_owned()),
        remedy,
    )
}

/// Returns the report as text: the host, then each finding with its remedy.
fn format_report(report: &DoctorReport) -> String {
    let Host { fingerprint, cpu_model, cores, os, kernel, .. } = &report.host;
    let mut lines =
        vec![format!("{fingerprint}  {cpu_model}, {cores} cores, {os}, kernel {kernel}")];
    let width = report.findings.iter().map(|finding| finding.condition.len()).max().unwrap_or(0);
    for HostFinding { condition, fitness, found, remedy } in &report.findings {
        let mark = match fitness {
            HostFitness::Fine => "fine   ",
            HostFitness::Unfit => "unfit  ",
            HostFitness::Unknown => "unknown",
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
