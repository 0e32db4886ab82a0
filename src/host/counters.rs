//! What the kernel counts of the whole machine, and what that says about a stretch of time.

use std::fs;

/// More processor time stolen than this, and a launch was disturbed.
pub(super) const STOLEN: f64 = 0.02;
/// Fewer ticks than this are the grain of the counter.
const GRAIN: u64 = 5;

/// Counters of the machine at one moment; what a system does not tell is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    total: u64,
    idle: u64,
    stolen: u64,
    own: u64,
    throttled: u64,
}

/// What the machine did during a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Disturbance {
    /// Share of the busy processor time that other guests of the machine took.
    pub(crate) stolen: f64,
    /// Share of all processor time that other processes took.
    pub(crate) others: f64,
    /// How often a processor or its control group was throttled.
    pub(crate) throttled: u64,
}

impl Disturbance {
    /// Why a launch must be repeated, if it must.
    pub(crate) fn reason(&self) -> Option<String> {
        if self.stolen > STOLEN {
            let percent = self.stolen * 100.0;
            return Some(format!("{percent:.1} % of the processor time was stolen"));
        }
        (self.throttled > 0)
            .then(|| format!("the processor was throttled {} times", self.throttled))
    }
}

impl Counters {
    /// The counters now.
    pub(crate) fn now() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mut counters = Self::parse(&text("/proc/stat"), &text("/proc/self/stat"));
        counters.throttled = throttled();
        counters
    }

    fn parse(machine: &str, own: &str) -> Self {
        let ticks: Vec<u64> = machine
            .lines()
            .next()
            .unwrap_or_default()
            .split_ascii_whitespace()
            .skip(1)
            .map_while(|ticks| ticks.parse().ok())
            .collect();
        let at = |place: usize| ticks.get(place).copied().unwrap_or_default();
        // The name of a process may hold blanks and brackets; the numbers begin after the last one.
        let after_name = own.rsplit_once(')').map_or("", |(_, rest)| rest);
        let own = after_name.split_ascii_whitespace().skip(11).take(4);
        Self {
            total: ticks.iter().take(8).sum(),
            idle: at(3) + at(4),
            stolen: at(7),
            own: own.filter_map(|ticks| ticks.parse::<u64>().ok()).sum(),
            throttled: 0,
        }
    }

    /// What happened from this moment until `later`.
    pub(crate) fn until(&self, later: &Self) -> Disturbance {
        let since = |field: fn(&Self) -> u64| field(later).saturating_sub(field(self));
        let (total, idle) = (since(|it| it.total), since(|it| it.idle));
        let (stolen, own) = (since(|it| it.stolen), since(|it| it.own));
        let busy = total.saturating_sub(idle);
        let share = |part: u64, whole: u64| {
            if part < GRAIN || whole == 0 { 0.0 } else { part as f64 / whole as f64 }
        };
        Disturbance {
            stolen: share(stolen, busy),
            others: share(busy.saturating_sub(own + stolen), total),
            throttled: since(|it| it.throttled),
        }
    }
}

/// Thermal throttling of every processor, and the quota of the control group.
fn throttled() -> u64 {
    let number = |path: String| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let thermal = (0..)
        .map_while(|cpu| {
            number(format!("/sys/devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count"))
        })
        .sum::<u64>();
    let quota =
        ["/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat"].iter().find_map(|path| {
            let text = fs::read_to_string(path).ok()?;
            text.lines().find_map(|line| line.strip_prefix("nr_throttled ")?.parse::<u64>().ok())
        });
    thermal + quota.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(cpu: &str, own: &str) -> Counters {
        Counters::parse(
            &format!("cpu  {cpu}\ncpu0 1 2 3\n"),
            &format!("1 (a b) c) R 1 1 1 0 -1 0 1 0 0 0 {own} 20 0 1 0 5 6 7"),
        )
    }

    #[test]
    fn shares_are_of_the_time_between() {
        let before = counters("100 0 50 1000 50 0 0 10 0 0", "20 10 0 0");
        let after = counters("200 0 100 1100 50 0 0 20 0 0", "20 10 80 30");
        let disturbance = before.until(&after);
        // 160 ticks were busy: 110 own, 10 stolen, 40 of others.
        assert!((disturbance.stolen - 10.0 / 160.0).abs() < 1e-12);
        assert!((disturbance.others - 40.0 / 260.0).abs() < 1e-12);
        assert_eq!(disturbance.reason().as_deref(), Some("6.2 % of the processor time was stolen"));
    }

    #[test]
    fn a_quiet_or_unknown_machine_disturbs_nothing() {
        let none = Counters::parse("", "");
        assert_eq!(none.until(&none), Disturbance::default());
        assert_eq!(Disturbance::default().reason(), None);
        let grain = Counters { stolen: 4, total: 100, ..Counters::default() };
        assert_eq!(none.until(&grain).reason(), None);
    }

    #[test]
    fn throttling_disturbs() {
        let hot = Counters { throttled: 3, ..Counters::default() };
        let reason = Counters::default().until(&hot).reason();
        assert_eq!(reason.as_deref(), Some("the processor was throttled 3 times"));
    }
}
