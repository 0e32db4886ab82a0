//! `perfgate doctor`: reports what makes this machine unfit for measurements, and the remedies.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::cli::{DoctorArgs, DoctorFormat, GateArgs, StoreArgs};
use crate::git::Repository;
use crate::host::{
    Host, HostFinding, HostFitness, RequiredTool, check_host_fitness, detect_program_version,
};
use crate::measure::onnx::find_runtime;
use crate::render::{FindingWords, describe_finding};
use crate::run::{PilotRecord, Run, SampleSource};
use crate::session::print::{self, format_plural};
use crate::session::settings::{find_store, read_config};
use crate::session::{ExitStatus, measurement};
use crate::store::RunKey;

/// Run file that `perfgate check` writes unless it is given another folder.
const LAST_RUN: &str = "target/perfgate/run.json";
const NANOS_PER_SECOND: f64 = 1e9;

/// The output of the command.
#[derive(Serialize)]
struct DoctorReport {
    host: Host,
    findings: Vec<FindingWords>,
}

/// Runs `perfgate doctor`. An unfit finding does not change the exit status.
///
/// Fails if the report cannot be written.
pub(super) fn run_doctor(args: &DoctorArgs) -> Result<ExitStatus> {
    let mut findings = check_host_fitness();
    findings.push(check_git_history(Path::new(".")));
    // Runs of commands have a fingerprint of their own, without a compiler.
    let command_host = measurement::detect_host(SampleSource::Command, Path::new("."));
    // A configuration that cannot be read is a finding about the store.
    let config = read_config(&GateArgs::default(), Path::new(".")).unwrap_or_default();
    let is_harness = config.measure.source.is_some();
    let host = if is_harness {
        command_host.clone()
    } else {
        measurement::detect_host(SampleSource::Criterion, Path::new("."))
    };
    let fingerprints = [host.fingerprint.as_str(), &command_host.fingerprint];
    findings.push(check_stored_runs(Path::new("."), fingerprints));
    findings.extend(check_bench_setups(Path::new(LAST_RUN)));
    let tools = RequiredTool::ALL.into_iter().filter(|tool| !is_harness || !tool.is_for_benches());
    findings.extend(tools.map(check_tool));
    if cfg!(feature = "onnx") {
        findings.push(check_onnx_runtime());
    }
    let report = DoctorReport { host, findings: findings.iter().map(describe_finding).collect() };
    print::print_answer(&match args.format {
        DoctorFormat::Json => serde_json::to_string_pretty(&report)? + "\n",
        DoctorFormat::Text => format_report(&report),
    })?;
    Ok(ExitStatus::Pass)
}

/// Checks that there is a repository with its whole history.
fn check_git_history(folder: &Path) -> HostFinding {
    match Repository::discover(folder) {
        Ok(Some(repository)) if repository.is_shallow() => HostFinding::ShallowHistory,
        Ok(Some(_)) => HostFinding::WholeHistory,
        Ok(None) => HostFinding::NoRepository,
        Err(error) => HostFinding::RepositoryUnreadable { cause: error.to_string() },
    }
}

/// Counts the stored runs of this machine and of others.
fn check_stored_runs(folder: &Path, fingerprints: [&str; 2]) -> HostFinding {
    let keys = match list_stored_runs(folder) {
        Ok(keys) => keys,
        Err(error) => return HostFinding::StoreUnreadable { cause: format!("{error:#}") },
    };
    let mut machines: BTreeMap<&str, usize> = BTreeMap::new();
    for key in &keys {
        *machines.entry(key.fingerprint()).or_default() += 1;
    }
    let own = fingerprints.iter().filter_map(|own| machines.remove(own)).sum();
    let others = machines.into_iter().map(|(other, count)| (other.to_owned(), count)).collect();
    HostFinding::StoredRuns { own, others }
}

/// Lists the runs of the project's store. Fails if the configuration or the store cannot be read.
fn list_stored_runs(folder: &Path) -> Result<Vec<RunKey>> {
    let store = find_store(folder, &GateArgs::default(), &StoreArgs::default())?;
    Ok(store.open()?.list()?)
}

/// Looks for bench targets with a long set-up in the run of the last check. Returns `None` if there is
/// no such run, or if it has no record of the pilot launches.
fn check_bench_setups(last_run: &Path) -> Option<HostFinding> {
    let run = Run::read(last_run).ok()?;
    if run.settings.pilot.is_empty() {
        return None;
    }
    let long = run.settings.pilot.into_iter().filter(PilotRecord::has_long_setup);
    let long = long.map(|record| (record.target, record.setup.get() / NANOS_PER_SECOND));
    Some(HostFinding::BenchSetups { long: long.collect() })
}

/// Checks that a program is installed.
fn check_tool(tool: RequiredTool) -> HostFinding {
    HostFinding::Tool { tool, version: detect_program_version(tool.program()) }
}

/// Looks for the library that runs ONNX models.
fn check_onnx_runtime() -> HostFinding {
    let found = find_runtime().ok();
    HostFinding::OnnxRuntime {
        is_from_python: found.as_ref().is_some_and(|library| library.is_from_python),
        library: found.map(|library| library.path.display().to_string()),
    }
}

/// Returns the report as text: the host, then each finding with its remedy.
fn format_report(report: &DoctorReport) -> String {
    let Host { fingerprint, cpu_model, cores, os, kernel, .. } = &report.host;
    let cores = format_plural(*cores as usize, "core");
    let mut lines = vec![format!("{fingerprint}  {cpu_model}, {cores}, {os}, kernel {kernel}")];
    let width = report.findings.iter().map(|finding| finding.condition.len()).max().unwrap_or(0);
    for FindingWords { condition, fitness, found, remedy } in &report.findings {
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
