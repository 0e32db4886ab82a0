//! How much each launch measures. It follows from what the pilot found: how long a process takes to
//! start, and how long a call takes.

use std::time::Duration;

/// Fewest calls per launch: Criterion accepts no smaller number.
pub(crate) const MIN_LAUNCH_CALLS: u32 = 10;
/// Least time of the calls of one benchmark per launch.
pub(crate) const MIN_LAUNCH_TIME: Duration = Duration::from_millis(10);
/// Largest time of the calls of one benchmark per launch that the rule asks for.
const MAX_LAUNCH_TIME: Duration = Duration::from_millis(200);
/// The time of the calls is the root of this time and the start-up that a benchmark pays for.
///
/// The optimum is flat: between 10 and 50 ms the noise of a launch hardly falls with its length.
const TIME_BESIDE_STARTUP: Duration = Duration::from_millis(20);
/// Longest time that the calls of one benchmark may take per launch, in nanoseconds.
const MAX_CALLS_NANOS: f64 = 2e9;
/// Longest default warm-up of a benchmark. It is long enough for caches, branch predictors and a
/// processor that wakes up.
const MAX_DEFAULT_WARMUP: Duration = Duration::from_millis(100);
/// Longest warm-up of a benchmark in the pilot, whose calls only need to show their order of
/// magnitude.
const MAX_PILOT_WARMUP: Duration = Duration::from_millis(10);

/// A pilot launch that takes this much longer than it was asked to is the bench's own choice, not
/// noise.
const MIN_OWN_EXCESS: Duration = Duration::from_millis(50);

/// How much to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Number of launches per benchmark.
    pub(crate) launches: u32,
    /// Largest number of calls per launch and benchmark. `None` if the time of the calls decides.
    pub(crate) calls: Option<u32>,
    /// Least time of the calls per launch and benchmark. `None` if it follows from the start-up.
    pub(crate) launch_time: Option<Duration>,
    /// Time spent on unmeasured calls of each benchmark before its measured calls. `None` if it is
    /// as long as the measured calls.
    pub(crate) warmup: Option<Duration>,
    /// Longest time that one process start may take.
    pub(crate) timeout: Duration,
    /// Whether each benchmark gets a process of its own, so that its memory is its own.
    pub(crate) is_alone: bool,
    /// Time for which a command should load a service in each launch. `None` if nobody asks for one.
    pub(crate) duration: Option<Duration>,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            launches: 5,
            calls: None,
            launch_time: None,
            warmup: None,
            timeout: Duration::from_mins(10),
            is_alone: false,
            duration: None,
        }
    }
}

/// How much less than usual a launch measures, so that rounds of a large suite fit into the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EffortLevel {
    /// As much as the rule asks for.
    #[default]
    Full,
    /// The calls take the shortest time of the rule.
    Short,
    /// Slow benchmarks also make fewer calls.
    Few,
    /// Slow benchmarks make the fewest calls that are possible.
    Fewest,
}

impl EffortLevel {
    /// All levels, the largest effort first.
    pub(crate) const ALL: [Self; 4] = [Self::Full, Self::Short, Self::Few, Self::Fewest];

    /// Returns the number of calls that a benchmark makes even if they take longer than the time of
    /// the calls. With fewer than 50, one burst of the machine becomes the median.
    fn wanted_calls(self) -> f64 {
        match self {
            Self::Full | Self::Short => 50.0,
            Self::Few => 20.0,
            Self::Fewest => f64::from(MIN_LAUNCH_CALLS),
        }
    }
}

/// What a pilot launch asks of a bench.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PilotRequest {
    /// Number of calls.
    pub(crate) calls: u32,
    /// Nanoseconds of warm-up.
    pub(crate) warmup: f64,
}

/// What a bench did with a benchmark in a pilot launch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PilotTimes {
    /// Median nanoseconds of a call.
    pub(crate) call: f64,
    /// Number of calls that were made.
    pub(crate) calls: f64,
    /// Nanoseconds that all calls took, with the work between them.
    pub(crate) elapsed: f64,
    /// Nanoseconds that the warm-up took.
    pub(crate) warmup: f64,
}

/// Time of one call, as the pilot or the first round measured it, and what a bench does of its own
/// accord.
///
/// Criterion lets the measurement time, the warm-up time and the sample size that a bench sets in its
/// code override those of the command line. Then a launch takes its time whatever is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CallCost {
    /// Nanoseconds of the call itself.
    pub(crate) call: f64,
    /// Nanoseconds from one call to the next, with the work between them.
    pub(crate) pace: f64,
    /// Nanoseconds that all calls of a launch take at least, however few are asked for. Zero if the
    /// bench makes as few calls as it is asked for.
    pub(crate) own_calls: f64,
    /// Nanoseconds that the warm-up of a launch takes at least, however short it should be. Zero if
    /// it is as short as it should be.
    pub(crate) own_warmup: f64,
}

