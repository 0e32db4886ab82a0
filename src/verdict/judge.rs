//! Judges each benchmark from the evidence: by its rounds, by its identical program, or by the
//! baseline.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::bench_changes::list_bench_changes;
use super::change::{self, ChangeEstimate, ChangeFinding, ErrorRates};
use super::claims::{ClaimAnswers, judge_claims};
use super::clock::ClockResolution;
use super::conditions::{self, BenchmarkInRun, ConditionFinding};
use super::evidence::{BaselineEvidence, Evidence};
use super::look_plan::{PASS_ERROR, SCREEN_PASS_ERROR, compute_benchmark_alpha};
use super::looks::{self, LookContext, RoundSeries};
use super::metric::{MetricEvidence, count_metric_tests, judge_metric_rounds, judge_metrics};
use super::metric_target::{build_unproven_limit, judge_limit};
use super::open_loop::question_target;
use super::setup::find_setup_failure;
use super::target::SortedCalls;
use super::test_form::choose_test_form;
use crate::compare::{BenchmarkComparison, HistogramAxis, SideFigures, compare_benchmarks};
use crate::decision::{
    Change, CheckStage, Judgement, LaunchCounts, RatioInterval, TargetJudgement,
};
use crate::note::Note;
use crate::policy::{BenchmarkRules, Policy};
use crate::run::{Benchmark, BenchmarkFailure, BenchmarkId, LoadShape, Run};
use crate::stats::random_effects::MIN_BASELINE_RUNS;
use crate::stats::summary;
use crate::stats::test::t::TestForm;
use crate::units::Ratio;

/// Judges every selected benchmark: by its rounds, by its identical program, or by the baseline. Also
/// judges the rules that are about several benchmarks.
pub(super) fn judge_all(
    evidence: &Evidence<'_>,
    policy: &Policy,
) -> (Vec<Judgement>, ClaimAnswers) {
    let comparisons: Vec<BenchmarkComparison<'_>> = compare_sides(evidence, policy);
    let conditions = compare_conditions(evidence, policy, &comparisons);
    let (confirmed, metric_rounds) = judge_rounds(evidence, policy, &comparisons);
    let testable = comparisons.iter().filter(|comparison| comparison.is_testable()).count();
    let compared = testable + count_metric_tests(&comparisons, policy);
    let metrics = MetricEvidence { test_count: compared, rounds: metric_rounds };
    let stored_sides = collect_stored_sides(evidence, policy);
    let judgements = comparisons
        .iter()
        .zip(conditions)
        .map(|(comparison, condition)| {
            let rules = find_rules(comparison, policy);
            let mut obstacles = Vec::new();
            let (mut finding, stage) = match confirmed.get(&comparison.id) {
                Some(finding) => (finding.clone(), Some(CheckStage::Confirmed)),
                None if let Some(reason) = evidence.find_same_program(&comparison.id) => {
                    let note = Some(reason.clone());
                    let finding = ChangeFinding::without_test(Change::Unchanged, note);
                    (finding, Some(CheckStage::Confirmed))
                }
                None if evidence.is_postponed(&comparison.id) => {
                    let note = Some(Note::TooFewRounds { rounds: 0 });
                    (ChangeFinding::without_test(Change::Inconclusive, note), None)
                }
                None => {
                    obstacles = list_obstacles(evidence, condition.obstacles);
                    let (notes, sides) = (obstacles.clone(), &stored_sides);
                    judge_without_rounds(evidence, comparison, notes, sides, compared, &rules)
                }
            };
            finding.notes.extend(condition.remarks);
            finding.notes.extend(list_bench_changes(comparison, evidence.edited_benches));
            // What was judged by stored runs was compared with all of them, not with the nearest.
            let baseline = match (stage, stored_sides.get(&comparison.id)) {
                (Some(CheckStage::Screened), Some(runs)) => runs.clone(),
                _ => comparison.baseline.into_iter().collect(),
            };
            let metrics =
                judge_metrics(comparison, &baseline, &obstacles, &metrics, evidence, policy);
            let judgement =
                build_judgement(comparison, &baseline, finding, stage, &rules, evidence, policy);
            Judgement { metrics, ..judgement }
        })
        .collect();
    (judgements, judge_claims(&comparisons, policy))
}

