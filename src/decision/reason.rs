//! Reasons that keep a check from passing.

use super::{Change, Decision, Judgement, MetricJudgement, TargetJudgement, TargetStatus, Verdict};
use crate::note::Note;
use crate::policy::FailOn;

/// A reason, and the verdict that it leads to if the policy fails on it.
pub(crate) type VerdictReason = (FailOn, Verdict);

impl Judgement {
    /// Returns the reason that the change gives against a pass. Returns `None` if there is no
    /// reason, or if the change was accepted.
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

    /// Yields the reasons that the change, the metrics and the targets give against a pass.
    pub(crate) fn verdict_reasons(&self) -> impl Iterator<Item = VerdictReason> {
        self.change_reason()
            .into_iter()
            .chain(self.metrics.values().filter_map(MetricJudgement::change_reason))
            .chain(self.targets.iter().filter_map(TargetJudgement::verdict_reason))
    }
}

impl MetricJudgement {
    /// Returns the reason that the change of the metric gives against a pass. Returns `None` if there
    /// is no reason, if it is not judged, or if the change was accepted.
    pub(crate) fn change_reason(&self) -> Option<VerdictReason> {
        let reason = match self.change? {
            Change::Regressed => (FailOn::Regressed, Verdict::Fail),
            Change::Missing => (FailOn::Missing, Verdict::Fail),
            Change::Inconclusive => (FailOn::Inconclusive, Verdict::Inconclusive),
            Change::Failed | Change::Improved | Change::New | Change::Unchanged => return None,
        };
        self.waiver.is_none().then_some(reason)
    }
}

impl TargetStatus {
    /// Returns the reason that a target or a claim with this status gives against a pass, or `None`
    /// if it is met.
    pub(crate) fn verdict_reason(self) -> Option<VerdictReason> {
        match self {
            Self::Missed => Some((FailOn::TargetMissed, Verdict::Fail)),
            Self::Unproven => Some((FailOn::TargetUnproven, Verdict::Inconclusive)),
            Self::Met => None,
        }
    }
}

impl TargetJudgement {
    /// Returns the reason that the target gives against a pass, or `None` if the target is met.
    pub(crate) fn verdict_reason(&self) -> Option<VerdictReason> {
        self.status.verdict_reason()
    }
}

impl Note {
    /// Returns the reason that a note about the whole check gives against a pass. Returns `None` for
    /// most notes.
    pub(crate) fn check_reason(&self) -> Option<VerdictReason> {
        let is_unmatched = match self {
            Self::TargetMatchesNothing { .. } => true,
            Self::Claim { issue } => issue.is_unmatched(),
            _ => false,
        };
        is_unmatched.then_some((FailOn::TargetUnproven, Verdict::Inconclusive))
    }

    /// Returns whether a reviewer must read this even if the check passes: the change edits the rules
    /// that later changes are judged by, or the store is damaged.
    pub(crate) fn must_be_read(&self) -> bool {
        matches!(self, Self::BaseRules { .. } | Self::StoredRunIgnored { .. })
    }

    /// Returns whether this is why the base commit was not measured beside the candidate.
    pub(crate) fn is_base_obstacle(&self) -> bool {
        matches!(
            self,
            Self::BaseNotBuilt { .. }
                | Self::BaseHasNoManifest { .. }
                | Self::BaseHasNoProfile { .. }
                | Self::BaseNotMeasured { .. }
                | Self::BaseBesideRunFile { .. }
                | Self::BaseUnknown { .. }
                | Self::HeadNotBuilt { .. }
        )
    }
}

impl Decision {
    /// Returns whether `reason` leads to the verdict of this decision and the policy fails on it.
    /// Returns `false` for `None`.
    pub(crate) fn rests_on(&self, reason: Option<VerdictReason>) -> bool {
        reason.is_some_and(|(reason, verdict)| {
            verdict == self.verdict && self.fail_on.contains(&reason)
        })
    }
}
