//! Groups of undecided benchmarks and of unproven targets: one line for each reason, in place of one
//! for each benchmark.

use std::mem::discriminant;

use serde::Serialize;

use crate::decision::{Change, Decision, Judgement, TargetStatus};
use crate::note::Note;
use crate::units::Percent;

/// Maximum number of inconclusive benchmarks with a line of their own. More are grouped.
const MAX_SINGLE_CHANGES: usize = 5;
/// Maximum number of unproven targets with a line of their own. More are grouped.
const MAX_SINGLE_TARGETS: usize = 1;
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

/// Benchmarks or targets that are undecided for the same reason.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DoubtGroup<'a> {
    /// Number of benchmarks or targets.
    pub(crate) count: usize,
    /// The reason; `None` if the decision names none. If the reasons differ in a number, it is that
    /// of the first.
    pub(crate) note: Option<&'a Note>,
    /// Whether the reasons are the same in every detail.
    pub(crate) is_same: bool,
    /// The smallest and the largest of the slowdowns that are the smallest detectable ones; `None`
    /// unless this is the reason.
    pub(crate) detectable: Option<(Percent, Percent)>,
    /// The first benchmarks of the group.
    pub(crate) examples: Vec<&'a str>,
    /// Whether the group has other benchmarks than `examples`.
    pub(crate) has_more: bool,
    /// Whether the group is a reason for a verdict other than pass.
    pub(crate) is_reason: bool,
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
    group_by_reason(decision.benchmarks.iter().flat_map(|judgement| {
        let targets = judgement.targets.iter();
        let unproven = targets.filter(|target| target.status == TargetStatus::Unproven);
        unproven.map(|target| Doubt {
            id: &judgement.id,
            note: target.note.as_ref(),
            is_reason: decision.rests_on(target.verdict_reason()),
        })
    }))
}

fn list_undecided(judgements: &[Judgement]) -> impl Iterator<Item = &Judgement> {
    judgements.iter().filter(|judgement| judgement.change == Change::Inconclusive)
}

/// An undecided benchmark or an unproven target of it.
struct Doubt<'a> {
    id: &'a str,
    note: Option<&'a Note>,
    is_reason: bool,
}

/// Groups doubts whose notes are of the same kind. Sentences of old files have no kind, so only
/// equal ones belong together.
fn group_by_reason<'a>(doubts: impl Iterator<Item = Doubt<'a>>) -> Vec<DoubtGroup<'a>> {
    let mut groups: Vec<DoubtGroup<'a>> = Vec::new();
    for doubt in doubts {
        let place = groups.iter().position(|group| is_same_kind(group.note, doubt.note));
        let place = place.unwrap_or_else(|| {
            groups.push(DoubtGroup {
                count: 0,
                note: doubt.note,
                is_same: true,
                detectable: None,
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
        if let Some(Note::Undecided { detectable: Some(one), .. }) = doubt.note {
            let (low, high) = group.detectable.unwrap_or((*one, *one));
            group.detectable = Some((low.min(*one), high.max(*one)));
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
