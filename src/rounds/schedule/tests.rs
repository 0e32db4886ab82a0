//! Plays rounds of suites by their times alone.

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
