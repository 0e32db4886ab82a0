//! Checks what makes a machine unfit to measure, and names the remedy.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::counters::{HostCounters, MAX_STOLEN_SHARE};
use super::probe::detect_machine;
use crate::note::{MachineName, Note};
use crate::units::Percent;

/// Other processes disturb measurements if they use this share of the processors or more.
const MAX_OTHERS_SHARE: f64 = 0.1;
/// How long other processes are watched.
const WATCH_TIME: Duration = Duration::from_millis(300);
/// On a fit machine, a clock reading takes fewer nanoseconds than this, and the clock's step is
/// not larger.
const MAX_READING_NANOS: f64 = 100.0;

/// Whether one condition of the machine is fit for measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HostFitness {
    /// The condition is as it should be.
    Fine,
    /// The condition disturbs measurements, or something that is needed is missing.
    Unfit,
    /// The system does not report the condition.
    Unknown,
}

/// One condition that measurements depend on, and its state on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct HostFinding {
    /// Name of the condition.
    pub(crate) condition: &'static str,
    /// Whether the condition is fit for measuring.
    pub(crate) fitness: HostFitness,
    /// The observed state, in words.
    pub(crate) found: String,
    /// What the user can do; `None` unless the condition is unfit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<&'static str>,
}

impl HostFinding {
    /// Returns a finding that is fine if `is_fine`, and otherwise unfit with the `remedy`.
    pub(crate) fn from_check(
        condition: &'static str,
        is_fine: bool,
        found: String,
        remedy: &'static str,
    ) -> Self {
        if is_fine {
            return Self { condition, fitness: HostFitness::Fine, found, remedy: None };
        }
        Self { condition, fitness: HostFitness::Unfit, found, remedy: Some(remedy) }
    }

    fn new_unknown(condition: &'static str, found: &str) -> Self {
        Self { condition, fitness: HostFitness::Unknown, found: found.to_owned(), remedy: None }
    }
}

/// Checks every condition of the machine that can disturb measurements.
pub(crate) fn check_host_fitness() -> Vec<HostFinding> {
    vec![
        check_load(),
        check_steal(),
        check_throttling(),
        check_governor(),
        check_turbo(),
        check_quota(),
        check_clock(),
    ]
}

/// Watches the machine during a measurement.
#[derive(Debug)]
pub(crate) struct HostWatch {
    before: HostCounters,
    others_before: Percent,
    machine: MachineName,
}

impl HostWatch {
    /// Begins to watch. This first watches the load of other processes for [`WATCH_TIME`].
    pub(crate) fn begin() -> Self {
        let others_before = watch_others();
        Self { before: HostCounters::read(), others_before, machine: detect_machine() }
    }

    /// Ends the watch. Returns a note for each disturbance before and during the measurement.
    pub(crate) fn end(self) -> Vec<Note> {
        let during = self.before.compute_disturbance_until(&HostCounters::read());
        let mut notes = Vec::new();
        if is_busy(self.others_before) {
            notes.push(Note::BusyBefore { others: self.others_before });
        }
        if is_busy(during.others_share) {
            notes.push(Note::BusyDuring { others: during.others_share });
        }
        if let Some(disturbance) = during.find_disturbance() {
            notes.push(Note::Disturbed { disturbance });
        }
        let machine = detect_machine();
        if machine != self.machine {
            notes.push(Note::MachineChanged { before: self.machine, after: machine });
        }
        notes
    }
}

fn is_busy(others: Percent) -> bool {
    others.get() >= MAX_OTHERS_SHARE
}

/// Watches for [`WATCH_TIME`] how much of the processors other processes use.
fn watch_others() -> Percent {
    let before = HostCounters::read();
    thread::sleep(WATCH_TIME);
    before.compute_disturbance_until(&HostCounters::read()).others_share
}

/// Checks how much of the processors other processes use.
///
/// The load average is shown but not checked: it still includes the build that has just ended.
fn check_load() -> HostFinding {
    let others = watch_others();
    let Some(average) = read_trimmed("/proc/loadavg") else {
        return HostFinding::new_unknown("load", "the system does not tell");
    };
    let average = average.split(' ').next().unwrap_or_default();
    HostFinding::from_check(
        "load",
        !is_busy(others),
        format!(
            "others use {:.0} % of the processors, load average {average}",
            others.get() * 100.0
        ),
        "end what else runs on this machine, or measure on one that is alone",
    )
}

