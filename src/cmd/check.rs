//! `perfgate check`: measure, compare, judge, report; its exit status is the gate.

mod comparand;
mod outputs;

use std::path::Path;

use anyhow::Result;

use self::comparand::Comparand;
use super::{ExitStatus, files, gate, print};
use crate::cli::CheckArgs;
use crate::run::Run;
use crate::verdict::decide;

/// Runs the gate; the status is that of the verdict.
pub(super) fn run(args: &CheckArgs) -> Result<ExitStatus> {
    let project = Project::find(args)?;
    let config = gate::config(&args.gate, &project.folder)?;
    let policy = gate::policy(config.clone(), &args.gate, &args.selection.bench)?
        .requiring_baseline(args.require_baseline);
    let candidate = match &args.run {
        Some(path) => files::read_run(path)?,
        None => measured(args, &config, &project)?,
    };
    policy.check_targets(&candidate.benchmarks).map_err(|error| gate::refused(&error))?;
    let comparand = Comparand::find(args, &config, &project, &candidate)?;
    let decision = comparand.judge(&candidate, &policy);
    outputs::write(&args.out, &candidate, &decision)?;
    print::decision(&decision, args.format)?;
    if args.save_baseline {
        outputs::save_baseline(&decision, &candidate, args, &config, &project)?;
    }
    Ok(decision.verdict.into())
}
