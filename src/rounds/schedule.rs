//! Which benchmarks each round measures, so that the rounds keep to their budget.
//!
//! It depends on times only, never on what the launches show about a change, so it does not bias a
//! decision.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::measure::effort::{CallCost, EffortLevel};
use crate::measure::plan::{MeasureMode, PlannedBenchmark, ProcessName};
use crate::measure::{Effort, LAUNCHES_IN_BUDGET, LaunchJob, LaunchPlan};
use crate::run::{BenchmarkId, LookHorizon};
use crate::verdict::MIN_ROUNDS;

/// Number of sides that a round launches.
const SIDES: f64 = 2.0;
/// A round takes at most this part of the budget.
const ROUNDS_IN_BUDGET: u32 = LAUNCHES_IN_BUDGET / 2;
/// Most benchmarks are decided after this number of rounds, so the first rounds leave time for it.
const DECIDING_ROUNDS: u32 = ROUNDS_IN_BUDGET - 1;
/// A benchmark whose bench sets its own time may take this part of a round. If it takes more and a
/// round of everything is too long, it is postponed: no effort makes it shorter.
const MAX_OWN_SHARE: f64 = 0.1;
/// If the first round takes this many times what it may take, the effort is chosen again.
const MAX_FIRST_EXCESS: f64 = 1.25;

/// Time limit of the rounds, together with what came before them and counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundsBudget {
    /// When the time began.
    pub(crate) began: Instant,
    /// Longest time from then on.
    pub(crate) limit: Duration,
}

impl RoundsBudget {
    /// Returns the time that is left; zero if it is spent.
    pub(crate) fn time_left(&self) -> Duration {
        self.limit.saturating_sub(self.began.elapsed())
    }

    /// Returns the longest time of one round in nanoseconds.
    fn round_nanos(&self) -> f64 {
        self.limit.as_secs_f64() * 1e9 / f64::from(ROUNDS_IN_BUDGET)
    }
}

/// What the next round measures, and what the benchmarks cost.
#[derive(Debug)]
pub(crate) struct RoundSchedule<'a> {
    effort: &'a Effort,
    plan: LaunchPlan,
    level: EffortLevel,
    budget: Option<RoundsBudget>,
    /// Measured and estimated nanoseconds of each process in its last round.
    last_times: BTreeMap<ProcessName, (f64, f64)>,
    /// Nanoseconds that were spent on each benchmark.
    spent: HashMap<BenchmarkId, f64>,
    /// Number of rounds that have begun.
    begun: u32,
    /// Benchmarks that are not measured before the others are decided. One round of each would take
    /// so much of the budget that the others had too few.
    postponed: HashSet<BenchmarkId>,
}

impl<'a> RoundSchedule<'a> {
    /// Plans the rounds of the benchmarks of `plan`, and lowers their effort until a round takes a
    /// small part of the budget.
    pub(crate) fn new(plan: LaunchPlan, effort: &'a Effort, budget: Option<RoundsBudget>) -> Self {
        let mut schedule = Self {
            effort,
            plan,
            level: EffortLevel::Full,
            budget,
            last_times: BTreeMap::new(),
            spent: HashMap::new(),
            begun: 0,
            postponed: HashSet::new(),
        };
        schedule.fit_effort();
        schedule.postpone_excessive();
        schedule
    }

    /// Chooses the effort with which a round of all benchmarks that are not postponed takes no more
    /// than its part of the budget.
    fn fit_effort(&mut self) {
        if let Some(limit) = self.find_round_limit() {
            let mut early = self.plan_early();
            self.level = early.fit_effort(self.effort, limit / SIDES, self.level);
            self.plan.choose_effort(self.effort, self.level);
        }
    }

    /// Returns the longest time of the next round in nanoseconds; `None` without a budget. It leaves
    /// time for the rounds after it that decide most benchmarks.
    fn find_round_limit(&self) -> Option<f64> {
        let budget = self.budget?;
        let left = budget.time_left().as_secs_f64() * 1e9;
        let missing = DECIDING_ROUNDS.saturating_sub(self.begun).max(1);
        Some(budget.round_nanos().min(left / f64::from(missing)))
    }

