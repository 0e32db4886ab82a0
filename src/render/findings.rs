//! The words of what `perfgate doctor` finds.

use serde::Serialize;

use crate::host::{HostFinding, HostFitness, RequiredTool, SilentCondition};
use crate::text::shorten;

/// Maximum number of characters of a bench name.
const BENCH_WIDTH: usize = 80;

/// One finding in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FindingWords {
    /// Name of the condition.
    pub(crate) condition: &'static str,
    /// Whether the condition is fit for measuring.
    pub(crate) fitness: HostFitness,
    /// The observed state.
    pub(crate) found: String,
    /// What the user can do; `None` unless the condition is unfit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<&'static str>,
}

/// Returns `finding` in words.
pub(crate) fn describe_finding(finding: &HostFinding) -> FindingWords {
    let fitness = finding.judge_fitness();
    FindingWords {
        condition: name_condition(finding),
        fitness,
        found: describe_state(finding),
        remedy: (fitness == HostFitness::Unfit).then(|| suggest_remedy(finding)),
    }
}

fn name_condition(finding: &HostFinding) -> &'static str {
    match finding {
        HostFinding::Unreported(SilentCondition::Load) | HostFinding::Load { .. } => "load",
        HostFinding::Unreported(SilentCondition::StolenTime) | HostFinding::StolenTime { .. } => {
            "steal time"
        }
        HostFinding::Throttling { .. } => "throttling",
        HostFinding::Unreported(SilentCondition::Governor) | HostFinding::Governors(_) => {
            "frequency governor"
        }
        HostFinding::Unreported(SilentCondition::Turbo) | HostFinding::Turbo { .. } => "turbo",
        HostFinding::Unreported(SilentCondition::Quota) | HostFinding::Quota { .. } => {
            "processor quota"
        }
        HostFinding::Clock { .. } => "clock",
        HostFinding::WholeHistory
        | HostFinding::ShallowHistory
        | HostFinding::NoRepository
        | HostFinding::RepositoryUnreadable { .. } => "git history",
        HostFinding::StoredRuns { .. } | HostFinding::StoreUnreadable { .. } => "stored runs",
        HostFinding::BenchSetups { .. } => "bench set-up",
        HostFinding::Tool { tool, .. } => tool.program(),
        HostFinding::OnnxRuntime { .. } => "onnx runtime",
    }
}

fn describe_state(finding: &HostFinding) -> String {
    match finding {
        HostFinding::Unreported(SilentCondition::Governor | SilentCondition::Turbo) => {
            "the system does not report it, as in virtual machines".to_owned()
        }
        HostFinding::Unreported(_) => "the system does not report it".to_owned(),
        HostFinding::Load { others, average } => format!(
            "other processes use {:.0} % of the processors, load average {average}",
            others.get() * 100.0
        ),
        HostFinding::StolenTime { share } => format!(
            "other guests took {:.1} % of the busy time since the system started",
            share.get() * 100.0
        ),
        HostFinding::Throttling { times: 0 } => "none since the system started".to_owned(),
        HostFinding::Throttling { times: 1 } => "once since the system started".to_owned(),
        HostFinding::Throttling { times } => format!("{times} times since the system started"),
        HostFinding::Governors(governors) => {
            governors.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
        }
        HostFinding::Turbo { is_off: true } => "off".to_owned(),
        HostFinding::Turbo { is_off: false } => "on".to_owned(),
        HostFinding::Quota { processors: None } => "none".to_owned(),
        HostFinding::Quota { processors: Some(processors) } => {
            format!("{processors:.1} processors")
        }
        HostFinding::Clock { reading_nanos, step_nanos, source } => {
            let source = source.as_ref().map(|source| format!(", from {source}"));
            format!(
                "{reading_nanos:.0} ns per reading, {step_nanos:.0} ns per step{}",
                source.unwrap_or_default()
            )
        }
        HostFinding::WholeHistory => "complete".to_owned(),
        HostFinding::ShallowHistory => {
            "a shallow clone: the base of a branch may not be found".to_owned()
        }
        HostFinding::NoRepository => "no repository".to_owned(),
        HostFinding::RepositoryUnreadable { cause } | HostFinding::StoreUnreadable { cause } => {
            cause.clone()
        }
        HostFinding::StoredRuns { own, others } => describe_stored_runs(*own, others),
        HostFinding::BenchSetups { long } if long.is_empty() => {
            "short in every bench of the last check".to_owned()
        }
        HostFinding::BenchSetups { long } => {
            let benches = long.iter().map(|(bench, seconds)| {
                format!("{} takes {seconds:.1} s per launch", shorten(bench, BENCH_WIDTH))
            });
            benches.collect::<Vec<_>>().join(", ")
        }
        HostFinding::Tool { version, .. } => {
            version.clone().unwrap_or_else(|| "not installed".to_owned())
        }
        HostFinding::OnnxRuntime { library: None, .. } => "not found".to_owned(),
        HostFinding::OnnxRuntime { library: Some(path), is_from_python: true } => {
            format!("{path}, of a Python package")
        }
        HostFinding::OnnxRuntime { library: Some(path), is_from_python: false } => path.clone(),
    }
}

