//! `perfgate check`: measures, compares, judges and reports. Its exit status is the gate.

mod remote;
mod change_base;
mod base_rules;
mod inputs;
mod outputs;
mod compared_with;
mod candidate;
mod confirm;
mod waivers;
mod last_release;
mod counts;
mod origins;
mod explain;

use anyhow::Result;

use self::confirm::CheckLaunches;
use self::inputs::{BaselineChoice, CheckInputs};
use crate::cli::CheckArgs;
use crate::run::{Run, SampleSource};
use crate::session::ExitStatus;
use crate::session::bench_edits;
use crate::verdict::{EditedBenches, Evidence, decide};

/// Runs the gate and returns the exit status of the decision.
///
/// Fails if the check cannot be made or its output cannot be written. A regression is not an error.
pub(super) fn run_check(args: &CheckArgs) -> Result<ExitStatus> {
    let check = CheckInputs::open(args)?;
    counts::require_valgrind(args)?;
    let mut compared_with = compared_with::find(&check)?;
    compared_with.notes.extend_from_slice(&check.rule_notes);
    let launches = if let Some(pair) = compared_with.pair.take() {
        // Both sides are launched in rounds only, so there is no run of the candidate before them.
        CheckLaunches::Rounds(confirm::measure_pair(&check, pair)?)
    } else {
        let run = Box::new(candidate::measure_or_read(&check)?);
        compared_with.keep_runs_like(&run, &check.session.policy);
        let confirmed = confirm::rounds_if_needed(&check, &run, &mut compared_with)?;
        CheckLaunches::Candidate { run, confirmed }
    };
    let trailers = waivers::read_trailers(&check, compared_with.commit.as_ref());
    let last_release =
        last_release::find_release_evidence(&check, launches.candidate(), &compared_with)?;
    let edited_benches = find_edited_benches(&check, launches.candidate(), &compared_with);
    let evidence = Evidence {
        rounds: launches.rounds().map(|rounds| rounds.measured.as_evidence()),
        trailers: &trailers,
        last_release: last_release.as_ref(),
        edited_benches: &edited_benches,
        names_base: matches!(check.choice, BaselineChoice::Revision(_)),
        notes: &compared_with.notes,
        wants_baseline: check.choice != BaselineChoice::None,
        noise: &check.noise,
        ..Evidence::from_sides(launches.candidate(), compared_with.as_evidence())
    };
    let counts = counts::second_opinion(&check, &evidence, launches.rounds())?;
    let mut decision = decide(&Evidence { counts: &counts, ..evidence }, &check.session.policy);
    // The builds of the rounds make room for those with line tables.
    let candidate = launches.into_candidate();
    origins::add_origins(&check, &candidate, &mut decision)?;
    explain::explain_if_wanted(&check, &mut decision)?;
    outputs::write(&check, &candidate, &decision)?;
    Ok(ExitStatus::from(&decision))
}

/// Returns the bench targets whose own source differs between the baseline and the candidate.
/// Returns none if a commit is not known, or if commands were measured.
fn find_edited_benches(
    check: &CheckInputs<'_>,
    candidate: &Run,
    compared_with: &compared_with::ComparedWith,
) -> EditedBenches {
    let commits = compared_with.commit.as_ref().zip(candidate.commit.as_ref());
    let Some((base, head)) = commits.filter(|_| candidate.source == SampleSource::Criterion) else {
        return EditedBenches::new();
    };
    let manifest = check.session.selection.manifest_path.as_deref();
    bench_edits::find_edited_benches(&check.session.project, manifest, base, head)
}
