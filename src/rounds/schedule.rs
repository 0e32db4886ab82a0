//! Which benchmarks each round measures, so that the rounds keep to their budget.
//!
//! It depends on times only, never on what the launches show about a change, so it does not bias a
//! decision.

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
        SIDES * planned.estimate_nanos(self.effort) * correction
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

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> BenchmarkId {
        BenchmarkId { name: name.to_owned(), package: Some("p".to_owned()) }
    }

    /// Returns a plan of one target whose benchmarks take these milliseconds per call.
    fn plan(millis: &[(&str, f64)]) -> LaunchPlan {
        let planned = millis.iter().map(|(name, millis)| {
            let cost = CallCost { call: millis * 1e6, pace: millis * 1e6, ..CallCost::default() };
            PlannedBenchmark::new(id(name), Some("t".to_owned()), cost)
        });
        LaunchPlan { planned: Some(planned.collect()), ..LaunchPlan::default() }
    }

    fn schedule(plan: LaunchPlan, effort: &Effort, seconds: u64) -> RoundSchedule<'_> {
        let limit = Duration::from_secs(seconds);
        RoundSchedule::new(plan, effort, Some(RoundsBudget { began: Instant::now(), limit }))
    }

    fn names(plan: &LaunchPlan) -> Vec<&str> {
        plan.planned.iter().flatten().map(|planned| &*planned.id.name).collect()
    }

    #[test]
    fn a_round_of_a_large_suite_takes_a_small_part_of_the_budget() {
        let effort = Effort::default();
        let many: Vec<(String, f64)> = (0..160).map(|at| (format!("b{at}"), 3.0)).collect();
        let many: Vec<(&str, f64)> = many.iter().map(|(name, ms)| (&**name, *ms)).collect();
        // Fifty calls of 3 ms are 150 ms, and 160 of them on both sides 48 s.
        assert_eq!(schedule(plan(&many), &effort, 400).level, EffortLevel::Full);
        let lowered = schedule(plan(&many), &effort, 150);
        assert_eq!((lowered.level, lowered.find_needed_budget()), (EffortLevel::Few, None));
        let short = schedule(plan(&many), &effort, 20);
        assert_eq!(short.level, EffortLevel::Fewest);
        assert!(short.find_needed_budget().unwrap() > Duration::from_mins(1));
    }

    #[test]
    fn expensive_benchmarks_are_in_fewer_rounds() {
        let effort = Effort::default();
        // Ten calls of 95 ms and a warm-up are 2.1 s on both sides, and a round may take 5 s.
        let mut schedule =
            schedule(plan(&[("a", 95.0), ("b", 95.0), ("c", 95.0), ("fast", 0.01)]), &effort, 30);
        let wanted = ["a", "b", "c", "fast"].map(id).into_iter().collect();
        let mut rounds = Vec::new();
        for _ in 0..3 {
            let selected = schedule.select_next(&wanted);
            for job in selected.list_jobs() {
                let nanos: f64 = selected
                    .planned
                    .iter()
                    .flatten()
                    .filter(|planned| job.ids.iter().flatten().any(|id| *id == planned.id.name))
                    .map(|planned| schedule.estimate_benchmark(planned))
                    .sum();
                schedule.record_job(&job, Duration::from_secs_f64(nanos / 1e9));
            }
            rounds.push(names(&selected).join(" "));
        }
        assert_eq!(rounds, ["a b fast", "a c fast", "b c fast"]);
        assert!(schedule.select_first().planned.is_some_and(|planned| planned.len() == 4));
    }

    #[test]
    fn nothing_more_is_measured_when_the_time_is_up() {
        let effort = Effort::default();
        let limit = Duration::ZERO;
        let budget = Some(RoundsBudget { began: Instant::now(), limit });
        let schedule = RoundSchedule::new(plan(&[("a", 1.0)]), &effort, budget);
        assert_eq!(schedule.select_next(&HashSet::from([id("a")])).list_jobs(), []);
        let unlimited = RoundSchedule::new(plan(&[("a", 1.0)]), &effort, None);
        assert_eq!(names(&unlimited.select_next(&HashSet::from([id("a")]))), ["a"]);
    }

    #[test]
    fn a_short_suite_gets_a_far_horizon() {
        let effort = Effort::default();
        assert_eq!(
            schedule(plan(&[("a", 0.1)]), &effort, 300).choose_horizon(),
            LookHorizon::Rounds160
        );
        assert_eq!(
            schedule(plan(&[("a", 95.0)]), &effort, 100).choose_horizon(),
            LookHorizon::Rounds40
        );
        assert_eq!(
            RoundSchedule::new(plan(&[("a", 0.1)]), &effort, None).choose_horizon(),
            LookHorizon::default()
        );
    }

    #[test]
    fn a_side_that_is_ten_times_slower_gets_fewer_calls() {
        let effort = Effort::default();
        let many: Vec<(String, f64)> = (0..100).map(|at| (format!("b{at}"), 1.0)).collect();
        let many: Vec<(&str, f64)> = many.iter().map(|(name, ms)| (&**name, *ms)).collect();
        let mut schedule = schedule(plan(&many), &effort, 120);
        assert_eq!(schedule.level, EffortLevel::Full);
        for job in schedule.select_first().list_jobs() {
            schedule.record_job(&job, Duration::from_secs(70));
        }
        schedule.adapt_to_first_round(many.iter().map(|(name, _)| (id(name), 10e6)));
        assert!(schedule.level > EffortLevel::Short, "{:?}", schedule.level);
        let calls = schedule.plan().planned.as_ref().unwrap()[0].mode;
        assert_eq!(calls, MeasureMode::Call(10));
    }

    /// Returns a suite of 160 benchmarks in seven targets, with calls of 200 ns to 95 ms.
    fn plan_large_suite() -> LaunchPlan {
        let planned = (0..160).map(|at| {
            let nanos = 200.0 * (95e6_f64 / 200.0).powf(f64::from(at) / 159.0);
            let cost = CallCost { call: nanos, pace: nanos, ..CallCost::default() };
            PlannedBenchmark::new(id(&format!("b{at}")), Some(format!("t{}", at % 7)), cost)
        });
        LaunchPlan { planned: Some(planned.collect()), ..LaunchPlan::default() }
    }

    /// Plays the rounds of the large suite on a machine on which everything takes as long as in the
    /// pilot times `slowness`. A benchmark is decided after five rounds. Returns the number of
    /// decided benchmarks and the seconds that the rounds took after a pilot.
    fn play_large_suite(seconds: u64, slowness: f64) -> (usize, f64) {
        play_suite(plan_large_suite(), seconds, slowness)
    }

    /// Plays the rounds of `plan`, as [`play_large_suite`] does.
    fn play_suite(plan: LaunchPlan, seconds: u64, mut slowness: f64) -> (usize, f64) {
        let effort = Effort::default();
        let mut schedule = schedule(plan, &effort, seconds);
        let calls: Vec<(BenchmarkId, f64)> = schedule
            .plan
            .planned
            .iter()
            .flatten()
            .map(|one| (one.id.clone(), one.cost.pace * slowness))
            .collect();
        let mut is_first = true;
        let pilot = 0.5 * SIDES * schedule.plan.estimate_launch_nanos(&effort) / 1e9;
        let mut elapsed = pilot * slowness;
        let mut rounds: HashMap<BenchmarkId, u32> = HashMap::new();
        let mut selected = schedule.select_first();
        while !selected.list_jobs().is_empty() {
            schedule.begin_round(&selected);
            for job in selected.list_jobs() {
                let ids = job.ids.iter().flatten();
                let in_job: HashSet<BenchmarkId> = ids.map(|name| id(name)).collect();
                let part = selected.restrict_to(&in_job);
                let nanos: f64 =
                    part.planned.iter().flatten().map(|one| one.estimate_nanos(&effort)).sum();
                let start = schedule.plan.estimate_start_nanos(&job.process());
                let took = SIDES * (nanos + start) * slowness / 1e9;
                schedule.record_job(&job, Duration::from_secs_f64(took));
                elapsed += took;
                for id in in_job {
                    *rounds.entry(id).or_default() += 1;
                }
            }
            let passed = Duration::from_secs_f64(elapsed);
            let limit = Duration::from_secs(seconds);
            let began = Instant::now().checked_sub(passed).unwrap();
            schedule.budget = Some(RoundsBudget { began, limit });
            if std::mem::take(&mut is_first) {
                let known = schedule.plan.clone();
                schedule.adapt_to_first_round(calls.clone());
                // From here on, the estimates know how slow the machine is.
                if schedule.plan != known {
                    slowness = 1.0;
                }
            }
            let open = rounds.iter().filter(|(_, count)| **count < 5).map(|(id, _)| id.clone());
            let open = open.chain(schedule.list_postponed()).collect();
            selected = schedule.select_next(&open);
        }
        (rounds.values().filter(|count| **count >= 5).count(), elapsed)
    }

    #[test]
    fn a_large_suite_is_decided_in_five_minutes() {
        let (decided, seconds) = play_large_suite(300, 1.0);
        assert!(decided == 160 && seconds < 300.0, "{decided} in {seconds} s");
    }

    #[test]
    fn a_large_suite_keeps_to_its_budget_on_a_slow_machine() {
        // Everything takes three times as long as in the pilot, so not all of it can be decided.
        let (decided, seconds) = play_large_suite(300, 3.0);
        assert!(decided >= 100 && seconds < 330.0, "{decided} in {seconds} s");
    }

    /// Returns the large suite, and four benchmarks that take 15 s per launch whatever is asked for.
    fn plan_suite_with_own_times() -> LaunchPlan {
        let mut plan = plan_large_suite();
        let own = (0..4).map(|at| {
            let cost = CallCost { call: 1e6, pace: 4e6, own_calls: 15e9, own_warmup: 0.0 };
            PlannedBenchmark::new(id(&format!("own{at}")), Some("own".to_owned()), cost)
        });
        plan.planned.get_or_insert_default().extend(own);
        plan
    }

    #[test]
    fn benches_that_set_their_own_time_do_not_take_the_rounds_of_the_others() {
        let (decided, seconds) = play_suite(plan_suite_with_own_times(), 300, 1.0);
        assert!(decided >= 160 && seconds < 300.0, "{decided} in {seconds} s");
        let effort = Effort::default();
        let alone = schedule(plan_large_suite(), &effort, 300);
        let schedule = schedule(plan_suite_with_own_times(), &effort, 300);
        let first = schedule.select_first();
        assert!(names(&first).iter().all(|name| !name.starts_with("own")), "{first:?}");
        // Neither the effort nor the number of looks of the others suffers.
        assert_eq!(schedule.level, alone.level);
        assert_eq!(schedule.choose_horizon(), alone.choose_horizon());
        // The budget that would do for all of them is named.
        assert!(schedule.find_needed_budget().unwrap() > Duration::from_mins(12));
    }

    #[test]
    fn postponed_benchmarks_are_measured_one_after_the_other_when_the_rest_is_decided() {
        let effort = Effort::default();
        let mut schedule = schedule(plan_suite_with_own_times(), &effort, 300);
        let own = |at: u32| id(&format!("own{at}"));
        assert_eq!(schedule.list_postponed(), [own(0), own(1), own(2), own(3)]);
        let wanted: HashSet<_> = [own(0), own(1), id("b0")].into();
        assert_eq!(names(&schedule.select_next(&wanted)), ["b0"]);
        let wanted: HashSet<_> = [own(1), own(0)].into();
        let selected = schedule.select_next(&wanted);
        assert_eq!(names(&selected), ["own0"]);
        schedule.record_job(&selected.list_jobs()[0], Duration::from_secs(31));
        assert_eq!(names(&schedule.select_next(&wanted)), ["own0"]);
        assert_eq!(schedule.list_postponed(), [own(1), own(2), own(3)]);
        // A minute is enough for another round of the one that has begun, and for no test of others.
        let began = Instant::now().checked_sub(Duration::from_mins(4)).unwrap();
        schedule.budget = Some(RoundsBudget { began, limit: Duration::from_mins(5) });
        assert_eq!(names(&schedule.select_next(&wanted)), ["own0"]);
        assert_eq!(names(&schedule.select_next(&HashSet::from([own(1)]))), [""; 0]);
    }

    #[test]
    fn nothing_is_postponed_if_nothing_else_would_be_measured() {
        let effort = Effort::default();
        let mut plan = plan(&[("a", 1.0), ("b", 1.0)]);
        for planned in plan.planned.iter_mut().flatten() {
            planned.cost.own_calls = 60e9;
        }
        let schedule = schedule(plan, &effort, 60);
        assert_eq!(names(&schedule.select_first()), ["a", "b"]);
        assert_eq!(schedule.list_postponed(), []);
    }
}
