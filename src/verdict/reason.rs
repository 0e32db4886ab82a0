//! What speaks against a pass.

use super::{Change, Decision, Judgement, TargetJudgement, TargetStatus, Verdict};
use crate::policy::FailOn;

/// A reason, and the verdict that it leads to where the policy fails on it.
pub(crate) type VerdictReason = (FailOn, Verdict);

impl Judgement {
    /// What its change speaks against a pass; none where it is accepted.
    pub(crate) fn change_reason(&self) -> Option<VerdictReason> {
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
    pub(super) fn verdict_reasons(&self) -> impl Iterator<Item = VerdictReason> {
        self.change_reason()
            .into_iter()
            .chain(self.targets.iter().filter_map(TargetJudgement::verdict_reason))
    }
}

impl TargetJudgement {
    /// What it speaks against a pass.
    pub(crate) fn verdict_reason(&self) -> Option<VerdictReason> {
        match self.status {
            TargetStatus::Missed => Some((FailOn::TargetMissed, Verdict::Fail)),
            TargetStatus::Unproven => Some((FailOn::TargetUnproven, Verdict::Inconclusive)),
            TargetStatus::Met => None,
        }
    }
}

impl Decision {
    /// Whether `reason` is one of those for which the verdict is what it is.
    pub(crate) fn rests_on(&self, reason: Option<VerdictReason>) -> bool {
        reason.is_some_and(|(reason, verdict)| {
            verdict == self.verdict && self.fail_on.contains(&reason)
        })
    }
}
