//! The one function that turns runs and a policy into a decision.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::change::{self, Errors, Finding};
use super::looks::{self, Noise, Series, Terms};
use super::screen::screen;
use super::target::Calls;
use super::{
    BaselineKind, BaselineSource, CandidateSource, Change, Decision, Judgement, Launches,
    RatioInterval, SCHEMA, Stage, Target, TargetStatus, Verdict,
};
use super::{short, waive};
use crate::compare::{Axis, Comparison, compare};
use crate::policy::{Policy, Rules};
use crate::run::{Benchmark, BenchmarkId, Run};
use crate::stats::random_effects::LEAST_RUNS;
use crate::stats::{multiplicity, sequential, summary};
use crate::units::{Nanos, Ratio};

/// Error of a screen that passes a benchmark without confirmation.
const SCREEN_ERROR: f64 = 0.01;

/// All that a decision rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    /// The run that is judged.
    pub(crate) candidate: &'a Run,
    /// What it is compared with.
    pub(crate) baseline: Baseline<'a>,
    /// Base and candidate measured in turn, for the benchmarks that needed it.
    pub(crate) rounds: Option<Rounds<'a>>,
    /// What calibration told about each benchmark on this machine.
    pub(crate) noise: &'a BTreeMap<BenchmarkId, Noise>,
}

/// What a run is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Baseline<'a> {
    /// Nothing: every benchmark is new.
    None,
    /// Another run as it is, in one look.
    File(&'a Run),
    /// Stored runs, nearest first.
    Stored(&'a [Run]),
    /// Stored runs, nearest first, that only pass what they are very sure of: rounds confirm the rest.
    Screen(&'a [Run]),
}

/// Launches of base and candidate next to each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds<'a> {
    /// The launches of the base.
    pub(crate) baseline: &'a Run,
    /// The launches of the candidate.
    pub(crate) candidate: &'a Run,
    /// Benchmarks that entered the rounds: fixed before the first look.
    pub(crate) entered: usize,
    /// Benchmarks that did not enter because both sides have the same program of them.
    pub(crate) same: &'a [BenchmarkId],
    /// No more rounds will come.
    pub(crate) ended: bool,
}

/// Why a benchmark is unchanged that was not launched.
pub(super) const SAME_PROGRAM: &str =
    "both commits build the same program, byte for byte: there is nothing to measure";

impl Evidence<'_> {
    /// Have both sides the same program of this benchmark?
    fn is_same(&self, id: &BenchmarkId) -> bool {
        self.rounds.is_some_and(|rounds| rounds.same.contains(id))
    }

    /// A base that gave nothing at all is none.
    fn has_baseline(&self) -> bool {
        let has_base =
            |rounds: Rounds<'_>| !rounds.baseline.benchmarks.is_empty() || !rounds.same.is_empty();
        !matches!(self.baseline, Baseline::None) || self.rounds.is_some_and(has_base)
    }

    /// Was the baseline measured on another machine?
    fn is_elsewhere(&self) -> bool {
        let baseline = match self.baseline {
            Baseline::None => None,
            Baseline::File(run) => Some(run),
            Baseline::Stored(runs) | Baseline::Screen(runs) => runs.first(),
        };
        baseline.is_some_and(|run| run.host.fingerprint != self.candidate.host.fingerprint)
    }

    /// Are the nearest stored runs of the very code that is judged?
    fn is_same_commit(&self) -> bool {
        let (Baseline::Stored(runs) | Baseline::Screen(runs)) = self.baseline else { return false };
        let stored = runs.first().and_then(|run| run.commit.as_ref());
        let judged = self.candidate.commit.as_ref();
        stored.zip(judged).is_some_and(|(stored, judged)| stored.id == judged.id && !judged.dirty)
    }
}

/// Judges `evidence` by `policy`.
///
/// Benchmarks that are in the rounds are judged by them, the others by the baseline; with neither they
/// are *new*. What the policy does not select is left out of both sides.
pub(crate) fn decide(evidence: &Evidence<'_>, policy: &Policy) -> Decision {
    let mut judgements = judge_all(evidence, policy);
    let p_values: Vec<f64> = judgements.iter().filter_map(|one| one.p_value).collect();
    let mut q_values = multiplicity::benjamini_hochberg(&p_values).into_iter();
    for judgement in judgements.iter_mut().filter(|one| one.p_value.is_some()) {
        judgement.q_value = q_values.next();
    }
    waive::apply(&mut judgements, policy.waivers());
    let mut warnings = warnings(evidence);
    let has_baseline = evidence.has_baseline();
    warnings.extend(waive::complaints(&judgements, policy.waivers(), has_baseline));
    warnings.extend(short::complaint(&judgements, evidence.candidate.source));
    let verdict = verdict(evidence, &judgements, policy);
    Decision {
        schema: SCHEMA.to_owned(),
        verdict,
        exit_status: verdict.exit_status(),
        baseline: BaselineSource { screen: screen(evidence, &judgements), ..source(evidence) },
        candidate: CandidateSource {
            commit: evidence.candidate.commit.clone(),
            host: evidence.candidate.host.clone(),
        },
        benchmarks: judgements,
        fail_on: policy.fail_on().to_vec(),
        warnings,
    }
}

