//! Judges the metrics that launches report: their change, by the test of the median where the policy
//! names them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::alike::AlikeChance;
use super::change::{self, ChangeFinding, ErrorRates, SideLevels};
use super::clock::ClockResolution;
use super::evidence::{BaselineEvidence, Evidence};
use super::look_plan::{PASS_ERROR, SCREEN_PASS_ERROR, compute_benchmark_alpha};
use super::looks::{self, LookContext, RoundSeries};
use crate::compare::BenchmarkComparison;
use crate::decision::{Change, MetricJudgement, RatioInterval};
use crate::note::{ClaimIssue, Note};
use crate::policy::{BenchmarkRules, BetterDirection, MetricRule, Policy};
use crate::run::{Benchmark, BenchmarkId};
use crate::stats::summary;
use crate::units::{Amount, Confidence, Percent, Ratio};

/// What is known about the metrics of all benchmarks before each is judged.
pub(super) struct MetricEvidence {
    /// Number of tests that share α: of benchmarks, and of judged metrics.
    pub(super) test_count: usize,
    /// Findings of the rounds, by benchmark and metric. Empty without rounds.
    pub(super) rounds: HashMap<BenchmarkId, BTreeMap<String, ChangeFinding>>,
}

/// Turns values of a metric into levels, which are logarithms. A higher level is worse.
///
/// Zero has no logarithm. It counts as half of the smallest value above zero on either side: below
/// every other value, and at the same place for both sides.
#[derive(Clone, Copy, Debug)]
struct MetricScale {
    better: BetterDirection,
    zero: f64,
    has_zero: bool,
}

impl MetricScale {
    fn from_values(values: impl Iterator<Item = f64>, better: BetterDirection) -> Self {
        let (mut smallest, mut has_zero) = (f64::INFINITY, false);
        for value in values {
            if value > 0.0 {
                smallest = smallest.min(value);
            } else {
                has_zero = true;
            }
        }
        let zero = if smallest.is_finite() { 0.5 * smallest } else { 1.0 };
        Self { better, zero: zero.max(f64::MIN_POSITIVE), has_zero }
    }

    fn find_level(self, value: f64) -> f64 {
        let level = if value > 0.0 { value.ln() } else { self.zero.ln() };
        match self.better {
            BetterDirection::Lower => level,
            BetterDirection::Higher => -level,
        }
    }

    /// Returns the ratio with its interval. `None` if a value is zero, which has none.
    fn find_ratio(self, finding: &ChangeFinding, confidence: Confidence) -> Option<RatioInterval> {
        let estimate = finding.estimate.as_ref().filter(|_| !self.has_zero)?;
        let (low, high) = estimate.confidence_interval(confidence.get());
        let point = estimate.difference();
        let [low, point, high] = match self.better {
            BetterDirection::Lower => [low, point, high],
            BetterDirection::Higher => [-high, -point, -low],
        };
        let [low, point, high] = [low, point, high].map(Ratio::from_ln);
        Some(RatioInterval { low, point, high, confidence })
    }
}

/// Returns the number of judged metrics that both sides report, over all `comparisons`. Each is a test
/// that shares α.
///
/// Whether a benchmark reports a metric is known from its first launches, so the number is fixed
/// before the first look.
pub(super) fn count_metric_tests<'a, 'b: 'a>(
    comparisons: impl IntoIterator<Item = &'a BenchmarkComparison<'b>>,
    policy: &Policy,
) -> usize {
    if policy.metric_rules().is_empty() {
        return 0;
    }
    let testable = comparisons.into_iter().filter(|comparison| comparison.is_testable());
    testable
        .map(|comparison| {
            let rules = policy.list_metric_rules(&comparison.id.name);
            rules.iter().filter(|rule| is_reported_first(comparison, &rule.name)).count()
        })
        .sum()
}

/// Returns whether the first launch of each side reports the metric.
fn is_reported_first(comparison: &BenchmarkComparison<'_>, name: &str) -> bool {
    [comparison.baseline, comparison.candidate]
        .into_iter()
        .flatten()
        .all(|side| side.launches.first().is_some_and(|launch| launch.metrics.contains_key(name)))
}

