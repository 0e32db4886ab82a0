//! What a check found out as a whole, and whether it blocks. The verdict states what is known;
//! `fail-on` states what blocks.

use super::claims::ClaimAnswers;
use super::evidence::{BaselineEvidence, Evidence};
use crate::decision::{Change, CheckOutcome, Judgement, TargetStatus, Verdict};
use crate::note::Note;
use crate::policy::{FailOn, Policy, PolicyRule};
use crate::run::Benchmark;

/// Derives verdict and blocking from the judgements of all benchmarks and the notes about the check.
///
/// A check fails if a reason of `fail-on` is worse than tolerated. It is inconclusive and blocks if
/// `fail-on` lists what is not known, or if nothing usable was measured. It is inconclusive
/// without blocking if it could not tell enough.
pub(super) fn conclude_check(
    evidence: &Evidence<'_>,
    judgements: &[Judgement],
    claims: &ClaimAnswers,
    notes: &[Note],
    policy: &Policy,
) -> CheckOutcome {
    let reasons = judgements
        .iter()
        .flat_map(Judgement::verdict_reasons)
        .chain(claims.statuses().filter_map(TargetStatus::verdict_reason))
        .chain(notes.iter().filter_map(Note::check_reason));
    let worst = reasons
        .filter(|(reason, _)| policy.fail_on().contains(reason))
        .map(|(_, verdict)| verdict)
        .max()
        .unwrap_or(Verdict::Pass);
    let is_usable = is_measurement_usable(evidence, judgements, policy);
    let (verdict, blocks_undecided) = match worst {
        Verdict::Fail => (Verdict::Fail, true),
        Verdict::Pass
            if is_usable && answers_enough(evidence, judgements, claims, notes, policy) =>
        {
            (Verdict::Pass, false)
        }
        Verdict::Pass if is_usable => {
            (Verdict::Inconclusive, policy.fail_on().contains(&FailOn::Inconclusive))
        }
        Verdict::Inconclusive | Verdict::Pass => (Verdict::Inconclusive, true),
    };
    CheckOutcome { verdict, blocks_undecided }
}

/// Returns a note for each rule of the policy about which nothing is decided, although something
/// is decided about other benchmarks.
pub(super) fn list_undecided_rules(judgements: &[Judgement], policy: &Policy) -> Vec<Note> {
    let rules = policy.list_rules().filter(|rule| is_rule_undecided(rule, judgements));
    let patterns = rules.map(|rule| rule.pattern);
    let partial = patterns
        .filter(|pattern| judgements.iter().any(|judgement| !pattern.matches(&judgement.id)));
    partial.map(|pattern| Note::RuleUndecided { pattern: pattern.as_str().to_owned() }).collect()
}

/// Returns whether the measurement is complete, has a benchmark, and has the baseline that the
/// policy or the command line requires.
fn is_measurement_usable(
    evidence: &Evidence<'_>,
    judgements: &[Judgement],
    policy: &Policy,
) -> bool {
    let is_measured = judgements.iter().any(|judgement| {
        judgement.launches.candidate > 0 || evidence.find_same_program(&judgement.to_id()).is_some()
    });
    (evidence.candidate.complete || is_failure_of_setup(evidence, judgements))
        && is_measured
        && (evidence.has_baseline() || !policy.requires_baseline())
        && !evidence.lacks_named_base()
}

/// Returns whether the candidate's run is incomplete only because of benchmarks whose failure is no
/// fault of the change.
pub(super) fn is_failure_of_setup(evidence: &Evidence<'_>, judgements: &[Judgement]) -> bool {
    let failed = evidence.candidate.benchmarks.iter().filter(|one| one.failure.is_some());
    let mut failed = failed.map(Benchmark::to_id).peekable();
    failed.peek().is_some()
        && failed.all(|id| {
            let same = judgements.iter().find(|judgement| judgement.to_id() == id);
            same.is_some_and(|judgement| judgement.change == Change::Inconclusive)
        })
}

/// Returns whether the check could tell enough for a pass. Without a comparison, its targets
/// answer. A target without a benchmark has no answer.
fn answers_enough(
    evidence: &Evidence<'_>,
    judgements: &[Judgement],
    claims: &ClaimAnswers,
    notes: &[Note],
    policy: &Policy,
) -> bool {
    let compared = judgements.iter().filter(|judgement| judgement.change.is_compared());
    let (mut decided, mut undecided) = (0_usize, 0_usize);
    for judgement in compared {
        let is_open = judgement.change == Change::Inconclusive || judgement.has_open_metric();
        let count = if is_open { &mut undecided } else { &mut decided };
        *count += 1;
    }
    let has_answer = if decided + undecided > 0 {
        undecided <= decided
    } else {
        let targets = judgements.iter().flat_map(|judgement| &judgement.targets);
        let mut statuses = targets.map(|target| target.status).chain(claims.statuses());
        let is_comparison_wanted = evidence.wants_baseline || evidence.has_baseline();
        !is_comparison_wanted && statuses.any(|status| status != TargetStatus::Unproven)
    };
    let is_unmatched = notes.iter().any(|note| note.check_reason().is_some());
    has_answer
        && !is_unmatched
        && !lacks_stored_runs(evidence, notes)
        && !policy.list_rules().any(|rule| is_rule_undecided(&rule, judgements))
}

/// Returns whether the answer rests on stored runs and some of them could not be read. A nearer run
/// may show what the others do not. Launches of both sides need no stored runs.
fn lacks_stored_runs(evidence: &Evidence<'_>, notes: &[Note]) -> bool {
    let rests_on_launches =
        evidence.rounds.is_some() && matches!(evidence.baseline, BaselineEvidence::None);
    !rests_on_launches && notes.iter().any(|note| matches!(note, Note::StoredRunIgnored { .. }))
}

/// Returns whether the rule names benchmarks and none of them is decided.
fn is_rule_undecided(rule: &PolicyRule<'_>, judgements: &[Judgement]) -> bool {
    let named = judgements.iter().filter(|judgement| rule.pattern.matches(&judgement.id));
    let mut answers = named.filter_map(|judgement| is_undecided(judgement, rule)).peekable();
    answers.peek().is_some() && answers.all(|is_undecided| is_undecided)
}

/// Returns whether the change of a benchmark, or a target that the rule sets for it, is open.
/// Returns `None` if the rule asks nothing of it: it was not compared and has no such target.
fn is_undecided(judgement: &Judgement, rule: &PolicyRule<'_>) -> Option<bool> {
    let is_open = judgement.change == Change::Inconclusive || judgement.has_open_metric();
    let change = judgement.change.is_compared().then_some(is_open);
    let targets = judgement.targets.iter().filter(|target| rule.figures.contains(&target.metric));
    let targets = targets.map(|target| target.status == TargetStatus::Unproven);
    change.into_iter().chain(targets).reduce(|one, other| one || other)
}