fn judge_all(evidence: &Evidence<'_>, policy: &Policy) -> Vec<Judgement> {
    let comparisons: Vec<Comparison<'_>> = comparisons(evidence, policy);
    let confirmed = confirmed(evidence, policy, &comparisons);
    let compared = comparisons.iter().filter(|one| one.is_testable()).count();
    let levels = stored_levels(evidence.baseline);
    comparisons
        .iter()
        .map(|comparison| {
            let rules = rules(comparison, policy);
            let (finding, stage) = match confirmed.get(&comparison.id) {
                Some(finding) => (finding.clone(), Some(Stage::Confirmed)),
                None if evidence.is_same(&comparison.id) => {
                    let reason = Some(SAME_PROGRAM.to_owned());
                    (Finding::untested(Change::Unchanged, reason), Some(Stage::Confirmed))
                }
                None => unconfirmed(evidence, comparison, &levels, compared, &rules),
            };
            describe(comparison, finding, stage, &rules, evidence, policy)
        })
        .collect()
}

/// The sides to be shown: those of the rounds where a benchmark was in them.
fn comparisons<'a>(evidence: &Evidence<'a>, policy: &Policy) -> Vec<Comparison<'a>> {
    let selected = |benchmark: &&Benchmark| policy.selection.selects(&benchmark.id);
    let candidate = evidence.candidate.benchmarks.iter().filter(selected);
    let mut comparisons = match evidence.baseline {
        Baseline::None => compare([], candidate),
        Baseline::File(run) => compare(run.benchmarks.iter().filter(selected), candidate),
        Baseline::Stored(runs) | Baseline::Screen(runs) => {
            compare(nearest(runs).filter(selected), candidate)
        }
    };
    if let Some(rounds) = evidence.rounds {
        let in_rounds = compare(
            rounds.baseline.benchmarks.iter().filter(selected),
            rounds.candidate.benchmarks.iter().filter(selected),
        );
        let mut places: HashMap<BenchmarkId, usize> = HashMap::new();
        places.extend(comparisons.iter().enumerate().map(|(place, one)| (one.id.clone(), place)));
        for comparison in in_rounds {
            match places.get(&comparison.id) {
                Some(place) => comparisons[*place] = comparison,
                None => comparisons.push(comparison),
            }
        }
        let unseen = rounds.same.iter().filter(|id| !places.contains_key(id));
        comparisons.extend(unseen.map(|id| Comparison::unmeasured(id.clone())));
    }
    comparisons
}

/// Of every benchmark its record in the nearest stored run of the nearest commit.
fn nearest(runs: &[Run]) -> impl Iterator<Item = &Benchmark> {
    let commit = |run: &Run| run.commit.as_ref().map(|commit| commit.id.clone());
    let first = runs.first().and_then(commit);
    let mut seen = HashSet::new();
    runs.iter()
        .filter(move |run| commit(run) == first)
        .flat_map(|run| &run.benchmarks)
        .filter(move |benchmark| seen.insert(benchmark.identity()))
}

fn rules(comparison: &Comparison<'_>, policy: &Policy) -> Rules {
    policy.rules(&comparison.id.id, comparison.baseline.and_then(typical))
}

/// The median of a typical launch.
fn typical(benchmark: &Benchmark) -> Option<Nanos> {
    let levels = summary::Summary::of(&benchmark.levels()).ok()?;
    Nanos::new(levels.mean().exp()).ok()
}

