//! Judges each benchmark from the evidence: by its rounds, by its identical program, or by the
//! baseline.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::change::{self, ChangeFinding, ErrorRates};
use super::evidence::{BaselineEvidence, Evidence};
use super::look_plan::{PASS_ERROR, SCREEN_PASS_ERROR, compute_benchmark_alpha};
use super::looks::{self, LookContext, RoundSeries};
use super::setup::find_setup_failure;
use super::target::SortedCalls;
use crate::compare::{BenchmarkComparison, HistogramAxis, compare_benchmarks};
use crate::decision::{
    Change, CheckStage, Judgement, LaunchCounts, RatioInterval, TargetJudgement, TargetStatus,
};
use crate::note::Note;
use crate::policy::{BenchmarkRules, Metric, Policy};
use crate::run::{Benchmark, BenchmarkId, Run};
use crate::stats::random_effects::MIN_BASELINE_RUNS;
use crate::stats::summary;
use crate::units::{Nanos, Ratio};

/// Judges every selected benchmark: by its rounds, by its identical program, or by the baseline.
pub(super) fn judge_all(evidence: &Evidence<'_>, policy: &Policy) -> Vec<Judgement> {
    let comparisons: Vec<BenchmarkComparison<'_>> = compare_sides(evidence, policy);
    let confirmed = judge_rounds(evidence, policy, &comparisons);
    let compared = comparisons.iter().filter(|comparison| comparison.is_testable()).count();
    let stored_levels = collect_stored_levels(evidence.baseline);
    comparisons
        .iter()
        .map(|comparison| {
            let rules = find_rules(comparison, policy);
            let (finding, stage) = match confirmed.get(&comparison.id) {
                Some(finding) => (finding.clone(), Some(CheckStage::Confirmed)),
                None if evidence.has_same_program(&comparison.id) => {
                    let note = Some(Note::SameProgram);
                    let finding = ChangeFinding::without_test(Change::Unchanged, note);
                    (finding, Some(CheckStage::Confirmed))
                }
                None => {
                    judge_without_rounds(evidence, comparison, &stored_levels, compared, &rules)
                }
            };
            build_judgement(comparison, finding, stage, &rules, evidence, policy)
        })
        .collect()
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
            compare_benchmarks(select_nearest(runs).filter(is_selected), candidate)
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
        let unmeasured = rounds.same_program.iter().filter(|id| !places.contains_key(id));
        comparisons.extend(unmeasured.map(|id| BenchmarkComparison::new_unmeasured(id.clone())));
    }
    comparisons
}

/// Yields each benchmark once, from the nearest stored run that has it. Only runs of the nearest
/// commit count.
fn select_nearest(runs: &[Run]) -> impl Iterator<Item = &Benchmark> {
    let nearest_commit = runs.first().and_then(get_commit_id);
    let mut seen = HashSet::new();
    runs.iter()
        .filter(move |run| get_commit_id(run) == nearest_commit)
        .flat_map(|run| &run.benchmarks)
        .filter(move |benchmark| seen.insert(benchmark.to_id()))
}

fn get_commit_id(run: &Run) -> Option<&str> {
    run.commit.as_ref().map(|commit| commit.id.as_str())
}

/// Returns the rules for the benchmark. They depend on its median in the baseline, if there is one.
fn find_rules(comparison: &BenchmarkComparison<'_>, policy: &Policy) -> BenchmarkRules {
    policy.resolve_rules(&comparison.id.name, comparison.baseline.and_then(compute_typical_median))
}

/// Returns the median of a typical launch: the geometric mean of the launch medians, in
/// nanoseconds. Returns `None` without launches.
fn compute_typical_median(benchmark: &Benchmark) -> Option<Nanos> {
    let level_summary = summary::Moments::from_values(&benchmark.ln_medians()).ok()?;
    Nanos::new(level_summary.mean().exp()).ok()
}