/// Judges the metrics of the benchmarks in rounds by their looks. Each metric is a suite of its own,
/// because its launches vary in their own way.
pub(super) fn judge_metric_rounds(
    in_rounds: &[&BenchmarkComparison<'_>],
    context: LookContext,
    policy: &Policy,
) -> HashMap<BenchmarkId, BTreeMap<String, ChangeFinding>> {
    let names: BTreeSet<&str> =
        policy.metric_rules().iter().map(|rule| rule.name.as_str()).collect();
    let mut findings: HashMap<BenchmarkId, BTreeMap<String, ChangeFinding>> = HashMap::new();
    for name in names {
        let (mut ids, mut suite) = (Vec::new(), Vec::new());
        for comparison in in_rounds.iter().filter(|one| is_reported_first(one, name)) {
            let rules = policy.list_metric_rules(&comparison.id.name);
            let Some(rule) = rules.into_iter().find(|rule| rule.name == name) else { continue };
            let baseline: Vec<&Benchmark> = comparison.baseline.into_iter().collect();
            let scale = build_scale(comparison, &baseline, name, rule.better);
            ids.push(comparison.id.clone());
            suite.push(RoundSeries {
                partners: comparison.match_partner_levels(|launch| {
                    launch.metrics.get(name).map(|value| scale.find_level(*value))
                }),
                noise: None,
                clock: ClockResolution::default(),
                rules: build_rules(rule),
                is_reported: true,
            });
        }
        for (id, finding) in ids.into_iter().zip(looks::judge_suite(&suite, context)) {
            findings.entry(id).or_default().insert(name.to_owned(), finding);
        }
    }
    findings
}

/// Judges every metric that either side reports. `obstacles` is why the sides are not comparable;
/// empty if they are.
pub(super) fn judge_metrics(
    comparison: &BenchmarkComparison<'_>,
    baseline_runs: &[&Benchmark],
    obstacles: &[Note],
    known: &MetricEvidence,
    evidence: &Evidence<'_>,
    policy: &Policy,
) -> BTreeMap<String, MetricJudgement> {
    let sides = baseline_runs.iter().copied().chain(comparison.candidate);
    let launches = sides.flat_map(|side| &side.launches);
    let names: BTreeSet<&String> = launches.flat_map(|launch| launch.metrics.keys()).collect();
    let rules = policy.list_metric_rules(&comparison.id.name);
    let judge = |name: &String| {
        let rule = rules.iter().find(|rule| rule.name == *name).copied();
        let better = rule.map_or(BetterDirection::Lower, |rule| rule.better);
        let scale = build_scale(comparison, baseline_runs, name, better);
        let levels = collect_levels(comparison, baseline_runs, name, scale);
        let sides = [
            find_typical_value(baseline_runs.iter().copied(), name),
            find_typical_value(comparison.candidate, name),
        ];
        let finding = match rule {
            Some(rule) => {
                let rounds = known.rounds.get(&comparison.id).and_then(|found| found.get(name));
                let metric = JudgedMetric { rule, scale, levels: &levels, sides };
                rounds.cloned().unwrap_or_else(|| {
                    metric.judge(baseline_runs, obstacles, known.test_count, evidence)
                })
            }
            None => estimate_change(&levels),
        };
        let ratio = scale.find_ratio(&finding, policy.confidence);
        let judgement = MetricJudgement {
            baseline: sides[0],
            candidate: sides[1],
            ratio,
            better,
            ..MetricJudgement::default()
        };
        let Some(rule) = rule else { return (name.clone(), judgement) };
        let launches = finding.rounds.unwrap_or_else(|| levels.count_launches());
        let judged = MetricJudgement {
            change: Some(finding.change),
            threshold: Some(rule.threshold),
            detect: Some(rule.detect),
            notes: finding.notes.into_iter().map(|note| name_metric_note(note, launches)).collect(),
            ..judgement
        };
        (name.clone(), judged)
    };
    names.into_iter().map(judge).collect()
}

/// Returns a note for each `[[metric]]` whose metric none of its benchmarks reports. Returns none if
/// nothing was measured.
pub(super) fn list_unreported_metrics<'a>(
    metrics: &(impl Iterator<Item = (&'a str, &'a BTreeMap<String, MetricJudgement>)> + Clone),
    policy: &Policy,
) -> Vec<Note> {
    let is_unreported = |rule: &&MetricRule| {
        let mut named = metrics.clone().filter(|(id, _)| rule.pattern.matches(id));
        policy.covers_rule(&rule.pattern)
            && metrics.clone().next().is_some()
            && named.all(|(_, metrics)| !metrics.contains_key(&rule.name))
    };
    let unreported = policy.metric_rules().iter().filter(is_unreported);
    unreported
        .map(|rule| Note::Claim {
            issue: ClaimIssue::MetricUnreported {
                metric: rule.name.clone(),
                pattern: rule.pattern.as_str().to_owned(),
            },
        })
        .collect()
}

/// A metric that the policy names, with its launches outside of rounds.
struct JudgedMetric<'a> {
    rule: &'a MetricRule,
    scale: MetricScale,
    levels: &'a SideLevels,
    /// Typical value of baseline and candidate.
    sides: [Option<Amount>; 2],
}

