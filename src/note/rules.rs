//! What a check reports about the rules that judge it.

use serde::{Deserialize, Serialize};

/// What a reader must know about the `perfgate.toml` of the base commit, which judges a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "issue", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum RulesIssue {
    /// The change edits a rule, which does not judge the change itself.
    Changed {
        /// Name of the rule.
        rule: String,
        /// Value at the base. `None` if it is not set there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<String>,
        /// Value in the candidate. `None` if it is not set there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        candidate: Option<String>,
    },
    /// The change edits more rules than are named.
    MoreChanged {
        /// Number of rules that are not named.
        count: u32,
    },
    /// The change edits the command that prepares a checkout before its build.
    PrepareChanged {
        /// Command at the base, which prepares the base. `None` if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<String>,
        /// Command in the candidate, which prepares the candidate. `None` if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        candidate: Option<String>,
    },
    /// The change edits what is measured: the harness, or the command that starts it.
    SourceChanged {
        /// Source at the base, which measures the base. `None` if it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<String>,
        /// Source in the candidate, which measures the candidate. `None` if it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        candidate: Option<String>,
    },
    /// The rules of the base cannot be read, so the defaults judge.
    Unreadable {
        /// Abbreviated id of the base.
        commit: String,
        /// The error.
        cause: String,
    },
}
