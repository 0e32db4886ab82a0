//! `perfgate compare`: two runs, one decision, no gate.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::{ExitStatus, Refusal, files, gate, print};
use crate::cli::CompareArgs;
use crate::run::Run;
use crate::store::{DEFAULT_URL, Store};
use crate::verdict::{Baseline, Evidence, decide};

/// Compares two runs and prints the decision; status 0 for any comparison that could be made.
pub(super) fn run(args: &CompareArgs) -> Result<ExitStatus> {
    let config = gate::config(&args.gate, Path::new("."))?;
    let store = args.store.store.clone().or_else(|| config.store.url.clone());
    let store = store.as_deref().unwrap_or(DEFAULT_URL);
    let policy = gate::policy(config, &args.gate, &args.bench)?;
    let baseline = run_of(&args.baseline, store)?;
    let candidate = run_of(&args.candidate, store)?;
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

/// The run in a file, else the one that the store keeps under this key; of several the newest.
fn run_of(name: &str, store: &str) -> Result<Run> {
    let path = Path::new(name);
    let is_key = name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if path.exists() || !is_key {
        return files::read_run(path);
    }
    let store = Store::open(store, Path::new(".")).map_err(Refusal::from)?;
    let keys = store.find(name).map_err(Refusal::from)?;
    Ok(store.load(&keys[0]).map_err(Refusal::from)?)
}
