//! The words about the rules that judge a check.

use super::join_lines;
use crate::note::RulesIssue;

/// Returns the sentence of `issue`.
pub(super) fn describe_rules_issue(issue: &RulesIssue) -> String {
    match issue {
        RulesIssue::Changed { rule, base, candidate } => {
            let [base, candidate] =
                [base, candidate].map(|value| value.as_deref().unwrap_or("not set"));
            format!(
                "the change edits `perfgate.toml`: `{rule}` ({base} → {candidate}) takes effect after the merge; \
                 until then the base commit's rule judges"
            )
        }
        RulesIssue::PrepareChanged { base, candidate } => {
            let [base, candidate] =
                [base, candidate].map(|value| value.as_deref().unwrap_or("not set"));
            format!(
                "the change edits `measure.prepare` in `perfgate.toml` ({base} → {candidate}): \
                 the base is prepared by its own command, the candidate by the new one"
            )
        }
        RulesIssue::SourceChanged { base: None, candidate: Some(candidate) } => format!(
            "the change adds `measure.source` to `perfgate.toml` ({candidate}): both sides are \
             prepared and measured by it"
        ),
        RulesIssue::SourceChanged { base, candidate } => {
            let [base, candidate] =
                [base, candidate].map(|value| value.as_deref().unwrap_or("not set"));
            format!(
                "the change edits `measure.source` in `perfgate.toml` ({base} → {candidate}): \
                 the base is measured by its own source, the candidate by the new one"
            )
        }
        RulesIssue::MoreChanged { count } => {
            let rules = match count {
                1 => "1 more rule".to_owned(),
                count => format!("{count} more rules"),
            };
            format!("the change edits {rules} of `perfgate.toml`; they take effect after the merge")
        }
        RulesIssue::Unreadable { commit, cause } => format!(
            "the rules of base {commit} could not be read, so the default rules judge: {}",
            join_lines(cause)
        ),
    }
}