fn describe_stored_runs(own: usize, others: &[(String, usize)]) -> String {
    let others: Vec<String> =
        others.iter().map(|(other, count)| format!("{other} ({count})")).collect();
    match (own, others.as_slice()) {
        (0, []) => "none yet".to_owned(),
        (own, []) => format!("{own} of this machine"),
        (own, others) => format!("{own} of this machine; of others: {}", others.join(", ")),
    }
}

fn suggest_remedy(finding: &HostFinding) -> &'static str {
    match finding {
        HostFinding::Unreported(SilentCondition::Load) | HostFinding::Load { .. } => {
            "end other programs on this machine, or measure on an idle one"
        }
        HostFinding::Unreported(SilentCondition::StolenTime) | HostFinding::StolenTime { .. } => {
            "use a machine with processors of its own"
        }
        HostFinding::Throttling { .. } => {
            "cool the machine, limit its clock rate, or raise the quota of the container"
        }
        HostFinding::Unreported(SilentCondition::Governor) | HostFinding::Governors(_) => {
            "sudo cpupower frequency-set -g performance"
        }
        HostFinding::Unreported(SilentCondition::Turbo) | HostFinding::Turbo { .. } => {
            "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
        }
        HostFinding::Unreported(SilentCondition::Quota) | HostFinding::Quota { .. } => {
            "give the container whole processors (--cpuset-cpus) in place of a quota"
        }
        HostFinding::Clock { .. } => {
            "boot with clocksource=tsc, or use a machine with a faster clock"
        }
        HostFinding::WholeHistory | HostFinding::ShallowHistory => {
            "git fetch --unshallow, or fetch-depth: 0 of actions/checkout"
        }
        HostFinding::NoRepository => {
            "git init, or keep baselines in a folder with --store dir:PATH"
        }
        HostFinding::RepositoryUnreadable { .. } => "make the repository readable for this user",
        HostFinding::StoredRuns { .. } => {
            "baselines of other machines only start rounds: save some here with `perfgate check \
             --save-baseline`"
        }
        HostFinding::StoreUnreadable { .. } => {
            "see `git history` above, or name a store with --store"
        }
        HostFinding::BenchSetups { .. } => {
            "set up only what the selected benchmarks need, for example inside of the benchmark \
             function and before `iter`"
        }
        HostFinding::Tool { tool: RequiredTool::Cargo | RequiredTool::Rustc, .. } => {
            "builds the benches: https://rustup.rs"
        }
        HostFinding::Tool { tool: RequiredTool::Git, .. } => {
            "keeps baselines and worktrees: sudo apt install git"
        }
        HostFinding::Tool { tool: RequiredTool::Valgrind, .. } => {
            "counts instructions for --counts: sudo apt install valgrind"
        }
        HostFinding::OnnxRuntime { .. } => {
            "runs ONNX models: `pip install onnxruntime`, or set ORT_DYLIB_PATH to its library"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::check_host_fitness;
    use crate::units::Percent;

    #[test]
    fn only_what_is_unfit_has_a_remedy() {
        for finding in check_host_fitness() {
            let words = describe_finding(&finding);
            assert_eq!(words.remedy.is_some(), words.fitness == HostFitness::Unfit, "{words:?}");
            assert!(!words.found.is_empty());
        }
    }

    #[test]
    fn a_finding_names_its_state_and_a_remedy() {
        let line = |finding: &HostFinding| {
            let FindingWords { condition, found, remedy, .. } = describe_finding(finding);
            format!("{condition}: {found}; {}", remedy.unwrap_or("nothing to do"))
        };
        let load = |others| HostFinding::Load {
            others: Percent::new(others).unwrap(),
            average: "0.52".to_owned(),
        };
        assert_eq!(
            line(&load(0.09)),
            "load: other processes use 9 % of the processors, load average 0.52; nothing to do"
        );
        assert!(line(&load(0.1)).ends_with("measure on an idle one"));
        let quota = HostFinding::Unreported(SilentCondition::Quota);
        assert_eq!(line(&quota), "processor quota: the system does not report it; nothing to do");
        let runs = |own, others: &[(&str, usize)]| HostFinding::StoredRuns {
            own,
            others: others.iter().map(|(other, count)| ((*other).to_owned(), *count)).collect(),
        };
        assert_eq!(line(&runs(0, &[])), "stored runs: none yet; nothing to do");
        let elsewhere = line(&runs(0, &[("0f1e", 3)]));
        assert!(elsewhere.contains("0 of this machine; of others: 0f1e (3); baselines of other"));
        let clock = HostFinding::Clock {
            reading_nanos: 24.6,
            step_nanos: 10.0,
            source: Some("tsc".to_owned()),
        };
        assert_eq!(
            line(&clock),
            "clock: 25 ns per reading, 10 ns per step, from tsc; nothing to do"
        );
        let setups = |long: &[(&str, f64)]| HostFinding::BenchSetups {
            long: long.iter().map(|(bench, seconds)| ((*bench).to_owned(), *seconds)).collect(),
        };
        let short = "bench set-up: short in every bench of the last check; nothing to do";
        assert_eq!(line(&setups(&[])), short);
        let long = line(&setups(&[("transformer", 47.04)]));
        assert!(long.starts_with("bench set-up: transformer takes 47.0 s per launch; set up only"));
    }
}
