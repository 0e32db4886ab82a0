//! Checks what makes a machine unfit to measure, and watches it during a measurement.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::counters::HostCounters;
use super::finding::{HostFinding, SilentCondition, is_busy};
use super::probe::detect_machine;
use crate::note::{MachineName, Note};
use crate::units::Percent;

/// How long other processes are watched.
const WATCH_TIME: Duration = Duration::from_millis(300);
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

/// Watches for [`WATCH_TIME`] how much of the processors other processes use.
fn watch_others() -> Percent {
    let before = HostCounters::read();
    thread::sleep(WATCH_TIME);
    before.compute_disturbance_until(&HostCounters::read()).others_share
}

fn check_load() -> HostFinding {
    let others = watch_others();
    let Some(average) = read_trimmed("/proc/loadavg") else {
        return HostFinding::Unreported(SilentCondition::Load);
    };
    let average = average.split(' ').next().unwrap_or_default().to_owned();
    HostFinding::Load { others, average }
}

fn check_steal() -> HostFinding {
    if read_trimmed("/proc/stat").is_none() {
        return HostFinding::Unreported(SilentCondition::StolenTime);
    }
    let since_start = HostCounters::default().compute_disturbance_until(&HostCounters::read());
    HostFinding::StolenTime { share: since_start.stolen_share }
}

fn check_throttling() -> HostFinding {
    let since_start = HostCounters::default().compute_disturbance_until(&HostCounters::read());
    HostFinding::Throttling { times: since_start.throttle_count }
}

fn check_governor() -> HostFinding {
    let governors: BTreeSet<String> = (0..)
        .map_while(|cpu| {
            read_trimmed(&format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"))
        })
        .collect();
    if governors.is_empty() {
        return HostFinding::Unreported(SilentCondition::Governor);
    }
    HostFinding::Governors(governors)
}

fn check_turbo() -> HostFinding {
    let intel_is_off =
        read_trimmed("/sys/devices/system/cpu/intel_pstate/no_turbo").map(|off| off == "1");
    let other_is_off = read_trimmed("/sys/devices/system/cpu/cpufreq/boost").map(|on| on == "0");
    match intel_is_off.or(other_is_off) {
        None => HostFinding::Unreported(SilentCondition::Turbo),
        Some(is_off) => HostFinding::Turbo { is_off },
    }
}

fn check_quota() -> HostFinding {
    let newer = read_trimmed("/sys/fs/cgroup/cpu.max").as_deref().map(parse_quota);
    let older = read_trimmed("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        .zip(read_trimmed("/sys/fs/cgroup/cpu/cpu.cfs_period_us"))
        .map(|(quota, period)| parse_quota(&format!("{quota} {period}")));
    match newer.or(older) {
        None => HostFinding::Unreported(SilentCondition::Quota),
        Some(processors) => HostFinding::Quota { processors },
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
    HostFinding::Clock { reading_nanos: reading, step_nanos: step.as_nanos() as f64, source }
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
}
