//! What speaks against a pass.

use super::{Change, Decision, Judgement, Target, TargetStatus, Verdict};
use crate::policy::FailOn;

/// A reason, and the verdict that it leads to where the policy fails on it.
pub(crate) type Reason = (FailOn, Verdict);

impl Judgement {
    /// What its change speaks against a pass; none where it is accepted.
    pub(crate) fn change_reason(&self) -> Option<Reason> {
        let reason = match self.change {
            Change::Regressed => (FailOn::Regressed, Verdict::Fail),
            Change::Missing => (FailOn::Missing, Verdict::Fail),
            Change::Failed => (FailOn::Failed, Verdict::Fail),
            Change::Inconclusive => (FailOn::Inconclusive, Verdict::Inconclusive),
            Change::Improved | Change::New | Change::Unchanged => return None,
        };
        self.waiver.is_none().then_some(reason)
    }

    /// Everything of it that speaks against a pass.
    pub(super) fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.change_reason().into_iter().chain(self.targets.iter().filter_map(Target::reason))
    }
}

impl Target {
    /// What it speaks against a pass.
    pub(crate) fn reason(&self) -> Option<Reason> {
        match self.status {
            TargetStatus::Missed => Some((FailOn::TargetMissed, Verdict::Fail)),
            TargetStatus::Unproven => Some((FailOn::TargetUnproven, Verdict::Inconclusive)),
            TargetStatus::Met => None,
        }
    }
}

impl Decision {
    /// Whether `reason` is one of those for which the verdict is what it is.
    pub(crate) fn rests_on(&self, reason: Option<Reason>) -> bool {
        reason.is_some_and(|(reason, verdict)| {
            verdict == self.verdict && self.fail_on.contains(&reason)
        })
    }
}