/// Returns why separate runs are not comparable: another machine, or else other conditions. Empty if
/// they are.
fn list_obstacles(evidence: &Evidence<'_>, conditions: Vec<Note>) -> Vec<Note> {
    if evidence.is_across_machines() { vec![evidence.describe_other_host()] } else { conditions }
}

/// Pairs the sides that the decision shows. A benchmark that was in the rounds is shown with its
/// rounds.
fn compare_sides<'a>(evidence: &Evidence<'a>, policy: &Policy) -> Vec<BenchmarkComparison<'a>> {
    // Plan: compare the candidate with the baseline, then replace each benchmark that was in the
    // rounds by its rounds, and append the benchmarks that only the rounds know.
    let is_selected = |benchmark: &&Benchmark| policy.selection.selects(&benchmark.id);
    let candidate = evidence.candidate.benchmarks.iter().filter(is_selected);
    let mut comparisons = match evidence.baseline {
        BaselineEvidence::None => compare_benchmarks([], candidate),
        BaselineEvidence::File(run) => {
            compare_benchmarks(run.benchmarks.iter().filter(is_selected), candidate)
        }
        BaselineEvidence::Stored(runs) | BaselineEvidence::Screen(runs) => {
            let stored = select_nearest(runs, evidence.candidate, policy).into_iter();
            let stored = stored.map(|(_, benchmark)| benchmark);
            compare_benchmarks(stored.filter(is_selected), candidate)
        }
    };
    if let Some(rounds) = evidence.rounds {
        let in_rounds = compare_benchmarks(
            rounds.baseline.benchmarks.iter().filter(is_selected),
            rounds.candidate.benchmarks.iter().filter(is_selected),
        );
        let mut places: HashMap<BenchmarkId, usize> = HashMap::new();
        places.extend(
            comparisons
                .iter()
                .enumerate()
                .map(|(place, comparison)| (comparison.id.clone(), place)),
        );
        for comparison in in_rounds {
            match places.get(&comparison.id) {
                Some(place) => comparisons[*place] = comparison,
                None => comparisons.push(comparison),
            }
        }
        let same = rounds.same_program.iter().map(|same| &same.id);
        let known: HashSet<BenchmarkId> =
            comparisons.iter().map(|comparison| comparison.id.clone()).collect();
        let unmeasured = same.chain(rounds.postponed).filter(|id| !known.contains(id));
        comparisons.extend(unmeasured.map(|id| BenchmarkComparison::new_unmeasured(id.clone())));
    }
    comparisons
}

/// Returns each benchmark once, from the nearest run that has it under the candidate's conditions.
/// Without such a run, it is from the nearest run that has it.
///
/// The benchmarks are those of the runs up to the nearest commit with a complete run: an incomplete
/// run lacks the benchmarks that failed in it, and they are compared with an earlier commit.
fn select_nearest<'a>(
    runs: &'a [Run],
    candidate: &Run,
    policy: &Policy,
) -> Vec<BenchmarkInRun<'a>> {
    let complete_commit = runs.iter().find(|run| run.complete).and_then(get_commit_id);
    let last_of_commit = runs.iter().rposition(|run| get_commit_id(run) == complete_commit);
    let reach = last_of_commit.map_or(runs.len(), |last| last + 1);
    let candidate = conditions::index_benchmarks(candidate);
    let mut chosen: Vec<BenchmarkInRun<'_>> = Vec::new();
    // Place in `chosen` of each benchmark, and whether its conditions are those of the candidate.
    let mut places: HashMap<BenchmarkId, (usize, bool)> = HashMap::new();
    for (index, run) in runs.iter().enumerate() {
        for benchmark in &run.benchmarks {
            let found = (run, benchmark);
            let id = benchmark.to_id();
            match places.get_mut(&id) {
                Some((_, true)) => {}
                Some((place, is_like)) => {
                    *is_like = conditions::is_like_candidate(found, &candidate, policy);
                    if *is_like {
                        chosen[*place] = found;
                    }
                }
                None if index < reach => {
                    let is_like = conditions::is_like_candidate(found, &candidate, policy);
                    places.insert(id, (chosen.len(), is_like));
                    chosen.push(found);
                }
                None => {}
            }
        }
    }
    chosen
}

