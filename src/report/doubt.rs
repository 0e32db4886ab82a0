//! Groups of undecided benchmarks, of unproven targets and of targets that are met for a reason: one
//! line for each reason, in place of one for each benchmark.

use std::mem::discriminant;

use serde::Serialize;

use crate::decision::{Change, Decision, Judgement, TargetStatus};
use crate::note::Note;
use crate::units::{Nanos, Percent};

/// Maximum number of inconclusive benchmarks with a line of their own. More are grouped.
const MAX_SINGLE_CHANGES: usize = 5;
/// Maximum number of unproven targets with a line of their own. More are grouped.
const MAX_SINGLE_TARGETS: usize = 1;
/// Maximum number of groups whose reason is a sentence of an old file. Other reasons are of few kinds.
const MAX_SENTENCE_GROUPS: usize = 10;
/// Maximum number of benchmarks that a group names.
const MAX_EXAMPLES: usize = 3;

/// Whether the doubts of a decision are shown in groups.
#[derive(Clone, Copy, Debug)]
pub(super) struct DoubtGrouping {
    /// Whether inconclusive benchmarks are grouped.
    pub(super) groups_changes: bool,
    /// Whether unproven targets are grouped.
    pub(super) groups_targets: bool,
}

/// Benchmarks or targets that are undecided for the same reason, or targets that are met for the same
/// reason.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DoubtGroup<'a> {
    /// Number of benchmarks or targets.
    pub(crate) count: usize,
    /// The reason; `None` if the decision names none. If the reasons differ in a number, it is that
    /// of the first.
    pub(crate) note: Option<&'a Note>,
    /// Whether the reasons are the same in every detail.
    pub(crate) is_same: bool,
    /// The slowdowns that are the smallest detectable ones; `None` unless this is the reason.
    pub(crate) detectable: Option<DetectableRange>,
    /// Time of further rounds that would probably decide each of them, if it had them for itself: the
    /// longest of these times. `None` if it is not known.
    pub(crate) more_time: Option<Nanos>,
    /// The first benchmarks of the group.
    pub(crate) examples: Vec<&'a str>,
    /// Whether the group has other benchmarks than `examples`.
    pub(crate) has_more: bool,
    /// Whether the group is a reason for a verdict other than pass.
    pub(crate) is_reason: bool,
}

/// The smallest detectable slowdowns of a group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct DetectableRange {
    /// The smallest of them.
    pub(crate) low: Percent,
    /// The largest of them; `None` if it is the same.
    pub(crate) high: Option<Percent>,
}

impl DetectableRange {
    /// Returns the range that also holds `other`. Without a range, it holds only that.
    fn extend(range: Option<Self>, other: Percent) -> Self {
        let low = range.map_or(other, |range| range.low.min(other));
        let high = range.map_or(other, |range| range.high.unwrap_or(range.low).max(other));
        Self { low, high: Some(high).filter(|high| *high != low) }
    }
}

impl DoubtGrouping {
    /// Chooses what is grouped: what there is too much of.
    pub(super) fn choose(decision: &Decision) -> Self {
        let changes = list_undecided(&decision.benchmarks).count();
        let targets = decision.benchmarks.iter().flat_map(|judgement| &judgement.targets);
        let unproven = targets.filter(|target| target.status == TargetStatus::Unproven).count();
        Self {
            groups_changes: changes > MAX_SINGLE_CHANGES,
            groups_targets: unproven > MAX_SINGLE_TARGETS,
        }
    }
}

/// Groups the inconclusive benchmarks by their reason, the largest group first. Returns none if
/// they are few enough for a line each.
pub(crate) fn group_undecided(decision: &Decision) -> Vec<DoubtGroup<'_>> {
    if !DoubtGrouping::choose(decision).groups_changes {
        return Vec::new();
    }
    group_by_reason(list_undecided(&decision.benchmarks).map(|judgement| Doubt {
        id: &judgement.id,
        note: judgement.notes.first(),
        is_reason: decision.rests_on(judgement.change_reason()),
    }))
}

/// Groups the unproven targets by their reason, the largest group first. Returns none if they are
/// few enough for a line each.
pub(crate) fn group_unproven(decision: &Decision) -> Vec<DoubtGroup<'_>> {
    if !DoubtGrouping::choose(decision).groups_targets {
        return Vec::new();
    }
    group_by_reason(list_targets(decision, TargetStatus::Unproven))
}

