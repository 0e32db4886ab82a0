//! `perfgate compare`: two runs, one decision, no gate.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::{ExitStatus, files, gate, print};
use crate::cli::CompareArgs;
use crate::verdict::{Baseline, Evidence, decide};

/// Compares two runs and prints the decision; status 0 for any comparison that could be made.
pub(super) fn run(args: &CompareArgs) -> Result<ExitStatus> {
    let config = gate::config(&args.gate, Path::new("."))?;
    let policy = gate::policy(config, &args.gate, &args.bench)?;
    let baseline = files::read_run(Path::new(&args.baseline))?;
    let candidate = files::read_run(Path::new(&args.candidate))?;
    policy.check_targets(&candidate.benchmarks).map_err(|error| gate::refused(&error))?;
    let evidence = Evidence {
        candidate: &candidate,
        baseline: Baseline::File(&baseline),
        rounds: None,
        noise: &BTreeMap::new(),
    };
    print::decision(&decide(&evidence, &policy), args.format)?;
    Ok(ExitStatus::Pass)
}