/// Returns, for each of `comparisons`, what its two sides differ in besides the code.
fn compare_conditions(
    evidence: &Evidence<'_>,
    policy: &Policy,
    comparisons: &[BenchmarkComparison<'_>],
) -> Vec<ConditionFinding> {
    let in_rounds = evidence
        .rounds
        .map(|rounds| [rounds.baseline, rounds.candidate].map(conditions::index_benchmarks));
    let baseline: HashMap<BenchmarkId, BenchmarkInRun<'_>> = match evidence.baseline {
        BaselineEvidence::None => HashMap::new(),
        BaselineEvidence::File(run) => conditions::index_benchmarks(run),
        BaselineEvidence::Stored(runs) | BaselineEvidence::Screen(runs) => {
            let nearest = select_nearest(runs, evidence.candidate, policy).into_iter();
            nearest.map(|found| (found.1.to_id(), found)).collect()
        }
    };
    let candidate = conditions::index_benchmarks(evidence.candidate);
    comparisons
        .iter()
        .map(|BenchmarkComparison { id, .. }| {
            let rounds = in_rounds.as_ref().and_then(|[baseline, candidate]| {
                Some(ConditionFinding::from_rounds(*baseline.get(id)?, *candidate.get(id)?))
            });
            let separate = || {
                let (old, new) = (*baseline.get(id)?, *candidate.get(id)?);
                Some(ConditionFinding::from_separate_runs(old, new, policy))
            };
            rounds.or_else(separate).unwrap_or_default()
        })
        .collect()
}

fn get_commit_id(run: &Run) -> Option<&str> {
    run.commit.as_ref().map(|commit| commit.id.as_str())
}

/// Returns the rules for the benchmark. They depend on its median in the baseline, if there is one.
fn find_rules(comparison: &BenchmarkComparison<'_>, policy: &Policy) -> BenchmarkRules {
    policy.resolve_rules(
        &comparison.id.name,
        comparison.baseline.and_then(Benchmark::compute_typical_median),
    )
}

