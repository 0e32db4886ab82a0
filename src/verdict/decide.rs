//! The function `decide`, which turns evidence and a policy into a decision.

use super::claims::ClaimAnswers;
use super::evidence::{BaselineEvidence, Evidence};
use super::judge::judge_all;
use super::metric::list_unreported_metrics;
use super::screen::summarize_screen;
use super::{counts, more_time, outcome, release, short_launches, unmatched, waivers};
use crate::decision::{
    BaselineKind, BaselineSource, CandidateSource, CheckStage, Decision, Judgement,
};
use crate::note::Note;
use crate::policy::Policy;
use crate::stats::multiplicity;

/// Judges `evidence` by `policy`.
///
/// Benchmarks in the rounds are judged by the rounds, the others by the baseline. A benchmark in
/// neither is *new*. Benchmarks that the policy does not select are left out of both sides.
pub(crate) fn decide(evidence: &Evidence<'_>, policy: &Policy) -> Decision {
    // Plan: judge each benchmark, compute the q-values from the p-values, apply the
    // waivers, collect the notes, and derive the verdict. The waivers come before the verdict
    // because an accepted regression does not fail it. Counts do not change it.
    let (mut judgements, claims) = judge_all(evidence, policy);
    if let Some(rounds) = evidence.rounds {
        more_time::add_missing_time(&mut judgements, rounds, policy);
    }
    let p_values: Vec<f64> = judgements.iter().filter_map(|judgement| judgement.p_value).collect();
    let mut q_values = multiplicity::adjust_benjamini_hochberg(&p_values).into_iter();
    for judgement in judgements.iter_mut().filter(|judgement| judgement.p_value.is_some()) {
        judgement.q_value = q_values.next();
    }
    waivers::apply_trailers(&mut judgements, &evidence.trailers.accepted);
    counts::apply_counts(&mut judgements, evidence.counts);
    let notes = collect_notes(evidence, &judgements, &claims, policy);
    let outcome = outcome::conclude_check(evidence, &judgements, &claims, &notes, policy);
    let baseline = BaselineSource {
        screen: summarize_screen(evidence, &judgements),
        ..describe_baseline(evidence)
    };
    let candidate = CandidateSource {
        commit: evidence.candidate.commit.clone(),
        host: evidence.candidate.host.clone(),
        conditions: evidence.candidate.conditions.clone(),
        request: evidence.candidate.settings.request.clone(),
    };
    let fail_on = policy.fail_on().to_vec();
    let mut decision = Decision::new(outcome, baseline, candidate, judgements, fail_on, notes);
    (decision.sums, decision.expectations) = (claims.sums, claims.expectations);
    decision.cost = policy.hour_price().cloned();
    decision
}

/// Describes where the baseline came from. The caller adds the summary of the screen.
fn describe_baseline(evidence: &Evidence<'_>) -> BaselineSource {
    let confirmed_stage = evidence.rounds.map(|_| CheckStage::Confirmed);
    let (kind, run, runs) = match (evidence.baseline, evidence.rounds) {
        (BaselineEvidence::Stored(runs) | BaselineEvidence::Screen(runs), _)
            if !runs.is_empty() =>
        {
            (BaselineKind::Stored, runs.first(), u32::try_from(runs.len()).ok())
        }
        (BaselineEvidence::File(run), _) => (BaselineKind::File, Some(run), None),
        (_, Some(rounds)) => (BaselineKind::Rounds, Some(rounds.baseline), None),
        _ => (BaselineKind::None, None, None),
    };
    let screened_stage = (kind == BaselineKind::Stored).then_some(CheckStage::Screened);
    BaselineSource {
        kind: if confirmed_stage.is_some() { BaselineKind::Rounds } else { kind },
        commit: run.and_then(|run| run.commit.clone()),
        host: run.map(|run| run.host.clone()),
        conditions: run.map(|run| run.conditions.clone()).unwrap_or_default(),
        runs,
        stages: screened_stage.into_iter().chain(confirmed_stage).collect(),
        screen: None,
    }
}

/// Collects everything that weakens the answer as a whole; each note appears once.
fn collect_notes(
    evidence: &Evidence<'_>,
    judgements: &[Judgement],
    claims: &ClaimAnswers,
    policy: &Policy,
) -> Vec<Note> {
    // Order: the candidate, the base in the rounds, waivers, rules, advice, counts, how the evidence
    // was gathered, the last release, and commit messages.
    let mut notes = evidence.candidate.notes.clone();
    if !evidence.candidate.complete && !outcome::is_failure_of_setup(evidence, judgements) {
        notes.push(Note::Incomplete);
    }
    if evidence.candidate.commit.as_ref().is_some_and(|commit| commit.dirty) {
        notes.push(Note::DirtyTree);
    }
    if let Some(rounds) = evidence.rounds {
        let about_baseline = rounds.baseline.notes.iter().cloned();
        notes.extend(about_baseline.map(|note| Note::Baseline { about: Box::new(note) }));
    }
    let accepted = &evidence.trailers.accepted;
    let has_baseline = evidence.has_baseline();
    notes.extend(waivers::list_ineffective_trailers(judgements, accepted, has_baseline));
    notes.extend(unmatched::list_unmatched_rules(judgements, policy));
    notes.extend_from_slice(&claims.notes);
    let metrics = judgements.iter().map(|judgement| (judgement.id.as_str(), &judgement.metrics));
    notes.extend(list_unreported_metrics(&metrics, policy));
    notes.extend(outcome::list_undecided_rules(judgements, policy));
    let horizon = evidence.rounds.map(|rounds| rounds.horizon).unwrap_or_default();
    let source = evidence.candidate.source;
    notes.extend(short_launches::suggest_longer_launches(judgements, source, horizon));
    notes.extend(counts::explain_missing_counts(evidence.counts));
    notes.extend_from_slice(evidence.notes);
    // The rounds repeat notes of the candidate's first run, for example about skipped benches.
    if let Some(rounds) = evidence.rounds {
        notes.extend_from_slice(&rounds.candidate.notes);
    }
    notes.extend(release::list_creep(evidence, judgements, policy));
    notes.extend(waivers::list_unread_trailers(judgements, evidence.trailers));
    let mut once: Vec<Note> = Vec::with_capacity(notes.len());
    for note in notes {
        if let Some(known) = once.iter_mut().find(|known| are_same_load(known, &note)) {
            keep_larger_load(known, note);
        } else if !once.contains(&note) {
            once.push(note);
        }
    }
    once
}

/// Returns whether both notes are about the load of the machine at the same time. The candidate's
/// run and the rounds each measure it.
fn are_same_load(one: &Note, other: &Note) -> bool {
    matches!(
        (one, other),
        (Note::BusyBefore { .. }, Note::BusyBefore { .. })
            | (Note::BusyDuring { .. }, Note::BusyDuring { .. })
    )
}

/// Replaces `known` by `note`, which is about the same, if `note` has the larger load.
fn keep_larger_load(known: &mut Note, note: Note) {
    let read_load = |note: &Note| match note {
        Note::BusyBefore { others } | Note::BusyDuring { others } => Some(others.get()),
        _ => None,
    };
    if read_load(&note) > read_load(known) {
        *known = note;
    }
}
