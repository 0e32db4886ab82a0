//! The policy of a command: the configuration file, overridden by the command line.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::CommandError;
use crate::cli::{EffortArgs, GateArgs};
use crate::policy::{Config, FailOn, MeasureConfig, Metric, Policy, PolicyError};
use crate::selection::Selection;
use crate::units::Nanos;

/// File name of the configuration if the command line names none.
const DEFAULT_CONFIG_FILE: &str = "perfgate.toml";

/// Reads the configuration: the named file, else the one in `folder`, else the default.
///
/// Fails if a named file is missing, or if a file cannot be read or is not valid.
pub(super) fn read_config(args: &GateArgs, folder: &Path) -> Result<Config> {
    let path = args.config.clone().unwrap_or_else(|| folder.join(DEFAULT_CONFIG_FILE));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && args.config.is_none() => {
            return Ok(Config::default());
        }
        Err(error) => {
            let message = format!("failed to read configuration `{}`: {error}", path.display());
            return Err(CommandError::new_usage(message).into());
        }
    };
    Config::from_toml(&text)
        .map_err(|error| explain_policy_error(&error))
        .with_context(|| format!("failed to read configuration `{}`", path.display()))
}

/// Returns the policy of `config`, overridden by the flags, for the benchmarks that `bench`
/// selects.
///
/// Fails if a flag, a pattern or the resulting policy is not valid.
pub(super) fn resolve_policy(
    mut config: Config,
    args: &GateArgs,
    bench: &[String],
) -> Result<Policy> {
    let gate = &mut config.gate;
    gate.threshold = args.threshold.or(gate.threshold);
    gate.detect = args.detect.or(gate.detect);
    gate.confidence = args.confidence.or(gate.confidence);
    if let Some(words) = &args.fail_on {
        let reasons: Result<Vec<FailOn>, _> = words.iter().map(|word| word.parse()).collect();
        gate.fail_on = Some(reasons.map_err(|error| explain_policy_error(&error))?);
    }
    let selection = Selection::new(bench).map_err(CommandError::new_usage)?;
    Policy::new(&config, &collect_target_limits(args), selection)
        .map_err(|error| explain_policy_error(&error))
}

/// Returns the target limits of the flags, per metric.
fn collect_target_limits(args: &GateArgs) -> BTreeMap<Metric, Nanos> {
    let limits = [
        (Metric::Mean, args.target_mean),
        (Metric::P50, args.target_p50),
        (Metric::P90, args.target_p90),
        (Metric::P95, args.target_p95),
        (Metric::P99, args.target_p99),
    ];
    limits.into_iter().filter_map(|(metric, limit)| Some((metric, limit?))).collect()
}

/// Returns how much to measure: the flags, else the configuration.
pub(super) fn resolve_effort(args: &EffortArgs, config: &MeasureConfig) -> EffortArgs {
    EffortArgs {
        launches: args.launches.or(config.launches),
        calls: args.calls.or(config.calls),
        timeout: args.timeout.or(config.timeout),
        ..args.clone()
    }
}

/// Turns a policy error into a usage error with its remedy.
pub(super) fn explain_policy_error(error: &PolicyError) -> anyhow::Error {
    let command_error = CommandError::new_usage(error);
    match error {
        PolicyError::PercentileOfBatches(_) => command_error.with_help(
            "give it a target on the mean (`--target-mean`), or leave it out (`--bench '!ID'`)",
        ),
        PolicyError::Toml { nearest: Some(nearest), .. } => {
            command_error.with_help(format!("did you mean `{nearest}`?"))
        }
        PolicyError::DetectTooLow { .. } => {
            command_error.with_help("raise --detect or lower --threshold, here or in perfgate.toml")
        }
        _ => command_error,
    }
    .into()
}
