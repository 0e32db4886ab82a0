//! Kernel counters of the whole machine, and the disturbance that they show between two moments.

use std::fs;

use crate::note::Disturbance;
use crate::units::Percent;

/// Largest share of the busy processor time that may be stolen before a launch counts as disturbed.
pub(super) const MAX_STOLEN_SHARE: f64 = 0.02;
/// Fewer ticks than this count as zero: they are within the resolution of the counter.
const MIN_TICKS: u64 = 5;

/// Counters of the machine at one moment. A counter that the system does not report is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostCounters {
    total_ticks: u64,
    idle_ticks: u64,
    stolen_ticks: u64,
    own_ticks: u64,
    throttle_count: u64,
}

/// How the machine disturbed a measurement between two moments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HostDisturbance {
    /// Share of the busy processor time that other guests of the machine took, from 0 to 1.
    pub(crate) stolen_share: Percent,
    /// Share of all processor time that other processes took, from 0 to 1.
    pub(crate) others_share: Percent,
    /// Number of times that a processor or the control group was throttled.
    pub(crate) throttle_count: u64,
}

impl HostDisturbance {
    /// Returns what makes it necessary to repeat a launch, or `None` if nothing does.
    pub(crate) fn find_disturbance(&self) -> Option<Disturbance> {
        if self.stolen_share.get() > MAX_STOLEN_SHARE {
            return Some(Disturbance::StolenTime { share: self.stolen_share });
        }
        (self.throttle_count > 0).then_some(Disturbance::Throttled { times: self.throttle_count })
    }
}

impl HostCounters {
    /// Reads the current counters.
    pub(crate) fn read() -> Self {
        let [machine, own] = ["/proc/stat", "/proc/self/stat"]
            .map(|path| fs::read_to_string(path).unwrap_or_default());
        let mut counters = Self::parse(&machine, &own);
        counters.throttle_count = count_throttling();
        counters
    }

    /// Parses `/proc/stat` (`machine`) and `/proc/self/stat` (`own`).
    fn parse(machine: &str, own: &str) -> Self {
        let ticks: Vec<u64> = machine
            .lines()
            .next()
            .unwrap_or_default()
            .split_ascii_whitespace()
            .skip(1)
            .map_while(|ticks| ticks.parse().ok())
            .collect();
        let get_ticks = |place: usize| ticks.get(place).copied().unwrap_or_default();
        // The name of a process may contain spaces and parentheses; the numbers begin after the
        // last parenthesis.
        let fields = own.rsplit_once(')').map_or("", |(_, rest)| rest);
        let own = fields.split_ascii_whitespace().skip(11).take(4);
        Self {
            total_ticks: ticks.iter().take(8).sum(),
            idle_ticks: get_ticks(3) + get_ticks(4),
            stolen_ticks: get_ticks(7),
            own_ticks: own.filter_map(|ticks| ticks.parse::<u64>().ok()).sum(),
            throttle_count: 0,
        }
    }

    /// Computes the disturbance between these counters and the `later` ones.
    pub(crate) fn compute_disturbance_until(&self, later: &Self) -> HostDisturbance {
        let count_since = |field: fn(&Self) -> u64| field(later).saturating_sub(field(self));
        let (total, idle) = (count_since(|now| now.total_ticks), count_since(|now| now.idle_ticks));
        let (stolen, own) = (count_since(|now| now.stolen_ticks), count_since(|now| now.own_ticks));
        let busy = total.saturating_sub(idle);
        HostDisturbance {
            stolen_share: compute_tick_share(stolen, busy),
            others_share: compute_tick_share(busy.saturating_sub(own + stolen), total),
            throttle_count: count_since(|now| now.throttle_count),
        }
    }
}

/// Returns `part` ÷ `whole`. Returns zero if `part` has fewer than [`MIN_TICKS`] ticks.
fn compute_tick_share(part: u64, whole: u64) -> Percent {
    let share = if part < MIN_TICKS || whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    Percent::new(share).expect("a share of ticks is finite and not negative")
}

/// Returns how often processors were throttled because of heat, plus how often the quota of the
/// control group throttled it.
fn count_throttling() -> u64 {
    let thermal = (0..).map_while(|cpu| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count");
        fs::read_to_string(path).ok()?.trim().parse::<u64>().ok()
    });
    let quota =
        ["/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat"].iter().find_map(|path| {
            let text = fs::read_to_string(path).ok()?;
            text.lines().find_map(|line| line.strip_prefix("nr_throttled ")?.parse::<u64>().ok())
        });
    thermal.sum::<u64>() + quota.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(cpu: &str, own: &str) -> HostCounters {
        HostCounters::parse(
            &format!("cpu  {cpu}\ncpu0 1 2 3\n"),
            &format!("1 (a b) c) R 1 1 1 0 -1 0 1 0 0 0 {own} 20 0 1 0 5 6 7"),
        )
    }

    #[test]
    fn shares_are_of_the_time_between() {
        let before = counters("100 0 50 1000 50 0 0 10 0 0", "20 10 0 0");
        let after = counters("200 0 100 1100 50 0 0 20 0 0", "20 10 80 30");
        let disturbance = before.compute_disturbance_until(&after);
        // 160 ticks were busy: 110 own, 10 stolen, 40 used by other processes.
        assert!((disturbance.stolen_share.get() - 10.0 / 160.0).abs() < 1e-12);
        assert!((disturbance.others_share.get() - 40.0 / 260.0).abs() < 1e-12);
        let stolen = Disturbance::StolenTime { share: disturbance.stolen_share };
        assert_eq!(disturbance.find_disturbance(), Some(stolen));
    }

    #[test]
    fn a_quiet_or_unknown_machine_disturbs_nothing() {
        let none = HostCounters::parse("", "");
        let quiet = none.compute_disturbance_until(&none);
        assert_eq!((quiet.others_share.get(), quiet.find_disturbance()), (0.0, None));
        let grain = HostCounters { stolen_ticks: 4, total_ticks: 100, ..HostCounters::default() };
        assert_eq!(none.compute_disturbance_until(&grain).find_disturbance(), None);
    }

    #[test]
    fn throttling_disturbs() {
        let hot = HostCounters { throttle_count: 3, ..HostCounters::default() };
        let disturbance = HostCounters::default().compute_disturbance_until(&hot);
        assert_eq!(disturbance.find_disturbance(), Some(Disturbance::Throttled { times: 3 }));
    }
}