/// Returns the finding of the rounds for each testable benchmark in them. Empty without rounds.
fn judge_rounds(
    evidence: &Evidence<'_>,
    policy: &Policy,
    comparisons: &[BenchmarkComparison<'_>],
) -> HashMap<BenchmarkId, ChangeFinding> {
    let Some(rounds) = evidence.rounds else { return HashMap::new() };
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
        .map(|comparison| RoundSeries {
            partners: comparison.match_partners(),
            noise: evidence.noise.get(&comparison.id).copied(),
            rules: find_rules(comparison, policy),
        })
        .collect();
    let context = LookContext {
        entered_count: rounds.entered_count,
        has_screen: matches!(evidence.baseline, BaselineEvidence::Screen(runs) if runs.len() >= MIN_BASELINE_RUNS),
        has_ended: rounds.has_ended,
    };
    let ids = in_rounds.iter().map(|comparison| comparison.id.clone());
    ids.zip(looks::judge_suite(&suite, context)).collect()
}

/// Judges a benchmark that was not in the rounds.
///
/// Also returns the stage that gave the answer, or `None` unless the benchmark was tested against
/// stored runs of this machine.
fn judge_without_rounds(
    evidence: &Evidence<'_>,
    comparison: &BenchmarkComparison<'_>,
    levels: &HashMap<BenchmarkId, Vec<Vec<f64>>>,
    compared: usize,
    rules: &BenchmarkRules,
) -> (ChangeFinding, Option<CheckStage>) {
    // A failure that the checkouts cause is no evidence about the change. Another machine allows no
    // conclusion, so the test is shown but its answer is not used. An apparent change against stored
    // runs is doubted in two cases: the stored runs are of the same commit, or the runs are only a
    // screen.
    if let Some(note) = find_setup_failure(comparison, evidence) {
        return (ChangeFinding::without_test(Change::Inconclusive, Some(note)), None);
    }
    if let Some(mut finding) = judge_untestable(comparison) {
        // Stored runs have this benchmark of the base, so it is not new.
        if finding.notes.contains(&Note::FailedBefore) && levels.contains_key(&comparison.id) {
            finding.change = Change::Inconclusive;
        }
        return (finding, None);
    }
    match evidence.baseline {
        BaselineEvidence::None => (ChangeFinding::without_test(Change::New, None), None),
        _ if evidence.is_across_machines() => {
            let mut finding = change::judge_two_runs(comparison, compared, rules);
            finding.change = Change::Inconclusive;
            finding.notes = vec![Note::OtherMachine];
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
            let stored = levels.get(&comparison.id).map(Vec::as_slice).unwrap_or_default();
            let mut finding =
                change::judge_against_stored(stored, &candidate_levels, errors, rules);
            let is_change = matches!(finding.change, Change::Regressed | Change::Improved);
            let doubt = if evidence.is_same_commit() {
                Some(Note::SameCommit)
            } else {
                is_screen.then_some(Note::OnlyScreened)
            };
            if let Some(doubt) = doubt.filter(|_| is_change) {
                finding.change = Change::Inconclusive;
                finding.notes = vec![doubt];
            }
            (finding, Some(CheckStage::Screened))
        }
    }
}

/// Returns the launches of every stored run by benchmark, nearest run first, as logarithms of
/// launch medians. Empty unless the baseline is stored runs.
fn collect_stored_levels(baseline: BaselineEvidence<'_>) -> HashMap<BenchmarkId, Vec<Vec<f64>>> {
    let mut levels: HashMap<BenchmarkId, Vec<Vec<f64>>> = HashMap::new();
    let (BaselineEvidence::Stored(runs) | BaselineEvidence::Screen(runs)) = baseline else {
        return levels;
    };
    for benchmark in runs.iter().flat_map(|run| &run.benchmarks) {
        let launches = benchmark.ln_medians();
        if !launches.is_empty() {
            levels.entry(benchmark.to_id()).or_default().push(launches);
        }
    }
    levels
}

impl BenchmarkComparison<'_> {
    /// Returns whether both sides have launches and neither failed.
    fn is_testable(&self) -> bool {
        [self.baseline, self.candidate].into_iter().all(|side| {
            side.is_some_and(|side| side.failure.is_none() && !side.launches.is_empty())
        })
    }
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
        return Some(ChangeFinding::without_test(Change::New, Some(Note::FailedBefore)));
    }
    (baseline.sampling != candidate.sampling)
        .then(|| ChangeFinding::without_test(Change::Inconclusive, Some(Note::SamplingDiffers)))
}

