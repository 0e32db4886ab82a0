//! Writes the output files of a check, and saves its run as a baseline.

use std::path::Path;

use anyhow::Result;

use super::inputs::CheckInputs;
use crate::decision::Decision;
use crate::render::render_run_json;
use crate::run::Run;
use crate::session::output_files::{write_decision_files, write_output};
use crate::session::recording::check_recordable;
use crate::session::{CommandError, print};
use crate::store::StoreError;

/// Writes the run to `run.json` in `folder`. A check calls this as soon as the run exists, because
/// later steps may fail.
///
/// Fails if the file cannot be written.
pub(super) fn write_run(folder: &Path, run: &Run) -> Result<()> {
    write_output(folder, "run.json", &render_run_json(run)?)
}

/// Writes and prints the decision, and saves the candidate as a baseline if this is asked for.
///
/// Fails if an output cannot be written or the store fails.
pub(super) fn write(check: &CheckInputs<'_>, candidate: &Run, decision: &Decision) -> Result<()> {
    write_decision_files(&check.args.out, decision)?;
    print::print_decision(decision, check.args.format)?;
    if check.args.save_baseline {
        print::print_note(&save_baseline(check, candidate)?);
    }
    Ok(())
}

/// Saves the run as a baseline, whatever the verdict: later changes are compared with the commit as
/// it is, not with an earlier one that was faster.
///
/// Returns a message that names the saved baseline, or why there is none. Fails if the store
/// fails.
fn save_baseline(check: &CheckInputs<'_>, run: &Run) -> Result<String> {
    let session = &check.session;
    let Some(store) = session.store.open_if_present()? else {
        return Ok("not saved as a baseline: there is no git repository to keep it in".to_owned());
    };
    // What a workflow saves is shared sooner or later. On the user's own machine it is their own.
    if let Some((trigger, repository)) =
        session.trigger.as_ref().zip(session.project.repository.as_ref())
        && let Err(refusal) = check_recordable(repository, run, Some(trigger))
    {
        return Ok(format!("not saved as a baseline: {refusal}"));
    }
    match store.save(run) {
        Ok(key) => Ok(print::describe_saved_run("saved as baseline", &key, run)),
        Err(StoreError::Unfit(why)) => Ok(format!("not saved as a baseline: {why}")),
        // The verdict stands, and the next measurement of the commit can be saved.
        Err(error @ StoreError::Pruned(_)) => Ok(format!("not saved as a baseline: {error}")),
        Err(error) => Err(CommandError::from(error).into()),
    }
}
