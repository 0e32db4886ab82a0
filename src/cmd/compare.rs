//! `perfgate compare`: compares two runs and prints the decision, without a gate.

use std::path::Path;

use anyhow::Result;

use crate::cli::CompareArgs;
use crate::run::Run;
use crate::session::settings::{GateSettings, explain_policy_error};
use crate::session::{CommandError, ExitStatus, SessionStore, print, read_run};
use crate::verdict::{BaselineEvidence, Evidence, decide};

/// Compares two runs and prints the decision. The exit status is 0, whatever the verdict: the
/// `exit_status` of the document is that of `check`, which is the gate.
///
/// Fails if the policy or a run cannot be read, or if a target does not fit the candidate's
/// benchmarks.
pub(super) fn run_compare(args: &CompareArgs) -> Result<ExitStatus> {
    let GateSettings { policy, store, .. } =
        GateSettings::read(Path::new("."), &args.gate, &args.store, &args.bench)?;
    let policy = policy.with_varied_conditions(&args.vary);
    let baseline = read_or_load_run(&args.baseline, &store)?;
    let candidate = read_or_load_run(&args.candidate, &store)?;
    policy.check_targets(&candidate.benchmarks).map_err(|error| explain_policy_error(&error))?;
    let evidence = Evidence::from_sides(&candidate, BaselineEvidence::File(&baseline));
    print::print_decision(&decide(&evidence, &policy), args.format)?;
    Ok(ExitStatus::Pass)
}

/// Reads the run in the file `name`, or else loads a stored run.
///
/// A stored run is named by the start of its id or of its commit's id, at least four hexadecimal
/// digits long. Of several runs of a commit, the newest is used. Fails if there is no such run, if
/// several match the id, or if the run cannot be read.
fn read_or_load_run(name: &str, store: &SessionStore) -> Result<Run> {
    let path = Path::new(name);
    let is_key = name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if path.exists() || !is_key {
        return read_run(path);
    }
    let store = store.open().map_err(CommandError::from)?;
    let keys = store.find_by_name(name).map_err(CommandError::from)?;
    Ok(store.load(&keys[0]).map_err(CommandError::from)?)
}