/// Returns the finding of the rounds for each testable benchmark in them, and for each judged metric
/// of it. Empty without rounds.
fn judge_rounds(
    evidence: &Evidence<'_>,
    policy: &Policy,
    comparisons: &[BenchmarkComparison<'_>],
) -> (HashMap<BenchmarkId, ChangeFinding>, HashMap<BenchmarkId, BTreeMap<String, ChangeFinding>>) {
    let Some(rounds) = evidence.rounds else { return (HashMap::new(), HashMap::new()) };
    // Collect the partners of every benchmark in the rounds, and judge them as one suite, because
    // they share information about the noise.
    let measured: HashSet<BenchmarkId> =
        rounds.candidate.benchmarks.iter().map(Benchmark::to_id).collect();
    let in_rounds: Vec<&BenchmarkComparison<'_>> = comparisons
        .iter()
        .filter(|comparison| measured.contains(&comparison.id) && comparison.is_testable())
        .collect();
    let suite: Vec<RoundSeries> = in_rounds
        .iter()
        .map(|comparison| {
            let rules = find_rules(comparison, policy);
            RoundSeries {
                partners: comparison.match_partners(),
                noise: evidence.noise.get(&comparison.id).copied(),
                clock: ClockResolution::from_comparison(comparison, &rules),
                rules,
                is_reported: false,
            }
        })
        .collect();
    let metric_count = count_metric_tests(in_rounds.iter().copied(), policy);
    let context = LookContext {
        test_count: rounds.entered_count.saturating_add(metric_count),
        horizon: rounds.horizon,
        has_screen: matches!(evidence.baseline, BaselineEvidence::Screen(runs) if runs.len() >= MIN_BASELINE_RUNS),
        has_ended: rounds.has_ended,
    };
    let ids = in_rounds.iter().map(|comparison| comparison.id.clone());
    let findings = ids.zip(looks::judge_suite(&suite, context)).collect();
    (findings, judge_metric_rounds(&in_rounds, context, policy))
}

/// Judges a benchmark that was not in the rounds.
///
/// Also returns the stage that gave the answer, or `None` unless the benchmark was tested against
/// stored runs of this machine.
fn judge_without_rounds(
    evidence: &Evidence<'_>,
    comparison: &BenchmarkComparison<'_>,
    obstacles: Vec<Note>,
    stored_sides: &HashMap<BenchmarkId, Vec<&Benchmark>>,
    compared: usize,
    rules: &BenchmarkRules,
) -> (ChangeFinding, Option<CheckStage>) {
    // A failure that the checkouts cause is no evidence about the change. Another machine or other
    // conditions allow no conclusion, so the test is shown but its answer is not used. An apparent
    // change against stored runs is doubted in two cases: the stored runs are of the same commit, or
    // the runs are only a screen.
    if let Some(note) = find_setup_failure(comparison, evidence) {
        return (ChangeFinding::without_test(Change::Inconclusive, Some(note)), None);
    }
    if let Some(mut finding) = judge_untestable(comparison) {
        // Stored runs have this benchmark of the base, so it is not new.
        let is_stored = stored_sides.contains_key(&comparison.id);
        let has_failed = |note: &Note| matches!(note, Note::FailedBefore { .. });
        if is_stored && finding.notes.iter().any(has_failed) {
            finding.change = Change::Inconclusive;
        }
        return (finding, None);
    }
    match evidence.baseline {
        BaselineEvidence::None => (ChangeFinding::without_test(Change::New, None), None),
        _ if !obstacles.is_empty() => {
            let mut finding = change::judge_two_runs(comparison, compared, rules);
            finding.change = Change::Inconclusive;
            finding.minimum_detectable = None;
            finding.notes = obstacles;
            (finding, None)
        }
        BaselineEvidence::File(_) => (change::judge_two_runs(comparison, compared, rules), None),
        BaselineEvidence::Stored(_) | BaselineEvidence::Screen(_) => {
            let is_screen = matches!(evidence.baseline, BaselineEvidence::Screen(_));
            let errors = ErrorRates {
                alpha: compute_benchmark_alpha(compared),
                pass: if is_screen { SCREEN_PASS_ERROR } else { PASS_ERROR },
            };
            let candidate_levels =
                comparison.candidate.map(Benchmark::ln_medians).unwrap_or_default();
            let clock = ClockResolution::from_comparison(comparison, rules);
            let stored = stored_sides.get(&comparison.id).map(Vec::as_slice).unwrap_or_default();
            let stored: Vec<Vec<f64>> = stored.iter().map(|run| run.ln_medians()).collect();
            let finding = change::judge_against_stored(
                &stored,
                &candidate_levels,
                errors,
                rules,
                &clock,
                None,
            );
            (finding.limit_by_doubt(evidence.find_stored_doubt()), Some(CheckStage::Screened))
        }
    }
}

/// Returns each benchmark in every stored run that has launches of it, nearest run first. Leaves out
/// what was measured under other conditions than the candidate. Empty unless the baseline is stored
/// runs.
fn collect_stored_sides<'a>(
    evidence: &Evidence<'a>,
    policy: &Policy,
) -> HashMap<BenchmarkId, Vec<&'a Benchmark>> {
    let mut sides: HashMap<BenchmarkId, Vec<&Benchmark>> = HashMap::new();
    let (BaselineEvidence::Stored(runs) | BaselineEvidence::Screen(runs)) = evidence.baseline
    else {
        return sides;
    };
    let candidate = conditions::index_benchmarks(evidence.candidate);
    for run in runs {
        for benchmark in &run.benchmarks {
            if !benchmark.launches.is_empty()
                && conditions::is_like_candidate((run, benchmark), &candidate, policy)
            {
                sides.entry(benchmark.to_id()).or_default().push(benchmark);
            }
        }
    }
    sides
}

