//! What makes a machine unfit to measure, and the remedy.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::counters::{Counters, STOLEN};
use super::probe::machine;

/// Others may take this share of the processors before it disturbs.
const OTHERS: f64 = 0.1;
/// How long others are watched.
const WATCHED: Duration = Duration::from_millis(300);
/// A clock reading costs less than this many nanoseconds on a fit machine.
const READING: f64 = 100.0;

/// What was found out about one condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fitness {
    /// As it should be.
    Fine,
    /// It spoils measurements, or something that is needed is not there.
    Unfit,
    /// The system does not tell.
    Unknown,
}

/// One condition of measuring, and how it is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The condition.
    pub(crate) condition: &'static str,
    /// How it is.
    pub(crate) fitness: Fitness,
    /// What was seen.
    pub(crate) found: String,
    /// What can be done where it is unfit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<&'static str>,
}

impl Finding {
    /// A finding that is fine where `fine` holds, and has a `remedy` where it does not.
    pub(crate) fn judged(
        condition: &'static str,
        fine: bool,
        found: String,
        remedy: &'static str,
    ) -> Self {
        if fine {
            return Self { condition, fitness: Fitness::Fine, found, remedy: None };
        }
        Self { condition, fitness: Fitness::Unfit, found, remedy: Some(remedy) }
    }

    fn unknown(condition: &'static str, found: &str) -> Self {
        Self { condition, fitness: Fitness::Unknown, found: found.to_owned(), remedy: None }
    }
}

/// Everything about the machine that spoils measurements.
pub(crate) fn fitness() -> Vec<Finding> {
    vec![load(), steal(), throttling(), governor(), turbo(), quota(), clock()]
}

/// Watches the machine while it measures.
#[derive(Debug)]
pub(crate) struct Watch {
    before: Counters,
    load: Finding,
    machine: (String, String),
}

impl Watch {
    /// Begins to watch; takes a moment to see what others do.
    pub(crate) fn begin() -> Self {
        let load = load();
        Self { before: Counters::now(), load, machine: machine() }
    }

    /// What was unfit before and during the measurement, as warnings.
    pub(crate) fn end(self) -> Vec<String> {
        let during = self.before.until(&Counters::now());
        let mut warnings = Vec::new();
        if self.load.fitness == Fitness::Unfit {
            warnings.push(format!("before measuring, {}", self.load.found));
        }
        if during.others >= OTHERS {
            let percent = during.others * 100.0;
            warnings.push(format!("while measuring, others used {percent:.0} % of the processors"));
        }
        if let Some(reason) = during.reason() {
            warnings.push(format!("while measuring, {reason}"));
        }
        let now = machine();
        if now != self.machine {
            let ((model, kernel), (new_model, new_kernel)) = (self.machine, now);
            warnings.push(format!(
                "while measuring, the machine changed from {model}, kernel {kernel}, to {new_model}, kernel {new_kernel}"
            ));
        }
        warnings
    }
}

/// What others do on the machine now, watched for a moment.
///
/// The load average is shown and does not count: it still holds the build that has just ended.
fn load() -> Finding {
    let before = Counters::now();
    thread::sleep(WATCHED);
    let others = before.until(&Counters::now()).others;
    let Some(average) = read("/proc/loadavg") else {
        return Finding::unknown("load", "the system does not tell");
    };
    let average = average.split(' ').next().unwrap_or_default();
    Finding::judged(
        "load",
        others < OTHERS,
        format!("others use {:.0} % of the processors, load average {average}", others * 100.0),
        "end what else runs on this machine, or measure on one that is alone",
    )
}

fn steal() -> Finding {
    let share = Counters::default().until(&Counters::now()).stolen;
    if read("/proc/stat").is_none() {
        return Finding::unknown("steal time", "the system does not tell");
    }
    Finding::judged(
        "steal time",
        share <= STOLEN,
        format!(
            "{:.1} % of the busy time since the start was stolen by other guests",
            share * 100.0
        ),
        "use a machine with processors of its own",
    )
}

fn throttling() -> Finding {
    let count = Counters::default().until(&Counters::now()).throttled;
    Finding::judged(
        "throttling",
        count == 0,
        format!("{count} times since the start"),
        "cool the machine, limit its clock rate, or raise the quota of the container",
    )
}

fn governor() -> Finding {
    let governors: BTreeSet<String> = (0..)
        .map_while(|cpu| {
            read(&format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"))
        })
        .collect();
    if governors.is_empty() {
        return Finding::unknown(
            "frequency governor",
            "the system does not tell, as in virtual machines",
        );
    }
    let found = governors.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let fine = governors.iter().all(|governor| governor == "performance");
    Finding::judged("frequency governor", fine, found, "sudo cpupower frequency-set -g performance")
}

fn turbo() -> Finding {
    let intel = read("/sys/devices/system/cpu/intel_pstate/no_turbo").map(|off| off == "1");
    let others = || read("/sys/devices/system/cpu/cpufreq/boost").map(|on| on == "0");
    match intel.or_else(others) {
        None => Finding::unknown("turbo", "the system does not tell, as in virtual machines"),
        Some(off) => Finding::judged(
            "turbo",
            off,
            if off { "off" } else { "on" }.to_owned(),
            "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo",
        ),
    }
}

fn quota() -> Finding {
    let modern = read("/sys/fs/cgroup/cpu.max").as_deref().map(parse_quota);
    let older = || {
        let quota = read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")?;
        let period = read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")?;
        Some(parse_quota(&format!("{quota} {period}")))
    };
    match modern.or_else(older) {
        None => Finding::unknown("processor quota", "the system does not tell"),
        Some(quota) => Finding::judged(
            "processor quota",
            quota.is_none(),
            quota.map_or("none".to_owned(), |processors| format!("{processors:.1} processors")),
            "give the container whole processors (--cpuset-cpus) in place of a quota",
        ),
    }
}

/// Processors of a quota; `None` where there is none.
fn parse_quota(text: &str) -> Option<f64> {
    let (quota, period) = text.split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

fn clock() -> Finding {
    const READINGS: u32 = 1000;
    let (mut step, mut reading) = (Duration::MAX, f64::INFINITY);
    // The least of many: in between, others may have had the processor.
    for _ in 0..100 {
        let start = Instant::now();
        let mut last = start;
        for _ in 0..READINGS {
            let now = Instant::now();
            if now > last {
                step = step.min(now - last);
            }
            last = now;
        }
        reading = reading.min((last - start).as_nanos() as f64 / f64::from(READINGS));
    }
    let source = read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let source = source.map(|source| format!(", from {source}")).unwrap_or_default();
    Finding::judged(
        "clock",
        reading < READING && step.as_nanos() as f64 <= READING,
        format!("{reading:.0} ns a reading, {} ns a step{source}", step.as_nanos()),
        "boot with clocksource=tsc, or use a machine with a faster clock",
    )
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_told_from_none() {
        assert_eq!(parse_quota("max 100000"), None);
        assert_eq!(parse_quota("-1 100000"), None);
        assert_eq!(parse_quota("150000 100000"), Some(1.5));
    }

    #[test]
    fn what_is_unfit_has_a_remedy_and_what_is_not_has_none() {
        for finding in fitness() {
            assert_eq!(finding.remedy.is_some(), finding.fitness == Fitness::Unfit, "{finding:?}");
            assert!(!finding.found.is_empty());
        }
    }
}
