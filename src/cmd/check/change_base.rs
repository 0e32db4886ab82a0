//! The commits that a change is measured against and judged by: the base of a pull request or a
//! merge group, or where a local branch left the default branch.

use crate::git::{CommitId, DefaultBranch, Repository};
use crate::note::Note;
use crate::run::MeasuredCommit;
use crate::session::workflow::WorkflowTrigger;

use super::remote;

/// The event of a timetable. It always runs on the default branch, and names no branch.
const SCHEDULE: &str = "schedule";

/// The base of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChangeBase {
    /// The commit to measure next to the candidate.
    pub(super) commit: CommitId,
    /// The commit whose `perfgate.toml` judges: the tip of the branch that the change goes into.
    /// `None` if the change is not even committed and that branch is checked out, so that the file
    /// in the working tree judges.
    pub(super) rules: Option<CommitId>,
    /// Whether a stranger may have made the change: it is a pull request or in a merge group.
    pub(super) is_proposed: bool,
}

/// The outcome of the search for the base of a change.
#[derive(Debug)]
pub(super) enum BaseSearch {
    /// The candidate is a change with this base.
    Found(ChangeBase),
    /// The candidate is in the default branch, so it is no change.
    NoChange,
    /// It is not known which. The note has the reason if a base should have been found.
    Unknown(Option<Note>),
}

impl BaseSearch {
    /// Finds the base of the checked-out `head`.
    pub(super) fn run(
        repository: &Repository,
        head: &MeasuredCommit,
        trigger: Option<&WorkflowTrigger>,
    ) -> Self {
        let Some(commit) = CommitId::parse(&head.id) else { return Self::Unknown(None) };
        // The event names the base. For anything else, the history shows it.
        let named = trigger.and_then(|trigger| find_named_base(repository, &commit, trigger));
        match named {
            Some(base) => Self::Found(base),
            None => find_base_in_history(repository, head, &commit, trigger),
        }
    }
}

/// Returns the base that a pull request or a merge group names. Returns `None` for other events.
///
/// A pull request is checked out as its merge, whose first parent is the tip of the base branch. If
/// its own head is checked out instead, the commit at which it left the base branch is measured, and
/// the tip of that branch still has the rules.
fn find_named_base(
    repository: &Repository,
    head: &CommitId,
    trigger: &WorkflowTrigger,
) -> Option<ChangeBase> {
    let base = trigger.find_base();
    if trigger.is_about_pull_request() {
        let parents = repository.read_parents(head).unwrap_or_default();
        if let [first, second] = parents.as_slice()
            && trigger.find_pull_head().is_none_or(|pull| pull == *second)
        {
            let rules = Some(first.clone());
            return Some(ChangeBase { commit: first.clone(), rules, is_proposed: true });
        }
    }
    let rules = base?;
    let merge_base = repository.find_merge_base(head, &rules);
    let commit = merge_base.unwrap_or_else(|| rules.clone());
    Some(ChangeBase { commit, rules: Some(rules), is_proposed: true })
}

/// Finds where the candidate left the default branch. On that branch itself, only changes that are
/// not committed have a base: the checked-out commit.
fn find_base_in_history(
    repository: &Repository,
    head: &MeasuredCommit,
    commit: &CommitId,
    trigger: Option<&WorkflowTrigger>,
) -> BaseSearch {
    if trigger.is_some_and(|trigger| trigger.event == SCHEDULE) {
        return BaseSearch::NoChange;
    }
    let name = trigger.and_then(WorkflowTrigger::default_branch);
    let default = repository.find_default_branch(name);
    let parted = match &default {
        Some(DefaultBranch { name, .. }) if head.branch.as_ref() == Some(name) => Parted::Nowhere,
        Some(DefaultBranch { tip, .. }) => Parted::find(repository, commit, tip),
        None => Parted::Unknown,
    };
    // A shallow checkout of a workflow has neither the default branch nor the way to it.
    let (parted, cause) = match (parted, name) {
        (Parted::Unknown, Some(name)) if repository.is_shallow() => {
            match remote::fetch_default_branch(repository, name, commit) {
                Ok(Some(tip)) => (Parted::find(repository, commit, &tip), None),
                Ok(None) => (Parted::Unknown, None),
                Err(error) => (Parted::Unknown, Some(remote::describe_store_error(&error.into()))),
            }
        }
        (parted, _) => (parted, None),
    };
    match parted {
        Parted::At(merge_base) => BaseSearch::Found(ChangeBase {
            commit: merge_base.clone(),
            rules: Some(merge_base),
            is_proposed: false,
        }),
        // Files that a workflow leaves in its checkout are no change.
        Parted::Nowhere if head.dirty && trigger.is_none() => {
            let commit = commit.clone();
            BaseSearch::Found(ChangeBase { commit, rules: None, is_proposed: false })
        }
        Parted::Nowhere => BaseSearch::NoChange,
        Parted::Unknown => {
            let is_expected = default.is_some() || name.is_some();
            BaseSearch::Unknown(is_expected.then_some(Note::BaseUnknown { cause }))
        }
    }
}

/// Where a commit left the default branch.
enum Parted {
    /// At this commit.
    At(CommitId),
    /// It did not: it is in the default branch.
    Nowhere,
    /// The history does not show it, or there is no default branch.
    Unknown,
}

impl Parted {
    /// Finds where `commit` left the branch with this tip.
    fn find(repository: &Repository, commit: &CommitId, tip: &CommitId) -> Self {
        match repository.find_merge_base(commit, tip) {
            Some(merge_base) if merge_base == *commit => Self::Nowhere,
            Some(merge_base) => Self::At(merge_base),
            None => Self::Unknown,
        }
    }
}