/// What the rounds say, by benchmark.
fn confirmed(
    evidence: &Evidence<'_>,
    policy: &Policy,
    comparisons: &[Comparison<'_>],
) -> HashMap<BenchmarkId, Finding> {
    let Some(rounds) = evidence.rounds else { return HashMap::new() };
    let measured: HashSet<BenchmarkId> =
        rounds.candidate.benchmarks.iter().map(Benchmark::identity).collect();
    let in_rounds: Vec<&Comparison<'_>> =
        comparisons.iter().filter(|one| measured.contains(&one.id) && one.is_testable()).collect();
    let suite: Vec<Series> = in_rounds
        .iter()
        .map(|comparison| Series {
            partners: comparison.partners(),
            noise: evidence.noise.get(&comparison.id).copied(),
            rules: rules(comparison, policy),
        })
        .collect();
    let terms = Terms {
        entered: rounds.entered,
        screened: matches!(evidence.baseline, Baseline::Screen(runs) if runs.len() >= LEAST_RUNS),
        ended: rounds.ended,
    };
    let ids = in_rounds.iter().map(|comparison| comparison.id.clone());
    ids.zip(looks::judge(&suite, terms)).collect()
}

/// What is said of a benchmark that was not in the rounds, and by which stage.
fn unconfirmed(
    evidence: &Evidence<'_>,
    comparison: &Comparison<'_>,
    levels: &HashMap<BenchmarkId, Vec<Vec<f64>>>,
    compared: usize,
    rules: &Rules,
) -> (Finding, Option<Stage>) {
    if let Some(untested) = untestable(comparison) {
        return (untested, None);
    }
    match evidence.baseline {
        Baseline::None => (Finding::untested(Change::New, None), None),
        _ if evidence.is_elsewhere() => {
            let mut finding = change::once(comparison, compared, rules);
            finding.change = Change::Inconclusive;
            finding.reasons = vec!["measured on another machine: not comparable".to_owned()];
            (finding, None)
        }
        Baseline::File(_) => (change::once(comparison, compared, rules), None),
        Baseline::Stored(_) | Baseline::Screen(_) => {
            let is_screen = matches!(evidence.baseline, Baseline::Screen(_));
            let errors = Errors {
                alpha: sequential::benchmark_alpha(compared),
                pass: if is_screen { SCREEN_ERROR } else { sequential::PASS_ERROR },
            };
            let own = comparison.candidate.map(Benchmark::levels).unwrap_or_default();
            let stored = levels.get(&comparison.id).map(Vec::as_slice).unwrap_or_default();
            let mut finding = change::stored(stored, &own, errors, rules);
            let is_change = matches!(finding.change, Change::Regressed | Change::Improved);
            let doubt = if evidence.is_same_commit() {
                Some("the stored runs are of the same commit: the machine changed")
            } else {
                is_screen.then_some("it looks changed by stored runs, and no rounds confirmed it")
            };
            if let Some(doubt) = doubt.filter(|_| is_change) {
                finding.change = Change::Inconclusive;
                finding.reasons = vec![doubt.to_owned()];
            }
            (finding, Some(Stage::Screened))
        }
    }
}

/// The launches of every stored run, by benchmark: logarithms of medians, nearest run first.
fn stored_levels(baseline: Baseline<'_>) -> HashMap<BenchmarkId, Vec<Vec<f64>>> {
    let mut levels: HashMap<BenchmarkId, Vec<Vec<f64>>> = HashMap::new();
    let (Baseline::Stored(runs) | Baseline::Screen(runs)) = baseline else { return levels };
    for benchmark in runs.iter().flat_map(|run| &run.benchmarks) {
        let launches = benchmark.levels();
        if !launches.is_empty() {
            levels.entry(benchmark.identity()).or_default().push(launches);
        }
    }
    levels
}

impl Comparison<'_> {
    fn is_testable(&self) -> bool {
        let has_launches = |side: Option<&Benchmark>| {
            side.is_some_and(|side| side.failure.is_none() && !side.launches.is_empty())
        };
        has_launches(self.baseline) && has_launches(self.candidate)
    }
}

/// What needs no test: failed, missing, new, or not the same thing on both sides.
fn untestable(comparison: &Comparison<'_>) -> Option<Finding> {
    let Some(candidate) = comparison.candidate else {
        let gone = "in the baseline, not in the candidate: deleted, renamed or not built";
        return Some(Finding::untested(Change::Missing, Some(gone.to_owned())));
    };
    if let Some(failure) = &candidate.failure {
        return Some(Finding::untested(Change::Failed, Some(failure.reason.clone())));
    }
    let Some(baseline) = comparison.baseline else {
        return Some(Finding::untested(Change::New, None));
    };
    if baseline.failure.is_some() || baseline.launches.is_empty() {
        let reason = "it could not be measured in the baseline";
        return Some(Finding::untested(Change::New, Some(reason.to_owned())));
    }
    (baseline.sampling != candidate.sampling).then(|| {
        let reason = "single calls on one side, batches on the other: not comparable";
        Finding::untested(Change::Inconclusive, Some(reason.to_owned()))
    })
}