impl CallCost {
    /// Returns the cost of a benchmark whose pilot launch was asked for `asked`. Calls and a warm-up
    /// that exceed it by more than [`MIN_OWN_EXCESS`] are the bench's own choice.
    pub(crate) fn from_pilot(asked: PilotRequest, pilot: PilotTimes) -> Self {
        let PilotTimes { call, calls, elapsed, warmup } = pilot;
        let pace = call.max(elapsed / calls.max(1.0));
        let excess = to_nanos(MIN_OWN_EXCESS);
        let asked_calls = f64::from(asked.calls) * pace;
        // Criterion doubles the calls of the warm-up until its time is over.
        let asked_warmup = 2.0 * (asked.warmup + pace);
        Self {
            call,
            pace,
            own_calls: if elapsed > asked_calls + excess { elapsed } else { 0.0 },
            own_warmup: if warmup > asked_warmup + excess { warmup } else { 0.0 },
        }
    }

    /// Returns the nanoseconds that a launch takes at least, whatever is asked for. Zero if the bench
    /// does what it is asked for.
    pub(crate) fn own_nanos(self) -> f64 {
        self.own_calls + self.own_warmup
    }

    /// Returns the larger cost of two sides, so that both are measured alike.
    #[must_use]
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            call: self.call.max(other.call),
            pace: self.pace.max(other.pace),
            own_calls: self.own_calls.max(other.own_calls),
            own_warmup: self.own_warmup.max(other.own_warmup),
        }
    }
}

impl Effort {
    /// Returns the effort of a pilot launch.
    #[must_use]
    pub(crate) fn shorten_for_pilot(&self) -> Self {
        let warmup = self.warmup.unwrap_or(MAX_PILOT_WARMUP).min(MAX_PILOT_WARMUP);
        Self { warmup: Some(warmup), ..self.clone() }
    }

    /// Returns whether the command line or the configuration fixes how much a launch measures.
    pub(crate) fn is_fixed(&self) -> bool {
        self.calls.is_some() || self.launch_time.is_some()
    }

    /// Returns the time of the calls per benchmark and launch, if a start takes `startup` and
    /// `sharing` benchmarks share it.
    ///
    /// The time is the root of `20 ms · startup ÷ sharing`, within 10 to 200 ms: a start that costs
    /// more is used longer.
    pub(crate) fn choose_launch_time(
        &self,
        startup: Duration,
        sharing: usize,
        level: EffortLevel,
    ) -> Duration {
        if let Some(time) = self.launch_time {
            return time;
        }
        if level != EffortLevel::Full {
            return MIN_LAUNCH_TIME;
        }
        let share = startup.as_secs_f64() / sharing.max(1) as f64;
        let seconds = (TIME_BESIDE_STARTUP.as_secs_f64() * share).sqrt();
        Duration::from_secs_f64(seconds.min(MAX_LAUNCH_TIME.as_secs_f64())).max(MIN_LAUNCH_TIME)
    }

    /// Returns the number of calls per launch of a benchmark whose calls take `launch_time` in all.
    ///
    /// Slow benchmarks make 50 calls if these take at most 200 ms. A benchmark always makes at
    /// least [`MIN_LAUNCH_CALLS`], and otherwise stops after two seconds.
    pub(crate) fn choose_calls(
        &self,
        cost: CallCost,
        launch_time: Duration,
        level: EffortLevel,
    ) -> u32 {
        let call = cost.call.max(1.0);
        let wanted = if let Some(calls) = self.calls {
            f64::from(calls)
        } else {
            let floor = level.wanted_calls().min(to_nanos(MAX_LAUNCH_TIME) / call);
            (to_nanos(launch_time) / call).max(floor)
        };
        to_call_count(wanted.min(MAX_CALLS_NANOS / cost.pace.max(call)))
    }

    /// Returns the time of unmeasured calls before the measured ones, which take `launch_time`.
    pub(crate) fn choose_warmup(&self, launch_time: Duration) -> Duration {
        self.warmup.unwrap_or(launch_time.min(MAX_DEFAULT_WARMUP))
    }
}

/// Returns whether `calls` calls of a benchmark take longer than a launch may last.
pub(super) fn is_too_long(calls: u32, cost: CallCost) -> bool {
    calls > to_call_count(MAX_CALLS_NANOS / cost.pace.max(cost.call).max(1.0))
}