    /// Returns the plan of the benchmarks that are not postponed.
    fn plan_early(&self) -> LaunchPlan {
        let postponed: Vec<BenchmarkId> = self.postponed.iter().cloned().collect();
        self.plan.exclude(&postponed)
    }

    /// Postpones the most expensive benchmarks until a round of the others is short enough, if a
    /// round is too long with the least effort. Only benchmarks are postponed that take longer alone
    /// than a round may, or much of it because their bench sets its own time. Then the effort of the
    /// others is chosen again. If nothing would be left, nothing is postponed.
    fn postpone_excessive(&mut self) {
        let Some(limit) = self.find_round_limit() else { return };
        let mut excess = SIDES * self.plan.estimate_launch_nanos(self.effort) - limit;
        let mut alone: Vec<(f64, BenchmarkId)> = self
            .plan
            .planned
            .iter()
            .flatten()
            .filter_map(|planned| {
                let has_own_time = planned.cost.own_nanos() > 0.0;
                let share = if has_own_time { MAX_OWN_SHARE } else { 1.0 };
                let nanos = self.estimate_benchmark(planned);
                (nanos > share * limit).then(|| (nanos, planned.id.clone()))
            })
            .collect();
        alone.sort_by(|one, other| other.0.total_cmp(&one.0));
        let mut postponed = HashSet::new();
        for (nanos, id) in alone {
            if excess <= 0.0 {
                break;
            }
            excess -= nanos;
            postponed.insert(id);
        }
        let count = self.plan.planned.as_ref().map_or(0, Vec::len);
        if !postponed.is_empty() && postponed.len() < count {
            self.postponed = postponed;
            self.level = EffortLevel::Full;
            self.fit_effort();
        }
    }

    /// Returns the benchmarks that are postponed and were not launched, in a fixed order.
    pub(super) fn list_postponed(&self) -> Vec<BenchmarkId> {
        let is_waiting = |id: &&BenchmarkId| !self.spent.contains_key(*id);
        let mut waiting: Vec<_> = self.postponed.iter().filter(is_waiting).cloned().collect();
        waiting.sort();
        waiting
    }

    /// Returns the benchmarks of all rounds, and how they are measured.
    pub(crate) fn plan(&self) -> &LaunchPlan {
        &self.plan
    }

    /// Returns the largest number of rounds of every benchmark that the rest of the budget allows, as
    /// a horizon. Benchmarks that are postponed do not count. Without a budget it is the smallest one.
    pub(crate) fn choose_horizon(&self) -> LookHorizon {
        let Some(budget) = self.budget else { return LookHorizon::default() };
        let round = SIDES * self.plan_early().estimate_launch_nanos(self.effort);
        let left = budget.time_left().as_secs_f64() * 1e9;
        // The cost of a command is not known before its first launch.
        let is_known = self.plan.planned.is_some() || !self.plan.startups.is_empty();
        let rounds = if is_known { left / round.max(1.0) } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        LookHorizon::choose(rounds as usize)
    }

    /// Returns the time limit that would be enough, if the one there is cannot be: even with the
    /// least effort a round takes too large a part of it.
    pub(crate) fn find_needed_budget(&self) -> Option<Duration> {
        let budget = self.budget?;
        let round = SIDES * self.plan.estimate_launch_nanos(self.effort);
        let left = budget.time_left().as_secs_f64() * 1e9;
        let needed = f64::from(ROUNDS_IN_BUDGET) * round;
        (needed > left)
            .then(|| budget.began.elapsed() + Duration::from_secs_f64(needed / 1e9))
            .filter(|needed| *needed > budget.limit)
    }