/// Combines the finding of a benchmark with the figures of both sides and its targets.
///
/// `q_value`, `waiver` and `instructions` stay empty. `decide` fills them, because they depend on
/// more than this benchmark.
fn build_judgement(
    comparison: &BenchmarkComparison<'_>,
    finding: ChangeFinding,
    stage: Option<CheckStage>,
    rules: &BenchmarkRules,
    evidence: &Evidence<'_>,
    policy: &Policy,
) -> Judgement {
    let sides = [comparison.baseline, comparison.candidate];
    let axis = HistogramAxis::from_sides(sides.into_iter().flatten());
    let summarize = |side: Option<&Benchmark>| side?.compute_figures(axis, policy.confidence);
    let count_launches = |side: Option<&Benchmark>| {
        let measured = side.map_or(0, |side| side.launches.len());
        u32::try_from(finding.rounds.unwrap_or(measured)).unwrap_or(u32::MAX)
    };
    // The candidate, or the baseline if the candidate is missing.
    let shown_side = comparison.candidate.or(comparison.baseline);
    Judgement {
        id: comparison.id.name.clone(),
        package: comparison.id.package.clone(),
        target: shown_side.and_then(|benchmark| benchmark.target.clone()),
        change: finding.change,
        ratio: finding.test.as_ref().map(|test| {
            let (low, high) = test.confidence_interval(policy.confidence.get());
            RatioInterval {
                low: Ratio::from_ln(low),
                point: Ratio::from_ln(test.difference),
                high: Ratio::from_ln(high),
                confidence: policy.confidence,
            }
        }),
        p_value: finding.p_value,
        q_value: None,
        launches: LaunchCounts {
            baseline: count_launches(comparison.baseline),
            candidate: count_launches(comparison.candidate),
        },
        minimum_detectable: finding.minimum_detectable,
        noise_floor: evidence.noise.get(&comparison.id).map(|noise| noise.noise_floor),
        threshold: Some(rules.threshold),
        detect: Some(rules.detect),
        sampling: shown_side.map(|benchmark| benchmark.sampling),
        stage,
        per_call: shown_side.map(collect_amounts).unwrap_or_default(),
        baseline: summarize(comparison.baseline),
        candidate: summarize(comparison.candidate),
        failure: comparison.candidate.and_then(|side| side.failure.clone()),
        instructions: None,
        targets: judge_targets(comparison, rules),
        waiver: None,
        notes: finding.notes,
    }
}

/// Returns the amounts that one call handles, by unit. Elements appear under `elements`.
fn collect_amounts(benchmark: &Benchmark) -> BTreeMap<String, f64> {
    let mut amounts = benchmark.per_call.clone();
    amounts.extend(benchmark.elements.map(|elements| ("elements".to_owned(), elements)));
    amounts
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
            .map(|(metric, limit)| build_unmeasured_target(*metric, *limit))
            .collect();
    }
    let calls = SortedCalls::from_benchmark(candidate);
    rules.targets.iter().map(|(metric, limit)| calls.judge_target(*metric, *limit)).collect()
}

/// Returns an unproven target of a benchmark that could not be measured.
fn build_unmeasured_target(metric: Metric, limit: Nanos) -> TargetJudgement {
    let status = TargetStatus::Unproven;
    let note = Some(Note::NotMeasured);
    TargetJudgement { metric, limit, low: None, point: None, high: None, status, note }
}