fn check_steal() -> HostFinding {
    let share =
        HostCounters::default().compute_disturbance_until(&HostCounters::read()).stolen_share.get();
    if read_trimmed("/proc/stat").is_none() {
        return HostFinding::new_unknown("steal time", "the system does not tell");
    }
    HostFinding::from_check(
        "steal time",
        share <= MAX_STOLEN_SHARE,
        format!(
            "{:.1} % of the busy time since the start was stolen by other guests",
            share * 100.0
        ),
        "use a machine with processors of its own",
    )
}

fn check_throttling() -> HostFinding {
    let count =
        HostCounters::default().compute_disturbance_until(&HostCounters::read()).throttle_count;
    HostFinding::from_check(
        "throttling",
        count == 0,
        format!("{count} times since the start"),
        "cool the machine, limit its clock rate, or raise the quota of the container",
    )
}

fn check_governor() -> HostFinding {
    let governors: BTreeSet<String> = (0..)
        .map_while(|cpu| {
            read_trimmed(&format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"))
        })
        .collect();
    if governors.is_empty() {
        return HostFinding::new_unknown(
            "frequency governor",
            "the system does not tell, as in virtual machines",
        );
    }
    let found = governors.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let is_fine = governors.iter().all(|governor| governor == "performance");
    HostFinding::from_check(
        "frequency governor",
        is_fine,
        found,
        "sudo cpupower frequency-set -g performance",
    )
}

fn check_turbo() -> HostFinding {
    let intel_is_off =
        read_trimmed("/sys/devices/system/cpu/intel_pstate/no_turbo").map(|off| off == "1");
    let read_boost_is_off =
        || read_trimmed("/sys/devices/system/cpu/cpufreq/boost").map(|on| on == "0");
    match intel_is_off.or_else(read_boost_is_off) {
        None => {
            HostFinding::new_unknown("turbo", "the system does not tell, as in virtual machines")
        }
        Some(off) => HostFinding::from_check(
            "turbo",
            off,
            if off { "off" } else { "on" }.to_owned(),
            "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo",
        ),
    }
}

fn check_quota() -> HostFinding {
    let newer = read_trimmed("/sys/fs/cgroup/cpu.max").as_deref().map(parse_quota);
    let read_older = || {
        let quota = read_trimmed("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")?;
        let period = read_trimmed("/sys/fs/cgroup/cpu/cpu.cfs_period_us")?;
        Some(parse_quota(&format!("{quota} {period}")))
    };
    match newer.or_else(read_older) {
        None => HostFinding::new_unknown("processor quota", "the system does not tell"),
        Some(quota) => HostFinding::from_check(
            "processor quota",
            quota.is_none(),
            quota.map_or("none".to_owned(), |processors| format!("{processors:.1} processors")),
            "give the container whole processors (--cpuset-cpus) in place of a quota",
        ),
    }
}

/// Returns the number of processors that a quota allows, or `None` if there is no quota. `text` is
/// the quota and the period, separated by a space.
fn parse_quota(text: &str) -> Option<f64> {
    let (quota, period) = text.split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

fn check_clock() -> HostFinding {
    const READINGS: u32 = 1000;
    let (mut step, mut reading) = (Duration::MAX, f64::INFINITY);
    // Take the smallest of many results: other processes may have used the processor in between.
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
    let source = read_trimmed("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let source = source.map(|source| format!(", from {source}")).unwrap_or_default();
    HostFinding::from_check(
        "clock",
        reading < MAX_READING_NANOS && step.as_nanos() as f64 <= MAX_READING_NANOS,
        format!("{reading:.0} ns a reading, {} ns a step{source}", step.as_nanos()),
        "boot with clocksource=tsc, or use a machine with a faster clock",
    )
}

fn read_trimmed(path: &str) -> Option<String> {
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
        for finding in check_host_fitness() {
            assert_eq!(
                finding.remedy.is_some(),
                finding.fitness == HostFitness::Unfit,
                "{finding:?}"
            );
            assert!(!finding.found.is_empty());
        }
    }
}