/// Returns the finding for a benchmark that a test cannot judge: failed, missing, new, or sampled
/// differently on the two sides. Returns `None` if it needs a test.
fn judge_untestable(comparison: &BenchmarkComparison<'_>) -> Option<ChangeFinding> {
    let Some(candidate) = comparison.candidate else {
        let note = Some(Note::NotInCandidate);
        return Some(ChangeFinding::without_test(Change::Missing, note));
    };
    if candidate.failure.is_some() {
        return Some(ChangeFinding::without_test(Change::Failed, None));
    }
    let Some(baseline) = comparison.baseline else {
        return Some(ChangeFinding::without_test(Change::New, None));
    };
    if baseline.failure.is_some() || baseline.launches.is_empty() {
        let failure = baseline.failure.as_ref();
        let note = Note::FailedBefore {
            reason: failure.map(|failure| failure.reason.clone()),
            message: failure.map(BenchmarkFailure::last_message).unwrap_or_default(),
        };
        // What was measured before it failed is not new, and what it would have shown is not known.
        let was_measured = !baseline.launches.is_empty();
        let change = if was_measured { Change::Inconclusive } else { Change::New };
        return Some(ChangeFinding::without_test(change, Some(note)));
    }
    (baseline.sampling != candidate.sampling)
        .then(|| ChangeFinding::without_test(Change::Inconclusive, Some(Note::SamplingDiffers)))
}

/// Combines the finding of a benchmark with the figures of both sides and its targets.
///
/// `baseline_runs` is the benchmark in the runs that it was compared with. `q_value`, `waiver` and
/// `instructions` stay empty. `decide` fills them, because they depend on more than this benchmark.
fn build_judgement(
    comparison: &BenchmarkComparison<'_>,
    baseline_runs: &[&Benchmark],
    finding: ChangeFinding,
    stage: Option<CheckStage>,
    rules: &BenchmarkRules,
    evidence: &Evidence<'_>,
    policy: &Policy,
) -> Judgement {
    let candidate_runs: Vec<&Benchmark> = comparison.candidate.into_iter().collect();
    let axis = HistogramAxis::from_sides(baseline_runs.iter().chain(&candidate_runs).copied());
    let summarize = |runs: &[&Benchmark]| SideFigures::from_runs(runs, axis, policy.confidence);
    let (mut baseline, mut candidate) = (summarize(baseline_runs), summarize(&candidate_runs));
    if let (Some(estimate), Some(baseline), Some(candidate)) =
        (&finding.estimate, &mut baseline, &mut candidate)
    {
        let compared = find_compared_level(comparison, &finding, stage);
        let level = compared.unwrap_or_else(|| candidate.median.point.ln());
        candidate.median = candidate.median.move_to(level);
        baseline.median = baseline.median.move_to(level - estimate.difference());
    }
    let count_launches = |runs: &[&Benchmark]| {
        let measured = runs.iter().map(|run| run.launches.len()).sum();
        let is_measured = !runs.is_empty();
        u32::try_from(finding.rounds.filter(|_| is_measured).unwrap_or(measured))
            .unwrap_or(u32::MAX)
    };
    // The candidate, or the baseline if the candidate is missing.
    let shown_side = comparison.candidate.or(comparison.baseline);
    Judgement {
        id: comparison.id.name.clone(),
        package: comparison.id.package.clone(),
        target: shown_side.and_then(|benchmark| benchmark.target.clone()),
        change: finding.change,
        ratio: finding.estimate.as_ref().map(|estimate| {
            let (low, high) = estimate.confidence_interval(policy.confidence.get());
            RatioInterval {
                low: Ratio::from_ln(low),
                point: Ratio::from_ln(estimate.difference()),
                high: Ratio::from_ln(high),
                confidence: policy.confidence,
            }
        }),
        p_value: finding.p_value,
        q_value: None,
        launches: LaunchCounts {
            baseline: count_launches(baseline_runs),
            candidate: count_launches(&candidate_runs),
        },
        minimum_detectable: finding.minimum_detectable,
        noise_floor: evidence.noise.get(&comparison.id).map(|noise| noise.noise_floor),
        threshold: Some(rules.threshold),
        detect: Some(rules.detect),
        sampling: shown_side.map(|benchmark| benchmark.sampling),
        stage,
        per_call: shown_side.map(Benchmark::collect_amounts).unwrap_or_default(),
        baseline,
        candidate,
        failure: comparison.candidate.and_then(|side| side.failure.clone()),
        instructions: None,
        explanation: None,
        origin: None,
        targets: question_targets(judge_targets(comparison, rules), comparison, evidence, policy),
        metrics: BTreeMap::new(),
        waiver: None,
        notes: finding.notes,
    }
}