/// Groups the targets that are met for a reason that their figures do not show, the largest group
/// first.
pub(super) fn group_met(decision: &Decision) -> Vec<DoubtGroup<'_>> {
    group_by_reason(list_targets(decision, TargetStatus::Met).filter(|met| met.note.is_some()))
}

/// Returns the targets with this status, those of one benchmark next to each other.
fn list_targets(decision: &Decision, status: TargetStatus) -> impl Iterator<Item = Doubt<'_>> {
    decision.benchmarks.iter().flat_map(move |judgement| {
        let targets = judgement.targets.iter().filter(move |target| target.status == status);
        targets.map(|target| Doubt {
            id: &judgement.id,
            note: target.note.as_ref(),
            is_reason: decision.rests_on(target.verdict_reason()),
        })
    })
}

fn list_undecided(judgements: &[Judgement]) -> impl Iterator<Item = &Judgement> {
    judgements.iter().filter(|judgement| judgement.change == Change::Inconclusive)
}

/// An undecided benchmark, or a target of it with its reason.
struct Doubt<'a> {
    id: &'a str,
    note: Option<&'a Note>,
    is_reason: bool,
}

/// Groups doubts whose notes are of the same kind. Sentences of old files have no kind, so only
/// equal ones belong together, unless there are more than [`MAX_SENTENCE_GROUPS`]: the last group
/// then has the others.
fn group_by_reason<'a>(doubts: impl Iterator<Item = Doubt<'a>>) -> Vec<DoubtGroup<'a>> {
    let mut groups: Vec<DoubtGroup<'a>> = Vec::new();
    for doubt in doubts {
        let place = groups.iter().position(|group| is_same_kind(group.note, doubt.note));
        let place = place.or_else(|| find_last_sentence_group(&groups, doubt.note));
        let place = place.unwrap_or_else(|| {
            groups.push(DoubtGroup {
                count: 0,
                note: doubt.note,
                is_same: true,
                detectable: None,
                more_time: None,
                examples: Vec::new(),
                has_more: false,
                is_reason: false,
            });
            groups.len() - 1
        });
        let group = &mut groups[place];
        group.count += 1;
        group.is_same &= group.note == doubt.note;
        group.is_reason |= doubt.is_reason;
        if let Some(Note::Undecided { detectable, more_time, .. }) = doubt.note {
            if let Some(one) = detectable {
                group.detectable = Some(DetectableRange::extend(group.detectable, *one));
            }
            group.more_time = group.more_time.max(*more_time);
        }
        // The targets of one benchmark are next to each other.
        if group.examples.last() != Some(&doubt.id) {
            if group.examples.len() < MAX_EXAMPLES {
                group.examples.push(doubt.id);
            } else {
                group.has_more = true;
            }
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

/// Returns the place of the last group of a sentence if `note` is a sentence too and there are as
/// many such groups as there may be.
fn find_last_sentence_group(groups: &[DoubtGroup<'_>], note: Option<&Note>) -> Option<usize> {
    let is_sentence = |note: Option<&Note>| matches!(note, Some(Note::Recorded { .. }));
    if !is_sentence(note) {
        return None;
    }
    let mut places = (0..groups.len()).filter(|place| is_sentence(groups[*place].note));
    places.nth(MAX_SENTENCE_GROUPS - 1)
}

fn is_same_kind(one: Option<&Note>, other: Option<&Note>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(Note::Recorded { sentence: one }), Some(Note::Recorded { sentence: other })) => {
            one == other
        }
        (Some(one), Some(other)) => discriminant(one) == discriminant(other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{DetectableRange, Doubt, group_by_reason};
    use crate::note::Note;
    use crate::units::Percent;

    #[test]
    fn a_group_with_one_detectable_slowdown_has_no_range() {
        let percent = |share: f64| Percent::new(share).unwrap();
        let range = |shares: &[f64]| {
            let notes: Vec<Note> = shares
                .iter()
                .map(|share| Note::Undecided {
                    rounds: None,
                    detectable: Some(percent(*share)),
                    more_time: None,
                })
                .collect();
            let doubts =
                notes.iter().map(|note| Doubt { id: "a", note: Some(note), is_reason: false });
            group_by_reason(doubts)[0].detectable.unwrap()
        };
        let alike = DetectableRange { low: percent(0.02), high: None };
        assert_eq!(range(&[0.02, 0.02]), alike);
        let apart = DetectableRange { low: percent(0.01), high: Some(percent(0.03)) };
        assert_eq!(range(&[0.02, 0.01, 0.03, 0.02]), apart);
    }
}