    /// Returns the time that is left of the budget, or `None` without a budget.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.budget.map(|budget| budget.time_left())
    }

    /// Returns the time that a round of this benchmark alone takes. Returns `None` if it is not
    /// planned.
    pub(crate) fn estimate_alone(&self, id: &BenchmarkId) -> Option<Duration> {
        let nanos = match &self.plan.planned {
            None if self.plan.startups.is_empty() => return None,
            None => self.estimate_start(&(None, None)),
            Some(planned) => {
                let planned = planned.iter().find(|planned| planned.id == *id)?;
                self.estimate_start(&planned.process()) + self.estimate_benchmark(planned)
            }
        };
        Some(Duration::from_secs_f64(nanos / 1e9))
    }

    /// Returns the nanoseconds of a start on both sides, corrected by the last round.
    fn estimate_start(&self, process: &ProcessName) -> f64 {
        SIDES * self.plan.estimate_start_nanos(process) * self.find_correction(process)
    }

    /// Returns the nanoseconds of a benchmark on both sides, corrected by the last round.
    fn estimate_benchmark(&self, planned: &PlannedBenchmark) -> f64 {
        // The time of a command is not known by benchmark, so its start counts as a whole.
        if planned.target.is_none() {
            return 0.0;
        }
        let correction = self.find_correction(&planned.process());
        // What the other benchmarks of the process save does not shorten the bench's own time.
        let nanos = planned.estimate_nanos(self.effort) * correction;
        SIDES * nanos.max(planned.cost.own_nanos())
    }

    /// Returns how many times as long as estimated the process took in its last round.
    fn find_correction(&self, process: &ProcessName) -> f64 {
        let times = self.last_times.get(process).filter(|(_, estimated)| *estimated > 0.0);
        times.map_or(1.0, |(measured, estimated)| measured / estimated)
    }

    /// Returns what the first round measures: everything that is not postponed.
    pub(super) fn select_first(&self) -> LaunchPlan {
        LaunchPlan { planned: self.plan_early().planned, ..LaunchPlan::default() }
    }

    /// Returns which of the `wanted` benchmarks the next round measures. It is empty if the time is
    /// up: if no benchmark can be measured in the rest of the budget.
    ///
    /// If a round of all of them takes too long, those on which the least time was spent come first.
    /// So expensive benchmarks are measured in every second or third round. If the first round
    /// took too long, the next ones are shorter, so that at least cheap benchmarks have enough of them.
    /// Benchmarks that are postponed come one after the other when no other one is wanted, each only
    /// if the rest of the budget has time for a test of it.
    pub(super) fn select_next(&self, wanted: &HashSet<BenchmarkId>) -> LaunchPlan {
        let plan = LaunchPlan { planned: self.plan.planned.clone(), ..LaunchPlan::default() };
        let plan = plan.restrict_to(wanted);
        let Some(budget) = self.budget else { return plan };
        let left = budget.time_left().as_secs_f64() * 1e9;
        if wanted.iter().all(|id| self.postponed.contains(id)) {
            return plan.restrict_to(&self.select_postponed(wanted, left).into_iter().collect());
        }
        let early = wanted.iter().filter(|id| !self.postponed.contains(*id)).cloned().collect();
        let plan = plan.restrict_to(&early);
        let limit = self.find_round_limit().unwrap_or(left);
        let mut candidates: Vec<&PlannedBenchmark> = plan.planned.iter().flatten().collect();
        candidates.sort_by(|one, other| self.compare_spent(one, other));
        let mut started: HashSet<(ProcessName, MeasureMode)> = HashSet::new();
        let (mut chosen, mut total) = (HashSet::new(), 0.0);
        for planned in candidates {
            let start = (planned.process(), planned.mode);
            let is_new_start = !started.contains(&start);
            let own = self.estimate_benchmark(planned)
                + if is_new_start { self.estimate_start(&start.0) } else { 0.0 };
            // A benchmark that takes longer than a round may is measured alone.
            if total + own <= limit || chosen.is_empty() && own <= left {
                total += own;
                started.insert(start);
                chosen.insert(planned.id.clone());
            }
        }
        plan.restrict_to(&chosen)
    }

    /// Returns which of the `wanted` benchmarks, all of which are postponed, the next round measures
    /// alone: one that has begun and has time for another round, or else the cheapest one that has
    /// time for as many rounds as a test needs. `left` are the nanoseconds that are left.
    fn select_postponed(&self, wanted: &HashSet<BenchmarkId>, left: f64) -> Option<BenchmarkId> {
        let mut affordable: Vec<(bool, Duration, &BenchmarkId)> = wanted
            .iter()
            .filter_map(|id| {
                let alone = self.estimate_alone(id)?;
                let is_new = !self.spent.contains_key(id);
                let rounds = if is_new { MIN_ROUNDS as f64 } else { 1.0 };
                let needed = rounds * alone.as_secs_f64() * 1e9;
                (needed <= left).then_some((is_new, alone, id))
            })
            .collect();
        affordable.sort();
        affordable.first().map(|(_, _, id)| (*id).clone())
    }

    /// Compares the time that was spent on two benchmarks.
    fn compare_spent(&self, one: &PlannedBenchmark, other: &PlannedBenchmark) -> Ordering {
        let [one, other] =
            [one, other].map(|planned| self.spent.get(&planned.id).copied().unwrap_or(0.0));
        one.total_cmp(&other)
    }

    /// Forgets the times of the last round. The next ones are those of a round that begins.
    pub(super) fn begin_round(&mut self, selected: &LaunchPlan) {
        self.begun += 1;
        for job in selected.list_jobs() {
            self.last_times.remove(&job.process());
        }
    }

    /// Records that the launches of `job` on both sides took `elapsed`.
    pub(super) fn record_job(&mut self, job: &LaunchJob, elapsed: Duration) {
        let elapsed = elapsed.as_secs_f64() * 1e9;
        let process = job.process();
        let ids: HashSet<&String> = job.ids.iter().flatten().collect();
        let in_job = |planned: &&PlannedBenchmark| {
            planned.process() == process && ids.contains(&planned.id.name)
        };
        let benchmarks: Vec<(BenchmarkId, f64)> = self
            .plan
            .planned
            .iter()
            .flatten()
            .filter(in_job)
            .map(|planned| (planned.id.clone(), SIDES * planned.estimate_nanos(self.effort)))
            .collect();
        let start = SIDES * self.plan.estimate_start_nanos(&process);
        let estimated = start + benchmarks.iter().map(|(_, nanos)| nanos).sum::<f64>();
        for (id, nanos) in benchmarks {
            *self.spent.entry(id).or_default() += nanos * elapsed / estimated;
        }
        if self.plan.planned.is_none() || job.target.is_none() {
            // Whether a command measures less if it is asked for less is up to the command.
            self.plan.startups.insert(process, Duration::from_secs_f64(elapsed / 1e9 / SIDES));
            return;
        }
        let times = self.last_times.entry(process).or_default();
        *times = (times.0 + elapsed, times.1 + estimated);
    }

    /// Chooses the effort again if the first round took much longer than a round may, because calls
    /// take longer on a side than in the pilot. `means` are the mean nanoseconds of the calls of each
    /// benchmark on either side.
    pub(super) fn adapt_to_first_round(
        &mut self,
        means: impl IntoIterator<Item = (BenchmarkId, f64)>,
    ) {
        let Some(budget) = self.budget else { return };
        let measured: f64 = self.last_times.values().map(|(measured, _)| measured).sum();
        if measured <= MAX_FIRST_EXCESS * budget.round_nanos() {
            return;
        }
        let mut slowest: HashMap<BenchmarkId, f64> = HashMap::new();
        for (id, mean) in means {
            let mean_so_far = slowest.entry(id).or_default();
            *mean_so_far = mean_so_far.max(mean);
        }
        for planned in self.plan.planned.iter_mut().flatten() {
            let mean = slowest.get(&planned.id).copied().unwrap_or(0.0);
            planned.cost = planned.cost.max(CallCost { pace: mean, ..CallCost::default() });
        }
        self.fit_effort();
        self.last_times.clear();
    }
}