/// Returns the logarithm of the candidate's level that the test compared, if it did not compare all
/// launches: in rounds, or between two runs that were measured next to each other.
fn find_compared_level(
    comparison: &BenchmarkComparison<'_>,
    finding: &ChangeFinding,
    stage: Option<CheckStage>,
) -> Option<f64> {
    let is_screened = stage == Some(CheckStage::Screened);
    let partners = comparison.match_partners().candidate;
    let compared = match finding.rounds {
        Some(rounds) => partners.get(..rounds)?,
        None if is_screened => return None,
        None => match choose_test_form(partners.len(), None, None) {
            TestForm::Paired => partners.as_slice(),
            TestForm::Welch => return None,
        },
    };
    match finding.estimate {
        Some(ChangeEstimate::Median { .. }) => {
            summary::compute_median_in_place(&mut compared.to_vec())
        }
        _ => summary::Moments::from_values(compared).ok().map(|level| level.mean()),
    }
}

/// Questions the load under which targets were judged, if they must hold at a rate of requests.
fn question_targets(
    targets: Vec<TargetJudgement>,
    comparison: &BenchmarkComparison<'_>,
    evidence: &Evidence<'_>,
    policy: &Policy,
) -> Vec<TargetJudgement> {
    let asked = policy.find_asked_rate(&comparison.id.name);
    let (Some(asked), Some(candidate)) = (asked, comparison.candidate) else { return targets };
    // What was in the rounds is judged by its rounds, and has the conditions of their run.
    let in_rounds = evidence.rounds.map(|rounds| rounds.candidate);
    let is_in_rounds = |run: &&Run| run.benchmarks.iter().any(|one| one.to_id() == comparison.id);
    let run = in_rounds.filter(is_in_rounds).unwrap_or(evidence.candidate);
    let shape = LoadShape::from_conditions(&run.list_conditions(candidate));
    targets.into_iter().map(|target| question_target(target, asked, &shape, candidate)).collect()
}

/// Judges the targets of the candidate. All are unproven if it has no launches; there are none
/// without a candidate.
fn judge_targets(
    comparison: &BenchmarkComparison<'_>,
    rules: &BenchmarkRules,
) -> Vec<TargetJudgement> {
    let Some(candidate) = comparison.candidate else { return Vec::new() };
    if rules.targets.is_empty() || candidate.launches.is_empty() {
        return rules
            .targets
            .iter()
            .map(|limit| build_unproven_limit(limit, Note::NotMeasured))
            .collect();
    }
    let calls = SortedCalls::from_benchmark(candidate);
    rules.targets.iter().map(|limit| judge_limit(&calls, candidate, limit)).collect()
}
