//! Rules of the policy that match no benchmark, most likely because an id was misspelled.

use crate::decision::Judgement;
use crate::note::Note;
use crate::policy::Policy;
use crate::selection::find_nearest_id;

/// Returns a note for each `[[target]]` and `[[bench]]` that matches no benchmark of either side.
///
/// A target that matches nothing is unproven. Leaves out rules that may be about benchmarks that are
/// not judged. Returns none if nothing was measured.
pub(super) fn list_unmatched_rules(judgements: &[Judgement], policy: &Policy) -> Vec<Note> {
    let ids: Vec<&str> = judgements.iter().map(|judgement| judgement.id.as_str()).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let rules = policy.list_rules().filter(|rule| policy.covers_rule(rule.pattern));
    let unmatched = rules.filter(|rule| !ids.iter().any(|id| rule.pattern.matches(id)));
    unmatched
        .map(|rule| {
            let pattern = rule.pattern.as_str().to_owned();
            let nearest = find_nearest_id(&pattern, &ids).map(str::to_owned);
            if rule.figures.is_empty() {
                Note::ExceptionMatchesNothing { pattern, nearest }
            } else {
                Note::TargetMatchesNothing { pattern, nearest }
            }
        })
        .collect()
}
