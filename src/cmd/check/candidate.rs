//! The run that a check judges.

use anyhow::Result;

use super::inputs::CheckInputs;
use super::outputs;
use crate::measure::MeasureSubject;
use crate::run::Run;
use crate::session::measurement;
use crate::session::settings::explain_policy_error;
use crate::verdict::count_needed_samples;

/// Returns the run to judge, measured now or read from `--run`, and writes it at once.
///
/// Fails if the run cannot be measured or written, or if a target does not fit its benchmarks.
pub(super) fn measure_or_read(check: &CheckInputs<'_>) -> Result<Run> {
    let session = &check.session;
    let candidate = if let Some(run) = &session.given_run {
        run.clone()
    } else {
        let find_needed = |id: &str| count_needed_samples(&session.policy, id);
        session.recipe.prepare_working_tree(&check.source, &session.interrupt)?;
        let subject = match (&check.model, &session.recipe.harness) {
            (Some(model), _) => MeasureSubject::Model(Box::new(model.command.clone())),
            (None, Some(command)) => MeasureSubject::Harness(command.clone()),
            (None, None) => measurement::build_subject(
                &measurement::to_workspace(&session.selection),
                &session.interrupt,
            )?,
        };
        let mut run = measurement::measure_into(
            session.create_run(session.source),
            &subject,
            &session.policy.selection,
            &session.effort,
            &check.sample_needs(&find_needed),
            &session.interrupt,
        )?;
        run.commit.clone_from(&check.head);
        run.settings.request = Some(session.request.clone());
        run
    };
    outputs::write_run(&check.args.out, &candidate)?;
    session
        .policy
        .check_targets(&candidate.benchmarks)
        .map_err(|error| explain_policy_error(&error))?;
    Ok(candidate)
}