impl JudgedMetric<'_> {
    /// Judges a metric that was not in the rounds.
    fn judge(
        &self,
        baseline_runs: &[&Benchmark],
        obstacles: &[Note],
        test_count: usize,
        evidence: &Evidence<'_>,
    ) -> ChangeFinding {
        let levels = self.levels;
        match self.sides {
            [_, None] => {
                let note = Note::Claim { issue: ClaimIssue::MetricGone };
                return ChangeFinding::without_test(Change::Missing, Some(note));
            }
            [None, _] => return ChangeFinding::without_test(Change::New, None),
            [Some(_), Some(_)] => {}
        }
        let rules = build_rules(self.rule);
        let clock = ClockResolution::default();
        let alike = AlikeChance::from_sides(&levels.baseline, &levels.candidate);
        if !obstacles.is_empty() {
            let finding = estimate_change(levels);
            return ChangeFinding {
                change: Change::Inconclusive,
                notes: obstacles.to_vec(),
                ..finding
            };
        }
        match evidence.baseline {
            BaselineEvidence::None | BaselineEvidence::File(_) => {
                change::judge_two_sides(levels, test_count, &rules, &clock, Some(alike))
            }
            BaselineEvidence::Stored(_) | BaselineEvidence::Screen(_) => {
                let is_screen = matches!(evidence.baseline, BaselineEvidence::Screen(_));
                let errors = ErrorRates {
                    alpha: compute_benchmark_alpha(test_count),
                    pass: if is_screen { SCREEN_PASS_ERROR } else { PASS_ERROR },
                };
                let name = self.rule.name.as_str();
                let runs = baseline_runs.iter().map(|run| list_levels([*run], name, self.scale));
                let runs: Vec<Vec<f64>> = runs.filter(|levels| !levels.is_empty()).collect();
                let candidate = &levels.candidate;
                let finding = change::judge_against_stored(
                    &runs,
                    candidate,
                    errors,
                    &rules,
                    &clock,
                    Some(alike),
                );
                finding.limit_by_doubt(evidence.find_stored_doubt())
            }
        }
    }
}

impl SideLevels {
    /// Returns the number of launches of the side that has fewer.
    fn count_launches(&self) -> usize {
        self.baseline.len().min(self.candidate.len())
    }
}

/// Returns a finding with the ratio of the two sides, if they have launches enough, and no answer.
fn estimate_change(levels: &SideLevels) -> ChangeFinding {
    let none = Percent::NOTHING;
    let rules = BenchmarkRules { threshold: none, detect: none, targets: Vec::new() };
    change::judge_two_sides(levels, 1, &rules, &ClockResolution::default(), None)
}

fn build_rules(rule: &MetricRule) -> BenchmarkRules {
    BenchmarkRules { threshold: rule.threshold, detect: rule.detect, targets: Vec::new() }
}

fn build_scale(
    comparison: &BenchmarkComparison<'_>,
    baseline_runs: &[&Benchmark],
    name: &str,
    better: BetterDirection,
) -> MetricScale {
    let sides = baseline_runs.iter().copied().chain(comparison.candidate);
    MetricScale::from_values(list_values(sides, name), better)
}

fn collect_levels(
    comparison: &BenchmarkComparison<'_>,
    baseline_runs: &[&Benchmark],
    name: &str,
    scale: MetricScale,
) -> SideLevels {
    SideLevels {
        baseline: list_levels(baseline_runs.iter().copied(), name, scale),
        candidate: list_levels(comparison.candidate, name, scale),
        partners: comparison.match_partner_levels(|launch| {
            launch.metrics.get(name).map(|value| scale.find_level(*value))
        }),
    }
}

fn list_levels<'a>(
    side: impl IntoIterator<Item = &'a Benchmark>,
    name: &str,
    scale: MetricScale,
) -> Vec<f64> {
    list_values(side, name).map(|value| scale.find_level(value)).collect()
}

/// Yields the values of a metric in all launches of one side.
fn list_values<'a>(
    side: impl IntoIterator<Item = &'a Benchmark>,
    name: &str,
) -> impl Iterator<Item = f64> {
    let launches = side.into_iter().flat_map(|run| &run.launches);
    launches.filter_map(move |launch| launch.metrics.get(name).copied())
}

/// Returns the median of a metric over the launches of one side. `None` if no launch reports it.
fn find_typical_value<'a>(
    side: impl IntoIterator<Item = &'a Benchmark>,
    name: &str,
) -> Option<Amount> {
    let mut values: Vec<f64> = list_values(side, name).collect();
    summary::compute_median_in_place(&mut values).map(Amount::saturate)
}

/// Returns the note for a metric in place of one that is about a slowdown.
fn name_metric_note(note: Note, launches: usize) -> Note {
    match note {
        Note::Undecided { .. } => Note::Claim {
            issue: ClaimIssue::MetricUndecided {
                launches: u32::try_from(launches).unwrap_or(u32::MAX),
            },
        },
        other => other,
    }
}