fn describe(
    comparison: &Comparison<'_>,
    finding: Finding,
    stage: Option<Stage>,
    rules: &Rules,
    evidence: &Evidence<'_>,
    policy: &Policy,
) -> Judgement {
    let sides = || comparison.baseline.into_iter().chain(comparison.candidate);
    let axis = Axis::over(sides());
    let summarize = |side: Option<&Benchmark>| side?.summarize(axis, policy.confidence);
    let launches = |side: Option<&Benchmark>| {
        let measured = side.map_or(0, |side| side.launches.len());
        u32::try_from(finding.rounds.unwrap_or(measured)).unwrap_or(u32::MAX)
    };
    let shown = sides().last();
    Judgement {
        id: comparison.id.id.clone(),
        package: comparison.id.package.clone(),
        target: shown.and_then(|benchmark| benchmark.target.clone()),
        change: finding.change,
        ratio: finding.test.as_ref().map(|test| {
            let (low, high) = test.interval(policy.confidence.get());
            RatioInterval {
                low: Ratio::from_ln(low),
                point: Ratio::from_ln(test.difference),
                high: Ratio::from_ln(high),
                confidence: policy.confidence,
            }
        }),
        p_value: finding.p_value,
        q_value: None,
        launches: Launches {
            baseline: launches(comparison.baseline),
            candidate: launches(comparison.candidate),
        },
        minimum_detectable: finding.minimum_detectable,
        noise_floor: evidence.noise.get(&comparison.id).map(|noise| noise.floor),
        threshold: Some(rules.threshold),
        detect: Some(rules.detect),
        sampling: shown.map(|benchmark| benchmark.sampling),
        stage,
        per_call: shown.map(amounts).unwrap_or_default(),
        baseline: summarize(comparison.baseline),
        candidate: summarize(comparison.candidate),
        failure: comparison.candidate.and_then(|side| side.failure.clone()),
        instructions: None,
        targets: targets(comparison, rules),
        waiver: None,
        reasons: finding.reasons,
    }
}

/// Everything one call handles, by unit.
fn amounts(benchmark: &Benchmark) -> BTreeMap<String, f64> {
    let mut amounts = benchmark.per_call.clone();
    amounts.extend(benchmark.elements.map(|elements| ("elements".to_owned(), elements)));
    amounts
}

fn targets(comparison: &Comparison<'_>, rules: &Rules) -> Vec<Target> {
    let Some(candidate) = comparison.candidate else { return Vec::new() };
    if rules.targets.is_empty() || candidate.launches.is_empty() {
        return rules.targets.iter().map(|(metric, limit)| unmeasured(*metric, *limit)).collect();
    }
    let calls = Calls::of(candidate);
    rules.targets.iter().map(|(metric, limit)| calls.judge(*metric, *limit)).collect()
}

fn unmeasured(metric: crate::policy::Metric, limit: Nanos) -> Target {
    let status = TargetStatus::Unproven;
    let reason = Some("it could not be measured".to_owned());
    Target { metric, limit, low: None, point: None, high: None, status, reason }
}

/// The worst of all reasons; nothing measured, or not everything, is never a pass.
fn verdict(evidence: &Evidence<'_>, judgements: &[Judgement], policy: &Policy) -> Verdict {
    let is_measured = judgements
        .iter()
        .any(|one| one.launches.candidate > 0 || evidence.is_same(&one.identity()));
    let is_whole = evidence.candidate.complete
        && is_measured
        && (evidence.has_baseline() || !policy.requires_baseline());
    let reasons = judgements.iter().flat_map(Judgement::reasons);
    reasons
        .filter(|(reason, _)| policy.fail_on().contains(reason))
        .map(|(_, verdict)| verdict)
        .chain([if is_whole { Verdict::Pass } else { Verdict::Inconclusive }])
        .max()
        .unwrap_or(Verdict::Inconclusive)
}

fn source(evidence: &Evidence<'_>) -> BaselineSource {
    let confirmed = evidence.rounds.map(|_| Stage::Confirmed);
    let (kind, run, runs) = match (evidence.baseline, evidence.rounds) {
        (Baseline::Stored(runs) | Baseline::Screen(runs), _) if !runs.is_empty() => {
            (BaselineKind::Stored, runs.first(), u32::try_from(runs.len()).ok())
        }
        (Baseline::File(run), _) => (BaselineKind::File, Some(run), None),
        (_, Some(rounds)) => (BaselineKind::Interleaved, Some(rounds.baseline), None),
        _ => (BaselineKind::None, None, None),
    };
    let screened = (kind == BaselineKind::Stored).then_some(Stage::Screened);
    BaselineSource {
        kind: if confirmed.is_some() { BaselineKind::Interleaved } else { kind },
        commit: run.and_then(|run| run.commit.clone()),
        host: run.map(|run| run.host.clone()),
        runs,
        stages: screened.into_iter().chain(confirmed).collect(),
        screen: None,
    }
}

fn warnings(evidence: &Evidence<'_>) -> Vec<String> {
    let mut warnings = evidence.candidate.warnings.clone();
    if !evidence.candidate.complete {
        warnings.push("the measurement is incomplete, so it cannot pass".to_owned());
    }
    if evidence.candidate.commit.as_ref().is_some_and(|commit| commit.dirty) {
        warnings.push("the working tree had uncommitted changes".to_owned());
    }
    if let Some(rounds) = evidence.rounds {
        warnings.extend(rounds.baseline.warnings.iter().map(|said| format!("baseline: {said}")));
    }
    warnings
}
