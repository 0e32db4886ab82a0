//! The run that a check judges.

use anyhow::Result;

use super::{CheckSession, outputs};
use crate::run::Run;
use crate::session::measurement;
use crate::session::settings::explain_policy_error;

/// Returns the run to judge, measured now or read from `--run`, and writes it at once.
///
/// Fails if the run cannot be measured or written, or if a target does not fit its benchmarks.
pub(super) fn measure_or_read(check: &CheckSession<'_>) -> Result<Run> {
    let candidate = if let Some(run) = &check.given_run {
        run.clone()
    } else {
        // Read first: a file written next to the sources makes the tree dirty.
        let commit = check.project.read_head()?;
        let mut run = measurement::measure_criterion(
            &check.selection,
            &check.policy.selection,
            check.host.clone(),
            &check.effort,
            &check.interrupt,
        )?;
        run.commit = commit;
        run
    };
    outputs::write_run(&check.args.out, &candidate)?;
    check
        .policy
        .check_targets(&candidate.benchmarks)
        .map_err(|error| explain_policy_error(&error))?;
    Ok(candidate)
}