/// Returns `wanted` as a number of calls, at least [`MIN_LAUNCH_CALLS`].
fn to_call_count(wanted: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let calls = wanted as u32;
    calls.max(MIN_LAUNCH_CALLS)
}

fn to_nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_start_that_costs_more_is_used_longer() {
        let effort = Effort::default();
        let time = |startup, sharing, level| {
            effort.choose_launch_time(milliseconds(startup), sharing, level).as_millis()
        };
        let full = [(120, 1), (120, 4), (120, 50), (10_000, 1), (0, 1), (47_000, 15)]
            .map(|(startup, sharing)| time(startup, sharing, EffortLevel::Full));
        assert_eq!(full, [48, 24, 10, 200, 10, 200]);
        assert_eq!(time(10_000, 1, EffortLevel::Short), 10);
        let asked = Effort { launch_time: Some(milliseconds(70)), ..Effort::default() };
        assert_eq!(
            asked.choose_launch_time(milliseconds(1), 9, EffortLevel::Fewest),
            milliseconds(70)
        );
    }

    #[track_caller]
    fn makes_calls(call: f64, pace: f64, level: EffortLevel, expected: u32) {
        let cost = CallCost { call, pace, ..CallCost::default() };
        assert_eq!(Effort::default().choose_calls(cost, milliseconds(10), level), expected);
    }

    #[test]
    fn a_launch_lasts_as_long_as_asked_or_makes_fifty_calls() {
        makes_calls(10e3, 10e3, EffortLevel::Full, 1000);
        makes_calls(1e6, 1e6, EffortLevel::Full, 50);
        makes_calls(8e6, 8e6, EffortLevel::Full, 25);
        makes_calls(95e6, 95e6, EffortLevel::Full, 10);
        makes_calls(1e6, 1e6, EffortLevel::Fewest, 10);
        makes_calls(1e6, 1e6, EffortLevel::Few, 20);
        makes_calls(10e3, 10e3, EffortLevel::Fewest, 1000);
        makes_calls(0.0, 0.0, EffortLevel::Full, 10_000_000);
    }

    #[test]
    fn calls_stop_after_two_seconds_but_never_before_ten() {
        makes_calls(6e3, 40e6, EffortLevel::Full, 50);
        makes_calls(6e3, 1e9, EffortLevel::Full, 10);
        let asked = Effort { calls: Some(200), ..Effort::default() };
        for (call, pace, expected) in
            [(1e6, 1e6, 200), (20e6, 20e6, 100), (1e9, 1e9, 10), (6e3, 40e6, 50), (6e3, 6e3, 200)]
        {
            let cost = CallCost { call, pace, ..CallCost::default() };
            assert_eq!(asked.choose_calls(cost, milliseconds(10), EffortLevel::Full), expected);
        }
    }

    #[test]
    fn a_bench_that_sets_its_own_time_is_recognised_by_its_pilot() {
        let asked = PilotRequest { calls: MIN_LAUNCH_CALLS, warmup: 10e6 };
        let cost = |call, calls, elapsed, warmup| {
            let cost = CallCost::from_pilot(asked, PilotTimes { call, calls, elapsed, warmup });
            (cost.pace, cost.own_calls, cost.own_warmup)
        };
        // 4000 calls in 15 s were not asked for; neither were 100 calls of 10 ms.
        assert_eq!(cost(1e6, 4000.0, 15e9, 12e6), (3.75e6, 15e9, 0.0));
        assert_eq!(cost(10e6, 100.0, 1e9, 12e6), (10e6, 1e9, 0.0));
        assert_eq!(cost(100.0, 150e6, 15e9, 1e9), (100.0, 15e9, 1e9));
        // Slow calls, slow work between calls, and batches of fast calls are as asked for.
        assert_eq!(cost(2e9, 10.0, 20e9, 2e9), (2e9, 0.0, 0.0));
        assert_eq!(cost(1e6, 10.0, 20e9, 2e9), (2e9, 0.0, 0.0));
        assert_eq!(cost(10.0, 110.0, 2000.0, 10e6), (2000.0 / 110.0, 0.0, 0.0));
    }

    #[test]
    fn a_warm_up_is_as_long_as_the_calls() {
        let effort = Effort::default();
        assert_eq!(effort.choose_warmup(milliseconds(10)), milliseconds(10));
        assert_eq!(effort.choose_warmup(milliseconds(150)), milliseconds(100));
        assert_eq!(effort.shorten_for_pilot().choose_warmup(milliseconds(150)), milliseconds(10));
        let asked = Effort { warmup: Some(milliseconds(1)), ..effort };
        assert_eq!(asked.shorten_for_pilot().choose_warmup(milliseconds(150)), milliseconds(1));
    }
}
