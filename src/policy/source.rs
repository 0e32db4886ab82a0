//! `source` of `[measure]`: what is measured in place of Criterion benches.

use serde::Deserialize;

use crate::measure::adapter::AdapterChoice;

/// What is measured in place of Criterion benches.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "SourceTable")]
pub(crate) enum SourceConfig {
    /// Another harness, started once per launch.
    Harness {
        /// The adapter that reads what the harness prints or writes.
        adapter: AdapterChoice,
        /// Script for `sh` that starts the harness. `{out}` is the file that it writes, if any.
        command: String,
    },
}

/// The keys of the table, as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceTable {
    adapter: Option<String>,
    command: Option<String>,
}

impl TryFrom<SourceTable> for SourceConfig {
    type Error = String;

    /// Fails if a key is missing, if the command is empty, or if there is no adapter of this name.
    fn try_from(table: SourceTable) -> Result<Self, String> {
        let SourceTable { adapter, command } = table;
        let adapter = adapter.ok_or("`source` has no `adapter`, the name of a harness")?;
        let command = command.ok_or("`source` has no `command`, which starts the harness")?;
        if command.trim().is_empty() {
            return Err("the `command` of `source` is empty".to_owned());
        }
        if let Some(adapter) = AdapterChoice::find_choice(&adapter) {
            return Ok(Self::Harness { adapter, command });
        }
        // In the form of serde, from which the remedy is found.
        let names: Vec<_> = AdapterChoice::list_choices().map(|name| format!("`{name}`")).collect();
        Err(format!("unknown variant `{adapter}`, expected one of {}", names.join(", ")))
    }
}
